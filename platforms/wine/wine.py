#!/usr/bin/env python3
"""Run real Windows CPython on Linux, under Wine: `wine.py run --python 3.13 -- -m pytest`.

This is the command line alone: it puts together a Wine (wines), a Windows Python (interpreters), a prefix of
the run's own (prefixes) and the program (running), and decides nothing that they could decide.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
if importlib.util.find_spec("fcntl") is None:  # On Windows, where samesock.nox brings people here.
    sys.exit(
        "wine: this takes Linux for x86-64, with Wine 9 or newer on PATH, or root; here is no system like it"
    )

from cache import LauncherError, cache_root, make_folder, remove_tree, say, try_lock
from interpreters import AVAILABLE, interpreter, pythons_folder, requirements
from prefixes import taken, template
from running import INTERRUPTED, Limits, Program, run_on_terminal, run_piped
from wines import SERVER_IS_LOST, Places, Wine, find_wine

DEFAULT_PYTHON = "3.13"
# Compiled files go into the prefix: this checkout's belong to the Pythons of the machine itself.
PYTHON_ENVIRONMENT = {"PYTHONPYCACHEPREFIX": "C:\\pycache", "PYTHONUNBUFFERED": "1"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(
        prog="wine.py", description="Windows CPython under Wine, with this checkout in view."
    )
    checkout = Path(__file__).resolve().parents[2]
    main.add_argument(
        "--checkout", type=Path, default=checkout, help="the checkout to show (default: this one)"
    )
    main.add_argument(
        "--package",
        action="append",
        default=[],
        help="one that is not in its pyproject.toml; may be given again",
    )
    commands = main.add_subparsers(dest="command", required=True)
    ensure = commands.add_parser("ensure", help="fetch and make whatever a run needs")
    ensure.add_argument("--python", action="append", choices=list(AVAILABLE), help="may be given again")
    run = commands.add_parser("run", help="run Windows Python with the arguments after --")
    run.add_argument("--python", default=DEFAULT_PYTHON, choices=list(AVAILABLE))
    run.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", type=_assignment)
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="end it then, with exit code 124")
    run.add_argument(
        "--silence",
        type=float,
        metavar="SECONDS",
        help="end it when it prints nothing for that long, with 125",
    )
    run.add_argument("--pty", action="store_true", help="give it a terminal (a Windows console) of its own")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- ARGUMENT ...")
    commands.add_parser("path", help="print the cache folder")
    commands.add_parser("clean", help="remove the cache folder")
    return main


def _assignment(text: str) -> tuple[str, str]:
    """NAME=VALUE, taken apart."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text!r}")
    return name, value


def make_ready(
    cache: Path, checkout: Path, also: list[str], pythons: list[str]
) -> tuple[Wine, Path, list[str]]:
    """The Wine, the template prefix and the interpreters' names, all of them made if need be."""
    needed = [*requirements(checkout / "pyproject.toml"), *also]
    wine = find_wine(cache)
    return wine, template(cache, wine), [interpreter(cache, version, needed) for version in pythons]


def run(cache: Path, options: argparse.Namespace) -> int:
    """Run Windows Python in a prefix of its own; its exit code."""
    wine, template_folder, (python,) = make_ready(cache, options.checkout, options.package, [options.python])
    given = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    with taken(template_folder, wine) as prefix:
        places = Places(prefix.folder, options.checkout, pythons_folder(cache))
        wine.link(places)
        line = ["wine", f"C:\\Pythons\\{python}\\python.exe", *given]
        command, directory, environment = wine.command(places, line)
        passed = {"CI": os.environ["CI"]} if "CI" in os.environ else {}
        environment = {**environment, **PYTHON_ENVIRONMENT, **passed, **dict(options.env)}
        program = Program(command, directory, environment, (prefix.lock,))
        limits = Limits(options.timeout, options.silence, SERVER_IS_LOST)
        if options.pty:
            ended = run_on_terminal(program, limits)
        else:
            ended = run_piped(program, limits, sys.stdout.buffer, sys.stderr.buffer)
    if ended.why:
        say(f"ended with exit code {ended.code}: {ended.why}")
    return ended.code


def clean(cache: Path) -> None:
    """Remove everything, unless a run is using it."""
    with contextlib.ExitStack() as held:
        for path in (*cache.glob("*.lock"), *cache.glob("*/*.lock")):
            lock = try_lock(path)
            if lock is None:
                raise LauncherError(f"not removing {cache}: a run is using it")
            held.callback(os.close, lock)
        if cache.exists():
            remove_tree(cache)


def _terminated(_number: int, _frame: object) -> None:
    """Leave as after Ctrl+C, so that what was started is ended too."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    options = parser().parse_args(arguments)
    options.checkout = options.checkout.resolve()
    cache = cache_root()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        make_folder(cache)
        if options.command == "run":
            return run(cache, options)
        if options.command == "ensure":
            wine, _, pythons = make_ready(
                cache, options.checkout, options.package, options.python or [DEFAULT_PYTHON]
            )
            say(f"ready: {wine.name}, Windows Python {', '.join(pythons)}, in {cache}")
        elif options.command == "clean":
            clean(cache)
        else:
            print(cache)
    except LauncherError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # Whoever read our output has left; Python's own flush at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0


if __name__ == "__main__":
    sys.exit(main())
