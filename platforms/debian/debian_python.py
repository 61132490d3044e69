#!/usr/bin/env python3
"""Run PyPy, or a CPython that this machine's own system has not got: `debian_python.py run --python 3.14 -- -m pytest`.

Each comes from a Debian release that packages it, in a root folder of its own, made and entered as Wine's is
(platforms/wine). This is the command line and the table of what there is; how a root is made, cached and left
again is decided by the modules it imports, and no test is named here.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wine"))

from cache import LauncherError, built, cache_root, key_of, make_folder, retried, say
from debian_root import debian_root, enter
from interpreters import grouped
from running import INTERRUPTED, Limits, Program, run_piped

RECIPE = 1  # Raise it when the way of making an interpreter's folder changes.
GROUPS = ("test",)
IN_ROOT = {"PATH": "/python/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
# Compiled files stay out of the checkout: theirs would lie beside those of the machine's own Pythons.
PYTHON_ENVIRONMENT = {"PYTHONPYCACHEPREFIX": "/tmp/pycache", "PYTHONUNBUFFERED": "1"}
# A package index behind a certificate or a proxy of the machine's own is reached as the machine's pip reaches it.
PASSED_TO_PIP = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Packaged:
    """Where an interpreter comes from: the Debian release, its packages, the program's name there, and what must
    be asked of pip beside what the project asks for."""

    suite: str
    packages: tuple[str, ...]
    program: str
    also: tuple[str, ...] = ()


def _cpython(version: str) -> Packaged:
    name = f"python{version}"
    return Packaged("sid", (name, f"{name}-venv", "ca-certificates"), name)


AVAILABLE = {
    # psutil has no wheel for PyPy: it is compiled there. hypothesis 6.170 has a compiled part, which asks Debian's PyPy
    # 7.3.19 for PyPyModule_FromDefAndSpec2 in vain; 6.155 has none.
    "pypy3.11": Packaged(
        suite="trixie",
        packages=("pypy3", "pypy3-venv", "pypy3-dev", "gcc", "libc6-dev", "ca-certificates"),
        program="pypy3",
        also=("hypothesis<6.156",),
    ),
    "3.14": _cpython("3.14"),
    "3.15": _cpython("3.15"),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(
        prog="debian_python.py", description="PyPy and newer CPythons, with this checkout in view."
    )
    commands = main.add_subparsers(dest="command", required=True)
    ensure = commands.add_parser("ensure", help="fetch and make whatever a run needs")
    ensure.add_argument("--python", required=True, choices=list(AVAILABLE))
    run = commands.add_parser("run", help="run that Python with the arguments after --")
    run.add_argument("--python", required=True, choices=list(AVAILABLE))
    run.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", type=_assignment)
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="end it then, with exit code 124")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- ARGUMENT ...")
    return main


def _assignment(text: str) -> tuple[str, str]:
    """NAME=VALUE, taken apart."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text!r}")
    return name, value


def make_ready(cache: Path, checkout: Path, version: str) -> tuple[Path, Path]:
    """The root folder and the interpreter's folder, which is a virtual environment; made on first use."""
    packaged = AVAILABLE[version]
    root = debian_root(cache, packaged.suite, packaged.packages, (f"usr/bin/{packaged.program}",))
    needed = [*grouped(checkout / "pyproject.toml", GROUPS), *packaged.also]
    inputs = {"recipe": RECIPE, "root": root.name, "packages": needed}
    folder = cache / "debian-pythons" / f"{version}-{key_of(inputs)}"

    def build(target: Path) -> None:
        say(f"installing {len(needed)} packages for Python {version} into {folder}")
        _in_root(root, target, packaged.program, "-m", "venv", "/python")
        pip = ("/python/bin/python", "-m", "pip", "--quiet", "install")
        retried("pip install", lambda: _in_root(root, target, *pip, *needed))
        site = next(target.glob("lib/*/site-packages"))
        (site / "checkout.pth").write_text("/checkout/src\n")

    return root, built(folder, inputs, ("bin/python", "pyvenv.cfg"), build)


def _in_root(root: Path, python: Path, *line: str) -> None:
    """Run one step of the making; on failure show the end of what it said."""
    binds = [(python, "/python")]
    binds += [(Path(name), name) for name in ("/etc/resolv.conf", CERTIFICATES) if os.path.exists(name)]
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_TO_PIP)}
    done = subprocess.run(
        enter(root, binds, "/", list(line)),
        env={**IN_ROOT, **passed, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        tail = done.stdout.decode(errors="replace").splitlines()[-15:]
        raise LauncherError(f"{' '.join(line[:4])} ended with {done.returncode}:\n    " + "\n    ".join(tail))


def run(cache: Path, checkout: Path, options: argparse.Namespace) -> int:
    """Run that Python in its root, the checkout in view; its exit code."""
    root, python = make_ready(cache, checkout, options.python)
    given = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    binds = [(python, "/python"), (checkout, "/checkout")]
    passed = {name: os.environ[name] for name in ("CI", "TERM") if name in os.environ}
    environment = {**IN_ROOT, **PYTHON_ENVIRONMENT, **passed, **dict(options.env)}
    command = enter(root, binds, "/checkout", ["/python/bin/python", *given])
    program, limits = Program(command, root, environment, ()), Limits(options.timeout)
    ended = run_piped(program, limits, sys.stdout.buffer, sys.stderr.buffer)
    if ended.why:
        say(f"ended with exit code {ended.code}: {ended.why}")
    return ended.code


def _terminated(_number: int, _frame: object) -> None:
    """Leave as after Ctrl+C, so that what was started is ended too."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    options = parser().parse_args(arguments)
    checkout = Path(__file__).resolve().parents[2]
    cache = cache_root()
    signal.signal(signal.SIGTERM, _terminated)
    # What a shell starts in the background ignores Ctrl+C, and so would the tests of it, for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        make_folder(cache)
        if options.command == "run":
            return run(cache, checkout, options)
        _, python = make_ready(cache, checkout, options.python)
        say(f"ready: Python {options.python}, in {python}")
    except LauncherError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
