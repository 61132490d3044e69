"""The failing test's text in docs/leaks.md is what the plugin prints of the project in `shown/` today."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from plugin.running import run_pytest

pytestmark = pytest.mark.timeout(120)

SHOWN = Path(__file__).parent / "shown"
PAGE = Path(__file__).parents[2] / "docs" / "leaks.md"
SPACE = r"\b(?:fd|socket) (?=\d)"


def lasting(text: str) -> str:
    """The text without what another run has other numbers of: descriptors, ports, and how many are open."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d+ -> \d+ open", "N -> N open", text)
    text = re.sub(SPACE + r"\d+(/\d+)?|fd=\d+|os\.close\(\d+\)", "N", text)
    return re.sub(r" +", " ", text.replace("\\", "/"))


def block(output: str) -> str:
    """From the error's heading to its last line."""
    found = re.search(
        r"^_+ ERROR at teardown of test_reconnect _+\n.*?^allow: [^\n]*", output, re.DOTALL | re.MULTILINE
    )
    assert found is not None, output
    return found[0]


@pytest.mark.skipif(
    not hasattr(pytest.main.__code__, "co_qualname"),
    reason="needs code objects that know their qualified names",
)
@pytest.mark.skipif(
    not hasattr(os, "fpathconf"), reason="needs POSIX descriptors: in one table, so that pipes come last here"
)
def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    """Word for word, but for numbers: what leaked, between whom, opened where, held by what, and what to change."""
    if not PAGE.exists():
        pytest.skip("needs docs: they are not beside the tests here")
    run = run_pytest(SHOWN, tmp_path / "r.json", "--fd-leaks=error", "-p", "no:asyncio")
    assert lasting(block(run.output)) == lasting(block(PAGE.read_text(encoding="utf-8")))
