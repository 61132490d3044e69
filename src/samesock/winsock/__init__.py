"""BSD's promises for the sockets of Winsock: where C's own methods do otherwise on Windows.

`samesock.socket` takes these classes of methods there, in front of those of `unix.dispatch`, to which they hand every
AF_UNIX socket. Each file has one subject: `addresses` (bind, listen, accept, connect, names), `data` (send and recv),
`messages` (sendmsg and recvmsg), `options`, `ending` (close, shutdown), `closed` (the rest, of a closed socket), and
under them all `blocking`, through which every call goes that may block or fail. Beside them: `connecting`, `binding`,
`sending`, `receiving`, `waiting`, `resolution` (names), `failing` (what an error means), `stream_error` (what one means
for the calls after it). The functions of the system are in the replaceable table `calls`. What must never be put here:
Unix sockets (`samesock.unix`), foreign declarations (`samesock.ffi`), and codes (`samesock._errors`).

Everything here can be imported and driven on any system: the table's entries are `_socket.socket`'s own functions,
which on Linux are the kernel's, so the conformance suite runs this package over libc, too.
"""

from __future__ import annotations

import _socket


def method_classes() -> list[type]:
    """The classes of methods, in the order in which `samesock.socket` inherits them."""
    from samesock.unix.calls import calls as unix_calls
    from samesock.winsock import closed
    from samesock.winsock.addresses import AddressMethods
    from samesock.winsock.data import DataMethods
    from samesock.winsock.ending import EndingMethods
    from samesock.winsock.messages import MessageMethods
    from samesock.winsock.options import OptionMethods

    if hasattr(_socket.socket, "share"):
        from samesock.winsock import direct  # noqa: F401  (now: no program's first recv is to wait for an import)

        unix_calls.send_waiting = DataMethods.send
    return [
        AddressMethods,
        DataMethods,
        MessageMethods,
        OptionMethods,
        EndingMethods,
        *closed.method_classes(),
    ]
