"""`samesock doctor`: the trials between two processes, the comparison with the platform's file, and what is shown."""

from __future__ import annotations

import argparse
import errno
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samesock import _doctor_report, _platform_file, cli, doctor
from samesock._features import FEATURES, features
from samesock._platform_file import PlatformFile
from samesock._trials import Absent, Bench, Outcome, Shown

ESCAPE = "\x1b"


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with its output in pipes."""
    start = (
        "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
        "from samesock.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", start, json.dumps(sys.path), "doctor", *words],
        capture_output=True,
        text=True,
        check=False,
    )


# ---- on this machine, for real


@pytest.fixture(scope="module")
def whole() -> Any:
    """The JSON of a whole run, and its exit code."""
    done = command("--json", "--deadline", "90")
    assert done.stderr == ""
    return json.loads(done.stdout), done.returncode


@pytest.mark.timeout(600)
def test_machine_and_file_agree(whole: Any) -> None:
    """On this machine every feature, tried for real, is what the platform's file says, and the exit code is 0."""
    report, code = whole
    assert report["problems"] == []
    assert (report["ok"], code) == (True, 0)


@pytest.mark.timeout(600)
def test_the_json_keeps_to_its_schema(whole: Any) -> None:
    """The object has the keys that the module's head lists, and every feature's has its own."""
    report, _ = whole
    assert set(report) == {
        *("schema", "samesock", "python", "implementation", "platform", "forced", "compared_with"),
        *("not_compared", "features", "problems", "ok"),
    }
    assert report["schema"] == 1
    assert report["platform"] == _platform_file.this_platform()
    keys = {"name", "support", "shown", "seconds", "probed", "expected", "source", "line", "problems"}
    assert [set(one) for one in report["features"]] == [keys] * len(FEATURES)
    head = _doctor_report.__doc__ or ""
    assert all(f"`{key}`" in head for key in {*report, *keys})


@pytest.mark.timeout(600)
def test_the_trials_show_what_the_probes_say(whole: Any) -> None:
    """`samesock.features()` and two processes come to the same word for every feature."""
    report, _ = whole
    assert {one["name"]: one["support"] for one in report["features"]} == dict(features())
    assert all(one["shown"] for one in report["features"])


@pytest.mark.timeout(300)
def test_one_feature_alone_in_a_pipe() -> None:
    """In a pipe the table is plain aligned text without a colour code, and a feature can be tried alone."""
    done = command("unix-stream", "--deadline", "90")
    word = features()["unix-stream"]
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"^unix-stream  {word} +\d+ ms  a child served at a path", done.stdout, re.MULTILINE)
    assert "1 feature: 1 " in done.stdout
    assert "unix-dgram" not in done.stdout
    assert ESCAPE not in done.stdout


# ---- with made-up trials


def fine(bench: Bench) -> Shown:
    """A trial that goes well."""
    return Shown("native", f"done in {len(bench.folder) > 0}")


def missing(_: Bench) -> Shown:
    """A trial of something that is not there."""
    raise Absent("nobody has it")


def broken(_: Bench) -> Shown:
    """A trial that fails."""
    raise ZeroDivisionError("by nothing \u2713")


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with two features, and a file of one platform, `plan9`, which is this machine's."""
    trials = {"socketpair": fine, "wake": missing}
    monkeypatch.setattr(doctor, "TRIALS", trials)
    monkeypatch.setattr(doctor, "features", lambda: {"socketpair": "native", "wake": "absent"})
    monkeypatch.setattr(_platform_file, "folder", lambda: tmp_path)
    monkeypatch.setattr(_platform_file, "this_platform", lambda: "plan9")
    monkeypatch.delenv("SAMESOCK_UNIX", raising=False)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "native", "absent")
    return tmp_path


def write(folder: Path, socketpair: str, wake: str) -> None:
    """Write `plan9.toml`; a word with a bracket is a list."""
    values = [word if word.startswith("[") else f'"{word}"' for word in (socketpair, wake)]
    text = 'name = "plan9"\ntitle = "Plan 9"\n\n[features]\nsocketpair = {}\nwake = {}\n'.format(*values)
    (folder / "plan9.toml").write_text(text, encoding="utf-8")


def run_doctor(*words: str) -> int:
    return cli.main(["doctor", *words])


def test_agreement_is_said_and_exits_0(made_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where machine and file agree, it says with what it compared, and exits 0."""
    assert run_doctor() == 0
    assert "compared with plan9.toml: 2, all as it says" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["plan9.toml:6: wake is native there, and this machine shows absent"])
def test_disagreement_names_the_line_and_exits_1(
    line: str, made_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where machine and file disagree, the file and the line are named, as editors understand it; exit 1."""
    write(made_up, "native", "native")
    assert run_doctor() == 1
    out = capsys.readouterr().out
    assert f"{line}: nobody has it" in out
    assert "compared with plan9.toml: 2, not all as it says" in out


@pytest.mark.parametrize("text", ["x", "nan", "0", "-1", "1e9"])
def test_a_deadline_is_a_number_of_seconds(
    text: str, made_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other is refused in words that a person understands; exit 2."""
    with pytest.raises(SystemExit) as ended:
        run_doctor("--deadline", text)
    assert ended.value.code == 2
    assert re.search("--deadline: (not a number of seconds|a time for one trial)", capsys.readouterr().err)


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["table", "json"])
def test_an_output_that_takes_nothing(
    words: tuple[str, ...],
    made_up: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A report that cannot be written is one line on the other stream, and exit 2."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    assert run_doctor(*words) == 2
    said = capsys.readouterr().err
    assert said == "samesock doctor: the report cannot be written: No space left on device\n"


def test_ctrl_c_ends_it(made_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a traceback, and with a shell's exit code for it."""

    def interrupted(*_: object) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupted)
    assert run_doctor() == 130


@pytest.mark.parametrize(
    ("words", "code"),
    [('["native", "absent"]', 0), ('["absent", "native"]', 0), ('["native", "emulated"]', 1)],
)
def test_a_list_holds_whatever_may_be_true(
    words: str, code: int, made_up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value that is a list is kept by any of its words, and broken by any other."""
    write(made_up, "native", words)
    assert run_doctor() == code
    assert ("wake is native or emulated there" in capsys.readouterr().out) == bool(code)


def test_a_feature_that_the_file_forgets(made_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A feature without a line in the file is a disagreement with the file."""
    (made_up / "plan9.toml").write_text(
        'name = "a"\ntitle = "b"\n[features]\nwake = "absent"\n', encoding="utf-8"
    )
    assert run_doctor() == 1
    assert "plan9.toml: socketpair is nothing there" in capsys.readouterr().out


def test_a_trial_that_raises_is_one_line(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial that raises becomes a line of the table and of the problems, without a traceback; exit 1."""
    monkeypatch.setitem(doctor.TRIALS, "socketpair", broken)  # type: ignore[misc]
    assert run_doctor() == 1
    captured = capsys.readouterr()
    assert re.search(
        r"^socketpair +failed +\d+ ms +ZeroDivisionError: by nothing", captured.out, re.MULTILINE
    )
    assert "plan9.toml:5: socketpair: the trial failed: ZeroDivisionError: by nothing" in captured.out
    assert "Traceback" not in captured.out + captured.err


def test_probes_and_trials_that_contradict_each_other(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `features()` says and a trial does not show is a problem, whatever the file says."""
    monkeypatch.setattr(doctor, "features", lambda: {"socketpair": "emulated", "wake": "absent"})
    assert run_doctor("--json") == 1
    report = json.loads(capsys.readouterr().out)
    (problem,) = report["problems"]
    assert problem.startswith("samesock.features() calls socketpair emulated, and the trial shows native")
    assert report["features"][0]["problems"] == [problem]


def test_probes_that_fail_are_one_line(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If `features()` itself raises, that is a problem in words; exit 1."""

    def fail() -> dict[str, str]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(doctor, "features", fail)
    assert run_doctor() == 1
    assert "samesock.features() failed: OSError: [Errno 24] Too many open files" in capsys.readouterr().out


def test_without_a_parser_nothing_is_compared(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a TOML parser the trials are run all the same, a line says what is missing, and it exits 0."""
    monkeypatch.setattr(_platform_file, "tomllib", None)
    assert run_doctor() == 0
    assert "not compared with a platform's file: this Python has no TOML parser" in capsys.readouterr().out
    assert run_doctor("--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["compared_with"] is None
    assert "TOML" in report["not_compared"]
    assert [one["expected"] for one in report["features"]] == [None, None]


def test_a_machine_without_a_file(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a platform that has no file nothing is compared, and that is said; a trial that fails still exits 1."""
    monkeypatch.setattr(_platform_file, "this_platform", lambda: "beos")
    assert run_doctor() == 0
    assert "no file tells what platform 'beos' is held to; there are: plan9" in capsys.readouterr().out
    monkeypatch.setitem(doctor.TRIALS, "socketpair", broken)  # type: ignore[misc]
    assert run_doctor() == 1


def test_another_platforms_file(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--platform` compares with another platform's file; one that there is not is refused with exit 2."""
    monkeypatch.setattr(_platform_file, "this_platform", lambda: "beos")
    assert run_doctor("--platform", "plan9") == 0
    assert "compared with plan9.toml" in capsys.readouterr().out
    assert run_doctor("--platform", "plan10") == 2
    assert capsys.readouterr().err == "samesock doctor: no platform 'plan10'; there are: plan9\n"


def test_another_platforms_file_that_cannot_be_read(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked for and cannot be compared is exit 2, where this platform's own file is only not compared."""

    def refuse(name: str) -> None:
        raise _platform_file.CannotRead(f"no parser for {name}.toml")

    monkeypatch.setattr(_platform_file, "read", refuse)
    monkeypatch.setattr(_platform_file, "this_platform", lambda: "plan9")
    assert run_doctor() == 0
    assert "no parser for plan9.toml" in capsys.readouterr().out
    assert run_doctor("--platform", "plan9") == 2
    said = "samesock doctor: the file of 'plan9' cannot be read: no parser for plan9.toml\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("words", [["telepathy"], ["--deadline", "0"], ["--deadline", "soon"]])
def test_a_command_line_without_sense(words: list[str], made_up: Path) -> None:
    """An unknown feature, or a deadline that is none, is refused with exit 2."""
    with pytest.raises(SystemExit) as caught:
        run_doctor(*words)
    assert caught.value.code == 2


# ---- what is compared where a choice is forced


FILE = PlatformFile(
    "plan9", "Plan 9", "p.toml", {"unix-dgram": ("native",), "unix-stream": ("emulated",)}, {}
)


def test_forced_emulation_is_held_to_the_emulation(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With SAMESOCK_UNIX=emulated the features of Unix sockets are compared with what the emulation gives
    everywhere, the others with the file, and the output says which is which."""
    monkeypatch.setenv("SAMESOCK_UNIX", "emulated")
    assert run_doctor() == 1
    out = capsys.readouterr().out
    assert ", SAMESOCK_UNIX=emulated\n" in out
    assert "SAMESOCK_UNIX=emulated: socketpair is emulated there, and this machine shows native" in out
    assert "compared with SAMESOCK_UNIX=emulated: 1, not all as it says" in out
    assert "compared with plan9.toml: 1, all as it says" in out


def test_forbidden_emulation_is_not_compared() -> None:
    """With SAMESOCK_UNIX=native, what the file expects of the emulation is not asked of the machine."""
    assert doctor.expectation("unix-stream", FILE, "native") is None
    assert doctor.expectation("unix-stream", FILE, None) == (("emulated",), "p.toml", None)
    assert doctor.expectation("unix-dgram", FILE, "native") == (("native",), "p.toml", None)


# ---- what is shown


class Terminal(io.StringIO):
    """A standard output that says that somebody is looking."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colours_on_a_terminal(made_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, with rich installed, the words are in colour; NO_COLOR is obeyed."""
    pytest.importorskip("rich")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    shown = []
    for colour in ("yes", "no"):
        if colour == "no":
            monkeypatch.setenv("NO_COLOR", "1")
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        assert run_doctor() == 0
        shown.append(terminal.getvalue())
    green = f"{ESCAPE}[32m"
    assert (green in shown[0], green in shown[1]) == (True, False)
    assert all("socketpair" in text and "compared with plan9.toml" in text for text in shown)


def test_a_terminal_without_rich(made_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal without rich the table is the plain one."""
    monkeypatch.setattr(_doctor_report.importlib.util, "find_spec", lambda _: None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run_doctor() == 0
    assert ESCAPE not in terminal.getvalue()
    assert "socketpair  native" in terminal.getvalue()


def test_a_pipe_that_takes_ascii_only(made_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message with characters that the output's encoding lacks is shown with escapes, and breaks nothing."""
    monkeypatch.setitem(doctor.TRIALS, "socketpair", broken)  # type: ignore[misc]
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert run_doctor() == 1
    sys.stdout.flush()
    assert b"by nothing \\u2713" in raw.getvalue()


def test_every_feature_has_its_trial() -> None:
    """There is a trial for each feature, in the order of the table."""
    assert list(doctor.TRIALS) == list(FEATURES)


def test_a_problem_of_a_failed_trial_has_no_other() -> None:
    """A trial that failed is reported once: its missing word is not held against `features()` as well."""
    row = doctor.judged(Outcome("wake", None, "x", 0.1), None, "absent")
    assert row.problems == ("wake: the trial failed: x",)


def test_help_tells_of_the_options() -> None:
    """`--help` names every option."""
    parser = argparse.ArgumentParser(prog="samesock doctor")
    doctor.add_arguments(parser)
    text = parser.format_help()
    assert all(word in text for word in ("--json", "--platform NAME", "--deadline SECONDS", "feature"))
