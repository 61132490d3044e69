"""Sockets' files that the Winsock backend has read before: when they are opened again, and when not."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from samesock.backend import _windows_known, winsock
from unit.winsock_scripted.windows import EVERYBODY, FULL, ME, Windows, mine, security_descriptor

PATH = "C:\\Users\\me\\a.sock"
SECOND = 10_000_000  # in NT's units


def now() -> int:
    """The time as NT keeps it: 100 ns since 1601."""
    return time.time_ns() // 100 + 116_444_736_000_000_000


def make(windows: Windows, path: str = PATH, old: float = 60.0, data: bytes = bytes(256)) -> None:
    """A socket's file of that age, of this user's alone."""
    winsock.create_record(path.encode(), data, bytes(16), 0).close()
    windows.files[path] = data
    age = int(old * SECOND)
    born = now() - age
    windows.times[path] = (born, windows.written[path] - age // SECOND * SECOND, born)


def opened(windows: Windows, path: str = PATH) -> bytes | None:
    """Open the record; its bytes if that has opened the file, `None` if it was known."""
    before = windows.calls.count("CreateFileW")
    data = winsock.open_record(path.encode()).data
    return data if windows.calls.count("CreateFileW") > before else None


def test_known(windows: Windows) -> None:
    """A file that is old enough, and nobody else's to write, is opened once; what is known of it is all of it."""
    make(windows)
    windows.calls.clear()
    first = winsock.open_record(PATH.encode())
    assert opened(windows) is None
    again = winsock.open_record(PATH.encode())
    assert (again.data, again.owner(), again.trusted()) == (first.data, first.owner(), True)
    assert windows.calls.count("GetKernelObjectSecurity") == 1
    assert windows.calls.count("GetFileInformationByHandleEx") == 1


@pytest.mark.parametrize("tick", [1, 160_000, SECOND], ids=["100 ns", "16 ms", "1 s"])
def test_two_files_of_one_moment(windows: Windows, tick: int) -> None:
    """A file that another directory of this name has had all along is told from the one that was here, though both were
    made within the same tick of the clock."""
    other = "C:\\Users\\other\\a.sock"
    make(windows)
    make(windows, other, data=b"x" * 256)
    made = now() // tick * tick - 60 * SECOND
    for path in (PATH, other):
        windows.times[path] = (made, windows.times[path][1], made)
    assert opened(windows) == bytes(256)
    assert opened(windows) is None
    windows.files[PATH], windows.times[PATH] = windows.files[other], windows.times[other]
    assert opened(windows) == b"x" * 256


def test_without_a_mark(windows: Windows) -> None:
    """Where a file's times are of whole seconds, or its binder has not marked them, it is opened each time."""
    make(windows)
    made, written, changed = windows.times[PATH]
    for other in (written // SECOND * SECOND, written + 1):
        windows.times[PATH] = (made, other, changed)
        assert opened(windows) == opened(windows) == bytes(256)


def test_marks_are_not_of_the_future(windows: Windows) -> None:
    """A file's time of writing is hardly earlier than now, and never later."""
    for number in range(50):
        path = f"C:\\{number}.sock"
        winsock.create_record(path.encode(), bytes([number]) * 256, bytes(16), 0).close()
        assert now() - 3 * SECOND < windows.written[path] <= now()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_file(windows: Windows, place: int) -> None:
    """A file with any other time is another one, or has been changed: it is opened, and known from then on."""
    make(windows)
    assert opened(windows) == bytes(256)
    times = list(windows.times[PATH])
    times[place] += SECOND
    windows.times[PATH] = (times[0], times[1], times[2])
    assert opened(windows) == bytes(256)
    assert opened(windows) is None
    windows.attributes[PATH] = 0x21
    assert opened(windows) == bytes(256)


def test_gone(windows: Windows) -> None:
    """A known file that has gone is missed, and one that has come in its place is opened."""
    make(windows)
    assert opened(windows) == bytes(256)
    del windows.files[PATH]
    with pytest.raises(FileNotFoundError):
        winsock.open_record(PATH.encode())
    windows.files[PATH] = b"y" * 256
    assert opened(windows) == b"y" * 256


@pytest.mark.parametrize("age", [0.0, _windows_known.OLD_SECONDS / 2, -60.0])
def test_young(windows: Windows, age: float) -> None:
    """A file that was made just now, or has a time that is still to come, is opened each time: what replaces it could
    have the same times."""
    make(windows, old=age)
    assert opened(windows) == opened(windows) == bytes(256)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_young_time_is_enough(windows: Windows, place: int) -> None:
    """The youngest of a file's times counts."""
    make(windows)
    times = list(windows.times[PATH])
    times[place] = now()
    windows.times[PATH] = (times[0], times[1], times[2])
    assert opened(windows) == opened(windows) == bytes(256)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_time_that_is_not_kept(windows: Windows, place: int) -> None:
    """Where a file system lacks one of the times, a file is opened each time."""
    make(windows)
    times = list(windows.times[PATH])
    times[place] = 0
    windows.times[PATH] = (times[0], times[1], times[2])
    assert opened(windows) == opened(windows) == bytes(256)


def test_others_may_write(windows: Windows) -> None:
    """A file that others may write is opened each time: they could set the times back."""
    make(windows)
    windows.descriptors[PATH] = security_descriptor(ME, (ME, FULL), (EVERYBODY, FULL))
    assert opened(windows) == opened(windows) == bytes(256)
    windows.descriptors[PATH] = mine("S-1-5-21-1-2-3-1002")
    assert opened(windows) == opened(windows) == bytes(256)


@pytest.mark.parametrize(
    "path",
    [
        "a.sock",
        "dir\\a.sock",
        "\\dir\\a.sock",
        "C:a.sock",
        "C:\\dir\\..\\a.sock",
        "C:\\dir\\.\\a.sock",
        "C:\\dir.\\a.sock",
        "C:\\dir \\a.sock",
        "C:\\dir\\a.sock.",
        "C:\\dir\\a.sock ",
        "C:\\dir\\\\a.sock",
        "C:/dir/a.sock",
        "\\\\server\\share\\a.sock",
        "\\\\.\\C:\\a.sock",
        "C:\\dir\\a.sock\n",
    ],
)
def test_paths_that_mean_something_else_to_nt(windows: Windows, path: str) -> None:
    """Only a whole path from a drive's root, with no name that Windows would make another of, is asked of NT."""
    make(windows, path)
    assert opened(windows, path) == opened(windows, path) == bytes(256)
    assert "NtQueryAttributesFile" not in windows.calls


def test_letters_beyond_ascii(windows: Windows) -> None:
    """A path is handed to NT in UTF-16, whole."""
    path = "C:\\Users\\m\u00fc\\\U0001f9e6.sock"
    make(windows, path)
    assert opened(windows, path) == bytes(256)
    assert opened(windows, path) is None


def test_not_too_many(windows: Windows) -> None:
    """What is known does not grow without end."""
    paths = [f"C:\\{number}.sock" for number in range(2 * _windows_known.MOST)]
    for path in paths:
        make(windows, path)
        assert opened(windows, path) == bytes(256)
    assert opened(windows, paths[-1]) is None
    assert len(_windows_known._known) <= _windows_known.MOST


def test_read_while_it_is_changed(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """The times are those of before the reading: a file that changes meanwhile is opened again."""
    make(windows)
    read: Callable[..., int] = windows.ReadFile

    def changing(*arguments: object) -> int:
        made, written, changed = windows.times[PATH]
        windows.times[PATH] = (made, written + SECOND, changed + SECOND)
        return read(*arguments)

    monkeypatch.setattr("samesock.ffi.kernel32.kernel32.ReadFile", changing)
    assert opened(windows) == bytes(256)
    monkeypatch.setattr("samesock.ffi.kernel32.kernel32.ReadFile", read)
    windows.files[PATH] = b"z" * 256
    assert opened(windows) == b"z" * 256
