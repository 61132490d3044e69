"""What each command of `samesock` says of its options: argparse's own help, as text.

What must never be put here: anything of Sphinx, and a word about what a command does.
"""

from __future__ import annotations

import argparse
import importlib
from functools import partial

from samesock.cli import COMMANDS

WIDTH = 96


def helps() -> dict[str, str]:
    """Each command's name, mapped to its help."""
    found = {}
    for name, (module, summary) in COMMANDS.items():
        layout = partial(argparse.HelpFormatter, width=WIDTH, max_help_position=28)
        options = argparse.ArgumentParser(f"samesock {name}", description=summary, formatter_class=layout)
        importlib.import_module(module).add_arguments(options)
        found[name] = options.format_help()
    return found
