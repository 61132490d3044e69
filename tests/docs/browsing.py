"""A page in headless Chromium, driven over the DevTools protocol through two pipes: no port, no driver, no package.

What must never be put here: a check of what a page shows.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
IN_PLACE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The protocol's pipes are the browser's descriptors 3 and 4. The first pipe's numbers are the lower ones, so neither
is overwritten before it is copied."""
SECONDS = 300
"""After which a browser is ended in any case: it cannot outlive a run that hangs."""


def find_browser() -> str | None:
    """The path of a Chromium, if this machine has one that can be driven."""
    if not hasattr(os, "fork"):  # the pipes are handed on by number
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page, and what it asked the network for."""

    def __init__(self, sending: int, receiving: int) -> None:
        self._sending = sending
        self._receiving = open(receiving, "rb")  # noqa: SIM115 - closed with the browser
        self._next = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.loaded = False
        self.address = ""
        """What the page is about, for whoever opens it again."""

    def attach(self) -> None:
        """Make a page, and follow it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its answer; what the browser tells in between is noted."""
        self._next += 1
        message: dict[str, Any] = {"id": self._next, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._sending, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while byte := self._receiving.read(1):
            if byte == b"\0":
                message: dict[str, Any] = json.loads(data)
                self._note(message)
                return message
            data += byte
        raise EOFError("the browser has ended")

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.errors.append(str(parameters["entry"]["text"]))
            case "Page.loadEventFired":
                self.loaded = True

    def open(self, address: str) -> None:
        """Go to an address, and wait until it is loaded."""
        self.loaded = False
        self.call("Page.navigate", url=address)
        while not self.loaded:
            self._read()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Text as from a keyboard, into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """One key that is no text of its own, or is a shortcut."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)

    def click(self, selector: str) -> None:
        """A click with the mouse in the middle of the first element of that selector."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def show(self, width: int, height: int, dark: bool) -> None:
        """The size of the window, and whether its user likes it dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Let go of the pipes."""
        os.close(self._sending)
        self._receiving.close()


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Page]:
    """A page of a browser of its own, which ends with the block."""
    to_browser, sending = os.pipe()
    receiving, from_browser = os.pipe()
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own refuses root

    process = subprocess.Popen(
        [
            *(sys.executable, "-c", IN_PLACE, str(to_browser), str(from_browser)),
            *(program, *FLAGS, *sandbox, f"--user-data-dir={profile}"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(to_browser, from_browser),
    )
    os.close(to_browser)
    os.close(from_browser)
    page = Page(sending, receiving)
    alarm = threading.Timer(SECONDS, process.kill)
    alarm.start()
    try:
        page.attach()
        yield page
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        page.close()
