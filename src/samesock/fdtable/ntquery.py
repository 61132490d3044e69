"""Windows: the handle tables of ntdll, each handle classified and named without ever blocking.

A name or an address is asked in a thread that is given up after 100 ms (`bounded`): the query of a
synchronous pipe waits behind the read that somebody has under way on it. What must never be put here: the
cheap look (`handles`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from dataclasses import dataclass

from samesock.fdtable import bounded, handles, processes, tcp_states, winsock_facts
from samesock.fdtable.linking import link
from samesock.fdtable.model import Access, OpenDescriptor, SocketInfo
from samesock.fdtable.words import Identity, Kind, Space
from samesock.ffi import kernel32 as declared
from samesock.ffi import ntdll_handles
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.ntdll_handles import HandleRow, NtStatus, kernel32_handles

name = "ntquery"

# winnt.h: what a File's granted access allows
FILE_READ_DATA, FILE_WRITE_DATA, FILE_APPEND_DATA = 0x1, 0x2, 0x4
FILE_ATTRIBUTE_DIRECTORY = 0x10
PROCESS_QUERY_INFORMATION = 0x0400
ERROR_INVALID_PARAMETER = 87

_PIPES = "\\Device\\NamedPipe\\"
_AFD = "\\Device\\Afd"
_KINDS: dict[str, Kind] = {"IoCompletion": "iocp", "Section": "shm", "Semaphore": "semaphore"}


def works() -> bool:
    """Whether ntdll lists this process's handles, found by looking for one that is known to be open."""
    if sys.platform != "win32":
        return False
    import msvcrt

    witness = os.open(os.devnull, os.O_RDONLY)
    try:
        handle = msvcrt.get_osfhandle(witness)
        return any(row.value == handle for row in handles.own_rows())
    except OSError:
        return False
    finally:
        os.close(witness)


@dataclass(slots=True)
class _Look:
    """What was found out about one handle; filled by the thread that may be given up, so it is taken in one
    go.
    """

    kind: Kind = "other"
    path: str | None = None
    detail: str = ""
    socket: SocketInfo | None = None
    partial: tuple[str, ...] = ()


def access(granted: int) -> Access | None:
    """Reading, writing or both, by the access that a File handle was granted."""
    reads, writes = granted & FILE_READ_DATA, granted & (FILE_WRITE_DATA | FILE_APPEND_DATA)
    return ("rw" if writes else "r") if reads else ("w" if writes else None)


def _disk(handle: int) -> _Look:
    """A file or directory, its path, its volume and index."""
    about = declared.BY_HANDLE_FILE_INFORMATION()
    if not kernel32.GetFileInformationByHandle(handle, ctypes.byref(about)):
        return _Look("file", partial=("path: GetFileInformationByHandle failed",))
    kind: Kind = "dir" if about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY else "file"
    buffer = (ctypes.c_uint16 * 32_768)()
    length = kernel32_handles.GetFinalPathNameByHandleW(handle, buffer, len(buffer), 0)
    if not 0 < length < len(buffer):
        return _Look(kind, partial=("path: GetFinalPathNameByHandleW failed",))
    path = bytes(buffer)[: 2 * length].decode("utf-16-le", "surrogatepass")
    return _Look(kind, plain_path(path))


def plain_path(path: str) -> str:
    r"""A path without the `\\?\` that GetFinalPathNameByHandleW begins it with."""
    if path.startswith("\\\\?\\UNC\\"):
        return "\\\\" + path[8:]
    return path.removeprefix("\\\\?\\")


def _pipe(handle: int, granted: int, title: str) -> _Look:
    """A pipe: anonymous when its name is one that CreatePipe makes or none, else named, with the end that it
    is.
    """
    flags = ctypes.c_uint32(0)
    short = title.removeprefix(_PIPES) if title.startswith(_PIPES) else ""
    anonymous = not short or short.startswith(("Win32Pipes.", "Win32.Pipes."))
    path = f"\\\\.\\pipe\\{short}" if short else None
    if anonymous:
        end = access(granted)
        return _Look("pipe", path, {"r": "read end", "w": "write end"}.get(end or "", ""))
    detail = ""
    if kernel32_handles.GetNamedPipeInfo(handle, ctypes.byref(flags), None, None, None):
        detail = "server end" if flags.value & ntdll_handles.PIPE_SERVER_END else "client end"
    return _Look("fifo", path, detail)


def _file(handle: int, granted: int) -> _Look:
    """A handle of type File. May block: on a pipe, on a network file."""
    form = handles.file_type(handle)
    if form == handles.FILE_TYPE_DISK:
        return _disk(handle)
    if form == handles.FILE_TYPE_CHAR:
        mode = ctypes.c_uint32(0)
        if kernel32_handles.GetConsoleMode(handle, ctypes.byref(mode)):
            return _Look("console")
        return _Look("char", detail=_title(handle))
    if form == handles.FILE_TYPE_PIPE:
        makeup = handles.socket_makeup(handle)
        if makeup is not None:
            return _Look("socket", socket=winsock_facts.ask(handle, makeup))
    title = _title(handle)
    if title.startswith(_AFD) or (form == handles.FILE_TYPE_PIPE and not title and access(granted) == "rw"):
        # A SOCKET made by another process, duplicated here: Winsock does not know it in this one.
        foreign = winsock_facts.ask_foreign(handle, surely=bool(title))
        if foreign is not None:
            return _Look("socket", socket=foreign, partial=("remote: not to be read from another process",))
    if form == handles.FILE_TYPE_PIPE:
        return _pipe(handle, granted, title)
    return _Look("other", detail=f"File {title}".strip())


def _title(handle: int) -> str:
    try:
        return ntdll_handles.query_object_name(handle)
    except NtStatus:
        return ""


def _look(row: HandleRow, handle: int, kind_name: str) -> _Look:
    if kind_name == "File":
        return _file(handle, row.access)
    return _Look(_KINDS.get(kind_name, "other"), detail=f"{kind_name} {_title(handle)}".strip())


def _bounded_looks(asked: list[tuple[HandleRow, int, str]]) -> list[_Look]:
    """`_look` at each, or what is sure without it for those that give no answer in time."""
    return [
        _without_answer(handle, answer) if isinstance(answer, bounded.Failure) else answer
        for (_, handle, _), answer in zip(asked, bounded.each(asked, lambda one: _look(*one)), strict=True)
    ]


def _without_answer(handle: int, failure: bounded.Failure) -> _Look:
    """What blocks is a pipe somebody reads, or a file on a network: its type is told without blocking."""
    form = handles.file_type(handle)
    kind: Kind = (
        "pipe" if form == handles.FILE_TYPE_PIPE else "file" if form == handles.FILE_TYPE_DISK else "other"
    )
    return _Look(kind, partial=(f"path: {failure.reason}",))


def _record(
    row: HandleRow, pid: int, number: int | None, look: _Look, *, kind_name: str, identity: Identity
) -> OpenDescriptor:
    space: Space = "fd" if number is not None else "socket" if look.kind == "socket" else "handle"
    return OpenDescriptor(
        number=row.value if number is None else number,
        space=space,
        kind=look.kind,
        identity=identity,
        pid=pid,
        inheritable=bool(row.attributes & ntdll_handles.OBJ_INHERIT),
        access="rw" if look.kind == "socket" else access(row.access) if kind_name == "File" else None,
        path=look.path,
        detail=look.detail,
        socket=look.socket,
        source=(name,) if look.socket is None else (name, "getsockopt"),
        partial=look.partial,
    )


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """Every handle of the process: files and sockets with their details, events and the like as "other".

    Raises `ProcessLookupError` for a process that is gone and `PermissionError` for one that may not be
    looked into.
    """
    if pid == os.getpid():
        rows = handles.own_rows()
        numbers = handles.runtime_descriptors(sum(handles.type_name(row) == "File" for row in rows))
        records = _own(rows, pid, numbers)
    else:
        records = _foreign(pid)
    return _linked(records, pid)


def _linked(records: list[OpenDescriptor], pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """The records in the table's order, with TCP's states and the peers among them; notes on what is missing."""
    records, notes = tcp_states.completed(records, pid)
    records.sort(key=lambda one: (("fd", "socket", "handle").index(one.space), one.number))
    link(records, {})
    return records, notes


def _own(rows: list[HandleRow], pid: int, numbers: dict[int, int]) -> list[OpenDescriptor]:
    """Records with the identities that the key snapshot gives."""
    kinds = [handles.type_name(row) for row in rows]
    rows = [row for row, kind in zip(rows, kinds, strict=True) if kind]  # the others were closed since
    kinds = [kind for kind in kinds if kind]
    files = [(row, numbers.get(row.value)) for row, kind in zip(rows, kinds, strict=True) if kind == "File"]
    seen = handles.look_all(files)
    looks = _bounded_looks([(row, row.value, kind) for row, kind in zip(rows, kinds, strict=True)])
    return [
        _record(
            row, pid, numbers.get(row.value), look, kind_name=kind,
            identity=handles.identity(row, seen.get(row, ()), numbers.get(row.value)),
        )
        for row, kind, look in zip(rows, kinds, looks, strict=True)
    ]  # fmt: skip


def _foreign_rows(pid: int, process: int) -> list[HandleRow]:
    try:
        return ntdll_handles.query_process_handles(process)
    except NtStatus:
        return ntdll_handles.query_system_handles(pid)


def _foreign(pid: int) -> list[OpenDescriptor]:
    """Another process's handles, each duplicated into this one for the time of a look."""
    wanted = PROCESS_QUERY_INFORMATION | declared.PROCESS_DUP_HANDLE | declared.SYNCHRONIZE
    process = kernel32.OpenProcess(wanted, False, pid)
    if not process:
        code = kernel32.GetLastError()
        if code == ERROR_INVALID_PARAMETER:
            raise processes.gone(pid)
        raise processes.denied(pid, f"OpenProcess failed with Windows error {code}")
    try:
        if kernel32.WaitForSingleObject(process, 0) == declared.WAIT_OBJECT_0:
            raise processes.gone(pid)  # it has ended, and somebody still has a handle to it
        return [_foreign_record(row, pid, process) for row in _foreign_rows(pid, process)]
    finally:
        kernel32.CloseHandle(process)


def _foreign_record(row: HandleRow, pid: int, process: int) -> OpenDescriptor:
    copy = ctypes.c_size_t(0)
    me = kernel32.GetCurrentProcess()
    options = declared.DUPLICATE_SAME_ACCESS
    if not kernel32.DuplicateHandle(process, row.value, me, ctypes.byref(copy), 0, False, options):
        look = _Look(partial=(f"kind: DuplicateHandle failed with Windows error {kernel32.GetLastError()}",))
        return _record(row, pid, None, look, kind_name="", identity=handles.identity(row, (), None))
    handle = copy.value
    kind_name = handles.type_name(row._replace(value=handle))

    def look_and_close(_: None) -> _Look:
        # A look that is given up still uses the copy: it is closed by the thread that looked, when it has.
        try:
            return _look(row, handle, kind_name)
        finally:
            kernel32.CloseHandle(handle)

    (answer,) = bounded.each([None], look_and_close)
    look = _without_answer(handle, answer) if isinstance(answer, bounded.Failure) else answer
    return _record(row, pid, None, look, kind_name=kind_name, identity=handles.identity(row, (), None))


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process with everything known of it.

    A number without a space is a socket if it answers as one, else a CRT descriptor, else a handle. Raises
    `OSError` (EBADF) when it is not open.
    """
    rows = {row.value: row for row in handles.own_rows()}
    files = [row for row in rows.values() if handles.type_name(row) == "File"]
    numbers = handles.runtime_descriptors(len(files))
    handle = _handle(number, space, rows, numbers)
    if handle is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    pid = os.getpid()
    found = _own([rows[handle]], pid, numbers)[0]
    if found.kind in ("pipe", "fifo", "socket"):
        # What has another end is a File. Before Python 3.13 each lock is a Semaphore: a long run of tests has 6,000,
        # and to name those too took 2 s under Wine.
        for linked in _linked(_own(files, pid, numbers), pid)[0]:
            if linked.key == found.key and linked.identity == found.identity:
                return linked
    return found


def _handle(
    number: int, space: Space | None, rows: dict[int, HandleRow], numbers: dict[int, int]
) -> int | None:
    """The handle that a number stands for in its space; `None` when it is not open."""
    crt = next((handle for handle, descriptor in numbers.items() if descriptor == number), None)
    if space == "fd":
        return crt
    if number not in rows:
        return crt if space is None else None
    if space is not None:
        return number
    try:
        is_socket = bounded.ask(lambda: handles.socket_makeup(number)) is not None
    except bounded.Blocked:
        is_socket = False
    return number if is_socket or crt is None else crt
