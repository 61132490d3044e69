"""`pytest --unix-sockets`: install() before any conftest or test module is imported.

Programs decide at import whether the system has Unix sockets, so a fixture would come too late. What must never be
put here: fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OPTION = "--unix-sockets"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.getgroup("samesock").addoption(
        OPTION,
        action="store_true",
        help="give the standard library Unix sockets where it lacks them (samesock.install())",
    )


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Install as early as a plugin can."""
    if early_config.known_args_namespace.unix_sockets:
        from samesock._install import install

        install()
