"""The functions that open a descriptor and announce it by no audit event, and what stands in for them while tracing.

Each stand-in does what the real one does and notes what that returned. Who kept one from an earlier tracing may go on
calling it, even while the interpreter ends: it only does what the real one does then (`multiprocessing.connection`
keeps `os.close` as a default, and its objects close themselves when everything else of a module has gone). What must
never be put here: anything that changes what a wrapped call returns or raises.
"""

from __future__ import annotations

import array
import functools
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from samesock.fdtable import Space
from samesock.leaks import recording
from samesock.leaks.origins import Origin, capture_stack
from samesock.leaks.owners import SOCKET

if TYPE_CHECKING:
    Call = Callable[..., Any]

_undo: list[tuple[object, str, object, object]] = []


def _tracing(
    state: recording.State = recording.state, ending: Callable[[], bool] = sys.is_finalizing
) -> bool:
    """Whether to note anything; bound here, since an interpreter that ends takes a module's names away."""
    return state.users > 0 and not ending()


def _all(value: object) -> Iterable[int]:
    """The descriptors in what a call returned: one number, or several."""
    if isinstance(value, int):
        return (value,)
    return [part for part in value if isinstance(part, int)] if isinstance(value, tuple) else ()


def _second(value: object) -> Iterable[int]:
    """For `recv_fds`: (data, descriptors, flags, address)."""
    return list(value[1]) if isinstance(value, tuple) else ()


def _only_second(value: object) -> Iterable[int]:
    """For `forkpty`: (pid, descriptor), and the child sees a descriptor of -1."""
    return [value[1]] if isinstance(value, tuple) else ()


def _fileno(value: object) -> Iterable[int]:
    """For objects like epoll."""
    return [value.fileno()] if hasattr(value, "fileno") else ()


WRAPPED: tuple[tuple[str, str, Space, Callable[[object], Iterable[int]]], ...] = (
    ("os", "pipe", "fd", _all),
    ("os", "pipe2", "fd", _all),
    ("os", "dup", "fd", _all),
    ("os", "openpty", "fd", _all),
    ("os", "forkpty", "fd", _only_second),
    ("os", "eventfd", "fd", _all),
    ("os", "memfd_create", "fd", _all),
    ("os", "pidfd_open", "fd", _all),
    ("os", "timerfd_create", "fd", _all),
    ("os", "posix_openpt", "fd", _all),
    ("select", "epoll", "fd", _fileno),
    ("select", "kqueue", "fd", _fileno),
    ("select", "devpoll", "fd", _fileno),
    ("socket", "dup", "fd", _all),
    ("socket", "recv_fds", "fd", _second),
    ("_posixshmem", "shm_open", "fd", _all),
    ("msvcrt", "open_osfhandle", "fd", _all),
    ("_winapi", "CreatePipe", "handle", _all),
    ("_winapi", "CreateNamedPipe", "handle", _all),
    ("_winapi", "CreateFile", "handle", _all),
    ("_winapi", "DuplicateHandle", "handle", _all),
)
"""What has no audit event, or none that tells the number, with the table its numbers belong to."""

SELECTORS = (("EpollSelector", "epoll"), ("KqueueSelector", "kqueue"), ("DevpollSelector", "devpoll"))
"""The classes of `selectors` that keep their poller's class in `_selector_cls`, bound when they were
imported."""


def _noting(real: Call, call: str, space: Space, numbers: Callable[[object], Iterable[int]]) -> Call:
    """A function that does what `real` does and notes the descriptors in what it returned."""

    tracing = _tracing

    @functools.wraps(real)
    def traced(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        value = real(*args, **kwargs)
        if tracing():
            recording.note(space, numbers(value), call, sys._getframe(1))  # noqa: SLF001 - the documented way to a frame
        return value

    return traced


def _noting_dup2(real: Call) -> Call:
    """`os.dup2` by itself: pytest's capture calls it twelve times per test, for standard output and error."""

    tracing = _tracing

    @functools.wraps(real)
    def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
        __tracebackhide__ = True
        number: int = real(fd, fd2, inheritable)
        if number > 2 and tracing():
            recording.note("fd", (number,), "os.dup2", sys._getframe(1))  # noqa: SLF001
        return number

    return dup2


def _noting_fcntl(real: Call, commands: frozenset[object]) -> Call:
    """`fcntl.fcntl`, which duplicates by two of its commands."""
    tracing = _tracing

    @functools.wraps(real)
    def fcntl(fd: object, cmd: int, arg: object = 0) -> Any:
        __tracebackhide__ = True
        value = real(fd, cmd, arg)
        if cmd in commands and tracing():
            recording.note("fd", _all(value), "fcntl.fcntl", sys._getframe(1))  # noqa: SLF001
        return value

    return fcntl


def _noting_recvmsg(real: Call, call: str, socket: ModuleType) -> Call:
    """`recvmsg` or `recvmsg_into`, whose ancillary data may hold descriptors."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    tracing = _tracing

    @functools.wraps(real)
    def recvmsg(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        value = real(*args, **kwargs)
        if value[1] and tracing():
            for *kind, data in value[1]:
                if tuple(kind) == rights:
                    whole = array.array("i", data[: len(data) - len(data) % array.array("i").itemsize])
                    recording.note("fd", whole, call, sys._getframe(1))  # noqa: SLF001
        return value

    return recvmsg


def _noting_close(real: Call, call: str, space: Space) -> Call:
    """A `close` of a bare number that remembers who called it: whoever closes another's descriptor does it
    so."""
    tracing = _tracing

    @functools.wraps(real)
    def traced(fd: int) -> None:
        __tracebackhide__ = True
        real(fd)
        if not tracing():
            return
        frame = sys._getframe(1)  # noqa: SLF001
        stack = capture_stack(frame)
        recording.log.closings[space, fd] = Origin(
            0, call, threading.get_ident(), recording.state.scope, stack, given=True
        )

    return traced


def _noting_class(real: type, call: str, space: Space) -> type:
    """A stand-in for a class that refuses subclasses (epoll): it makes the real one and counts as it."""

    tracing = _tracing

    class Standing(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            value = real(*args, **kwargs)
            if tracing():
                recording.note(space, _fileno(value), call, sys._getframe(1))  # noqa: SLF001
            return value

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real) or type.__subclasscheck__(cls, subclass)

        def __getattr__(cls, name: str) -> Any:
            return getattr(real, name)

    return Standing(real.__name__, (), {"__doc__": real.__doc__, "__module__": real.__module__})


_INHERITED = object()
"""What stands for a name that the holder had not itself."""


def _replace(holder: object, name: str, new: object) -> None:
    _undo.append((holder, name, vars(holder).get(name, _INHERITED), new))
    setattr(holder, name, new)


def wrap_all() -> None:
    """Put the noting functions in place of the real ones."""
    for module_name, name, space, numbers in WRAPPED:
        try:
            module: ModuleType = importlib.import_module(module_name)
        except ImportError:
            continue
        real = getattr(module, name, None)
        call = f"{module_name}.{name}"
        if isinstance(real, type):
            _replace(module, name, _noting_class(real, call, space))
        elif real is not None:
            _replace(module, name, _noting(real, call, space, numbers))
    _replace(os, "dup2", _noting_dup2(os.dup2))
    for module_name, space in (("os", "fd"), ("socket", SOCKET)):
        module = importlib.import_module(module_name)
        _replace(module, "close", _noting_close(module.close, f"{module_name}.close", space))
    _wrap_duplicating()
    _wrap_receiving()
    selectors = importlib.import_module("selectors")
    for class_name, poller in SELECTORS:
        chosen = getattr(selectors, class_name, None)
        stand_in = getattr(importlib.import_module("select"), poller, None)
        if chosen is not None and "_selector_cls" in vars(chosen) and stand_in is not None:
            _replace(chosen, "_selector_cls", stand_in)
    if sys.platform == "win32":
        _wrap_windows_sockets()


def _wrap_duplicating() -> None:
    """`fcntl.fcntl`, where there is one."""
    try:
        fcntl: ModuleType = importlib.import_module("fcntl")
    except ImportError:
        return
    names = ("F_DUPFD", "F_DUPFD_CLOEXEC")
    commands = frozenset(getattr(fcntl, name) for name in names if hasattr(fcntl, name))
    _replace(fcntl, "fcntl", _noting_fcntl(fcntl.fcntl, commands))


def _wrap_receiving() -> None:
    """The methods that receive descriptors: put before those that `socket.socket` inherits from the C class."""
    socket: ModuleType = importlib.import_module("socket")
    if not hasattr(socket, "SCM_RIGHTS"):
        return
    for name in ("recvmsg", "recvmsg_into"):
        real = getattr(socket.socket, name, None)
        if real is not None:
            _replace(socket.socket, name, _noting_recvmsg(real, f"socket.{name}", socket))


def _wrap_windows_sockets() -> None:
    """Where a socket's number cannot be foreseen, note it when an object takes it over and when it leaves one.

    CPython announces no socket there that is made from a number: accept, dup, fromfd, another process's.
    """
    import socket

    made, left = socket.socket.__init__, socket.socket.detach

    @functools.wraps(made)
    def init(
        self: socket.socket, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        made(self, family, type, proto, fileno)
        if fileno is not None and _tracing():
            recording.note(SOCKET, [socket.socket.fileno(self)], "socket", sys._getframe(1))  # noqa: SLF001

    @functools.wraps(left)
    def detach(self: socket.socket) -> int:
        found = next(
            (origin for origin in tuple(recording.log.by_owner.values()) if _owns(origin, self)), None
        )
        number = left(self)
        if found is not None and number >= 0:
            recording.log.add_number(SOCKET, number, found)
        return number

    _replace(socket.socket, "__init__", init)
    _replace(socket.socket, "detach", detach)


def _owns(origin: Origin, owner: object) -> bool:
    return origin.owner is not None and origin.owner() is owner


def unwrap_all() -> None:
    """Put back what is still ours: who replaced it after us keeps theirs."""
    while _undo:
        holder, name, real, new = _undo.pop()
        if vars(holder).get(name) is not new:
            continue
        if real is _INHERITED:
            delattr(holder, name)
        else:
            setattr(holder, name, real)
