"""The key snapshot: the promises that a leak checker builds on."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from samesock.fdtable.keys import keys
from samesock.fdtable.words import Space

SPACE: Space = "fd" if hasattr(os, "fork") else "socket"


def test_a_new_object_is_a_new_key(tmp_path: Path) -> None:
    """Whatever is opened between two snapshots is in the second and not in the first; closed, it is gone
    again.
    """
    before = keys()
    (tmp_path / "file").touch()
    with socket.socket() as sock, open(tmp_path / "file") as file:
        between = keys()
        assert (SPACE, sock.fileno()) in between.keys() - before.keys()
        assert ("fd", file.fileno()) in between.keys() - before.keys()
    after = keys()
    assert set(after.items()) < set(between.items())


def test_nothing_changes_while_nothing_happens() -> None:
    """Two snapshots of an unchanged process are equal: the snapshot itself leaves nothing behind."""
    keys()
    assert keys() == keys()


def test_a_number_reused_for_another_kind_of_object_has_another_identity(tmp_path: Path) -> None:
    """close(n) and an open that gets n again is a replacement, visible as another identity under one key."""
    first, second = tmp_path / "one", tmp_path / "two"
    first.write_text("1")
    second.write_text("2")
    number = os.open(first, os.O_RDONLY)
    before = keys()["fd", number]
    os.close(number)
    again = os.open(second, os.O_RDONLY)
    try:
        assert again == number
        assert keys()["fd", number] != before
    finally:
        os.close(again)


def test_a_stream_socket_and_a_datagram_socket_differ() -> None:
    """A socket that takes over another's number is not taken for it."""
    stream = socket.socket(type=socket.SOCK_STREAM)
    number = stream.fileno()
    before = keys()[SPACE, number]
    stream.close()
    with socket.socket(type=socket.SOCK_DGRAM) as datagram:
        if datagram.fileno() != number:
            pytest.skip("the system gave the socket another number")
        assert keys()[SPACE, number] != before


def test_two_eventfds_differ_and_a_duplicate_does_not() -> None:
    """Anonymous objects share one inode; an eventfd's own number tells two apart, and a dup is the same
    object.
    """
    if sys.platform != "linux":
        pytest.skip("needs eventfd")
    first, second = os.eventfd(0), os.eventfd(0)
    copy = os.dup(first)
    try:
        seen = keys()
        assert seen["fd", first] != seen["fd", second]
        assert seen["fd", first] == seen["fd", copy]
    finally:
        for number in (first, second, copy):
            os.close(number)
