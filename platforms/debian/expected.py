"""A pytest plugin: the tests that are known to fail on an interpreter, from `known.toml`, as strict expected failures.

`-p expected` with SAMESOCK_KNOWN naming the interpreter. A test that has come to pass fails the run, so the list cannot
outlive its reasons. What must never be put here: a reason; they are in known.toml.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import tomllib  # type: ignore[import-not-found,unused-ignore]  # It runs on 3.11 and newer alone.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is listed; a listed test that is collected nowhere is an error."""
    text = (Path(__file__).parent / "known.toml").read_text(encoding="utf-8")
    known = tomllib.loads(text).get(os.environ.get("SAMESOCK_KNOWN", ""), [])
    reasons = {test: entry["reason"] for entry in known for test in entry["tests"]}
    found = set()
    for item in items:
        test = next((name for name in reasons if item.nodeid in {name, f"tests/{name}"}), None)
        if test is not None:
            found.add(test)
            item.add_marker(pytest.mark.xfail(strict=True, reason=reasons[test]))
    files = {item.nodeid.partition("::")[0].removeprefix("tests/") for item in items}
    stale = {test for test in set(reasons) - found if test.partition("::")[0] in files}
    if stale:
        raise pytest.UsageError(f"known.toml lists tests that are not there: {', '.join(sorted(stale))}")
