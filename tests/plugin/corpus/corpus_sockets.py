"""Sockets left open, in every state. "leaks: WAY" stands on the line that a checker must name."""

from __future__ import annotations

import socket
import threading
from typing import Any

import dialing

from conftest import KEPT


def test_unbound() -> None:
    KEPT.append(socket.socket())  # leaks: socket


def test_quick_after_a_leak() -> None:
    assert KEPT


def test_datagram() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # leaks: socket
    sock.bind(("127.0.0.1", 0))
    KEPT.append(sock)


def test_in_a_thread() -> None:
    def work() -> None:
        KEPT.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))  # leaks: socket

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_detached() -> None:
    KEPT.append(socket.socket().detach())  # leaks: socket


def test_detached_and_closed() -> None:
    socket.close(socket.socket().detach())


def test_listener() -> None:
    KEPT.append(socket.create_server(("127.0.0.1", 0)))  # leaks: listener


def test_listener_behind_a_client() -> None:
    listener = socket.socket()  # leaks: listener
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    KEPT.append(listener)
    with socket.create_connection(listener.getsockname()):
        listener.accept()[0].close()


class Service:
    """Keeps its listener for ever."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))  # leaks: listener by test_service


def test_service() -> None:
    KEPT.append(Service())


def test_reconnect(server: socket.socket) -> None:
    client = dialing.Client(server.getsockname())
    KEPT.append(client)
    client.dial()
    server.accept()[0].close()


def test_both_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())  # leaks: connection
        far, _ = listener.accept()
    KEPT.append((near, far))


def test_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        KEPT.append(listener.accept()[0])  # leaks: connection


def test_pair() -> None:
    KEPT.append(socket.socketpair())  # leaks: socketpair


def test_one_of_a_pair() -> None:
    near, far = socket.socketpair()  # leaks: socketpair
    far.close()
    KEPT.append(near)


def keep_a_pair() -> tuple[Any, Any]:
    return socket.socketpair()  # leaks: socketpair by test_pair_of_a_helper


def test_pair_of_a_helper() -> None:
    KEPT.extend(keep_a_pair())


def test_closed_pair() -> None:
    near, far = socket.socketpair()
    near.close()
    far.close()
