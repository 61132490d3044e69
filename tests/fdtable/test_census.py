"""Every kind of descriptor that Linux has is named, in this process and from another."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from samesock import fdtable
from samesock.fdtable import json_form, procfs, wording

if sys.platform != "linux":
    pytest.skip("needs procfs: the census is Linux's", allow_module_level=True)

from fdtable import census

pytestmark = pytest.mark.skipif(not procfs.works(), reason="needs procfs")

BY_NUMBER = ("io_uring", "userfaultfd", "perf_event", "bpf_map")
"""Made by system call numbers, which are x86-64's."""

LACK_DETAIL_OUTSIDE = ("tcp_never_bound", "udp_never_bound", "vsock", "netlink", "packet")
"""Another process's sockets of these kinds are named, and said to have no address in any table."""


def make(case: census.Case, stack: ExitStack, folder: Path) -> census.Made:
    if case.name in BY_NUMBER and platform.machine() != "x86_64":
        pytest.skip(f"needs {case.name}: its system call number is known for x86-64 alone")
    try:
        return case.make(stack, folder)
    except (OSError, AttributeError) as refusal:
        pytest.skip(f"needs {case.name}: this kernel refuses it: {refusal}")


def test_the_census_has_lsofs_33_kinds() -> None:
    """The census is at least the 33 kinds that lsof names, of which psutil names 13."""
    names = [case.name for case in census.CASES]
    assert len(set(names)) == len(names)
    assert census.of_lsof() >= census.LSOF_CENSUS


@pytest.mark.skipif(shutil.which("lsof") is None, reason="needs lsof")
def test_lsof_lists_the_same_numbers(socket_dir: Path) -> None:
    """With a descriptor of every kind open, lsof and the table list the same numbers of this process."""
    with ExitStack() as stack:
        for at, case in enumerate(census.CASES):
            folder = socket_dir / str(at)
            folder.mkdir()
            with contextlib.suppress(OSError, AttributeError):
                case.make(stack, folder)
        lsof = ["lsof", "-w", "-n", "-P", "-p", str(os.getpid()), "-a", "-d", "0-1048575", "-F", "f"]
        with tempfile.TemporaryFile(dir=socket_dir) as output:
            subprocess.run(lsof, stdout=output, stderr=subprocess.DEVNULL, timeout=50, check=False)
            ours = {one.number for one in fdtable.snapshot()}
            output.seek(0)
            theirs = {int(line[1:]) for line in output.read().split() if line.startswith(b"f")}
    assert theirs
    assert theirs == ours


@pytest.mark.parametrize("case", census.CASES, ids=lambda case: case.name)
def test_an_own_descriptor_is_named(case: census.Case, socket_dir: Path) -> None:
    """Snapshot and describe agree on the kind, the words and the key snapshot's identity; nothing is unread."""
    with ExitStack() as stack:
        made = make(case, stack, socket_dir)
        number = made.numbers[0]
        listed = fdtable.snapshot().get(number)
        described = fdtable.describe(number)
        identity = fdtable.keys()["fd", number]
    assert listed == described
    assert described.kind == case.kind
    assert made.words in wording.what(described)
    assert described.identity == identity
    assert described.partial == ()
    assert described.access is not None
    assert described.inheritable is not None
    assert described.pid == os.getpid()


def test_another_process_sees_the_same_kinds(socket_dir: Path) -> None:
    """From outside, every kind has the same name, number and addresses; what is not to be read is said to be so."""
    expected: dict[int, tuple[census.Case, fdtable.OpenDescriptor]] = {}
    with ExitStack() as stack:
        for at, case in enumerate(census.CASES):
            folder = socket_dir / str(at)
            folder.mkdir()
            try:
                made = case.make(stack, folder)
            except (OSError, AttributeError):
                continue
            expected[made.numbers[0]] = (case, fdtable.describe(made.numbers[0]))
        code = "import sys; from samesock import fdtable; print(fdtable.snapshot(int(sys.argv[1])).to_json())"
        done = subprocess.run(
            [sys.executable, "-c", code, str(os.getpid())],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    if "may not be looked into" in done.stderr:
        pytest.skip("needs ptrace: a child may not look into its parent here")
    assert done.returncode == 0, done.stderr
    seen = json_form.loads(done.stdout)
    for number, (case, mine) in expected.items():
        record = seen.get(number)
        assert record is not None, case.name
        assert (record.kind, record.identity[:3]) == (mine.kind, mine.identity[:3]), case.name
        assert (record.inheritable, record.access) == (mine.inheritable, mine.access), case.name
        if mine.socket is None or record.socket is None:
            assert (record.path, record.deleted, record.detail) == (mine.path, mine.deleted, mine.detail)
            continue
        assert record.socket.family == mine.socket.family, case.name
        if case.name in LACK_DETAIL_OUTSIDE:
            continue
        assert record.partial == (), case.name
        assert record.socket.local == mine.socket.local, case.name
        assert record.socket.remote == mine.socket.remote, case.name
        assert record.socket.state == mine.socket.state, case.name
        assert record.socket.in_flight == mine.socket.in_flight, case.name
