"""The terminal session in docs/programs.md, recorded under Wine, goes the same way today, wherever it is tried."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from apps import test_programs as programs

pytestmark = pytest.mark.timeout(4 * programs.SECONDS)

PAGE = Path(__file__).parents[2] / "docs" / "programs.md"
PROMPT = "C:\\> samesock run "
RECORDED_PATH = "C:\\run\\app.sock"
PLACE = "@PATH@"


def recorded() -> list[tuple[list[str], list[str]]]:
    """Each command's words after `samesock run`, and the lines that it printed."""
    text = PAGE.read_text(encoding="utf-8").replace(RECORDED_PATH, PLACE)
    block = next(part for part in text.split("```") if part.startswith(f"\n{PROMPT}"))
    commands = []
    for part in block.strip().split(PROMPT)[1:]:
        line, *output = part.strip().splitlines()
        commands.append((shlex.split(line), output))
    return commands


def lasting(lines: list[str], path: str) -> list[str]:
    """Lines without the server's number, and with one name for the path."""
    return [re.sub(r"\[\d+\]", "[N]", line.rstrip().replace(path, PLACE)) for line in lines]


def test_the_session_goes_as_recorded(socket_dir: Path) -> None:
    """uvicorn starts on the path, answers a client in another process, and the third command sees a socket's file."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("httpx")
    if not PAGE.exists():
        pytest.skip("needs docs: they are not beside the tests here")
    path = str(socket_dir / "app.sock")
    serving, *asking = recorded()
    with programs.server(*(word.replace(PLACE, path) for word in serving[0])) as server:
        programs.wait_for(path, server)
        said = []
        for words, _ in asking:
            line, environment = programs.command(*(word.replace(PLACE, path) for word in words))
            done = subprocess.run(
                line, env=environment, capture_output=True, text=True, timeout=programs.SECONDS, check=False
            )
            assert done.returncode == 0, done.stderr
            said.append(done.stdout.splitlines())
        assert server.stdout is not None
        printed = []
        while not printed or "POST" not in printed[-1]:
            printed.append(server.stdout.readline())
            assert printed[-1], printed
    assert lasting(printed, path) == lasting(serving[1], PLACE)
    answer, (about,) = said
    assert answer == asking[0][1]
    platform, version, *rest = asking[1][1][0].split()
    assert (platform, version.count(".")) == ("win32", 2)
    family = str(int(programs.samesock.AF_UNIX)) if sys.platform == "win32" else about.split()[2]
    assert about.split() == [sys.platform, sys.version.split()[0], family, *rest[1:]]
