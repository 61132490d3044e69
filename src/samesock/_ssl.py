"""TLS over a socket of ours where the standard library's `SSLSocket` cannot ask for a Unix peer's name.

`SSLContext.wrap_socket` makes a new object of `context.sslsocket_class` from family, type and descriptor; ours is
both an `ssl.SSLSocket` and a `samesock.socket`, so it finds the Unix socket's end again. What must never be put here:
anything of TLS itself.
"""

from __future__ import annotations

import ssl
from typing import NoReturn, SupportsIndex

from samesock._socket import socket


class SSLSocket(ssl.SSLSocket, socket):  # type: ignore[misc]  # accept gives TLS sockets here
    """`context.sslsocket_class = samesock.SSLSocket`, then `context.wrap_socket(sock)` as ever.

    Portability:
        Linux, macOS, FreeBSD: native (not needed there). Windows: native or emulated, as the socket; needed for AF_UNIX
        unless `install()` was called.
    """

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """A TLS connection has state that does not travel."""
        raise TypeError(f"cannot pickle {self.__class__.__name__!r} object")
