"""anyio's Unix listener and connect_unix, on the backend in argv."""

import sys

import anyio
from anyio.abc import SocketStream

served, done = anyio.create_memory_object_stream[None](10)


async def shout(stream: SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data.upper())
    await served.send(None)


async def main(path: str) -> None:
    with anyio.fail_after(30):
        async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, shout)
            for word in (b"one", b"two"):
                async with await anyio.connect_unix(path) as stream:
                    await stream.send(word)
                    print((await stream.receive()).decode())
            async with await anyio.connect_unix(path) as stream:
                await stream.send(bytes(100_000))
                got = 0
                while got < 100_000:
                    got += len(await stream.receive())
                print(got)
            for _ in range(3):
                await done.receive()
            tasks.cancel_scope.cancel()
    served.close()
    done.close()


anyio.run(main, sys.argv[1], backend=sys.argv[2])
