"""SIDs and self-relative security descriptors: bytes to values, as [MS-DTYP] 2.4 lays them out.

Pure, so that every odd descriptor can be tested on any system, and so that one call (GetKernelObjectSecurity)
gives all of a judgement's facts at one moment. What must never be put here: a call, and who the current user
is.
"""

from __future__ import annotations

import functools
import struct
from typing import Final, NamedTuple

# winnt.h, as SIDs
SYSTEM: Final = "S-1-5-18"
ADMINISTRATORS: Final = "S-1-5-32-544"
OWNER_RIGHTS: Final = "S-1-3-4"
CREATOR_OWNER: Final = "S-1-3-0"

# winnt.h
SE_DACL_PRESENT: Final = 0x0004
ACCESS_ALLOWED_ACE_TYPE: Final = 0x00
ACCESS_ALLOWED_CALLBACK_ACE_TYPE: Final = 0x09
INHERIT_ONLY_ACE: Final = 0x08

# Those that give nothing: ACCESS_DENIED, SYSTEM_AUDIT, SYSTEM_ALARM, ACCESS_DENIED_OBJECT,
# SYSTEM_AUDIT_OBJECT, SYSTEM_ALARM_OBJECT, ACCESS_DENIED_CALLBACK, ACCESS_DENIED_CALLBACK_OBJECT,
# SYSTEM_AUDIT_CALLBACK and the rest of the SYSTEM_ kinds (labels, attributes, policies).
_HARMLESS_KINDS: Final = frozenset({0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x0A, 0x0C, *range(0x0D, 0x16)})

# FILE_WRITE_DATA, FILE_APPEND_DATA, FILE_WRITE_EA, FILE_DELETE_CHILD, FILE_WRITE_ATTRIBUTES, DELETE,
# WRITE_DAC, WRITE_OWNER, MAXIMUM_ALLOWED, GENERIC_ALL, GENERIC_WRITE. For a directory the first two are: add
# a file, a directory.
WRITING: Final = (
    0x0002 | 0x0004 | 0x0010 | 0x0040 | 0x0100 | 0x000D0000 | 0x02000000 | 0x10000000 | 0x40000000
)

_HEADER: Final = struct.Struct("<BBHIIII")  # revision, zero, control; offsets of owner, group, SACL, DACL
_ACL: Final = struct.Struct("<BBHHH")  # revision, zero, size, count, zero
_ACE: Final = struct.Struct("<BBHI")  # kind, flags, size, mask; then the SID, in the kinds that we read


class Ace(NamedTuple):
    """One entry of an access list; `sid` is `None` in the kinds that we do not read further."""

    kind: int
    flags: int
    mask: int
    sid: str | None


class SecurityDescriptor(NamedTuple):
    """An owner and an access list: no list at all (`None`) lets everybody in, an empty one nobody."""

    owner: str | None
    dacl: tuple[Ace, ...] | None


@functools.lru_cache(maxsize=32)
def parse(data: bytes) -> SecurityDescriptor:
    """The descriptor in these bytes; `ValueError` if they are no whole one.

    A client asks for the same few again and again, so the last answers are remembered.
    """
    try:
        _, _, control, owner, _, _, dacl = _HEADER.unpack_from(data)
        return SecurityDescriptor(
            sid_text(data, owner) if owner else None,
            _parse_acl(data, dacl) if control & SE_DACL_PRESENT and dacl else None,
        )
    except struct.error as problem:
        raise ValueError(f"no whole security descriptor: {problem}") from None


def _parse_acl(data: bytes, offset: int) -> tuple[Ace, ...]:
    _, _, _, count, _ = _ACL.unpack_from(data, offset)
    offset += _ACL.size
    aces = []
    for _ in range(count):
        kind, flags, size, mask = _ACE.unpack_from(data, offset)
        if size < _ACE.size:
            raise ValueError(f"an access entry of {size} bytes")
        read = kind in (ACCESS_ALLOWED_ACE_TYPE, ACCESS_ALLOWED_CALLBACK_ACE_TYPE)
        aces.append(Ace(kind, flags, mask, sid_text(data, offset + _ACE.size) if read else None))
        offset += size
    return tuple(aces)


def sid_text(data: bytes, offset: int = 0) -> str:
    """The SID at `offset` in the usual notation, "S-1-5-18"; `ValueError` if it is not whole."""
    try:
        revision, count = struct.unpack_from("<BB", data, offset)
        authority = int.from_bytes(struct.unpack_from("6s", data, offset + 2)[0], "big")
        rest = struct.unpack_from(f"<{count}I", data, offset + 8)
    except struct.error as problem:
        raise ValueError(f"no whole SID: {problem}") from None
    return "-".join(("S", str(revision), str(authority), *map(str, rest)))


def sid_bytes(text: str) -> bytes:
    """The bytes of a SID in the usual notation."""
    _, revision, authority, *rest = text.split("-")
    return struct.pack(
        f"<BB6s{len(rest)}I", int(revision), len(rest), int(authority).to_bytes(6, "big"), *map(int, rest)
    )


@functools.lru_cache(maxsize=32)
def others_may_write(descriptor: SecurityDescriptor, friends: frozenset[str]) -> bool:
    """Whether the list lets anybody but `friends`, the owner and the system change the object or its
    contents.

    The system and administrators count as friends always: they can take what they like. Denials are not
    counted in favour, since an earlier grant goes before them; a kind of entry that we do not know counts as
    a grant.
    """
    if descriptor.dacl is None:
        return True
    trusted = friends | {SYSTEM, ADMINISTRATORS, OWNER_RIGHTS}
    for ace in descriptor.dacl:
        if ace.kind in _HARMLESS_KINDS or not ace.mask & WRITING or ace.sid in trusted:
            continue
        if ace.sid == CREATOR_OWNER and ace.flags & INHERIT_ONLY_ACE:
            continue  # a placeholder: in what is made inside, it becomes whoever made that
        return True
    return False
