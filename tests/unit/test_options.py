"""`samesock.options` on this machine's own sockets, samesock's and the standard library's."""

from __future__ import annotations

import contextlib
import errno
import socket as stdlib
import subprocess
import sys
from typing import Any

import pytest

import samesock
from samesock import _options, options
from samesock._errors import number_of

VALUES: dict[str, list[Any]] = {
    "keepalive": [options.Keepalive(60.0, 10.0, 5), options.Keepalive(2.0, 1.0, 3), None],
    "linger": [5.0, 0.0, None],
    "send_timeout": [1.5, 0.5, None],
    "receive_timeout": [1.5, 0.5, None],
    "no_delay": [True, False],
    "send_buffer": [60000, 70000],
    "receive_buffer": [60000, 70000],
    "ipv6_only": [True, False],
    "exclusive": [True],
    "time_to_live": [33, 255, 1],
    "type_of_service": [0x28, 0],
    "user_timeout": [30.0, 10.0],
    "reuse_address": [True, False],
    "reuse_port": [True, False],
}


@pytest.mark.parametrize("cls", [samesock.socket, stdlib.socket], ids=["samesock", "stdlib"])
@pytest.mark.parametrize("family", [stdlib.AF_INET, stdlib.AF_INET6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("kind", [stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM], ids=["tcp", "udp"])
@pytest.mark.parametrize("row", _options.OPTIONS, ids=lambda row: row.name)
def test_what_is_set_is_read(row: Any, kind: int, family: int, cls: Any) -> None:
    """An option is read as it was set, or it is ENOPROTOOPT and names itself."""
    option: Any = getattr(options, row.name)
    with cls(family, kind) as sock:
        for value in VALUES[row.name]:
            try:
                option.set(sock, value)
                read = option.get(sock)
            except OSError as error:
                assert error.errno == number_of("ENOPROTOOPT"), error
                assert row.name in str(error)
                continue
            assert read == value


HERE = [
    row.name
    for row in _options.OPTIONS
    if row.encodings.get(_options.PLATFORM) and row.name not in ("user_timeout", "reuse_address")
]
"""What this platform's column says is there; without what Wine lacks, and what another module keeps on Windows."""


@pytest.mark.parametrize("name", HERE)
def test_what_the_table_says_is_there_is_there(name: str) -> None:
    """On a TCP socket of the right family no option of this platform's column is refused."""
    family = stdlib.AF_INET6 if name == "ipv6_only" else stdlib.AF_INET
    with samesock.socket(family, stdlib.SOCK_STREAM) as sock:
        option: Any = getattr(options, name)
        for value in VALUES[name]:
            option.set(sock, value)
            assert option.get(sock) == value


def test_a_unix_socket_has_buffers_and_time_outs() -> None:
    """What is for any socket works on a Unix one, emulated ones included; what is TCP's is refused there."""
    one, other = samesock.socketpair()
    with one, other:
        options.send_buffer.set(one, 50000)
        assert options.send_buffer.get(one) == 50000
        options.receive_timeout.set(one, 0.5)
        assert options.receive_timeout.get(one) == 0.5
        for option in (options.no_delay, options.keepalive, options.time_to_live):
            with pytest.raises(OSError, match=option.name) as caught:
                option.get(one)
            assert caught.value.errno == number_of("ENOPROTOOPT")


def test_a_receive_time_out_works() -> None:
    """A socket that waits, and has a receive time-out, gives up."""
    with samesock.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        options.receive_timeout.set(sock, 0.1)
        with pytest.raises((BlockingIOError, TimeoutError)):
            sock.recv(9)


def test_lingering_for_no_time_resets() -> None:
    """With a linger of 0 close resets the connection, which the peer sees."""
    listener = stdlib.create_server(("127.0.0.1", 0))
    with listener, samesock.socket(stdlib.AF_INET, stdlib.SOCK_STREAM) as sock:
        sock.settimeout(30)
        sock.connect(listener.getsockname())
        accepted, _ = listener.accept()
        options.linger.set(accepted, 0)  # type: ignore[arg-type]
        accepted.close()
        with pytest.raises(ConnectionResetError):
            sock.recv(9)


def test_a_time_to_live_reaches_the_packets() -> None:
    """The time to live that was set is the one that a datagram comes with."""
    try:
        asked = samesock.IP_RECVTTL  # type: ignore[attr-defined,unused-ignore]
    except AttributeError:
        pytest.skip("absent here: IP_RECVTTL")
    with contextlib.ExitStack() as stack:
        receiver: Any = stack.enter_context(samesock.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM))
        sender = stack.enter_context(samesock.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM))
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        receiver.setsockopt(stdlib.IPPROTO_IP, asked, 1)
        options.time_to_live.set(sender, 77)
        sender.sendto(b"x", receiver.getsockname())
        _, found, _, _ = receiver.recvmsg(9, 64)
        assert [(level, int.from_bytes(data, sys.byteorder)) for level, _, data in found] == [(0, 77)]


def test_a_closed_socket() -> None:
    """An option of a closed socket is EBADF."""
    sock = samesock.socket(stdlib.AF_INET, stdlib.SOCK_STREAM)
    sock.close()
    for call in (lambda: options.no_delay.set(sock, True), lambda: options.no_delay.get(sock)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF


def test_importing_samesock_does_not_bring_options() -> None:
    """The module is imported when it is asked for."""
    code = "import samesock, sys; sys.exit('samesock.options' in sys.modules)"
    start = f"import sys; sys.path[:] = {sys.path!r}\n"
    assert subprocess.run([sys.executable, "-c", start + code], check=False).returncode == 0
