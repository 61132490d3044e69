"""What BSD promises, checked against every implementation that this process can make.

A check takes `net`: a namespace with the names of `socket`. Its docstring is the promise, with the page that makes it.
What is one area's belongs in its file. In an ordinary run samesock must keep every check, or its platform's file must
declare the deviation, and a declared deviation that is kept is a failure, too. On Linux the standard library, which is
the kernel there, must keep them all: that shows that a check states what a system does. With `--score=FILE` every
implementation runs, those that are only measured fail nothing, and what each check came to is written to the file.
"""

from __future__ import annotations

import contextlib
import functools
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from conformance import scoring
from conformance.implementations import Implementation, implementations, is_missing_name, lacks
from conformance.raising import PATIENCE
from conformance.unix_datagrams import Datagrams
from samesock import _platform_file

HERE = Path(__file__).parent
PLATFORM = _platform_file.this_platform()
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
WITNESS = "linux"
"""Where the standard library is the kernel that the checks describe, and is judged by them."""
NOT_NATIVE = {"unix-dgram", "unix-seqpacket", "passing", "interrupt"}
"""What Winsock's own Unix sockets have not got, and what is the system's signals' here."""
IMPLEMENTATIONS = {one.name: one for one in implementations()}


def is_judged(name: str) -> bool:
    """Whether an implementation has to keep what it is checked for; the others are only measured."""
    return name != "stdlib" or PLATFORM == WITNESS


@functools.cache  # Asked of each check: reading the file took a third of the time until the first test began.
def declared_deviations(name: str) -> dict[str, scoring.Deviation]:
    """What this platform's file says of an implementation."""
    path = _platform_file.folder() / f"{PLATFORM}.toml"
    if not path.is_file():
        return {}
    return scoring.deviations_in(_platform_file.tomllib.loads(path.read_text(encoding="utf-8")), name)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of the session that scores."""
    parser.addoption(
        "--score", type=Path, metavar="FILE", help="measure every implementation, and write to FILE"
    )


def score_file(config: pytest.Config) -> Path | None:
    """Where to write, wherever a test has gone; the option is known only where the command names this folder."""
    found: Path | None = config.getoption("--score", None)
    return found and config.invocation_params.dir / found


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known, and begin the file."""
    config.addinivalue_line("markers", "ours_alone: of what samesock promises beyond BSD")
    config.addinivalue_line(
        "markers", "witness: the standard library, judged to see that the checks are right"
    )
    config.addinivalue_line(
        "markers", "stand_in: over what stands in for Winsock: run on the oldest and the newest Python"
    )
    config.addinivalue_line(
        "markers", "names(*wanted): absent where the implementation has not got the names"
    )
    path = score_file(config)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a check over the implementations that this run is about."""
    if "net" not in metafunc.fixturenames:
        return
    names = [name for name in IMPLEMENTATIONS if is_judged(name) or score_file(metafunc.config)]
    if metafunc.definition.get_closest_marker("ours_alone"):
        names = [name for name in names if name.startswith("samesock")]
    needed = [name for mark in metafunc.definition.iter_markers("needs") for name in mark.args]
    if "socket_dir" in metafunc.fixturenames or "passing" in needed:
        # Winsock's layer hands every Unix socket on to `samesock.unix`.
        is_natives = "winsock-native" in names and not NOT_NATIVE.intersection(needed)
        names = [name for name in names if not name.startswith("winsock")] + ["winsock-native"] * is_natives
    else:
        names = [name for name in names if name != "winsock-native"]
    metafunc.parametrize("net", names, indirect=True)


def implementation_of(item: pytest.Item) -> Implementation | None:
    """What a check runs over; `None` for what is no check."""
    call = getattr(item, "callspec", None)
    return IMPLEMENTATIONS.get(call.params.get("net", "")) if call and HERE in item.path.parents else None


def check_of(item: Any, implementation: str) -> tuple[str, str, str]:
    """A check's area, its name, and the name of this variant of it, the implementation left out."""
    rest = item.callspec.id.removeprefix(implementation).removesuffix(implementation).strip("-")
    variant = f"[{rest}]" if rest else ""
    return scoring.area_of(item.path.stem), item.originalname, f"{item.originalname}{variant}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A declared deviation must show; what is only measured may fail."""
    for item in items:
        found = implementation_of(item)
        if found is None:
            continue
        if found.name == "stdlib":
            item.add_marker(pytest.mark.witness)
        if found.name == "winsock-native":  # libc's calls
            item.add_marker(pytest.mark.any_python)
        if found.name.startswith("winsock"):
            item.add_marker(pytest.mark.stand_in)
        area, check, variant = check_of(item, found.name)
        declared = declared_deviations(found.name)
        entry = declared.get(f"{area}/{variant}") or declared.get(f"{area}/{check}")
        if entry is not None and is_judged(found.name):
            item.user_properties.append(("deviation", entry.identifier))
            item.add_marker(pytest.mark.xfail(reason=f"{entry.identifier}: {entry.reason}", strict=True))
        elif not is_judged(found.name):
            item.add_marker(pytest.mark.xfail(reason="measured, not judged", strict=False))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What POSIX lets a system lack is absent by its name; what samesock has to emulate, the system lacks."""
    found = implementation_of(item)
    if found is None:
        return
    needed = [name for mark in item.iter_markers("needs") for name in mark.args]
    if not is_judged(found.name) and any(samesock.features()[name] != "native" for name in needed):
        pytest.skip(f"absent here: {', '.join(needed)}")
    wanted = tuple(name for mark in item.iter_markers("names") for name in mark.args)
    if missing := lacks(found.net, wanted):
        pytest.skip(f"absent here: {', '.join(missing)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A name that the standard library has not got here is absent; samesock has to have it, or to say so."""
    try:
        return (yield)
    except AttributeError as error:
        found = implementation_of(item)
        if found and found.name == "stdlib" and not is_judged("stdlib") and is_missing_name(error, found.net):
            pytest.skip(f"absent here: {error.name}")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Write a check's outcome as soon as it is known."""
    report: Any = yield
    path, found = score_file(item.config), implementation_of(item)
    if path is None or found is None:
        return report
    if report.when == "call" or (report.outcome != "passed" and report.when == "setup"):
        area, check, _ = check_of(item, found.name)
        word = report.outcome
        if hasattr(report, "wasxfail"):
            word = "xfailed" if report.skipped else "xpassed"
        declared = any(key == "deviation" for key, _ in item.user_properties)
        outcome = scoring.outcome_of(word, declared=declared, judged=is_judged(found.name))
        result = scoring.Result(PLATFORM, PYTHON, found.name, area, check, outcome)
        append(path, result._asdict())
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The last line, by which a run that was cut short is told from one that was not."""
    path = score_file(session.config)
    if path is not None:
        append(path, {"exit": int(exitstatus)})


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line to the file."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One implementation."""
    found = IMPLEMENTATIONS[request.param]
    with found.during():
        yield found.net


class Unix:
    """Unix sockets of one implementation, closed at the end of the test."""

    def __init__(self, net: Any, folder: Path) -> None:
        self.net = net
        self.folder = folder
        self.stack = contextlib.ExitStack()

    def path(self, name: str = "s") -> str:
        """A path for a socket of this test."""
        return str(self.folder / name)

    def socket(self, kind: int | None = None) -> Any:
        """A new Unix socket: a stream, unless another kind is asked for."""
        wanted = self.net.SOCK_STREAM if kind is None else kind
        return self.stack.enter_context(self.net.socket(self.net.AF_UNIX, wanted))

    def listener(self, name: str = "s", backlog: int = 16) -> Any:
        """A listening socket at `path(name)`."""
        sock = self.socket()
        sock.bind(self.path(name))
        sock.listen(backlog)
        return sock

    def client(self, name: str = "s") -> Any:
        """A socket connected to `path(name)`."""
        sock = self.socket()
        sock.connect(self.path(name))
        return sock

    def accept(self, listener: Any) -> tuple[Any, Any]:
        """accept(), with the new socket closed at the end."""
        sock, name = listener.accept()
        return self.stack.enter_context(sock), name

    def pair(self, kind: int) -> tuple[Any, Any]:
        """socketpair() of that kind."""
        one, other = self.net.socketpair(self.net.AF_UNIX, kind)
        return self.stack.enter_context(one), self.stack.enter_context(other)

    def connection(self) -> SimpleNamespace:
        """A listener, a client and the socket accepted for it."""
        listener = self.listener()
        client = self.client()
        server, _ = self.accept(listener)
        return SimpleNamespace(listener=listener, client=client, server=server)


@pytest.fixture
def unix(net: Any, socket_dir: Path) -> Iterator[Unix]:
    """Unix sockets of the implementation, in a folder of their own."""
    made = Unix(net, socket_dir)
    with made.stack:
        yield made


@pytest.fixture
def dgram(unix: Unix) -> Datagrams:
    """The maker of datagram sockets."""
    return Datagrams(unix)


class Inet:
    """Internet sockets of one implementation on loopback, closed at the end of the test.

    They have a time-out, so that a check whose promise is broken ends; what is about blocking sets it aside.
    """

    host = "127.0.0.1"
    host6 = "::1"

    def __init__(self, net: Any) -> None:
        self.net = net
        self.stack = contextlib.ExitStack()

    def keep(self, sock: Any) -> Any:
        """Close it at the end, and give up on it in time."""
        self.stack.enter_context(sock)
        sock.settimeout(PATIENCE)
        return sock

    def tcp(self, family: Any = None) -> Any:
        """A new stream socket."""
        return self.keep(self.net.socket(family or self.net.AF_INET, self.net.SOCK_STREAM))

    def udp(self, family: Any = None) -> Any:
        """A new datagram socket."""
        return self.keep(self.net.socket(family or self.net.AF_INET, self.net.SOCK_DGRAM))

    def loopback(self, family: Any = None) -> str:
        """The loopback address of the family; skips where this machine has no IPv6 at all."""
        if family != self.net.AF_INET6:
            return self.host
        try:
            with self.net.socket(family, self.net.SOCK_DGRAM) as sock:
                sock.bind((self.host6, 0))
        except OSError:
            pytest.skip("absent here: IPv6 on loopback")
        return self.host6

    def bound_udp(self, family: Any = None) -> Any:
        """A datagram socket bound to a port of loopback."""
        host = self.loopback(family)
        sock = self.udp(family)
        sock.bind((host, 0))
        return sock

    def listener(self, backlog: int = 16, family: Any = None) -> Any:
        """A listening socket on a port of loopback."""
        host = self.loopback(family)
        sock = self.tcp(family)
        sock.bind((host, 0))
        sock.listen(backlog)
        return sock

    def client(self, listener: Any, family: Any = None) -> Any:
        """A socket connected to the listener."""
        sock = self.tcp(family)
        sock.connect(listener.getsockname())
        return sock

    def accept(self, listener: Any) -> tuple[Any, Any]:
        """accept(), with the new socket closed at the end; nothing is set on it."""
        sock, name = listener.accept()
        return self.stack.enter_context(sock), name

    def connection(self, family: Any = None) -> SimpleNamespace:
        """A listener, a client and the socket accepted for it, the last with a time-out, too."""
        listener = self.listener(family=family)
        client = self.client(listener, family)
        server, _ = self.accept(listener)
        server.settimeout(PATIENCE)
        return SimpleNamespace(listener=listener, client=client, server=server)

    def closed_port(self, kind: Any = None) -> tuple[str, int]:
        """An address of loopback where nobody is: a port that was free a moment ago."""
        with self.net.socket(self.net.AF_INET, kind or self.net.SOCK_STREAM) as sock:
            sock.bind((self.host, 0))
            return tuple(sock.getsockname())

    def reset(self, sock: Any) -> None:
        """Close a connection by a reset: nothing lingers."""
        sock.setsockopt(self.net.SOL_SOCKET, self.net.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def fill(self, sock: Any) -> int:
        """Send without blocking until the connection takes no more; how many bytes it took."""
        before = sock.gettimeout()
        sock.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                sent += sock.send(b"x" * 65_536)
        sock.settimeout(before)
        return sent

    def drain(self, sock: Any) -> int:
        """Receive to the end of the stream; how many bytes came."""
        count = 0
        while piece := sock.recv(1 << 20):
            count += len(piece)
        return count


@pytest.fixture
def inet(net: Any) -> Iterator[Inet]:
    """Internet sockets of the implementation."""
    made = Inet(net)
    with made.stack:
        yield made
