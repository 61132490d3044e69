"""A child with exactly some handles: `handle_list`, and a note through a pipe that it inherits, too.

A socket goes by its number where the system lets a child use that, which `samesock.features()` has tried; else
(Wine, whose ws2_32 knows no socket that it has not made) as what WSADuplicateSocketW gives for the child, which
needs the child's number: so the note is written when the child is there. What must never be put here: what the
note says (that is `samesock.fd.spawning`).
"""

from __future__ import annotations

import base64
import ctypes
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from samesock._errors import error, named_error
from samesock.fd import notes
from samesock.fd.descriptor import Descriptor, Thing
from samesock.fd.windows import files, runtime, state
from samesock.ffi import HANDLE
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.kernel32_files import FILE_TYPE_PIPE, kernel32_files
from samesock.ffi.ws2_32 import WSAPROTOCOL_INFOW, ws2_32

_subprocess: Any = subprocess  # STARTUPINFO is in it on Windows alone
_ENTRY_ROOM = 16384  # a note has 850 bytes for a shared socket, and its paths; the pipe must take all at once


def spawn(
    args: Any, passed: Sequence[tuple[Thing, Descriptor]], environment: dict[str, str], popen: dict[str, Any]
) -> subprocess.Popen[Any]:
    """Start the child, then write its note."""
    by_number = _sockets_go_by_number()
    reader, writer = _pipe(_ENTRY_ROOM * (len(passed) + 1))
    try:
        handles = [one if one.space == "handle" else state.handle(one) for _, one in passed]
        inherited = [int(one) for one in handles if by_number or one.space != "socket"]
        given: Any = popen.pop("startupinfo", None)
        startup: Any = _subprocess.STARTUPINFO() if given is None else given.copy()
        attributes = dict(startup.lpAttributeList or {})
        attributes["handle_list"] = [*attributes.get("handle_list", ()), *inherited, int(reader)]
        startup.lpAttributeList = attributes
        environment[notes.VARIABLE] = str(int(reader))
        changed = []
        try:
            # For as long as the start takes, a child that another thread starts with close_fds=False gets
            # them, too: Windows has no way without such a moment.
            for value in {*inherited, int(reader)}:
                one = Descriptor(value, "handle")
                if not state.get_inheritable(one):
                    state.set_inheritable(one, True)
                    changed.append(one)
            child = subprocess.Popen(args, env=environment, startupinfo=startup, **popen)
        finally:
            for one in changed:
                state.set_inheritable(one, False)
        try:
            _write_note(writer, passed, handles, None if by_number else child.pid)
        except BaseException:
            child.kill()
            child.wait()
            raise
        return child
    finally:
        kernel32.CloseHandle(int(reader))
        kernel32.CloseHandle(int(writer))


def _sockets_go_by_number() -> bool:
    import samesock

    return samesock.features()["inherit"] != "absent"


def _pipe(size: int) -> tuple[Descriptor, Descriptor]:
    reader, writer = HANDLE(), HANDLE()
    if not kernel32_files.CreatePipe(ctypes.byref(reader), ctypes.byref(writer), None, size):
        raise error(kernel32.GetLastError(), "making the pipe for a child's note")
    return Descriptor(reader.value, "handle"), Descriptor(writer.value, "handle")


def _write_note(
    writer: Descriptor,
    passed: Sequence[tuple[Thing, Descriptor]],
    handles: Sequence[Descriptor],
    pid: int | None,
) -> None:
    entries = []
    for (thing, one), handle in zip(passed, handles, strict=True):
        share = _share(one, pid) if one.space == "socket" and pid is not None else ""
        entries.append(notes.Entry(one.space, int(handle), notes.state_of(thing), None, share))
    data = memoryview(notes.encode(entries))
    if len(data) > _ENTRY_ROOM * (len(passed) + 1):
        raise named_error("EMSGSIZE", "telling a child of its descriptors")
    try:
        files.write(int(writer), data, "telling a child of its descriptors")
    except BrokenPipeError:
        pass  # the child has ended already, which is its own affair


def _share(one: Descriptor, pid: int) -> str:
    info = WSAPROTOCOL_INFOW()
    if ws2_32.WSADuplicateSocketW(int(one), pid, ctypes.byref(info)):
        raise error(ws2_32.WSAGetLastError(), f"passing {one!r} on to process {pid}")
    return base64.b64encode(bytes(info)).decode()


def take(value: str) -> list[Descriptor]:
    """The descriptors in the note; none where the number is no note of ours."""
    pipe = int(value)
    try:
        if files.type_of(pipe, "reading the note") != FILE_TYPE_PIPE:
            return []
        data = b""
        room = ctypes.create_string_buffer(65536)
        while got := files.read(pipe, room, "reading the note"):
            data += room.raw[:got]
    except OSError:
        return []
    entries = notes.decode(data)
    if entries is None:
        return []
    kernel32.CloseHandle(pipe)
    return [notes.restore(entry, _taken(entry)) for entry in entries]


def _taken(entry: notes.Entry) -> Descriptor:
    import _socket

    if entry.share:
        # CPython opens it as not inheritable, and it is a socket of this process's own.
        info: Any = base64.b64decode(entry.share)
        return Descriptor(_socket.socket(0, 0, 0, info).detach(), "socket")
    one = Descriptor(entry.number, "socket" if entry.space == "socket" else "handle")
    state.set_inheritable(one, False)
    return state.from_handle(one) if entry.space == "fd" else one


def closefrom(low: int) -> None:
    """Close the C runtime's descriptors, one by one."""
    for number in range(low, runtime.MOST):
        try:
            runtime.handle_behind(number)
        except OSError:
            continue
        os.close(number)
