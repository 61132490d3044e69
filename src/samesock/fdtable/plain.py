"""Tables as plain aligned text: what `print(snapshot)` and a pipe get.

What must never be put here: colour, or anything that asks how wide a terminal is; a line is as long as it
needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from samesock.fdtable import wording
from samesock.fdtable.difference import Difference
from samesock.fdtable.model import OpenDescriptor
from samesock.fdtable.snapshot import Snapshot


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells in columns two spaces apart, the last column as it is."""
    rows = list(rows)
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]
        ).rstrip()
        for row in rows
    )


def records(these: Iterable[OpenDescriptor], with_pid: bool) -> str:
    """A table of records with its heading."""
    start = 0 if with_pid else 1
    return aligned([wording.HEADINGS[start:], *(wording.row(one)[start:] for one in these)])


def table(snapshot: Snapshot) -> str:
    """The snapshot's table, then what it lacks."""
    text = records(snapshot, with_pid=len(snapshot.pids) > 1)
    return "\n".join([text, *(f"note: {wording.printable(note)}" for note in snapshot.notes)])


def difference(changes: Difference) -> str:
    """One line for each change: "+" opened, "-" closed, "~" replaced or changed."""
    rows: list[tuple[str, ...]] = []
    rows += [("+", *wording.row(one)) for one in changes.opened]
    rows += [("-", *wording.row(one)) for one in changes.closed]
    for swap in changes.replaced:
        *cells, last = wording.row(swap.after)
        rows.append(("~", *cells, f"{last} (replaced {swap.before.kind} {wording.what(swap.before)})"))
    for change in changes.changed:
        *cells, last = wording.row(change.after)
        rows.append(("~", *cells, f"{last} (changed: {', '.join(change.fields)})"))
    return aligned(rows) if rows else "no change"
