"""Who an emulated socket's peer is, by what the kernel's tables are made to say."""

from __future__ import annotations

import pytest

from samesock.backend import Owner, system
from samesock.unix import credentials
from samesock.unix.adoption import State

HERE, THERE = ("127.0.0.1", 6000), ("127.0.0.1", 5000)


class Tables:
    """The kernel's answers, and in which order it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.owners: list[Owner | None] = []
        self.listener: Owner | None = None
        self.is_there = True
        self.asked: list[str] = []
        for name in ("connection_owner", "listener_owner", "has_connection"):
            monkeypatch.setattr(system, name, getattr(self, name))

    def connection_owner(self, local: object, remote: object) -> Owner | None:
        assert (local, remote) == (THERE, HERE)
        self.asked.append("connection")
        return self.owners.pop(0)

    def listener_owner(self, port: int) -> Owner | None:
        assert port == 5000
        self.asked.append("listener")
        return self.listener

    def has_connection(self, number: int) -> bool:
        assert number == 7
        self.asked.append("there")
        return self.is_there


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """The scripted kernel."""
    return Tables(monkeypatch)


def connected(*, accepted: bool) -> State:
    """A server's end, whose client has said that it is process 3; or a client's."""
    state = State.of(role="connected", local=HERE, remote=THERE)
    if accepted:
        state.claim = (3, 1000)
    return state


@pytest.mark.parametrize("is_there", [True, False])
def test_the_table_counts_while_the_connection_is_there(tables: Tables, is_there: bool) -> None:
    """The process in the table is told if the connection is there after the look, else what the peer claimed."""
    tables.owners, tables.is_there = [Owner(pid=4)], is_there
    peer = credentials.of_emulated(connected(accepted=True), 7)
    assert (peer.pid, peer.trust) == ((4, "table") if is_there else (3, "claimed"))
    assert tables.asked == ["connection", "there"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_listener_counts_while_nobody_has_accepted(tables: Tables, is_there: bool) -> None:
    """Who listens is told to a client that waits for accept, while its connection is there."""
    tables.owners, tables.listener, tables.is_there = [Owner(), Owner()], Owner(pid=5), is_there
    peer = credentials.of_emulated(connected(accepted=False), 7)
    assert (peer.pid, peer.trust) == ((5, "table") if is_there else (None, "claimed"))
    assert tables.asked[-1] == "there"


@pytest.mark.parametrize(("again", "pid"), [(Owner(pid=6), 6), (None, None)])
def test_a_listener_that_came_after_the_accept(tables: Tables, again: Owner | None, pid: int | None) -> None:
    """If the connection was accepted while the listener was looked for, that one may be anybody: it is not told."""
    tables.owners, tables.listener = [Owner(), again], Owner(pid=5)
    assert credentials.of_emulated(connected(accepted=False), 7).pid == pid


def test_an_end_that_nobody_has_leads_to_no_listener(tables: Tables) -> None:
    """After the server has closed its end, whoever listens at its port is a stranger."""
    tables.owners, tables.listener = [None], Owner(pid=5)
    assert credentials.of_emulated(connected(accepted=False), 7).pid is None
    assert "listener" not in tables.asked
