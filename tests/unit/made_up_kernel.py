"""A kernel32 of a test's own: it counts the handles that are open, and a call fails where the test says so.

What must never be put here: what the library should make of an answer.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from samesock.backend import _windows_security as security
from samesock.ffi import INVALID_HANDLE_VALUE
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.kernel32_files import kernel32_files

DISK, CHARACTERS, PIPE = 1, 2, 3
HERE = 7


def put(where: Any, value: int) -> None:
    """Into a variable that was given by byref."""
    where._obj.value = value


class Kernel:
    """Stands for both tables, and for the questions about owners. Give an answer with `kernel.NAME = function`, an
    error with `fails`; anything else is a call that no test expects."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open: set[int] = set()
        self.closed: list[int] = []
        self.code = 0
        self.mine = True
        self.type = PIPE
        self._numbers = itertools.count(0x100, 4)
        self._patch = monkeypatch
        for name in ("GetLastError", "CloseHandle", "CreateFileW", "CreateEventW", "DuplicateHandle"):
            monkeypatch.setattr(kernel32, name, getattr(self, name))
        for name in (
            "GetCurrentProcess",
            "GetFileType",
            "GetHandleInformation",
            "GetFileInformationByHandle",
        ):
            monkeypatch.setattr(kernel32, name, getattr(self, name))
        for name in ("ReadFile", "WriteFile", "SetFileInformationByHandle", "GetFileInformationByHandleEx"):
            monkeypatch.setattr(kernel32, name, self._unexpected(name))
        for name in (
            *("CreatePipe", "CreateNamedPipeW", "ConnectNamedPipe", "DisconnectNamedPipe"),
            *("SetNamedPipeHandleState", "GetNamedPipeHandleStateW", "GetOverlappedResult"),
            *("SetFilePointerEx", "GetFileSizeEx"),
        ):
            monkeypatch.setattr(kernel32_files, name, self._unexpected(name))
        monkeypatch.setattr(security, "for_user", lambda: "D:")
        monkeypatch.setattr(security, "attributes", self._attributes)
        monkeypatch.setattr(security, "of_handle", lambda handle, *_: self.check(handle))
        monkeypatch.setattr(security, "mine_alone", lambda _: self.mine)

    def set(self, name: str, function: Callable[..., Any]) -> None:
        """This is what the function of that name does."""
        table = kernel32_files if hasattr(type(kernel32_files), name) else kernel32
        self._patch.setattr(table, name, function)

    def fails(self, name: str, code: int, result: int = 0) -> None:
        """Each call of it fails with that code."""

        def fail(*_: Any) -> int:
            self.code = code
            return result

        self.set(name, fail)

    def succeeds(self, *names: str) -> None:
        """Each call of them says 1."""
        for name in names:
            self.set(name, lambda *_: 1)

    def makes(self, name: str) -> None:
        """Each call of it gives a new handle."""
        self.set(name, lambda *_: self.new())

    def new(self) -> int:
        """A new handle."""
        number = next(self._numbers)
        self.open.add(number)
        return number

    def check(self, handle: int) -> int:
        """The handle, which has to be open."""
        assert handle in self.open, f"{handle} is not open"
        return handle

    @staticmethod
    def _unexpected(name: str) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            raise AssertionError(f"{name}{arguments} is not expected")

        return call

    @staticmethod
    @contextlib.contextmanager
    def _attributes(_: str) -> Iterator[Any]:
        import ctypes

        yield ctypes.c_int()

    def GetLastError(self) -> int:  # noqa: N802
        return self.code

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        self.open.remove(handle)  # KeyError for one that is not open
        self.closed.append(handle)
        return 1

    def CreateFileW(self, *_: Any) -> int:  # noqa: N802
        return self.new()

    def CreateEventW(self, *_: Any) -> int:  # noqa: N802
        return self.new()

    def GetCurrentProcess(self) -> int:  # noqa: N802
        return HERE

    def DuplicateHandle(self, *arguments: Any) -> int:  # noqa: N802
        self.check(arguments[1])
        put(arguments[3], self.new())
        return 1

    def GetFileType(self, handle: int) -> int:  # noqa: N802
        return self.type if handle in self.open else 0

    def GetHandleInformation(self, handle: int, _: Any) -> int:  # noqa: N802
        self.code = 6
        return int(handle in self.open)

    def GetFileInformationByHandle(self, handle: int, about: Any) -> int:  # noqa: N802
        self.code = 6
        return int(handle in self.open)


def invalid(kernel: Kernel, name: str, code: int) -> None:
    """That call fails as those do which give a handle."""
    kernel.fails(name, code, INVALID_HANDLE_VALUE)
