"""The page that sets `samesock fds` beside lsof shows what both print of a process today."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from samesock.fdtable import procfs

if sys.platform != "linux":
    pytest.skip("needs procfs: the census is Linux's", allow_module_level=True)

from fdtable import beside_lsof, census

if not procfs.works():
    pytest.skip("needs procfs", allow_module_level=True)
if shutil.which("lsof") is None:
    pytest.skip("needs lsof", allow_module_level=True)

TEXT = beside_lsof.PAGE.read_text(encoding="utf-8")
ROWS = beside_lsof.read_page(TEXT)
RECORDED = re.search(r"on Linux (\S+) with lsof (\S+),", TEXT)
NUMBERS = re.search(r"list the same (\d+)\s+numbers", TEXT)
CHANGING = (
    r"^\d+", r"(?<=:)\d{4,5}\b", r"(?<=peer )\d+", r"(?<=accepted by )\d+", r"(?<=watching )\d+", r"(?<=#)\d+",
    r"(?<=\[)\d+(?=\])", r"(?<=/pts/)\d+", r"/dev/(?!zero|ptmx|pts)\w+, device \d+:\d+",
)  # fmt: skip
"""What another run has other numbers of: descriptors, ports, inodes, terminals, and the block device."""


@pytest.fixture(scope="module")
def seen() -> beside_lsof.Seen:
    """A new process, looked at by both programs."""
    return beside_lsof.look()


def lasting(said: str) -> str:
    """What every run says."""
    return re.sub("|".join(CHANGING), "N", said)


def of_lsof(said: str) -> str:
    """The same of lsof, whose devices, inodes, sizes and addresses are other numbers in every run."""
    return re.sub(r"0x[0-9a-f]+|/dev/(?!zero|ptmx|pts)\w+|\d+", "N", said)


def test_the_page_is_what_its_script_writes() -> None:
    """The totals and the words around the table belong to the rows in it."""
    assert RECORDED is not None
    assert NUMBERS is not None
    assert beside_lsof.page(ROWS, int(NUMBERS[1]), *RECORDED.groups()) == TEXT
    assert len(ROWS) == len(census.CASES)


def test_both_list_the_same_numbers(seen: beside_lsof.Seen) -> None:
    """Neither program leaves a descriptor out that the other lists."""
    assert seen.ours == seen.lsof


def test_at_least_20_kinds_are_open(seen: beside_lsof.Seen) -> None:
    """What a kernel or a sandbox refuses leaves at least 20 of the kinds to compare, and the page knows them all."""
    assert len(seen.rows) >= 20
    assert {row.name for row in seen.rows} | set(seen.refused) == {row.name for row in ROWS}


def test_our_column_is_what_a_fresh_run_prints(seen: beside_lsof.Seen) -> None:
    """For every kind that opens here the page has our line, but for numbers that differ from run to run."""
    recorded = {row.name: lasting(row.ours) for row in ROWS}
    assert {row.name: lasting(row.ours) for row in seen.rows} == {
        row.name: recorded[row.name] for row in seen.rows
    }


def test_lsofs_column_is_what_a_fresh_run_prints(seen: beside_lsof.Seen) -> None:
    """So it has lsof's, with the version that the page names; and what one alone says is found again."""
    assert RECORDED is not None
    if beside_lsof.version() != RECORDED[2]:
        pytest.skip(f"needs lsof {RECORDED[2]}, whose lines the page shows")
    recorded = {row.name: row for row in ROWS}
    for row in seen.rows:
        page = recorded[row.name]
        assert of_lsof(row.lsof) == of_lsof(page.lsof)
        assert [*map(lasting, row.only_ours)] == [*map(lasting, page.only_ours)]
        assert [*map(of_lsof, row.only_lsof)] == [*map(of_lsof, page.only_lsof)]


def test_both_agree_on_what_is_inherited(seen: beside_lsof.Seen) -> None:
    """lsof's flag CX (close on exec) stands exactly where our table says that no child inherits it."""
    for row in seen.rows:
        inherited = row.ours.split("  ")[3]
        flags = [word for word in row.lsof.split()[2:3] if re.fullmatch(r"[A-Z,]+", word)]
        assert inherited == ("no" if any("CX" in word.split(",") for word in flags) else "yes"), row.name


def test_the_page_names_no_machine() -> None:
    """Paths of the machine, its name and the user's are not on the page."""
    paths = set(re.findall(r"(?<![\w.])/(?:\w+/)+[\w#]+", TEXT.partition("|---|\n")[2].partition("\n\n")[0]))
    known = ("/tmp/app/", "/dev/", "/memfd:", "/etc/passwd")
    assert [path for path in sorted(paths) if not path.startswith(known)] == []
    assert str(Path.home()) not in TEXT
