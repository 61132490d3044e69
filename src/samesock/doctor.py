"""`samesock doctor`: try every feature on this machine for real, and compare with what its platform is held to.

This module runs the trials and judges them; the table and the JSON are `_doctor_report`'s. It exits 0 when everything
is as it should be, 1 when a trial failed, when `features()` and a trial contradict each other, or when machine and
file disagree, 2 for a command line that makes no sense or an output that cannot be written, 130 after Ctrl+C. What must
never be put here: one feature's trial.

Where `SAMESOCK_UNIX=emulated` forces the emulation, the features of Unix sockets are compared with what the emulation
gives, which is the same everywhere (`Feature.forced`), and the others with the platform's file. Where
`SAMESOCK_UNIX=native` forbids an emulation that the file expects, the features of Unix sockets are not compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from samesock import _doctor_report, _platform_file
from samesock._features import FEATURES, features
from samesock._platform_file import CannotRead, PlatformFile
from samesock._trials import Bench, Outcome, Shown, descriptors, ending, messages, run, unix, waiting
from samesock.unix import choosing

TRIALS: Mapping[str, Callable[[Bench], Shown]] = MappingProxyType(
    {
        "unix-stream": unix.unix_stream,
        "unix-dgram": unix.unix_dgram,
        "unix-seqpacket": unix.unix_seqpacket,
        "unix-abstract": unix.unix_abstract,
        "socketpair": unix.socketpair,
        "peercred": unix.peercred,
        "sendmsg": messages.sendmsg,
        "recvmsg": messages.recvmsg,
        "ancillary": messages.ancillary,
        "passing": messages.passing,
        "select-socket": waiting.select_socket,
        "select-pipe": waiting.select_pipe,
        "select-console": waiting.select_console,
        "select-file": waiting.select_file,
        "interrupt": ending.interrupt,
        "wake": ending.wake,
        "inherit": descriptors.inherit,
        "fdtable": descriptors.fdtable,
    }
)
"""Each feature's trial."""

DEADLINE = 30.0
"""Seconds for one trial: a new interpreter may take several on a busy machine."""


class Expectation(NamedTuple):
    """What one feature is compared with."""

    words: tuple[str, ...]
    source: str
    """Who says so: a file, or the emulation."""
    line: int | None = None

    @property
    def where(self) -> str:
        """How a complaint begins: as a compiler's would, so that editors find the line."""
        return f"{self.source}: " if self.line is None else f"{self.source}:{self.line}: "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "feature", nargs="*", type=_feature, metavar="feature", help="try these alone (default: all of them)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument(
        "--platform", metavar="NAME", help="compare with this platform's file instead of this one's"
    )
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=DEADLINE,
        metavar="SECONDS",
        help="for one feature (default: %(default)g)",
    )


def _feature(text: str) -> str:
    if text not in TRIALS:
        raise argparse.ArgumentTypeError(f"no feature {text!r}; there are: {', '.join(TRIALS)}")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}") from None
    if not 0 < value < 86400:
        raise argparse.ArgumentTypeError(
            f"a time for one trial is more than 0 and less than 86400 seconds: {text}"
        )
    return value


def main(arguments: argparse.Namespace) -> int:
    """Try, compare, print; the exit code."""
    try:
        forced = choosing.forced()
        file, missing = _file_of(arguments.platform)
    except ValueError as error:
        print(f"samesock doctor: {error}", file=sys.stderr)
        return 2
    names = [name for name in TRIALS if not arguments.feature or name in arguments.feature]
    try:
        return _run(names, arguments, file, missing, forced)
    except OSError as error:  # The output's; a trial's is a line of the report.
        print(f"samesock doctor: the report cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(
    names: list[str],
    arguments: argparse.Namespace,
    file: PlatformFile | None,
    missing: str,
    forced: str | None,
) -> int:
    show = _doctor_report.json_output if arguments.json else _doctor_report.table_output
    with _doctor_report.progress(quiet=arguments.json) as tell:
        outcomes = []
        for name in names:
            tell(name)
            outcomes.append(run(name, TRIALS[name], arguments.deadline))
    probed, failure = _probed()
    rows = [
        judged(outcome, expectation(outcome.feature, file, forced), probed.get(outcome.feature))
        for outcome in outcomes
    ]
    report = _doctor_report.Report(_platform_file.this_platform(), forced, file, missing, failure, rows)
    show(report)
    sys.stdout.flush()
    return 0 if report.ok else 1


def _probed() -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What `features()` says, and that it failed, if it did."""
    try:
        return features(), ()
    except Exception as error:  # noqa: BLE001 - a line of the report, like a trial's
        return {}, (f"samesock.features() failed: {type(error).__name__}: {error}",)


def _file_of(wanted: str | None) -> tuple[PlatformFile | None, str]:
    """The file to compare with, or why there is none. ValueError where one was asked for that is not to be had."""
    if wanted is not None and wanted not in _platform_file.names():
        raise ValueError(f"no platform {wanted!r}; there are: {', '.join(_platform_file.names())}")
    try:
        return _platform_file.read(wanted or _platform_file.this_platform()), ""
    except CannotRead as reason:
        if wanted is not None:  # then nothing else is to be compared with
            raise ValueError(f"the file of {wanted!r} cannot be read: {reason}") from None
        return None, str(reason)


def expectation(name: str, file: PlatformFile | None, forced: str | None) -> Expectation | None:
    """What the feature should be on this machine; `None` where nobody says."""
    by_force = FEATURES[name].forced
    if forced == "emulated" and by_force is not None:
        return Expectation((by_force,), f"{choosing.VARIABLE}=emulated")
    if file is None:
        return None
    words = file.features.get(name, ())
    if forced == "native" and by_force is not None and "native" not in words:
        return None
    return Expectation(words, file.shown, file.lines.get(name))


def judged(outcome: Outcome, expected: Expectation | None, probed: str | None) -> _doctor_report.Row:
    """The outcome beside what was expected of it, and every way in which that is wrong."""
    name, found = outcome.feature, outcome.support
    problems = []
    words = expected.words if expected else ()
    where = "" if expected is None else expected.where
    if found is None:
        problems.append(f"{where}{name}: the trial failed: {outcome.text}")
    elif expected is not None and found not in words:
        said = " or ".join(words) or "nothing"
        problems.append(f"{where}{name} is {said} there, and this machine shows {found}: {outcome.text}")
    if None not in (found, probed) and probed != found:
        problems.append(
            f"samesock.features() calls {name} {probed}, and the trial shows {found}: {outcome.text}"
        )
    return _doctor_report.Row(
        outcome,
        probed,
        words,
        None if expected is None else expected.source,
        None if expected is None else expected.line,
        tuple(problems),
    )
