"""Writes down what Linux' own Unix sockets do in sequences from fixed seeds: `python tests/differential/record.py`.

The file, `recorded.json`, is what systems without such sockets are held to (`test_recorded`). What must never be put
here: anything that runs an emulated socket.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from differential.operations import Machine, Operation, sequence

FILE = Path(__file__).with_name("recorded.json")
SEEDS = range(1, 61)


class Recording(NamedTuple):
    """One sequence and the kernel's transcript of it."""

    seed: int
    operations: list[Operation]
    transcript: list[str]


def sequence_of(seed: int) -> list[Operation]:
    """The sequence of that seed, made of what every system has a name for."""
    return sequence(random.Random(seed).choice, linux=False)


def read() -> list[Recording]:
    """What is in the file."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    return [
        Recording(entry["seed"], [Operation(*one) for one in entry["operations"]], entry["transcript"])
        for entry in entries
    ]


def main() -> None:
    """Run every seed on the kernel's sockets, and write the file anew: one line for each."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            operations = sequence_of(seed)
            transcript = Machine(socket, Path(folder)).run(operations)
            lines.append(json.dumps({"seed": seed, "operations": operations, "transcript": transcript}))
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
