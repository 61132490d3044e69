"""`pytest --unix-sockets`: a test suite that was never written for it finds Unix sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.usefixtures("gaps"), pytest.mark.timeout(150)]

CONFTEST = """
import socket, socketserver

# Looked at while this is imported, as trio and others look.
FOUND = hasattr(socket, "AF_UNIX") and hasattr(socketserver, "UnixStreamServer")
OURS = hasattr(socket.socket.bind, "__code__")
"""

SUITE = """
import os, socket, socketserver, stat, threading
from conftest import FOUND, OURS

class Shouting(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline().upper())

def test_found_at_import():
    assert (FOUND, OURS) == (True, True)

def test_served():
    with socketserver.UnixStreamServer(os.environ["LISTEN_AT"], Shouting) as server:
        assert stat.S_ISSOCK(os.stat(os.environ["LISTEN_AT"]).st_mode)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.environ["LISTEN_AT"])
            client.sendall(b"hello\\n")
            assert client.makefile("rb").readline() == b"HELLO\\n"
        thread.join()
"""


def run(folder: Path, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """pytest over that suite, in a process of its own."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_suite.py").write_text(SUITE)
    plugin = ["-p", "samesock._install.pytest_option"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment |= {"LISTEN_AT": str(path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *options]
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, timeout=140, check=False
    )


def test_a_suite_finds_unix_sockets(tmp_path: Path, socket_dir: Path) -> None:
    """With the option a conftest finds them while it is imported, and a plain server of socketserver's serves."""
    done = run(tmp_path, socket_dir / "s", "--unix-sockets")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_without_the_option(tmp_path: Path, socket_dir: Path) -> None:
    """Without it the plugin changes nothing."""
    done = run(tmp_path, socket_dir / "s", "-k", "found")
    assert "1 failed" in done.stdout, done.stdout + done.stderr
