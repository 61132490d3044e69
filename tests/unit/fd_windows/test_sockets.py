"""samesock.fd over a Winsock whose calls fail."""

from __future__ import annotations

import errno

import pytest

from samesock.fd.windows import flow, state
from unit.fd_windows.answers import (
    MESSAGE_SIZE,
    NOT_A_SOCKET,
    NOT_CONNECTED,
    RESET,
    SHUT_DOWN,
    SOCKET,
    failure,
    winsock,
)


def test_a_socket_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that Winsock does not know is not open: EBADF, and never another table's."""
    winsock(monkeypatch, NOT_A_SOCKET)
    for operation in (
        lambda: flow.read(SOCKET, 1),
        lambda: flow.write(SOCKET, b"x"),
        lambda: state.close(SOCKET),
        lambda: state.set_blocking(SOCKET, True),
    ):
        assert failure(operation) == (errno.EBADF, NOT_A_SOCKET)


@pytest.mark.parametrize(("code", "expected"), [(MESSAGE_SIZE, 4), (SHUT_DOWN, 0)])
def test_reading_what_posix_has_no_error_for(
    monkeypatch: pytest.MonkeyPatch, code: int, expected: int
) -> None:
    """A datagram that is too long is cut; a socket that was shut down for reading is at its end."""
    winsock(monkeypatch, code)
    assert len(flow.read(SOCKET, 4)) == expected
    assert flow.readv(SOCKET, [bytearray(2), bytearray(0), bytearray(2)]) == expected


def test_socket_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram socket without a peer is EDESTADDRREQ to write to, a stream ENOTCONN; a reset is ECONNRESET."""
    winsock(monkeypatch, NOT_CONNECTED, kind=2)
    assert failure(flow.write, SOCKET, b"x")[1] == NOT_CONNECTED
    with pytest.raises(OSError, match="writing 1 bytes") as caught:
        flow.write(SOCKET, b"x")
    assert caught.value.errno == errno.EDESTADDRREQ
    winsock(monkeypatch, RESET)
    with pytest.raises(ConnectionResetError):
        flow.read(SOCKET, 1)


def test_a_sockets_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Winsock tells nobody a socket's mode: EOPNOTSUPP."""
    winsock(monkeypatch, 0)
    with pytest.raises(OSError, match="Winsock does not tell") as caught:
        state.get_blocking(SOCKET)
    assert caught.value.errno == errno.EOPNOTSUPP
