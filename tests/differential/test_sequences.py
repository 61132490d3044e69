"""Generated sequences of operations: samesock's emulated Unix sockets against the kernel's, in one process.

Where the emulation is forced on Linux, the standard library's sockets are still the kernel's. 200 sequences are tried,
and 5,000 where SAMESOCK_NIGHTLY is set.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

import samesock
from differential.normalising import MOST_RULES, RULES, Case, differences
from differential.operations import Machine, Operation, sequence
from samesock import _platform_file
from samesock.unix import choosing

TRIES = 5000 if os.environ.get("SAMESOCK_NIGHTLY") else 200
SECONDS = 1200 if os.environ.get("SAMESOCK_NIGHTLY") else 60

both_are_here = pytest.mark.skipif(
    choosing.transport() != "emulated" or not hasattr(socket, "AF_UNIX"),
    reason="unix-stream is not both the kernel's and emulated here (SAMESOCK_UNIX=emulated)",
)


@st.composite
def sequences(draw: Any) -> list[Operation]:
    """Sequences in which hypothesis chooses, and which it makes shorter when one fails."""
    return sequence(lambda offered: draw(st.sampled_from(offered)), linux=sys.platform == "linux")


@both_are_here
@pytest.mark.timeout(SECONDS)
def test_the_emulation_does_what_the_kernel_does(
    folder: Callable[[str], Path],
    judge: Callable[[Sequence[Operation], Sequence[str], Sequence[str]], list[str]],
) -> None:
    """Whatever a program does with Unix stream sockets, it sees of the emulation what it sees of the kernel, but for
    the declared deviations."""
    theirs, ours = folder("k"), folder("e")

    @hypothesis.settings(
        max_examples=TRIES, suppress_health_check=list(hypothesis.HealthCheck), print_blob=True
    )
    @hypothesis.given(sequences())
    def tried(operations: list[Operation]) -> None:
        kernel = Machine(socket, theirs).run(operations)
        judge(operations, kernel, Machine(samesock, ours).run(operations, kernel))

    tried()


def test_every_rule_is_declared() -> None:
    """A normalisation is a deviation that Linux' file declares of the emulation, with its reason; there are few."""
    path = _platform_file.folder() / "linux.toml"
    data = _platform_file.tomllib.loads(path.read_text(encoding="utf-8"))
    declared = {
        entry["id"]: entry
        for entry in data["deviations"]
        if entry.get("implementation") == "samesock-emulated"
    }
    assert len({case.deviation for case in RULES}) <= MOST_RULES
    assert {case.deviation for case in RULES} == {name for name in declared if name.startswith("unix-")}
    assert all(declared[case.deviation].get("checks") for case in RULES)


_CONNECTED = [("bind", 0, "a"), ("listen", 0, 5), ("connect", 1, "a")]


@pytest.mark.parametrize(
    ("operations", "kernel", "emulated", "rule"),
    [
        ([("recv", 0, 5)], ["EINVAL"], ["ENOTCONN"], "unix-recv-unconnected"),
        ([("recv", 0, 5)], ["5 bytes"], ["ENOTCONN"], None),
        ([("send", 0, 5)], ["EPIPE"], ["5"], "unix-first-send"),
        ([("send", 0, 5)], ["ENOTCONN"], ["EPIPE"], "unix-send-unconnected"),
        ([("send", 0, 5)], ["ENOTCONN"], ["EINVAL"], None),
        ([("send", 0, 5)], ["timed out"], ["ENOTCONN"], None),
        (
            [("listen", 0, 5), ("send", 0, 5)],
            ["None", "timed out"],
            ["None", "ENOTCONN"],
            "unix-send-unconnected",
        ),
        (
            [*_CONNECTED, ("accept", 0, 2)],
            ["None"] * 3 + ["'', timeout None"],
            ["None"] * 3 + ["EAGAIN"],
            None,
        ),
        # A client that waits for a listener whose file is there is accepted, gone or not, and so is one that has not
        # gone when the file has.
        (
            [*_CONNECTED, ("close", 1), ("accept", 0, 2)],
            ["None"] * 4 + ["'', timeout None"],
            ["None"] * 4 + ["EAGAIN"],
            None,
        ),
        (
            [*_CONNECTED, ("unlink", 2, "a"), ("accept", 0, 2)],
            ["None"] * 4 + ["'', timeout None"],
            ["None"] * 4 + ["EAGAIN"],
            None,
        ),
        (
            [*_CONNECTED, ("unlink", 2, "a"), ("close", 1), ("accept", 0, 2)],
            ["None"] * 5 + ["'', timeout None"],
            ["None"] * 5 + ["EAGAIN"],
            "unix-gone-early",
        ),
        # One's own shutdown is told at once.
        ([("shutdown", 0, "SHUT_WR"), ("send", 0, 5)], ["None", "EPIPE"], ["None", "5"], None),
        # More bytes than were let pass before have come from nowhere.
        ([("shutdown", 0, "SHUT_RD"), ("recv", 0, 5)], ["None", "0 bytes"], ["None", "5 bytes"], None),
        ([("fill", 0, None)], ["233152 bytes, EAGAIN"], ["3932160 bytes, EAGAIN"], "unix-buffer-size"),
        ([("fill", 0, None)], ["233152 bytes, EAGAIN"], ["100 bytes, EAGAIN"], None),
        ([("send", 0, 5)], ["EAGAIN"], ["5"], None),
    ],
)
def test_a_rule_covers_its_own_difference_alone(
    operations: list[tuple[Any, ...]], kernel: list[str], emulated: list[str], rule: str | None
) -> None:
    """What is not quite the deviation that a rule names is a failure."""
    [found] = differences([Operation(*one) for one in operations], kernel, emulated)
    assert (found.rule.deviation if found.rule else None) == rule


def test_a_rule_is_needed() -> None:
    """Without the rules, the difference that they let pass is told."""
    none: Sequence[Case] = ()
    [found] = differences([Operation("recv", 0, 5)], ["EINVAL"], ["ENOTCONN"], none)
    assert found.rule is None
    assert str(found) == "step 0: recv(0, 5): the kernel EINVAL, emulated ENOTCONN"
