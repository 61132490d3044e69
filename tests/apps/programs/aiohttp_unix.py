"""aiohttp's UnixSite and UnixConnector, a web socket among it."""

import asyncio
import sys

import aiohttp
from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.path} {len(await request.read())}")


async def talk(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def main(path: str) -> None:
    app = web.Application(client_max_size=2**22)
    app.router.add_route("*", "/hello", hello)
    app.router.add_get("/talk", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.UnixSite(runner, path)
    await site.start()
    print(site.name.startswith("http://unix:"))
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
        async with session.post("http://app/hello", data=bytes(2**20)) as answer:
            print(answer.status, await answer.text())
        answers = await asyncio.gather(*(session.get("http://app/hello") for _ in range(20)))
        print({answer.status for answer in answers})
        for answer in answers:
            answer.release()
        async with session.ws_connect("http://app/talk") as socket:
            await socket.send_str("shout")
            print((await socket.receive()).data)
    await runner.cleanup()


asyncio.run(main(sys.argv[1]))
