"""The keys of a selector: what register, unregister, modify and the map promise."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from selectors_shared import READ, SOON, WRITE, becomes, told

from samesock.fd import Descriptor


def test_register_returns_the_key(selector: Any, pair: Any) -> None:
    """register() returns a key with the object, its number, the events and the data; get_key gives the same."""
    key = selector.register(pair[0], READ, "data")
    assert (key.fileobj, key.fd, key.events, key.data) == (pair[0], pair[0].fileno(), READ, "data")
    assert selector.get_key(pair[0]) == key
    assert selector.get_key(pair[0].fileno()) == key


def test_registering_twice(selector: Any, pair: Any) -> None:
    """An object, or its number, that is registered already is a KeyError."""
    selector.register(pair[0], READ)
    with pytest.raises(KeyError):
        selector.register(pair[0], READ)
    with pytest.raises(KeyError):
        selector.register(pair[0].fileno(), READ)


def test_invalid_arguments(selector: Any, pair: Any) -> None:
    """No events, unknown events, no number and a negative number are ValueError, and nothing is registered."""
    for fileobj, events in ((pair[0], 0), (pair[0], 4), (object(), READ), (-1, READ), ("abc", READ)):
        with pytest.raises(ValueError):
            selector.register(fileobj, events)
    assert len(selector.get_map()) == 0


def test_a_number_that_is_not_open(selector: Any) -> None:
    """A number that is not open is OSError (EBADF), and nothing is registered."""
    number = os.dup(0 if _is_open(0) else 1)
    os.close(number)
    with pytest.raises(OSError) as caught:
        selector.register(number, READ)
    assert caught.value.errno == 9  # EBADF, the same number everywhere
    assert len(selector.get_map()) == 0


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_unregister(selector: Any, pair: Any) -> None:
    """What is unregistered is not told any more, and is a KeyError the second time."""
    key = selector.register(pair[0], WRITE)
    assert becomes(selector, {pair[0]: WRITE})
    assert selector.unregister(pair[0]) == key
    assert told(selector) == {}
    with pytest.raises(KeyError):
        selector.unregister(pair[0])


def test_unregister_after_close(selector: Any) -> None:
    """An object that was closed while registered can still be unregistered, and is silent until then."""
    one, other = socket.socketpair()
    with other:
        selector.register(one, READ)
        assert told(selector) == {}
        one.close()
        assert told(selector, 0.1) == {}
        assert len(selector.get_map()) == 1
        assert selector.unregister(one).fileobj is one
    assert len(selector.get_map()) == 0


def test_a_reused_number(selector: Any, stack: Any) -> None:
    """A new object with the number of one that was closed while registered takes its place, and only it is told."""
    old = _datagrams(stack)
    number = old.fileno()
    selector.register(old, READ | WRITE, "old")
    assert becomes(selector, {old: WRITE})
    old.close()
    new = _with_number(number, stack)
    assert told(selector) == {}
    selector.register(new, READ, "new")
    assert told(selector) == {}
    new.sendto(b"!", new.getsockname())
    assert becomes(selector, {new: READ})
    assert selector.get_key(number).data == "new"
    assert len(selector.get_map()) == 1


def _datagrams(stack: Any) -> Any:
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 0))
    return sock


def _with_number(number: int, stack: Any) -> Any:
    """A new socket with the number of one that is closed: the system gives it again sooner or later."""
    for _ in range(200):
        sock = _datagrams(stack)
        if sock.fileno() == number:
            return sock
    raise AssertionError("the system did not give the number again")


def test_modify(selector: Any, pair: Any) -> None:
    """modify() changes events and data, keeps the object, and is a KeyError for what is not registered."""
    one, other = pair
    selector.register(one, READ, "before")
    assert told(selector) == {}
    key = selector.modify(one, WRITE, "after")
    assert (key.fileobj, key.events, key.data) == (one, WRITE, "after")
    assert becomes(selector, {one: WRITE})
    selector.modify(one, READ)
    assert told(selector) == {}
    other.send(b"!")
    assert becomes(selector, {one: READ})
    selector.modify(one, READ | WRITE)
    assert becomes(selector, {one: READ | WRITE})
    with pytest.raises(KeyError):
        selector.modify(other, READ)
    with pytest.raises(ValueError):
        selector.modify(one, 0)


def test_modify_takes_a_reused_number_for_what_it_is(selector: Any, stack: Any) -> None:
    """modify() by number watches what has the number now, as asyncio relies on, with the same events or others."""
    old = _datagrams(stack)
    number = old.fileno()
    selector.register(number, READ)
    assert told(selector) == {}
    old.close()
    new = _with_number(number, stack)
    selector.modify(number, READ)
    assert told(selector) == {}
    new.sendto(b"!", new.getsockname())
    assert becomes(selector, {number: READ})
    selector.modify(number, READ | WRITE)
    assert becomes(selector, {number: READ | WRITE})


def test_the_map(selector: Any, pair: Any) -> None:
    """get_map() is a live, read-only mapping from objects and numbers to keys; iterating gives numbers."""
    keys = selector.get_map()
    assert len(keys) == 0
    key = selector.register(pair[0], READ)
    assert len(keys) == 1
    assert keys[pair[0]] == keys[pair[0].fileno()] == key
    assert list(keys) == [pair[0].fileno()]
    assert pair[1] not in keys
    assert keys.get(pair[1].fileno()) is None
    with pytest.raises(TypeError):
        keys[pair[0]] = key
    with pytest.raises(KeyError):
        keys[object()]


def test_close(pair: Any, selector: Any) -> None:
    """close() closes nothing that was registered; twice is once; afterwards there is no map and no key."""
    selector.register(pair[0], READ)
    selector.close()
    selector.close()
    assert selector.get_map() is None
    with pytest.raises(RuntimeError):
        selector.get_key(pair[0])
    with pytest.raises((RuntimeError, KeyError)):
        selector.register(pair[1], READ)
    pair[1].send(b"!")
    pair[0].setblocking(True)
    pair[0].settimeout(SOON)
    assert pair[0].recv(1) == b"!"


def test_a_typed_descriptor(selector: Any, pipe: Any) -> None:
    """A number with its space, as samesock.fd makes them, is taken like the plain number."""
    reader = Descriptor(pipe[0].fileno(), "fd")
    key = selector.register(reader, READ)
    assert key.fd == pipe[0].fileno()
    assert told(selector) == {}
    pipe[1].write(b"!")
    assert [(key.fd, events) for key, events in selector.select(SOON)] == [(pipe[0].fileno(), READ)]
    assert selector.unregister(reader) == key
