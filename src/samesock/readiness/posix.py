"""What the POSIX pollers have in common: numbers, files that are always ready, and processes.

A process is watched through a descriptor that becomes readable when it ends: a pidfd, or, where there is none, a pipe
whose writing end is closed by a thread in `waitid(WNOWAIT)`. Neither reaps: `popen.wait()` afterwards gives the status
as ever. What must never be put here: the waiting itself.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from selectors import EVENT_READ, SelectorKey
from typing import Any

from samesock.readiness.registry import FileObject, Identity, Registry

# Any: half of what is asked of it exists on one system only, and is looked for before it is called.
_os: Any = os


def number_of(fileobj: FileObject) -> int:
    """The descriptor's number; `ValueError` for what has none."""
    if isinstance(fileobj, int):
        number = int(fileobj)  # a plain one: what is a subclass may be equal to other things
    else:
        try:
            number = int(fileobj.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fileobj!r}") from None
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return number


def is_process(fileobj: FileObject) -> bool:
    """Whether it is a child process as `subprocess.Popen` makes them."""
    return (
        isinstance(getattr(fileobj, "pid", None), int)
        and hasattr(fileobj, "poll")
        and not hasattr(fileobj, "fileno")
    )


def is_always_ready(number: int) -> bool:
    """Whether it is a regular file or a directory; `OSError` (EBADF) for a number that is not open."""
    mode = os.fstat(number).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


class PosixSelector(Registry):
    """A selector whose identities are descriptors' numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._always: dict[int, None] = {}
        self._ready_end = -1
        self._process_ends: dict[Identity, int] = {}

    def watch(self, number: int, events: int) -> bool:
        """Have the kernel watch a number; False for one that is always ready."""
        raise NotImplementedError

    def rewatch(self, number: int, events: int) -> None:
        """Have the kernel watch a number for other events."""
        raise NotImplementedError

    def unwatch(self, number: int) -> None:
        """Have the kernel stop, if it still watches it."""
        raise NotImplementedError

    def identify(self, fileobj: FileObject) -> Identity:
        if is_process(fileobj):
            raise ValueError("a process has no number before it is registered")
        return number_of(fileobj)

    def number(self, identity: Identity) -> int:
        assert isinstance(identity, int)
        return identity

    def register(self, fileobj: FileObject, events: int, data: Any = None) -> SelectorKey:
        if not is_process(fileobj):
            return super().register(fileobj, events, data)
        if events != EVENT_READ:
            raise ValueError("a process can be waited for with EVENT_READ alone")
        if any(key.fileobj is fileobj for key in self.keys_by_identity.values()):
            raise KeyError(f"{fileobj!r} is already registered")
        self.check(events)
        end = process_end(fileobj)
        try:
            key = self.add(end, fileobj, events, data)
        except BaseException:
            os.close(end)
            raise
        self._process_ends[end] = end
        return key

    def modify(self, fileobj: FileObject, events: int, data: Any = None) -> SelectorKey:
        if events != EVENT_READ and is_process(fileobj):
            raise ValueError("a process can be waited for with EVENT_READ alone")
        return super().modify(fileobj, events, data)

    def begin(self, identity: Identity, fileobj: FileObject, events: int) -> None:  # noqa: ARG002 -- the contract's
        number = self.number(identity)
        if not self.watch(number, events):
            self._always[number] = None
            if self._ready_end < 0:
                self._ready_end = ready_end()
                self.watch(self._ready_end, EVENT_READ)

    def change(self, identity: Identity, events: int) -> None:
        number = self.number(identity)
        if number not in self._always:
            self.rewatch(number, events)

    def end(self, identity: Identity) -> None:
        number = self.number(identity)
        if number in self._always:
            del self._always[number]
            if not self._always:
                self._drop_ready_end()
        else:
            self.unwatch(number)
        if self._process_ends.pop(identity, None) is not None:
            os.close(number)

    def close(self) -> None:
        for number in self._process_ends.values():
            os.close(number)
        self._process_ends.clear()
        self._always.clear()
        self._drop_ready_end()
        super().close()

    def _drop_ready_end(self) -> None:
        end, self._ready_end = self._ready_end, -1
        if end >= 0:
            self.unwatch(end)
            os.close(end)

    def add_always(self, ready: list[tuple[SelectorKey, int]]) -> None:
        """Put the keys that are always ready into the result. While there are any, the kernel watches a pipe that has
        ended, so a wait returns at once: one, too, that had begun when the first was registered by another thread."""
        for number in list(self._always):
            key = self.keys_by_identity.get(number)
            if key is not None:
                ready.append((key, key.events))


def ready_end() -> int:
    """A new descriptor that is readable for ever: the end of a pipe that nobody writes to."""
    reader, writer = os.pipe()
    os.close(writer)
    return reader


def process_end(process: FileObject) -> int:
    """A new descriptor that is readable once the process has ended, for the caller to close."""
    if process.returncode is None and hasattr(os, "pidfd_open"):
        try:
            return int(_os.pidfd_open(process.pid))
        except OSError as error:
            # ENOSYS, EPERM: an old kernel, or a sandbox. EINVAL: a number that is no process' any more.
            if error.errno not in (errno.ENOSYS, errno.EPERM, errno.ESRCH, errno.EINVAL):
                raise
    reader, writer = os.pipe()
    if process.returncode is not None:
        os.close(writer)
        return reader
    threading.Thread(target=_close_at_end, args=(process.pid, writer), daemon=True).start()
    return reader


def _close_at_end(pid: int, writer: int) -> None:
    try:
        _os.waitid(_os.P_PID, pid, _os.WEXITED | _os.WNOWAIT)
    except ChildProcessError:
        pass  # somebody else has reaped it: it has ended
    finally:
        os.close(writer)
