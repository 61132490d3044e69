"""A small ASGI application, and its client: httpx over the Unix socket in argv."""

import asyncio
import sys
from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode() + b" " + body.upper()})


async def client(path: str) -> None:
    import httpx

    transport = httpx.AsyncHTTPTransport(uds=path, retries=0)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as web:
        for word in ("one", "two"):
            answer = await web.post(f"/{word}", content=word)
            print(answer.status_code, answer.text)
        answers = await asyncio.gather(*(web.post("/n", content=str(n)) for n in range(20)))
        print([answer.text for answer in answers] == [f"/n {n}" for n in range(20)])


if __name__ == "__main__":
    asyncio.run(client(sys.argv[1]))
