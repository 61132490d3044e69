"""What checks of several areas import by name; fixtures are in conftest.py."""

from __future__ import annotations

from typing import Any

import pytest


def errno_of(call: Any, *arguments: Any) -> int | None:
    """The errno that the call raises; the test fails if it raises none."""
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


def ours_alone(check: Any) -> Any:
    """Mark a check of what samesock promises beyond BSD: it is made of samesock only."""
    return pytest.mark.parametrize("net", ["samesock"], indirect=True)(check)
