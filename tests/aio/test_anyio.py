"""samesock.anyio: anyio's streams and listeners over Unix sockets, on asyncio and on trio, without install()."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import samesock

anyio = pytest.importorskip("anyio", reason="anyio is not installed")
if not hasattr(anyio, "notify_closing"):
    pytest.skip("anyio before 4.10 cannot be told that a socket is closed", allow_module_level=True)

import anyio.abc  # noqa: E402

from samesock.anyio import connect_unix, create_unix_listener  # noqa: E402

CERTIFICATE = str(Path(__file__).parents[1] / "conformance" / "localhost.pem")
BACKENDS: list[Any] = [
    pytest.param(("asyncio", getattr(asyncio, name)), id=name)
    for name in ("SelectorEventLoop", "ProactorEventLoop")
    if hasattr(asyncio, name)
]
BACKENDS.append(pytest.param(("trio", None), id="trio"))


def starts_trio() -> str:
    """Why trio does not start here; an empty string if it does."""
    try:
        import trio
    except ImportError:
        return "trio is not installed"

    async def nothing() -> None:
        pass

    try:
        trio.run(nothing)
    except OSError as failure:
        return f"trio itself does not start here: {failure}"
    return ""


@pytest.fixture(params=BACKENDS)
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Run an async function on each backend, for 30 s at most."""
    name, loop = request.param
    if name == "trio" and (why := starts_trio()):
        pytest.skip(why)

    def run(function: Callable[[], Awaitable[Any]]) -> Any:
        async def bounded() -> Any:
            with anyio.fail_after(30):
                return await function()

        if name == "trio":
            return anyio.run(bounded, backend="trio")
        own = loop()
        try:
            return own.run_until_complete(bounded())
        finally:
            own.run_until_complete(own.shutdown_asyncgens())
            own.close()

    return run


async def pair(path: str) -> tuple[Any, Any, Any]:
    """A listener, a client and the server's end."""
    listener = await create_unix_listener(path)
    client = await connect_unix(path)
    return listener, client, await listener.accept()


def test_both_ways(run: Any, path: str) -> None:
    """Bytes go both ways, more than any buffer takes; the end of the stream is told, and the other half still goes."""

    async def main() -> None:
        listener, client, server = await pair(path)
        big = os.urandom(1 << 20)
        got = bytearray()
        async with listener, client, server:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.send, big)
                while len(got) < len(big):
                    got += await server.receive()
            assert bytes(got) == big
            await client.send_eof()
            with pytest.raises(anyio.EndOfStream):
                await server.receive()
            await server.send(b"late")
            assert await client.receive(2) == b"la"
            assert await client.receive() == b"te"

    run(main)


def test_attributes(run: Any, path: str) -> None:
    """A stream tells what anyio's own tell: family, paths, and the socket, which is ours."""

    async def main() -> None:
        listener, client, server = await pair(path)
        names = anyio.abc.SocketAttribute
        async with listener, client, server:
            assert isinstance(client.extra(names.raw_socket), samesock.socket)
            assert client.extra(names.family) == samesock.AF_UNIX
            assert client.extra(names.remote_address) == listener.extra(names.local_address) == path

    run(main)


def test_serving_many(run: Any, path: str) -> None:
    """`serve` hands each of 30 clients at once to the handler; cancelled, it leaves nothing behind."""

    async def main() -> list[bytes]:
        answers = []

        async def handle(stream: Any) -> None:
            async with stream:
                await stream.send((await stream.receive()).upper())

        async def ask(number: int) -> None:
            async with await connect_unix(path) as stream:
                await stream.send(b"n%d" % number)
                answers.append(await stream.receive())

        async with await create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, handle)
            async with anyio.create_task_group() as clients:
                for number in range(30):
                    clients.start_soon(ask, number)
            tasks.cancel_scope.cancel()
        return answers

    assert sorted(run(main)) == sorted(b"N%d" % number for number in range(30))


def test_tls(run: Any, path: str) -> None:
    """anyio's TLS goes over it."""
    from anyio.streams.tls import TLSStream

    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(CERTIFICATE)
    client_side = ssl.create_default_context(cafile=CERTIFICATE)

    async def main() -> None:
        listener, client, server = await pair(path)
        wrapped: list[Any] = []

        async def serve() -> None:
            wrapped.append(
                await TLSStream.wrap(
                    server, server_side=True, ssl_context=server_side, standard_compatible=False
                )
            )

        async with listener, client, server:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                ours = await TLSStream.wrap(
                    client, hostname="localhost", ssl_context=client_side, standard_compatible=False
                )
            await ours.send(b"secret")
            assert await wrapped[0].receive() == b"secret"

    run(main)


def test_errors(run: Any, path: str) -> None:
    """No listener is connect's own error, naming the path; two readers are refused; a peer that has gone and a stream
    of one's own that is closed are anyio's errors, also for who waits already."""

    async def main() -> None:
        with pytest.raises(FileNotFoundError) as missing:
            await connect_unix(path)
        assert missing.value.filename == path
        listener, client, server = await pair(path)
        failures: list[type[BaseException]] = []

        async def read() -> None:
            try:
                await server.receive()
            except (anyio.ClosedResourceError, anyio.BusyResourceError) as failure:
                failures.append(type(failure))

        async with listener:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await anyio.sleep(0.05)
                tasks.start_soon(read)
                await anyio.sleep(0.05)
                assert failures == [anyio.BusyResourceError]
                await server.aclose()
            assert failures[1] == anyio.ClosedResourceError
            with pytest.raises(anyio.ClosedResourceError):
                await server.send(b"x")
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await client.receive()
            with pytest.raises(anyio.BrokenResourceError):
                for _ in range(100):
                    await client.send(b"x")
                    await anyio.sleep(0.01)
            await client.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await listener.accept()

    run(main)


def test_files_at_the_path(run: Any, path: str) -> None:
    """A socket's file that is left there is replaced, any other file is not touched; `mode` is the file's."""

    async def main() -> None:
        await (await create_unix_listener(path)).aclose()
        assert os.path.lexists(path)  # noqa: ASYNC240
        async with await create_unix_listener(path, mode=0o600):
            if sys.platform != "win32":
                assert os.stat(path).st_mode & 0o777 == 0o600
        os.unlink(path)
        Path(path).write_bytes(b"mine")  # noqa: ASYNC240
        with pytest.raises(OSError, match="in use"):
            await create_unix_listener(path)
        assert Path(path).read_bytes() == b"mine"  # noqa: ASYNC240

    run(main)


def test_a_full_queue_is_waited_for(run: Any, path: str) -> None:
    """More clients at once than the queue takes all get their turn."""

    async def main() -> list[bytes]:
        answers: list[bytes] = []
        async with (
            await create_unix_listener(path, backlog=1) as listener,
            anyio.create_task_group() as tasks,
        ):

            async def come() -> None:
                async with await connect_unix(path) as stream:
                    answers.append(await stream.receive())

            for _ in range(5):
                tasks.start_soon(come)
            await anyio.sleep(0.1)
            for _ in range(5):
                async with await listener.accept() as stream:
                    await stream.send(b"served")
        return answers

    assert run(main) == [b"served"] * 5
