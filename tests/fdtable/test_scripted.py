"""Systems that are not at hand: declarations measured, and the kernels' answers scripted through the tables of calls.

These show that we read what we think the kernel writes. That macOS, FreeBSD and Windows 8's class 51 write just that,
no run has shown.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import stat
import struct
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from samesock.fdtable import handles, libproc, ntquery, sysctl, wording
from samesock.fdtable.model import Peer
from samesock.ffi import freebsd_sysctl, ntdll_handles
from samesock.ffi import libproc as darwin

STRANGER = 2**30
"""A process number that is not ours."""


@pytest.mark.parametrize("kind", darwin.SIZES, ids=lambda kind: kind.__name__)
def test_macos_structures_measure_what_xnu_says(kind: type[ctypes.Structure]) -> None:
    """Each structure has the size of bsd/sys/proc_info.h on a 64-bit system."""
    assert ctypes.sizeof(kind) == darwin.SIZES[kind]


def test_macos_unions_begin_where_xnu_says() -> None:
    """The fields that are read out of the middle of a structure lie at xnu's offsets."""
    start = ctypes.sizeof(darwin.proc_fileinfo)
    info = darwin.socket_fdinfo
    assert info.soi_so.offset - start == 136  # type: ignore[attr-defined]
    assert info.soi_family.offset - start == 160  # type: ignore[attr-defined]
    assert info.soi_proto.offset - start == 240  # type: ignore[attr-defined]
    assert darwin.in_sockinfo.insi_faddr.offset == 32  # type: ignore[attr-defined]
    assert darwin.tcp_sockinfo.tcpsi_state.offset == 80
    assert darwin.vnode_fdinfowithpath.vip_path.offset == 176


@pytest.mark.parametrize("kind", freebsd_sysctl.SIZES, ids=lambda kind: kind.__name__)
def test_freebsd_structures_measure_what_user_h_says(kind: type[ctypes.Structure]) -> None:
    """kinfo_file is KINFO_FILE_SIZE long, 1,392 bytes, and its unions as the header's."""
    assert ctypes.sizeof(kind) == freebsd_sysctl.SIZES[kind]
    assert freebsd_sysctl.kinfo_file.kf_un.offset == 32
    assert freebsd_sysctl.kinfo_file.kf_path.offset == 368  # type: ignore[attr-defined]


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="needs 64 bits")
def test_handle_rows_measure_40_bytes() -> None:
    """Both handle tables have rows of 40 bytes on x64."""
    assert ntdll_handles.SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.size == 40
    assert ntdll_handles.PROCESS_HANDLE_TABLE_ENTRY_INFO.size == 40


class Mac(darwin.Calls):
    """A macOS that has what `files` says: descriptor to (type, structure)."""

    def __init__(self, files: dict[int, tuple[int, ctypes.Structure | None]]) -> None:
        self.files = files
        self.code = 0

    def proc_pidinfo(
        self, pid: int, flavor: int, arg: int, buffer: ctypes.Array[ctypes.c_char] | None
    ) -> int:
        if pid != STRANGER:
            self.code = errno.ESRCH if pid == 99 else errno.EPERM
            return 0
        rows = b"".join(bytes(darwin.proc_fdinfo(number, kind)) for number, (kind, _) in self.files.items())
        if buffer is None:
            return 8  # too small, as the kernel's own answer can be
        written = rows[: len(buffer)]
        ctypes.memmove(buffer, written, len(written))
        return len(written)

    def proc_pidfdinfo(self, pid: int, fd: int, flavor: int, buffer: ctypes.Structure) -> int:
        answer = self.files[fd][1]
        if answer is None:
            self.code = errno.EBADF
            return 0
        ctypes.memmove(ctypes.byref(buffer), bytes(answer), min(ctypes.sizeof(buffer), ctypes.sizeof(answer)))
        return ctypes.sizeof(answer)

    def errno(self) -> int:
        return self.code


def mac_file(flags: int = darwin.FREAD, status: int = 0) -> darwin.proc_fileinfo:
    return darwin.proc_fileinfo(flags, status, 0, 1, 0)


def mac_unix(so: int, peer: int, path: bytes, options: int = 0) -> darwin.socket_fdinfo:
    union = struct.pack("=QQ", peer, 0) + bytes((len(path) + 2, 1)) + path
    answer = darwin.socket_fdinfo(
        pfi=mac_file(3), soi_so=so, soi_type=1, soi_family=1, soi_options=options, soi_qlen=1, soi_qlimit=5,
        soi_kind=darwin.SOCKINFO_UN,
    )  # fmt: skip
    ctypes.memmove(ctypes.addressof(answer) + 264, union, len(union))
    return answer


def mac_tcp(state: int, near: tuple[str, int], far: tuple[str, int]) -> darwin.socket_fdinfo:
    ini = darwin.in_sockinfo(
        insi_fport=socket.htons(far[1]), insi_lport=socket.htons(near[1]), insi_vflag=darwin.INI_IPV4
    )
    ctypes.memmove(ini.insi_laddr, bytes(12) + socket.inet_aton(near[0]), 16)
    ctypes.memmove(ini.insi_faddr, bytes(12) + socket.inet_aton(far[0]), 16)
    union = bytes(darwin.tcp_sockinfo(tcpsi_ini=ini, tcpsi_state=state))
    answer = darwin.socket_fdinfo(
        pfi=mac_file(3), soi_so=1, soi_type=1, soi_protocol=6, soi_family=2, soi_kind=darwin.SOCKINFO_TCP
    )
    ctypes.memmove(ctypes.addressof(answer) + 264, union, len(union))
    return answer


def test_macos_a_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, pipes, sockets and kqueues are named with paths, addresses, peers and inheritance."""
    file = darwin.vnode_fdinfowithpath(pfi=mac_file(1, darwin.PROC_FP_CLEXEC), vip_path=b"/tmp/x")
    file.vi_stat.vst_mode = 0o100644
    file.vi_stat.vst_ino = 77
    terminal = darwin.vnode_fdinfowithpath(pfi=mac_file(3), vip_path=b"/dev/ttys001")
    terminal.vi_stat.vst_mode = 0o020620
    files: dict[int, tuple[int, ctypes.Structure | None]] = {
        0: (darwin.PROX_FDTYPE_VNODE, terminal),
        3: (darwin.PROX_FDTYPE_VNODE, file),
        4: (darwin.PROX_FDTYPE_PIPE, darwin.pipe_fdinfo(pfi=mac_file(1), pipe_handle=10, pipe_peerhandle=11)),
        5: (darwin.PROX_FDTYPE_PIPE, darwin.pipe_fdinfo(pfi=mac_file(2), pipe_handle=11, pipe_peerhandle=10)),
        6: (darwin.PROX_FDTYPE_SOCKET, mac_unix(20, 21, b"")),
        7: (darwin.PROX_FDTYPE_SOCKET, mac_unix(21, 20, b"/tmp/s")),
        8: (darwin.PROX_FDTYPE_SOCKET, mac_unix(22, 0, b"/tmp/s", darwin.SO_ACCEPTCONN)),
        9: (darwin.PROX_FDTYPE_SOCKET, mac_tcp(4, ("127.0.0.1", 5000), ("127.0.0.2", 80))),
        10: (darwin.PROX_FDTYPE_KQUEUE, darwin.kqueue_fdinfo(pfi=mac_file(3))),
        11: (darwin.PROX_FDTYPE_PSHM, darwin.pshm_fdinfo(pfi=mac_file(3), pshm_name=b"/shm")),
        12: (9, None),
        13: (darwin.PROX_FDTYPE_SOCKET, None),
        14: (darwin.PROX_FDTYPE_SOCKET, darwin.kqueue_fdinfo()),
    }  # fmt: skip
    monkeypatch.setattr(darwin, "calls", Mac({**files, **dict.fromkeys(range(20, 120), (9, None))}))
    records, notes = libproc.table(STRANGER)
    seen = {one.number: one for one in records}
    assert notes == []
    assert len(seen) == 112  # 13 was closed meanwhile
    assert (seen[0].kind, seen[0].path, seen[0].access) == ("tty", "/dev/ttys001", "rw")
    assert (seen[3].kind, seen[3].path, seen[3].inheritable) == ("file", "/tmp/x", False)
    assert seen[4].inheritable is True
    assert (seen[4].peer, seen[5].peer) == (Peer(5, STRANGER), Peer(4, STRANGER))
    assert (seen[6].peer, seen[7].peer) == (Peer(7, STRANGER), Peer(6, STRANGER))
    assert wording.socket_words(seen[8].socket) == "UNIX stream /tmp/s LISTEN (1 of 5 queued)"  # type: ignore[arg-type]
    assert wording.socket_words(seen[9].socket) == "TCP 127.0.0.1:5000 -> 127.0.0.2:80 ESTABLISHED"  # type: ignore[arg-type]
    assert (seen[10].kind, seen[11].kind, seen[11].path) == ("kqueue", "shm", "/shm")
    assert seen[12].detail == "type 9 of libproc's"
    assert seen[14].partial == ("details: socket_fdinfo: the kernel wrote 168 bytes, our layout has 792",)


def test_macos_errors_name_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is gone and one that is hidden are the table's own errors."""
    monkeypatch.setattr(darwin, "calls", Mac({}))
    with pytest.raises(ProcessLookupError, match="99"):
        libproc.table(99)
    with pytest.raises(PermissionError, match="98"):
        libproc.table(98)


def bsd_row(number: int, kind: int, path: bytes = b"", flags: int = 1, **union: int | bytes) -> bytes:
    """A kinfo_file as the kernel packs it: cut after its path, rounded up to 8."""
    row = freebsd_sysctl.kinfo_file(kf_fd=number, kf_type=kind, kf_flags=flags, kf_path=path)
    for name, value in union.items():
        part = getattr(row.kf_un, "kf_sock" if name.startswith(("kf_sock", "kf_sa")) else name[:7])
        if isinstance(value, bytes):
            ctypes.memmove(getattr(part, name), value, len(value))
        else:
            setattr(part, name, value)
    size = (freebsd_sysctl.SHORTEST_ROW + len(path) + 1 + 7) & ~7
    row.kf_structsize = size
    return bytes(row)[:size]


class Bsd(freebsd_sysctl.Calls):
    """A FreeBSD whose table grows between the two calls that it takes to read it."""

    def __init__(self, rows: bytes) -> None:
        self.rows = rows
        self.asked = 0
        self.code = 0

    def sysctl(
        self, mib: list[int], buffer: ctypes.Array[ctypes.c_char] | None, size: ctypes.c_size_t
    ) -> int:
        assert mib[:3] == [1, 14, 33]
        if mib[3] != STRANGER:
            self.code = errno.ESRCH if mib[3] == 99 else errno.EPERM
            return -1
        self.asked += 1
        if buffer is None:
            size.value = 8 if self.asked == 1 else len(self.rows)
            return 0
        if size.value < len(self.rows):
            self.code = errno.ENOMEM
            return -1
        ctypes.memmove(buffer, self.rows, len(self.rows))
        size.value = len(self.rows)
        return 0

    def errno(self) -> int:
        return self.code


def test_freebsd_a_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed rows of all sizes are read; AF_UNIX peers and pipe ends are found; what is no descriptor is left out."""
    inet = bytes((16, 2)) + (8080).to_bytes(2, "big") + socket.inet_aton("10.0.0.1") + bytes(8)
    path = b"/var/run/x"
    unix = bytes((len(path) + 3, 1)) + path + b"\0"
    rows = b"".join(
        (
            bsd_row(-1, 1, b"/bin/sh"),
            bsd_row(0, 1, b"/dev/pts/3", 3, kf_file_type=4),
            bsd_row(1, 1, b"/tmp/" + b"x" * 700, 2, kf_file_type=1),
            bsd_row(2, 1, b"", 1, kf_file_type=1),
            bsd_row(3, 3, b"", 1, kf_pipe_addr=5, kf_pipe_peer=6),
            bsd_row(4, 3, b"", 2, kf_pipe_addr=6, kf_pipe_peer=5),
            bsd_row(5, 2, b"", 3, kf_sock_domain0=2, kf_sock_type0=1, kf_sock_protocol0=6, kf_sa_local=inet),
            bsd_row(6, 2, kf_sock_domain0=1, kf_sock_type0=1, kf_sa_local=unix, kf_sock_pcb=1, kf_sock_unpconn=2),
            bsd_row(7, 2, b"", 3, kf_sock_domain0=1, kf_sock_type0=1, kf_sock_pcb=2, kf_sock_unpconn=1),
            bsd_row(8, 5),
        )
    )  # fmt: skip
    calls = Bsd(rows)
    monkeypatch.setattr(freebsd_sysctl, "calls", calls)
    records, _ = sysctl.table(STRANGER)
    seen = {one.number: one for one in records}
    assert sorted(seen) == list(range(9))
    assert calls.asked > 2
    assert [seen[n].kind for n in range(9)] == [
        "tty", "file", "file", "pipe", "pipe", "socket", "socket", "socket", "kqueue",
    ]  # fmt: skip
    assert seen[1].path == "/tmp/" + "x" * 700
    assert "path: the kernel's name cache has forgotten it" in seen[2].partial
    assert (seen[3].peer, seen[4].peer) == (Peer(4, STRANGER), Peer(3, STRANGER))
    assert seen[5].socket is not None
    assert seen[5].socket.local == ("10.0.0.1", 8080)
    assert (seen[6].path, seen[6].peer) == ("/var/run/x", Peer(7, STRANGER))
    assert "inheritable: the sysctl does not tell it" in seen[0].partial


def test_freebsd_a_row_of_another_layout_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row shorter than any of ours is refused, not read; a process gone or hidden is the table's own error."""
    monkeypatch.setattr(freebsd_sysctl, "calls", Bsd(struct.pack("=i", 100).ljust(100, b"\1")))
    with pytest.raises(OSError, match="a row of 100 bytes, ours begin at 368"):
        sysctl.table(STRANGER)
    with pytest.raises(ProcessLookupError, match="99"):
        sysctl.table(99)
    with pytest.raises(PermissionError, match="98"):
        sysctl.table(98)


def test_windows_class_51_is_read_and_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of one process is read after the buffer was too small, and class 64 is asked where 51 is unknown."""
    asked = []

    def query(process: int, kind: int, buffer: ctypes.Array[ctypes.c_char], size: int, needed: object) -> int:
        asked.append(size)
        if size < 40_000:
            return ntdll_handles.STATUS_INFO_LENGTH_MISMATCH
        rows = [(4, 1, 1, 0x12019F, 37, 2, 0), (8, 1, 1, 0x120089, 37, 0, 0)]
        raw = ntdll_handles.TABLE_HEADER.pack(len(rows), 0)
        raw += b"".join(ntdll_handles.PROCESS_HANDLE_TABLE_ENTRY_INFO.pack(*row) for row in rows)
        ctypes.memmove(buffer, raw, len(raw))
        return 0

    monkeypatch.setattr(ntdll_handles.ntdll, "NtQueryInformationProcess", query)
    rows = ntdll_handles.query_process_handles(-1)
    assert len(asked) > 1
    assert [(row.value, row.type_index, row.attributes & ntdll_handles.OBJ_INHERIT) for row in rows] == [
        (4, 37, 2),
        (8, 37, 0),
    ]
    assert [ntquery.access(row.access) for row in rows] == ["rw", "r"]


def test_windows_class_64_keeps_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the system's table only the rows of the process asked for are kept; a refusal names the call and status."""

    def query(kind: int, buffer: ctypes.Array[ctypes.c_char], size: int, needed: object) -> int:
        rows = [(7, 12, 4, 1, 0, 17, 0, 0), (8, 13, 4, 1, 0, 17, 2, 0)]
        raw = ntdll_handles.TABLE_HEADER.pack(len(rows), 0)
        raw += b"".join(ntdll_handles.SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.pack(*row) for row in rows)
        ctypes.memmove(buffer, raw, len(raw))
        return 0

    monkeypatch.setattr(ntdll_handles.ntdll, "NtQuerySystemInformation", query)
    assert ntdll_handles.query_system_handles(13) == [ntdll_handles.HandleRow(4, 8, 1, 17, 2)]
    monkeypatch.setattr(ntdll_handles.ntdll, "NtQuerySystemInformation", lambda *_: 0xC0000022)
    with pytest.raises(ntdll_handles.NtStatus, match="0xc0000022"):
        ntdll_handles.query_system_handles(13)


def test_windows_a_handle_that_blocks_does_not_hang_the_key_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose question never returns is given up, keeps its last look, and the rows after it are answered."""
    import threading

    release = threading.Event()
    rows = [ntdll_handles.HandleRow(value, 0, 1, 17, 0) for value in (4, 8, 12)]

    def look(row: ntdll_handles.HandleRow, number: int | None) -> tuple[int | str, ...]:
        if row.value == 8 and blocking:
            release.wait()
        return (3, row.value)

    monkeypatch.setattr(handles, "_look", look)
    blocking = False
    first = handles.look_all([(row, None) for row in rows])
    blocking = True
    second = handles.look_all([(row, None) for row in rows])
    release.set()
    assert first == second == {row: (3, row.value) for row in rows}


def test_windows_paths_lose_their_prefix() -> None:
    r"""The \\?\ of GetFinalPathNameByHandleW is taken off, and a share's name is whole."""
    assert ntquery.plain_path("\\\\?\\C:\\x") == "C:\\x"
    assert ntquery.plain_path("\\\\?\\UNC\\server\\share\\x") == "\\\\server\\share\\x"


def test_absent_providers_say_no() -> None:
    """A provider of another system answers that it does not work here, without raising."""
    assert [module.works() for module in (libproc, sysctl, ntquery)].count(True) <= 1
    assert os.getpid() != STRANGER


def own(monkeypatch: pytest.MonkeyPatch, number: int, kind: int, answer: ctypes.Structure) -> None:
    """A macOS on which this process has that one descriptor open."""
    mac = Mac({number: (kind, answer)})
    monkeypatch.setattr(darwin, "calls", mac)
    ask = mac.proc_pidinfo
    monkeypatch.setattr(mac, "proc_pidinfo", lambda _pid, *rest: ask(STRANGER, *rest))


def test_macos_an_own_descriptor_is_identified_as_in_a_key_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of this process's has fstat's identity, and one that is not open is EBADF, whatever libproc says."""
    with open(os.devnull, "rb") as file:
        number = file.fileno()
        own(monkeypatch, number, darwin.PROX_FDTYPE_KQUEUE, darwin.kqueue_fdinfo(pfi=mac_file(3)))
        seen = os.fstat(number)
        record = libproc.one(number)
        assert record.identity == (seen.st_dev, seen.st_ino, stat.S_IFMT(seen.st_mode))
        assert (record.number, record.kind, record.access) == (number, "kqueue", "rw")
        for other, space in ((number + 1, None), (number, "handle")):
            with pytest.raises(OSError, match="descriptor") as caught:
                libproc.one(other, space)  # type: ignore[arg-type]
            assert caught.value.errno == errno.EBADF
    assert libproc.one(number).identity == ("kqueue",)  # closed since: what libproc told


def test_macos_ipv6_udp_and_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 socket has its own form of address, UDP no state but connected or not, a semaphore its name."""
    answers = []
    for far in (0, 53):
        ini = darwin.in_sockinfo(insi_lport=socket.htons(5353), insi_fport=socket.htons(far), insi_vflag=2)
        ctypes.memmove(ini.insi_laddr, socket.inet_pton(socket.AF_INET6, "::1"), 16)
        answer = darwin.socket_fdinfo(
            pfi=mac_file(3), soi_so=1, soi_type=2, soi_protocol=17, soi_family=30, soi_kind=darwin.SOCKINFO_IN
        )
        ctypes.memmove(ctypes.addressof(answer) + 264, bytes(ini), ctypes.sizeof(ini))
        answers.append(answer)
    files: dict[int, tuple[int, ctypes.Structure | None]] = {
        3: (darwin.PROX_FDTYPE_SOCKET, answers[0]),
        4: (darwin.PROX_FDTYPE_SOCKET, answers[1]),
        5: (darwin.PROX_FDTYPE_PSEM, darwin.psem_fdinfo(pfi=mac_file(3), psem_name=b"/lock")),
    }
    monkeypatch.setattr(darwin, "calls", Mac(files))
    alone, connected, semaphore = libproc.table(STRANGER)[0]
    assert alone.socket is not None
    assert connected.socket is not None
    assert (alone.socket.local, alone.socket.remote, alone.socket.state) == (
        ("::1", 5353),
        None,
        "UNCONNECTED",
    )
    assert (connected.socket.remote, connected.socket.state) == (("::", 53), "ESTABLISHED")
    assert (semaphore.kind, semaphore.path, semaphore.identity) == ("semaphore", "/lock", ("psem", "/lock"))


@pytest.mark.parametrize("module", [libproc, sysctl])
def test_a_failure_that_is_no_answer_stays_what_it_is(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO while listing is neither "gone" nor "hidden"."""
    declared = darwin if module is libproc else freebsd_sysctl
    calls = Mac({}) if module is libproc else Bsd(b"")
    monkeypatch.setattr(calls, "errno", lambda: errno.EIO)
    monkeypatch.setattr(declared, "calls", calls)
    with pytest.raises(OSError, match="listing the descriptors") as caught:
        module.table(98)
    assert caught.value.errno == errno.EIO


def test_macos_a_listing_that_fails_at_last_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between the two calls of a listing is gone."""
    calls = Mac({})
    calls.code = errno.ESRCH
    monkeypatch.setattr(calls, "proc_pidinfo", lambda _pid, _flavor, _arg, buffer: 8 if buffer is None else 0)
    monkeypatch.setattr(darwin, "calls", calls)
    with pytest.raises(ProcessLookupError, match=str(STRANGER)):
        libproc.table(STRANGER)


@pytest.mark.parametrize(("module", "platform"), [(libproc, "darwin"), (sysctl, "freebsd14")])
@pytest.mark.parametrize("lists", [True, False, None])
def test_a_provider_works_if_it_lists_what_is_open(
    module: ModuleType, platform: str, lists: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for a descriptor that is known to be open; one that lists none, or fails, is not used."""

    def listed(_: int) -> list[object]:
        if lists is None:
            raise OSError(errno.EPERM, "scripted")
        numbers = range(512) if lists else ()
        return [SimpleNamespace(proc_fd=number, kf_fd=number) for number in numbers]

    if module is libproc:
        monkeypatch.setattr(darwin, "list_descriptors", listed)
    else:
        monkeypatch.setattr(freebsd_sysctl, "process_files", listed)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        assert module.works() is bool(lists)


def test_macos_calls_reach_the_library_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, a buffer with its length and a structure arrive as C has them, and errno is the call's own."""
    int_, pointer = ctypes.c_int, ctypes.c_void_p
    seen: list[tuple[object, ...]] = []

    def listed(pid: int, flavor: int, arg: int, buffer: int | None, size: int) -> int:
        seen.append((pid, flavor, arg, not buffer, size))  # a null pointer is None, or 0 on PyPy
        return 16

    def described(pid: int, fd: int, flavor: int, buffer: int, size: int) -> int:
        seen.append((pid, fd, flavor, size))
        ctypes.set_errno(errno.EBADF)
        return 0

    monkeypatch.setattr(
        darwin,
        "_library",
        lambda: SimpleNamespace(
            proc_pidinfo=ctypes.CFUNCTYPE(int_, int_, int_, ctypes.c_uint64, pointer, int_)(listed),
            proc_pidfdinfo=ctypes.CFUNCTYPE(int_, int_, int_, int_, pointer, int_)(described),
        ),
    )
    calls = darwin.Calls()
    assert calls.proc_pidinfo(1, 2, 2**40, None) == 16
    assert calls.proc_pidinfo(1, 2, 3, ctypes.create_string_buffer(24)) == 16
    assert calls.proc_pidfdinfo(1, 5, 2, darwin.kqueue_fdinfo()) == 0
    assert calls.errno() == errno.EBADF
    assert seen == [(1, 2, 2**40, True, 0), (1, 2, 3, False, 24), (1, 5, 2, 168)]


def test_freebsd_the_call_reaches_the_library_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name's numbers with their count, the buffer, its length in and out, and nothing to be set."""
    pointer, size_t = ctypes.c_void_p, ctypes.c_size_t
    seen: list[tuple[object, ...]] = []

    def sysctl_(name: int, count: int, *more: Any) -> int:
        old, length, new, size = more
        numbers = list((ctypes.c_int * count).from_address(name))
        room = size_t.from_address(length)
        seen.append((numbers, not old, room.value, not new, size))  # a null pointer is None, or 0 on PyPy
        room.value = 12
        ctypes.set_errno(errno.ENOMEM)
        return -1

    kind = ctypes.CFUNCTYPE(ctypes.c_int, pointer, ctypes.c_uint, pointer, pointer, pointer, size_t)
    monkeypatch.setattr(freebsd_sysctl, "_library", lambda: SimpleNamespace(sysctl=kind(sysctl_)))
    calls, length = freebsd_sysctl.Calls(), size_t(5)
    assert calls.sysctl([1, 14, 33, 7], None, length) == -1
    assert calls.errno() == errno.ENOMEM
    assert length.value == 12
    assert seen == [([1, 14, 33, 7], True, 5, True, 0)]


@pytest.mark.parametrize("declared", [darwin, freebsd_sysctl])
def test_a_library_of_another_system_is_absent(declared: ModuleType) -> None:
    """Where the kernel is another one the call says so, and loads nothing."""
    if declared._library.__module__ == "samesock.ffi.libproc" and sys.platform == "darwin":
        pytest.skip("libproc: native here")
    if sys.platform.startswith("freebsd"):
        pytest.skip("kern.proc.filedesc: native here")
    with pytest.raises(OSError, match="not on this system") as caught:
        declared._library()
    assert caught.value.errno == errno.EOPNOTSUPP


def test_freebsd_an_own_descriptor_and_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of this process's has fstat's identity and says whether a child gets it; IPv6 addresses are read."""
    six = bytes((28, 28)) + (443).to_bytes(2, "big") + bytes(4) + socket.inet_pton(socket.AF_INET6, "::1")
    with open(os.devnull, "rb") as file:
        number = file.fileno()
        rows = bsd_row(number, 2, b"", 3, kf_sock_domain0=28, kf_sock_type0=1, kf_sa_local=six)
        calls = Bsd(rows + bytes(8))
        ask = calls.sysctl
        monkeypatch.setattr(calls, "sysctl", lambda mib, *rest: ask([*mib[:3], STRANGER], *rest))
        monkeypatch.setattr(freebsd_sysctl, "calls", calls)
        seen = os.fstat(number)
        record = sysctl.one(number)
        assert record.identity == (seen.st_dev, seen.st_ino, stat.S_IFMT(seen.st_mode))
        assert record.inheritable is False
        assert record.socket is not None
        assert record.socket.local == ("::1", 443)
        for other, space in ((number + 1, None), (number, "socket")):
            with pytest.raises(OSError, match="descriptor") as caught:
                sysctl.one(other, space)  # type: ignore[arg-type]
            assert caught.value.errno == errno.EBADF
    assert sysctl.one(number).inheritable is None  # closed since
