"""A module whose own teardown function leaks."""

from __future__ import annotations

import socket

from conftest import KEPT


def teardown_module() -> None:
    KEPT.append(socket.socket())  # leaks: xunit


def test_the_only_one() -> None:
    pass
