"""FreeBSD's sysctl kern.proc.filedesc: what a process has open. Declarations only.

The layout is that of sys/user.h since FreeBSD 12 (`__FreeBSD_version` 1200031 and later). No run of ours has
seen FreeBSD: the structure's size and offsets are asserted in the tests, and each row's own `kf_structsize`
says where the next begins.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Iterator
from typing import Final

# sys/sysctl.h
CTL_KERN: Final = 1
KERN_PROC: Final = 14
KERN_PROC_FILEDESC: Final = 33

# sys/user.h
KF_TYPE_VNODE: Final = 1
KF_TYPE_SOCKET: Final = 2
KF_TYPE_PIPE: Final = 3
KF_TYPE_FIFO: Final = 4
KF_TYPE_KQUEUE: Final = 5
KF_TYPE_MQUEUE: Final = 7
KF_TYPE_SHM: Final = 8
KF_TYPE_SEM: Final = 9
KF_TYPE_PTS: Final = 10
KF_TYPE_PROCDESC: Final = 11
KF_TYPE_DEV: Final = 12
KF_TYPE_EVENTFD: Final = 13
KF_TYPE_TIMERFD: Final = 14
KF_VTYPE_VREG: Final = 1
KF_VTYPE_VDIR: Final = 2
KF_VTYPE_VBLK: Final = 3
KF_VTYPE_VCHR: Final = 4
KF_VTYPE_VLNK: Final = 5
KF_VTYPE_VFIFO: Final = 7
KF_FLAG_READ: Final = 0x00000001
KF_FLAG_WRITE: Final = 0x00000002
PATH_MAX: Final = 1024

_i32, _u16, _u32, _i64, _u64 = (
    ctypes.c_int32,
    ctypes.c_uint16,
    ctypes.c_uint32,
    ctypes.c_int64,
    ctypes.c_uint64,
)


class kf_sock(ctypes.Structure):
    """The union of a row when it is a socket: 304 bytes."""

    _fields_ = [
        ("kf_sock_sendq", _u32), ("kf_sock_domain0", _i32), ("kf_sock_type0", _i32), ("kf_sock_protocol0", _i32),
        ("kf_sa_local", ctypes.c_uint8 * 128), ("kf_sa_peer", ctypes.c_uint8 * 128), ("kf_sock_pcb", _u64),
        ("kf_sock_inpcb", _u64), ("kf_sock_unpconn", _u64), ("kf_sock_snd_sb_state", _u16),
        ("kf_sock_rcv_sb_state", _u16), ("kf_sock_recvq", _u32),
    ]  # fmt: skip
    kf_sock_domain0: int
    kf_sock_type0: int
    kf_sock_protocol0: int
    kf_sa_local: ctypes.Array[ctypes.c_uint8]
    kf_sa_peer: ctypes.Array[ctypes.c_uint8]
    kf_sock_pcb: int
    kf_sock_unpconn: int


class kf_file(ctypes.Structure):
    """The union of a row when it is a vnode: 304 bytes."""

    _fields_ = [
        ("kf_file_type", _i32), ("kf_spareint", _i32 * 3), ("kf_spareint64", _u64 * 30), ("kf_file_fsid", _u64),
        ("kf_file_rdev", _u64), ("kf_file_fileid", _u64), ("kf_file_size", _u64), ("kf_file_fsid_freebsd11", _u32),
        ("kf_file_rdev_freebsd11", _u32), ("kf_file_mode", _u16), ("kf_file_pad0", _u16), ("kf_file_pad1", _u32),
    ]  # fmt: skip
    kf_file_type: int
    kf_file_fsid: int
    kf_file_fileid: int


class kf_pipe(ctypes.Structure):
    """The union of a row when it is a pipe: 304 bytes."""

    _fields_ = [
        ("kf_spareint", _u32 * 4), ("kf_spareint64", _u64 * 32), ("kf_pipe_addr", _u64), ("kf_pipe_peer", _u64),
        ("kf_pipe_buffer_cnt", _u32), ("kf_pipe_pad0", _u32 * 3),
    ]  # fmt: skip
    kf_pipe_addr: int
    kf_pipe_peer: int


class kf_un(ctypes.Union):
    """What a row holds, by `kf_type`."""

    _fields_ = [("kf_sock", kf_sock), ("kf_file", kf_file), ("kf_pipe", kf_pipe)]
    kf_sock: kf_sock
    kf_file: kf_file
    kf_pipe: kf_pipe


class kinfo_file(ctypes.Structure):
    """One descriptor: at most 1,392 bytes; the kernel packs rows, cutting each after its path."""

    _fields_ = [
        ("kf_structsize", _i32), ("kf_type", _i32), ("kf_fd", _i32), ("kf_ref_count", _i32), ("kf_flags", _i32),
        ("kf_pad0", _i32), ("kf_offset", _i64), ("kf_un", kf_un), ("kf_status", _u16), ("kf_pad1", _u16),
        ("_kf_ispare0", _i32), ("kf_cap_rights", _u64 * 2), ("_kf_cap_spare", _u64),
        ("kf_path", ctypes.c_char * PATH_MAX),
    ]  # fmt: skip
    kf_structsize: int
    kf_type: int
    kf_fd: int
    kf_flags: int
    kf_un: kf_un
    kf_path: bytes


SIZES: Final[dict[type[ctypes.Structure], int]] = {kf_sock: 304, kf_file: 304, kf_pipe: 304, kinfo_file: 1392}
"""What each structure must measure (sys/user.h: KINFO_FILE_SIZE is 1392)."""

SHORTEST_ROW: Final[int] = kinfo_file.kf_path.offset  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    if not sys.platform.startswith("freebsd"):
        raise OSError(errno.EOPNOTSUPP, "kern.proc.filedesc: not on this system")
    return ctypes.CDLL(None, use_errno=True)


class Calls:
    """The call, as a table that a test can replace; -1 is a failure, its reason in errno."""

    def sysctl(
        self, mib: list[int], buffer: ctypes.Array[ctypes.c_char] | None, size: ctypes.c_size_t
    ) -> int:
        """(name, old value, its length in and out): without a buffer the length wanted."""
        function = _library().sysctl
        pointer = ctypes.c_void_p
        function.argtypes = (pointer, ctypes.c_uint, pointer, pointer, pointer, ctypes.c_size_t)
        function.restype = ctypes.c_int
        numbers = (ctypes.c_int * len(mib))(*mib)
        return int(function(numbers, len(mib), buffer, ctypes.byref(size), None, 0))

    def errno(self) -> int:
        """The reason of the last failure."""
        return ctypes.get_errno()


calls: Calls = Calls()


def process_files(pid: int) -> list[kinfo_file]:
    """Every row of the process, those that are no descriptors (working directory, text) left out;
    `OSError`.
    """
    mib = [CTL_KERN, KERN_PROC, KERN_PROC_FILEDESC, pid]
    while True:
        size = ctypes.c_size_t(0)
        if calls.sysctl(mib, None, size) != 0:
            raise _failure(pid)
        # Descriptors opened meanwhile make the second call fail with ENOMEM: a third more is asked for.
        buffer = ctypes.create_string_buffer(size.value * 4 // 3 + kinfo_file_size())
        size = ctypes.c_size_t(len(buffer))
        if calls.sysctl(mib, buffer, size) == 0:
            return [row for row in rows(buffer.raw[: size.value]) if row.kf_fd >= 0]
        if calls.errno() != errno.ENOMEM:
            raise _failure(pid)


def _failure(pid: int) -> OSError:
    code = calls.errno()
    return OSError(code, f"listing the descriptors of process {pid}: {os.strerror(code)}")


def kinfo_file_size() -> int:
    """The size of one whole row."""
    return ctypes.sizeof(kinfo_file)


def rows(raw: bytes) -> Iterator[kinfo_file]:
    """The packed rows: each says its size, and ends after its path's NUL, rounded up."""
    at = 0
    while at + 4 <= len(raw):
        size = int.from_bytes(raw[at : at + 4], sys.byteorder)
        if size == 0:
            return
        if not SHORTEST_ROW <= size <= len(raw) - at:
            raise OSError(
                errno.EOPNOTSUPP, f"kinfo_file: a row of {size} bytes, ours begin at {SHORTEST_ROW}"
            )
        yield kinfo_file.from_buffer_copy(
            raw[at : at + size].ljust(kinfo_file_size(), b"\0")[: kinfo_file_size()]
        )
        at += size
