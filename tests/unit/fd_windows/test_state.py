"""Descriptors on Windows where a call of the system fails: closing, copies, modes, and the C runtime's numbers."""

from __future__ import annotations

import errno
import os

import pytest

from samesock.fd.windows import runtime, state
from unit.fd_windows.answers import NOT_ENOUGH_MEMORY, failure, handle
from unit.made_up_kernel import DISK, Kernel


def test_calls_that_fail(kernel: Kernel) -> None:
    """Closing, copying, and asking and setting modes: the error is the system's, with its code."""
    one = handle(kernel)
    for name in ("CloseHandle", "DuplicateHandle", "SetHandleInformation"):
        kernel.fails(name, NOT_ENOUGH_MEMORY)
    kernel.fails("GetNamedPipeHandleStateW", NOT_ENOUGH_MEMORY)
    kernel.fails("SetNamedPipeHandleState", NOT_ENOUGH_MEMORY)
    expected = errno.ENOMEM, NOT_ENOUGH_MEMORY
    assert failure(state.close, one) == expected
    assert failure(state.dup, one) == expected
    assert failure(state.set_inheritable, one, True) == expected
    assert failure(state.get_blocking, one) == expected
    assert failure(state.set_blocking, one, False) == expected
    answers = iter([1, 0])  # open, and then it does not say its flags
    kernel.set("GetHandleInformation", lambda *_: next(answers))
    kernel.code = NOT_ENOUGH_MEMORY
    assert failure(state.get_inheritable, one) == expected


def test_what_always_waits(kernel: Kernel) -> None:
    """A file waits: get_blocking() is True, and to make it non-blocking is EOPNOTSUPP."""
    kernel.type = DISK
    one = handle(kernel)
    assert state.get_blocking(one)
    state.set_blocking(one, True)
    assert failure(state.set_blocking, one, False)[0] == errno.EOPNOTSUPP


def test_dup2_of_a_handle(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """dup2() between tables whose numbers the system chooses is EOPNOTSUPP, and closes nothing."""
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    one, other = handle(kernel), handle(kernel)
    assert failure(state.dup2, one, other, False)[0] == errno.EOPNOTSUPP
    assert kernel.open == {one, other}


def test_from_handle(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """from_handle() of a number that none can have is EBADF; of one that the C runtime refuses its error."""
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    assert failure(state.from_handle, -1)[0] == errno.EBADF
    assert failure(state.from_handle, 0x9990)[0] == errno.EBADF

    def full(_: int) -> int:
        raise OSError(errno.EMFILE, "no descriptor")

    monkeypatch.setattr(runtime, "descriptor_for", full)
    with pytest.raises(OSError, match="taking over the handle") as caught:
        state.from_handle(handle(kernel))
    assert caught.value.errno == errno.EMFILE
    assert len(kernel.open) == 1


def test_a_stream_of_a_handle(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file object takes a handle over; of one that stays its owner's, a copy."""
    kernel.type = DISK
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    monkeypatch.setattr(runtime, "descriptor_for", lambda number: number)
    one = handle(kernel)
    assert state.stream(one, owned=True) == (int(one), True)
    copied, closes = state.stream(one, owned=False)
    assert closes
    assert kernel.open == {one, copied}


@pytest.mark.skipif(hasattr(os, "O_BINARY"), reason="the C runtime's descriptors are native here")
def test_without_a_c_runtime() -> None:
    """Elsewhere than on Windows the C runtime's descriptors are absent: EOPNOTSUPP."""
    for call in (lambda: runtime.handle_behind(0), lambda: runtime.descriptor_for(4, writing=False)):
        assert failure(call)[0] == errno.EOPNOTSUPP
