"""Winsock's and Win32's error codes in POSIX terms, and the one place that makes an `OSError` of them.

Pure: a table, and functions of it; no library is loaded and no system is asked, so that a test on any system
can check every code. What must never be put here: a decision about what to try next, and a message of one
caller's.

The exception is made from errno, text and file name, and gets `winerror` afterwards. Given as the
constructor's fourth argument, as Windows' Python allows, the code would decide the errno and the class: 80
would be `FileExistsError`, 17, where BSD's bind says EADDRINUSE (seen on CPython 3.11 and 3.13). Elsewhere
there is no fourth argument, and `winerror` is an attribute like any other.

`EWOULDBLOCK`, not `EAGAIN`, is what 10035 becomes. On POSIX these are one number. On Windows errno.EAGAIN is
11, which no system call gives, and errno.EWOULDBLOCK is 10035, which the standard library's own send and recv
give: a program there sees one number from all of them. Either makes a `BlockingIOError`.
"""

from __future__ import annotations

import _socket
import errno
from typing import Final

POSIX_NAMES: Final[dict[int, str]] = {
    # winerror.h: the system's
    1: "EINVAL",  # ERROR_INVALID_FUNCTION: the device cannot do that
    2: "ENOENT",  # ERROR_FILE_NOT_FOUND
    3: "ENOENT",  # ERROR_PATH_NOT_FOUND: also where a component is no directory
    4: "EMFILE",  # ERROR_TOO_MANY_OPEN_FILES
    5: "EACCES",  # ERROR_ACCESS_DENIED: also a directory, and a name whose deletion is pending
    6: "EBADF",  # ERROR_INVALID_HANDLE
    8: "ENOMEM",  # ERROR_NOT_ENOUGH_MEMORY
    14: "ENOMEM",  # ERROR_OUTOFMEMORY
    15: "ENOENT",  # ERROR_INVALID_DRIVE
    19: "EROFS",  # ERROR_WRITE_PROTECT
    21: "EIO",  # ERROR_NOT_READY
    32: "EACCES",  # ERROR_SHARING_VIOLATION
    33: "EACCES",  # ERROR_LOCK_VIOLATION
    39: "ENOSPC",  # ERROR_HANDLE_DISK_FULL
    50: "EOPNOTSUPP",  # ERROR_NOT_SUPPORTED
    53: "ENOENT",  # ERROR_BAD_NETPATH
    64: "ECONNRESET",  # ERROR_NETNAME_DELETED: overlapped I/O's WSAECONNRESET
    65: "EACCES",  # ERROR_NETWORK_ACCESS_DENIED
    67: "ENOENT",  # ERROR_BAD_NET_NAME
    80: "EEXIST",  # ERROR_FILE_EXISTS
    87: "EINVAL",  # ERROR_INVALID_PARAMETER
    109: "EPIPE",  # ERROR_BROKEN_PIPE
    111: "ENAMETOOLONG",  # ERROR_BUFFER_OVERFLOW
    112: "ENOSPC",  # ERROR_DISK_FULL
    120: "ENOSYS",  # ERROR_CALL_NOT_IMPLEMENTED
    121: "ETIMEDOUT",  # ERROR_SEM_TIMEOUT: overlapped I/O's WSAETIMEDOUT
    122: "EINVAL",  # ERROR_INSUFFICIENT_BUFFER
    123: "EINVAL",  # ERROR_INVALID_NAME
    145: "ENOTEMPTY",  # ERROR_DIR_NOT_EMPTY
    161: "ENOENT",  # ERROR_BAD_PATHNAME
    170: "EBUSY",  # ERROR_BUSY
    183: "EEXIST",  # ERROR_ALREADY_EXISTS
    206: "ENAMETOOLONG",  # ERROR_FILENAME_EXCED_RANGE
    231: "EBUSY",  # ERROR_PIPE_BUSY
    232: "EPIPE",  # ERROR_NO_DATA: the pipe is being closed
    233: "EPIPE",  # ERROR_PIPE_NOT_CONNECTED
    234: "EMSGSIZE",  # ERROR_MORE_DATA
    258: "ETIMEDOUT",  # WAIT_TIMEOUT
    267: "ENOTDIR",  # ERROR_DIRECTORY
    303: "EBUSY",  # ERROR_DELETE_PENDING
    995: "ECANCELED",  # ERROR_OPERATION_ABORTED: by CancelIoEx, or the thread has ended
    997: "EINPROGRESS",  # ERROR_IO_PENDING
    998: "EFAULT",  # ERROR_NOACCESS
    1225: "ECONNREFUSED",  # ERROR_CONNECTION_REFUSED
    1226: "EPIPE",  # ERROR_GRACEFUL_DISCONNECT
    1227: "EADDRINUSE",  # ERROR_ADDRESS_ALREADY_ASSOCIATED
    1229: "ENOTCONN",  # ERROR_CONNECTION_INVALID
    1231: "ENETUNREACH",  # ERROR_NETWORK_UNREACHABLE
    1232: "EHOSTUNREACH",  # ERROR_HOST_UNREACHABLE
    1234: "ECONNREFUSED",  # ERROR_PORT_UNREACHABLE
    1235: "ECONNABORTED",  # ERROR_REQUEST_ABORTED
    1236: "ECONNABORTED",  # ERROR_CONNECTION_ABORTED: overlapped I/O's WSAECONNABORTED
    1307: "EPERM",  # ERROR_INVALID_OWNER
    1314: "EPERM",  # ERROR_PRIVILEGE_NOT_HELD
    1450: "ENOMEM",  # ERROR_NO_SYSTEM_RESOURCES
    1455: "ENOMEM",  # ERROR_COMMITMENT_LIMIT
    1816: "ENOMEM",  # ERROR_NOT_ENOUGH_QUOTA
    1920: "EACCES",  # ERROR_CANT_ACCESS_FILE: a reparse point that nothing follows, such as a socket's
    1921: "ELOOP",  # ERROR_CANT_RESOLVE_FILENAME
    # winerror.h: Winsock's
    10004: "EINTR",  # WSAEINTR
    10009: "EBADF",  # WSAEBADF
    10013: "EACCES",  # WSAEACCES
    10014: "EFAULT",  # WSAEFAULT
    10022: "EINVAL",  # WSAEINVAL
    10024: "EMFILE",  # WSAEMFILE
    10035: "EWOULDBLOCK",  # WSAEWOULDBLOCK
    10036: "EINPROGRESS",  # WSAEINPROGRESS
    10037: "EALREADY",  # WSAEALREADY
    10038: "ENOTSOCK",  # WSAENOTSOCK
    10039: "EDESTADDRREQ",  # WSAEDESTADDRREQ
    10040: "EMSGSIZE",  # WSAEMSGSIZE
    10041: "EPROTOTYPE",  # WSAEPROTOTYPE
    10042: "ENOPROTOOPT",  # WSAENOPROTOOPT
    10043: "EPROTONOSUPPORT",  # WSAEPROTONOSUPPORT
    10044: "ESOCKTNOSUPPORT",  # WSAESOCKTNOSUPPORT
    10045: "EOPNOTSUPP",  # WSAEOPNOTSUPP
    10046: "EPFNOSUPPORT",  # WSAEPFNOSUPPORT
    10047: "EAFNOSUPPORT",  # WSAEAFNOSUPPORT
    10048: "EADDRINUSE",  # WSAEADDRINUSE
    10049: "EADDRNOTAVAIL",  # WSAEADDRNOTAVAIL
    10050: "ENETDOWN",  # WSAENETDOWN
    10051: "ENETUNREACH",  # WSAENETUNREACH
    10052: "ENETRESET",  # WSAENETRESET
    10053: "ECONNABORTED",  # WSAECONNABORTED
    10054: "ECONNRESET",  # WSAECONNRESET
    10055: "ENOBUFS",  # WSAENOBUFS
    10056: "EISCONN",  # WSAEISCONN
    10057: "ENOTCONN",  # WSAENOTCONN
    10058: "EPIPE",  # WSAESHUTDOWN: what POSIX gives for a send after shutdown
    10059: "ETOOMANYREFS",  # WSAETOOMANYREFS
    10060: "ETIMEDOUT",  # WSAETIMEDOUT
    10061: "ECONNREFUSED",  # WSAECONNREFUSED
    10062: "ELOOP",  # WSAELOOP
    10063: "ENAMETOOLONG",  # WSAENAMETOOLONG
    10064: "EHOSTDOWN",  # WSAEHOSTDOWN
    10065: "EHOSTUNREACH",  # WSAEHOSTUNREACH
    10066: "ENOTEMPTY",  # WSAENOTEMPTY
    10067: "EAGAIN",  # WSAEPROCLIM: too many processes use Winsock
    10068: "EUSERS",  # WSAEUSERS
    10069: "EDQUOT",  # WSAEDQUOT
    10070: "ESTALE",  # WSAESTALE
    10071: "EREMOTE",  # WSAEREMOTE
    10091: "ENETDOWN",  # WSASYSNOTREADY
    10092: "ENOSYS",  # WSAVERNOTSUPPORTED
    10093: "ENETDOWN",  # WSANOTINITIALISED
    10101: "EPIPE",  # WSAEDISCON
    10103: "ECANCELED",  # WSAECANCELLED
    10111: "ECANCELED",  # WSA_E_CANCELLED
    10112: "ECONNREFUSED",  # WSAEREFUSED
}

GAI_NAMES: Final[dict[int, str]] = {
    8: "EAI_MEMORY",  # WSA_NOT_ENOUGH_MEMORY
    10022: "EAI_BADFLAGS",  # WSAEINVAL
    10044: "EAI_SOCKTYPE",  # WSAESOCKTNOSUPPORT
    10047: "EAI_FAMILY",  # WSAEAFNOSUPPORT
    10109: "EAI_SERVICE",  # WSATYPE_NOT_FOUND
    11001: "EAI_NONAME",  # WSAHOST_NOT_FOUND
    11002: "EAI_AGAIN",  # WSATRY_AGAIN
    11003: "EAI_FAIL",  # WSANO_RECOVERY
    11004: "EAI_NONAME",  # WSANO_DATA: the name is known and has no address; POSIX has one answer for both
    # glibc's, which Wine lets through (seen: -9)
    -1: "EAI_BADFLAGS",
    -2: "EAI_NONAME",
    -3: "EAI_AGAIN",
    -4: "EAI_FAIL",
    -5: "EAI_NONAME",  # EAI_NODATA, as WSANO_DATA
    -6: "EAI_FAMILY",
    -7: "EAI_SOCKTYPE",
    -8: "EAI_SERVICE",
    -9: "EAI_NONAME",  # EAI_ADDRFAMILY: the name has no address of that family
    -10: "EAI_MEMORY",
}
"""What getaddrinfo() gives on Winsock, by POSIX's name."""

_GAI_TEXTS: Final[dict[str, str]] = {
    "EAI_AGAIN": "Temporary failure in name resolution",
    "EAI_BADFLAGS": "Bad value for the flags",
    "EAI_FAIL": "Non-recoverable failure in name resolution",
    "EAI_FAMILY": "Address family not supported",
    "EAI_MEMORY": "Memory allocation failure",
    "EAI_NONAME": "Name or service not known",
    "EAI_SERVICE": "Service not supported for the socket type",
    "EAI_SOCKTYPE": "Socket type not supported",
}

UNKNOWN: Final = "EIO"
"""For a code that is not in the table: the errno that claims the least. CPython's own EINVAL would blame the
caller.
"""

# POSIX's words. os.strerror knows only the C runtime's on Windows: for 10061 it says "Unknown error".
_TEXTS: Final[dict[str, str]] = {
    "EACCES": "Permission denied",
    "EADDRINUSE": "Address already in use",
    "EADDRNOTAVAIL": "Cannot assign requested address",
    "EAFNOSUPPORT": "Address family not supported",
    "EAGAIN": "Resource temporarily unavailable",
    "EALREADY": "Connection already in progress",
    "EBADF": "Bad file descriptor",
    "EBUSY": "Device or resource busy",
    "ECANCELED": "Operation canceled",
    "ECONNABORTED": "Connection aborted",
    "ECONNREFUSED": "Connection refused",
    "ECONNRESET": "Connection reset by peer",
    "EDESTADDRREQ": "Destination address required",
    "EDQUOT": "Disk quota exceeded",
    "EEXIST": "File exists",
    "EFAULT": "Bad address",
    "EHOSTDOWN": "Host is down",
    "EHOSTUNREACH": "Host is unreachable",
    "EINPROGRESS": "Operation in progress",
    "EINTR": "Interrupted system call",
    "EINVAL": "Invalid argument",
    "EIO": "Input/output error",
    "EISCONN": "Socket is connected",
    "ELOOP": "Too many levels of symbolic links",
    "EMFILE": "Too many open files",
    "EMSGSIZE": "Message too long",
    "ENAMETOOLONG": "File name too long",
    "ENETDOWN": "Network is down",
    "ENETRESET": "Connection aborted by network",
    "ENETUNREACH": "Network is unreachable",
    "ENOBUFS": "No buffer space available",
    "ENOENT": "No such file or directory",
    "ENOMEM": "Cannot allocate memory",
    "ENOPROTOOPT": "Protocol not available",
    "ENOSPC": "No space left on device",
    "ENOSYS": "Function not implemented",
    "ENOTCONN": "Socket is not connected",
    "ENOTDIR": "Not a directory",
    "ENOTEMPTY": "Directory not empty",
    "ENOTSOCK": "Not a socket",
    "EOPNOTSUPP": "Operation not supported",
    "EPERM": "Operation not permitted",
    "EPFNOSUPPORT": "Protocol family not supported",
    "EPIPE": "Broken pipe",
    "EPROTONOSUPPORT": "Protocol not supported",
    "EPROTOTYPE": "Protocol wrong type for socket",
    "EREMOTE": "Object is remote",
    "EROFS": "Read-only file system",
    "ESOCKTNOSUPPORT": "Socket type not supported",
    "ESTALE": "Stale file handle",
    "ETIMEDOUT": "Connection timed out",
    "ETOOMANYREFS": "Too many references",
    "EUSERS": "Too many users",
    "EWOULDBLOCK": "Resource temporarily unavailable",
}


def name_of(code: int) -> str:
    """The POSIX errno's name for a Winsock or Win32 code."""
    return POSIX_NAMES.get(code, UNKNOWN)


def to_errno(code: int) -> int:
    """This platform's number for it: that of its own `errno` module, so 10061 is 10061 on Windows and 111 on
    Linux.
    """
    return number_of(name_of(code))


def number_of(name: str) -> int:
    """The number that this platform's `errno` module gives to a POSIX name; EIO's for one it lacks."""
    number: int = getattr(errno, name, errno.EIO)
    return number


def error(code: int, tried: str, filename: str | None = None) -> OSError:
    """The exception for a failed Windows call: its class and errno POSIX's, the code in `winerror`.

    `tried` completes the message: what was being done, in words, as in "creating the socket's file".
    """
    return named_error(name_of(code), tried, filename, code=code)


def named_error(name: str, tried: str, filename: str | None = None, *, code: int | None = None) -> OSError:
    """The same for an errno chosen by name: where a call's own meaning is not the table's, or no call failed
    at all.
    """
    text = f"{_TEXTS.get(name, name)} ({tried})"
    number = number_of(name)
    made = OSError(number, text) if filename is None else OSError(number, text, filename)
    if code is not None:
        made.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return made


def is_told(error: OSError) -> bool:
    """Whether it was made here, with POSIX's errno and what was tried, rather than by C."""
    return (error.strerror or "").endswith(")")


def retold(error: OSError, tried: str) -> OSError:
    """The same exception with a message that says what was being done; its words stay."""
    if error.errno is not None and error.strerror:
        error.strerror = f"{error.strerror.rsplit(' (', 1)[0]} ({tried})"
        error.args = (error.errno, error.strerror)
    return error


def pending(code: int, tried: str) -> OSError:
    """The exception for what `getsockopt(SO_ERROR)` gave: Winsock's own code there, an errno on POSIX."""
    if code in POSIX_NAMES and code >= WINSOCK:
        return error(code, tried)
    return named_error(errno.errorcode.get(code, UNKNOWN), tried)


CANCELLED: Final = (995, 10004)
"""What a call says that was cancelled: ERROR_OPERATION_ABORTED, or WSAEINTR (docs/decisions/0011)."""

WINSOCK: Final = 10000
"""Where Winsock's codes begin; no POSIX system has so many errnos."""


def timed_out() -> TimeoutError:
    """What a time-out raises: the standard library's words, and no errno."""
    return TimeoutError("timed out")


def gai_error(name: str, tried: str) -> _socket.gaierror:
    """What a failed name resolution raises: the errno is this platform's number for the EAI_ name."""
    number: int = getattr(_socket, name, _socket.EAI_FAIL)
    return _socket.gaierror(number, f"{_GAI_TEXTS.get(name, name)} ({tried})")
