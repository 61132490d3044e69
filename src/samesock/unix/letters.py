"""Letters: what an emulated Unix datagram is on the wire, and the answers that receivers give.

Pure: no socket is touched here. A letter is one UDP datagram: magic `a5 53 64 0a`, kind u8, length of the sender's
name u8 (at most 108), flags u16, stamp u64, session (16), id of the sender's own record (16, zeros for one without a
name), MAC (32), name, message. An answer is magic, kind u8, three zeros, stamp u64, session (16), MAC (32).

The MAC is keyed by the secret in the receiver's file and binds a letter to both UDP addresses, so nobody who cannot
read the file can make one, and one that is sent to another receiver is none. The stamp is the clock that all
processes of a machine share, and grows with every letter of a session: a receiver takes each letter once. What must
never be put here: when to send, what to wait for.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from samesock.unix.rendezvous import LONGEST_NAME, Record

Address = tuple[str, int]

LONGEST_MESSAGE: Final = 65_000
"""UDP carries 65,507 bytes; what is left is for the letter's head and a name."""
LONGEST: Final = 65_535
NOBODY: Final = bytes(16)
REMEMBERED_SESSIONS: Final = 4096

MESSAGE, QUESTION = 1, 2
"""Kinds of letters: what the program sends, and the bare wish for an answer."""
TAKEN, REFUSED = 1, 2
"""Kinds of answers: read, with all before it, by the program; or thrown away, as it is connected to somebody else."""
ANSWER_WANTED: Final = 1

_MAGIC = b"\xa5Sd\n"
_ANSWER_MAGIC = b"\xa5Sa\n"
_HEAD = struct.Struct("<4sBBHQ16s16s")
_ANSWER = struct.Struct("<4sB3xQ16s")
_MAC_SIZE = 32
_LETTER_LABEL = b"samesock letter1"  # BLAKE2's personalization: 16 bytes
_ANSWER_LABEL = b"samesock answer1"
_NAME_AT = _HEAD.size + _MAC_SIZE
assert _NAME_AT + LONGEST_NAME + LONGEST_MESSAGE <= 65_507


class Letter(NamedTuple):
    """A letter whose MAC is right."""

    kind: int
    flags: int
    stamp: int
    session: bytes
    sender: bytes
    """The id of the sender's record; zeros for a sender that is not bound."""
    name: bytes
    message: bytes


class Answer(NamedTuple):
    """An answer whose MAC is right."""

    kind: int
    stamp: int


def _mac(record: Record, label: bytes, source: Address, target: Address, *parts: bytes | memoryview) -> bytes:
    made = blake2b(record.id, key=record.secret, digest_size=_MAC_SIZE, person=label)
    made.update(f"{source[0]}:{source[1]} {target[0]}:{target[1]} ".encode())
    for part in parts:
        made.update(part)
    return made.digest()


def make(record: Record, source: Address, letter: Letter) -> bytes:
    """The letter's bytes, from the UDP address `source` to the receiver whose record it is."""
    head = _HEAD.pack(
        _MAGIC,
        letter.kind,
        len(letter.name),
        letter.flags,
        letter.stamp,
        letter.session,
        letter.sender,
    )
    rest = letter.name + letter.message
    return head + _mac(record, _LETTER_LABEL, source, ("127.0.0.1", record.port), head, rest) + rest


def read(record: Record, source: Address, data: bytes) -> Letter | None:
    """The letter in these bytes, `None` for anything that the record's secret has not made for this pair of
    addresses."""
    if len(data) < _NAME_AT or not data.startswith(_MAGIC):
        return None
    view = memoryview(data)
    head, mac, rest = view[: _HEAD.size], view[_HEAD.size : _NAME_AT], view[_NAME_AT:]
    right = _mac(record, _LETTER_LABEL, source, ("127.0.0.1", record.port), head, rest)
    if not compare_digest(mac, right):
        return None
    _, kind, length, flags, stamp, session, sender = _HEAD.unpack(head)
    if length > min(LONGEST_NAME, len(rest)):
        return None
    return Letter(kind, flags, stamp, session, sender, bytes(rest[:length]), bytes(rest[length:]))


def answer(record: Record, target: Address, letter: Letter, kind: int) -> bytes:
    """The bytes that tell the sender at `target` what became of its letter."""
    head = _ANSWER.pack(_ANSWER_MAGIC, kind, letter.stamp, letter.session)
    return head + _mac(record, _ANSWER_LABEL, ("127.0.0.1", record.port), target, head)


def read_answer(record: Record, target: Address, session: bytes, data: bytes) -> Answer | None:
    """The answer in these bytes, `None` for anything that the record's owner has not said to this session."""
    if len(data) != _ANSWER.size + _MAC_SIZE or not data.startswith(_ANSWER_MAGIC):
        return None
    head, mac = data[: _ANSWER.size], data[_ANSWER.size :]
    right = _mac(record, _ANSWER_LABEL, ("127.0.0.1", record.port), target, head)
    if not compare_digest(mac, right):
        return None
    _, kind, stamp, said_to = _ANSWER.unpack(head)
    return Answer(kind, stamp) if said_to == session else None


class Heard:
    """What a receiver has taken: the last stamp of each session, so that no letter is taken twice.

    It is bounded, and forgetting lets nothing in: a session that is not known must be later than all that was ever
    forgotten, which it is, since the clock is one for all.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[bytes, int] = OrderedDict()
        self._forgotten = 0

    def is_new(self, letter: Letter) -> bool:
        """Whether the letter was not taken before. Nothing is remembered."""
        return letter.stamp > self._last.get(letter.session, self._forgotten)

    def take(self, letter: Letter) -> None:
        """Remember that it is taken."""
        self._last[letter.session] = letter.stamp
        self._last.move_to_end(letter.session)
        if len(self._last) > REMEMBERED_SESSIONS:
            _, stamp = self._last.popitem(last=False)
            self._forgotten = max(self._forgotten, stamp)
