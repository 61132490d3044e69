"""getaddrinfo with POSIX's answers, over this system's resolver and over scripted answers of Winsock's.

No name server is asked: hosts are numbers, `localhost`, or scripted.
"""

from __future__ import annotations

import _socket
import socket as stdlib
from typing import Any

import pytest

import samesock
from samesock import _errors
from samesock.winsock import resolution
from samesock.winsock.calls import calls

TYPES = {stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM, stdlib.SOCK_RAW}
GETADDRINFO = {"winsock": resolution.getaddrinfo, "public": samesock.getaddrinfo}


@pytest.fixture(params=sorted(GETADDRINFO))
def getaddrinfo(request: pytest.FixtureRequest) -> Any:
    """Winsock's on any system, and what this platform's samesock has: where they are two, the kernel's witness."""
    return GETADDRINFO[request.param]


def fails(getaddrinfo: Any, *arguments: Any) -> str:
    """The EAI_ name of the error."""
    with pytest.raises(stdlib.gaierror) as caught:
        getaddrinfo(*arguments)
    names = [name for name in dir(samesock) if name.startswith("EAI_")]
    return next(name for name in sorted(names, reverse=True) if getattr(samesock, name) == caught.value.errno)


def test_an_entry_for_each_type(getaddrinfo: Any) -> None:
    """With no type asked for there are stream and datagram entries of one address, with their protocols."""
    found = getaddrinfo("127.0.0.1", 80)
    assert {(kind, proto) for _, kind, proto, _, _ in found} >= {
        (stdlib.SOCK_STREAM, stdlib.IPPROTO_TCP),
        (stdlib.SOCK_DGRAM, stdlib.IPPROTO_UDP),
    }
    assert {(family, address) for family, _, _, _, address in found} == {(stdlib.AF_INET, ("127.0.0.1", 80))}
    assert all(isinstance(kind, stdlib.SocketKind) for _, kind, *_ in found)
    assert all(isinstance(family, stdlib.AddressFamily) for family, *_ in found)


@pytest.mark.parametrize(
    ("kind", "proto", "expected"),
    [
        (stdlib.SOCK_STREAM, 0, (stdlib.SOCK_STREAM, 6)),
        (stdlib.SOCK_DGRAM, 0, (stdlib.SOCK_DGRAM, 17)),
        (0, stdlib.IPPROTO_TCP, (stdlib.SOCK_STREAM, 6)),
        (0, stdlib.IPPROTO_UDP, (stdlib.SOCK_DGRAM, 17)),
    ],
)
def test_what_was_asked_for(getaddrinfo: Any, kind: int, proto: int, expected: object) -> None:
    """A type or a protocol that was asked for gives one entry, with both."""
    assert [entry[1:3] for entry in getaddrinfo("127.0.0.1", 80, 0, kind, proto)] == [expected]


def test_three_types() -> None:
    """Winsock's entries are glibc's three for each address, in glibc's order."""
    found = resolution.getaddrinfo("::1", 80)
    assert [entry[1:3] for entry in found] == [(1, 6), (2, 17), (3, 0)]
    assert resolution.getaddrinfo("::1", 80, 0, stdlib.SOCK_RAW, 58)[0][1:3] == (3, 58)


def test_passive(getaddrinfo: Any) -> None:
    """No host is the wildcard with AI_PASSIVE, else loopback."""
    hosts = {entry[4][0] for entry in getaddrinfo(None, 80, 0, stdlib.SOCK_STREAM, 0, stdlib.AI_PASSIVE)}
    assert "0.0.0.0" in hosts
    assert hosts <= {"0.0.0.0", "::"}
    hosts = {entry[4][0] for entry in getaddrinfo(None, 80, 0, stdlib.SOCK_STREAM)}
    assert "127.0.0.1" in hosts
    assert hosts <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("port", "number"), [(80, 80), ("80", 80), (b"80", 80), (0, 0), ("0", 0), (None, 0), ("", 0)]
)
def test_ports(getaddrinfo: Any, port: Any, number: int) -> None:
    """A port is a number, its digits, or nothing, which is 0."""
    assert getaddrinfo("127.0.0.1", port, 0, stdlib.SOCK_STREAM)[0][4] == ("127.0.0.1", number)


def test_hosts_as_bytes(getaddrinfo: Any) -> None:
    """A host's name can be bytes."""
    assert getaddrinfo(b"127.0.0.1", 80, 0, stdlib.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("", 80), "EAI_NONAME"),
        ((None, None), "EAI_NONAME"),
        (("localhost", 80, 0, 0, 0, stdlib.AI_NUMERICHOST), "EAI_NONAME"),
        (("127.0.0.1", "http", 0, 0, 0, stdlib.AI_NUMERICSERV), "EAI_NONAME"),
        (("127.0.0.1", "no-such-service"), "EAI_SERVICE"),
        (("127.0.0.1", 80, 0, 99), "EAI_SOCKTYPE"),
        (("127.0.0.1", 80, 0, stdlib.SOCK_STREAM, stdlib.IPPROTO_UDP), "EAI_SOCKTYPE"),
        (("127.0.0.1", 80, 99), "EAI_FAMILY"),
        (("127.0.0.1", 80, 0, 0, 0, 0x40000000), "EAI_BADFLAGS"),
        ((None, 80, 0, 0, 0, stdlib.AI_CANONNAME), "EAI_BADFLAGS"),
    ],
)
def test_errors(getaddrinfo: Any, arguments: tuple[Any, ...], name: str) -> None:
    """Each error is a gaierror whose errno has POSIX's EAI_ name."""
    expected = getattr(samesock, name)
    assert getattr(samesock, fails(getaddrinfo, *arguments)) == expected


def test_adding_a_hosts_configuration(getaddrinfo: Any) -> None:
    """AI_ADDRCONFIG, AI_NUMERICHOST and AI_NUMERICSERV are honoured, and leave a numeric address as it is."""
    flags = stdlib.AI_ADDRCONFIG | stdlib.AI_NUMERICHOST | stdlib.AI_NUMERICSERV
    assert getaddrinfo("127.0.0.1", "80", 0, stdlib.SOCK_STREAM, 0, flags)[0][4] == ("127.0.0.1", 80)


def test_the_canonical_name(getaddrinfo: Any) -> None:
    """AI_CANONNAME gives the name with the first entry alone."""
    found = getaddrinfo("127.0.0.1", 80, 0, 0, 0, stdlib.AI_CANONNAME | stdlib.AI_NUMERICHOST)
    assert [entry[3] for entry in found] == ["127.0.0.1"] + [""] * (len(found) - 1)
    assert len({entry[1] for entry in found}) == len(found)


def test_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's name gives an entry for each protocol that has it, with that protocol's port (scripted)."""

    def ports(name: str, proto: str) -> int:
        if (name, proto) == ("both", "tcp"):
            return 7
        if name == "both" or (name, proto) == ("only", "udp"):
            return 8
        raise OSError("service/proto not found")

    monkeypatch.setattr(calls, "getservbyname", ports)
    both = resolution.getaddrinfo("127.0.0.1", "both")
    assert [(entry[1], entry[4][1]) for entry in both] == [(1, 7), (2, 8)]
    assert [(entry[1], entry[4][1]) for entry in resolution.getaddrinfo("127.0.0.1", "only")] == [(2, 8)]
    assert fails(resolution.getaddrinfo, "127.0.0.1", "only", 0, stdlib.SOCK_STREAM) == "EAI_SERVICE"
    assert fails(resolution.getaddrinfo, "127.0.0.1", "both", 0, stdlib.SOCK_RAW) == "EAI_SERVICE"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (11001, "EAI_NONAME"),
        (11004, "EAI_NONAME"),
        (11002, "EAI_AGAIN"),
        (11003, "EAI_FAIL"),
        (-9, "EAI_NONAME"),
    ],
)
def test_winsocks_codes(monkeypatch: pytest.MonkeyPatch, code: int, name: str) -> None:
    """Winsock's codes, and glibc's that Wine lets through, become the errors that POSIX names (scripted)."""

    def fail(*_: object) -> Any:
        raise _socket.gaierror(code, "getaddrinfo failed")

    monkeypatch.setattr(calls, "getaddrinfo", fail)
    with pytest.raises(stdlib.gaierror, match=r"looking up 'example.invalid', 80") as caught:
        resolution.getaddrinfo("example.invalid", 80)
    assert caught.value.errno == getattr(samesock, name)


def test_scope_and_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that comes twice is given once, and keeps its scope (scripted)."""
    entry = (int(stdlib.AF_INET6), 1, 0, "", ("fe80::1", 0, 0, 3))
    monkeypatch.setattr(calls, "getaddrinfo", lambda *_: [entry, entry])
    found = resolution.getaddrinfo("x", 80, 0, stdlib.SOCK_STREAM)
    assert [entry[4] for entry in found] == [("fe80::1", 80, 0, 3)]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "EAI_ADDRFAMILY",
            "EAI_AGAIN",
            "EAI_BADFLAGS",
            "EAI_FAIL",
            "EAI_FAMILY",
            "EAI_MEMORY",
            "EAI_NODATA",
        ),
        *("EAI_NONAME", "EAI_OVERFLOW", "EAI_SERVICE", "EAI_SOCKTYPE", "EAI_SYSTEM"),
        *("AI_ADDRCONFIG", "AI_ALL", "AI_CANONNAME", "AI_NUMERICHOST", "AI_NUMERICSERV", "AI_PASSIVE"),
        "AI_V4MAPPED",
    ],
)
def test_names_everywhere(name: str) -> None:
    """Every flag and error of name resolution has its name on every platform."""
    assert isinstance(getattr(samesock, name), int)
    assert name in samesock.__all__


def test_connect_says_why_a_name_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is not found makes the same gaierror of connect as of getaddrinfo (scripted)."""
    from samesock.winsock.failing import told

    error = told(None, stdlib.gaierror(11001, "getaddrinfo failed"), "connecting to ('x', 80)")
    assert isinstance(error, stdlib.gaierror)
    assert error.errno == samesock.EAI_NONAME
    assert "connecting to ('x', 80)" in str(error)
    assert set(_errors.GAI_NAMES.values()) <= {*dir(samesock)}
