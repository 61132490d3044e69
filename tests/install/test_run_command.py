"""`samesock run`: a program sees what it sees when python itself starts it, and Unix sockets besides."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import samesock

PROBE = """
import json, sys
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv[1:],
    "program": sys.argv[0],
    "name": __name__,
    "file": main.__dict__.get("__file__"),
    "package": main.__package__,
    "spec": main.__spec__ and main.__spec__.name,
    "path": sys.path[0],
    "own": main.__dict__ is globals(),
    "names": sorted(n for n in globals() if not n.startswith("__")),
}))
"""


class Result:
    """What a program said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self) -> str:
        return f"<exit {self.code}\n{self.out}\n{self.err}>"


def python(*words: str, cwd: Path, stdin: str = "") -> Result:
    """Run python itself."""
    environment = dict(os.environ, PYTHONPATH=str(Path(samesock.__file__).parents[1]))
    return Result(
        subprocess.run(
            [sys.executable, *words],
            cwd=cwd,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Programs of every kind."""
    (tmp_path / "script.py").write_text(PROBE)
    (tmp_path / "module.py").write_text(PROBE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "__main__.py").write_text(PROBE)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text(PROBE)
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.write(tmp_path / "script.py", "__main__.py")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "script.py").write_text(PROBE)
    (tmp_path / "fails.py").write_text("def f():\n    raise ValueError('on purpose')\n\n\nf()\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "annotated.py").write_text("def f(a: int): ...\nprint(f.__annotations__)\n")
    (tmp_path / "imports.py").write_text("import fails\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(int(sys.argv[1]))\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["script.py", "a", "--flag", "--", "-h"],
        ["deep/script.py"],
        ["-m", "module", "--host", "x", "-m", "y"],
        ["-m", "package", "-c", "z"],
        ["-c", PROBE, "a", "-b"],
        ["app", "1"],
        ["app.zip", "2"],
        ["leaves.py", "0"],
        ["leaves.py", "7"],
        ["-m", "leaves", "3"],
        ["-c", "import sys; sys.exit('last words')"],
        ["fails.py"],
        ["-m", "fails"],
        ["imports.py"],
        ["broken.py"],
        ["-m", "no_such_module"],
        ["-m", "no_such_module.part"],
        ["no_such_script.py"],
        ["-c", "import atexit; atexit.register(print, 'bye')"],
        ["-c", "print("],
        ["annotated.py"],
    ],
    ids=lambda words: " ".join(words).split("\n")[0] or "-c",
)
def test_as_python_itself(folder: Path, words: list[str]) -> None:
    """Output, exit code, errors and tracebacks are those of python itself, and none of our frames is seen."""
    expected = python(*words, cwd=folder)
    found = python("-m", "samesock", "run", *words, cwd=folder)
    assert "samesock" not in found.err
    if "fails" in words or "-m" not in words:
        assert python_part(found) == python_part(expected)
    else:
        assert (found.code, found.out) == (expected.code, expected.out)


def python_part(result: Result) -> tuple[int, str, str]:
    """Without the frames of runpy, which python -m itself shows, and we do not."""
    lines = result.err.splitlines()
    kept, skipping = [], False
    for line in lines:
        if line.startswith("  File "):
            skipping = "runpy" in line
        elif not line.startswith("    "):
            skipping = False
        if not skipping:
            kept.append(line)
    return result.code, result.out, "\n".join(kept)


def test_program_from_standard_input(folder: Path) -> None:
    """`run -` reads the program from standard input."""
    assert python("-m", "samesock", "run", "-", "x", cwd=folder, stdin="import sys; print(sys.argv)").out == (
        "['-', 'x']\n"
    )


def test_program_finds_unix_sockets(folder: Path) -> None:
    """The program finds all of the names, whatever it imports first."""
    code = "import socket, asyncio, socketserver; print(socket.AF_UNIX == 1, 'UnixStreamServer' in socketserver.__all__"
    code += ", 'start_unix_server' in asyncio.__all__)"
    found = python("-m", "samesock", "run", "-c", code, cwd=folder)
    assert (found.code, found.out) == (0, "True True True\n"), found


def test_spawned_processes_find_them_too(folder: Path) -> None:
    """A process that multiprocessing spawns has install() before it imports the program, which is found again."""
    (folder / "spawns.py").write_text(
        "import multiprocessing, socket\n"
        "FOUND = hasattr(socket, 'AF_UNIX')\n"
        "def child(queue):\n"
        "    queue.put((FOUND, socket.socket.connect.__module__ if not FOUND else ''))\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    process = context.Process(target=child, args=(queue,))\n"
        "    process.start()\n"
        "    print(queue.get(timeout=40)[0])\n"
        "    process.join()\n"
    )
    for words in (["spawns.py"], ["-m", "spawns"]):
        found = python("-m", "samesock", "run", *words, cwd=folder)
        assert (found.code, found.out) == (0, "True\n"), found


@pytest.mark.parametrize("words", [[], ["-m"], ["-c"], ["-x"]])
def test_wrong_use(folder: Path, words: list[str]) -> None:
    """What is no program is exit code 2 and a usage line."""
    found = python("-m", "samesock", "run", *words, cwd=folder)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("samesock run: ")
    assert "usage: samesock run" in found.err


def test_help(folder: Path) -> None:
    """`run --help` tells the usage; a program's own --help is the program's."""
    found = python("-m", "samesock", "run", "--help", cwd=folder)
    assert found.code == 0
    assert "usage: samesock run" in found.out
    assert "--help" in python("-m", "samesock", "run", "script.py", "--help", cwd=folder).out
