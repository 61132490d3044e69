"""`_errors`: every Winsock and Win32 code becomes one exception, of the class and errno that BSD gives."""

from __future__ import annotations

import errno

import pytest

from samesock import _errors

WSA_NAMES = sorted(name for name in vars(errno) if name.startswith("WSAE") and hasattr(errno, name[3:]))

# Where POSIX has the same name as Winsock, but its calls give another errno for what happened.
RENAMED = {"WSAESHUTDOWN": "EPIPE"}


def code_of(error: OSError) -> object:
    """Windows' code in an exception: outside Windows an attribute that no type checker knows of."""
    return getattr(error, "winerror", None)


def test_table_is_sorted() -> None:
    """The table is in the order of the codes, so that a code is found, and a missing one seen, at a glance."""
    assert list(_errors.POSIX_NAMES) == sorted(_errors.POSIX_NAMES)


def test_every_name_has_words() -> None:
    """Every errno of the table has POSIX's words for it, and there are no words for one that is not in use."""
    extra = {"EPERM", "EAGAIN", "ESTALE", "EADDRINUSE", "EADDRNOTAVAIL", _errors.UNKNOWN}
    assert set(_errors._TEXTS) == set(_errors.POSIX_NAMES.values()) | extra


@pytest.mark.parametrize("name", sorted(set(_errors.POSIX_NAMES.values())))
def test_names_are_known_here(name: str) -> None:
    """Every errno of the table is in this platform's errno module."""
    assert hasattr(errno, name)


@pytest.mark.parametrize("name", WSA_NAMES)
def test_agrees_with_errno_module(name: str) -> None:
    """What Python's own errno module calls WSAEX has the POSIX name EX, and its number, with listed exceptions."""
    expected = RENAMED.get(name, name[3:])
    assert _errors.name_of(getattr(errno, name)) == expected
    assert _errors.to_errno(getattr(errno, name)) == getattr(errno, expected)


CLASSES = [
    (2, "ENOENT", FileNotFoundError),
    (5, "EACCES", PermissionError),
    (80, "EEXIST", FileExistsError),
    (109, "EPIPE", BrokenPipeError),
    (267, "ENOTDIR", NotADirectoryError),
    (995, "ECANCELED", OSError),
    (1225, "ECONNREFUSED", ConnectionRefusedError),
    (1236, "ECONNABORTED", ConnectionAbortedError),
    (1314, "EPERM", PermissionError),
    (10004, "EINTR", InterruptedError),
    (10013, "EACCES", PermissionError),
    (10035, "EWOULDBLOCK", BlockingIOError),
    (10036, "EINPROGRESS", BlockingIOError),
    (10037, "EALREADY", BlockingIOError),
    (10048, "EADDRINUSE", OSError),
    (10053, "ECONNABORTED", ConnectionAbortedError),
    (10054, "ECONNRESET", ConnectionResetError),
    (10058, "EPIPE", BrokenPipeError),
    (10060, "ETIMEDOUT", TimeoutError),
    (10061, "ECONNREFUSED", ConnectionRefusedError),
]


@pytest.mark.parametrize(("code", "name", "kind"), CLASSES)
def test_class_and_errno(code: int, name: str, kind: type[OSError]) -> None:
    """An exception has the standard library's class for its errno, this platform's number, and the code."""
    made = _errors.error(code, "connecting", "/run/x.sock")
    assert type(made) is kind
    assert made.errno == getattr(errno, name)
    assert code_of(made) == code
    assert made.filename == "/run/x.sock"


@pytest.mark.parametrize("name", ["EAGAIN", "EWOULDBLOCK"])
def test_would_block_either_way(name: str) -> None:
    """Both names of "not now" make a BlockingIOError; they are two numbers on Windows and one elsewhere."""
    made = _errors.named_error(name, "connecting")
    assert type(made) is BlockingIOError
    assert made.errno == getattr(errno, name)


def test_would_block_is_the_number_that_calls_give() -> None:
    """10035 becomes EWOULDBLOCK, the number that the standard library's own calls give on every platform."""
    assert _errors.to_errno(10035) == errno.EWOULDBLOCK


def test_message() -> None:
    """The message says what went wrong in POSIX's words, what was tried, and on what."""
    text = str(_errors.error(10061, "connecting", "/run/x.sock"))
    assert "Connection refused (connecting)" in text
    assert "/run/x.sock" in text


def test_no_filename() -> None:
    """Without a file there is none in the exception."""
    made = _errors.error(10054, "receiving")
    assert made.filename is None
    assert made.args == (errno.ECONNRESET, "Connection reset by peer (receiving)")


def test_a_calls_own_meaning() -> None:
    """An errno chosen by name wins over what Python itself would make of the code, and the code stays."""
    made = _errors.named_error("EADDRINUSE", "binding", "x.sock", code=80)
    assert type(made) is OSError
    assert made.errno == errno.EADDRINUSE
    assert code_of(made) == 80


def test_unknown_code() -> None:
    """A code that is not in the table is EIO, and is not lost."""
    made = _errors.error(59999, "trying")
    assert made.errno == errno.EIO
    assert code_of(made) == 59999


def test_unknown_name() -> None:
    """A POSIX name that this platform lacks is EIO's number, and no exception of another kind."""
    assert _errors.number_of("ENOSUCHERRNO") == errno.EIO
    assert _errors.named_error("ENOSUCHERRNO", "trying").errno == errno.EIO
