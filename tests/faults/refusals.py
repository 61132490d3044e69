"""How connecting to a path and binding it fail, for the tests of what lies there."""

from __future__ import annotations

import time

import pytest

import samesock


def refused(path: str) -> OSError:
    """What connect() to the path raises; blocking or not, it does not wait."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        begin = time.monotonic()
        with pytest.raises(OSError) as blocking:
            client.connect(path)
        client.setblocking(False)
        with pytest.raises(OSError) as again:
            client.connect(path)
        assert time.monotonic() - begin < 10
        assert again.value.errno == blocking.value.errno
        assert blocking.value.filename == path
        return blocking.value


def bind_fails(path: str) -> int | None:
    """The errno that bind to the path gives; it names the path."""
    with samesock.socket(samesock.AF_UNIX) as sock, pytest.raises(OSError) as caught:
        sock.bind(path)
    assert caught.value.filename == path
    return caught.value.errno
