"""The command line: one table of commands, each living in the module that does its work.

A command's module has `add_arguments(parser)` and `main(arguments) -> int`. Nothing else may be put here: no work,
no output but argparse's own.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from samesock._version import __version__

COMMANDS = {
    "doctor": (
        "samesock.doctor",
        "try every feature on this machine and compare with what its platform promises",
    ),
    "fds": ("samesock._fds_command", "list what a process has open, and what changes"),
    "run": ("samesock._run_command", "run a program that finds Unix sockets in the standard library"),
}


def parser() -> argparse.ArgumentParser:
    """The parser for `samesock`, with the names and one-line summaries of every command."""
    top = argparse.ArgumentParser(
        prog="samesock",
        description="The same BSD sockets on every operating system.",
    )
    top.add_argument("--version", action="version", version=f"samesock {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary, description=summary, add_help=False)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Only the module of the command that was asked for is imported: the others may need extras that are not there.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in COMMANDS:
        parser().parse_args(words)
        return 2
    module_name, summary = COMMANDS[words[0]]
    command = importlib.import_module(module_name)
    options = argparse.ArgumentParser(prog=f"samesock {words[0]}", description=summary)
    command.add_arguments(options)
    code = command.main(options.parse_args(words[1:]))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
