"""bind and listen over Windows' own AF_UNIX."""

from __future__ import annotations

import _socket
import errno
from pathlib import Path

import pytest

from samesock.unix.calls import calls
from samesock.unix.native import NativeEnd
from unit.scripted import Script, gives_name, windows_error


def test_bind_over_a_file(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """bind over whatever exists is EADDRINUSE with the path in it, and the file is left as it is."""
    path = socket_dir / "plain"
    path.write_bytes(b"precious")
    script.fails("bind", 10048)
    with pytest.raises(OSError, match="binding") as caught:
        end.bind(sock, str(path))
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.winerror == 10048
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("code", [10050, 10022])
def test_bind_in_a_missing_directory(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, code: int
) -> None:
    """A directory that is not there is ENOENT, one that is a file ENOTDIR, whatever Winsock says."""
    (socket_dir / "file").touch()
    for name, kind in (
        ("no/x", FileNotFoundError),
        ("no/no/x", FileNotFoundError),
        ("file/x", NotADirectoryError),
        ("file/no/x", NotADirectoryError),
    ):
        script.fails("bind", code).fails("getsockname", 10022)
        with pytest.raises(kind) as caught:
            end.bind(sock, str(socket_dir / name))
        assert caught.value.filename == str(socket_dir / name)
        assert caught.value.winerror == code


@pytest.mark.parametrize("code", [10050, 10022])
def test_bind_on_a_volume_without_sockets(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, code: int
) -> None:
    """Where directory and name are in order the volume has no sockets: EPERM, as on Linux."""
    script.fails("bind", code).fails("getsockname", 10022)
    with pytest.raises(
        PermissionError, match=r"samesock\.unix_path\(name\).*SAMESOCK_UNIX=emulated"
    ) as caught:
        end.bind(sock, str(socket_dir / "x"))
    assert caught.value.errno == errno.EPERM


def test_bind_twice(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """A second bind is EINVAL."""
    script.fails("bind", 10022).then("getsockname", effect=gives_name(b"x"))
    with pytest.raises(OSError, match="that has a name") as caught:
        end.bind(sock, str(socket_dir / "no" / "x"))
    assert caught.value.errno == errno.EINVAL


def test_bind_after_reuseaddr(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """A socket that came with SO_REUSEADDR set cannot be bound there: EOPNOTSUPP, which says why."""
    script.fails("bind", 10045).fails("getsockname", 10022)
    with pytest.raises(OSError, match="SO_REUSEADDR") as caught:
        end.bind(sock, str(socket_dir / "x"))
    assert caught.value.errno == errno.EOPNOTSUPP


def test_listen_without_a_name(
    end: NativeEnd, script: Script, sock: _socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """listen without a name is EINVAL, whatever Winsock calls it."""

    def listen(sock: object, backlog: int) -> None:
        raise windows_error(10045)

    monkeypatch.setattr(calls, "listen", listen)
    script.fails("getsockname", 10022)
    with pytest.raises(OSError, match="without a name") as caught:
        end.listen(sock, 1)
    assert caught.value.errno == errno.EINVAL
    script.then("getsockname", effect=gives_name(b"x"))
    with pytest.raises(OSError, match="listening") as caught:
        end.listen(sock, 1)
    assert caught.value.errno == errno.EOPNOTSUPP
