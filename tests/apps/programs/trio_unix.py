"""trio: a listener made of trio's own socket, served by serve_listeners, and open_unix_socket."""

import sys

import trio


async def shout(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data.upper())


async def main(path: str) -> None:
    sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await sock.bind(path)
    sock.listen()
    listener = trio.SocketListener(sock)
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, shout, [listener])
        for word in (b"one", b"two"):
            async with await trio.open_unix_socket(path) as stream:
                await stream.send_all(word)
                print((await stream.receive_some()).decode())
        nursery.cancel_scope.cancel()


async def limited(path: str) -> None:
    with trio.fail_after(30):
        await main(path)


trio.run(limited, sys.argv[1])
