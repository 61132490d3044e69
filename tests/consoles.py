"""A Windows console for a test, and keys typed into it.

What must never be put here: what waits for it.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import IO, Any

import pytest

from samesock.ffi import DWORD
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.kernel32_waits import kernel32_waits


@contextlib.contextmanager
def console_input() -> Iterator[IO[bytes]]:
    """Console input, emptied, open for reading and writing; the test is skipped in a process without a console.

    Under Wine, `wine.py run --pty` gives one: what AllocConsole makes there without a terminal takes no input.
    """
    import msvcrt

    try:
        opened = open("CONIN$", "r+b", buffering=0)  # noqa: SIM115 -- closed below
    except OSError as error:
        pytest.skip(f"select-console: this process has no console: {error}")
    with opened:
        kernel32_waits.FlushConsoleInputBuffer(msvcrt.get_osfhandle(opened.fileno()))  # type: ignore[attr-defined,unused-ignore]
        yield opened


def type_keys(console: Any, *keys: tuple[str, int, bool]) -> None:
    """Put keys among the console's input: a character, a virtual key code, whether it goes down or up."""
    import msvcrt

    records = (waits.INPUT_RECORD * len(keys))()
    for record, (char, code, down) in zip(records, keys, strict=True):
        record.EventType = waits.KEY_EVENT
        record.KeyEvent.bKeyDown = down
        record.KeyEvent.wRepeatCount = 1
        record.KeyEvent.wVirtualKeyCode = code
        record.KeyEvent.UnicodeChar = ord(char)
    handle = msvcrt.get_osfhandle(console.fileno())  # type: ignore[attr-defined,unused-ignore]
    written = DWORD()
    assert kernel32_waits.WriteConsoleInputW(handle, ctypes.byref(records), len(keys), ctypes.byref(written))
    assert written.value == len(keys)


def type_text(console: Any, text: str) -> None:
    """Type it, each key down and up."""
    for char in text:
        code = 0x0D if char == "\r" else ord(char.upper())
        type_keys(console, (char, code, True), (char, code, False))
