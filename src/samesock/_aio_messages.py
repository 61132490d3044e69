"""Unix datagrams and packets on asyncio's Proactor loop: sending and receiving that must not be the kernel's own.

`WSARecvFrom` would hand the program whatever came to the UDP port, a stranger's bytes and our own framing among it.
So the proactor's receiving and sending give way to these for sockets that keep messages whole: try the socket's own
method, and wait until it is readable. What must never be put here: anything for a stream or for INET.
"""

# ruff: noqa: SLF001 -- a proactor's loop has no public name
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samesock import _aio_afd
from samesock._aio_flow import pause
from samesock._aio_proactor import _Operation, serving
from samesock.unix.messages import WholeMessageMethods


class _Receiving(_Operation):
    """One message: whoever makes the socket readable for nothing only makes it try again."""

    def __init__(self, proactor: Any, sock: Any, call: Callable[[], Any]) -> None:
        super().__init__(proactor._loop)
        self._proactor = proactor
        self._sock = sock
        self._call = call

    def attempt(self) -> None:
        try:
            result = self._call()
        except (BlockingIOError, InterruptedError):
            waiting = _aio_afd.ready(self._proactor, self._sock, _aio_afd.READABLE)
            waiting.add_done_callback(self._again)
            self._pending = waiting
            return
        self.set_result(result)


class _Sending(_Operation):
    """One message: whether a datagram's receiver has room is told by no descriptor, so a full one is asked again."""

    def __init__(self, proactor: Any, call: Callable[[], Any]) -> None:
        super().__init__(proactor._loop)
        self._call = call
        self._tries = 0

    def attempt(self) -> None:
        try:
            result = self._call()
        except (BlockingIOError, InterruptedError):
            seconds = pause(self._tries)
            self._tries += 1
            self._pending = self.get_loop().call_later(seconds, self._again)
            return
        self.set_result(result)


def _begun(operation: _Operation) -> Any:
    """The operation, tried once: what that raises is the future's, as of any operation of a proactor."""
    operation._again()
    return operation


def replacements(proactor: Any) -> dict[str, Callable[..., Any]]:
    """The methods for a proactor, or a class of them, by name; they leave all other sockets to its own."""

    def receiving(name: str) -> Callable[..., Any]:
        original = getattr(proactor, name)

        def receive(self: Any, conn: Any, room: Any, flags: int = 0) -> Any:
            if not isinstance(conn, WholeMessageMethods):
                return original(self, conn, room, flags)
            serving.add(self)
            method = getattr(conn, name)
            sized = (room, 0, flags) if name.endswith("_into") else (room, flags)
            return _begun(_Receiving(self, conn, lambda: method(*sized)))

        return receive

    found = {
        name: receiving(name)
        for name in ("recv", "recv_into", "recvfrom", "recvfrom_into")
        if hasattr(proactor, name)
    }
    send, sendto = proactor.send, proactor.sendto

    def send_whole(self: Any, conn: Any, buf: Any, flags: int = 0) -> Any:
        if not isinstance(conn, WholeMessageMethods):
            return send(self, conn, buf, flags)
        serving.add(self)
        data = bytes(buf)
        return _begun(_Sending(self, lambda: conn.send(data, flags)))

    def sendto_whole(self: Any, conn: Any, buf: Any, flags: int = 0, addr: Any = None) -> Any:
        if not isinstance(conn, WholeMessageMethods):
            return sendto(self, conn, buf, flags, addr)
        serving.add(self)
        data = bytes(buf)
        return _begun(_Sending(self, lambda: _sent(conn, data, flags, addr)))

    return {**found, "send": send_whole, "sendto": sendto_whole}


def _sent(conn: Any, data: bytes, flags: int, addr: Any) -> int:
    if addr is None:
        return int(conn.send(data, flags))
    return int(conn.sendto(data, flags, addr))
