"""Whose end of a connection it is, from Windows' table of TCP sockets."""
# ruff: noqa: PLR0917 -- the scripted functions have Windows' parameters

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest

from samesock.backend import (
    _windows_tables,
    _windows_wait,
    winsock,
)
from samesock.ffi import afd
from samesock.ffi.iphlpapi import MIB_TCPROW_OWNER_MODULE, iphlpapi
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.ws2_32 import ws2_32
from unit.winsock_scripted.windows import ME, STRANGER, Windows, put


def table(windows: Windows, *rows: tuple[int, str, int, str, int, int, int], grows: int = 0) -> None:
    """Script the table: state, own address and port, peer's address and port, process, time; it may grow at first."""
    raw = b"".join(
        bytes(
            MIB_TCPROW_OWNER_MODULE(
                state,
                int.from_bytes(socket.inet_aton(local), "little"),
                socket.htons(port),
                int.from_bytes(socket.inet_aton(remote), "little"),
                socket.htons(peer),
                pid,
                made,
            )
        )
        for state, local, port, remote, peer, pid, made in rows
    )
    data = struct.pack("<II", len(rows), 0) + raw
    tries = [grows]

    def get(room: Any, size: Any, order: bool, family: int, kind: int, reserved: int) -> int:
        assert family == 2
        assert kind in (6, 8)
        if tries[0]:
            tries[0] -= 1
            put(size, len(room) + 1)
            return 122
        assert len(room) >= len(data)
        put(room, data)
        return 0

    windows.patch.setattr(iphlpapi, "GetExtendedTcpTable", get)


LISTEN = (2, "127.0.0.1", 5000, "0.0.0.0", 0, 40, 1_000)
CLIENT = (5, "127.0.0.1", 6000, "127.0.0.1", 5000, 44, 2_000)
SERVER = (5, "127.0.0.1", 5000, "127.0.0.1", 6000, 40, 2_000)
HERE, THERE = ("127.0.0.1", 6000), ("127.0.0.1", 5000)


@pytest.mark.parametrize("grows", [0, 3])
def test_proven_owner(windows: Windows, grows: int) -> None:
    """A process that was there before the socket owns it, and its user is told; the table may grow meanwhile."""
    table(windows, SERVER, CLIENT, grows=grows)
    windows.processes = {40: (900, STRANGER), 44: (2_000, ME)}
    owner = winsock.connection_owner(HERE, THERE)
    assert owner is not None
    assert (owner.pid, owner.sid, owner.uid) == (44, ME, None)
    owner = winsock.connection_owner(THERE, HERE)
    assert owner is not None
    assert (owner.pid, owner.sid) == (40, STRANGER)


def test_reused_number_of_a_process(windows: Windows) -> None:
    """A process that is younger than the socket did not make it: neither number nor user is told."""
    table(windows, CLIENT, LISTEN)
    windows.processes = {40: (1_001, ME), 44: (2_001, ME)}
    assert winsock.connection_owner(HERE, THERE) is None
    assert winsock.listener_owner(5000) == (None,) * 5


def test_table_without_times(windows: Windows) -> None:
    """Without a time nothing is proven: the number is the table's word, the user stays unknown."""
    table(windows, (*CLIENT[:6], 0))
    windows.processes = {44: (1, ME)}
    owner = winsock.connection_owner(HERE, THERE)
    assert owner is not None
    assert (owner.pid, owner.sid) == (44, None)


@pytest.mark.parametrize("processes", [{}, {44: (1, None)}])
def test_process_that_may_not_be_asked(
    windows: Windows, processes: dict[int, tuple[int, str | None]]
) -> None:
    """A process that is gone, or another user's that is closed to us, has a number and no known user."""
    table(windows, CLIENT)
    windows.processes = processes
    owner = winsock.connection_owner(HERE, THERE)
    assert owner is not None
    assert (owner.pid, owner.sid) == (44, None)


def test_nobodys_end(windows: Windows) -> None:
    """An end that waits out its time belongs to no process, and is not asked for one."""
    table(windows, (11, *CLIENT[1:5], 0, 0))
    assert winsock.connection_owner(HERE, THERE) is None
    assert "OpenProcess" not in windows.calls


@pytest.mark.parametrize("state", range(1, 13))
def test_states_in_which_a_process_has_the_end(windows: Windows, state: int) -> None:
    """A process has an end that is connected or has ended one direction; one that begins to connect, or has ended both,
    is nobody's, and hides no row behind it."""
    windows.processes = {44: (2_000, ME), 45: (2_000, STRANGER)}
    other = (state, *CLIENT[1:5], 45, 2_000)
    table(windows, other)
    owner = winsock.connection_owner(HERE, THERE)
    if state in {5, 6, 7, 8}:
        assert owner is not None
        assert owner.pid == 45
    else:
        assert owner == ((None,) * 5 if state == 4 else None)
    if state not in {4, 5, 6, 7, 8}:
        table(windows, other, CLIENT)
        owner = winsock.connection_owner(HERE, THERE)
        assert owner is not None
        assert owner.pid == 44


@pytest.mark.parametrize("state", [4, 5, 6, 7, 8, 9, 10, 11])
def test_an_end_that_waits_for_accept(windows: Windows, state: int) -> None:
    """Without a process an end waits for accept only in states that an end has whose process has not closed it."""
    table(windows, (state, *CLIENT[1:5], 0, 0))
    assert winsock.connection_owner(HERE, THERE) == ((None,) * 5 if state in {4, 5, 8} else None)
    assert "OpenProcess" not in windows.calls


@pytest.mark.parametrize(
    ("told", "sends", "there"),
    [
        (0, -1, True),  # not even asked to send
        (afd.AFD_POLL_ABORT, 0, False),
        (afd.AFD_POLL_ABORT | afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_SEND, 0, False),
        (afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_SEND, 0, True),
        (afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_SEND, -1, False),
        (afd.AFD_POLL_DISCONNECT, -1, True),  # bytes of its own are under way
    ],
)
def test_whether_a_connection_is_there(
    monkeypatch: pytest.MonkeyPatch, told: int, sends: int, there: bool
) -> None:
    """It is until it is reset, or both directions have ended; that nothing has happened costs one question."""
    asked = []

    def wait_for(number: int, mask: int, deadline: float | None) -> bool:
        assert (number, deadline) == (7, 0.0)
        asked.append(mask)
        return bool(told & mask)

    monkeypatch.setattr(_windows_wait, "wait_for", wait_for)
    monkeypatch.setattr(ws2_32, "send", lambda number, data, size, flags: sends, raising=False)
    assert winsock.has_connection(7) is there
    assert told or len(asked) == 1


def test_what_is_no_socket_has_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that the driver does not know is not connected."""

    def refuse(*_: Any) -> bool:
        raise _windows_wait.Refused

    monkeypatch.setattr(_windows_wait, "wait_for", refuse)
    assert winsock.has_connection(7) is False


def test_no_such_row(windows: Windows) -> None:
    """An end that is not in the table has no owner; ports alone do not make it the same one."""
    table(windows, (2, "127.0.0.2", 5000, "0.0.0.0", 0, 40, 1), (5, "127.0.0.9", 6000, *CLIENT[3:]))
    assert winsock.connection_owner(HERE, THERE) is None
    assert winsock.listener_owner(5000) is None


def test_no_table(windows: Windows) -> None:
    """A table that cannot be read is an error, not "nobody"."""
    windows.patch.setattr(iphlpapi, "GetExtendedTcpTable", lambda *arguments: 50)
    with pytest.raises(OSError, match="reading the table") as caught:
        winsock.listener_owner(5000)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_start_times(windows: Windows) -> None:
    """A process has its creation time until it has ended, and none when it is gone."""
    windows.processes = {40: (7 << 32 | 9, ME)}
    assert _windows_tables.start_time(40) == 7 << 32 | 9
    assert _windows_tables.start_time(44) is None
    windows.patch.setattr(kernel32, "WaitForSingleObject", lambda handle, milliseconds: 0)
    assert _windows_tables.start_time(40) is None
