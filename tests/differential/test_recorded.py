"""Recorded sequences: what Linux' own Unix sockets did, and what samesock's do on the system at hand.

`record.py` wrote them down. Where samesock's Unix sockets are the kernel's, this shows that the record still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import samesock
from differential.operations import Machine, Operation
from differential.record import SEEDS, Recording, read, sequence_of

RECORDED = {one.seed: one for one in read()}


@pytest.mark.needs("unix-stream")
@pytest.mark.parametrize("seed", SEEDS)
def test_samesock_does_what_the_kernel_did(
    seed: int,
    folder: Callable[[str], Path],
    judge: Callable[[Sequence[Operation], Sequence[str], Sequence[str]], list[str]],
) -> None:
    """A sequence of operations gives here what it gave on Linux, but for the declared deviations."""
    recorded: Recording = RECORDED[seed]
    seen = Machine(samesock, folder("s")).run(recorded.operations, recorded.transcript)
    judge(recorded.operations, recorded.transcript, seen)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_record_is_of_this_model(seed: int) -> None:
    """The recorded operations are those that the seed gives today: whoever changes the model records anew."""
    assert RECORDED[seed].operations == sequence_of(seed)
