"""Where the methods meet the rest of the library: the table of calls, the Unix sockets, the names of `samesock`."""

from __future__ import annotations

from typing import Any

import pytest

import samesock
from samesock.unix import dispatch
from samesock.winsock import messages, names
from samesock.winsock.calls import calls


def test_unix_sockets_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Unix socket's three methods are those of `unix.dispatch`, with the same arguments."""
    handed: list[Any] = []
    for name in ("sendmsg", "recvmsg", "recvmsg_into"):
        monkeypatch.setattr(
            dispatch.MessageMethods, name, lambda *arguments: handed.append(arguments[1:]), raising=False
        )
    one, other = samesock.socketpair()
    with one, other:
        if one.transport != "emulated":
            pytest.skip("absent here: an emulated Unix socket (SAMESOCK_UNIX=emulated)")
        methods: Any = messages.MessageMethods
        methods.sendmsg(one, [b"x"], [(1, 1, b"1234")], 2, "address")
        methods.recvmsg(one, 1, 2, 3)
        methods.recvmsg_into(one, [bytearray(1)], 2, 3)
    assert handed == [
        ([b"x"], [(1, 1, b"1234")], 2, "address"),
        (1, 2, 3),
        ([bytearray(1)], 2, 3),
    ]


def test_the_names_are_there() -> None:
    """Whatever a program of messages needs has a name in `samesock` on every platform."""
    for name in (
        "CMSG_LEN",
        "CMSG_SPACE",
        "MSG_CTRUNC",
        "MSG_TRUNC",
        "MSG_DONTWAIT",
        "MSG_NOSIGNAL",
        "MSG_PEEK",
    ):
        assert hasattr(samesock, name), name
    for name in names.added():
        assert getattr(samesock, name) == names.WINDOWS[name]
        assert name in samesock.__all__


def test_the_table_is_the_one_that_is_used() -> None:
    """The entries of the package's table are what the methods call."""
    assert {"send_vector", "send_message", "receive_vector", "receive_message"} <= vars(calls).keys()
