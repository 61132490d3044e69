"""The Wine launcher's parts, without a Wine: what is cached is whole, what is run is ended, runs do not meet.

That Windows Python really runs is shown by the Wine sessions themselves.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

pytestmark = pytest.mark.any_python
pytest.importorskip("fcntl", reason="the launcher runs where fcntl is: on the system that Wine runs on")

PLATFORMS = Path(__file__).resolve().parents[2] / "platforms"


def part(name: str, folder: str = "wine") -> ModuleType:
    """One module of a launcher, which is a program in a folder and no package."""
    if str(PLATFORMS / folder) not in sys.path:
        sys.path.insert(0, str(PLATFORMS / folder))
    return importlib.import_module(name)


cache = part("cache")
debian_python = part("debian_python", "debian")
debian_root = part("debian_root")
interpreters = part("interpreters")
prefixes = part("prefixes")
running = part("running")
wine = part("wine")
wines = part("wines")


# The cache.


def make_one_file(folder: Path) -> None:
    (folder / "thing").write_text("whole")


def test_what_is_built_is_built_once(tmp_path: Path) -> None:
    """A finished folder is used again and not built again."""
    calls: list[Path] = []

    def build(folder: Path) -> None:
        calls.append(folder)
        make_one_file(folder)

    for _ in range(2):
        assert cache.built(tmp_path / "a", {"v": 1}, ("thing",), build) == tmp_path / "a"
    assert len(calls) == 1
    assert (tmp_path / "a" / "thing").read_text() == "whole"


@pytest.mark.parametrize("damage", ["no stamp", "no file", "left under its temporary name"])
def test_what_is_half_made_is_made_again(tmp_path: Path, damage: str) -> None:
    """A folder that was not finished, or lost what it is for, is replaced, with nothing of it left."""
    folder = tmp_path / ("a.part" if damage.startswith("left") else "a")
    folder.mkdir()
    (folder / "litter").touch()
    if damage == "no stamp":
        make_one_file(folder)
    elif damage == "no file":
        (folder / cache.STAMP).touch()
    cache.built(tmp_path / "a", {}, ("thing",), make_one_file)
    assert sorted(os.listdir(tmp_path / "a")) == [cache.STAMP, "thing"]
    assert not (tmp_path / "a.part").exists()


def test_a_build_that_fails_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    """After an error in the middle the final name does not exist."""

    def build(folder: Path) -> None:
        make_one_file(folder)
        raise cache.LauncherError("the mirror has gone away")

    with pytest.raises(cache.LauncherError, match="gone away"):
        cache.built(tmp_path / "a", {}, ("thing",), build)
    assert not (tmp_path / "a").exists()


def test_a_build_that_lacks_its_files_is_refused(tmp_path: Path) -> None:
    """A build that ends without error and without its result is an error that names what is missing."""
    with pytest.raises(cache.LauncherError, match="lacks thing"):
        cache.built(tmp_path / "a", {}, ("thing",), lambda folder: None)
    assert not (tmp_path / "a").exists()


def test_a_folder_with_a_mount_below_it_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing a root folder never reaches through a mount into the machine's own files."""
    (tmp_path / "root" / "dev").mkdir(parents=True)
    monkeypatch.setattr(cache, "mount_points", lambda: [tmp_path.resolve() / "root" / "dev"])
    with pytest.raises(cache.LauncherError, match="is mounted there"):
        cache.remove_tree(tmp_path / "root")
    assert (tmp_path / "root" / "dev").is_dir()


@pytest.mark.skipif(not os.path.exists("/proc/self/mountinfo"), reason="mountinfo is absent here")
def test_mount_points_are_seen() -> None:
    """A file system of the kernel's own is a mount point, in a chroot too, whose root may be none."""
    assert Path("/proc") in cache.mount_points()


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SAMESOCK_CACHE comes before XDG_CACHE_HOME, which comes before ~/.cache; a relative one is ignored."""
    monkeypatch.setenv("SAMESOCK_CACHE", str(tmp_path))
    assert cache.cache_root() == tmp_path.resolve() / "wine"
    monkeypatch.delenv("SAMESOCK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache.cache_root() == Path("/xdg/samesock/wine")
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    assert cache.cache_root() == Path.home() / ".cache/samesock/wine"


def test_a_step_that_stutters_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three failures and then success is a success; the waits grow."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answers = iter([False, False, False, True])

    def attempt() -> None:
        if not next(answers):
            raise cache.LauncherError("503")

    cache.retried("it", attempt)
    assert waits == sorted(set(waits))
    assert len(waits) == 3


def test_a_step_that_always_fails_gives_its_last_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last try the error comes through."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def attempt() -> None:
        raise cache.LauncherError("404")

    with pytest.raises(cache.LauncherError, match="404"):
        cache.retried("it", attempt)


# Prefixes.


class NoWine:
    """Stands for a Wine: remembers which prefixes were told to stop."""

    def __init__(self) -> None:
        self.stopped: list[Path] = []

    def stop(self, prefix: Path) -> None:
        self.stopped.append(prefix)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A folder that looks like a Wine prefix."""
    folder = tmp_path / "pool" / "template"
    for name in (*prefixes.NEEDED[:-1], cache.STAMP, "drive_c/users/root/Temp/readme"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("template")
    for name in ("drive_c/pycache", "drive_c/samesock"):
        (folder / name).mkdir()
    return folder


def test_two_runs_never_share_a_prefix(template: Path) -> None:
    """While one run has a prefix, another gets another one; afterwards it is free again."""
    with prefixes.taken(template, NoWine()) as first, prefixes.taken(template, NoWine()) as second:
        assert first.folder != second.folder
        kept = first.folder
    with prefixes.taken(template, NoWine()) as third:
        assert third.folder == kept


def test_a_run_stops_its_own_prefix_alone(template: Path) -> None:
    """Ending one run says nothing to the prefix of another."""
    one, other = NoWine(), NoWine()
    with prefixes.taken(template, one) as first:
        with prefixes.taken(template, other):
            pass
        assert first.folder not in other.stopped
    assert set(one.stopped) == {first.folder}


def test_a_run_finds_nothing_of_the_one_before(template: Path, tmp_path: Path) -> None:
    """Registry, user folders and whatever was put into C: are the template's again; compiled files stay."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "precious").touch()
    with prefixes.taken(template, NoWine()) as prefix:
        drive = prefix.folder / "drive_c"
        (drive / "users/root/Temp/litter").touch()
        (drive / "left").mkdir()
        (drive / "samesock").rmdir()
        (drive / "samesock").symlink_to(checkout)
        (prefix.folder / "system.reg").write_text("changed")
        for name in ("samesock/old.pyc", "Pythons/kept.pyc"):
            (drive / "pycache" / name).parent.mkdir()
            (drive / "pycache" / name).touch()
    with prefixes.taken(template, NoWine()) as prefix:
        drive = prefix.folder / "drive_c"
        assert os.listdir(drive / "users/root/Temp") == ["readme"]
        assert sorted(os.listdir(drive)) == ["pycache", "samesock", "users", "windows"]
        assert not (drive / "samesock").is_symlink()
        assert (prefix.folder / "system.reg").read_text() == "template"
        assert os.listdir(drive / "pycache") == ["Pythons"]
    assert (checkout / "precious").exists()


def test_a_half_copied_prefix_is_copied_again(template: Path) -> None:
    """A copy that was cut short is not used."""
    (template.parent / "0" / "drive_c").mkdir(parents=True)
    (template.parent / "0.part").mkdir()
    with prefixes.taken(template, NoWine()) as prefix:
        assert cache.is_whole(prefix.folder, prefixes.NEEDED)


# Running.


def run_here(
    code: str, timeout: float | None = None, silence: float | None = None
) -> tuple[int, bytes, bytes]:
    """Run this Python, through the launcher's pipes and within a run's limits, to its own end."""
    ended, out, err = ended_here(code, timeout, silence)
    assert ended.why == ""
    return ended.code, out, err


def ended_here(
    code: str, timeout: float | None = None, silence: float | None = None
) -> tuple[running.Ending, bytes, bytes]:
    """The same, and why it was ended."""
    out, err = io.BytesIO(), io.BytesIO()
    program = running.Program([sys.executable, "-c", code], Path.cwd(), dict(os.environ), ())
    limits = running.Limits(timeout, silence, wines.SERVER_IS_LOST)
    return running.run_piped(program, limits, out, err), out.getvalue(), err.getvalue()


def test_output_and_exit_code_come_through() -> None:
    """Both outputs arrive whole, apart, with Unix line ends, and the exit code is the program's."""
    code = "import sys; sys.stdout.write('a\\r\\n' * 50000); sys.stderr.write('b'); sys.exit(7)"
    status, out, err = run_here(code)
    assert (status, out, err) == (7, b"a\n" * 50000, b"b")


def test_stdin_is_empty() -> None:
    """The program reads end of file, whatever the launcher's own stdin is."""
    assert run_here("import sys; print(repr(sys.stdin.read()))")[1] == b"''\n"


def test_a_signal_is_reported_as_a_shell_does() -> None:
    """A program killed by SIGKILL gives 137."""
    assert run_here("import os; os.kill(os.getpid(), 9)")[0] == 137


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """At the time limit the program and what it started are gone, and the code is 124."""
    note = tmp_path / "child"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(50)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "time.sleep(50)\n"
    )
    started = time.monotonic()
    assert ended_here(code, timeout=2.0)[0] == (running.TIMED_OUT, "it took longer than 2 s")
    assert time.monotonic() - started < 15
    assert gone(int(note.read_text()))


@pytest.mark.parametrize(
    "words",
    [
        "wineserver64: server/fd.c:1629: set_fd_events: Assertion `poll_users[user] == fd' failed.",
        "wine client error:2c: recvmsg: Connection reset by peer",
    ],
)
@pytest.mark.parametrize("cut", [None, 12])
def test_a_lost_server_ends_the_run(words: str, cut: int | None) -> None:
    """Once Wine's server has died, who waits for it is ended at once with 125, and its words are the reason."""
    code = (
        "import sys, time\n"
        f"words, cut = {words!r}, {cut!r}\n"
        "for piece in (words[:cut], words[cut:] if cut else ''):\n"
        "    sys.stderr.write(piece); sys.stderr.flush(); time.sleep(0.3)\n"
        "time.sleep(50)\n"
    )
    started = time.monotonic()
    ended, _, err = ended_here(code)
    assert (ended.code, err.decode()) == (running.FAILED, words)
    reason, _, said = ended.why.partition(": ")
    assert reason == "what it runs on has failed"
    assert said in words
    assert said
    assert time.monotonic() - started < 25


def test_other_words_end_nothing() -> None:
    """What else is said on stderr, the word wineserver and assertions of Python's among it, is the program's own."""
    words = "AssertionError: wineserver\nwineserver: a word\nAssertion failed\n"
    assert run_here(f"import sys; sys.stderr.write({words!r}); sys.exit(3)")[::2] == (3, words.encode())


def test_a_silent_program_is_ended() -> None:
    """One that prints nothing for the time given is ended with 125 and that reason; who goes on printing is not."""
    ended = ended_here("import time; print(1, flush=True); time.sleep(50)", silence=1.5)[0]
    assert ended == (running.FAILED, "it printed nothing for 1.5 s")
    chatty = "import time\nfor _ in range(12): print(1, flush=True); time.sleep(0.3)"
    assert run_here(chatty, silence=3.0)[0] == 0


@pytest.mark.parametrize(
    ("code", "status"), [("raise SystemExit(7)", 7), ("import time; time.sleep(50)", 124)]
)
def test_debians_pythons_run_within_the_same_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, status: int
) -> None:
    """debian_python.py gives its program's exit code, and 124 at its time limit."""
    monkeypatch.setattr(debian_python, "make_ready", lambda *_: (tmp_path, tmp_path))
    monkeypatch.setattr(debian_python, "enter", lambda *given: [sys.executable, *given[-1][1:]])
    options = debian_python.parser().parse_args(["run", "--python=3.14", "--timeout=3", "--", "-c", code])
    assert debian_python.run(tmp_path, tmp_path, options) == status


def gone(pid: int) -> bool:
    """Whether that process ends within five seconds (a zombie that nobody reaps has ended too)."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_line_ends_are_turned_wherever_the_bytes_are_cut() -> None:
    """However CR and LF are spread over the pieces, the result is that of the whole."""
    text = b"a\r\nb\rc\r\r\n\r"
    for cut in range(len(text) + 1):
        turn = running.LineEnds()
        assert turn(text[:cut] or b"\0") + turn(text[cut:] or b"\0") + turn(b"") == (
            (text[:cut] or b"\0") + (text[cut:] or b"\0")
        ).replace(b"\r\n", b"\n")


def on_a_terminal(code: str) -> tuple[int, bytes]:
    """Run this Python on the launcher's pseudo-terminal: its exit code, and what the terminal showed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # The relay writes to descriptor 1 and reads 0: give it ours.
        try:  # A child that came out of here by an exception would go on with the tests.
            os.dup2(write, 1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            program = running.Program([sys.executable, "-c", code], Path.cwd(), dict(os.environ), ())
            limits = running.Limits(timeout=40.0, fatal=wines.SERVER_IS_LOST)
            os._exit(running.run_on_terminal(program, limits).code)
        finally:
            os._exit(99)
    os.close(write)
    with open(read, "rb") as output:
        shown = output.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


# faulthandler's watchdog is a thread, and from 3.15 on fork counts it.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_terminal_is_one() -> None:
    """With --pty the program has a terminal on all three, and what it says comes through."""
    code = "import os; print([os.isatty(n) for n in (0, 1, 2)], os.get_terminal_size().columns)"
    status, shown = on_a_terminal(code)
    assert status == 0
    assert b"[True, True, True] 80" in shown


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_lost_server_ends_the_run_on_a_terminal() -> None:
    """There the server's last words come with the rest of what is shown, and end the run with 125 all the same."""
    words = "wineserver64: server/fd.c:1629: set_fd_events: Assertion `poll_users[user] == fd' failed."
    status, shown = on_a_terminal(f"import time; print({words!r}, flush=True); time.sleep(60)")
    assert status == running.FAILED
    assert words.encode() in shown


# What is fetched from where.


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ("deb http://mirror.example/debian bookworm main", "http://mirror.example/debian"),
        (
            "deb [arch=amd64 signed-by=/k] https://mirror.example/debian/ stable main",
            "https://mirror.example/debian",
        ),
        ("Types: deb\nURIs: http://one.example/debian\nSuites: trixie", "http://one.example/debian"),
        ("URIs: http://s.example/debian-security http://one.example/debian", "http://one.example/debian"),
        ("# deb http://mirror.example/debian bookworm main", None),
        ("deb http://archive.example/ubuntu noble main", None),
        ("", None),
    ],
)
def test_the_mirror_is_that_of_apt(sources: str, found: str | None) -> None:
    """Both formats of apt's sources are read, and only a Debian archive is taken."""
    assert debian_root.debian_mirror_in(sources) == found


@pytest.mark.parametrize(
    ("said", "major"), [("wine-10.0 (Debian 10.0~repack-6)\n", 10), ("wine-9.22", 9), ("wine 10", 0), ("", 0)]
)
def test_the_version_of_wine_is_read(said: str, major: int) -> None:
    """Only what says that it is Wine counts as one."""
    assert wines.major_version(said) == major


def test_an_old_wine_on_path_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wine 8 is passed over, Wine 9 is taken."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("wine", "wineserver"):
        (tmp_path / name).write_text("#!/bin/sh\necho wine-$WINE_SAYS\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("WINE_SAYS", "8.0")
    assert wines.wine_version_on_path() is None
    monkeypatch.setenv("WINE_SAYS", "9.0")
    assert wines.wine_version_on_path() == "wine-9.0"


def test_the_requirements_are_the_projects_own(tmp_path: Path) -> None:
    """Dependencies and the test group, groups inside it followed, and what Windows needs beside them."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["a"]\n'
        '[dependency-groups]\nbase = ["b"]\ntest = [{ include-group = "base" }, "c"]\nlint = ["d"]\n'
    )
    assert interpreters.requirements(tmp_path / "pyproject.toml") == [
        "a",
        "b",
        "c",
        *interpreters.WINDOWS_ONLY,
    ]


def test_a_project_that_names_no_dependencies(tmp_path: Path) -> None:
    """Its pyproject.toml may be another tool's alone."""
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    assert interpreters.requirements(tmp_path / "pyproject.toml") == [*interpreters.WINDOWS_ONLY]


@pytest.mark.parametrize(("text", "said"), [(None, "is missing"), ("[project", "pyproject.toml: ")])
def test_a_project_that_cannot_be_read(text: str | None, said: str, tmp_path: Path) -> None:
    """A folder without a pyproject.toml, and one with a broken one, are named in one line."""
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(cache.LauncherError, match=said):
        interpreters.requirements(tmp_path / "pyproject.toml")


def test_where_there_can_be_no_wine_it_is_said() -> None:
    """A system without what the launcher stands on, such as Windows, is told in one line what it takes."""
    program = (
        "import runpy, sys; sys.modules['fcntl'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    line = [sys.executable, "-c", program, str(PLATFORMS / "wine" / "wine.py"), "run", "--", "-c", "pass"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("wine: this takes Linux for x86-64")


def test_an_unknown_python_is_named(tmp_path: Path) -> None:
    """A version that nobody publishes is refused, with the list of those that there are."""
    with pytest.raises(cache.LauncherError, match=r"no Windows Python 3\.7.*3\.13"):
        interpreters.interpreter(tmp_path, "3.7", [])


def test_without_root_the_root_folder_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user is told what root is needed for."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(cache.LauncherError, match="takes root"):
        debian_root.enter(Path("/root-folder"), [], "/", ["true"])


# The command line.


def test_arguments_after_the_dashes_are_the_programs() -> None:
    """Options after -- are not the launcher's."""
    options = wine.parser().parse_args(["run", "--env", "A=b=c", "--", "-m", "pytest", "--python", "x"])
    assert options.arguments == ["--", "-m", "pytest", "--python", "x"]
    assert options.env == [("A", "b=c")]


def test_clean_refuses_while_a_run_goes_on(template: Path, tmp_path: Path) -> None:
    """The cache is removed when nobody uses it, and not before."""
    with (
        prefixes.taken(template, NoWine()),
        pytest.raises(cache.LauncherError, match="a run is using it"),
    ):
        wine.clean(tmp_path)
    wine.clean(tmp_path)
    assert not tmp_path.exists()


# faulthandler's watchdog is a thread, and from 3.15 on fork counts it.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_launcher_that_is_told_to_end_ends_its_program(tmp_path: Path) -> None:
    """SIGTERM to the launcher's process ends what it runs, by the same way as Ctrl+C."""
    note = tmp_path / "child"
    code = (
        f"import os, time, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(50)"
    )
    launcher = os.fork()
    if launcher == 0:
        try:
            signal.signal(signal.SIGTERM, wine._terminated)
            os._exit(run_here(code)[0])
        finally:
            os._exit(99)
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(launcher, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1]) == running.INTERRUPTED
    assert gone(int(note.read_text()))


def test_the_linked_wine_sees_this_checkout(template: Path, tmp_path: Path) -> None:
    """With the machine's own Wine, C:\\samesock is whatever checkout the run is for, each time anew."""
    own = wines.WineOnPath("wine-10.0")
    (template / "drive_c/samesock").rmdir()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places = SimpleNamespace(prefix=template, checkout=tmp_path / name, pythons=tmp_path)
        own.link(places)
        assert (template / "drive_c/samesock").resolve() == tmp_path / name
