"""The JSON schema: what is written is read back, and what cannot be read is refused by name."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from samesock import fdtable
from samesock.fdtable import json_form
from samesock.fdtable.model import Frame, OpenDescriptor, Origin, Owner, Peer, SocketInfo

TEXTS = some.text(some.characters(codec=None), max_size=8)
WORDS = some.none() | TEXTS
ADDRESSES = some.none() | TEXTS | some.tuples(TEXTS, some.integers(0, 65535))
SOCKETS = some.none() | some.builds(
    SocketInfo,
    family=WORDS,
    local=ADDRESSES,
    remote=ADDRESSES,
    state=WORDS,
    listening=some.none() | some.booleans(),
)
RECORDS = some.builds(
    OpenDescriptor,
    number=some.integers(-1, 2**31),
    space=some.sampled_from(("fd", "socket", "handle")),
    kind=some.sampled_from(("file", "socket", "pipe", "other")),
    identity=some.lists(some.integers() | TEXTS, max_size=4).map(tuple),
    pid=some.integers(0, 2**22),
    inheritable=some.none() | some.booleans(),
    access=some.sampled_from((None, "r", "w", "rw", "path")),
    path=WORDS,
    detail=TEXTS,
    socket=SOCKETS,
    peer=some.none() | some.builds(Peer, some.none() | some.integers(0, 9), some.none() | some.integers(1, 9)),
    owner=some.none() | some.builds(Owner, TEXTS, TEXTS),
    origin=some.none() | some.builds(Origin, some.tuples(some.builds(Frame, TEXTS, some.integers(1), TEXTS, TEXTS))),
    source=some.tuples(TEXTS),
    partial=some.lists(TEXTS, max_size=2).map(tuple),
)  # fmt: skip


@given(some.lists(RECORDS, max_size=3))
def test_every_record_survives(records: list[OpenDescriptor]) -> None:
    """Any record, bytes of a path that are no UTF-8 included, is read back equal from ASCII text."""
    snap = fdtable.Snapshot((1, 2), tuple(records), 12.5, "linux", ("procfs",), ("a note",))
    text = snap.to_json()
    assert text.isascii()
    assert json_form.loads(text) == snap


def test_a_live_snapshot_survives() -> None:
    """A snapshot of this process is read back equal."""
    with socket.create_server(("127.0.0.1", 0)):
        snap = fdtable.snapshot()
    assert json_form.loads(snap.to_json(indent=2)) == snap


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nonsense", "not JSON"),
        ("[]", 'its "schema" is not'),
        ('{"schema": "another"}', 'its "schema" is not'),
        (
            '{"schema": "samesock.fdtable", "version": 2}',
            "version 2 of the schema; this program reads version 1",
        ),
        ('{"schema": "samesock.fdtable", "version": 1}', "not whole: it lacks 'descriptors'"),
        ('{"schema": "samesock.fdtable", "version": 1, "descriptors": [{}]}', "not whole: it lacks 'kind'"),
        ('{"schema": "samesock.fdtable", "version": 1, "descriptors": [7]}', "not whole"),
        ("[" * 100_000, "not JSON"),
        (b"\x80abc", "not JSON"),
    ],
)
def test_another_document_is_refused_by_name(text: str | bytes, complaint: str) -> None:
    """Another schema, another version and a document cut short are errors that say which of these it is."""
    with pytest.raises(json_form.SchemaError, match=complaint):
        json_form.loads(text)


def test_an_unknown_kind_is_refused_and_an_unknown_field_is_not() -> None:
    """An unknown kind is an error naming the descriptor; a field that a later version added is not."""
    document = json_form.document(fdtable.snapshot())
    records = document["descriptors"]
    assert isinstance(records, list)
    part = dict.fromkeys(("number", "pid", "pending"))
    records[0] |= {"peer": {**part, "space": "fd"}, "owner": {"type": "T", "text": "t"}}
    records[0]["socket"] = dict.fromkeys(SocketInfo.__dataclass_fields__)
    frame = {"file": "f", "line": 1, "function": "g", "text": "h"}
    records[0]["origin"] = {"frames": [frame]}
    known = json_form.loads(json.dumps(document))
    for thing in (records[0], *(records[0][name] for name in ("peer", "owner", "socket", "origin")), frame):
        thing["colour"] = "red"
    assert json_form.loads(json.dumps(document)) == known
    records[0]["kind"] = "teapot"
    with pytest.raises(json_form.SchemaError, match="kind 'teapot'"):
        json_form.loads(json.dumps(document))


def test_the_documented_fields_are_those_written() -> None:
    """docs/fdtable-schema.md names every field of the document, the record and its parts, and no other."""
    page = Path(__file__).parent.parent.parent / "docs" / "fdtable-schema.md"
    if not page.exists():
        pytest.skip("needs docs: they are not beside the tests here")
    text = page.read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    document = json_form.document(fdtable.snapshot())
    wanted = set(document)
    for kind in (OpenDescriptor, SocketInfo, Peer, Owner, Origin, Frame):
        wanted |= set(kind.__dataclass_fields__)
    wanted |= set(json_form.difference(fdtable.Difference())) | {"before", "after", "fields", "at"}
    assert named == wanted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_what_a_shell_has_redirected_is_read(encoding: str) -> None:
    """A table is read in the encodings that shells write: PowerShell 5 makes UTF-16 of it."""
    snap = fdtable.snapshot()
    assert json_form.loads(snap.to_json().encode(encoding)) == snap


def test_two_snapshots_of_a_saved_table_compare(tmp_path: Path) -> None:
    """A table saved and read again is compared with a new one as if it had not been away."""
    before = json_form.loads(fdtable.snapshot().to_json())
    number = os.open(tmp_path / "new", os.O_CREAT | os.O_RDWR)
    try:
        changes = fdtable.diff(before, fdtable.snapshot())
    finally:
        os.close(number)
    assert number in [one.number for one in changes.opened if one.space == "fd"]
