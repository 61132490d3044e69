"""What the tests of `unix.native` share: a scripted Winsock, which answers what only Windows does.

The sockets underneath are Internet ones, which exist everywhere; the script answers what carries an address.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from samesock.ffi import kernel32 as k
from samesock.ffi import ws2_32 as w
from samesock.unix._native_calls import WinsockCalls
from samesock.unix.calls import calls
from samesock.unix.native import NativeEnd
from unit.native_winsock.stand_ins import as_socket_file
from unit.scripted import Script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """The script in the place of ws2_32."""
    script = Script()
    monkeypatch.setattr(w, "ws2_32", script)
    yield script
    script.finished()


@pytest.fixture
def end(script: Script) -> NativeEnd:
    """A native end over the script; the wait is scripted, too."""
    table = WinsockCalls()
    table.wait = script.wait  # type: ignore[method-assign,assignment]
    return NativeEnd(table)


@pytest.fixture
def sock() -> Iterator[_socket.socket]:
    """The socket that stands for an AF_UNIX one."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    yield sock
    sock.close()


@pytest.fixture
def so_error(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets what SO_ERROR and SO_ACCEPTCONN say."""

    def answer(code: int, *, listens: int = 0) -> None:
        answers = {_socket.SO_ERROR: code, _socket.SO_ACCEPTCONN: listens}
        monkeypatch.setattr(calls, "getsockopt", lambda sock, level, option: answers[option])

    return answer


@pytest.fixture
def bound(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a file that looks like a Windows socket's."""
    return as_socket_file(socket_dir / "s", monkeypatch)


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> Script:
    """A script in the place of kernel32's SetHandleInformation."""
    script = Script()
    monkeypatch.setattr(k.kernel32, "SetHandleInformation", script.SetHandleInformation)
    monkeypatch.setattr(k.kernel32, "GetLastError", script.WSAGetLastError)
    return script
