"""The backends hold to the contract that the head of `samesock.backend` states in words."""

from __future__ import annotations

import errno
import importlib
import inspect
import re
from types import ModuleType

import pytest

import samesock.backend
from samesock.backend import Hold, OpenRecord, Passing

# A line is "* `name(a, b) -> result`: ..." or "* `one(a)`, `two(a)`: ..." or "* `NAME: kind`: ..."
PROMISED = [
    (found["name"], found["arguments"])
    for line in re.findall(r"^\* (.*?)(?<=`):", samesock.backend.__doc__ or "", re.MULTILINE)
    for found in re.finditer(r"`(?P<name>\w+)(?:\((?P<arguments>[^)]*)\))?[^`]*`", line)
]
FUNCTIONS = [(name, arguments) for name, arguments in PROMISED if arguments is not None]

BACKENDS = ["posix", "winsock", "null"]


def load(name: str) -> ModuleType:
    """The backend, or a skip where the modules of the standard library that it is made of are absent."""
    if name == "posix":
        pytest.importorskip("fcntl", reason="absent here: fcntl, of which the POSIX backend is made")
    return importlib.import_module(f"samesock.backend.{name}")


def parameters(function: object) -> list[str]:
    """The names of what a function takes."""
    assert callable(function)
    return list(inspect.signature(function).parameters)


def methods(protocol: type) -> list[str]:
    """The public methods that a protocol states."""
    return [name for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"]


def test_contract_is_read() -> None:
    """The contract's list is found in the docstring: this test would notice if its form had changed."""
    names = [name for name, _ in PROMISED]
    assert {"REFUSED_WHEN_FULL", "create_record", "prepare_listener", "prepare_client", "wait"} <= set(names)
    assert len(names) == len(set(names)) > 15


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name, _ in PROMISED])
def test_names(backend: str, name: str) -> None:
    """Every backend has every name of the contract, and says so in its `__all__`."""
    module = load(backend)
    assert hasattr(module, name)
    assert name in module.__all__


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "arguments"), FUNCTIONS)
def test_arguments(backend: str, name: str, arguments: str) -> None:
    """A function takes what the contract says, by the same names and in the same order, in every backend."""
    assert parameters(getattr(load(backend), name)) == [word for word in arguments.split(", ") if word]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("protocol", "method"),
    [(protocol, method) for protocol in (Hold, OpenRecord) for method in methods(protocol)],
)
def test_methods(backend: str, protocol: type, method: str) -> None:
    """A backend's Hold and OpenRecord have the protocol's methods, with the protocol's arguments."""
    made = getattr(load(backend), protocol.__name__)
    assert parameters(getattr(made, method)) == parameters(getattr(protocol, method))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", methods(Passing))
def test_passing(backend: str, method: str) -> None:
    """A backend's `passing` has the protocol's functions, with the protocol's arguments, and says whom it needs."""
    made = load(backend).passing
    wanted = parameters(getattr(Passing, method))[1:]
    assert parameters(getattr(made, method)) == wanted
    assert isinstance(made.NEEDS_TARGET, bool)


def test_null_answers_nothing() -> None:
    """The null backend refuses every call with EOPNOTSUPP: it is never a silent no-op."""
    module = load("null")
    for name, arguments in FUNCTIONS:
        values = [0 for word in arguments.split(", ") if word]
        with pytest.raises(OSError, match="this system has no backend"):
            getattr(module, name)(*values)
    for made in (module.Hold, module.OpenRecord):
        with pytest.raises(OSError, match="this system has no backend"):
            made()


@pytest.mark.parametrize("protocol", [Hold, OpenRecord])
def test_null_objects_answer_nothing(protocol: type) -> None:
    """What the null backend cannot make answers nothing either: each method raises EOPNOTSUPP."""
    cls = getattr(load("null"), protocol.__name__)
    with pytest.raises(OSError, match="no backend"):
        cls()
    for name in methods(protocol):
        method = getattr(cls, name)
        arguments = [None] * len(parameters(method))
        with pytest.raises(OSError, match="no backend") as caught:
            method(*arguments)
        assert caught.value.errno == errno.EOPNOTSUPP


def test_null_passes_nothing() -> None:
    """Every function of the null backend's that hands descriptors on raises EOPNOTSUPP."""
    passing = load("null").passing
    for name in methods(Passing):
        function = getattr(passing, name)
        with pytest.raises(OSError, match="no backend") as caught:
            function(*[None] * len(parameters(function)))
        assert caught.value.errno == errno.EOPNOTSUPP


def test_without_a_table_nobody_is_known() -> None:
    """Where a kernel's table of sockets cannot be read, an owner is None and a cookie is 0: never a guess."""
    table = importlib.import_module("samesock.backend._no_table")
    address = ("127.0.0.1", 1)
    owners = table.listener_owner(1), table.connection_owner(address, address), table.datagram_owner(address)
    assert owners == (None, None, None)
    assert table.cookie(0) == 0
    assert table.has_socket(1, 1) is False
