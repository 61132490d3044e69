"""uvicorn as a library on a Unix socket, with its client in the same loop."""

import asyncio
import sys

import uvicorn
from asgi_app import app, client


async def main(path: str) -> None:
    server = uvicorn.Server(uvicorn.Config(app, uds=path, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- it tells by nothing else
        await asyncio.sleep(0.01)
    await client(path)
    server.should_exit = True
    await serving


asyncio.run(main(sys.argv[1]))
