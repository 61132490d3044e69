"""`backend._security_descriptor`: who owns an object and who may change it, read from bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesock.backend._security_descriptor import (
    ADMINISTRATORS,
    CREATOR_OWNER,
    INHERIT_ONLY_ACE,
    OWNER_RIGHTS,
    SYSTEM,
    SecurityDescriptor,
    others_may_write,
    parse,
    sid_bytes,
    sid_text,
)

ME = "S-1-5-21-1004336348-1177238915-682003330-512"
EVERYBODY = "S-1-1-0"
FULL, READ, WRITE_DATA, WRITE_DAC, GENERIC_WRITE = 0x1F01FF, 0x120089, 0x0002, 0x40000, 0x40000000

# What Wine 10 gave for a file made with "O:<user>D:P(A;;FA;;;<user>)(A;;FA;;;SY)".
SEEN = bytes.fromhex(
    "0100048014000000000000000000000030000000"
    "010500000000000515000000000000000000000000000000e8030000"
    "020040000200000000001400ff011f00010100000000000512000000"
    "00002400ff011f00010500000000000515000000000000000000000000000000e8030000"
)


def ace(sid: str, mask: int, kind: int = 0, flags: int = 0) -> bytes:
    """One entry of an access list."""
    raw = sid_bytes(sid)
    return struct.pack("<BBHI", kind, flags, 8 + len(raw), mask) + raw


def descriptor(owner: str, *aces: bytes, control: int = 0x8004) -> bytes:
    """A whole descriptor: owner, then the list."""
    raw = sid_bytes(owner)
    acl = struct.pack("<BBHHH", 2, 0, 8 + sum(map(len, aces)), len(aces), 0) + b"".join(aces)
    return struct.pack("<BBHIIII", 1, 0, control, 20, 0, 0, 20 + len(raw)) + raw + acl


def open_to_others(*aces: bytes, control: int = 0x8004) -> bool:
    """The judgement on a descriptor of this user's with these entries."""
    return others_may_write(parse(descriptor(ME, *aces, control=control)), frozenset({ME}))


def test_one_that_was_seen() -> None:
    """A descriptor that a system really gave is read: its owner, and the entries of its list in their order."""
    found = parse(SEEN)
    assert found.owner == "S-1-5-21-0-0-0-1000"
    assert found.dacl is not None
    assert [(entry.sid, entry.mask) for entry in found.dacl] == [(SYSTEM, FULL), (found.owner, FULL)]
    assert not others_may_write(found, frozenset({found.owner}))


@pytest.mark.parametrize("sid", [ME, SYSTEM, ADMINISTRATORS, EVERYBODY, CREATOR_OWNER, "S-1-0"])
def test_sids_round_trip(sid: str) -> None:
    """A SID survives the way into bytes and back."""
    assert sid_text(sid_bytes(sid)) == sid


def test_mine_and_the_systems() -> None:
    """The owner, the system, administrators and "owner rights" may write to what is mine alone."""
    friends = (ME, SYSTEM, ADMINISTRATORS, OWNER_RIGHTS)
    assert not open_to_others(*(ace(sid, FULL) for sid in friends))


def test_readers_are_no_writers() -> None:
    """An entry that lets others read does not count."""
    assert not open_to_others(ace(ME, FULL), ace(EVERYBODY, READ))


@pytest.mark.parametrize("mask", [WRITE_DATA, 0x0004, WRITE_DAC, 0x80000, GENERIC_WRITE, 0x10000000, FULL])
def test_every_way_of_writing_counts(mask: int) -> None:
    """To write data, to append, to change the list or the owner, and the generic rights: each opens the object."""
    assert open_to_others(ace(ME, FULL), ace(EVERYBODY, mask))


def test_no_list_and_an_empty_one() -> None:
    """No list lets everybody in, whether it is absent or null; an empty one lets nobody in."""
    assert open_to_others(control=0x8000)
    assert others_may_write(SecurityDescriptor(ME, None), frozenset({ME}))
    null = struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 0, 0, 0) + sid_bytes(ME)
    assert parse(null) == SecurityDescriptor(ME, None)
    assert not open_to_others()


def test_denials_neither_help_nor_harm() -> None:
    """A denial does not count as a grant, and does not take one back: an entry before it may already have given."""
    assert not open_to_others(ace(ME, FULL), ace(EVERYBODY, FULL, kind=1))
    assert open_to_others(ace(EVERYBODY, FULL, kind=1), ace(EVERYBODY, FULL))


@pytest.mark.parametrize("kind", [0x04, 0x05, 0x0B, 0x16, 0xFF])
def test_entries_of_unknown_kinds_count(kind: int) -> None:
    """An entry that we cannot read is taken for a grant to a stranger: unknown is never "nobody"."""
    assert open_to_others(ace(ME, FULL, kind=kind))


def test_conditional_grants_count() -> None:
    """A grant under a condition is a grant, to whom it names."""
    assert open_to_others(ace(EVERYBODY, FULL, kind=9))
    assert not open_to_others(ace(ME, FULL, kind=9))


def test_creator_owner() -> None:
    """The placeholder for whoever makes things inside a directory is no stranger; as a plain entry it is one."""
    assert not open_to_others(ace(CREATOR_OWNER, FULL, flags=INHERIT_ONLY_ACE | 3))
    assert open_to_others(ace(CREATOR_OWNER, FULL))


def test_unowned() -> None:
    """A descriptor may name no owner."""
    assert parse(struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0)).owner is None


@given(st.integers(0, len(SEEN) - 1))
def test_truncated(length: int) -> None:
    """A descriptor that ends too early is a ValueError."""
    with pytest.raises(ValueError, match=r"whole|access entry"):
        parse(SEEN[:length])


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    """Whatever the bytes are, they are a descriptor or a ValueError."""
    try:
        found = parse(data)
    except ValueError:
        return
    assert isinstance(found, SecurityDescriptor)
