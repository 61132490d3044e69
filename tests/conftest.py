"""What every test may use: a short folder for sockets, a path in it, a pipe, and a mark for tests that need a feature.

Only what is of use to all folders below; what one area needs belongs in that area's own conftest.py."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

import samesock

HERE = Path(__file__).parent

# Under Wine and on a busy machine one example may take long; on CI the same examples are tried every time.
hypothesis.settings.register_profile("samesock", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("samesock")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what is in the background so, and Python then leaves Ctrl+C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "COVERAGE_PROCESS_CONFIG" in os.environ:  # coverage's own: it is set in whatever it measures
    import measured  # noqa: F401 -- to import it is what it is for


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known; `fd_leaks` is the leak plugin's, which a run may go without."""
    for line in (
        "needs(*features): skip where samesock.features() calls one of them absent",
        "alone: under Wine in a run without a second worker",
        "any_python: of pytest, the system or a tool, and the same on every Python: run on one for each system",
        "fd_leaks(*rules): what the leak check lets a test leave open",
    ):
        config.addinivalue_line("markers", line)


def pytest_report_header(config: pytest.Config) -> str:
    """Which samesock is tested, and in which mode."""
    mode = os.environ.get("SAMESOCK_UNIX", "as found")
    return (
        f"samesock: {os.path.dirname(samesock.__file__)}, Unix sockets: {mode}, sys.platform: {sys.platform}"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip by feature, never by platform; a misspelt feature is an error."""
    names = [name for mark in item.iter_markers("needs") for name in mark.args]
    if names:
        support = samesock.features()
        absent = [name for name in names if support[name] == "absent"]
        if absent:
            pytest.skip(f"absent here: {', '.join(absent)}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folder with the longest tests goes first.

    Begun last, one of its tests kept a worker busy for a minute under Wine when the others had nothing left to do.
    """
    items.sort(key=lambda item: HERE / "plugin" not in item.path.parents)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let go of the timer that pytest-timeout keeps for each test that has run.

    It has three locks, and before Python 3.13 a lock on Windows is a handle: 6,000 of them at the end of this suite.
    """
    done = yield
    vars(item).pop("cancel_timeout", None)
    return done


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A new folder with a short path: pytest's own are too long for a Unix socket's 104 to 108 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ss-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def path(socket_dir: Path) -> str:
    """A path that nothing is at, short enough for a socket."""
    return str(socket_dir / "s")


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A pipe: its two numbers, of which the test may close what it takes out of the list."""
    both = list(os.pipe())
    yield both
    for number in both:
        os.close(number)
