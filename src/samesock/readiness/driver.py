"""The driver under Winsock, as whoever has a completion port asks it: open it, ask of one socket, take that back.

The selector (`afd`) and asyncio's Proactor loop (`_aio_afd`) both ask it and keep their questions' memory in their own
ways: what they have in common stands here. What must never be put here: who asked, and what becomes of an answer.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock import _errors
from samesock.backend import _windows_wait
from samesock.ffi import DWORD, HANDLE, LPVOID, SOCKET, ULONG, afd
from samesock.ffi.afd import ntdll
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.ffi.ws2_32 import ws2_32

# The selector drops a socket that is closed in silence; a wait for one socket (`_windows_wait`) ends by it.
READ: Final = _windows_wait.READ & ~afd.AFD_POLL_LOCAL_CLOSE
"""What makes a socket readable. Urgent data does not: `recv` would not find it."""
WRITE: Final = _windows_wait.WRITE & ~afd.AFD_POLL_LOCAL_CLOSE
"""What makes a socket writable."""
FOREVER: Final = 0x7FFFFFFFFFFFFFFF
"""A question's time limit: none."""
SIZE: Final = ctypes.sizeof(afd.AFD_POLL_INFO)
"""Bytes of a question about one socket."""

_NO_HANDLE: Final = HANDLE(0)
_NOTHING: Final = LPVOID()
_CONTROL: Final = ULONG(afd.IOCTL_AFD_POLL)
_SIZE: Final = ULONG(SIZE)
_NAME: Final = "\\Device\\Afd\\samesock"


def open_device(port: int) -> int:
    """A new handle of the driver, whose answers come by the port with the key 0; `kernel32.CloseHandle` closes it."""
    buffer = ctypes.create_string_buffer(_NAME.encode("utf-16-le"))
    length = len(_NAME) * 2
    name = afd.UNICODE_STRING(length, length, ctypes.addressof(buffer))
    attributes = afd.OBJECT_ATTRIBUTES(
        ctypes.sizeof(afd.OBJECT_ATTRIBUTES), 0, ctypes.addressof(name), 0, None, None
    )
    handle = HANDLE()
    status = ntdll.NtCreateFile(
        ctypes.byref(handle),
        afd.SYNCHRONIZE,
        ctypes.byref(attributes),
        ctypes.byref(afd.IO_STATUS_BLOCK()),
        None,
        0,
        afd.FILE_SHARE_READ | afd.FILE_SHARE_WRITE,
        afd.FILE_OPEN,
        0,
        None,
        0,
    )
    if status != afd.STATUS_SUCCESS:
        raise failed(status, "opening the driver of Winsock")
    if not kernel32_waits.CreateIoCompletionPort(handle.value, port, 0, 0):
        code = kernel32_waits.GetLastError()
        kernel32_waits.CloseHandle(handle.value)
        raise _errors.error(code, "tying the driver of Winsock to a completion port")
    return int(handle.value)


def ask(device: int, answer: int, question: int) -> int:
    """Ask; the NTSTATUS. The addresses are of an IO_STATUS_BLOCK, by which the answer's completion is known, and of an
    AFD_POLL_INFO about one socket, over which the answer is written: both belong to the kernel until then.
    """
    return ntdll.NtDeviceIoControlFile(
        device, 0, None, answer, answer, afd.IOCTL_AFD_POLL, question, SIZE, question, SIZE
    )


def arguments(device: HANDLE, answer: int, question: int, told: int) -> tuple[object, ...]:
    """What `ask` would make of its own, for a question that is asked again and again by `ask_again`: of the very types
    that are declared, so that ctypes makes nothing new of them (1.5 us of 4 a call).

    The answer is written over `told`, an AFD_POLL_INFO too, so that the question stays as it is (so does libuv).
    """
    status = LPVOID(answer)
    return (
        device,
        _NO_HANDLE,
        _NOTHING,
        status,
        status,
        _CONTROL,
        LPVOID(question),
        _SIZE,
        LPVOID(told),
        _SIZE,
    )


def ask_again(given: tuple[object, ...]) -> int:
    """Ask, with `arguments`; the NTSTATUS."""
    return ntdll.NtDeviceIoControlFile(*given)


def take_back(device: int, answer: int | None) -> None:
    """Take back the question known by that address, or all of the handle's (None); their completions still come."""
    ntdll.NtCancelIoFileEx(device, answer, ctypes.byref(afd.IO_STATUS_BLOCK()))


def base_handle(number: int) -> int:
    """The provider's own handle: layered providers hand out others, which the driver does not know."""
    handle = SOCKET(number)
    size = ctypes.sizeof(handle)
    if ws2_32.WSAIoctl(
        number, afd.SIO_BASE_HANDLE, None, 0, ctypes.byref(handle), size, ctypes.byref(DWORD()), None, None
    ):
        return number
    return int(handle.value)


def failed(status: int, tried: str) -> OSError:
    """The error for an NTSTATUS."""
    return _errors.error(ntdll.RtlNtStatusToDosError(status), tried)
