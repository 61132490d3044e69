"""samesock where psutil is not installed: run by the session `no_psutil`, in an environment that has not got it.

The name is not a test file's: elsewhere psutil is installed. What must never be put here: a pretence that a module is
missing, which the session makes needless.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

import samesock
from samesock import fdtable, leaks


def test_it_is_not_there() -> None:
    """Else nothing below would show anything."""
    assert importlib.util.find_spec("psutil") is None


def test_sockets_do_without() -> None:
    """What a program needs of the sockets needs no psutil."""
    one, other = samesock.socketpair(samesock.AF_UNIX)
    with one, other:
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        assert samesock.peercred(one).pid == os.getpid()
    assert samesock.features()["unix-stream"] != "absent"


def test_a_process_sees_its_own_table() -> None:
    """This process's descriptors are read from the system itself."""
    with samesock.socket() as sock:
        assert sock.fileno() in {record.number for record in fdtable.snapshot()}


def test_the_leak_check_does_without() -> None:
    """A test's own descriptors are this process's."""
    read, write = os.pipe()
    with pytest.raises(leaks.DescriptorLeak), leaks.no_leaks():
        extra = os.dup(read)
    for number in (read, write, extra):
        os.close(number)


def test_what_needs_it_says_so() -> None:
    """A look at the children of a process names what is missing, and how to get it."""
    with pytest.raises(ModuleNotFoundError, match="pip install psutil") as caught:
        fdtable.processes.process(os.getpid())
    assert caught.value.name == "psutil"


def test_the_command_line_says_so_without_a_traceback() -> None:
    """`samesock fds --children` ends with a line that a person can act on."""
    line = [sys.executable, "-m", "samesock", "fds", "--children"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "pip install psutil" in done.stderr
    assert "Traceback" not in done.stderr
