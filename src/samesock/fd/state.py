"""What a descriptor is and may do: its kind, copies, flags, the objects around it, and its end.

What must never be put here: bytes that go through one (that is `flow`), and anything about one system.
"""

from __future__ import annotations

import sys
from typing import IO, Any

from samesock._errors import named_error
from samesock.fd.descriptor import Descriptor, Thing, number_of, socket_object
from samesock.fdtable.words import Kind

if sys.platform == "win32":
    from samesock.fd.windows import state as system
    from samesock.fd.windows.resolving import resolve
else:
    from samesock.fd.posix import state as system
    from samesock.fd.posix.resolving import resolve


def kind(thing: Thing, /) -> Kind:
    """What it is: "file", "dir", "pipe", "fifo", "socket", "tty", "char", "block", or another word of `Kind`.

    A terminal is "tty", Windows' console included; a character device that is none is "char".

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native; "fifo" is one of ours.
    """
    return system.kind(resolve(thing, "looking at"))


def resolved(thing: Thing, tried: str) -> Descriptor:
    """The descriptor that an argument means, with its table; for the modules that pass it on."""
    return resolve(thing, tried)


def is_open(thing: Thing, /) -> bool:
    """Whether it is open: False for a closed object, a number that nothing has, a negative one.

    Portability:
        Linux, macOS, FreeBSD, Windows: native.
    """
    try:
        return system.is_open(resolve(thing, "looking at"))
    except OSError:
        return False


def close(thing: Thing, /) -> None:
    """Close it, once: a second time is `EBADF`.

    An object is closed by its own `close`, which flushes and lets go of what it keeps beside the number; an
    object that has none does not own its descriptor, and that is a TypeError. For a number the caller says by
    calling that it owns it; an object that has the same number open does not learn of it, as with `os.close`.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native.

    References: POSIX `close`; Winsock `closesocket`.
    """
    if isinstance(thing, int):
        system.close(resolve(thing, "closing"))
        return
    number_of(thing, "closing")
    own = getattr(thing, "close", None)
    if own is None:
        raise TypeError(f"{thing!r} has no close(): it does not own its descriptor")
    own()


def dup(thing: Thing, /) -> Descriptor:
    """A second descriptor of the same thing, not inheritable; position and blocking mode are shared.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native.

    References: POSIX `dup`; Winsock `WSADuplicateSocketW`; Win32 `DuplicateHandle`.
    """
    made = system.dup(resolve(thing, "duplicating"))
    sock = socket_object(thing)
    if sock is not None and sys.platform == "win32" and sock.gettimeout() is not None:
        system.set_blocking(made, False)  # WSADuplicateSocketW does not promise to keep the mode
    return made


def dup2(thing: Thing, number: Thing, inheritable: bool = True) -> Descriptor:
    """Make `number` another descriptor of `thing`, closing what it was; inheritable unless told otherwise.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native among C runtime descriptors; absent for a socket or
        handle, whose number the system chooses (`EOPNOTSUPP`).

    References: POSIX `dup2`.
    """
    one = resolve(thing, "duplicating")
    return system.dup2(one, system.target(number, "duplicating to"), inheritable)


def get_blocking(thing: Thing, /) -> bool:
    """Whether reads and writes wait.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native for pipes; emulated for socket objects, by what they
        know; always True for files and terminals; absent for a socket's bare number (`EOPNOTSUPP`): Winsock
        cannot be asked.
    """
    one = resolve(thing, "asking the mode of")
    sock = socket_object(thing)
    if sock is not None and sys.platform == "win32":
        return sock.gettimeout() is None
    return system.get_blocking(one)


def set_blocking(thing: Thing, blocking: bool, /) -> None:
    """Have reads and writes wait, or not. A socket object's own time-out follows.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native for sockets and pipes; absent for files and terminals,
        which always wait (`EOPNOTSUPP`).
    """
    one = resolve(thing, "setting the mode of")
    sock = socket_object(thing)
    if sock is not None:
        sock.setblocking(blocking)
        return
    system.set_blocking(one, blocking)


def get_inheritable(thing: Thing, /) -> bool:
    """Whether a child process can get it.

    Portability:
        Linux, macOS, FreeBSD, Windows: native.
    """
    return system.get_inheritable(resolve(thing, "asking whether inheritable:"))


def set_inheritable(thing: Thing, inheritable: bool, /) -> None:
    """Let child processes get it, or not. See `spawn_passing`, which gives one child exactly some.

    Portability:
        Linux, macOS, FreeBSD, Windows: native. Wine: native for files and pipes, absent for sockets: a socket's
        number means nothing in the child.
    """
    one = resolve(thing, "making inheritable or not")
    sock = socket_object(thing)
    if sock is not None:
        sock.set_inheritable(inheritable)
        return
    system.set_inheritable(one, inheritable)


def pipe() -> tuple[Descriptor, Descriptor]:
    """A pipe: its read end and its write end, not inheritable, blocking.

    Portability:
        Linux, macOS, FreeBSD, Windows: native.

    References: POSIX `pipe`; Win32 `CreatePipe`.
    """
    return system.pipe()


def handle(thing: Thing, /) -> Descriptor:
    """The operating system's own handle: what foreign functions take. It belongs to whom it belonged to.

    Portability:
        Linux, macOS, FreeBSD: native, the same number. Windows: native, the HANDLE or SOCKET.
    """
    return system.handle(resolve(thing, "asking the handle of"))


def from_handle(value: int, /) -> Descriptor:
    """A descriptor, ready to use, for the operating system's handle; it takes the handle over.

    `EBADF` for what is no open handle, which then stays the caller's.

    Portability:
        Linux, macOS, FreeBSD: native, the same number. Windows: native; a socket stays a SOCKET, anything else
        gets a C runtime descriptor, and closing that closes the handle.
    """
    return system.from_handle(value)


def fdopen(thing: Thing, mode: str = "r", buffering: int = -1, **text: Any) -> IO[Any]:
    """A file object that reads and writes it; arguments are those of `open`.

    A number becomes the file's own, closed with it. An object goes on to own its descriptor: closing the file
    leaves it open. For a socket the modes are those of `socket.makefile` ("rwb" does both ways); an "r+" is the
    same.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native; but CPython's file on a console never closes the number.
    """
    one = resolve(thing, "opening")
    owned = isinstance(thing, int)
    if system.kind(one) == "socket":
        return _socket_file(thing, one, mode.replace("r+", "rw").replace("w+", "rw"), buffering, text)
    try:
        number, closes = system.stream(one, owned)
        file: IO[Any] = open(number, mode, buffering, closefd=closes, **text)  # noqa: SIM115
    except IsADirectoryError:
        raise named_error("EISDIR", f"opening {one!r} as a file") from None
    return file


def _socket_file(thing: Thing, one: Descriptor, mode: str, buffering: int, text: dict[str, Any]) -> IO[Any]:
    from samesock._socket import socket

    sock = socket_object(thing)
    if sock is not None:
        made: IO[Any] = sock.makefile(mode, buffering, **text)  # type: ignore[call-overload]
        return made
    # A socket object of the file's own, on the number itself: the file's last close closes it.
    own = socket(fileno=int(one))
    if not isinstance(thing, int):
        duplicate = own.dup()
        own.detach()
        own = duplicate
    try:
        made = own.makefile(mode, buffering, **text)  # type: ignore[call-overload]
    except BaseException:
        if isinstance(thing, int):
            own.detach()
        else:
            own.close()
        raise
    own.close()
    return made
