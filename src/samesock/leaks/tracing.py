"""Recording where descriptors are opened, while somebody asks for it.

Sockets and files announce themselves by audit events, before their number exists: a socket's object is
remembered, a file's number is foreseen (the kernel gives the lowest free one). A few functions of `os`,
`select`, `socket` and `_winapi` have no event and are replaced while tracing is on by ones that note what
the real ones returned. Audit hooks cannot be taken back, so there is one, and it returns at once while
nobody traces. What must never be put here: anything that changes what a traced call returns or raises.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from samesock.fdtable import Space
from samesock.leaks.origins import HasFileno, Log, Origin, capture_stack
from samesock.leaks.owners import SOCKET

if TYPE_CHECKING:
    Call = Callable[..., Any]

log = Log()
"""The records of this process. Numbers are the process's own, so there can be only one log."""

scope: object = None
"""Whoever runs now: the plugin names the test or the fixture here, and each record keeps it."""

spawn_listeners: list[Callable[[], None]] = []
"""Called just before a process is started, to see what it might inherit."""

muted = 0
"""The thread that is looking at descriptors just now: what it opens for that is nobody's."""

_lock = threading.Lock()
_undo: list[tuple[object, str, object, object]] = []


class _Use:
    """How many asked for tracing, and whether the hook is there."""

    users = 0
    hooked = False


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


def _note(space: Space, numbers: Iterable[int], call: str, frame: FrameType | None) -> None:
    origin = Origin(next(log.serials), call, threading.get_ident(), scope, capture_stack(frame), given=True)
    for number in numbers:
        log.add_number(space, number, origin)


def _noting(real: Call, call: str, space: Space, numbers: Callable[[object], Iterable[int]]) -> Call:
    """A function that does what `real` does and notes the descriptors in what it returned."""

    @functools.wraps(real)
    def traced(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        value = real(*args, **kwargs)
        if _Use.users:  # who kept this function from an earlier tracing may still call it
            _note(space, numbers(value), call, sys._getframe(1))  # noqa: SLF001 - the documented way to a frame
        return value

    return traced


def _noting_dup2(real: Call) -> Call:
    """`os.dup2` by itself: pytest's capture calls it twelve times per test, for standard output and error."""

    @functools.wraps(real)
    def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
        __tracebackhide__ = True
        number: int = real(fd, fd2, inheritable)
        if number > 2 and _Use.users:
            _note("fd", (number,), "os.dup2", sys._getframe(1))  # noqa: SLF001
        return number

    return dup2


def _noting_close(real: Call, call: str, space: Space) -> Call:
    """A `close` of a bare number that remembers who called it: whoever closes another's descriptor does it
    so."""

    @functools.wraps(real)
    def traced(fd: int) -> None:
        __tracebackhide__ = True
        real(fd)
        frame = sys._getframe(1)  # noqa: SLF001
        stack = capture_stack(frame)
        log.closings[space, fd] = Origin(0, call, threading.get_ident(), scope, stack, given=True)

    return traced


def _noting_class(real: type, call: str, space: Space) -> type:
    """A stand-in for a class that refuses subclasses (epoll): it makes the real one and counts as it."""

    class Standing(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            value = real(*args, **kwargs)
            _note(space, _fileno(value), call, sys._getframe(1))  # noqa: SLF001
            return value

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real) or type.__subclasscheck__(cls, subclass)

        def __getattr__(cls, name: str) -> Any:
            return getattr(real, name)

    return Standing(real.__name__, (), {"__doc__": real.__doc__, "__module__": real.__module__})


def _replace(holder: object, name: str, new: object) -> None:
    _undo.append((holder, name, vars(holder)[name], new))
    setattr(holder, name, new)


def _wrap_all() -> None:
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
    selectors = importlib.import_module("selectors")
    for class_name, poller in SELECTORS:
        chosen = getattr(selectors, class_name, None)
        stand_in = getattr(importlib.import_module("select"), poller, None)
        if chosen is not None and "_selector_cls" in vars(chosen) and stand_in is not None:
            _replace(chosen, "_selector_cls", stand_in)
    if sys.platform == "win32":
        _wrap_windows_sockets()


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
        if fileno is not None and _Use.users:
            _note(SOCKET, [socket.socket.fileno(self)], "socket", sys._getframe(1))  # noqa: SLF001

    @functools.wraps(left)
    def detach(self: socket.socket) -> int:
        found = next((origin for origin in tuple(log.by_owner.values()) if _owns(origin, self)), None)
        number = left(self)
        if found is not None and number >= 0:
            log.add_number(SOCKET, number, found)
        return number

    _replace(socket.socket, "__init__", init)
    _replace(socket.socket, "detach", detach)


def _owns(origin: Origin, owner: object) -> bool:
    return origin.owner is not None and origin.owner() is owner


def _unwrap_all() -> None:
    """Put back what is still ours: who replaced it after us keeps theirs."""
    while _undo:
        holder, name, real, new = _undo.pop()
        if vars(holder).get(name) is new:
            setattr(holder, name, real)


def start() -> None:
    """Trace from now on; calls nest."""
    with _lock:
        _Use.users += 1
        if _Use.users > 1:
            return
        if not _Use.hooked:
            sys.addaudithook(_hear)
            _Use.hooked = True
        _wrap_all()


def stop() -> None:
    """Undo one `start`. The records stay, so that what is still open can be explained later."""
    with _lock:
        _Use.users -= 1
        if _Use.users == 0:
            _unwrap_all()


def active() -> bool:
    """Whether anybody traces."""
    return _Use.users > 0


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook. It sees every event of the process, so what is not wanted leaves within one look-up."""
    if not _Use.users:
        return
    act = _EVENTS.get(event)
    if act is None or muted == threading.get_ident():
        return
    try:
        act(event, args)
    except Exception:  # noqa: BLE001 - whatever goes wrong here must not become the traced call's error
        pass


def _hear_socket(_: str, args: tuple[Any, ...]) -> None:
    owner: HasFileno = args[0]
    frame = sys._getframe(2)  # noqa: SLF001
    origin = Origin(next(log.serials), "socket", threading.get_ident(), scope, capture_stack(frame))
    number = None
    if frame.f_code.co_name == "__init__" and "fileno" in frame.f_code.co_varnames:
        number = frame.f_locals.get("fileno")  # accept, socketpair, fromfd and detach pass a number on
    if isinstance(number, int):
        origin.given = True
        log.add_number(SOCKET, number, origin)
    elif number is None and foresee_socket is not None:
        foreseen = foresee_socket()
        if foreseen is not None:
            log.add_number(SOCKET, foreseen, origin)
    log.add_owner(owner, origin)


def _hear_path(event: str, args: tuple[Any, ...]) -> None:
    path = args[0] if args else None
    if isinstance(path, int):
        if event != "mmap.__new__" or path < 0:
            return  # open() of a number opens nothing
        path = None
    elif isinstance(path, bytes):
        path = os.fsdecode(path)
    elif path is not None and not isinstance(path, str):
        path = os.fspath(path)
    stack = capture_stack(sys._getframe(2))  # noqa: SLF001
    origin = Origin(next(log.serials), event, threading.get_ident(), scope, stack, path)
    foreseen = foresee_fd()
    if foreseen is not None:
        log.add_number("fd", foreseen, origin)
    if path is not None:
        log.add_name(path, origin)


def _hear_spawn(_: str, __: tuple[Any, ...]) -> None:
    for listener in tuple(spawn_listeners):
        listener()


_EVENTS: dict[str, Callable[[str, tuple[Any, ...]], None]] = {
    "socket.__new__": _hear_socket,
    "open": _hear_path,
    "os.scandir": _hear_path,
    "sqlite3.connect": _hear_path,
    "mmap.__new__": _hear_path,
    "subprocess.Popen": _hear_spawn,
    "os.fork": _hear_spawn,
    "os.forkpty": _hear_spawn,
    "os.posix_spawn": _hear_spawn,
}

_real_dup, _real_close = os.dup, os.close

if sys.platform == "win32":
    import msvcrt

    def foresee_fd() -> int | None:
        """The lowest free CRT descriptor: asking costs 1 us per descriptor and touches no handle."""
        for number in range(512):
            try:
                msvcrt.get_osfhandle(number)
            except OSError:
                return number
        return None

    foresee_socket: Callable[[], int | None] | None = None
else:

    def foresee_fd() -> int | None:
        """The lowest free number, by taking it for a moment (0.8 us); `None` when nothing can be duplicated.

        Standard error is duplicated because nobody keeps record locks on it: closing a duplicate drops those.
        """
        try:
            number = _real_dup(2)
        except OSError:
            return None
        _real_close(number)
        return number

    foresee_socket = foresee_fd
