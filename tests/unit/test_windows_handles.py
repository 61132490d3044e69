"""Who owns a handle of Windows' closes it when it goes, and when the next step fails; over tables that are made up."""

from __future__ import annotations

import errno
import gc
import itertools
import os
import socket as stdlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from samesock import _aio_afd, _waking
from samesock._probes import descriptors as probes
from samesock.backend import _windows_wait, winsock
from samesock.fd.descriptor import Descriptor
from samesock.fd.windows import state
from samesock.fdtable import ntquery, processes
from samesock.ffi.afd import ntdll
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.readiness import afd, driver, pipes, port, signalled
from samesock.winsock import interrupting, pending

NOT_ENOUGH_MEMORY = 8


class Handles:
    """What is open. `fails` is what a call gives that is not to work."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open: set[int] = set()
        self.numbers = itertools.count(0x100, 4)
        self.patch = patch
        for table in (kernel32, kernel32_waits):
            patch.setattr(table, "CloseHandle", self.close)
            patch.setattr(table, "GetLastError", lambda: NOT_ENOUGH_MEMORY)
        for name in ("CreateEventW", "CreateIoCompletionPort", "OpenThread"):
            patch.setattr(kernel32_waits, name, lambda *_: self.make())
        patch.setattr(kernel32, "OpenProcess", lambda *_: self.make())
        patch.setattr(_windows_wait, "sigint_event", lambda: 0)

    def make(self) -> int:
        number = next(self.numbers)
        self.open.add(number)
        return number

    def close(self, handle: int) -> int:
        self.open.remove(handle)  # KeyError for one that is not open
        return 1

    def opens_the_driver(self) -> None:
        def create(handle: Any, *_: Any) -> int:
            handle._obj.value = self.make()
            return 0

        self.patch.setattr(ntdll, "NtCreateFile", create)
        # A handle is tied to a port, which is no new one.
        self.patch.setattr(kernel32_waits, "CreateIoCompletionPort", lambda _, tied_to, *__: tied_to)


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> Handles:
    """Nothing is open."""
    gc.collect()  # what has a real handle must not be closed by a made-up call
    return Handles(monkeypatch)


@pytest.mark.parametrize("memory", [lambda: _windows_wait._Memory(1), pending._Memory], ids=["wait", "send"])
def test_the_memory_of_a_call_owns_an_event(handles: Handles, memory: Callable[[], Any]) -> None:
    """What a wait or a send works with has one event, which goes with it; without an event it is not made."""
    made = memory()
    assert handles.open == {made.event}
    del made
    gc.collect()
    assert not handles.open
    handles.patch.setattr(kernel32_waits, "CreateEventW", lambda *_: 0)
    with pytest.raises(OSError, match="making an event") as caught:
        memory()
    assert caught.value.errno == errno.ENOMEM


@pytest.mark.parametrize("thing", [pipes.Pipe, signalled.Signalled], ids=["pipe", "signalled"])
def test_what_a_selector_waits_for_owns_an_event(handles: Handles, thing: Callable[..., Any]) -> None:
    """A pipe or another object in a selector has one event, closed once when it is taken out."""
    made = thing(4, 1, lambda: None)
    assert len(handles.open) == 1
    made.end()
    made.end()
    assert not handles.open
    handles.patch.setattr(kernel32_waits, "CreateEventW", lambda *_: 0)
    with pytest.raises(OSError, match="making an event"):
        thing(4, 1, lambda: None)


def test_a_completion_port(handles: Handles) -> None:
    """It is closed once; one that cannot be made is an error."""
    made = port.Port()
    assert handles.open == {made.handle}
    made.close()
    made.close()
    assert not handles.open
    handles.patch.setattr(kernel32_waits, "CreateIoCompletionPort", lambda *_: 0)
    with pytest.raises(OSError, match="making a completion port"):
        port.Port()


def test_the_driver(handles: Handles) -> None:
    """A handle of the driver that cannot be tied to the port is closed; one that is refused is an error."""
    handles.opens_the_driver()
    assert {driver.open_device(4)} == handles.open
    handles.open.clear()
    handles.patch.setattr(kernel32_waits, "CreateIoCompletionPort", lambda *_: 0)
    with pytest.raises(OSError, match="tying the driver"):
        driver.open_device(4)
    assert not handles.open
    handles.patch.setattr(ntdll, "NtCreateFile", lambda *_: -1)
    handles.patch.setattr(ntdll, "RtlNtStatusToDosError", lambda _: NOT_ENOUGH_MEMORY)
    with pytest.raises(OSError, match="opening the driver"):
        driver.open_device(4)


def test_a_proactors_device(handles: Handles) -> None:
    """Its handle of the driver goes with it."""
    handles.opens_the_driver()
    device = _aio_afd.Device(SimpleNamespace(_iocp=4))
    assert handles.open == {device.handle}
    del device
    gc.collect()
    assert not handles.open


def test_a_selectors_devices(handles: Handles) -> None:
    """All that a selector has opened of the driver is closed when it lets go."""
    sockets = afd.Sockets(port.Port())
    sockets._devices[:] = [SimpleNamespace(handle=handles.make()), SimpleNamespace(handle=handles.make())]  # type: ignore[list-item]
    before = len(handles.open)
    sockets.let_go()
    assert len(handles.open) == before - 2
    assert not sockets._devices


def test_a_port_that_is_in_the_way_on_purpose(handles: Handles) -> None:
    """The port that a socket is given to, so that it can have no other, is closed: the socket keeps it."""
    winsock.refuse_overlapped(4)
    assert not handles.open
    handles.patch.setattr(kernel32_waits, "CreateIoCompletionPort", lambda *_: 0)
    winsock.refuse_overlapped(4)


@pytest.fixture
def interrupter(monkeypatch: pytest.MonkeyPatch) -> interrupting.Interrupter:
    """One of its own, so that the process's keeps no thread's number."""
    monkeypatch.setattr(_waking, "let_pass", None)
    monkeypatch.setattr(interrupting, "_address_of", lambda _: 1)
    return interrupting.Interrupter()


@pytest.mark.parametrize("queued", [0, 1])
def test_cancelling_for_another_thread(
    handles: Handles, interrupter: interrupting.Interrupter, queued: int
) -> None:
    """The thread's handle is closed, whether the call was queued; of a thread that has gone there is none."""
    handles.patch.setattr(kernel32_waits, "QueueUserAPC", lambda *_: queued)
    with samesock.socket() as sock:
        handles.patch.setitem(_waking.readers, 1, sock)
        assert interrupter.cancel_for(1, sock) == bool(queued)
        assert not handles.open
        handles.patch.setattr(kernel32_waits, "OpenThread", lambda *_: 0)
        assert not interrupter.cancel_for(1, sock)


def test_what_is_queued_for_a_thread_runs_before_its_call_returns(
    handles: Handles, interrupter: interrupting.Interrupter
) -> None:
    """A thread that was struck runs what is queued for it when it leaves its call; one that had left is not struck."""
    ran: list[int] = []
    handles.patch.setattr(kernel32_waits, "QueueUserAPC", lambda *_: 1)
    handles.patch.setattr(kernel32_waits, "SleepEx", lambda *_: ran.append(1))
    with samesock.socket() as sock:
        assert not interrupter.cancel_for(1, sock)
        assert not interrupter.queued
        handles.patch.setitem(_waking.readers, 1, sock)
        assert interrupter.cancel_for(1, sock)
    assert interrupter.queued
    interrupter.let_pass(2)
    assert not ran
    interrupter.let_pass(1)
    assert ran == [1]
    assert not interrupter.queued
    assert _waking.let_pass is not None


def test_the_table_of_a_process_that_has_ended(handles: Handles) -> None:
    """The handle on a process whose table cannot be had, because it has ended, is closed."""
    handles.patch.setattr(kernel32, "WaitForSingleObject", lambda *_: 0)
    with pytest.raises(OSError) as caught:
        ntquery._foreign(1234)
    assert str(caught.value) == str(processes.gone(1234))
    assert not handles.open


# ---- the probe of inheriting, and the C runtime's descriptors


class Twin:
    """A socket over a handle that the system's Winsock did not make."""

    def __init__(self, name: Any) -> None:
        self.name = name
        self.ended = ""

    def getsockname(self) -> Any:
        if isinstance(self.name, OSError):
            raise self.name
        return self.name

    def close(self) -> None:
        self.ended = "closed"

    def detach(self) -> None:
        self.ended = "detached"


def probed(patch: pytest.MonkeyPatch, twin: Any) -> list[str]:
    """What becomes of the duplicate that the probe of inheriting makes, with that for a socket."""
    closed: list[str] = []
    patch.setattr(probes, "_duplicate_handle", lambda number: (number, lambda: closed.append("handle")))

    def make(*_: Any, **__: Any) -> Any:
        if isinstance(twin, OSError):
            raise twin
        return twin

    names = {"AF_INET": stdlib.AF_INET, "SOCK_STREAM": stdlib.SOCK_STREAM}
    patch.setattr(probes, "_stdlib", SimpleNamespace(socket=make, **names))
    return closed


def test_a_handle_that_winsock_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """A duplicate that no socket can be made of, or that tells no name, is closed as a handle; absent either way."""
    for twin in (OSError(errno.ENOTSOCK, "no socket"), Twin(OSError(errno.ENOTSOCK, "no socket"))):
        with monkeypatch.context() as patch:
            closed = probed(patch, twin)
            with pytest.raises(OSError, match="no socket"):
                probes.inherit()
        assert closed == ["handle"]
        assert getattr(twin, "ended", "detached") == "detached"


def test_a_handle_of_another_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A duplicate with another name than the socket's is closed as the socket that it is, and counts as absent."""
    twin = Twin(("127.0.0.1", 1))
    closed = probed(monkeypatch, twin)
    assert probes.inherit() == "absent"
    assert (twin.ended, closed) == ("closed", [])


def test_a_descriptor_of_the_c_runtimes() -> None:
    """It is closed by the runtime; a second time is EBADF, and the message says what was tried."""
    for end in os.pipe():
        one = Descriptor(end)
        state.close(one)
        with pytest.raises(OSError):
            os.fstat(end)
        with pytest.raises(OSError, match="closing Descriptor") as caught:
            state.close(one)
        assert caught.value.errno == errno.EBADF
