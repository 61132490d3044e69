"""Recording where descriptors are opened, while somebody asks for it.

Sockets and files announce themselves by audit events, before their number exists: a socket's object is
remembered, a file's number is foreseen (the kernel gives the lowest free one). A few functions of `os`,
`select`, `socket` and `_winapi` have no event and are replaced while tracing is on by ones that note what
the real ones returned. Audit hooks cannot be taken back, so there is one, and it returns at once while
nobody traces. What must never be put here: anything that changes what a traced call returns or raises.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from samesock.leaks.origins import HasFileno, Origin, capture_stack
from samesock.leaks.owners import SOCKET
from samesock.leaks.recording import log, spawn_listeners, state
from samesock.leaks.wrapping import unwrap_all, wrap_all

_lock = threading.Lock()


def start() -> None:
    """Trace from now on; calls nest."""
    with _lock:
        state.users += 1
        if state.users > 1:
            return
        if not state.hooked:
            sys.addaudithook(_hear)
            state.hooked = True
        wrap_all()


def stop() -> None:
    """Undo one `start`. The records stay, so that what is still open can be explained later."""
    with _lock:
        state.users -= 1
        if state.users == 0:
            unwrap_all()


def _hear_socket(_: str, args: tuple[Any, ...]) -> None:
    owner: HasFileno = args[0]
    frame = sys._getframe(2)  # noqa: SLF001
    origin = Origin(log.next_serial(), "socket", threading.get_ident(), state.scope, capture_stack(frame))
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
    name = None
    if isinstance(path, int):
        if event != "mmap.__new__" or path < 0:
            return  # open() of a number opens nothing
        # On Windows a map duplicates the file's handle, whose number nobody can foresee: the file's name tells.
        opened = log.by_number.get(("fd", path))
        path, name = None, None if opened is None else opened.path
    elif isinstance(path, bytes):
        path = os.fsdecode(path)
    elif path is not None and not isinstance(path, str):
        path = os.fspath(path)
    stack = capture_stack(sys._getframe(2))  # noqa: SLF001
    origin = Origin(log.next_serial(), event, threading.get_ident(), state.scope, stack, path)
    foreseen = foresee_fd()
    if foreseen is not None:
        log.add_number("fd", foreseen, origin)
    if path is not None or name is not None:
        log.add_name(path or name or "", origin)


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


def _hear(
    event: str,
    args: tuple[Any, ...],
    find: Callable[[str], Callable[[str, tuple[Any, ...]], None] | None] = _EVENTS.get,
) -> None:
    """The audit hook. It sees every event of the process, so what is not wanted leaves within one look-up.

    `find` is bound here because an interpreter that ends takes a module's names away and goes on telling of events.
    """
    act = find(event)
    if act is None:
        return
    try:
        if state.users and state.muted != threading.get_ident():
            act(event, args)
    except Exception:  # noqa: BLE001 - whatever goes wrong here must not become the traced call's error
        pass


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
