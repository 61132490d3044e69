"""`samesock fds`: the descriptor table on the command line.

What must never be put here: anything that a program could want from `samesock.fdtable` itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from samesock import fdtable
from samesock.fdtable import json_form, plain
from samesock.fdtable.difference import Difference, diff
from samesock.fdtable.model import OpenDescriptor
from samesock.fdtable.snapshot import Snapshot
from samesock.fdtable.words import Kind

SAME, DIFFERENT, TROUBLE = 0, 1, 2
"""Exit codes, as diff(1) has them."""


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}") from None
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("an interval is more than 0 and at most 3600 seconds")
    return seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "pid", nargs="?", type=int, help="the process to look into; this command itself if omitted"
    )
    parser.add_argument("--json", action="store_true", help="JSON, whose schema the documentation has")
    parser.add_argument(
        "--kind", action="append", choices=get_args(Kind), metavar="KIND", help="only this kind (repeat)"
    )
    parser.add_argument("--inheritable", action="store_true", help="only what a child process would inherit")
    parser.add_argument("--children", action="store_true", help="the process's descendants as well")
    parser.add_argument(
        "--all", action="store_true", help="events, threads and other handles of Windows as well"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--watch", nargs="?", type=_interval, const=1.0, metavar="SECONDS", help="show changes as they happen"
    )
    how.add_argument(
        "--diff", type=Path, metavar="FILE", help="compare with a table saved by --json; exit 1 if unequal"
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the command; 0, 1 when `--diff` found a difference, 2 when the table could not be read."""
    try:
        return _run(arguments)
    except (OSError, json_form.SchemaError) as failure:
        text = failure.strerror if isinstance(failure, OSError) and failure.strerror else str(failure)
        name = f"{failure.filename}: " if isinstance(failure, OSError) and failure.filename else ""
        sys.stderr.write(f"samesock fds: {name}{text}\n")
        return TROUBLE
    except ModuleNotFoundError as failure:  # psutil; its message says what it is needed for.
        sys.stderr.write(f"samesock fds: {failure}\n")
        return TROUBLE
    except KeyboardInterrupt:
        return SAME


def _run(arguments: argparse.Namespace) -> int:
    wanted = _filter(arguments)

    def look() -> Snapshot:
        return wanted(fdtable.snapshot(arguments.pid, children=arguments.children))

    if arguments.watch is not None:
        return _watch(look, arguments.watch, arguments.json)
    if arguments.diff is not None:
        try:
            earlier = json_form.loads(arguments.diff.read_bytes())
        except json_form.SchemaError as failure:
            raise json_form.SchemaError(f"{arguments.diff}: {failure}") from None
        return _compare(wanted(earlier), look(), arguments.json)
    snapshot = look()
    if arguments.json:
        _write(snapshot.to_json(indent=2))
    elif _on_terminal():
        from samesock.fdtable import coloured

        coloured.show(snapshot)
    else:
        _write(plain.table(snapshot))
    return SAME


def _filter(arguments: argparse.Namespace) -> Callable[[Snapshot], Snapshot]:
    kinds = set(arguments.kind or ())

    def fits(one: OpenDescriptor) -> bool:
        if arguments.inheritable and not one.inheritable:
            return False
        if kinds:
            return one.kind in kinds
        # Only Windows has hundreds of these, opened by its own libraries.
        return arguments.all or not (one.kind in ("other", "semaphore", "shm") and one.space == "handle")

    def chosen(snapshot: Snapshot) -> Snapshot:
        kept = tuple(one for one in snapshot if fits(one))
        notes = snapshot.notes
        if not kinds and not arguments.inheritable and len(kept) < len(snapshot):
            notes = (
                *notes,
                f"{len(snapshot) - len(kept)} events, keys and other handles are not shown: --all",
            )
        return replace(snapshot, descriptors=kept, notes=notes)

    return chosen


def _on_terminal() -> bool:
    """Whether to use colours: a terminal that shows them, and rich to make them."""
    if not sys.stdout.isatty():
        return False
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True


def _write(text: str) -> None:
    """A line of text, in whatever encoding the output has."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


def _compare(earlier: Snapshot, now: Snapshot, as_json: bool) -> int:
    changes = diff(earlier, now)
    if as_json:
        _write(json.dumps(json_form.difference(changes), indent=2))
    elif changes and _on_terminal():
        from samesock.fdtable import coloured

        coloured.show_difference(changes, with_pid=True)
    else:
        _write(plain.difference(changes))
    return DIFFERENT if changes else SAME


def _watch(look: Callable[[], Snapshot], interval: float, as_json: bool) -> int:
    """Changes until interrupted, or until the process ends; one JSON document a line with `--json`."""
    if not as_json and _on_terminal():
        from samesock.fdtable import coloured

        try:
            coloured.watch(look, diff, interval)
        except ProcessLookupError as failure:
            _write(str(failure.strerror))
        return SAME
    before = look()
    if not as_json:
        _write(plain.table(before))
    while True:
        time.sleep(interval)
        try:
            after = look()
        except ProcessLookupError as failure:
            _report(diff(before, ()), as_json)
            if not as_json:
                _write(str(failure.strerror))
            return SAME
        _report(diff(before, after), as_json)
        before = after


def _report(changes: Difference, as_json: bool) -> None:
    if not changes:
        return
    if as_json:
        _write(json.dumps({"at": time.time(), **json_form.difference(changes)}))
    else:
        _write(f"{time.strftime('%H:%M:%S')}\n{plain.difference(changes)}")
