"""What a type checker says of programs that use samesock, on each platform."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

mypy = pytest.importorskip("mypy.api", reason="absent here: mypy")

PROGRAM = """
from __future__ import annotations

import array
from collections.abc import Iterator

import samesock as socket


def clients(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        client, _ = listener.accept()
        yield client


def use(sock: socket.socket, other: socket.socket) -> int:
    data, ancillary, flags, _ = sock.recvmsg(10, socket.CMSG_LEN(4))
    numbers = array.array("i", ancillary[0][2])
    count, _, _, _ = sock.recvmsg_into([bytearray(4)], 0, socket.MSG_PEEK)
    sock.sendmsg([data, memoryview(data)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])
    data, descriptors, flags, _ = socket.recv_fds(sock, 10, 2)
    socket.send_fds(other, [data], descriptors)
    path: str = socket.unix_path("name")
    with socket.create_server(path, family=socket.AF_UNIX) as listener:
        listener.close(wake=True)
    process: int | None = socket.peercred(other).pid
    print(process, sock.transport)
    return count + flags
"""


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_a_program_is_strictly_typed(tmp_path: Path, platform: str) -> None:
    """mypy --strict finds nothing in a program that uses messages, descriptors and Unix sockets, for any platform."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    source = Path(__file__).parents[2] / "src"
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nmypy_path = {source}\n", encoding="utf-8")
    out, err, code = mypy.run(
        [
            "--strict",
            f"--config-file={tmp_path / 'mypy.ini'}",
            f"--platform={platform}",
            f"--python-version={sys.version_info[0]}.{sys.version_info[1]}",
            f"--cache-dir={tmp_path}",
            str(program),
        ]
    )
    assert (err, code) == ("", 0), out
