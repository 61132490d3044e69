"""socketpair() over TCP on loopback, into which nobody else can get.

Both ends belong to this process, so both addresses are known before anybody is accepted, and a token crosses in each
direction before the pair is handed out: whoever connects to the port in between, or rewrites loopback connections, is
dropped or makes the call fail. What must never be put here: files, names, or a wait without an end.
"""

from __future__ import annotations

import _socket
import hmac
import os
import secrets
import time
from contextlib import ExitStack

from samesock._errors import named_error
from samesock.backend import system
from samesock.unix import frames
from samesock.unix.adoption import State
from samesock.unix.calls import calls
from samesock.unix.datagram import DatagramEnd
from samesock.unix.emulated import EmulatedEnd, end_for

Address = tuple[str, int]

PAIR_SECONDS = 10.0
"""How long making a pair may take on a machine where strangers keep connecting to the port."""
_TOKEN_SIZE = 32


def make_datagrams() -> tuple[tuple[int, DatagramEnd], tuple[int, DatagramEnd]]:
    """Two datagram sockets, each connected to the other, with their ends.

    They find each other as strangers do: by files, in the user's private directory, which are gone again at once.
    What each knows then of the other (its secret, and whether it lives) nobody else has seen.
    """
    folder = os.path.join(os.fsencode(system.private_directory()), b"pair-" + secrets.token_hex(8).encode())
    with ExitStack() as opened:
        made: list[tuple[_socket.socket, DatagramEnd]] = []
        for letter in (b"a", b"b"):
            sock = calls.create(_socket.AF_INET, _socket.SOCK_DGRAM, 0)
            opened.callback(calls.close, sock)
            end = DatagramEnd()
            opened.callback(end.give_up)
            end.open(sock)
            end.bind(sock, folder + letter)
            opened.callback(os.unlink, folder + letter)
            made.append((sock, end))
        (one, first), (other, second) = made
        first.connect_to(second.receiver(other))
        second.connect_to(first.receiver(one))
        for _, end in made:
            os.unlink(end.state.path)
            end.forget_names()
        opened.pop_all()
        return (calls.detach(one), first), (calls.detach(other), second)


def make(kind: int = _socket.SOCK_STREAM) -> tuple[tuple[int, EmulatedEnd], tuple[int, EmulatedEnd]]:
    """Two connected descriptors with their ends, of a type that has connections.
    `ConnectionAbortedError` if no honest pair came about."""
    deadline = time.monotonic() + PAIR_SECONDS
    with ExitStack() as opened, ExitStack() as pair:
        listener = calls.create(_socket.AF_INET, _socket.SOCK_STREAM, 0)
        opened.callback(calls.close, listener)
        client = calls.create(_socket.AF_INET, _socket.SOCK_STREAM, 0)
        pair.callback(calls.close, client)
        system.prepare_listener(listener)
        calls.bind(listener, ("127.0.0.1", 0))
        calls.listen(listener, 16)
        calls.bind(client, ("127.0.0.1", 0))
        calls.settimeout(client, PAIR_SECONDS)
        calls.connect(client, calls.getsockname(listener))
        server = _accept_own(listener, calls.getsockname(client), deadline)
        pair.callback(calls.close, server)
        _exchange(client, server, deadline)
        _exchange(server, client, deadline)
        for tcp in (client, server):
            calls.setsockopt(tcp, _socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            calls.settimeout(tcp, None)
        seed = secrets.token_bytes(frames.SEED_SIZE)
        ends = _end(client, kind, seed, 0), _end(server, kind, seed, 1)
        pair.pop_all()
        return (calls.detach(client), ends[0]), (calls.detach(server), ends[1])


def _accept_own(listener: _socket.socket, expected: Address, deadline: float) -> _socket.socket:
    """The connection from `expected`; every other one is closed."""
    while time.monotonic() < deadline:
        calls.settimeout(listener, max(0.001, deadline - time.monotonic()))
        try:
            number, address = calls.accept(listener)
        except TimeoutError:
            break
        tcp = calls.create(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=number)
        if address == expected:
            return tcp
        calls.close(tcp)
    raise _foreign()


def _exchange(sender: _socket.socket, receiver: _socket.socket, deadline: float) -> None:
    """A token from one end must come out of the other, whole."""
    token = secrets.token_bytes(_TOKEN_SIZE)
    calls.send(sender, token)
    got = b""
    while len(got) < _TOKEN_SIZE:
        calls.settimeout(receiver, max(0.001, deadline - time.monotonic()))
        try:
            data = calls.recv(receiver, _TOKEN_SIZE - len(got))
        except OSError:
            data = b""
        if not data:
            raise _foreign()
        got += data
    if not hmac.compare_digest(got, token):
        raise _foreign()


def _foreign() -> OSError:
    return named_error("ECONNABORTED", "socketpair() met a stranger or a proxy on the loopback interface")


def _end(tcp: _socket.socket, kind: int, seed: bytes, side: int) -> EmulatedEnd:
    state = State.of(kind=kind, role="connected", local=calls.getsockname(tcp), remote=calls.getpeername(tcp))
    state.seed = seed, side
    state.claim = (os.getpid(), system.uid())
    return end_for(state)
