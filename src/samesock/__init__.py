"""The same BSD sockets on every operating system: `import samesock as socket`.

Names only: everything of the standard library's `socket`, and what samesock adds, each from the module that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # First, so that type checkers keep these and not the standard library's of the same names.
    from samesock._constants import EAI_ADDRFAMILY as EAI_ADDRFAMILY
    from samesock._constants import EAI_AGAIN as EAI_AGAIN
    from samesock._constants import EAI_BADFLAGS as EAI_BADFLAGS
    from samesock._constants import EAI_FAIL as EAI_FAIL
    from samesock._constants import EAI_FAMILY as EAI_FAMILY
    from samesock._constants import EAI_MEMORY as EAI_MEMORY
    from samesock._constants import EAI_NODATA as EAI_NODATA
    from samesock._constants import EAI_NONAME as EAI_NONAME
    from samesock._constants import EAI_OVERFLOW as EAI_OVERFLOW
    from samesock._constants import EAI_SERVICE as EAI_SERVICE
    from samesock._constants import EAI_SOCKTYPE as EAI_SOCKTYPE
    from samesock._constants import EAI_SYSTEM as EAI_SYSTEM
    from samesock._constants import MSG_DONTWAIT as MSG_DONTWAIT
    from samesock._constants import MSG_NOSIGNAL as MSG_NOSIGNAL
    from samesock._passing import SCM_RIGHTS as SCM_RIGHTS
    from samesock._passing import recv_fds as recv_fds
    from samesock._passing import send_fds as send_fds
    from samesock._socket import close as close
    from samesock._socket import create_connection as create_connection
    from samesock._socket import create_server as create_server
    from samesock._socket import dup as dup
    from samesock._socket import fromfd as fromfd
    from samesock._socket import fromshare as fromshare
    from samesock._socket import getaddrinfo as getaddrinfo
    from samesock._socket import socket as socket
    from samesock._socket import socketpair as socketpair

import socket as _standard
from socket import *  # type: ignore[assignment,no-redef,unused-ignore]
from socket import AddressInfo as AddressInfo
from socket import MsgFlag as MsgFlag
from socket import SocketIO as SocketIO
from socket import __all__ as _standard_names

from samesock import _environment as _environment
from samesock._constants import EAI_ADDRFAMILY as EAI_ADDRFAMILY
from samesock._constants import EAI_AGAIN as EAI_AGAIN
from samesock._constants import EAI_BADFLAGS as EAI_BADFLAGS
from samesock._constants import EAI_FAIL as EAI_FAIL
from samesock._constants import EAI_FAMILY as EAI_FAMILY
from samesock._constants import EAI_MEMORY as EAI_MEMORY
from samesock._constants import EAI_NODATA as EAI_NODATA
from samesock._constants import EAI_NONAME as EAI_NONAME
from samesock._constants import EAI_OVERFLOW as EAI_OVERFLOW
from samesock._constants import EAI_SERVICE as EAI_SERVICE
from samesock._constants import EAI_SOCKTYPE as EAI_SOCKTYPE
from samesock._constants import EAI_SYSTEM as EAI_SYSTEM
from samesock._constants import MSG_DONTWAIT as MSG_DONTWAIT
from samesock._constants import MSG_NOSIGNAL as MSG_NOSIGNAL
from samesock._family import AF_UNIX as AF_UNIX
from samesock._passing import SCM_RIGHTS as SCM_RIGHTS
from samesock._passing import recv_fds as recv_fds
from samesock._passing import send_fds as send_fds
from samesock._socket import close as close
from samesock._socket import create_connection as create_connection
from samesock._socket import create_server as create_server
from samesock._socket import dup as dup
from samesock._socket import fromfd as fromfd
from samesock._socket import fromshare as fromshare
from samesock._socket import getaddrinfo as getaddrinfo
from samesock._socket import socket as socket
from samesock._socket import socketpair as socketpair
from samesock._version import __version__ as __version__
from samesock.winsock import names as _winsock_names

if TYPE_CHECKING:
    from samesock._features import features as features
    from samesock._install import install as install
    from samesock._install import uninstall as uninstall
    from samesock._ssl import SSLSocket as SSLSocket
    from samesock.unix.names import unix_path as unix_path
    from samesock.unix.peers import PeerCred as PeerCred
    from samesock.unix.peers import peercred as peercred
    from samesock.winsock.control import CMSG_LEN as CMSG_LEN
    from samesock.winsock.control import CMSG_SPACE as CMSG_SPACE

_LATER = {
    "PeerCred": "samesock.unix",
    "SSLSocket": "samesock._ssl",
    "features": "samesock._features",
    "install": "samesock._install",
    "peercred": "samesock.unix.peers",
    "uninstall": "samesock._install",
    "unix_path": "samesock.unix.names",
}
"""What is imported when it is first asked for, so that a plain `import samesock` costs what it must."""

_added = _winsock_names.added()
globals().update(_added)
if _added:
    _LATER.update(CMSG_LEN="samesock.winsock.control", CMSG_SPACE="samesock.winsock.control")

__all__ = [
    "AF_UNIX",
    "AddressInfo",
    "EAI_ADDRFAMILY",
    "EAI_AGAIN",
    "EAI_BADFLAGS",
    "EAI_FAIL",
    "EAI_FAMILY",
    "EAI_MEMORY",
    "EAI_NODATA",
    "EAI_NONAME",
    "EAI_OVERFLOW",
    "EAI_SERVICE",
    "EAI_SOCKTYPE",
    "EAI_SYSTEM",
    "MSG_DONTWAIT",
    "MSG_NOSIGNAL",
    "MsgFlag",
    "SCM_RIGHTS",
    "SocketIO",
    "create_connection",
    "create_server",
    "fromfd",
    "recv_fds",
    "send_fds",
    "getaddrinfo",
    "socket",
    "socketpair",
    *_added,
    *_LATER,
    *_standard_names,
]


def __getattr__(name: str) -> Any:
    """Import one of the names that come later; what else the standard library's module has is had from there."""
    if name in _LATER:
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_LATER[name]), name)
        return value
    # `_GLOBAL_DEFAULT_TIMEOUT` and `EBADF` are used by programs, public or not. No module: its `selectors` is not ours.
    value = None if name.startswith("__") else getattr(_standard, name, None)
    if value is None or isinstance(value, type(_standard)):
        raise AttributeError(f"module 'samesock' has no attribute {name!r}")
    return value
