"""The table as JSON and back: the schema of docs/fdtable-schema.md, version 1.

Version 1 grows only: a field may be added, none is renamed, removed or given another meaning without a new
version. What must never be put here: rendering for people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar, cast, get_args

from samesock.fdtable.difference import Difference
from samesock.fdtable.model import Address, Frame, OpenDescriptor, Origin, Owner, Peer, SocketInfo
from samesock.fdtable.snapshot import Snapshot
from samesock.fdtable.words import Identity, Kind, Space

SCHEMA = "samesock.fdtable"
VERSION = 1

T = TypeVar("T")


class SchemaError(ValueError):
    """A document that is not a snapshot of this schema: the message names what is wrong with it, and
    where.
    """


def record(one: OpenDescriptor) -> dict[str, object]:
    """One record as JSON's types; every field is there, `null` when unknown."""
    return asdict(one)


def document(snapshot: Snapshot) -> dict[str, object]:
    """A snapshot as JSON's types."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "taken": snapshot.taken,
        "platform": snapshot.platform,
        "pids": list(snapshot.pids),
        "sources": list(snapshot.sources),
        "notes": list(snapshot.notes),
        "descriptors": [record(one) for one in snapshot],
    }


def difference(changes: Difference) -> dict[str, object]:
    """A difference as JSON's types, records in full."""
    return {
        "schema": f"{SCHEMA}.difference",
        "version": VERSION,
        "opened": [record(one) for one in changes.opened],
        "closed": [record(one) for one in changes.closed],
        "replaced": [{"before": record(one.before), "after": record(one.after)} for one in changes.replaced],
        "changed": [
            {"before": record(one.before), "after": record(one.after), "fields": list(one.fields)}
            for one in changes.changed
        ],
    }


def dumps(snapshot: Snapshot, indent: int | None = None) -> str:
    """The document as ASCII text: bytes of a path that are no UTF-8 survive as lone surrogates."""
    return json.dumps(document(snapshot), indent=indent)


def loads(text: str | bytes) -> Snapshot:
    """The snapshot in `text`; `SchemaError` for another schema or version, or a document that is not
    whole.

    Bytes may be UTF-8, UTF-16 or UTF-32: what PowerShell 5 redirects into a file is UTF-16.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as failure:
        raise SchemaError(f"not JSON: {failure}") from None
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
        raise SchemaError(f'not a snapshot: its "schema" is not "{SCHEMA}"')
    if whole.get("version") != VERSION:
        raise SchemaError(
            f"version {whole.get('version')!r} of the schema; this program reads version {VERSION}"
        )
    try:
        records = tuple(_record(one) for one in whole["descriptors"])
        return Snapshot(
            tuple(int(pid) for pid in whole["pids"]), records, float(whole["taken"]), str(whole["platform"]),
            tuple(whole["sources"]), tuple(whole["notes"]),
        )  # fmt: skip
    except KeyError as failure:
        raise SchemaError(f"a snapshot that is not whole: it lacks {failure}") from None
    except (TypeError, ValueError, AttributeError) as failure:
        raise SchemaError(f"a snapshot that is not whole: {failure}") from None


def _maybe(make: Callable[[Mapping[str, Any]], T], value: object) -> T | None:
    return None if value is None else make(cast(Mapping[str, Any], value))


def _address(value: object) -> Address | None:
    return tuple(value) if isinstance(value, list) else cast("str | None", value)


def _socket(value: Mapping[str, Any]) -> SocketInfo:
    return SocketInfo(
        **{
            **_known(SocketInfo, value),
            "local": _address(value["local"]),
            "remote": _address(value["remote"]),
        }
    )


def _origin(value: Mapping[str, Any]) -> Origin:
    return Origin(tuple(Frame(**_known(Frame, frame)) for frame in value["frames"]))


def _known(made: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this version knows: a later program may have added some."""
    names = made.__dataclass_fields__
    return {name: part for name, part in value.items() if name in names}


def _record(value: Mapping[str, Any]) -> OpenDescriptor:
    if value["kind"] not in get_args(Kind) or value["space"] not in get_args(Space):
        raise SchemaError(f"descriptor {value['number']}: kind {value['kind']!r} in space {value['space']!r}")
    identity: Identity = tuple(value["identity"])
    return OpenDescriptor(
        **{
            **_known(OpenDescriptor, value),
            "identity": identity,
            "socket": _maybe(_socket, value["socket"]),
            "peer": _maybe(lambda part: Peer(**_known(Peer, part)), value["peer"]),
            "owner": _maybe(lambda part: Owner(**_known(Owner, part)), value["owner"]),
            "origin": _maybe(_origin, value["origin"]),
            "source": tuple(value["source"]),
            "partial": tuple(value["partial"]),
        }
    )
