"""`ffi`: what Windows' libraries are declared to be, and the tables through which they are called."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import subprocess
import sys

import pytest

from samesock.ffi import (
    HANDLE,
    INVALID_HANDLE_VALUE,
    Failure,
    Function,
    Library,
    advapi32,
    iphlpapi,
    kernel32,
    kernel32_waits,
    mswsock,
    ws2_32,
)

TABLES: list[Library] = [
    ws2_32.ws2_32,
    ws2_32.prepared_ws2_32,
    kernel32.kernel32,
    kernel32_waits.kernel32_waits,
    advapi32.advapi32,
    iphlpapi.iphlpapi,
    mswsock.mswsock,
    mswsock.ws2_vectors,
]
DECLARED = [
    pytest.param(table, function, id=f"{type(table).__name__}.{name}")
    for table in TABLES
    for name, function in vars(type(table)).items()
    if isinstance(function, Function)
]

has_windows_libraries = pytest.mark.skipif(
    not hasattr(ctypes, "WinDLL"), reason="absent here: Windows' libraries (no ctypes.WinDLL)"
)
lacks_windows_libraries = pytest.mark.skipif(
    hasattr(ctypes, "WinDLL"), reason="present here: Windows' libraries (ctypes.WinDLL)"
)

POINTER = ctypes.sizeof(ctypes.c_void_p)


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        (ws2_32.SOCKADDR_UN, 110),
        (ws2_32.LINGER, 4),
        (ws2_32.TCP_INITIAL_RTO_PARAMETERS, 4),
        (ws2_32.GUID, 16),
        (ws2_32.WSAPROTOCOLCHAIN, 32),
        (ws2_32.WSAPROTOCOL_INFOW, 628),
        (ws2_32.WSABUF, 2 * POINTER),
        (mswsock.WSAMSG, 7 * POINTER if POINTER == 8 else 28),
        (mswsock.WSACMSGHDR, POINTER + 8),
        (kernel32.SECURITY_ATTRIBUTES, 3 * POINTER),
        (kernel32.FILETIME, 8),
        (kernel32.BY_HANDLE_FILE_INFORMATION, 52),
        (kernel32.FILE_DISPOSITION_INFO, 1),
        (iphlpapi.MIB_TCPROW_OWNER_MODULE, 160),
        (iphlpapi.MIB_TCPTABLE_OWNER_MODULE, 168),
    ],
)
def test_sizes(structure: type[ctypes.Structure], size: int) -> None:
    """A structure has the size that the SDK's compiler gives it, on whatever system it is laid out."""
    assert ctypes.sizeof(structure) == size


def test_alignment_of_rows() -> None:
    """The table's rows begin at 8: behind the count there are 4 bytes of padding."""
    assert iphlpapi.MIB_TCPTABLE_OWNER_MODULE.table.offset == 8
    assert iphlpapi.MIB_TCPROW_OWNER_MODULE.liCreateTimestamp.offset == 24


def test_no_handle_is_none() -> None:
    """Handles are plain numbers: 0 for none, and the greatest one for INVALID_HANDLE_VALUE."""
    assert HANDLE(0).value == 0
    assert INVALID_HANDLE_VALUE == 2 ** (8 * POINTER) - 1


@pytest.mark.parametrize(("table", "function"), DECLARED)
def test_declarations_are_whole(table: Library, function: Function) -> None:
    """Every function says what it takes, what it gives, and what it gives when it fails."""
    assert table.dll.endswith(".dll")
    assert function.restype is not None
    assert isinstance(function.fails, (int, Failure))
    for kind in (function.restype, *function.argtypes):
        assert ctypes.sizeof(kind) in (2, 4, 8)


def test_entries_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets in a table is what is called, in that table alone, and until it is set back."""
    table = kernel32.Kernel32()
    other = kernel32.Kernel32()
    with monkeypatch.context() as patch:
        patch.setattr(table, "CloseHandle", lambda handle: handle + 1)
        assert table.CloseHandle(41) == 42
        assert table.CloseHandle is not other.CloseHandle
    assert table.CloseHandle is not None
    with contextlib.suppress(OSError):
        assert table.CloseHandle(0) == 0


@lacks_windows_libraries
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.dll)
def test_absent_libraries_say_so(table: Library) -> None:
    """Where there is no such library, a function can be had, and calling it names itself and the library."""
    name = next(name for name, value in vars(type(table)).items() if isinstance(value, Function))
    with pytest.raises(OSError, match=f"{name}.*{table.dll}") as caught:
        getattr(table, name)()
    assert caught.value.errno == errno.EOPNOTSUPP


def test_import_loads_nothing() -> None:
    """Importing every declaration and the Winsock backend calls no function and loads no library."""
    code = """if True:
        import ctypes
        def load(*arguments, **keywords):
            raise AssertionError("a library was loaded")
        ctypes.CDLL.__init__ = load
        from samesock.ffi import advapi32, iphlpapi, kernel32, ws2_32
        from samesock.backend import winsock
        assert not vars(kernel32.kernel32) and not vars(ws2_32.ws2_32)
    """
    folders = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@has_windows_libraries
@pytest.mark.parametrize(("table", "function"), DECLARED)
def test_libraries_have_what_is_declared(table: Library, function: Function) -> None:
    """The system's library exports every function that is declared, and it is kept in the table."""
    found = getattr(table, function.name)
    assert found is getattr(table, function.name)


@has_windows_libraries
@pytest.mark.parametrize(("table", "function"), DECLARED)
def test_prepared_arguments_are_not_converted(table: Library, function: Function) -> None:
    """ctypes is told the types of every function's arguments but a prepared one's, for which it would look at each."""
    told = getattr(table, function.name).argtypes
    assert told is None if function.prepared else tuple(told) == function.argtypes


@has_windows_libraries
def test_last_error_is_kept() -> None:
    """The last error is that of our last call, whatever the interpreter has called meanwhile."""
    name = "no-such-folder\\no-such-file"
    opened = kernel32.kernel32.CreateFileW(name, kernel32.GENERIC_READ, 7, None, kernel32.OPEN_EXISTING, 0, 0)
    assert opened == INVALID_HANDLE_VALUE
    with pytest.raises(OSError, match="no-such-file"):
        os.stat("no-such-file")
    assert kernel32.kernel32.GetLastError() == kernel32.ERROR_PATH_NOT_FOUND


@has_windows_libraries
def test_winsocks_last_error_is_kept() -> None:
    """Winsock's last error is read through the table in the same way."""
    assert ws2_32.ws2_32.closesocket(0) == ws2_32.SOCKET_ERROR
    with pytest.raises(OSError, match="no-such-file"):
        os.stat("no-such-file")
    assert ws2_32.ws2_32.WSAGetLastError() == ws2_32.WSAENOTSOCK


@has_windows_libraries
def test_constants_agree_with_pythons() -> None:
    """Constants that Python has itself have the same values there."""
    _winapi = pytest.importorskip("_winapi")
    for module, python in ((kernel32, _winapi), (ws2_32, socket)):
        for name in vars(module):
            if name.isupper() and hasattr(python, name) and name not in ("NULL", "INVALID_HANDLE_VALUE"):
                assert getattr(module, name) == getattr(python, name), name
