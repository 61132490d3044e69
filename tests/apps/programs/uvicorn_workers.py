"""uvicorn's command with two workers, which it spawns and hands its listening socket; ended as by Ctrl+C."""

import asyncio
import signal
import sys
import threading
import time
import warnings

import httpx
import uvicorn
from asgi_app import client

if __name__ == "__main__":
    warnings.simplefilter("ignore", ResourceWarning)  # it leaves its listener open, wherever it runs
    path = sys.argv[1]

    def ask() -> None:
        deadline = time.monotonic() + 40
        while True:
            try:
                asyncio.run(client(path))
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                break
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        uvicorn.run("asgi_app:app", uds=path, workers=2, log_level="error", lifespan="off")
    finally:
        thread.join()
