"""The door through which those who know more than the kernel complete a record.

An emulated Unix socket is TCP to the kernel and a path to its user; a tracer knows who opened a descriptor.
They register here; the table never asks for them by name. What must never be put here: an annotator.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from samesock._plugs import ANNOTATORS
from samesock.fdtable.model import Address, OpenDescriptor, Origin, Owner, Peer, SocketInfo, Transport


@dataclass(frozen=True, slots=True)
class Annotation:
    """What an annotator knows better: every field that is not `None` takes the place of the record's.

    A new `family` takes the protocol with it: AF_UNIX has none, whatever carries it. `remote` and `peer` cannot
    be taken away, only replaced.
    """

    family: str | None = None
    type: str | None = None
    protocol: str | None = None
    local: Address | None = None
    remote: Address | None = None
    state: str | None = None
    listening: bool | None = None
    backlog: int | None = None
    queued: int | None = None
    transport: Transport | None = None
    path: str | None = None
    detail: str | None = None
    peer: Peer | None = None
    owner: Owner | None = None
    origin: Origin | None = None


Annotator = Callable[[OpenDescriptor], Annotation | None]
"""Given a record, what it knows better, or `None`. It is called for every record of every snapshot that takes
details, so it returns at once for what is not its own, and it opens nothing."""

_IN_SOCKET = (
    "family", "type", "protocol", "local", "remote", "state", "listening", "backlog", "queued", "transport",
)  # fmt: skip
_IN_RECORD = ("path", "detail", "peer", "owner", "origin")

_annotators: list[Annotator] = []


def register_annotator(annotator: Annotator) -> Callable[[], None]:
    """Have `annotator` complete the records of every snapshot from now on; call the result to take it out
    again.

    It gets the record with the kernel's addresses in `record.socket` (`None` for what is no socket). Later
    ones see what earlier ones changed. An annotator that raises loses nothing: its error is noted in the
    record's `partial`.

    Portability: native everywhere.
    """
    _annotators.append(annotator)

    def remove() -> None:
        if annotator in _annotators:
            _annotators.remove(annotator)

    return remove


def applied(record: OpenDescriptor, note: Annotation) -> OpenDescriptor:
    """`record` with what `note` knows better."""
    inner = {name: value for name in _IN_SOCKET if (value := getattr(note, name)) is not None}
    outer = {name: value for name in _IN_RECORD if (value := getattr(note, name)) is not None}
    if note.family is not None:
        inner["protocol"] = note.protocol
    if inner:
        outer["socket"] = replace(record.socket or SocketInfo(), **inner)
    return replace(record, **outer) if outer else record


def annotated(record: OpenDescriptor) -> OpenDescriptor:
    """`record` as the registered annotators complete it."""
    for annotator in (*_plugged(), *_annotators):
        try:
            note = annotator(record)
        except Exception as failure:  # noqa: BLE001  (someone else's code: the table survives it and says so)
            name = getattr(annotator, "__qualname__", repr(annotator))
            record = replace(
                record, partial=(*record.partial, f"{name}: {type(failure).__name__}: {failure}")
            )
            continue
        if note is not None:
            record = applied(record, note)
    return record


def any_annotators() -> bool:
    """Whether there is anybody to ask."""
    return bool(_annotators or _plugged())


def _plugged() -> list[Annotator]:
    """Those who speak for a module that is in use in this process."""
    return [_annotate_of(module) for used, module in ANNOTATORS if used in sys.modules]


@functools.cache
def _annotate_of(module: str) -> Annotator:
    annotate: Annotator = importlib.import_module(module).annotate
    return annotate
