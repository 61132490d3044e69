"""A plain `nox` runs its sessions in lanes, and its last line counts what all of them say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lanes
import reports

REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="0" skipped="{}"/></testsuites>'


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The noxes that were started, instead of being started: their lines, environments and cores."""
    found: list[Any] = []

    def run(line: list[str], **options: Any) -> Any:
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        found.append(
            SimpleNamespace(line=line, env=options["env"], cores=cores, thread=threading.get_ident())
        )
        name = line[line.index("--session") + 1]
        said = f"{name} ran\n{name}: passed at the second try\n"
        return SimpleNamespace(returncode=int(name == "bad"), stdout=said)

    monkeypatch.setattr(lanes, "subprocess", SimpleNamespace(run=run, **_constants()))
    return found


def _constants() -> dict[str, int]:
    return {name: getattr(subprocess, name) for name in ("DEVNULL", "PIPE", "STDOUT")}


def test_each_session_has_a_nox_of_its_own(started: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Every session is run once, with the words after `--`; what it said is printed whole, and its failure is told."""
    found = lanes.run_in_lanes(["one", "bad", "two", "three", "four"], ["-x"], {"A": "b"})
    assert {name: content for name, (content, _) in found.items()} == {
        **dict.fromkeys(("one", "two", "three", "four"), True),
        "bad": False,
    }
    assert found["two"][1] == ["two: passed at the second try"]
    lines = sorted(one.line[-3] for one in started)
    assert lines == ["bad", "four", "one", "three", "two"]
    for one in started:
        assert one.line == [sys.executable, "-m", "nox", "--session", one.line[-3], "--", "-x"]
        assert one.env == {"A": "b"}
    assert capsys.readouterr().out.count(" ran\n") == 5


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system does not tell a thread its cores"
)
def test_a_session_stays_on_one_core(started: list[Any]) -> None:
    """What a lane starts may run on one core alone, each lane's on another, and this thread's own stay as they were."""
    before = os.sched_getaffinity(0)
    lanes.run_in_lanes([f"{number}" for number in range(2 * len(before))], [], {})
    assert os.sched_getaffinity(0) == before
    assert all(len(one.cores) == 1 and one.cores <= before for one in started)
    of_lanes = {one.thread: one.cores for one in started}
    assert len({frozenset(cores) for cores in of_lanes.values()}) == len(of_lanes)


@pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="this system has no signal that a test could send itself"
)
def test_ctrl_c_begins_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl+C the sessions that run come to their end, and no other is begun."""
    begun: list[str] = []
    told = threading.Event()

    def run(line: list[str], **_: Any) -> Any:
        begun.append(line[line.index("--session") + 1])
        if begun[0] == begun[-1]:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert told.wait(30)
        return SimpleNamespace(returncode=130, stdout="")

    monkeypatch.setattr(lanes, "subprocess", SimpleNamespace(run=run, **_constants()))
    cores = os.cpu_count() or 1
    names = [f"{number}" for number in range(3 * cores)]
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        lanes.run_in_lanes(names, [], {})
    told.set()
    deadline = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 0 < len(begun) <= cores


def test_the_last_line_counts_every_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A session's figures are those of both its reports; one that failed without a report counts as a failure."""
    monkeypatch.setattr(reports, "REPORTS", tmp_path)
    (tmp_path / "wine.xml").write_text(REPORT.format(10, 2, 3))
    (tmp_path / "wine-console.xml").write_text(REPORT.format(5, 0, 1))
    assert reports.totals_of("wine", content=False) == (9, 2, 4)
    assert reports.totals_of("wine", content=True) == (11, 0, 4)  # the failures passed at their second try
    assert reports.totals_of("absent", content=False) == (0, 1, 0)
    assert reports.totals_of("absent", content=True) == (0, 0, 0)
