"""Whether Windows' own AF_UNIX is there and works."""

from __future__ import annotations

import _socket
import os
from pathlib import Path

import pytest

from samesock.unix import native
from samesock.unix._native_calls import WinsockCalls
from samesock.unix.calls import calls
from unit.native_winsock.stand_ins import as_socket_file
from unit.scripted import Script, windows_error


def test_probe_without_a_kernel(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no AF_UNIX (10047), native does not work, and nothing is left behind."""

    def create(*arguments: object) -> None:
        raise windows_error(10047)

    monkeypatch.setattr(calls, "create", create)
    assert native.works(str(socket_dir)) is False
    assert list(socket_dir.iterdir()) == []


def test_probe_in_a_virtualised_directory(
    script: Script,
    socket_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where bind and listen work and connect does not, native does not work, and the file is removed."""
    made: list[Path] = []

    def bind(s: int, name: bytes, namelen: int) -> None:
        made.append(Path(os.fsdecode(name[2:-1])))
        as_socket_file(made[0], monkeypatch)

    real = calls.create
    monkeypatch.setattr(native, "default_calls", WinsockCalls)
    monkeypatch.setattr(calls, "create", lambda family, *rest: real(_socket.AF_INET, *rest))
    monkeypatch.setattr(calls, "listen", lambda sock, backlog: None)
    script.then("bind", effect=bind).fails("connect", 10022)
    assert native.works(str(socket_dir)) is False
    assert made[0].parent == socket_dir
    assert list(socket_dir.iterdir()) == []
