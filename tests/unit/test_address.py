"""`_address`: what may be given as a Unix socket's name, and the three layouts of `sockaddr_un`."""

from __future__ import annotations

import array
import os
import struct

import pytest

from samesock import _address
from samesock._address import BSD, LINUX, WINDOWS, Layout, decode_unix, encode_unix, refusal, unix_path

LAYOUTS = pytest.mark.parametrize("layout", [LINUX, BSD, WINDOWS], ids=["linux", "bsd", "windows"])


@LAYOUTS
def test_round_trip(layout: Layout) -> None:
    """A path survives the way into a sockaddr_un and out of it, in every layout."""
    for name in ("a", "/run/x.sock", "ünï/sock€t", "p" * (layout.room - 1)):
        raw = encode_unix(name, layout=layout)
        assert decode_unix(raw, len(raw), layout=layout) == name
        assert decode_unix(raw.ljust(layout.size, b"\0"), layout.size, layout=layout) == name


def test_bytes_on_the_wire() -> None:
    """Linux and Windows begin with a 16-bit family, the BSDs with a length and a family byte; a NUL ends."""
    assert encode_unix("ab", layout=LINUX) == struct.pack("=H", 1) + b"ab\0"
    assert encode_unix("ab", layout=WINDOWS) == struct.pack("=H", 1) + b"ab\0"
    assert encode_unix("ab", layout=BSD) == b"\x05\x01ab\0"


def test_sizes() -> None:
    """A whole sockaddr_un has 110 bytes, on the BSDs 106, and the longest path fills it with its NUL."""
    assert [layout.size for layout in (LINUX, WINDOWS, BSD)] == [110, 110, 106]
    for layout in (LINUX, WINDOWS, BSD):
        assert len(encode_unix("p" * (layout.room - 1), layout=layout)) == layout.size


def test_windows_paths_are_utf8() -> None:
    """On Windows a str is UTF-8 whatever the code page, lone surrogates included, as in file names."""
    assert encode_unix("é", layout=WINDOWS)[2:] == b"\xc3\xa9\0"
    raw = encode_unix("\ud800", layout=WINDOWS)
    assert decode_unix(raw, len(raw), layout=WINDOWS) == "\ud800"


def test_file_system_encoding() -> None:
    """Elsewhere a str is encoded as file names are, bytes that are no text included."""
    name = os.fsdecode("é".encode())
    assert unix_path(name, layout=LINUX) == os.fsencode(name)


@pytest.mark.parametrize("given", [b"ab", bytearray(b"ab"), memoryview(b"ab"), array.array("B", b"ab")])
def test_bytes_like(given: object) -> None:
    """Any bytes-like object is a path, taken as it is."""
    assert unix_path(given) == b"ab"


@pytest.mark.parametrize("given", [1, None, 1.5, ("a",), os.curdir.join, object()])
def test_wrong_type(given: object) -> None:
    """Anything else is the TypeError that CPython gives, naming the type."""
    with pytest.raises(TypeError, match=rf"^a bytes-like object is required, not '{type(given).__name__}'$"):
        unix_path(given)


def test_wrong_buffer() -> None:
    """A buffer with gaps is refused and not flattened."""
    with pytest.raises(BufferError):
        unix_path(memoryview(b"abcd")[::2])


@LAYOUTS
def test_too_long(layout: Layout) -> None:
    """A path that does not fit is an OSError without errno that names the path, the limit and the way out."""
    name = "p" * layout.room
    with pytest.raises(OSError, match=r"^AF_UNIX path too long") as caught:
        unix_path(name, layout=layout)
    assert caught.value.errno is None
    assert name in str(caught.value)
    assert f"can have {layout.room - 1} here" in str(caught.value)
    assert "samesock.unix_path(name)" in str(caught.value)


def test_embedded_nul() -> None:
    """A NUL inside a path is a ValueError: C would cut the path there."""
    for given in ("a\0b", b"a\0b", "a\0"):
        with pytest.raises(ValueError, match="embedded null byte"):
            unix_path(given)


def test_abstract() -> None:
    """A leading NUL makes an abstract name: all its bytes are part of it, up to 108, and no NUL follows."""
    assert encode_unix("\0a\0b", layout=LINUX) == struct.pack("=H", 1) + b"\0a\0b"
    longest = b"\0" + b"a" * 107
    assert decode_unix(encode_unix(longest, layout=LINUX), 110, layout=LINUX) == longest
    with pytest.raises(OSError, match="too long") as caught:
        unix_path(longest + b"a", layout=LINUX)
    assert caught.value.errno is None


def test_refusal() -> None:
    """Where names need files, abstract names and bind('') are EADDRNOTAVAIL, and connect('') is EINVAL."""
    for binding in (True, False):
        assert refusal(b"\0a", binding=binding) == "EADDRNOTAVAIL"
        assert refusal(b"a", binding=binding) is None
    assert refusal(b"", binding=True) == "EADDRNOTAVAIL"
    assert refusal(b"", binding=False) == "EINVAL"


@LAYOUTS
def test_unnamed(layout: Layout) -> None:
    """No name is '', whether the kernel says 0 bytes, 2, or a structure of zeros."""
    assert encode_unix("", layout=layout)[2:] == b""
    zeros = encode_unix("", layout=layout).ljust(layout.size, b"\0")
    assert decode_unix(b"", 0, layout=layout) == ""
    assert decode_unix(zeros, 2, layout=layout) == ""
    if not layout.abstract:
        assert decode_unix(zeros, 16, layout=layout) == ""
        assert decode_unix(zeros, layout.size, layout=layout) == ""


def test_cut_at_the_first_nul() -> None:
    """What follows the first NUL is not the name."""
    raw = struct.pack("=H", 1) + b"ab\0cd".ljust(108, b"x")
    assert decode_unix(raw, 110, layout=WINDOWS) == "ab"
    assert decode_unix(raw, 110, layout=LINUX) == "ab"


def test_without_a_nul() -> None:
    """A path that fills all 108 bytes has no NUL; the kernel may then claim 111 bytes."""
    raw = struct.pack("=H", 1) + b"p" * 108
    assert decode_unix(raw, 111, layout=LINUX) == "p" * 108


def test_any_bytes_decode() -> None:
    """No peer's name makes decoding raise: not even one that is no UTF-8."""
    raw = struct.pack("=H", 1) + b"\xff\xfe\0"
    assert decode_unix(raw, len(raw), layout=WINDOWS) == "\\xff\\xfe"
    assert isinstance(decode_unix(raw, len(raw), layout=LINUX), str)


@pytest.mark.parametrize(
    "name", ["", "a", "p" * 107, "p" * 108, b"\0" + b"a" * 107, b"\0" + b"a" * 108, "\ud800", 1, None]
)
def test_as_the_interpreter(
    name: object, socket_dir: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the interpreter's own AF_UNIX takes is taken, and one that it refuses is refused alike."""
    _socket = pytest.importorskip("_socket")
    if not hasattr(_socket, "AF_UNIX"):
        pytest.skip("unix-stream: the interpreter has no AF_UNIX")
    monkeypatch.chdir(socket_dir)
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        probe.bind(name)
        theirs: BaseException | None = None
    except (OSError, TypeError, ValueError) as error:
        theirs = error
    finally:
        probe.close()
    if theirs is None or getattr(theirs, "errno", None) is not None:
        unix_path(name)
        return
    with pytest.raises(type(theirs)) as ours:
        unix_path(name)
    assert getattr(ours.value, "errno", None) is None
    assert type(ours.value) is type(theirs)


def test_this_platform() -> None:
    """The platform's own layout is one of the three."""
    assert _address.LAYOUT in (LINUX, BSD, WINDOWS)
