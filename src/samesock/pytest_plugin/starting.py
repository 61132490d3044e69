"""Putting the parts together for one run. What must never be put here: anything that lasts longer than the
start."""

from __future__ import annotations

import pytest

from samesock import fdtable
from samesock.pytest_plugin.baseline import Baseline
from samesock.pytest_plugin.reporting import Reporting
from samesock.pytest_plugin.settings import read_settings
from samesock.pytest_plugin.watching import Watching


def start(config: pytest.Config, mode: str) -> None:
    """Read the settings and register what watches and what reports; `pytest.UsageError` for what cannot be
    read."""
    settings = read_settings(config, mode)
    try:
        fdtable.keys()
    except OSError as failure:
        raise pytest.UsageError(
            f"--fd-leaks={mode}: this system does not list its descriptors: {failure}"
        ) from None
    baseline = Baseline.read(settings.baseline, config.rootpath, update=settings.update)
    reporting = Reporting(config, settings, baseline)
    config.pluginmanager.register(reporting, "samesock_fd_leaks_reporting")
    config.pluginmanager.register(Watching(config, settings, reporting), "samesock_fd_leaks_watching")
