"""The other process of a trial: `main` runs one function of a module of trials and reports what goes wrong.

What must never be put here: what one feature needs.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import threading
from typing import Any

import samesock


class Wire:
    """The line to the doctor: one JSON object per line, in each direction."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def tell(self, **facts: Any) -> None:
        """Say something to the doctor."""
        sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n")
        sys.stdout.buffer.flush()

    def told(self) -> dict[str, Any]:
        """What the doctor says next; EOFError when it has gone."""
        line = sys.stdin.buffer.readline()
        if not line:
            raise EOFError("the doctor has gone")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def socket(self, family: int, kind: int) -> samesock.socket:
        """The socket that the doctor hands over next: by Winsock's share, or by an inherited number."""
        facts = self.told()
        if "share" in facts:
            return samesock.fromshare(base64.b64decode(facts["share"]))
        return samesock.socket(family, kind, 0, fileno=facts["number"])


def main(module: str, function: str, seconds: str, arguments: str) -> None:
    """Say who this is, do the work, and tell of an error in one line."""
    # If the doctor is killed, nobody ends this process: so it ends itself. Not by faulthandler: writing the traceback
    # of a thread that runs hung for good once (CPython 3.13.2 under Wine).
    watchdog = threading.Timer(3 * float(seconds), os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()
    wire = Wire(float(seconds))
    wire.tell(pid=os.getpid())
    try:
        getattr(importlib.import_module(module), function)(wire, **json.loads(arguments))
    except Exception as error:  # noqa: BLE001 - the doctor shows it
        wire.tell(error=f"{type(error).__name__}: {error}")
    sys.stdout.flush()
