"""What looks like a living listener and is none: a reader's lock, another user's event."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

import samesock
from faults.children import LISTENER, child, says
from faults.refusals import refused
from faults.strangers import exchange
from samesock.backend._security_descriptor import SecurityDescriptor

needs_locks = pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="fcntl's locks are absent")

READER = """
    import fcntl, struct
    f = open(sys.argv[1], "rb")
    fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))  # F_OFD_SETLK
    print("locked", flush=True)
    sys.stdin.readline()
"""


@needs_locks
def test_readers_lock_does_not_feign_life(path: str) -> None:
    """A reader who holds a lock on the whole file does not keep a dead listener's name alive."""
    with child(LISTENER, path) as server:
        assert says(server) == "listening"
        # The reader's lock has to stay clear of the listener's until that is dead, as the kernel sees to.
        server.kill()
        server.wait()
    with child(READER, path) as reader:
        assert says(reader) == "locked"
        assert refused(path).errno == errno.ECONNREFUSED


@needs_locks
def test_readers_lock_does_not_hang_listen(path: str) -> None:
    """A reader who locks the file between bind() and listen() makes listen() fail, not spin."""
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(path)
        with child(READER, path) as reader:
            assert says(reader) == "locked"
            with pytest.raises(OSError) as caught:
                listener.listen(8)
            assert caught.value.errno == errno.EADDRINUSE
        listener.listen(8)
        listener.settimeout(20)
        exchange(path, listener)


@pytest.mark.skipif(not hasattr(ctypes, "WinDLL"), reason="named events (Win32) are absent")
def test_foreign_event_of_the_right_name(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of the right name that belongs to another user does not make a name live."""
    from samesock.backend import _windows_life

    class Foreign:
        """The security module, for whose answers all events belong to somebody else."""

        user = staticmethod(_windows_life.security.user)

        @staticmethod
        def of_handle(handle: int, tried: str) -> SecurityDescriptor:
            return SecurityDescriptor("S-1-5-21-1-2-3-1001", None)

    monkeypatch.setattr(_windows_life, "security", Foreign)
    assert refused(path).errno == errno.ECONNREFUSED
    monkeypatch.undo()
    listener.settimeout(20)
    exchange(path, listener)
