"""The conformance score is counted as its page says, and the suite is what the score is a score of."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance import scoring
from conformance.scoring import CutShort, Result, Score
from samesock import _platform_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "tests" / "conformance"
AREAS = {
    *("addresses", "bind", "listen", "accept", "connect", "send", "receive", "datagrams", "messages"),
    *("shutdown", "close", "options", "blocking", "errors", "inheritance", "signals", "readiness"),
    *("resolution", "socketpair", "unix names", "unix bind", "unix connect", "unix data", "unix modes"),
}


def result(check: str, outcome: str, implementation: str = "samesock", area: str = "bind") -> Result:
    """One check's result."""
    return Result("linux", "3.13", implementation, area, check, outcome)


def checks() -> dict[str, str]:
    """Every check of the suite as `area/name`, with its docstring."""
    found = {}
    for path in sorted(SUITE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{scoring.area_of(path.stem)}/{node.name}"] = ast.get_docstring(node) or ""
    return found


def test_an_area_is_named_by_its_file() -> None:
    """The area is the file's name in words."""
    assert scoring.area_of("test_unix_bind") == "unix bind"
    assert scoring.area_of("test_bind") == "bind"


@pytest.mark.parametrize(
    ("word", "declared", "judged", "outcome"),
    [
        ("passed", False, True, "kept"),
        ("failed", False, True, "broken"),
        ("skipped", False, True, "absent"),
        ("xfailed", True, True, "deviation"),
        ("failed", True, True, "broken"),
        ("passed", False, False, "kept"),
        ("xpassed", False, False, "kept"),
        ("xfailed", False, False, "broken"),
        ("xfailed", True, False, "broken"),
        ("skipped", False, False, "absent"),
        ("something new", False, True, "broken"),
    ],
)
def test_what_pytest_says_and_what_it_means(word: str, declared: bool, judged: bool, outcome: str) -> None:
    """An expected failure is a deviation where it was declared, and a broken promise where it is only measured."""
    assert scoring.outcome_of(word, declared=declared, judged=judged) == outcome


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        (["kept", "kept"], "kept"),
        (["kept", "broken", "deviation"], "broken"),
        (["kept", "deviation", "absent"], "deviation"),
        (["absent", "kept"], "absent"),
    ],
)
def test_a_check_is_as_good_as_its_worst_variant(outcomes: list[str], worst: str) -> None:
    """Parametrised checks count once, and are broken if any variant is."""
    assert scoring.collapsed(result("one", outcome) for outcome in outcomes) == [result("one", worst)]


def test_checks_of_one_name_in_two_areas_are_two() -> None:
    """A check is known by area and name, and each implementation has its own."""
    results = [
        result("one", "kept"),
        result("one", "broken", area="listen"),
        result("one", "broken", implementation="stdlib"),
    ]
    assert scoring.collapsed(results) == results


def test_the_score_counts_everything() -> None:
    """A score has every check in `all`, those that are absent included."""
    outcomes = ["kept", "kept", "broken", "deviation", "absent"]
    found = scoring.score(result(str(number), outcome) for number, outcome in enumerate(outcomes))
    assert found == Score(all=5, kept=2, deviation=1, absent=1, broken=1)
    assert str(found) == "2 / 5"


def write(path: Path, results: list[Result], last: str | None) -> Path:
    """A run's file."""
    lines = [json.dumps(one._asdict()) for one in results] + ([last] if last else [])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_run_is_read_back(tmp_path: Path) -> None:
    """What a run wrote is read with its exit status."""
    path = write(tmp_path / "run", [result("one", "kept"), result("one", "broken")], '{"exit": 1}')
    assert scoring.read(path) == ([result("one", "broken")], 1)


def test_a_run_that_was_cut_short_is_no_run(tmp_path: Path) -> None:
    """Without the last line the file is refused: a score of half the checks would look like any other."""
    with pytest.raises(CutShort, match="after 1 tests"):
        scoring.read(write(tmp_path / "run", [result("one", "kept")], None))
    (tmp_path / "run").write_text("", encoding="utf-8")
    with pytest.raises(CutShort):
        scoring.read(tmp_path / "run")


def test_deviations_are_an_implementations_own() -> None:
    """A deviation is samesock's unless it says whose it is, and counts for the checks that it names."""
    data = {
        "deviations": [
            {"id": "a", "reason": "r", "checks": ["bind/test_x", "bind/test_y[1]"]},
            {"id": "b", "reason": "s", "checks": ["bind/test_z"], "implementation": "samesock-emulated"},
            {"id": "c", "reason": "t"},
        ]
    }
    found = scoring.deviations_in(data, "samesock")
    assert {check: entry.identifier for check, entry in found.items()} == {
        "bind/test_x": "a",
        "bind/test_y[1]": "a",
    }
    assert scoring.deviations_in(data, "samesock-emulated").keys() == {"bind/test_z"}
    assert scoring.deviations_in({}, "samesock") == {}


def test_the_tables_show_every_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes JSON and page, prints the table, names what is broken of ours, and says 1 for a failed run."""
    good = write(tmp_path / "good", [result("one", "kept"), result("two", "absent")], '{"exit": 0}')
    bad = [result("one", "broken", "stdlib"), result("two", "broken", "winsock")]
    failed = write(tmp_path / "bad", bad, '{"exit": 1}')
    written = (tmp_path / "all.json", tmp_path / "page.md")
    options = [f"--json={written[0]}", f"--markdown={written[1]}"]
    assert scoring.main([str(good), *options]) == 0
    assert scoring.main([str(good), str(failed), *options]) == 1
    printed = capsys.readouterr().out
    assert "1 / 2" in printed
    assert "broken: linux 3.13 winsock: bind, `two`" in printed
    assert "these runs had failures: bad" in printed
    assert [set(one) for one in json.loads(written[0].read_text(encoding="utf-8"))] == [
        {"platform", "python", "implementation", "area", "check", "outcome"}
    ] * 4
    page = written[1].read_text(encoding="utf-8")
    assert "| linux | 3.13 | samesock | 1 | 0 | 1 | 0 | 2 | 50.0 % |" in page
    assert "## Broken, of the standard library\n\n- linux 3.13 stdlib: bind, `one`" in page


def test_the_suite_is_large_enough() -> None:
    """There are at least 200 checks, and a file for every area."""
    found = checks()
    assert len(found) >= 200
    assert {name.split("/")[0] for name in found} >= AREAS


def test_every_check_says_its_promise() -> None:
    """A check's docstring is one paragraph, a sentence that ends."""
    wrong = [name for name, text in checks().items() if not text.endswith(".") or "\n\n" in text]
    assert wrong == []


PAGE = re.compile(r"\w\((2|3|7)\)|RFC \d+|PEP \d+|\w\(")


def test_every_check_of_internet_sockets_names_its_page() -> None:
    """A check's docstring names the page that makes the promise, or the function of Python's that does."""
    wrong = [
        name
        for name, text in checks().items()
        if not name.startswith(("unix ", "socketpair")) and not PAGE.search(text)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "platforms").glob("*.toml")))
def test_deviations_name_checks_that_there_are(name: str) -> None:
    """What a platform's file calls a deviation is a check of the suite."""
    data = tomllib.loads((ROOT / "platforms" / f"{name}.toml").read_text(encoding="utf-8"))
    named = {check.split("[")[0] for entry in data.get("deviations", []) for check in entry.get("checks", [])}
    assert named <= checks().keys()


def test_scripted_answers_are_windows_own() -> None:
    """The scripted table says what only real Windows says, and passes on everything else."""
    import socket

    from conformance import windows_answers
    from samesock.winsock.calls import calls

    before = dict(vars(calls))
    with (
        windows_answers.given(windows_answers.NAMES),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        said = []
        for call in (
            lambda: calls.getsockname(sock),
            lambda: calls.connect(sock, ("0.0.0.0", 9)),
            lambda: calls.recvfrom(sock, 4),
        ):
            with pytest.raises(OSError) as caught:
                call()
            said.append(caught.value.winerror)
        assert said == [10022, 10049, 10054]
        calls.bind(sock, ("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            with pytest.raises(OSError) as caught:
                calls.bind(other, sock.getsockname())
            assert caught.value.winerror == 10013
            other.sendto(b"0123456789", sock.getsockname())
            other.sendto(b"abc", sock.getsockname())
            buffer = bytearray(4)
            with pytest.raises(OSError) as caught:
                calls.recvfrom_into(sock, buffer)
            assert (caught.value.winerror, buffer) == (10040, b"0123")
            assert calls.recv(sock, 4) == b"abc"
        calls.setsockopt(sock, socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        assert calls.getsockopt(sock, socket.SOL_SOCKET, socket.SO_BROADCAST, 4) == b"\1"
        assert calls.getsockopt(sock, socket.SOL_SOCKET, socket.SO_BROADCAST) == 1
    assert vars(calls) == before


def test_a_missing_name_is_told_from_a_fault_of_the_check() -> None:
    """Only an attribute that the module or its sockets lack makes a check absent."""
    from conformance.implementations import is_missing_name

    net = SimpleNamespace()
    for thing, expected in ((net, True), ("text", False)):
        with pytest.raises(AttributeError) as caught:
            thing.nothing  # noqa: B018
        assert is_missing_name(caught.value, net) is expected


RUN = """
import sys, pytest
from pathlib import Path

class Change:
    def pytest_sessionstart(self):
        import samesock, samesock._platform_file as platforms
        platforms.folder = lambda: Path(sys.argv[1])
        if sys.argv[2] == "break it":
            samesock.gethostname = lambda: ""

check = "tests/conformance/test_resolution.py::test_this_machine_has_a_name[samesock]"
sys.exit(pytest.main(["-q", f"--score={sys.argv[3]}", check], [Change()]))
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("what", "declared", "outcome", "status"),
    [
        ("leave it", False, "kept", 0),
        ("break it", False, "broken", 1),
        ("break it", True, "deviation", 0),
        ("leave it", True, "broken", 1),
    ],
)
def test_deviations_are_strict_both_ways(
    tmp_path: Path, what: str, declared: bool, outcome: str, status: int
) -> None:
    """A broken check fails the run unless it is declared, and a declared one fails the run when it is kept."""
    entry = (
        '[[deviations]]\nid = "it"\nreason = "because"\nchecks = ["resolution/test_this_machine_has_a_name"]'
    )
    platform = _platform_file.this_platform()
    (tmp_path / f"{platform}.toml").write_text(entry if declared else "", encoding="utf-8")
    line = [sys.executable, "-c", RUN, str(tmp_path), what, str(tmp_path / "score")]
    environment = {key: value for key, value in os.environ.items() if key != "SAMESOCK_UNIX"}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    results, exit_status = scoring.read(tmp_path / "score")
    assert ([one.outcome for one in results], exit_status) == ([outcome], status), done.stdout
    assert done.returncode == status
    assert not (declared and status) or "XPASS(strict)" in done.stdout
