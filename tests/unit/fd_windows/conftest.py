"""The kernel32 that is made up, for each test of Windows' side of samesock.fd."""

from __future__ import annotations

import pytest

from unit.made_up_kernel import Kernel


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Nothing is open in it."""
    return Kernel(monkeypatch)
