"""`peercred` as macOS and FreeBSD tell it: their structures, scripted; no run of ours has seen the systems."""

from __future__ import annotations

import errno
import struct
import sys

import pytest

from samesock.unix import AF_UNIX, peers

VERSION, UID, GID, PID = 0, 501, 20, 4711


class Sock:
    """A connected Unix socket that has the options it was given."""

    family = AF_UNIX

    def __init__(self, options: dict[tuple[int, int], object]) -> None:
        self.options = options

    def getpeername(self) -> str:
        return "/there"

    def getsockopt(self, level: int, option: int, size: int = 0) -> object:
        answer = self.options[level, option]
        assert (size > 0) == isinstance(answer, bytes)
        return answer[:size] if isinstance(answer, bytes) else answer


def xucred(version: int = VERSION, groups: int = 1) -> bytes:
    """What macOS writes: version, uid, the number of groups, and 16 groups."""
    return struct.pack("=IIh2x16I", version, UID, groups, GID, *range(15))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No SO_PEERCRED, so that the other systems' ways are looked at."""
    monkeypatch.setattr(peers, "SO_PEERCRED", None)
    return monkeypatch


def ask(system: pytest.MonkeyPatch, platform: str, options: dict[tuple[int, int], object]) -> peers.PeerCred:
    """peercred() on that platform."""
    with system.context() as patch:
        patch.setattr(sys, "platform", platform)
        return peers.peercred(Sock(options))


def test_macos(system: pytest.MonkeyPatch) -> None:
    """The pid is an option of its own; uid and first group are xucred's. A pid of 0 is not known."""
    found = ask(system, "darwin", {(0, 1): xucred(), (0, 2): PID})
    assert found == (PID, UID, GID, None, "kernel")
    assert ask(system, "darwin", {(0, 1): xucred(), (0, 2): 0}).pid is None


def test_freebsd(system: pytest.MonkeyPatch) -> None:
    """xucred has the pid behind its groups since 13.0; where it does not, the pid is not known."""
    whole = xucred() + struct.pack("=4xi4x", PID)
    assert ask(system, "freebsd14", {(0, 1): whole}) == (PID, UID, GID, None, "kernel")
    assert ask(system, "freebsd12", {(0, 1): xucred()}) == (None, UID, GID, None, "kernel")


@pytest.mark.parametrize(
    ("answer", "uid", "gid"),
    [(xucred(version=1), None, None), (xucred()[:20], None, None), (xucred(groups=0), UID, None)],
)
def test_what_is_not_known_is_none(
    system: pytest.MonkeyPatch, answer: bytes, uid: int | None, gid: int | None
) -> None:
    """Another version, a short answer, and a peer without groups are never a guess."""
    found = ask(system, "darwin", {(0, 1): answer, (0, 2): PID})
    assert found == (PID, uid, gid, None, "kernel")


def test_another_system_says_so(system: pytest.MonkeyPatch) -> None:
    """A system that nothing is known of is EOPNOTSUPP."""
    with pytest.raises(OSError, match="peercred") as caught:
        ask(system, "plan9", {})
    assert caught.value.errno == errno.EOPNOTSUPP


def test_what_is_no_socket() -> None:
    """A number, which names no end of ours, is a TypeError that says what is needed."""
    with pytest.raises(TypeError, match=r"peercred\(\) needs a socket, not int: 3"):
        peers.peercred(3)
