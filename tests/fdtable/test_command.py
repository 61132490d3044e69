"""`samesock fds`: what it prints, in which form, and how it fails."""

from __future__ import annotations

import io
import json
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samesock import cli, fdtable
from samesock.fdtable import json_form


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The command's exit code, output and complaints."""
    code = cli.main(["fds", *words])
    seen = capsys.readouterr()
    return code, seen.out, seen.err


def test_a_table_is_aligned_and_plain_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal the table has no escape sequences, and its columns begin where the heading's do."""
    code, out, _ = run(capsys=capsys)
    assert code == 0
    assert "\x1b" not in out
    heading, *rows = [line for line in out.splitlines() if not line.startswith("note: ")]
    assert heading.split() == ["number", "kind", "access", "inh", "what"]
    for column in ("kind", "access", "inh", "what"):
        at = heading.index(column)
        assert all(row[at - 1] == " " for row in rows if len(row) > at)


def test_json_is_a_snapshot(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives a document that reads back as a snapshot of the process asked for."""
    code, out, _ = run("--json", str(os.getpid()), capsys=capsys)
    assert code == 0
    assert json_form.loads(out).pids == (os.getpid(),)


def test_kind_and_inheritable_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--kind keeps those kinds alone, --inheritable what a child would get."""
    number = os.open(tmp_path / "f", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(number, True)
    other = os.open(tmp_path / "g", os.O_CREAT | os.O_RDWR)
    try:
        _, out, _ = run("--json", "--kind", "file", "--kind", "pipe", capsys=capsys)
        kinds = {one.kind for one in json_form.loads(out)}
        _, out, _ = run("--json", "--inheritable", capsys=capsys)
        kept = {one.number for one in json_form.loads(out) if one.space == "fd"}
    finally:
        os.close(number)
        os.close(other)
    assert "file" in kinds
    assert kinds <= {"file", "pipe"}
    assert number in kept
    assert other not in kept


def test_diff_with_a_saved_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--diff exits 0 when nothing changed and 1 when something did, and lists it with + and -."""
    saved = tmp_path / "before.json"
    me = str(os.getpid())
    saved.write_text(run("--json", "--kind", "file", me, capsys=capsys)[1], encoding="utf-8")
    code, out, _ = run("--kind", "file", "--diff", str(saved), me, capsys=capsys)
    assert (code, out) == (0, "no change\n")
    with open(tmp_path / "new file", "w"):
        code, out, _ = run("--kind", "file", "--diff", str(saved), me, capsys=capsys)
        _, as_json, _ = run("--kind", "file", "--diff", str(saved), "--json", me, capsys=capsys)
    assert code == 1
    (line,) = out.splitlines()
    assert line.startswith("+")
    assert "new file" in line
    assert [one["kind"] for one in json.loads(as_json)["opened"]] == ["file"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "absent.json"),
        ("{", "not JSON"),
        ('{"schema":"samesock.fdtable","version":9}', "version 9 of the schema"),
        ("\udcff\udcfe\udcff", "not JSON"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_named(
    text: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A --diff file that is absent, broken or of another version is a line that names it, and exit code 2."""
    path = tmp_path / "absent.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    code, out, err = run("--diff", str(path), capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("samesock fds: ")
    assert "absent.json" in err
    assert complaint in err
    assert err.count("\n") == 1


def test_a_pid_that_is_gone_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A process that is not there is one line naming it, and exit code 2."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    code, out, err = run(str(child.pid), capsys=capsys)
    assert (code, out, err) == (2, "", f"samesock fds: no process has the number {child.pid}\n")


@pytest.mark.parametrize(
    "words",
    [["x"], ["--kind", "teapot"], ["--watch", "0"], ["--watch", "soon"], ["--watch", "1", "--diff", "f"]],
)
def test_words_that_mean_nothing_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An argument that cannot be read is argparse's error, exit code 2."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["fds", *words])
    assert caught.value.code == 2
    assert "_interval" not in capsys.readouterr().err


def test_watch_in_a_pipe_prints_changes_until_the_process_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """--watch --json gives one difference a line as things change, and ends with the process."""
    code = (
        "import os, sys, threading, time\n"
        "threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()\n"
        "while True:\n"
        "    with open(os.devnull): time.sleep(0.5)\n"
        "    time.sleep(0.5)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        watcher = subprocess.Popen(
            [sys.executable, "-m", "samesock", "fds", "--watch", "0.05", "--json", str(child.pid)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        assert watcher.stdout is not None
        lines = [json.loads(watcher.stdout.readline())]
        child.stdin.close()
        child.wait()
        lines += [json.loads(line) for line in watcher.stdout]
        watcher.stdout.close()
        assert watcher.wait() == 0
    assert all(line["schema"] == "samesock.fdtable.difference" for line in lines)
    assert any(one["kind"] == "char" for line in lines for one in line["opened"] + line["closed"])
    assert lines[-1]["closed"]


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the table is rich's: the same words with colours, and no cell is taken for markup."""
    pytest.importorskip("rich", reason="needs rich, the extra cli")
    from rich.console import Console

    from samesock.fdtable import coloured

    record = fdtable.OpenDescriptor(
        3, "fd", "file", (1,), 7, True, "r", "/a[bold]b\x1b[2J", source=("procfs",)
    )
    changed = fdtable.OpenDescriptor(4, "fd", "socket", (2,), 7, socket=fdtable.SocketInfo("AF_UNIX"))
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, color_system="standard")
    rows, styles = coloured.marked(fdtable.diff([record], [changed]), [changed])
    console.print(coloured.table(rows, with_pid=True, styles=styles))
    text = output.getvalue()
    assert "\x1b[" in text
    assert "/a[bold]b" in text
    assert "\\x1b[2J" in text
    assert "\x1b[2J" not in text
    assert [one.number for one in rows] == [3, 4]
    assert styles == {(7, "fd", 4): coloured.OPENED, (7, "fd", 3): coloured.CLOSED}


def test_on_a_terminal_the_table_is_coloured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal rich draws the same rows."""
    from samesock import _fds_command

    monkeypatch.setattr(_fds_command, "_on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "300")
    with (tmp_path / "shown").open("wb"):
        code, out, _ = run("--kind", "file", capsys=capsys)
    assert code == 0
    assert out.split()[:2] == ["number", "kind"]
    assert "shown" in out.replace("\n", "")


def test_a_difference_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--diff on a terminal shows the file that was opened meanwhile, by its path."""
    from samesock import _fds_command

    monkeypatch.setattr(_fds_command, "_on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "300")
    _, out, _ = run("--json", "--kind", "file", capsys=capsys)
    (tmp_path / "before").write_text(out, encoding="utf-8")
    with (tmp_path / "opened-since").open("wb"):
        code, out, _ = run("--kind", "file", "--diff", str(tmp_path / "before"), capsys=capsys)
    assert code == 1
    assert "opened-since" in out.replace("\n", "")


@pytest.mark.parametrize("end", [KeyboardInterrupt, ProcessLookupError(3, "it has ended")])
def test_a_watch_on_a_terminal(
    end: BaseException,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """--watch on a terminal redraws what changed, and ends without an error: by Ctrl+C, or with the process."""
    from samesock import _fds_command

    looks = []
    real = fdtable.snapshot

    def look(*arguments: object, **options: object) -> fdtable.Snapshot:
        looks.append(1)
        if len(looks) == 3:
            raise end
        return real()

    monkeypatch.setattr(fdtable, "snapshot", look)
    monkeypatch.setattr(_fds_command, "_on_terminal", lambda: True)
    code, out, _ = run("--watch", "0.01", capsys=capsys)
    assert code == 0
    assert len(looks) == 3
    assert ("it has ended" in out) == isinstance(end, OSError)


class Terminal:
    """A pseudo-terminal's screen, as a program that runs in it writes it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.text = ""

    def wait_for(self, pattern: str) -> str:
        """What matches, once it is on the screen."""
        ends = time.monotonic() + 60
        while not (found := re.search(pattern, self.text, re.DOTALL)):
            assert time.monotonic() < ends, self.text
            if select.select([self.master], [], [], 1)[0]:
                self.text += os.read(self.master, 65536).decode("utf-8", "replace")
        self.text = self.text[found.end() :]
        return found[0]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="feature absent: pseudo-terminals")
def test_a_watch_highlights_what_changes_while_it_changes(tmp_path: Path) -> None:
    """In a real terminal --watch redraws the table by itself: opened green, closed red and struck out, then plain."""
    pytest.importorskip("rich", reason="needs rich, the extra cli")
    code = "import sys\nfor line in sys.stdin:\n  f = open(line.strip(), 'w') if line.strip() else f.close()"
    screen = Terminal()
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    given |= {"TERM": "xterm-256color", "COLUMNS": "150", "LINES": "40"}
    given.pop("NO_COLOR", None)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        line = [sys.executable, "-m", "samesock", "fds", "--watch", "0.5", str(child.pid)]
        standard = (screen.slave,) * 3
        with subprocess.Popen(
            line, stdin=standard[0], stdout=standard[1], stderr=standard[2], env=given
        ) as watcher:
            try:
                screen.wait_for(r"number.*?what")
                child.stdin.write(f"{tmp_path / 'while-watched'}\n")
                child.stdin.flush()
                opened = screen.wait_for(r"\x1b\[[\d;]*m[^\n]*while-watched")
                assert re.search(r"\x1b\[1;32m[^\n]*while-watched$", opened), opened
                plain = screen.wait_for(r"number.*?[^\n]*while-watched")
                assert "\x1b[1;32m" not in plain.rpartition("\n")[2]
                child.stdin.write("\n")
                child.stdin.flush()
                screen.wait_for(r"\x1b\[9;31m[^\n]*while-watched")
                child.stdin.close()
                child.wait()
                screen.wait_for(r"has ended|no process has the number")
                assert watcher.wait(60) == 0
            finally:
                watcher.kill()
                os.close(screen.master)
                os.close(screen.slave)


def test_psutil_missing_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where psutil is needed and missing the command says so in one line, and fails."""

    def look(*_: object, **__: object) -> fdtable.Snapshot:
        raise ModuleNotFoundError("takes psutil: pip install psutil", name="psutil")

    monkeypatch.setattr(fdtable, "snapshot", look)
    code, out, complaints = run("--children", capsys=capsys)
    assert (code, out, complaints) == (2, "", "samesock fds: takes psutil: pip install psutil\n")
