"""Annotators: those who know more than the kernel complete a record, and cannot break the table."""

from __future__ import annotations

import socket

from samesock import fdtable
from samesock.fdtable import Annotation, OpenDescriptor, register_annotator, wording


def test_an_emulated_socket_is_shown_as_what_it_is() -> None:
    """An annotator gets the socket's addresses and makes TCP on loopback AF_UNIX with a path and a peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def emulation(record: OpenDescriptor) -> Annotation | None:
            if record.socket is None or record.socket.local != address:
                return None
            return Annotation(family="AF_UNIX", local="/run/x.sock", path="/run/x.sock", transport="emulated")

        remove = register_annotator(emulation)
        try:
            seen = fdtable.snapshot().find(path="/run/x.sock")
            described = fdtable.describe(listener)
        finally:
            remove()
        plain = fdtable.describe(listener)
    (one,) = seen
    assert one.socket == described.socket
    assert one.socket is not None
    assert (one.socket.family, one.socket.local, one.socket.transport) == (
        "AF_UNIX",
        "/run/x.sock",
        "emulated",
    )
    assert one.socket.state == "LISTEN"
    assert "UNIX stream /run/x.sock LISTEN" in wording.what(one)
    assert "emulated" in wording.what(one)
    assert plain.socket is not None
    assert plain.socket.family == "AF_INET"
    remove()  # a second time changes nothing


def test_an_annotator_that_raises_loses_nothing() -> None:
    """The records are all there, each saying who failed on it and how; later annotators still run."""

    def broken(record: OpenDescriptor) -> Annotation | None:
        raise RuntimeError("no idea")

    def after(record: OpenDescriptor) -> Annotation | None:
        return Annotation(detail="seen")

    removers = [register_annotator(broken), register_annotator(after)]
    try:
        records = fdtable.snapshot()
    finally:
        for remove in removers:
            remove()
    assert len(records) > 0
    for one in records:
        assert any("broken: RuntimeError: no idea" in part for part in one.partial)
        assert one.detail == "seen"
