"""Arguments that no socket can take: the exception's type, and words of it, are CPython's on Linux, everywhere.

A row is a call, and what it raises of which kinds of sockets. Where the standard library's sockets are the kernel's own
they are held against the same table. The words are those that the versions of CPython have in common; where a method is
Python's here and C's there, what is said of too few or too many arguments differs, and is in no row.
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket as stdlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import samesock
import samesock.fd
from samesock.unix import choosing

SOCKETS = ("tcp", "udp", "unix", "unix-dgram")
INET = ("tcp", "udp")
UNIX = ("unix", "unix-dgram")

NETS: dict[str, Any] = {"samesock": samesock}
if sys.platform == "linux":
    NETS["stdlib"] = stdlib

NO_BYTES = "a bytes-like object is required, not"
NO_INT = "cannot be interpreted as an integer"
TOO_GREAT = "signed integer is greater than maximum"
# CPython 3.15 has other words for two of them, and samesock's own methods keep to the older ones.
NO_OPTION = (NO_BYTES, "socket option should be int, bytes-like object or None")
TOO_GREAT_TO_SEND = (TOO_GREAT, "too large to convert to C int")


class Row(NamedTuple):
    """A call, in Python; `s` is a connected or bound socket, `f` a fresh one."""

    call: str
    kind: type[BaseException]
    words: str | tuple[str, ...] = ""
    """What the message has in it; of several one."""
    sockets: tuple[str, ...] = SOCKETS


def rows_of_receiving() -> Iterator[Row]:
    """recv, recvfrom and the two that fill a buffer."""
    for name in ("recv", "recvfrom"):
        yield Row(f"s.{name}(-1)", ValueError, f"negative buffersize in {name}")
        yield Row(f"s.{name}(-1, net.MSG_PEEK)", ValueError, f"negative buffersize in {name}")
        for wrong in ("'x'", "None", "b'x'", "1.0", "[]"):
            yield Row(f"s.{name}({wrong})", TypeError, NO_INT)
        yield Row(f"s.{name}(2**64)", OverflowError, "too large")
        for wrong in ("'x'", "1.5"):
            yield Row(f"s.{name}(1, {wrong})", TypeError, NO_INT)
        yield Row(f"s.{name}(1, 2**40)", OverflowError, TOO_GREAT)
        for wrong in ("", "1, 0, 0", "wrong=1"):
            yield Row(f"s.{name}({wrong})", TypeError)
    for name in ("recv_into", "recvfrom_into"):
        for wrong, word in (
            ("b'1234'", "bytes"),
            ("'x'", "str"),
            ("5", "int"),
            ("memoryview(b'x')", "memoryview"),
        ):
            yield Row(f"s.{name}({wrong})", TypeError, f"read-write bytes-like object, not {word}")
            yield Row(f"s.{name}({wrong})", TypeError, f"{name}()")
        yield Row(f"s.{name}(memoryview(room)[::2])", TypeError, "read-write bytes-like object")
        yield Row(f"s.{name}(room, -1)", ValueError, f"negative buffersize in {name}")
        yield Row(f"s.{name}(room, nbytes=-1)", ValueError, f"negative buffersize in {name}")
        for wrong in ("room, 9", "bytearray(), 1", "array.array('i', [0]), 5", "room, 2**40"):
            yield Row(f"s.{name}({wrong})", ValueError, "buffer")
        for wrong in ("'x'", "None", "1.0"):
            yield Row(f"s.{name}(room, {wrong})", TypeError, NO_INT)
        yield Row(f"s.{name}(room, 1, 'x')", TypeError, NO_INT)
        for wrong in ("", "room, 1, 0, 0", "room, wrong=1"):
            yield Row(f"s.{name}({wrong})", TypeError)


def rows_of_sending() -> Iterator[Row]:
    """send, sendall and sendto."""
    for name in ("send", "sendall"):
        for wrong in ("'text'", "5", "None", "[]", "[1]", "{}", "1.5", "object()"):
            yield Row(f"s.{name}({wrong})", TypeError, NO_BYTES)
        yield Row(f"s.{name}(memoryview(room)[::2])", BufferError, "C-contiguous")
        for wrong in ("'x'", "1.5"):
            yield Row(f"s.{name}(b'x', {wrong})", TypeError, NO_INT)
        yield Row(f"s.{name}(b'x', 2**40)", OverflowError, TOO_GREAT_TO_SEND)
        for wrong in ("", "b'x', 0, 0", "data=b'x'"):
            yield Row(f"s.{name}({wrong})", TypeError)
    for wrong in ("'text'", "5", "None"):
        yield Row(f"s.sendto({wrong}, address)", TypeError, NO_BYTES)
        yield Row(f"s.sendto({wrong}, 0, address)", TypeError, NO_BYTES)
    for wrong in ("'x'", "None", "1.0"):
        yield Row(f"s.sendto(b'x', {wrong}, address)", TypeError, NO_INT)
    for wrong in ("", "b'x'", "b'x', 0, address, 0"):
        yield Row(f"s.sendto({wrong})", TypeError, "sendto()")
    for wrong in ("None", "5"):
        yield Row(f"s.sendto(b'x', {wrong})", TypeError, sockets=UNIX)


def rows_of_addresses() -> Iterator[Row]:
    """What takes an address."""
    for name, call in (
        ("sendto", "s.sendto(b'x', {})"),
        ("connect", "f.connect({})"),
        ("connect_ex", "f.connect_ex({})"),
        ("bind", "f.bind({})"),
    ):
        for wrong in ("()", "('127.0.0.1',)", "('127.0.0.1', 1, 2, 3, 4)"):
            yield Row(call.format(wrong), TypeError, "AF_INET address must be a pair", INET)
        for wrong in ("['127.0.0.1', 1]", "5", "None", "'path'", "b'path'"):
            yield Row(call.format(wrong), TypeError, f"{name}(): AF_INET address must be tuple, not", INET)
        for wrong in ("('127.0.0.1', 'x')", "('127.0.0.1', 1.5)", "('127.0.0.1', None)"):
            yield Row(call.format(wrong), TypeError, NO_INT, INET)
        for wrong in ("-1", "65536", "2**40"):
            yield Row(
                call.format(f"('127.0.0.1', {wrong})"), OverflowError, f"{name}(): port must be 0-65535", INET
            )
        yield Row(call.format("(1, 2)"), TypeError, "str, bytes or bytearray expected, not int", INET)
    for name in ("connect", "bind", "connect_ex"):
        for wrong in ("", "address, 1"):
            yield Row(f"f.{name}({wrong})", TypeError)
        for wrong in ("None", "5", "('127.0.0.1', 1)"):
            yield Row(f"f.{name}({wrong})", TypeError, sockets=UNIX)
        yield Row(f"f.{name}('x' * 200)", OSError, "AF_UNIX path too long", UNIX)


def rows_of_messages() -> Iterator[Row]:
    """sendmsg, recvmsg, recvmsg_into."""
    for wrong in ("'text'", "[5]", "['x']"):
        yield Row(f"s.sendmsg({wrong})", TypeError, NO_BYTES)
    for wrong in ("5", "None"):
        yield Row(f"s.sendmsg({wrong})", TypeError, "argument 1 must be an iterable")
        yield Row(f"s.sendmsg([b'x'], {wrong})", TypeError, "argument 2 must be an iterable")
    yield Row("s.sendmsg([memoryview(room)[::2]])", BufferError, "C-contiguous")
    yield Row("s.sendmsg([b'x'], [(1, 2)])", TypeError)
    yield Row("s.sendmsg([b'x'], [5])", TypeError)
    yield Row("s.sendmsg([b'x'], [('x', 2, b'')])", TypeError, NO_INT)
    yield Row("s.sendmsg([b'x'], [(1, 2, 'x')])", TypeError, NO_BYTES)
    yield Row("s.sendmsg([b'x'], [], 'x')", TypeError, NO_INT)
    yield Row("s.sendmsg([b'x'], [], 0, (1,))", TypeError, "AF_INET address must be a pair", INET)
    yield Row("s.recvmsg(-1)", ValueError, "negative buffer")
    for wrong in ("'x'", "None", "1.0", "1, 'x'", "1, 0, 'x'"):
        yield Row(f"s.recvmsg({wrong})", TypeError, NO_INT)
    for wrong in ("1, -1", "1, 2**40"):
        yield Row(f"s.recvmsg({wrong})", ValueError, "invalid ancillary data buffer length")
    for wrong in ("b'1234'", "[b'1234']", "['x']", "[5]", "[memoryview(room)[::2]]"):
        yield Row(f"s.recvmsg_into({wrong})", TypeError, "recvmsg_into() argument 1 must be an iterable")
    yield Row("s.recvmsg_into([room], -1)", ValueError, "invalid ancillary data buffer length")
    for wrong in ("'x'", "0, 'x'"):
        yield Row(f"s.recvmsg_into([room], {wrong})", TypeError, NO_INT)


def rows_of_passing() -> Iterator[Row]:
    """send_fds and recv_fds. (Flags and an address the standard library's functions do not look at.)"""
    for wrong in ("object()", "'x'", "1.5", "None", "b'x'", "[]"):
        yield Row(f"net.send_fds(s, [b'x'], [{wrong}])", TypeError, NO_INT)
        yield Row(f"net.send_fds(s, [b'x'], [0, {wrong}])", TypeError, NO_INT)
    yield Row("net.send_fds(s, [b'x'], [2**40])", OverflowError, TOO_GREAT)
    yield Row("net.send_fds(s, [b'x'], [-2**40])", OverflowError, "signed integer is less than minimum")
    for wrong in ("5", "None", "object()"):
        yield Row(f"net.send_fds(s, [b'x'], {wrong})", TypeError, "not iterable")
    yield Row("net.send_fds(s, [b'x'], 'x')", TypeError)
    for wrong in ("'text'", "[5]", "b'x'"):
        yield Row(f"net.send_fds(s, {wrong}, [0])", TypeError, NO_BYTES, UNIX)
    yield Row("net.send_fds(s, 5, [0])", TypeError, "argument 1 must be an iterable", UNIX)
    for wrong in ("", "s", "s, [b'x']", "s, [b'x'], [0], 0, None, 0"):
        yield Row(f"net.send_fds({wrong})", TypeError, "send_fds()")
    for wrong in ("5", "None"):
        yield Row(f"net.send_fds({wrong}, [b'x'], [0])", AttributeError, "has no attribute 'sendmsg'")
        yield Row(f"net.recv_fds({wrong}, 1, 1)", AttributeError, "has no attribute 'recvmsg'")
    for wrong in ("'x'", "1.5", "None"):
        yield Row(f"net.recv_fds(s, {wrong}, 1)", TypeError, NO_INT)
    for wrong in ("'x'", "1.5"):
        yield Row(f"net.recv_fds(s, 1, {wrong})", TypeError, NO_INT)
    yield Row("net.recv_fds(s, 1, None)", TypeError)
    yield Row("net.recv_fds(s, -1, 1)", ValueError, "negative buffer size in recvmsg()")
    yield Row("net.recv_fds(s, 2**70, 1)", OverflowError, "too large")
    for wrong in ("-1", "2**40"):
        yield Row(f"net.recv_fds(s, 1, {wrong})", OverflowError, "CMSG_LEN() argument out of range")
    yield Row("net.recv_fds(s, 1, 2**70)", OverflowError)
    for wrong in ("", "s", "s, 1", "s, 1, 1, 0, 0"):
        yield Row(f"net.recv_fds({wrong})", TypeError, "recv_fds()")


def rows_of_options() -> Iterator[Row]:
    """setsockopt and getsockopt."""
    option = "net.SOL_SOCKET, net.SO_SNDBUF"
    for name in ("net.SO_SNDBUF", "net.SO_REUSEADDR", "net.SO_LINGER"):
        for wrong in ("'x'", "1.5", "[]"):
            yield Row(f"s.setsockopt(net.SOL_SOCKET, {name}, {wrong})", TypeError, NO_OPTION)
    yield Row(f"s.setsockopt({option}, None, 'x')", TypeError)
    for wrong in ("", "1", "1, 2", f"{option}, 1, 2, 3"):
        yield Row(f"s.setsockopt({wrong})", TypeError)
    for wrong in ("'x', net.SO_SNDBUF, 1", "net.SOL_SOCKET, 'x', 1"):
        yield Row(f"s.setsockopt({wrong})", TypeError, NO_INT)
    for wrong in ("'x', net.SO_SNDBUF", "net.SOL_SOCKET, 'x'", f"{option}, 'x'", f"{option}, 1.5"):
        yield Row(f"s.getsockopt({wrong})", TypeError, NO_INT)
    for wrong in ("", "1", f"{option}, 4, 5"):
        yield Row(f"s.getsockopt({wrong})", TypeError)
    for wrong in (f"{option}, -1", f"{option}, 1025", "net.SOL_SOCKET, net.SO_ERROR, -1"):
        yield Row(f"s.getsockopt({wrong})", OSError, "getsockopt buflen out of range")
    yield Row("s.getsockopt(2**40, net.SO_SNDBUF)", OverflowError)


def rows_of_modes() -> Iterator[Row]:
    """shutdown, listen, time-outs, inheritance."""
    for wrong in ("'x'", "None", "1.5"):
        yield Row(f"s.shutdown({wrong})", TypeError, NO_INT)
        yield Row(f"f.listen({wrong})", TypeError, NO_INT)
    for wrong in ("", "0, 1", "how=0"):
        yield Row(f"s.shutdown({wrong})", TypeError)
    yield Row("s.shutdown(2**40)", OverflowError)
    yield Row("f.listen(2**40)", OverflowError, TOO_GREAT)
    yield Row("f.listen(-2**40)", OverflowError, "signed integer is less than minimum")
    for wrong in ("1, 2", "backlog=1"):
        yield Row(f"f.listen({wrong})", TypeError)
    yield Row("s.settimeout(-1)", ValueError, "Timeout value out of range")
    yield Row("s.settimeout(-1e-9)", ValueError, "Timeout value out of range")
    yield Row("s.settimeout(float('nan'))", ValueError)
    for wrong in ("float('inf')", "1e300", "2**70"):
        yield Row(f"s.settimeout({wrong})", OverflowError)
    for wrong in ("'x'", "b'x'", "1j", "[]"):
        yield Row(f"s.settimeout({wrong})", TypeError)
    for wrong in ("", "1, 2", "value=1"):
        yield Row(f"s.settimeout({wrong})", TypeError)
        yield Row(f"s.setblocking({wrong})", TypeError)
    yield Row("s.set_inheritable('x')", TypeError, NO_INT)


def rows_of_the_rest() -> Iterator[Row]:
    """makefile, the class, and the module's functions: the socket is no matter."""
    one = ("tcp",)
    for wrong in ("'x'", "'a'", "'r', buffering=0", "'rt', newline='x'"):
        yield Row(f"s.makefile({wrong})", ValueError, sockets=one)
    for wrong in ("5", "'r', 'x'"):
        yield Row(f"s.makefile({wrong})", TypeError, sockets=one)
    for wrong in (
        "1.5",
        "'x'",
        "net.AF_INET, 'x'",
        "net.AF_INET, net.SOCK_STREAM, 'x'",
        "fileno='x'",
        "fileno=[]",
    ):
        yield Row(f"net.socket({wrong})", TypeError, sockets=one)
    yield Row("net.socket(fileno=-1)", ValueError, "negative file descriptor", one)
    yield Row("net.socket(2**40)", OverflowError, sockets=one)
    for wrong in ("'x'", "net.AF_INET, 'x'", "net.AF_UNIX, 'x'", "net.AF_UNIX, net.SOCK_STREAM, 'x'"):
        yield Row(f"net.socketpair({wrong})", TypeError, NO_INT, one)
    yield Row("net.socketpair(213)", OSError, sockets=one)
    for wrong in ("", "5", "('x',)"):
        yield Row(f"net.create_connection({wrong})", (TypeError, ValueError), sockets=one)  # type: ignore[arg-type]
    for wrong in ("'x', net.AF_INET, net.SOCK_STREAM", "1.5, net.AF_INET, net.SOCK_STREAM"):
        yield Row(f"net.fromfd({wrong})", TypeError, sockets=one)
    yield Row("net.fromfd(-1, net.AF_INET, net.SOCK_STREAM)", OSError, "Bad file descriptor", one)
    yield Row("net.getaddrinfo('127.0.0.1', [])", OSError, "Int or String expected", one)
    yield Row("net.getaddrinfo('127.0.0.1', 1, 'x')", TypeError, NO_INT, one)
    yield Row("net.getaddrinfo('127.0.0.1', 1, 0, 'x')", TypeError, NO_INT, one)
    for wrong in ("-1", "'-1'"):
        yield Row(f"net.getaddrinfo('127.0.0.1', {wrong})", stdlib.gaierror, sockets=one)


ROWS = [
    *rows_of_receiving(),
    *rows_of_sending(),
    *rows_of_addresses(),
    *rows_of_messages(),
    *rows_of_passing(),
    *rows_of_options(),
    *rows_of_modes(),
    *rows_of_the_rest(),
]


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest) -> Any:
    """samesock, and the standard library where its sockets are the kernel's own."""
    return NETS[request.param]


@pytest.fixture(params=[None, 5.0, 0.0])
def mode(request: pytest.FixtureRequest) -> Any:
    """The sockets' time-out: an argument is refused before anything is waited for, in each mode."""
    return request.param


@contextlib.contextmanager
def sockets(net: Any, name: str, folder: Path, mode: float | None) -> Iterator[SimpleNamespace]:
    """A socket that has a peer or a name, and a fresh one."""
    unix = name.startswith("unix")
    if unix and not hasattr(net, "AF_UNIX"):
        pytest.skip("absent here: AF_UNIX")
    family = net.AF_UNIX if unix else net.AF_INET
    kind = net.SOCK_STREAM if name in ("tcp", "unix") else net.SOCK_DGRAM
    address: Any = str(folder / "s") if unix else ("127.0.0.1", 0)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(net.socket(family, kind))
        first.bind(address)
        second = stack.enter_context(net.socket(family, kind))
        if kind == net.SOCK_STREAM:
            first.listen()
            second.connect(first.getsockname())
            stack.enter_context(first.accept()[0])
        fresh = stack.enter_context(net.socket(family, kind))
        taken = second if kind == net.SOCK_STREAM else first
        taken.settimeout(mode)
        fresh.settimeout(mode)
        somewhere = str(folder / "nowhere") if unix else ("127.0.0.1", 9)
        yield SimpleNamespace(net=net, s=taken, f=fresh, address=somewhere, room=bytearray(4), array=array)


@pytest.mark.skipif(
    sys.implementation.name != "cpython",
    reason="errors of arguments: where the interpreter's own methods do all, they say what it says, and this one is not"
    " CPython",
)
@pytest.mark.parametrize("name", SOCKETS)
def test_what_is_said_of_a_wrong_argument(net: Any, name: str, mode: float | None, socket_dir: Path) -> None:
    """Each row of the table, of the sockets that it is about: before anything is sent, taken or waited for."""
    wrong = []
    with sockets(net, name, socket_dir, mode) as made:
        for row in ROWS:
            if name not in row.sockets:
                continue
            try:
                outcome = f"gave {eval(row.call, vars(made))!r}"
            except row.kind as error:
                if any(
                    words in str(error)
                    for words in ([row.words] if isinstance(row.words, str) else row.words)
                ):
                    continue
                outcome = f"{type(error).__name__}: {error}"
            except Exception as error:  # noqa: BLE001  (whatever else it is, is the finding)
                outcome = f"{type(error).__name__}: {error}"
            wrong.append(f"{row.call}: {row.kind}: {row.words!r}; {outcome}")
    assert not wrong, "\n".join(wrong)


def test_flags_that_are_nothing() -> None:
    """Flags of None are refused of a datagram. (A stream's send takes them for none: a look would cost every send.)"""
    with samesock.socket(samesock.AF_INET, samesock.SOCK_DGRAM) as sock, pytest.raises(TypeError):
        sock.send(b"x", None)


def test_a_path_with_a_nul() -> None:
    """A NUL in a path is a ValueError in samesock, where C would cut the path there and bind another one."""
    with samesock.socket(samesock.AF_UNIX) as sock:
        for call in (sock.bind, sock.connect, sock.connect_ex):
            with pytest.raises(ValueError, match="null"):
                call("a\0b")


def test_nothing_is_lost() -> None:
    """A call that is refused takes no datagram with it."""
    with samesock.socket(samesock.AF_INET, samesock.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        sock.sendto(b"kept", sock.getsockname())
        for size in (1.0, "x", None, -1, 2**64):
            for call in (sock.recv, sock.recvfrom, sock.recvmsg):
                with pytest.raises((TypeError, ValueError, OverflowError)):
                    call(size)
        for buffer, *rest in (
            (b"xxxx",),
            (5,),
            (bytearray(4), 1.0),
            (bytearray(4), 5),
            (memoryview(bytearray(8))[::2],),
        ):
            for call in (sock.recv_into, sock.recvfrom_into):
                with pytest.raises((TypeError, ValueError)):
                    call(buffer, *rest)
        assert sock.recv(10) == b"kept"


@contextlib.contextmanager
def pipe_and_pair() -> Iterator[tuple[Any, Any, Any]]:
    """A pipe's end as a file object, and a pair of Unix sockets."""
    reading, writing = os.pipe()
    one, other = samesock.socketpair(samesock.AF_UNIX)
    with open(reading, "rb") as file, open(writing, "wb"), one, other:
        yield file, one, other


def taken(sock: Any) -> int:
    """How many descriptors come."""
    sock.settimeout(10)
    numbers = samesock.recv_fds(sock, 1, 5)[1]
    for number in numbers:
        samesock.fd.close(number)
    return len(numbers)


def test_descriptors_that_an_iterator_gives() -> None:
    """send_fds() sends what an iterator gives, objects too: none is lost to a second look."""
    with pipe_and_pair() as (file, one, other):
        for things in (iter([file]), iter([file.fileno(), file]), (each for each in (file, file, file))):
            samesock.send_fds(one, [b"x"], things)  # type: ignore[arg-type]
        assert [taken(other) for _ in range(3)] == [1, 2, 3]


def test_descriptors_of_a_closed_object() -> None:
    """EBADF of an object that is closed, and nothing is sent."""
    with pipe_and_pair() as (file, one, other):
        file.close()
        with pytest.raises(OSError) as caught:
            samesock.send_fds(one, [b"x"], [file])
        assert caught.value.errno == errno.EBADF
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)


def test_descriptors_by_what_stands_before_a_socket() -> None:
    """send_fds() and recv_fds() take what has sendmsg() and recvmsg(), as the standard library's do."""

    class Before:
        def __init__(self, sock: Any) -> None:
            self.sock = sock
            self.asked: list[str] = []

        def sendmsg(self, *arguments: Any) -> Any:
            self.asked.append("sendmsg")
            return len(arguments[0][0])

        def recvmsg(self, *arguments: Any) -> Any:
            self.asked.append("recvmsg")
            return b"x", [], 0, None

    with pipe_and_pair() as (file, one, _):
        before: Any = Before(one)
        assert samesock.send_fds(before, [b"x"], [file]) == 1
        assert samesock.recv_fds(before, 1, 1) == (b"x", [], 0, None)
        assert before.asked == ["sendmsg", "recvmsg"]


def test_a_listener_that_is_none() -> None:
    """accept of a socket that does not listen is EINVAL, with a time-out and without."""
    for mode in (10.0, 0.0, None):
        with samesock.socket() as sock:
            sock.settimeout(mode)
            with pytest.raises(OSError) as caught:
                sock.accept()
            assert caught.value.errno == errno.EINVAL


def test_directions() -> None:
    """shutdown in a direction that there is not is EINVAL, before it is asked whether there is a peer."""
    for kind in (samesock.SOCK_STREAM, samesock.SOCK_DGRAM):
        with samesock.socket(samesock.AF_INET, kind) as sock:
            for how in (7, -1):
                with pytest.raises(OSError) as caught:
                    sock.shutdown(how)
                assert caught.value.errno == errno.EINVAL


def test_which_sockets_these_were() -> None:
    """Where the emulation is forced, or the sockets are Winsock's, it is samesock's own methods that were asked."""
    forced = os.environ.get("SAMESOCK_UNIX") == "emulated"
    assert choosing.kernel_does_all() == (
        not forced and not choosing.over_winsock() and hasattr(stdlib, "AF_UNIX")
    )
