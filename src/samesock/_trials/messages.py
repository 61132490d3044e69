"""Trials of messages: several buffers at once, what is told of one cut short, and what travels beside it.

What must never be put here: what a plain `send` and `recv` do.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, cast

import samesock
from samesock import AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from samesock._probes import Support
from samesock._probes.messages import CONTROL_MESSAGES, CONTROL_VALUE, control_value, method_word
from samesock._trials import Absent, Bench, Shown, digest, equal
from samesock._trials.child import Wire
from samesock._trials.unix import exchange, serve_digest


def sendmsg(bench: Bench) -> Shown:
    """Many buffers into one connection."""
    with samesock.socket(AF_INET, SOCK_STREAM) as sock:
        word = method_word(sock, "sendmsg")
        if word == "absent":
            raise Absent("sockets have no sendmsg")
        sock.settimeout(bench.seconds)
        child = bench.child(serve_digest, family=int(AF_INET), address=["127.0.0.1", 0])
        sock.connect(tuple(child.told()["address"]))
        buffers = [os.urandom(1024) for _ in range(64)]
        method: Any = getattr(sock, "sendmsg", None)
        sent = method(buffers)
        if sent <= len(buffers[0]):
            raise RuntimeError(f"one call sent {sent} bytes of 64 buffers")
        exchange(sock, b"".join(buffers), sent)
    return Shown(word, "64 buffers to a child in one call: SHA-256 of the whole is equal at both ends")


def recvmsg(bench: Bench) -> Shown:
    """A datagram that is longer than the buffer."""
    with samesock.socket(AF_INET, SOCK_DGRAM) as sock:
        sock.settimeout(bench.seconds)
        word = method_word(sock, "recvmsg")
        if word == "absent":
            raise Absent("sockets have no recvmsg")
        sock.bind(("127.0.0.1", 0))
        child = bench.child(send_long_datagram, address=sock.getsockname())
        method: Any = getattr(sock, "recvmsg", None)
        data, _, flags, sender = method(1000)
        equal(sender, tuple(child.told()["address"]), "the sender")
        equal(
            (data, flags & samesock.MSG_TRUNC), (b"x" * 1000, samesock.MSG_TRUNC), "the message and its flags"
        )
    return Shown(word, "a child's datagram of 3,000 bytes into 1,000: cut, MSG_TRUNC set, its sender named")


def send_long_datagram(wire: Wire, address: list[Any]) -> None:
    """Send 3,000 bytes to that address."""
    with samesock.socket(AF_INET, SOCK_DGRAM) as sock:
        sock.connect(tuple(address))
        wire.tell(address=sock.getsockname())
        sock.send(b"x" * 3000)
        wire.told()


def ancillary(bench: Bench) -> Shown:
    """A number that travels beside a datagram."""
    reason = "this interpreter names no control message"
    for family, host, *names in CONTROL_MESSAGES:
        level, option, kind = (getattr(samesock, name, None) for name in names)
        if level is None or option is None or kind is None:
            continue
        with samesock.socket(getattr(samesock, family), SOCK_DGRAM) as sock:
            sock.settimeout(bench.seconds)
            word = method_word(sock, "recvmsg")
            if word == "absent":
                raise Absent("sockets have no recvmsg")
            try:
                sock.bind((host, 0))
                sock.setsockopt(level, option, 1)
            except OSError as error:
                reason = str(error)
                continue
            child = bench.child(
                send_beside, family=int(sock.family), address=sock.getsockname()[:2], level=level, kind=kind
            )
            refused = child.told()["refused"]
            if refused:
                reason = f"sending {names[2]} is refused: {refused}"
                continue
            method: Any = getattr(sock, "recvmsg", None)
            _, controls, _, _ = method(16, 64)
        if control_value(controls, level) == CONTROL_VALUE:
            return Shown(
                word,
                f"{names[2]} of {CONTROL_VALUE}, sent by a child beside one datagram, was read beside it",
            )
        reason = f"{names[2]} was sent and did not arrive"
    raise Absent(reason)


def send_beside(wire: Wire, family: int, address: list[Any], level: int, kind: int) -> None:
    """Send a datagram with one control message."""
    with samesock.socket(family, SOCK_DGRAM) as sock:
        sock.connect(tuple(address))
        method: Any = getattr(sock, "sendmsg", None)
        try:
            method([b"?"], [(level, kind, CONTROL_VALUE.to_bytes(4, sys.byteorder))])
        except OSError as error:
            wire.tell(refused=str(error))
        else:
            wire.tell(refused="")


def passing(bench: Bench) -> Shown:
    """An open file and a pipe's end go to a child."""
    send: Any = getattr(samesock, "send_fds", None)
    if send is None:
        raise Absent("the module has no send_fds")
    contents = os.urandom(65536)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(bench.path("file"), "w+b"))
        file.write(contents)
        file.flush()
        file.seek(0)
        reader, writer = (
            stack.enter_context(open(end, mode)) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
        )
        listener = stack.enter_context(samesock.socket(AF_UNIX, SOCK_STREAM))
        listener.settimeout(bench.seconds)
        listener.bind(bench.path("passing"))
        listener.listen(1)
        bench.child(use_passed, path=bench.path("passing"))
        accepted, _ = listener.accept()
        stack.enter_context(accepted)
        send(accepted, [b"two"], [file.fileno(), writer.fileno()])
        writer.close()
        equal(reader.read().decode(), digest(contents), "SHA-256 of the passed file")
    word = cast(Support, accepted.transport)
    return Shown(word, "a child got an open file and a pipe, and wrote the file's SHA-256 into the pipe")


def use_passed(wire: Wire, path: str) -> None:
    """Take a file and a pipe; write the digest of the one into the other."""
    receive: Any = getattr(samesock, "recv_fds", None)
    with samesock.socket(AF_UNIX, SOCK_STREAM) as sock:
        sock.settimeout(wire.seconds)
        sock.connect(path)
        _, (file, pipe), _, _ = receive(sock, 16, 2)
        with open(file, "rb") as source, open(pipe, "wb") as target:
            target.write(digest(source.read()).encode())
