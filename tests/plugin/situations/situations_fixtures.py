"""Who answers for what fixtures of every kind open: in their set-up, in their teardown, and while a test runs."""

from __future__ import annotations

import concurrent.futures
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from conftest import KEPT


def setup_module() -> None:
    KEPT.append(socket.socket())  # leaks: xunit


@pytest.fixture(scope="class")
def class_wide() -> Iterator[None]:
    KEPT.append(socket.socket())  # leaks: class
    yield


class TestClassWide:
    def test_class_fixture(self, class_wide: None) -> None:
        pass

    def test_class_fixture_again(self, class_wide: None) -> None:
        pass


class TestWithMethods:
    sock: socket.socket

    @classmethod
    def setup_class(cls) -> None:
        cls.sock = socket.socket()

    @classmethod
    def teardown_class(cls) -> None:
        cls.sock.close()

    def setup_method(self) -> None:
        self.mine = socket.socket()

    def teardown_method(self) -> None:
        self.mine.close()

    def test_class_has_it(self) -> None:
        assert self.sock.fileno() > 0

    def test_class_has_it_again(self) -> None:
        assert self.sock.fileno() > 0


@pytest.fixture(scope="module", params=["closed", "left"])
def chosen(request: pytest.FixtureRequest) -> Iterator[None]:
    sock = socket.socket()  # leaks: parameter
    KEPT.append(sock)
    yield
    if request.param == "closed":
        sock.close()


def test_chosen(chosen: None) -> None:
    pass


def test_chosen_again(chosen: None) -> None:
    pass


@pytest.fixture(scope="module")
def says_goodbye() -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield
        KEPT.append(socket.create_connection(server.getsockname()))  # leaks: teardown
        server.accept()[0].close()


def test_uses_says_goodbye(says_goodbye: None) -> None:
    pass


@pytest.fixture
def with_finalizers(request: pytest.FixtureRequest) -> None:
    first, second = socket.socket(), socket.socket()

    def finish() -> None:
        second.close()
        KEPT.append(socket.socket())  # leaks: finalizer by test_finalizer

    request.addfinalizer(first.close)
    request.addfinalizer(finish)


def test_finalizer(with_finalizers: None) -> None:
    pass


def test_after_the_finalizer() -> None:
    pass


@pytest.fixture
def narrow() -> socket.socket:
    sock = socket.socket()  # leaks: function by test_narrow
    KEPT.append(sock)
    return sock


def test_narrow(narrow: socket.socket) -> None:
    pass


THREADS_OWN = threading.local()


def work() -> int:
    """What a worker does: its socket is made once, and goes with its thread."""
    if not hasattr(THREADS_OWN, "sock"):
        THREADS_OWN.sock = socket.socket()
    number: int = THREADS_OWN.sock.fileno()
    return number


@pytest.fixture(scope="module")
def executor() -> Iterator[concurrent.futures.Executor]:
    """Its thread starts when a test first gives it something to do."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        yield executor


def test_executor_starts(executor: concurrent.futures.Executor) -> None:
    assert executor.submit(work).result() > 0


def test_executor_goes_on(executor: concurrent.futures.Executor) -> None:
    assert executor.submit(work).result() > 0


@pytest.fixture(scope="module")
def helper() -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        yield child
        child.stdin.close()


def test_helper_runs(helper: subprocess.Popen[bytes]) -> None:
    assert helper.poll() is None


class Client:
    """Changes its connection whenever it is told to."""

    def __init__(self) -> None:
        self.sock = socket.socket()

    def reconnect(self) -> None:
        """Close the old one, open a new one, most often under the same number."""
        self.sock.close()
        self.sock = socket.socket()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.sock.close()


def test_client_reconnects(client: Client) -> None:
    client.reconnect()


def test_client_reconnects_again(client: Client) -> None:
    client.reconnect()


REGISTRY: dict[str, socket.socket] = {}


@pytest.fixture(scope="module")
def factory() -> Iterator[Callable[[], socket.socket]]:
    """A function that opens what only the fixture closes, and keeps it where no fixture leads to."""
    yield lambda: REGISTRY.setdefault("one", socket.socket())
    REGISTRY.pop("one").close()


def test_factory(factory: Callable[[], socket.socket]) -> None:
    factory()


@pytest.fixture(scope="module")
def careless_factory() -> Callable[[], None]:
    def make() -> None:
        KEPT.append(socket.socket())  # leaks: factory by careless_factory

    return make


def test_careless_factory(careless_factory: Callable[[], None]) -> None:
    careless_factory()


def test_last() -> None:
    pass
