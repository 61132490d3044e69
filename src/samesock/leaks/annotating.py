"""While somebody traces, the descriptor table's records say where each descriptor was opened.

What must never be put here: tracing itself, or anything that keeps the table from working without it.
"""

from __future__ import annotations

import os
import threading

from samesock.fdtable import Annotation, Frame, OpenDescriptor, Origin, register_annotator
from samesock.leaks import recording


def _annotate(record: OpenDescriptor) -> Annotation | None:
    """The record's origin, for this process's own descriptors."""
    if record.pid != os.getpid() or not recording.active() or recording.state.muted == threading.get_ident():
        return None  # the checker itself finds origins by its own way
    kind, path = record.kind, record.path
    found = recording.log.find(record.space, record.number, path=path, socket=kind == "socket")
    if found is None:
        return None
    lines = found.own_lines()
    return Annotation(
        origin=Origin(tuple(Frame(line.file, line.line, line.function, line.source()) for line in lines))
    )


class _Registered:
    """Whether the annotator is in the table: once it is, it stays and answers while somebody traces."""

    done = False


def register() -> None:
    """Offer what tracing knows to the descriptor table."""
    if not _Registered.done:
        _Registered.done = True
        register_annotator(_annotate)
