"""`samesock.features()`: what its words mean, and that asking changes nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import selectors
import signal
import socket as stdlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, get_args

import pytest

import samesock
from samesock import _features, _probes
from samesock._features import FEATURES, features
from samesock._probes import Support, messages, short_folder, tried, waiting
from samesock._probes import unix as unix_probes
from samesock.unix import PeerCred, peers

NAMES = [
    *("unix-stream", "unix-dgram", "unix-seqpacket", "unix-abstract", "socketpair", "peercred"),
    *("sendmsg", "recvmsg", "ancillary", "passing"),
    *("select-socket", "select-pipe", "select-console", "select-file"),
    *("interrupt", "wake", "inherit", "fdtable"),
]


def python(code: str, **environment: str) -> Any:
    """What a new interpreter with this one's path prints as JSON."""
    start = "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code, json.dumps(sys.path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_feature_has_one_of_the_three_words() -> None:
    """The names are those that the library promises, in their order; each is native, emulated or absent."""
    assert list(features()) == NAMES
    assert set(features().values()) <= set(get_args(Support))


def test_it_is_found_out_once_and_cannot_be_changed() -> None:
    """The second call gives the first one's answer, which nobody can write into."""
    assert features() is features() is samesock.features()
    with pytest.raises(TypeError):
        features()["wake"] = "native"  # type: ignore[index]


def test_each_name_means_one_thing() -> None:
    """Every row of the table has a sentence of its own."""
    meanings = [feature.meaning for feature in FEATURES.values()]
    assert all(re.fullmatch(r"\S.*\.", meaning) for meaning in meanings)
    assert len(set(meanings)) == len(meanings)


def test_no_probe_asks_for_the_systems_name() -> None:
    """Support is found by doing: the probes never read the name of the operating system."""
    folder = Path(_probes.__file__).parent
    sources = [Path(_features.__file__), *folder.glob("*.py")]
    assert len(sources) == 6
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"sys\.platform|os\.name|platform\.system|getwindowsversion|uname", text), source


def test_asking_leaves_nothing_behind(tmp_path: Path) -> None:
    """No file, no descriptor and no thread is left, and no module is imported before it is asked for."""
    code = """
import os, socket, tempfile, threading
import samesock
assert "samesock._features" not in sys.modules
def numbers():
    found = set()
    for number in range(256):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.add(number)
    return found
before = numbers(), threading.active_count()
samesock.features()
import gc; gc.collect()
print(json.dumps([sorted(numbers() ^ before[0]), threading.active_count() - before[1],
                  os.listdir(tempfile.gettempdir())]))
"""
    folder = {name: str(tmp_path) for name in ("TMPDIR", "TEMP", "TMP")}
    assert python(code, **folder) == [[], 0, []]


def test_forcing_the_emulation_gives_what_the_table_says() -> None:
    """With SAMESOCK_UNIX=emulated the features of Unix sockets are the same on every platform."""
    found = python("import samesock; print(json.dumps(dict(samesock.features())))", SAMESOCK_UNIX="emulated")
    forced = {name: feature.forced for name, feature in FEATURES.items() if feature.forced}
    assert {name: found[name] for name in forced} == forced


def test_a_refusal_means_absent() -> None:
    """A probe that the system refuses has its answer."""

    def refused() -> Support:
        raise OSError(errno.EAFNOSUPPORT, "no")

    assert tried(refused) == "absent"


def test_a_shortage_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without descriptors gets an error, not a wrong answer for the rest of its life."""
    left = [0]

    def short() -> Support:
        if not left[0]:
            raise OSError(errno.EMFILE, "Too many open files")
        return "native"

    monkeypatch.setattr(_features, "FEATURES", {"wake": _features.Feature("x.", short)})
    features.cache_clear()
    try:
        with pytest.raises(OSError, match="Too many open files"):
            features()
        left[0] = 1
        assert features() == {"wake": "native"}
    finally:
        features.cache_clear()


def test_a_wrong_identity_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer's identity that is not the truth, or says nothing, does not count as one."""
    for who in (
        PeerCred(os.getpid() + 1, None, None, None, "kernel"),
        PeerCred(None, None, None, None, "claimed"),
    ):
        monkeypatch.setattr(peers, "peercred", lambda _, who=who: who)
        assert unix_probes.peercred() == "absent"


class Ours(selectors.SelectSelector):
    """A selector in the place of samesock's own."""


class Refusing(selectors.SelectSelector):
    """A selector that takes nothing."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        raise OSError(errno.EPERM, "not this")


class Always(selectors.SelectSelector):
    """A selector that calls everything ready."""

    def select(self, timeout: float | None = None) -> Any:
        return [(None, selectors.EVENT_READ)]


@pytest.mark.parametrize(
    ("classes", "word"),
    [
        ([("native", Refusing), ("emulated", Ours)], "emulated"),
        ([("native", Always), ("emulated", Ours)], "emulated"),
        ([("native", Ours), ("emulated", Ours)], "native"),
        ([("native", Refusing)], "absent"),
        ([("native", Always)], "absent"),
    ],
)
def test_waiting_is_native_where_the_standard_library_can_do_it(
    classes: list[Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word for waiting tells who can: the standard library, only ours, nobody; a liar cannot."""
    monkeypatch.setattr(waiting, "selector_classes", lambda: classes)
    assert waiting.select_socket() == word


def test_a_close_that_takes_no_wake_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets whose close knows no `wake`, the standard library's, have none."""
    monkeypatch.setattr(waiting._socket, "socketpair", stdlib.socketpair)
    assert waiting.wake() == "absent"
    monkeypatch.undo()
    assert waiting.wake() == "emulated"


class End:
    """One end of a pair: `recv` blocks until it is woken, if it can be, or the other end is closed."""

    def __init__(self, over: threading.Event, *, wakes: bool) -> None:
        self.over = over
        self.wakes = wakes
        self.woken = False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def recv(self, _: int) -> bytes:
        assert self.over.wait(30)
        if self.woken:
            raise ConnectionAbortedError
        return b""

    def close(self, *, wake: bool = False) -> None:
        if not wake or self.wakes:
            self.woken = wake
            self.over.set()


@pytest.mark.parametrize(("wakes", "word"), [(True, "emulated"), (False, "absent")])
def test_where_no_signal_reaches_a_call(monkeypatch: pytest.MonkeyPatch, wakes: bool, word: str) -> None:
    """A call that blocks in another thread is ended by a close that wakes, or not: then by the other end's close."""
    over = threading.Event()
    monkeypatch.delattr(signal, "pthread_kill", raising=False)
    monkeypatch.setattr(waiting, "SECONDS", 0.2)
    pair = End(over, wakes=wakes), End(over, wakes=wakes)
    monkeypatch.setattr(waiting._socket, "socketpair", lambda: pair)
    assert waiting.interrupt() == word
    assert over.is_set()


def test_a_control_message_is_a_byte_or_an_int() -> None:
    """The number in a control message is read whatever its width; other levels' messages do not count."""
    whole = (40).to_bytes(4, sys.byteorder)
    assert messages.control_value([(1, 2, b"\7"), (41, 52, whole)], 41) == 40
    assert messages.control_value([(0, 1, b"\x28")], 0) == 40
    assert messages.control_value([], 0) is None


def test_a_long_temporary_directory_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TMPDIR is too long for a socket's path, the probes go to the user's private directory."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with short_folder() as folder:
        assert len(os.fsencode(folder)) <= 80
        assert os.path.isdir(folder)
    assert not os.path.exists(folder)
    assert list(long.iterdir()) == []
