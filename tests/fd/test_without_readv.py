"""readv and writev where `os` has none, as in PyPy: one read, one write."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("fcntl", reason="absent here: fcntl, of which the POSIX side is made")
from samesock.fd.posix import flow


def test_a_read_is_scattered() -> None:
    """One read fills the buffers in turn, of any item size, and says how many bytes came."""
    reader, writer = os.pipe()
    try:
        assert flow._gathered(writer, [b"abc", b"", memoryview(b"defg")]) == 7
        first, second, third = bytearray(2), memoryview(bytearray(4)).cast("I"), bytearray(b"....")
        assert flow._scattered(reader, [first, second, third]) == 7
    finally:
        os.close(reader)
        os.close(writer)
    assert (first, bytes(second), third) == (b"ab", b"cdef", b"g...")
