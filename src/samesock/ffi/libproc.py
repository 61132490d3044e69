"""macOS's libproc: what a process has open. Declarations only.

Layouts are those of xnu's bsd/sys/proc_info.h. No run of ours has seen macOS: the size of every structure is
asserted in the tests, and held against the byte count that the kernel returns at each call, so that a wrong
layout is an error and never a wrong answer.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from typing import Final, TypeVar

# bsd/sys/proc_info.h
PROC_PIDLISTFDS: Final = 1
PROX_FDTYPE_VNODE: Final = 1
PROX_FDTYPE_SOCKET: Final = 2
PROX_FDTYPE_PSHM: Final = 3
PROX_FDTYPE_PSEM: Final = 4
PROX_FDTYPE_KQUEUE: Final = 5
PROX_FDTYPE_PIPE: Final = 6
PROC_PIDFDVNODEPATHINFO: Final = 2
PROC_PIDFDSOCKETINFO: Final = 3
PROC_PIDFDPSEMINFO: Final = 4
PROC_PIDFDPSHMINFO: Final = 5
PROC_PIDFDPIPEINFO: Final = 6
PROC_PIDFDKQUEUEINFO: Final = 7
PROC_FP_SHARED: Final = 1
PROC_FP_CLEXEC: Final = 2
FREAD: Final = 1  # sys/fcntl.h, the kernel's own open flags
FWRITE: Final = 2
SOCKINFO_IN: Final = 1
SOCKINFO_TCP: Final = 2
SOCKINFO_UN: Final = 3
SO_ACCEPTCONN: Final = 2
INI_IPV4: Final = 1
MAXPATHLEN: Final = 1024

_i16, _u16, _i32, _u32 = ctypes.c_int16, ctypes.c_uint16, ctypes.c_int32, ctypes.c_uint32
_i64, _u64, _u8 = ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint8


class proc_fdinfo(ctypes.Structure):
    """One open descriptor: 8 bytes."""

    _fields_ = [("proc_fd", _i32), ("proc_fdtype", _u32)]
    proc_fd: int
    proc_fdtype: int


class proc_fileinfo(ctypes.Structure):
    """What every kind of descriptor begins with: 24 bytes."""

    _fields_ = [
        ("fi_openflags", _u32), ("fi_status", _u32), ("fi_offset", _i64), ("fi_type", _i32), ("fi_guardflags", _u32),
    ]  # fmt: skip
    fi_openflags: int
    fi_status: int


class vinfo_stat(ctypes.Structure):
    """stat, as libproc gives it: 136 bytes."""

    _fields_ = [
        ("vst_dev", _u32), ("vst_mode", _u16), ("vst_nlink", _u16), ("vst_ino", _u64), ("vst_uid", _u32),
        ("vst_gid", _u32), ("vst_times", _i64 * 8), ("vst_size", _i64), ("vst_blocks", _i64), ("vst_blksize", _i32),
        ("vst_flags", _u32), ("vst_gen", _u32), ("vst_rdev", _u32), ("vst_qspare", _i64 * 2),
    ]  # fmt: skip
    vst_dev: int
    vst_mode: int
    vst_nlink: int
    vst_ino: int


class vnode_fdinfowithpath(ctypes.Structure):
    """A file, directory or device with its path: 1,200 bytes."""

    _fields_ = [
        ("pfi", proc_fileinfo), ("vi_stat", vinfo_stat), ("vi_type", _i32), ("vi_pad", _i32), ("vi_fsid", _i32 * 2),
        ("vip_path", ctypes.c_char * MAXPATHLEN),
    ]  # fmt: skip
    pfi: proc_fileinfo
    vi_stat: vinfo_stat
    vip_path: bytes


class in_sockinfo(ctypes.Structure):
    """The two ends of an IP socket: 80 bytes; ports are in network order in the low half of an int."""

    _fields_ = [
        ("insi_fport", _i32), ("insi_lport", _i32), ("insi_gencnt", _u64), ("insi_flags", _u32), ("insi_flow", _u32),
        ("insi_vflag", _u8), ("insi_ip_ttl", _u8), ("rfu_1", _u32), ("insi_faddr", _u8 * 16), ("insi_laddr", _u8 * 16),
        ("insi_v4_v6", _u32 * 4),
    ]  # fmt: skip
    insi_fport: int
    insi_lport: int
    insi_vflag: int
    insi_faddr: ctypes.Array[ctypes.c_uint8]
    insi_laddr: ctypes.Array[ctypes.c_uint8]


class tcp_sockinfo(ctypes.Structure):
    """A TCP socket: its ends and its state, 120 bytes."""

    _fields_ = [
        ("tcpsi_ini", in_sockinfo), ("tcpsi_state", _i32), ("tcpsi_timer", _i32 * 4), ("tcpsi_mss", _i32),
        ("tcpsi_flags", _u32), ("rfu_1", _u32), ("tcpsi_tp", _u64),
    ]  # fmt: skip
    tcpsi_ini: in_sockinfo
    tcpsi_state: int


class un_sockinfo(ctypes.Structure):
    """An AF_UNIX socket: its peer's identity and both addresses, 528 bytes."""

    _fields_ = [
        ("unsi_conn_so", _u64), ("unsi_conn_pcb", _u64), ("unsi_addr", _u8 * 255), ("unsi_caddr", _u8 * 255),
    ]  # fmt: skip
    unsi_conn_so: int
    unsi_addr: ctypes.Array[ctypes.c_uint8]
    unsi_caddr: ctypes.Array[ctypes.c_uint8]


class sockbuf_info(ctypes.Structure):
    """A socket's buffer: 24 bytes."""

    _fields_ = [("sbi_counts", _u32 * 5), ("sbi_flags", _i16), ("sbi_timeo", _i16)]


class socket_fdinfo(ctypes.Structure):
    """A socket: 792 bytes, the last 528 of them a union by `soi_kind`."""

    _fields_ = [
        ("pfi", proc_fileinfo), ("soi_stat", vinfo_stat), ("soi_so", _u64), ("soi_pcb", _u64), ("soi_type", _i32),
        ("soi_protocol", _i32), ("soi_family", _i32), ("soi_options", _i16), ("soi_linger", _i16),
        ("soi_state", _i16), ("soi_qlen", _i16), ("soi_incqlen", _i16), ("soi_qlimit", _i16), ("soi_timeo", _i16),
        ("soi_error", _u16), ("soi_oobmark", _u32), ("soi_rcv", sockbuf_info), ("soi_snd", sockbuf_info),
        ("soi_kind", _i32), ("rfu_1", _u32), ("soi_proto", _u64 * 66),
    ]  # fmt: skip
    pfi: proc_fileinfo
    soi_so: int
    soi_type: int
    soi_protocol: int
    soi_family: int
    soi_options: int
    soi_qlen: int
    soi_qlimit: int
    soi_kind: int
    soi_proto: ctypes.Array[ctypes.c_uint64]


class pipe_fdinfo(ctypes.Structure):
    """One end of a pipe: 184 bytes."""

    _fields_ = [
        ("pfi", proc_fileinfo), ("pipe_stat", vinfo_stat), ("pipe_handle", _u64), ("pipe_peerhandle", _u64),
        ("pipe_status", _i32), ("rfu_1", _i32),
    ]  # fmt: skip
    pfi: proc_fileinfo
    pipe_handle: int
    pipe_peerhandle: int


class kqueue_fdinfo(ctypes.Structure):
    """A kqueue: 168 bytes."""

    _fields_ = [("pfi", proc_fileinfo), ("kq_stat", vinfo_stat), ("kq_state", _u32), ("rfu_1", _u32)]
    pfi: proc_fileinfo


class psem_fdinfo(ctypes.Structure):
    """A POSIX semaphore: 1,184 bytes."""

    _fields_ = [("pfi", proc_fileinfo), ("psem_stat", vinfo_stat), ("psem_name", ctypes.c_char * MAXPATHLEN)]
    pfi: proc_fileinfo
    psem_name: bytes


class pshm_fdinfo(ctypes.Structure):
    """POSIX shared memory: 1,192 bytes."""

    _fields_ = [
        ("pfi", proc_fileinfo), ("pshm_stat", vinfo_stat), ("pshm_mappaddr", _u64),
        ("pshm_name", ctypes.c_char * MAXPATHLEN),
    ]  # fmt: skip
    pfi: proc_fileinfo
    pshm_name: bytes


SIZES: Final[dict[type[ctypes.Structure], int]] = {
    proc_fdinfo: 8, proc_fileinfo: 24, vinfo_stat: 136, vnode_fdinfowithpath: 1200, in_sockinfo: 80,
    tcp_sockinfo: 120, un_sockinfo: 528, sockbuf_info: 24, socket_fdinfo: 792, pipe_fdinfo: 184, kqueue_fdinfo: 168,
    psem_fdinfo: 1184, pshm_fdinfo: 1192,
}  # fmt: skip
"""What each structure must measure."""

T = TypeVar("T", bound=ctypes.Structure)


@functools.lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    if sys.platform != "darwin":
        raise OSError(errno.EOPNOTSUPP, "libproc: not on this system")
    return ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)


class Calls:
    """The calls, as a table that a test can replace; a count of 0 or less is a failure, its reason in
    errno.
    """

    def proc_pidinfo(
        self, pid: int, flavor: int, arg: int, buffer: ctypes.Array[ctypes.c_char] | None
    ) -> int:
        """(pid, flavor, arg, buffer): the bytes written, or the bytes wanted when there is no buffer."""
        function = _library().proc_pidinfo
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int)
        function.restype = ctypes.c_int
        return int(function(pid, flavor, arg, buffer, 0 if buffer is None else len(buffer)))

    def proc_pidfdinfo(self, pid: int, fd: int, flavor: int, buffer: ctypes.Structure) -> int:
        """(pid, descriptor, flavor, buffer): the bytes written."""
        function = _library().proc_pidfdinfo
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
        function.restype = ctypes.c_int
        return int(function(pid, fd, flavor, ctypes.byref(buffer), ctypes.sizeof(buffer)))

    def errno(self) -> int:
        """The reason of the last failure."""
        return ctypes.get_errno()


calls: Calls = Calls()


def _failure(what: str) -> OSError:
    code = calls.errno()
    return OSError(code, f"{what}: {os.strerror(code)}")


def list_descriptors(pid: int) -> list[proc_fdinfo]:
    """Every descriptor of `pid`; raises `OSError`.

    The size that a call without a buffer gives can be too small by the time of the second one, and a full
    buffer looks like a complete answer: it grows until one entry stays spare (psutil issue 1901).
    """
    entry = ctypes.sizeof(proc_fdinfo)
    what = f"listing the descriptors of process {pid}"
    size = calls.proc_pidinfo(pid, PROC_PIDLISTFDS, 0, None)
    if size <= 0:
        raise _failure(what)
    while True:
        buffer = ctypes.create_string_buffer(size + 32 * entry)
        filled = calls.proc_pidinfo(pid, PROC_PIDLISTFDS, 0, buffer)
        if filled <= 0:
            raise _failure(what)
        if filled + entry <= len(buffer):
            return [proc_fdinfo.from_buffer_copy(buffer, at) for at in range(0, filled, entry)]
        size = len(buffer) * 2


def describe_descriptor(pid: int, number: int, flavor: int, kind: type[T]) -> T:
    """The kernel's structure for one descriptor; `OSError` for one closed meanwhile or a layout that is not
    ours.
    """
    answer = kind()
    filled = calls.proc_pidfdinfo(pid, number, flavor, answer)
    if filled <= 0:
        raise _failure(f"descriptor {number} of process {pid}")
    if filled != ctypes.sizeof(kind):
        wanted = ctypes.sizeof(kind)
        raise OSError(
            errno.EOPNOTSUPP, f"{kind.__name__}: the kernel wrote {filled} bytes, our layout has {wanted}"
        )
    return answer
