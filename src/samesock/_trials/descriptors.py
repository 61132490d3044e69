"""Trials of descriptors as such: handing one to a child by inheritance, and listing those that are open.

What must never be put here: passing one over a socket (that is `messages`).
"""

from __future__ import annotations

import os
from typing import Any

import samesock
from samesock import AF_INET, AF_UNIX, SOCK_STREAM
from samesock._trials import MEBIBYTE, Absent, Bench, Shown, equal
from samesock._trials.child import Wire
from samesock._trials.unix import accept_and_answer, exchange, families, name_of


def inherit(bench: Bench) -> Shown:
    """A child serves on listeners that it has inherited, each known to it by nothing but its number."""
    addresses: dict[int, Any] = {AF_UNIX: bench.path("inherit"), AF_INET: ("127.0.0.1", 0)}
    for family in families():
        with samesock.socket(family, SOCK_STREAM) as listener:
            listener.bind(addresses[family])
            listener.listen(1)
            listener.set_inheritable(True)
            child = bench.child(
                serve_inherited, popen={"close_fds": False}, family=int(family), number=listener.fileno()
            )
            refused = child.told()["refused"]
            if refused:
                raise Absent(f"the number means nothing to a child: {refused}")
            with samesock.socket(family, SOCK_STREAM) as client:
                client.settimeout(bench.seconds)
                client.connect(listener.getsockname())
                exchange(client, os.urandom(MEBIBYTE))
    return Shown(
        "native",
        f"a child served over {' and '.join(map(name_of, families()))}, on listeners known to it by number alone",
    )


def serve_inherited(wire: Wire, family: int, number: int) -> None:
    """Serve one connection of the listener with that number."""
    try:
        listener = samesock.socket(family, SOCK_STREAM, 0, fileno=number)
        listener.settimeout(wire.seconds)
        listener.getsockopt(samesock.SOL_SOCKET, samesock.SO_TYPE)
    except OSError as error:
        wire.tell(refused=str(error))
        os._exit(0)  # not by closing a number that is none of this process's
    with listener:
        wire.tell(refused="")
        accept_and_answer(listener, wire.seconds)


def fdtable(bench: Bench) -> Shown:
    """This process's table while a child is connected to it, and afterwards."""
    try:
        from samesock.fdtable import snapshot
    except ImportError as error:
        raise Absent(f"it cannot be imported: {error}") from error
    with samesock.socket(AF_INET, SOCK_STREAM) as listener:
        listener.settimeout(bench.seconds)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        bench.child(stay_connected, address=listener.getsockname())
        accepted, peer = listener.accept()
        with accepted, open(bench.path("listed"), "wb"):
            try:
                table = snapshot()
            except ImportError as error:
                raise Absent(f"no source for this system yet: {error}") from error
            numbers = {one.number for one in table.sockets}
            equal({listener.fileno(), accepted.fileno()} - numbers, set(), "sockets that are not listed")
            equal(len(table.find(remote=peer[:2])), 1, "records with the child's address")
            equal(
                any(one.path and one.path.endswith("listed") for one in table),
                True,
                "whether the file is listed",
            )
        equal(len(snapshot().find(remote=peer[:2])), 0, "records with the child's address once it is closed")
    return Shown(
        "native", "a listener, a child's connection with its address, and a file are listed while open"
    )


def stay_connected(wire: Wire, address: list[object]) -> None:
    """Connect and wait."""
    with samesock.create_connection((str(address[0]), address[1]), timeout=wire.seconds):
        wire.told()
