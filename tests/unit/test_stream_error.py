"""A failed connection's one error, where Winsock tells it for ever: what only real Windows answers, by script.

The checks of tests/conformance/test_reset.py say what a BSD does; here are the codes that Wine never gave.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import socket as stdlib
import struct
import weakref
from typing import Any

import pytest

import samesock
from samesock import _told_streams, _waking
from samesock.unix import endable
from samesock.winsock import failing, options, stream_error
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter
from unit.scripted import windows_error
from unit.winsock_sockets import Made, Socket

KEEP_ALIVE, ABORTED, RESET, SHUT, TIMED_OUT = 10052, 10053, 10054, 10058, 10060


@pytest.fixture
def stream(made: Made) -> Any:
    """A connected stream that does not wait."""
    sock, _ = made.pair()
    sock.setblocking(False)
    return sock


def always(monkeypatch: pytest.MonkeyPatch, code: int, *names: str) -> None:
    """Those calls fail with Winsock's code, each time."""

    def fail(*_: Any) -> Any:
        raise windows_error(code)

    for name in names:
        monkeypatch.setattr(calls, name, fail)


def failure(call: Any, *arguments: Any) -> tuple[str, int]:
    """The errno's name and Winsock's code of what the call raises."""
    with pytest.raises(OSError) as caught:
        call(*arguments)
    name = errno.errorcode[caught.value.errno or 0].removeprefix("WSA")
    return name, failing.code_of(caught.value)


@pytest.mark.parametrize(
    ("code", "told"),
    [(RESET, "ECONNRESET"), (ABORTED, "ECONNRESET"), (KEEP_ALIVE, "ETIMEDOUT"), (TIMED_OUT, "ETIMEDOUT")],
)
def test_receiving(stream: Any, monkeypatch: pytest.MonkeyPatch, code: int, told: str) -> None:
    """Each code that ends a connection is told once, by a name that POSIX's recv has; then the stream is at its end."""
    always(monkeypatch, code, "recv", "recv_into", "send")
    assert failure(stream.recv, 1) == (told, code)
    assert stream.recv(1) == b""
    assert stream.recv_into(bytearray(1)) == 0
    assert stream.recv(1, stdlib.MSG_PEEK) == b""
    assert failure(stream.send, b"x") == ("EPIPE", code)


@pytest.mark.parametrize(
    ("code", "told"),
    [(RESET, "ECONNRESET"), (ABORTED, "EPIPE"), (KEEP_ALIVE, "ETIMEDOUT"), (TIMED_OUT, "ETIMEDOUT")],
)
def test_sending(stream: Any, monkeypatch: pytest.MonkeyPatch, code: int, told: str) -> None:
    """The same of send: what this host has ended is EPIPE at once, and everything is from the second call on."""
    always(monkeypatch, code, "recv", "send", "sendall", "sendto")
    assert failure(stream.send, b"x") == (told, code)
    assert failure(stream.send, b"x") == ("EPIPE", code)
    assert failure(stream.sendall, b"x") == ("EPIPE", code)
    assert failure(stream.sendto, b"x", ("127.0.0.1", 9)) == ("EPIPE", code)
    assert stream.recv(1) == b""


def test_messages(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """recvmsg and sendmsg share the one error with the others."""
    always(monkeypatch, ABORTED, "receive_vector", "send_vector", "recv")
    assert failure(stream.recvmsg, 1) == ("ECONNRESET", ABORTED)
    assert stream.recvmsg(1) == (b"", [], 0, None)
    assert failure(stream.sendmsg, [b"x"]) == ("EPIPE", ABORTED)
    assert stream.recv(1) == b""


def test_a_time_out_of_the_systems_is_no_end(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With SO_RCVTIMEO Winsock's 10060 is EAGAIN, as often as it comes."""
    always(monkeypatch, TIMED_OUT, "recv")
    monkeypatch.setattr(failing, "has_time_of_the_systems", lambda _: True)
    monkeypatch.setattr(stream_error, "has_time_of_the_systems", lambda _: True)
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            stream.recv(1)


def test_a_close_that_wakes_is_no_reset(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What close(wake=True) ends stays ECONNABORTED, whatever code Winsock gives for it."""
    always(monkeypatch, RESET, "recv", "send")
    monkeypatch.setitem(_waking.ended, stream, "ECONNABORTED")
    for _ in range(2):
        with pytest.raises(ConnectionAbortedError):
            stream.recv(1)
        with pytest.raises(ConnectionAbortedError):
            stream.send(b"x")


def test_another_error_is_no_end(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not the connection's is told as often as it comes, and takes nothing."""
    always(monkeypatch, 10055, "recv")  # WSAENOBUFS
    for _ in range(2):
        assert failure(stream.recv, 1) == ("ENOBUFS", 10055)
    assert stream not in _told_streams.told


def test_a_listener_is_not_connected(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """WSAECONNRESET from the send of a listener (Wine's) is ENOTCONN, each time."""
    listener = made.listener()
    listener.setblocking(False)
    always(monkeypatch, RESET, "send")
    for _ in range(2):
        assert failure(listener.send, b"x") == ("ENOTCONN", RESET)


@pytest.fixture
def aborted(stream: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stream of which the system says, when it is asked, that its connection is gone."""
    monkeypatch.setattr(calls, "select", lambda *_: ([1], [], []))
    monkeypatch.setattr(calls, "is_aborted", lambda _: True)
    return stream


def test_asking(aborted: Any) -> None:
    """SO_ERROR asks the system for a reset that nobody has met yet, and tells it once."""
    assert aborted.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) == errno.ECONNRESET
    assert aborted.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) == 0
    assert aborted.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR, 4) == bytes(4)


def test_no_peer(aborted: Any) -> None:
    """getpeername and shutdown are ENOTCONN, where Winsock would go on; the error is still there."""
    assert failure(aborted.getpeername)[0] == "ENOTCONN"
    assert failure(aborted.shutdown, stdlib.SHUT_WR)[0] == "ENOTCONN"
    assert aborted.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) == errno.ECONNRESET


@pytest.mark.parametrize("code", [RESET, ABORTED])
def test_a_shutdown_that_fails(stream: Any, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Where Windows' shutdown fails by the connection's error it is ENOTCONN, and the error is still there."""
    always(monkeypatch, code, "shutdown")
    assert failure(stream.shutdown, stdlib.SHUT_RDWR)[0] == "ENOTCONN"
    assert stream not in _told_streams.told


async def closed_by_a_loop(client: Any, server: Any) -> tuple[BaseException | None, list[Any]]:
    """What a protocol is told of a reset, and what the loop's handler of exceptions is."""
    loop = asyncio.get_running_loop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    lost = loop.create_future()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(exc)

    client.setblocking(False)
    await loop.create_connection(Protocol, sock=client)
    server.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    told = await asyncio.wait_for(lost, 10)
    for _ in range(100):
        if client.fileno() < 0:
            break
        await asyncio.sleep(0.01)
    return told, complaints


def test_a_loop_closes_what_was_reset() -> None:
    """asyncio's loop of this system tells its protocol of the reset, closes the socket, and has nothing to complain of.

    Windows' shuts each connection down first, and would not close one whose shutdown fails.
    """
    with samesock.create_server(("127.0.0.1", 0)) as listener:
        client = samesock.create_connection(listener.getsockname())
        server = listener.accept()[0]
    with client, server:
        told, complaints = asyncio.run(closed_by_a_loop(client, server))
        assert isinstance(told, ConnectionResetError)
        assert not complaints
        assert client.fileno() < 0


class Layered(Socket):  # type: ignore[misc]
    """A program's own class, whose shutdown does something of its own first."""

    __slots__ = ()

    def shutdown(self, how: int, /) -> None:
        super().shutdown(how)


CALLER = """
def _call_connection_lost(sock, how):
    sock.shutdown(how)
"""


@pytest.mark.parametrize("module", ["asyncio.proactor_events", "a.program"])
def test_a_shutdown_of_a_class_of_its_own(made: Made, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """asyncio's proactor counts on no error from a shutdown of a program's own class; a program has its ENOTCONN."""
    monkeypatch.setattr(calls, "select", lambda *_: ([1], [], []))
    monkeypatch.setattr(calls, "is_aborted", lambda _: True)
    monkeypatch.setattr(interrupter, "signals_do_it", False)  # as on Windows
    caller: dict[str, Any] = {"__name__": module}
    exec(CALLER, caller)
    for kind in (Socket, Layered):
        sock = made.stack.enter_context(kind())
        if module == "a.program":
            assert failure(caller["_call_connection_lost"], sock, stdlib.SHUT_RDWR)[0] == "ENOTCONN"
        else:
            caller["_call_connection_lost"](sock, stdlib.SHUT_RDWR)


def test_a_shutdown_before_the_reset(aborted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """WSAESHUTDOWN is EPIPE, but for a reset that nobody has met yet."""
    always(monkeypatch, SHUT, "send")
    assert failure(aborted.send, b"x") == ("ECONNRESET", SHUT)
    assert failure(aborted.send, b"x") == ("EPIPE", SHUT)


def test_a_connect_that_fails_again(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that keeps the error of a failed connect (Wine) is asked once; one that forgets it (POSIX) as often."""
    sock = made.stream()
    real = calls.getsockopt
    refused = errno.ECONNREFUSED

    def keeps(of: Any, level: int, option: int, *length: int) -> Any:
        if (level, option) == (stdlib.SOL_SOCKET, stdlib.SO_ERROR):
            return refused.to_bytes(4, "little") if length else refused
        return real(of, level, option, *length)

    monkeypatch.setattr(calls, "getsockopt", keeps)
    assert sock.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) == refused
    assert sock.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR) == 0
    monkeypatch.setattr(calls, "getsockopt", real)
    sock.connect(made.listener().getsockname())
    assert sock not in _told_streams.told


REFUSED, TOO_LATE, UNREACHABLE, NO_HOST = 10061, 10060, 10051, 10065


@pytest.mark.parametrize("code", [REFUSED, TOO_LATE, UNREACHABLE, NO_HOST, RESET, ABORTED])
def test_a_connect_that_fails(made: Made, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """What the network answers to an attempt is told by connect, and by nothing after it."""
    sock = made.stream()
    sock.setblocking(False)
    always(monkeypatch, code, "connect")
    assert failure(sock.connect, ("127.0.0.1", 9))[1] == code
    assert sock in _told_streams.told


@pytest.mark.parametrize(
    "code", [10055, 10013, 10022, 10049]
)  # WSAENOBUFS, WSAEACCES, WSAEINVAL, WSAEADDRNOTAVAIL
def test_an_error_of_the_call_alone(made: Made, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """What connect has against its arguments says nothing of a connection."""
    sock = made.stream()
    sock.setblocking(False)
    always(monkeypatch, code, "connect")
    assert failure(sock.connect, ("127.0.0.1", 9))[1] == code
    assert sock not in _told_streams.told


def test_a_connect_in_vain(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live connection's reset is news, whatever a connect of its socket was answered before."""
    for code in (REFUSED, UNREACHABLE):
        with monkeypatch.context() as patch:
            always(patch, code, "connect")
            assert failure(stream.connect, ("127.0.0.1", 9))[1] == code
    with monkeypatch.context() as patch:
        patch.setattr(calls, "connect", unknown_host)
        with pytest.raises(stdlib.gaierror):
            stream.connect(("nobody.invalid", 9))
    always(monkeypatch, RESET, "recv")
    assert failure(stream.recv, 1) == ("ECONNRESET", RESET)


def unknown_host(*_: Any) -> None:
    """C's connect to a host that nobody knows."""
    raise stdlib.gaierror(stdlib.EAI_NONAME, "nobody knows it")


@pytest.mark.parametrize("which", [0, 1])
def test_duplicates_connect_anew(made: Made, which: int) -> None:
    """Where one of two duplicates connects, nothing has been told to the other of the new connection, either."""
    listener, sock = made.listener(), made.stream()
    copy = made.stack.enter_context(sock.dup())
    _told_streams.tell(sock)
    assert copy in _told_streams.told
    (sock, copy)[which].connect(listener.getsockname())
    assert sock not in _told_streams.told
    assert copy not in _told_streams.told


def test_connected_by_a_loop(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option by which asyncio ends its own ConnectEx begins a connection of which nothing has been told."""
    sock = made.stream()
    copy = made.stack.enter_context(sock.dup())
    _told_streams.tell(sock)
    always(monkeypatch, REFUSED, "setsockopt")
    assert failure(sock.setsockopt, options.SOL_SOCKET, options.SO_UPDATE_CONNECT_CONTEXT, 0)[1] == REFUSED
    assert sock in _told_streams.told
    monkeypatch.setattr(calls, "setsockopt", lambda *_: None)
    sock.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_KEEPALIVE, 1)
    assert sock in _told_streams.told
    sock.setsockopt(options.SOL_SOCKET, options.SO_UPDATE_CONNECT_CONTEXT, 0)
    assert sock not in _told_streams.told
    assert copy not in _told_streams.told


async def connected_by_a_loop(client: Any, closed: Any, good: Any) -> None:
    """A connect that is refused, and one that is not."""
    loop = asyncio.get_running_loop()
    with pytest.raises(ConnectionRefusedError):
        client.connect(closed)
    client.setblocking(False)
    await asyncio.wait_for(loop.sock_connect(client, good), 10)


def test_a_loop_connects_anew() -> None:
    """A socket whose connect was refused and which asyncio's loop of this system then connects tells a reset."""
    with samesock.create_server(("127.0.0.1", 0)) as listener, samesock.socket() as client:
        with samesock.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            asyncio.run(connected_by_a_loop(client, nobody.getsockname(), listener.getsockname()))
        server = listener.accept()[0]
        server.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        client.settimeout(10)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_datagrams_error_is_its_own(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """SO_ERROR of a datagram socket is the system's, each time: there a new one looks like the old one."""
    sock = made.datagram()
    assert stream_error.option(sock, 7) == 7
    assert stream_error.option(sock, 7) == 7
    assert not stream_error.has_failed(sock)


def test_nothing_is_kept(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket and its duplicates that were told of a reset are freed when the program lets go of them."""
    sock, _ = made.pair()
    sock.setblocking(False)
    copy = sock.dup()
    always(monkeypatch, RESET, "recv")
    assert failure(copy.recv, 1)[0] == "ECONNRESET"
    assert sock.recv(1) == b""
    gone = weakref.ref(copy)
    copy.close()
    del copy
    gc.collect()
    assert gone() is None
    assert sock in _told_streams.told


def raising(code: int) -> Any:
    """A call that fails with the code."""

    def fail() -> bytes:
        raise windows_error(code)

    return fail


@pytest.mark.parametrize("code", [RESET, ABORTED])
def test_a_unix_stream(stream: Any, code: int) -> None:
    """A Unix stream's message calls: ECONNRESET once from the one that receives, EPIPE from each one that sends."""
    assert failure(endable.sending, stream, raising(code)) == ("EPIPE", code)
    assert failure(endable.receiving, stream, b"", raising(code)) == ("ECONNRESET", code)
    assert endable.receiving(stream, b"", raising(code)) == b""
    assert failure(endable.sending, stream, raising(code)) == ("EPIPE", code)


def test_a_unix_datagram(made: Made) -> None:
    """One that keeps messages apart is told what Winsock says, each time."""
    sock = made.datagram()
    for _ in range(2):
        assert failure(endable.receiving, sock, b"", raising(RESET)) == ("ECONNRESET", RESET)
