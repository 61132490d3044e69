"""create_connection and create_server where they are our own, Winsock's: what they take, and what they refuse."""

from __future__ import annotations

import errno
import socket as stdlib
from typing import Any

import pytest

import samesock
from samesock import _connections


class Net:
    """A class of sockets that note what is done with them; connecting to a host in `refusals` fails."""

    refusals: dict[str, int]
    made: list[Net]

    def __init__(self, family: int, kind: int, proto: int = 0) -> None:
        self.done: list[Any] = [int(family)]
        type(self).made.append(self)

    def settimeout(self, timeout: float | None) -> None:
        self.done.append(timeout)

    def bind(self, address: Any) -> None:
        self.done.append(address)

    def connect(self, address: Any) -> None:
        code = type(self).refusals.get(address[0])
        if code is not None:
            raise OSError(code, address[0])
        self.done.append(address)

    def close(self) -> None:
        self.done.append("closed")


@pytest.fixture
def net() -> type[Net]:
    """Its own notes."""
    return type("Net", (Net,), {"refusals": {}, "made": []})


def found(*hosts: str) -> Any:
    """A resolution that finds these addresses."""
    return lambda host, port, *_: [(stdlib.AF_INET, stdlib.SOCK_STREAM, 6, "", (one, port)) for one in hosts]


def connect(net: type[Net], hosts: Any, **options: Any) -> Any:
    """Connect to what is found."""
    return _connections.connection(net, hosts, ("host", 80), **options)  # type: ignore[arg-type]


def test_the_next_address_is_tried(net: type[Net]) -> None:
    """An address that refuses is left, its socket closed, and the next one connected to, as asked for."""
    net.refusals = {"a": errno.ECONNREFUSED}
    made = connect(net, found("a", "b"), timeout=2.5, source_address=("me", 0))
    refused, good = net.made
    assert made is good
    assert good.done == [int(stdlib.AF_INET), 2.5, ("me", 0), ("b", 80)]
    assert refused.done[-1] == "closed"


def test_the_default_time_out_is_left(net: type[Net]) -> None:
    """Without a time-out, or with the standard library's object that asks for the default, none is set."""
    for options in ({}, {"timeout": stdlib._GLOBAL_DEFAULT_TIMEOUT}):  # type: ignore[attr-defined]
        assert connect(net, found("a"), **options).done == [int(stdlib.AF_INET), ("a", 80)]


def test_nobody_can_be_connected_to(net: type[Net]) -> None:
    """The error is the last address's; with all_errors it is a group of all of them; every socket is closed."""
    net.refusals = {"a": errno.ECONNREFUSED, "b": errno.ENETUNREACH}
    with pytest.raises(OSError, match="b") as caught:
        connect(net, found("a", "b"))
    assert caught.value.errno == errno.ENETUNREACH
    group = getattr(__import__("builtins"), "ExceptionGroup", TypeError)
    with pytest.raises(group) as several:
        connect(net, found("a", "b"), all_errors=True)
    if group is not TypeError:
        codes = [error.errno for error in several.value.exceptions]
        assert codes == [errno.ECONNREFUSED, errno.ENETUNREACH]
    assert [sock.done[-1] for sock in net.made] == ["closed"] * 4


def test_all_errors_where_there_are_no_groups(net: type[Net], monkeypatch: pytest.MonkeyPatch) -> None:
    """all_errors on a Python without ExceptionGroup is a TypeError that says what it needs, once nothing answers."""
    monkeypatch.delattr("builtins.ExceptionGroup", raising=False)
    net.refusals = {"a": errno.ECONNREFUSED}
    with pytest.raises(TypeError, match="ExceptionGroup"):
        connect(net, found("a"), all_errors=True)
    assert connect(net, found("b"), all_errors=True)


def test_a_host_without_addresses(net: type[Net]) -> None:
    """A resolution that finds nothing is an OSError, as the standard library's is."""
    with pytest.raises(OSError, match="empty list"):
        connect(net, found())
    assert not net.made


def server(**options: Any) -> Any:
    """A listener on loopback."""
    asked = {
        "family": stdlib.AF_INET,
        "backlog": None,
        "reuse_port": False,
        "dualstack_ipv6": False,
        **options,
    }
    return _connections.server(samesock.socket, ("127.0.0.1", 0), **asked)


def test_options_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """reuse_port where there is none, both families where there are not two, and for IPv4: each is a ValueError."""
    with monkeypatch.context() as patch:
        patch.delattr(stdlib, "SO_REUSEPORT", raising=False)
        with pytest.raises(ValueError, match="SO_REUSEPORT not supported"):
            server(reuse_port=True)
    for has, said in ((False, "not supported on this platform"), (True, "requires AF_INET6")):
        monkeypatch.setattr(stdlib, "has_dualstack_ipv6", lambda has=has: has)
        with pytest.raises(ValueError, match=said):
            server(dualstack_ipv6=True)


@pytest.mark.parametrize("backlog", [None, 7])
def test_a_listener(backlog: int | None) -> None:
    """It listens at an address of its own, with the backlog asked for."""
    with server(backlog=backlog) as listener, samesock.socket() as client:
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.close()


def test_a_port_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """reuse_port sets SO_REUSEPORT, where there is that, before the address is bound."""
    option = getattr(stdlib, "SO_REUSEPORT", None)
    if option is None:
        monkeypatch.setattr(stdlib, "SO_REUSEPORT", 4711, raising=False)
        with pytest.raises(OSError):
            server(reuse_port=True)
        return
    with server(reuse_port=True) as listener:
        assert listener.getsockopt(stdlib.SOL_SOCKET, option)


def test_an_address_that_is_taken() -> None:
    """A listener that cannot be bound is closed: EADDRINUSE, and nothing stays open."""
    with server() as first, pytest.raises(OSError) as caught:
        _connections.server(
            samesock.socket,
            first.getsockname(),
            family=stdlib.AF_INET,
            backlog=None,
            reuse_port=False,
            dualstack_ipv6=False,
        )
    assert caught.value.errno == errno.EADDRINUSE
