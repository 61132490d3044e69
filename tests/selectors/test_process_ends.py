"""A process' end as a descriptor where the system has no pidfd, or refuses one."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys

import pytest

from samesock.readiness import posix

pytestmark = pytest.mark.skipif(not hasattr(os, "waitid"), reason="select-process: needs os.waitid")


def child() -> subprocess.Popen[bytes]:
    """A process that ends when its input does."""
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)


def readable(number: int, seconds: float) -> bool:
    """Whether the end has come."""
    return bool(select.select([number], [], [], seconds)[0])


@pytest.mark.parametrize("refusal", [None, errno.ENOSYS, errno.EPERM])
def test_a_thread_waits_instead(refusal: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pidfd a pipe tells the end, not before it, and the status is still there for wait()."""

    def refused(_: int) -> int:
        raise OSError(refusal, "scripted")

    if refusal is None:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    else:
        monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    with child() as process:
        end = posix.process_end(process)  # type: ignore[arg-type]
        try:
            assert not readable(end, 0.05)
            assert process.stdin is not None
            process.stdin.close()
            assert readable(end, 30)
            assert process.wait() == 0
        finally:
            os.close(end)


def test_another_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full table of descriptors is no reason to start a thread: EMFILE comes through."""

    def refused(_: int) -> int:
        raise OSError(errno.EMFILE, "scripted")

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    with child() as process:
        with pytest.raises(OSError, match="scripted") as caught:
            posix.process_end(process)  # type: ignore[arg-type]
        assert caught.value.errno == errno.EMFILE
        process.communicate()


def test_one_that_was_reaped_has_ended() -> None:
    """A process whose status is known already is at its end at once, and so is one that somebody else has reaped."""
    with child() as process:
        process.communicate()
        end = posix.process_end(process)  # type: ignore[arg-type]
        assert readable(end, 0)
        os.close(end)
        reader, writer = os.pipe()
        posix._close_at_end(process.pid, writer)
        assert readable(reader, 0)
        os.close(reader)
