"""An HTTP server on a Unix socket, with asyncio: a small status page that only this machine's users can reach.

    python http_unix.py PATH
    curl --unix-socket PATH http://localhost/

It answers GET and HEAD, keeps connections alive, and bounds what a client may make it hold: one request's head at a
time, and no longer than HEAD_SECONDS for it. It knows who is asking by `peercred`, not by a password.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

import samesock
from samesock import aio

HEAD_LIMIT = 8192
HEAD_SECONDS = 10.0
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


class StatusPage:
    """What the server knows, and how it says it."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.requests = 0

    def answer(self, method: str, target: str, who: samesock.PeerCred) -> tuple[int, dict[str, object]]:
        """The status and the body of one request."""
        self.requests += 1
        if method not in {"GET", "HEAD"}:
            return 405, {"error": f"{method} is not answered here"}
        if target == "/":
            up = round(time.monotonic() - self.started, 1)
            return 200, {"requests": self.requests, "seconds_up": up, "platform": sys.platform}
        if target == "/whoami":
            return 200, {"pid": who.pid, "uid": who.uid, "sid": who.sid}
        return 404, {"error": f"there is no {target}"}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side has had enough."""
        try:
            who = samesock.peercred(writer.get_extra_info("socket"))
            while await self.one_request(reader, writer, who):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, asyncio.TimeoutError):
            pass  # It left, or sent no head worth the name.
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def one_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: samesock.PeerCred
    ) -> bool:
        """Read a head, write an answer; whether the connection goes on."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
        first, *fields = head.decode("latin-1").split("\r\n")[:-2]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        try:
            method, target, version = first.split(" ")
        except ValueError:
            method, target, version = "", "", "HTTP/1.0"
        length = headers.get("content-length", "0")
        whole = length.isdecimal() and int(length) <= HEAD_LIMIT and "transfer-encoding" not in headers
        if whole:
            # Nobody wants it, but closing with it unread would reset the connection, and lose our answer.
            await asyncio.wait_for(reader.readexactly(int(length)), HEAD_SECONDS)
        if not method or not version.startswith("HTTP/1."):
            status, told = 400, {"error": "no HTTP/1 request"}
        else:
            status, told = self.answer(method, target, who)
        body = json.dumps(told).encode() + b"\n"
        goes_on = whole and version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        lines = [
            f"HTTP/1.1 {status} {REASONS[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Connection: {'keep-alive' if goes_on else 'close'}",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body))
        await writer.drain()
        return goes_on


async def main(path: str) -> None:
    server = await aio.start_unix_server(StatusPage().serve, path, limit=HEAD_LIMIT)
    print(f"listening on {path}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # A service manager's stop is a Ctrl+C.
    try:
        asyncio.run(main(sys.argv[1]))
    except KeyboardInterrupt:
        pass
    except OSError as error:  # Its message says what was tried, on what.
        sys.exit(f"http_unix: {error}")
