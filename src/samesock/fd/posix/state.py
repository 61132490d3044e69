"""Kind, copies, flags and end of a descriptor, by `os`, `fcntl` and `stat`.

What must never be put here: bytes that go through one.
"""

from __future__ import annotations

import fcntl
import functools
import os
import stat
import sys

from samesock.fd.descriptor import Descriptor, Thing, told
from samesock.fd.posix.resolving import resolve
from samesock.fdtable import linux_kinds
from samesock.fdtable.words import Kind

assert sys.platform != "win32"

target = resolve


def kind(one: Descriptor) -> Kind:
    """By mode, and where that does not tell, by Linux's link in /proc."""
    try:
        about = os.fstat(one)
    except OSError as error:
        raise told(error, f"looking at descriptor {one}") from None
    if stat.S_ISCHR(about.st_mode):
        return "tty" if os.isatty(one) else "char"
    if stat.S_ISFIFO(about.st_mode):
        return "pipe" if about.st_dev == _pipes_device() else "fifo"
    try:
        link = os.readlink(f"/proc/self/fd/{one}")
    except OSError:
        link = "/"  # no /proc: the mode alone decides
    return linux_kinds.kind(about.st_mode, about.st_rdev, link)


@functools.lru_cache(maxsize=1)
def _pipes_device() -> int:
    """The device that nameless pipes are on: Linux's pipefs, and 0 on macOS, where a FIFO is on its disk's."""
    ends = os.pipe()
    try:
        return os.fstat(ends[0]).st_dev
    finally:
        os.close(ends[0])
        os.close(ends[1])


def is_open(one: Descriptor) -> bool:
    """F_GETFD answers for whatever is open, O_PATH included."""
    try:
        fcntl.fcntl(one, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def close(one: Descriptor) -> None:
    """close(2)."""
    try:
        os.close(one)
    except OSError as error:
        raise told(error, f"closing descriptor {one}") from None


def dup(one: Descriptor) -> Descriptor:
    """F_DUPFD_CLOEXEC."""
    try:
        return Descriptor(os.dup(one))
    except OSError as error:
        raise told(error, f"duplicating descriptor {one}") from None


def dup2(one: Descriptor, other: Descriptor, inheritable: bool) -> Descriptor:
    """dup2(2), or dup3(2)."""
    try:
        return Descriptor(os.dup2(one, other, inheritable))
    except OSError as error:
        raise told(error, f"duplicating descriptor {one} to {other}") from None


def get_blocking(one: Descriptor) -> bool:
    """No O_NONBLOCK."""
    try:
        return os.get_blocking(one)
    except OSError as error:
        raise told(error, f"asking the mode of descriptor {one}") from None


def set_blocking(one: Descriptor, blocking: bool) -> None:
    """O_NONBLOCK, which copies share."""
    try:
        os.set_blocking(one, blocking)
    except OSError as error:
        raise told(error, f"making descriptor {one} {'' if blocking else 'non-'}blocking") from None


def get_inheritable(one: Descriptor) -> bool:
    """No FD_CLOEXEC."""
    try:
        return os.get_inheritable(one)
    except OSError as error:
        raise told(error, f"asking whether descriptor {one} is inheritable") from None


def set_inheritable(one: Descriptor, inheritable: bool) -> None:
    """FD_CLOEXEC."""
    try:
        os.set_inheritable(one, inheritable)
    except OSError as error:
        raise told(error, f"making descriptor {one} inheritable or not") from None


def pipe() -> tuple[Descriptor, Descriptor]:
    """pipe2(2), close-on-exec."""
    reader, writer = os.pipe()
    return Descriptor(reader), Descriptor(writer)


def handle(one: Descriptor) -> Descriptor:
    """The number itself."""
    _require_open(one, "asking the handle of")
    return one


def from_handle(value: Thing) -> Descriptor:
    """The number itself."""
    one = resolve(value, "taking over")
    _require_open(one, "taking over")
    return one


def stream(one: Descriptor, owned: bool) -> tuple[int, bool]:
    """The number that `open` takes, and whether the file is to close it."""
    return int(one), owned


def _require_open(one: Descriptor, tried: str) -> None:
    try:
        fcntl.fcntl(one, fcntl.F_GETFD)
    except OSError as error:
        raise told(error, f"{tried} descriptor {one}") from None
