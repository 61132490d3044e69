"""The doctor's trials: each does one feature for real, between this process and a child, within a deadline.

A trial is a function of a `Bench`: it returns what was `Shown`, raises `Absent` when the system, or this release, has
no such thing, and anything else when what should work does not. It runs in a thread; when its time is up its children
are ended, by their ids, and with them whatever it waits for. What must never be put here: one feature's own trial.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from samesock._probes import Support, short_folder

GRACE = 5.0
"""How long a trial whose children were ended may take to notice."""

_STEP = 0.6
"""The part of a trial's time that one step may take."""

_LAST_WORDS = 1.0
"""Seconds that a child has, after this side has failed, to say what went wrong on its own."""

_REFUSALS = frozenset(
    getattr(errno, name, errno.EOPNOTSUPP)
    for name in ("EOPNOTSUPP", "ENOTSUP", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "ENOSYS")
)
"""The errnos with which a system says that it has no such thing."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from samesock._trials.child import main; main(*sys.argv[2:])"
)


class Absent(Exception):
    """There is no such thing here; the text says how that was seen."""


class ChildError(Exception):
    """The other process did not do its part; `told` says whether it said so itself."""

    def __init__(self, text: str, *, told: bool) -> None:
        super().__init__(text)
        self.told = told


class Shown(NamedTuple):
    """What a trial that went well has shown."""

    support: Support
    what: str


class Outcome(NamedTuple):
    """What came of one trial; `support` is `None` if it failed, and then `text` says how."""

    feature: str
    support: Support | None
    text: str
    seconds: float


class Child:
    """The other process of a trial: it runs one function, and talks in lines of JSON over its pipes."""

    def __init__(
        self,
        function: Callable[..., None],
        seconds: float,
        options: dict[str, Any],
        arguments: dict[str, Any],
    ) -> None:
        if not sys.executable:
            raise RuntimeError("this interpreter does not know its own path, so it can start no other one")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", _START, json.dumps(sys.path)),
                *(function.__module__, function.__name__, str(seconds), json.dumps(arguments)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            **options,
        )
        self.pid = 0
        """The number that the child has for itself: under a launcher, Popen's is the launcher's."""

    def fileno(self) -> int:
        """The pipe from which its answers come, so that a selector can wait for them."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def tell(self, **facts: Any) -> None:
        """Say something to the child."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(facts).encode() + b"\n")

    def told(self) -> dict[str, Any]:
        """What the child says next. ChildError if it failed or ended instead."""
        assert self.process.stdout is not None
        said = b""
        while line := self.process.stdout.readline():
            if not line.startswith(b"{"):
                said = line.strip() or said  # what an interpreter writes when it cannot even start
                continue
            facts: dict[str, Any] = json.loads(line)
            if "error" in facts:
                raise ChildError(f"the child failed: {facts['error']}", told=True)
            return facts
        words = said.decode(errors="replace") or "it said nothing"
        raise ChildError(f"the child ended early: {words}", told=False)

    def last_words(self) -> str:
        """The error that it told of, if it did and nobody has heard it; it has a second left to do so."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_LAST_WORDS)
        self.end()
        try:
            while True:
                self.told()
        except ChildError as error:
            return str(error) if error.told else ""

    def end(self) -> None:
        """End it, if it has not ended by itself."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Close its pipes, once nobody reads from them any more."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Bench:
    """What one trial works with: a folder, children, and how long anything may take."""

    def __init__(self, folder: str, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        """How long one step may take: less than the trial, so that what hangs is said in words."""
        self._children: list[Child] = []
        self._closing = threading.Lock()
        self._closed = False

    def path(self, name: str) -> str:
        """A path in the folder, short enough for a socket."""
        return os.path.join(self.folder, name)

    def child(
        self, function: Callable[..., None], *, popen: dict[str, Any] | None = None, **arguments: Any
    ) -> Child:
        """Start a process that calls the function with a `Wire` and these arguments."""
        with self._closing:
            if self._closed:
                raise TimeoutError("the trial's time is up")
            started = Child(function, self.seconds, popen or {}, arguments)
            self._children.append(started)
        started.pid = started.told()["pid"]
        return started

    def last_words(self) -> str:
        """End every child, and give the errors that they told of while nobody was listening to them."""
        return "; ".join(filter(None, (child.last_words() for child in self._children)))

    def end(self) -> None:
        """End every child; no other one is started."""
        with self._closing:
            self._closed = True
            for child in self._children:
                child.end()

    def close(self) -> None:
        """Close the pipes of children that have ended."""
        for child in self._children:
            child.close()


def run(feature: str, trial: Callable[[Bench], Shown], seconds: float) -> Outcome:
    """Try one feature; never raises for what the trial does, and takes at most `seconds` and `GRACE`."""
    begun = time.monotonic()
    results: list[tuple[Support | None, str]] = []
    with short_folder() as folder:
        bench = Bench(folder, seconds * _STEP)
        thread = threading.Thread(
            target=_attempt, args=(trial, bench, results), name=f"samesock-doctor-{feature}", daemon=True
        )
        thread.start()
        try:
            thread.join(seconds)
            in_time = not thread.is_alive()
        finally:
            bench.end()
            thread.join(GRACE)
            if not thread.is_alive():
                bench.close()
    support, text = results[0] if in_time else (None, f"it was still under way after {seconds:g} seconds")
    return Outcome(feature, support, text, time.monotonic() - begun)


def _attempt(
    trial: Callable[[Bench], Shown], bench: Bench, results: list[tuple[Support | None, str]]
) -> None:
    """Call the trial and keep what came of it."""
    try:
        results.append(trial(bench))
    except Absent as absence:
        results.append(("absent", str(absence)))
    except Exception as error:  # noqa: BLE001 - whatever a trial raises becomes its line in the table
        if isinstance(error, OSError) and error.errno in _REFUSALS:
            results.append(("absent", str(error)))
            return
        text = str(error) if isinstance(error, ChildError) else f"{type(error).__name__}: {error}"
        results.append((None, "; ".join(filter(None, (text, bench.last_words())))))


# ---- data that both halves of a trial know


MEBIBYTE = 1 << 20


def digest(data: bytes) -> str:
    """How the two processes compare what they have: SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def equal(found: object, expected: object, what: str) -> None:
    """RuntimeError saying what differs."""
    if found != expected:
        raise RuntimeError(f"{what}: {found!r} instead of {expected!r}")
