"""What stands for a Windows socket's file, and the two options that Winsock swallows."""

from __future__ import annotations

import _socket
import os
from pathlib import Path

import pytest

from samesock.unix import socket_file

REUSE = (_socket.SOL_SOCKET, _socket.SO_REUSEADDR)
KEEP = (_socket.SOL_SOCKET, _socket.SO_KEEPALIVE)


def as_socket_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes a file that looks like a Windows socket: a reparse point with the right tag."""
    path.touch()
    real = os.lstat

    class Status:
        st_reparse_tag = socket_file.IO_REPARSE_TAG_AF_UNIX

        def __init__(self, status: os.stat_result) -> None:
            self.st_mode = status.st_mode

    monkeypatch.setattr(socket_file.files, "lstat", lambda name: Status(real(name)))
    return str(path)
