"""The frames in which descriptors travel: what is made is found and read, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesock.unix import frames
from samesock.unix.frames import HEAD_SIZE, Head, Record

SEED = bytes(range(32))
KEY = frames.keys(SEED, 0)

records = st.lists(
    st.builds(
        Record, st.sampled_from(["lease", "fd", "socket", "handle"]), st.binary(max_size=64), st.binary()
    ),
    max_size=20,
)
u64 = st.integers(0, 2**64 - 1)
heads = st.builds(
    Head,
    st.binary(min_size=16, max_size=16),
    u64,
    u64,
    u64,
    st.just(0),
    st.just(0),
    st.integers(0, 2**32 - 1),
)


def read(data: bytes) -> tuple[Head, list[Record]]:
    """What a receiver with the right key reads."""
    head = frames.head_of(KEY, data[:HEAD_SIZE])
    assert head is not None
    return head, frames.records_of(KEY, head, data[HEAD_SIZE : HEAD_SIZE + head.size])


@given(heads, records)
def test_what_is_made_is_read(head: Head, given_records: list[Record]) -> None:
    """A frame says what it was made of."""
    made = frames.encode(KEY, head, given_records)
    found, got = read(made)
    assert got == given_records
    assert (found.instance, found.counter, found.target, found.target_start, found.data) == (
        *(head.instance, head.counter, head.target, head.target_start, head.data),
    )
    assert (found.number, HEAD_SIZE + found.size) == (len(given_records), len(made))


@given(heads, records, st.data())
def test_a_changed_bit_is_seen(head: Head, given_records: list[Record], data: st.DataObject) -> None:
    """Whatever bit is changed, a wrong head is no head, and no changed record is given out."""
    made = bytearray(frames.encode(KEY, head, given_records))
    at = data.draw(st.integers(0, len(made) - 1))
    made[at] ^= 1 << data.draw(st.integers(0, 7))
    found = frames.head_of(KEY, bytes(made[:HEAD_SIZE]))
    if at < HEAD_SIZE:
        assert found is None
        return
    assert found is not None
    got = frames.records_of(KEY, found, bytes(made[HEAD_SIZE:]))
    assert got == given_records[: len(got)]
    assert len(got) < len(given_records)


@given(heads, records, st.data())
def test_of_a_part_the_whole_records_are_read(
    head: Head, given_records: list[Record], data: st.DataObject
) -> None:
    """Of a frame that was cut off, the records that came whole are known, and no other."""
    made = frames.encode(KEY, head, given_records)
    found, _ = read(made)
    cut = data.draw(st.integers(HEAD_SIZE, len(made)))
    got = frames.records_of(KEY, found, made[HEAD_SIZE:cut])
    assert got == given_records[: len(got)]
    assert cut < len(made) or got == given_records


@given(st.binary(min_size=HEAD_SIZE, max_size=HEAD_SIZE))
def test_other_bytes_are_no_head(data: bytes) -> None:
    """Bytes of somebody without the key are no head, with the right marker in front or without."""
    assert frames.head_of(KEY, data) is None
    assert frames.head_of(KEY, KEY.marker + data[16:]) is None


@pytest.mark.parametrize("other", [frames.keys(SEED, 1), frames.keys(bytes(32), 0)])
def test_another_key_reads_nothing(other: frames.Keys) -> None:
    """A frame of the other direction, or of another connection, is none here."""
    made = frames.encode(other, Head(bytes(16), 1, 0, 0, 0, 0, 1), [Record("fd", b"t", b"")])
    assert other.marker != KEY.marker
    assert frames.head_of(KEY, made[:HEAD_SIZE]) is None
    assert frames.head_of(KEY, KEY.marker + made[16:HEAD_SIZE]) is None


def test_records_of_two_frames_cannot_be_mixed() -> None:
    """A record is good in its own frame at its own place alone."""
    both = [Record("fd", b"one", b""), Record("fd", b"two", b"")]
    first = frames.encode(KEY, Head(bytes(16), 1, 0, 0, 0, 0, 1), both)
    second = frames.encode(KEY, Head(bytes(16), 2, 0, 0, 0, 0, 1), both)
    head, _ = read(first)
    assert frames.records_of(KEY, head, second[HEAD_SIZE:]) == []
    half = len(first[HEAD_SIZE:]) // 2
    swapped = first[HEAD_SIZE + half :] + first[HEAD_SIZE : HEAD_SIZE + half]
    assert frames.records_of(KEY, head, swapped) == []


def test_numbers_and_secrets_are_sealed() -> None:
    """Neither a token nor a state can be read in a frame's bytes, and equal ones look different."""
    record = Record("fd", b"token-token-token", b"state-state-state")
    made = frames.encode(KEY, Head(bytes(16), 1, 0, 0, 0, 0, 1), [record, record])
    assert b"token" not in made
    assert b"state" not in made
    half = len(made[HEAD_SIZE:]) // 2
    assert made[HEAD_SIZE : HEAD_SIZE + half] != made[HEAD_SIZE + half :]


@given(st.binary(max_size=200), st.integers(0, 16), st.binary(max_size=40))
def test_a_marker_is_found_where_it_begins(before: bytes, length: int, after: bytes) -> None:
    """A whole marker is found between plain bytes; a part of one counts only at the end of what has come."""
    before = before.replace(KEY.marker[:1], b"")
    after = after.replace(KEY.marker[:1], b"")
    data = before + KEY.marker[:length]
    assert frames.find(data, KEY.marker) == len(before)
    data += after
    begun = data[len(before) :]
    if after and not KEY.marker.startswith(begun) and not begun.startswith(KEY.marker):
        assert frames.find(data, KEY.marker) == len(data)
    if length == 16:
        assert frames.find(data, KEY.marker) == len(before)


@given(st.text())
def test_no_text_is_held_back(text: str) -> None:
    """UTF-8 never ends with what may be the beginning of a marker."""
    data = text.encode()
    assert frames.find(data, KEY.marker) == len(data)
    assert frames.find(data, frames.PUBLIC_MARKER) == len(data)


def test_none_is_good_twice() -> None:
    """A frame that was taken, and any earlier one of its sender, is none any more; another sender's is."""
    seen = frames.Seen()
    head = Head(b"a" * 16, 5, 0, 0, 0, 0, 1)
    assert seen.fresh(head)
    assert not seen.fresh(head)
    assert not seen.fresh(head._replace(counter=4))
    assert seen.fresh(head._replace(counter=9))
    assert seen.fresh(head._replace(instance=b"b" * 16, counter=1))


def test_senders_are_not_forgotten() -> None:
    """However many senders one connection has, none is forgotten, and so none of their frames is good again."""
    seen = frames.Seen()
    for number in range(2 * seen.MOST):
        seen.fresh(Head(number.to_bytes(16, "little"), 1, 0, 0, 0, 0, 1))
    assert len(seen.last) == seen.MOST
    for number in range(2 * seen.MOST):
        assert not seen.fresh(Head(number.to_bytes(16, "little"), 1, 0, 0, 0, 0, 1))


def test_keys_are_not_shown() -> None:
    """A key's secret is in no repr."""
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)
