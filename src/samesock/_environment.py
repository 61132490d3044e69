"""What the environment asks for, looked at once, by the package's import before all else.

A value that means nothing is an exception of the import; where the process is the command `samesock` itself, whose
package is imported before the command runs, it is one line and the exit code 2. What must never be put here: what any
value does.
"""

from __future__ import annotations

import sys

from samesock.unix import choosing

_COMMAND = ("samesock", "samesock.__main__", "samesock.cli")


def is_the_command() -> bool:
    """Whether this process is `samesock` or `python -m samesock`, and has come no further than the import of it."""
    words = getattr(sys, "argv", None) or [""]
    if words[0] != "-m":
        script = words[0].replace("\\", "/").rpartition("/")[2]
        return script.lower() in ("samesock", "samesock.exe", "samesock-script.py")
    # Until the module is found, argv says "-m" and what comes after it; the module's name is the word before that.
    name = getattr(sys, "orig_argv", words)[-len(words)]
    return (name.partition("m")[2] if name.startswith("-") else name) in _COMMAND


def check() -> None:
    """ValueError, or the end of the command, for a variable with a value that means nothing."""
    try:
        choosing.forced()
    except ValueError as error:
        if not is_the_command():
            raise
        print(f"samesock: {error}", file=sys.stderr)
        raise SystemExit(2) from None


check()
