"""Tables for a terminal, in rich's colours: the same cells as `plain`, folded to the window.

rich is the extra `cli` and imported here alone; without it the command falls back to plain text. What must
never be put here: a cell's words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from samesock.fdtable import wording
from samesock.fdtable.difference import Difference
from samesock.fdtable.model import OpenDescriptor
from samesock.fdtable.snapshot import Snapshot

_KINDS = {
    "socket": "cyan", "file": "default", "dir": "blue", "pipe": "yellow", "fifo": "yellow", "tty": "green",
    "console": "green", "other": "dim",
}  # fmt: skip
OPENED, CLOSED, CHANGED = "bold green", "red strike", "bold yellow"


def _row(one: OpenDescriptor, with_pid: bool) -> list[str]:
    cells = [escape(cell) for cell in wording.row(one)]
    cells[2] = f"[{_KINDS.get(one.kind, 'magenta')}]{cells[2]}[/]"
    if one.inheritable:
        cells[4] = f"[bold]{cells[4]}[/]"
    return cells if with_pid else cells[1:]


def table(
    records: Iterable[OpenDescriptor],
    with_pid: bool,
    styles: dict[tuple[int, str, int], str] | None = None,
    title: str | None = None,
) -> Table:
    """A table of records, a row's style by its process, space and number."""
    grid = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    headings = wording.HEADINGS if with_pid else wording.HEADINGS[1:]
    for heading in headings:
        last = heading == headings[-1]
        grid.add_column(heading, overflow="fold" if last else "ellipsis", no_wrap=not last)
    for one in records:
        style = (styles or {}).get((one.pid, one.space, one.number))
        grid.add_row(*_row(one, with_pid), style=style)
    return grid


def show(snapshot: Snapshot) -> None:
    """Print a snapshot and its notes."""
    console = Console()
    console.print(table(snapshot, len(snapshot.pids) > 1))
    for note in snapshot.notes:
        console.print(f"note: {wording.printable(note)}", style="yellow", markup=False)


def show_difference(changes: Difference, with_pid: bool) -> None:
    """Print what was opened, closed, replaced and changed."""
    records, styles = marked(changes, ())
    Console().print(table(records, with_pid, styles))


def marked(
    changes: Difference, others: Iterable[OpenDescriptor]
) -> tuple[list[OpenDescriptor], dict[tuple[int, str, int], str]]:
    """Records with those that were closed among them, and the styles of what changed."""
    styles: dict[tuple[int, str, int], str] = {}
    records = {(one.pid, one.space, one.number): one for one in others}
    for one in changes.opened:
        styles[one.pid, one.space, one.number] = OPENED
        records[one.pid, one.space, one.number] = one
    for one in changes.closed:
        styles.setdefault((one.pid, one.space, one.number), CLOSED)
        records.setdefault((one.pid, one.space, one.number), one)
    for one in (*(swap.after for swap in changes.replaced), *(change.after for change in changes.changed)):
        styles[one.pid, one.space, one.number] = CHANGED
        records[one.pid, one.space, one.number] = one
    order = ("fd", "socket", "handle")
    return sorted(records.values(), key=lambda one: (one.pid, order.index(one.space), one.number)), styles


def watch(
    look: Callable[[], Snapshot], compare: Callable[[Snapshot, Snapshot], Difference], interval: float
) -> None:
    """Redraw the table every `interval` seconds with what changed highlighted, until interrupted or it
    ends.
    """
    before = look()
    with Live(table(before, len(before.pids) > 1), auto_refresh=False) as live:
        live.refresh()
        while True:
            time.sleep(interval)
            after = look()
            records, styles = marked(compare(before, after), after)
            if len(records) > live.console.height - 2:
                # What does not fit is cut off below: what changed must not be.
                records.sort(key=lambda one: (one.pid, one.space, one.number) not in styles)
            live.update(table(records, len(after.pids) > 1, styles), refresh=True)
            before = after
