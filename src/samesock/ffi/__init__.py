"""Declarations of foreign functions and structures, one module per library.

What belongs here: constants under the SDK header they come from, `ctypes` structures with their Win32 names,
and one line per function with its failure value. Every module can be imported on every operating system; a
library is loaded only when the first function of it is called. What must never be put here: decisions,
translations of errors, anything that a caller above `backend` or `unix` would want to call.

A Windows library is a class whose attributes are `Function`s, and one object of it under the library's own
name: `from samesock.ffi.kernel32 import kernel32`. The object is the replaceable table: a test sets
`kernel32.ReadFile`.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import sys
from collections.abc import Callable
from typing import Any, Final, overload

# minwindef.h, basetsd.h, winnt.h. Not those of ctypes.wintypes: its DWORD is c_ulong, which is 8 bytes on
# Linux, and its WCHAR is c_wchar, 4 bytes there; the scripted tests lay out and read these structures on
# Linux too.
BOOL = ctypes.c_int32
BYTE = ctypes.c_uint8
WORD = ctypes.c_uint16
DWORD = ctypes.c_uint32
LONG = ctypes.c_int32
ULONG = ctypes.c_uint32
LARGE_INTEGER = ctypes.c_int64
WCHAR = ctypes.c_uint16  # one UTF-16 unit
LPVOID = ctypes.c_void_p
LPCWSTR = ctypes.c_wchar_p
# As wide as a pointer, and not c_void_p: that gives NULL back as None, and INVALID_HANDLE_VALUE must stay a
# number.
HANDLE = ctypes.c_size_t
SOCKET = ctypes.c_size_t  # UINT_PTR: unsigned, so that INVALID_SOCKET is its greatest value and not -1
ULONG_PTR = ctypes.c_size_t

NULL: Final = 0
INVALID_HANDLE_VALUE: Final = HANDLE(-1).value


class Failure(enum.Enum):
    """What tells failure of a function that has no single value for it."""

    NONZERO = "any result but 0 is the error's code"
    NEVER = "it cannot fail"


NONZERO: Final = Failure.NONZERO
NEVER: Final = Failure.NEVER


class Function:
    """One function of a library: its result, its arguments, and the result that means failure.

    A `prepared` one is called with arguments that need no converting: references, objects of C's types, and numbers for
    what is 32 bits wide. ctypes is told no types then. To convert what a send takes costs it 6 us under Wine, once it
    has waited and the caches are cold.
    """

    __slots__ = ("argtypes", "fails", "name", "prepared", "restype")

    # Any: ctypes has no public type for its simple types, and each of them, and POINTER(...), is a class of
    # its own.
    def __init__(self, restype: Any, *argtypes: Any, fails: int | Failure, prepared: bool = False) -> None:
        self.restype: Any = restype
        self.argtypes: tuple[Any, ...] = argtypes
        self.prepared: bool = prepared
        self.fails: int | Failure = fails
        self.name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, library: None, owner: type) -> Function: ...

    @overload
    def __get__(self, library: Library, owner: type) -> Callable[..., int]: ...

    def __get__(self, library: Library | None, owner: type) -> Function | Callable[..., int]:
        """The declaration itself from the class; from a library, the function, which stays there as an
        attribute.

        Having no `__set__`, this gives way to whatever is set on the library.
        """
        if library is None:
            return self
        function = library.resolve(self)
        setattr(library, self.name, function)
        return function


class Library:
    """A DLL and the table of its functions; loaded when the first of them is looked up, on Windows only."""

    dll: str = ""

    def resolve(self, declared: Function) -> Callable[..., int]:
        """The declared function, ready to be called; where there is no such library, one that says so when
        called.
        """
        if sys.platform != "win32":
            return _absent(self.dll, declared.name)
        # The thread's last error is kept by ctypes with each call (use_last_error): what the interpreter
        # itself calls between two of ours cannot change it, and GetLastError, called through the table, gives
        # the kept one. Search System32 alone: iphlpapi is no "known DLL", a file of that name beside the
        # program would win.
        library = ctypes.WinDLL(self.dll, use_last_error=True, winmode=_LOAD_LIBRARY_SEARCH_SYSTEM32)
        function = library[declared.name]
        if not declared.prepared:
            function.argtypes = declared.argtypes
        function.restype = declared.restype
        return function


_LOAD_LIBRARY_SEARCH_SYSTEM32: Final = 0x00000800  # libloaderapi.h


def _absent(dll: str, name: str) -> Callable[..., int]:
    def absent(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, f"{name}: there is no {dll} on this system")

    return absent
