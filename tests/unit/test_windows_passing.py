"""Windows' half of descriptor passing, by the table of functions: what is duplicated, taken back, refused."""

from __future__ import annotations

import ctypes
import errno
import gc
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import pytest

from samesock.backend import _windows_passing as backend
from samesock.backend import _windows_tables
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.ws2_32 import INVALID_SOCKET, WSAPROTOCOL_INFOW, ws2_32

HERE, THERE, PID = 11, 22, 4321


class World:
    """Two processes: what this one has duplicated into the other, and what was closed there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[int] = []
        self.closed: list[int] = []
        self.closed_there: list[int] = []
        self.error = 0
        self.refuse = 0
        self.next = 100
        self.start: int | None = 777
        monkeypatch.setattr(_windows_tables, "start_of", lambda process: self.start)
        for name in ("OpenProcess", "CloseHandle", "DuplicateHandle", "GetCurrentProcess", "GetLastError"):
            monkeypatch.setattr(kernel32, name, getattr(self, name), raising=False)
        for name in ("WSADuplicateSocketW", "WSAGetLastError", "WSASocketW", "closesocket"):
            monkeypatch.setattr(ws2_32, name, getattr(self, name), raising=False)

    def OpenProcess(self, access: int, inherit: bool, pid: int) -> int:  # noqa: N802
        if self.error:
            return 0
        assert access & 0x40
        self.opened.append(pid)
        return THERE

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        self.closed.append(handle)
        return 1

    def GetCurrentProcess(self) -> int:  # noqa: N802
        return HERE

    def GetLastError(self) -> int:  # noqa: N802
        return self.error or self.refuse

    WSAGetLastError = GetLastError

    def DuplicateHandle(  # noqa: N802, PLR0917
        self, source: int, handle: int, target: int, made: Any, access: int, inherit: bool, options: int
    ) -> int:
        if options & 1:
            assert (source, target) == (THERE, 0)
            self.closed_there.append(handle)
            return 1
        assert (source, target, inherit, options) == (HERE, THERE, False, 2)
        if handle == 13:
            self.refuse = 6
            return 0
        made._obj.value = self.next
        self.next += 1
        return 1

    def WSADuplicateSocketW(self, number: int, pid: int, info: Any) -> int:  # noqa: N802
        assert pid == PID
        if self.refuse:
            return -1
        info._obj.dwProviderReserved = self.next
        info._obj.iAddressFamily = 2
        self.next += 1
        return 0

    def WSASocketW(self, *arguments: Any) -> int:  # noqa: N802
        family, kind, protocol, info, _, flags = arguments
        assert (family, kind, protocol, flags) == (-1, -1, -1, 0x81)
        return int(info._obj.dwProviderReserved) or INVALID_SOCKET

    def closesocket(self, number: int) -> int:
        self.closed.append(number)
        return 0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The scripted system. What an exception still holds of it is closed in it, and not by the collector after it."""
    made: WeakSet[backend.Taker] = WeakSet()
    taker = backend.taker

    def noted(pid: int | None) -> backend.Taker:
        one = taker(pid)
        made.add(one)
        return one

    monkeypatch.setattr(backend, "taker", noted)
    yield World(monkeypatch)
    for one in list(made):
        one._free()


def test_all_are_made_in_the_targets_process(world: World) -> None:
    """Handles and sockets are duplicated into the target; its start is told; it stays open for the next ones."""
    offer = backend.offer([("handle", 5), ("socket", 6)], backend.taker(PID))
    offer.sent()
    assert (offer.target, offer.target_start) == (PID, 777)
    assert offer.tokens[0] == (100).to_bytes(8, "little")
    assert world.closed == []
    assert world.closed_there == []
    assert backend.take(b"", [("handle", offer.tokens[0]), ("socket", offer.tokens[1])]) == [100, 101]


def test_one_that_fails_takes_the_others_back(world: World) -> None:
    """When one cannot be duplicated, those made before are closed in the target's process."""
    taker = backend.taker(PID)
    with pytest.raises(OSError, match="handle 13") as caught:
        backend.offer([("handle", 5), ("socket", 6), ("handle", 13)], taker)
    assert caught.value.errno == errno.EBADF
    assert world.closed_there == [100, 101]
    assert world.closed == []


def test_a_socket_that_is_not_open(world: World) -> None:
    """It is EBADF, by the call that would duplicate it, and what was made before is taken back."""
    world.refuse = 10038
    taker = backend.taker(PID)
    with pytest.raises(OSError, match="socket 6") as caught:
        backend.offer([("handle", 5), ("socket", 6)], taker)
    assert caught.value.errno == errno.EBADF
    assert world.closed_there == [100]


def test_one_that_ends_while_it_is_kept(world: World) -> None:
    """A process that has ended since it was opened takes nothing: EPIPE, whatever the call said."""
    taker = backend.taker(PID)
    world.refuse, world.start = 5, None
    with pytest.raises(BrokenPipeError, match="has ended") as caught:
        backend.offer([("socket", 6)], taker)
    assert caught.value.winerror == 5  # type: ignore[attr-defined,unused-ignore]


def test_a_taker_is_closed_once(world: World) -> None:
    """A process that is kept open is closed with its taker, or when nobody has that any more."""
    gc.collect()  # those of the tests before
    world.closed.clear()
    taker = backend.taker(PID)
    taker.close()
    taker.close()
    assert world.closed == [THERE]
    del taker
    backend.taker(PID)
    gc.collect()
    assert world.closed == [THERE, THERE]


@pytest.mark.parametrize("ends", ["revoke", "sent"])
def test_a_close_while_an_offer_is_made(world: World, ends: str) -> None:
    """A taker that another thread closes takes nothing more, and stays open until its last offer is sent or taken
    back."""
    taker = backend.taker(PID)
    first = backend.offer([("handle", 5)], taker)
    second = backend.offer([("socket", 6)], taker)
    taker.close()
    assert world.closed == []
    with pytest.raises(OSError, match="closed meanwhile") as caught:
        backend.offer([("handle", 7)], taker)
    assert caught.value.errno == errno.EBADF
    first.sent()
    first.revoke()
    assert (world.closed, world.closed_there) == ([], [])
    getattr(second, ends)()
    second.revoke()
    assert world.closed_there == ([101] if ends == "revoke" else [])
    assert world.closed == [THERE]


def test_a_close_between_two_duplicates(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A close in the middle of an offer that then fails: what was made is taken back, and then it is let go of."""
    taker = backend.taker(PID)
    original = world.DuplicateHandle

    def duplicate(*arguments: Any) -> int:
        done = original(*arguments)
        taker.close()
        return done

    monkeypatch.setattr(kernel32, "DuplicateHandle", duplicate, raising=False)
    with pytest.raises(OSError, match="handle 13"):
        backend.offer([("handle", 5), ("handle", 6), ("handle", 13)], taker)
    assert world.closed_there == [100, 101]
    assert world.closed == [THERE]


def test_taking_back(world: World) -> None:
    """An offer that was not sent is closed in the target's process, once, Wine's duplicates of sockets included."""
    offer = backend.offer([("handle", 5), ("socket", 6)], backend.taker(PID))
    offer.revoke()
    offer.revoke()
    assert world.closed_there == [100, 101]
    info = WSAPROTOCOL_INFOW()
    info.dwServiceFlags3, info.dwServiceFlags4 = 104, 0xFF00FF00
    assert backend._handle_in(info) == 104


def test_a_process_that_may_not_be_opened(world: World) -> None:
    """It is EPERM, with Windows' own code kept."""
    world.error = 5
    with pytest.raises(PermissionError) as caught:
        backend.taker(PID)
    assert caught.value.winerror == 5  # type: ignore[attr-defined,unused-ignore]


def test_a_process_that_nobody_knows(world: World) -> None:
    """Without a process to give them to it is EPERM."""
    with pytest.raises(PermissionError, match="not known"):
        backend.taker(None)


@pytest.mark.parametrize("gone", ["no such process", "ended"])
def test_a_process_that_has_ended(world: World, gone: str) -> None:
    """It is EPIPE, whether its number is free or somebody keeps it."""
    if gone == "ended":
        world.start = None
    else:
        world.error = 87
    with pytest.raises(BrokenPipeError):
        backend.taker(PID)
    assert world.closed == ([THERE] if gone == "ended" else [])


def test_tokens_that_cannot_be(world: World) -> None:
    """A token of another size is nothing, and a socket that Winsock does not open is none."""
    empty = ctypes.sizeof(WSAPROTOCOL_INFOW)
    tokens = [("handle", b"123"), ("socket", b"x" * (empty + 1)), ("socket", b"")]
    assert backend.take(b"", tokens) == [None, None, None]


def test_the_rest_is_closed_as_what_it_is(world: World) -> None:
    """A socket is closed by Winsock, a handle by the system."""
    backend.close("socket", 7)
    backend.close("handle", 8)
    assert world.closed == [7, 8]
