"""The plugin's promises beside finding leaks: options, rules, markers, reports, and being no trouble."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from plugin.running import Run, run_pytest

# That findings are right on each Python is what the corpus and the situations show.
pytestmark = [pytest.mark.timeout(120), pytest.mark.any_python]

INI = """
[pytest]
addopts = -p no:cacheprovider -p no:asyncio -p no:xdist
fd_leaks_allow =
    # a comment is no rule
    file:*/allowed.log  # the journal is kept on purpose
    origin:*:opened_on_purpose  # a helper that may
"""

SUITE = """
import gc, os, socket, threading
import pytest

KEPT = []

def opened_on_purpose():
    return socket.socket()

def test_by_path(tmp_path):
    KEPT.append((tmp_path / "allowed.log").open("w"))

def test_by_origin():
    KEPT.append(opened_on_purpose())

@pytest.mark.fd_leaks("allow", kind="pipe", reason="shown in the documentation")
def test_by_mark():
    os.pipe()

@pytest.mark.fd_leaks("allow", kind="file", reason="not what it leaks")
def test_by_another_mark():
    KEPT.append(socket.socket())

@pytest.mark.fd_leaks(off=True, reason="starts what it never ends")
def test_switched_off():
    KEPT.append(socket.socket())

def test_after_the_one_switched_off():
    pass

def test_fails_and_leaks():
    KEPT.append(socket.socket())
    assert False, "its own failure"

@pytest.mark.xfail(reason="known", strict=True)
def test_expected_to_fail_and_leaks():
    KEPT.append(socket.socket())
    raise ValueError

def test_cycle():
    gc.disable()  # it comes only when it is called
    ring = [socket.socket()]
    ring.append(ring)

@pytest.fixture
def value_only():
    return socket.socket()

def test_fixture_value_is_dropped(value_only):
    assert value_only.fileno() > 0

def test_late():
    sock = socket.socket()
    threading.Timer(0.02, sock.close).start()

def test_snapshot(fd_snapshot):
    sock = socket.socket()
    opened = fd_snapshot.opened()
    assert [one.kind for one in opened] == ["socket"]
    assert opened[0].number == sock.fileno()
    sock.close()
    assert fd_snapshot.opened() == [] and fd_snapshot.closed() == {}

@pytest.fixture(scope="module")
def broken():
    KEPT.append(socket.socket())
    raise RuntimeError("while it is set up")

def test_broken_fixture(broken):
    pass

class TestInClass:
    @pytest.fixture(scope="class")
    def per_class(self):
        with socket.socket() as sock:
            yield sock

    def test_first(self, per_class):
        pass

    def test_leaks(self, per_class):
        KEPT.append(socket.socket())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_suite.py").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return run_pytest(
        folder,
        folder / "r.json",
        "--fd-leaks=error",
        "-v",
        f"--junitxml={folder / 'junit.xml'}",
        "-o",
        "junit_family=xunit1",
    )


def test_rules_let_stay_what_they_name(run: Run) -> None:
    """A rule by path, by origin, or of a marker keeps a test from failing, and is listed with its reason."""
    for name in ("test_by_path", "test_by_origin", "test_by_mark"):
        assert run.outcomes[name] == ["PASSED"], run.output
    allowed = {row["who"].rpartition("::")[2]: row["allowed"] for row in run.rows if row["as"] == "allowed"}
    assert allowed == {
        "test_by_path": "the journal is kept on purpose",
        "test_by_origin": "a helper that may",
        "test_by_mark": "shown in the documentation",
    }


def test_a_rule_for_something_else_does_not_help(run: Run) -> None:
    """A marker covers the kind that it names and no other."""
    assert "ERROR" in run.outcomes["test_by_another_mark"]


def test_switched_off_means_off(run: Run) -> None:
    """With off=True a test is not looked at, and the next one does not inherit what it left."""
    assert run.outcomes["test_switched_off"] == ["PASSED"]
    assert run.outcomes["test_after_the_one_switched_off"] == ["PASSED"]


def test_a_failing_test_keeps_its_failure(run: Run) -> None:
    """A test that failed is not failed again: its leak is a section of its report. An expected failure stays one."""
    assert run.outcomes["test_fails_and_leaks"] == ["FAILED"]
    assert run.outcomes["test_expected_to_fail_and_leaks"] == ["XFAIL"]
    assert "Descriptor leaks after teardown" in run.output
    assert "test_suite.py::test_fails_and_leaks" in run.who("section")


def test_collected_and_late_are_notes(run: Run) -> None:
    """What only the garbage collector freed, and what a thread closed within the grace, is told and fails nobody."""
    assert run.outcomes["test_late"] == run.outcomes["test_cycle"] == ["PASSED"], run.output
    notes = {row["who"].rpartition("::")[2]: row["verdict"] for row in run.rows if row["as"] == "note"}
    assert notes["test_cycle"] == notes["test_fixture_value_is_dropped"] == "collected"
    # On a busy machine the thread may run before the first look, or while the collector does.
    assert notes.get("test_late", "late") in ("late", "collected")


def test_snapshot_fixture(run: Run) -> None:
    """`fd_snapshot` tells a test what it has opened and closed so far."""
    assert run.outcomes["test_snapshot"] == ["PASSED"], run.output


def test_a_fixture_that_breaks_is_to_blame(run: Run) -> None:
    """What a fixture opened before its set-up failed is the fixture's."""
    blamed = [row["who"] for row in run.rows if "'broken'" in row["who"]]
    assert len(blamed) == 1, run.output


def test_classes(run: Run) -> None:
    """A fixture of a class keeps its own; a test in the class answers for its."""
    assert run.outcomes["TestInClass::test_first"] == ["PASSED"]
    assert "ERROR" in run.outcomes["TestInClass::test_leaks"]


def test_text_of_a_failure(run: Run) -> None:
    """The text says what, where it was opened, which object holds it, what to change and how to allow it."""
    text = run.output.partition("descriptor leak: test_suite.py::test_by_another_mark")[2]
    assert "1 descriptor opened by this test is still open (1 socket)" in text
    assert "in test_by_another_mark" in text
    assert "KEPT.append(socket.socket())" in text
    assert "held by test_suite.KEPT" in text
    assert "fix      close it, or use `with` on the socket" in text
    assert 'fd_leaks_allow = ["socket:' in text


def test_short_summary_names_the_line(run: Run) -> None:
    """One line per finding stands in the summary, with the file and line that opened it."""
    line = (
        1
        + SUITE.splitlines().index('@pytest.mark.fd_leaks("allow", kind="file", reason="not what it leaks")')
        + 2
    )
    assert f"test_suite.py:{line}" in run.output.partition("== descriptor leaks ==")[2], run.output


def test_junit_has_the_findings(folder: Path, run: Run) -> None:
    """junitxml's test cases have the findings as a property, as JSON, and the error."""
    cases = {case.get("name"): case for case in ET.parse(folder / "junit.xml").iter("testcase")}
    found = [entry.get("value") for entry in cases["test_by_another_mark"].iter("property")]
    rows = json.loads(found[0] or "")["rows"]
    assert rows[0][1]["verdict"] == "leaked"
    assert cases["test_by_another_mark"].find("error") is not None


def test_warn_fails_nobody(folder: Path) -> None:
    """In warn mode outcomes are as without the plugin, and the summary has the whole finding."""
    run = run_pytest(folder, folder / "warn.json", "--fd-leaks=warn", "-k", "another_mark or by_mark")
    assert run.code == 0, run.output
    assert run.outcomes["test_by_another_mark"] == ["PASSED"]
    assert "held by test_suite.KEPT" in run.output


def test_inert_until_asked(folder: Path) -> None:
    """Without --fd-leaks nothing is watched, nothing fails, and the checker is not even imported."""
    (folder / "test_inert.py").write_text(
        "import os, sys\n"
        "PIPE = os.pipe\n"
        "def test_inert():\n"
        "    assert 'samesock.leaks' not in sys.modules\n"
        "    assert not hasattr(os.pipe, '__wrapped__')\n"
        "    os.pipe()\n"
        "def test_snapshot_still_works(fd_snapshot):\n"
        "    assert fd_snapshot.opened() == []\n"
    )
    run = run_pytest(folder, folder / "inert.json", "test_inert.py")
    assert run.code == 0, run.output
    assert run.rows == []


def test_baseline(folder: Path) -> None:
    """A baseline is written on request; then only new leaks fail; tests that did not run keep their entries."""
    options = ("--fd-leaks=error", "--fd-leaks-baseline=base.json", "-k")
    made = run_pytest(folder, folder / "b1.json", *options, "another_mark or test_leaks", "--fd-leaks-update")
    assert made.code == 0, made.output
    before = json.loads((folder / "base.json").read_text())
    assert {row["who"] for row in before["leaks"]} == {
        "test_suite.py::test_by_another_mark",
        "test_suite.py::TestInClass::test_leaks",
    }
    (folder / "test_new.py").write_text("import os\ndef test_new(): os.pipe()\n")
    run = run_pytest(folder, folder / "b2.json", *options, "another_mark or test_new")
    assert run.outcomes["test_by_another_mark"] == ["PASSED"], run.output
    assert "ERROR" in run.outcomes["test_new"]
    again = run_pytest(folder, folder / "b3.json", *options, "test_new", "--fd-leaks-update")
    (folder / "test_new.py").unlink()
    assert again.code == 0, again.output
    assert "1 leak of this run written to " in again.output
    after = json.loads((folder / "base.json").read_text())
    assert len(after["leaks"]) == 3
    assert all(row in after["leaks"] for row in before["leaks"])


def test_a_baseline_that_cannot_be_written(folder: Path) -> None:
    """A run that cannot write its baseline says so, and not that it has."""
    options = (
        "--fd-leaks=error",
        "--fd-leaks-baseline=no/base.json",
        "--fd-leaks-update",
        "-k",
        "another_mark",
    )
    run = run_pytest(folder, folder / "unwritten.json", *options)
    assert run.code == pytest.ExitCode.INTERNAL_ERROR, run.output
    assert "cannot write " in run.output
    assert "of this run written" not in run.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "fd_leaks_allow=scoket:*  # typo"), "there is no kind 'scoket'"),
        (
            ("--fd-leaks-baseline=other.json", "--fd-leaks-update"),
            "is of version 7, this samesock reads version 1",
        ),
        (("--fd-leaks-baseline=cut.json",), "cut.json' is not whole: it lacks 'leaks'"),
        (("--fd-leaks-baseline=absent.json",), "absent.json': make it with --fd-leaks-update"),
    ],
)
def test_what_cannot_be_read_ends_the_run(folder: Path, options: tuple[str, ...], said: str) -> None:
    """A rule with a mistake, or a baseline of another version, is named before any test runs, and kept as it was."""
    other = '{"format": "samesock-fd-leaks", "version": 7, "leaks": []}'
    (folder / "other.json").write_text(other)
    (folder / "cut.json").write_text('{"format": "samesock-fd-leaks", "version": 1}')
    run = run_pytest(folder, folder / "bad.json", "--fd-leaks=error", *options)
    assert run.code == pytest.ExitCode.USAGE_ERROR, run.output
    assert said in run.output
    assert "INTERNALERROR" not in run.output
    assert run.outcomes == {}
    assert (folder / "other.json").read_text() == other
