"""Sockets' files by the Winsock backend: volumes, streams, names that are being deleted, and paths to nothing."""

from __future__ import annotations

import errno

import pytest

from samesock.backend import (
    _windows_files,
    winsock,
)
from samesock.ffi.kernel32 import kernel32
from unit.winsock_scripted.windows import EVERYBODY, FULL, ME, Windows, code_of, create, security_descriptor


def test_volume_without_access_lists(windows: Windows) -> None:
    """A volume that keeps no owners is refused with EPERM and a reason, and nothing is left on it."""
    windows.volume = 0
    with pytest.raises(PermissionError, match="its volume keeps no owners and access lists") as caught:
        create()
    assert caught.value.errno == errno.EPERM
    assert windows.discarded == ["a.sock"]
    assert not windows.files


def test_volume_that_says_it_keeps_them(windows: Windows) -> None:
    """A volume that claims to keep access lists and gives others a way in is refused as well."""
    windows.descriptors["a.sock"] = security_descriptor(ME, (ME, FULL), (EVERYBODY, FULL))
    with pytest.raises(PermissionError, match="did not keep others out"):
        create()
    assert windows.discarded == ["a.sock"]


def test_volume_that_does_not_answer(windows: Windows) -> None:
    """A volume that does not tell what it keeps is one that keeps nothing."""
    windows.failing["GetVolumeInformationByHandleW"] = [87]
    with pytest.raises(PermissionError):
        create()
    assert not windows.files


def test_full_disk(windows: Windows) -> None:
    """A record that does not fit leaves no file behind: ENOSPC, told by the code or by the count."""
    windows.failing["WriteFile"] = [112]
    with pytest.raises(OSError, match="writing") as caught:
        create()
    assert (caught.value.errno, code_of(caught.value)) == (errno.ENOSPC, 112)
    windows.room = 100
    with pytest.raises(OSError, match="writing") as caught:
        create()
    assert caught.value.errno == errno.ENOSPC
    assert not windows.files


@pytest.mark.parametrize("path", [b"plain:x", b"C:\\dir\\plain:x", b"C:plain:x", b"plain:$DATA", b":x"])
def test_streams(windows: Windows, path: bytes) -> None:
    """A colon behind the drive's cannot be bound, for it would add to another file: EINVAL, and nothing is asked."""
    with pytest.raises(OSError, match="a stream of another file") as caught:
        create(path)
    assert caught.value.errno == errno.EINVAL
    assert not windows.calls
    create(b"C:\\dir\\plain")


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (b"C:\\dir\\nowhere\\a.sock", errno.ENOENT),
        (b"C:\\dir\\plain\\a.sock", errno.ENOTDIR),
        (b"C:/dir/plain/b/c/a.sock", errno.ENOTDIR),
        (b"X:\\a.sock", errno.ENOENT),
        (b"nowhere\\a.sock", errno.ENOENT),
    ],
)
def test_path_not_found(windows: Windows, path: bytes, number: int) -> None:
    """Windows has one code for a missing directory and for a file in a directory's place; BSD has two."""
    windows.attributes = {"C:\\": 0x10, "C:\\dir": 0x10, "C:\\dir\\plain": 0x20, "C:/dir/plain": 0x20}
    windows.failing["CreateFileW"] = [3]
    with pytest.raises(OSError, match="creating") as caught:
        create(path)
    assert caught.value.errno == number


@pytest.mark.parametrize("code", [5, 80])
def test_name_that_is_being_deleted(windows: Windows, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deleted file that somebody still reads is waited for: NT's answer for its name is "access denied"."""
    monkeypatch.setattr(_windows_files, "VANISHING_SECONDS", 60.0)
    windows.failing["CreateFileW"] = [code, code, code]
    windows.failing["GetFileAttributesW"] = [5, 5, 2]
    create()
    assert windows.calls.count("CreateFileW") == 4


def test_name_that_stays_deleted(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not become free within 100 ms is refused, by the code that the system gave."""
    monkeypatch.setattr(_windows_files, "VANISHING_SECONDS", 0.02)
    for code, expected in ((5, errno.EACCES), (80, errno.EADDRINUSE)):
        windows.failing["CreateFileW"] = [code] * 1000
        windows.failing["GetFileAttributesW"] = [5] * 1000
        with pytest.raises(OSError, match="creating") as caught:
            create()
        assert caught.value.errno == expected


def test_no_permission_is_not_waited_for(windows: Windows) -> None:
    """A directory that may not be written to is EACCES at once, and so is a file that may not be read."""
    windows.failing["CreateFileW"] = [5, 5]
    windows.attributes["a.sock"] = 0x20
    for tried in (create, lambda: winsock.open_record(b"a.sock")):
        with pytest.raises(PermissionError) as caught:
            tried()
        assert caught.value.errno == errno.EACCES
    assert windows.calls.count("CreateFileW") == 2


@pytest.mark.parametrize("code", [32, 33, 1920, 4390, 4394])
def test_nothing_that_serves(windows: Windows, code: int) -> None:
    """Shared with nobody, locked, or a reparse point that nothing follows: ECONNREFUSED, as for any plain file."""
    windows.files["a.sock"] = b""
    windows.failing["ReadFile" if code == 33 else "CreateFileW"] = [code]
    with pytest.raises(ConnectionRefusedError, match=r"a\.sock") as caught:
        winsock.open_record(b"a.sock")
    assert code_of(caught.value) == code


@pytest.mark.parametrize(
    ("code", "number"),
    [(2, errno.ENOENT), (3, errno.ENOENT), (1921, errno.ELOOP), (267, errno.ENOTDIR), (53, errno.ENOENT)],
)
def test_paths_that_lead_nowhere(windows: Windows, code: int, number: int) -> None:
    """What is wrong with a path is told by BSD's errno."""
    windows.failing["CreateFileW"] = [code]
    with pytest.raises(OSError, match="opening") as caught:
        winsock.open_record(b"a.sock")
    assert caught.value.errno == number


def test_device(windows: Windows) -> None:
    """A device that opens is never read, written or removed."""
    windows.files["com1"] = b""
    windows.patch.setattr(kernel32, "GetFileType", lambda file: 2)
    with pytest.raises(ConnectionRefusedError):
        winsock.open_record(b"com1")
    with pytest.raises(OSError, match="a device's name") as caught:
        create(b"com2")
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert not {"ReadFile", "WriteFile", "SetFileInformationByHandle"} & set(windows.calls)
