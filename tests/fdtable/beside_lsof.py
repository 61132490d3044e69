"""`samesock fds` and lsof on one process that has every kind of the census open: docs/beside-lsof.md is made here.

`python tests/fdtable/beside_lsof.py` writes the page, which is a record of a real run: the folder that the process
works in and its own number are replaced by shorter ones, and nothing else. `... hold FOLDER` is that process. What
must never be put here: a sentence about a descriptor; what one program says and the other does not is found by
comparing what they say.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from fdtable import census  # noqa: E402 - after the path
from samesock import fdtable  # noqa: E402
from samesock.fdtable import json_form, plain, wording  # noqa: E402

PAGE = ROOT / "docs" / "beside-lsof.md"
LSOF = ("lsof", "-w", "-nP", "-E", "+fg", "-a", "-d", "0-1048575", "-p")
"""All that it can tell of a descriptor: numbers and not names, the other ends, the flags; no mapped files."""
PID = 4711
FOLDER = "/tmp/app"
COLUMNS = ("FD", "TYPE", "FILE-FLAG", "DEVICE", "SIZE/OFF", "NODE", "NAME")


@dataclass(frozen=True)
class Row:
    """One descriptor: its kind's name in the census, and what each program says of it."""

    name: str
    ours: str
    lsof: str
    only_ours: tuple[str, ...]
    only_lsof: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """One process, looked at by both."""

    rows: tuple[Row, ...]
    refused: tuple[str, ...]
    """Kinds that this kernel did not let the process open."""
    ours: frozenset[int]
    lsof: frozenset[int]


def hold(folder: Path) -> None:
    """Open everything, tell which numbers that took, and wait for the end of the input."""
    made: dict[str, list[int]] = {}
    with ExitStack() as stack:
        for at, case in enumerate(census.CASES):
            place = folder / str(at)
            place.mkdir()
            with contextlib.suppress(OSError, AttributeError):
                made[case.name] = case.make(stack, place).numbers
        print(json.dumps(made), flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def holding() -> Iterator[tuple[int, str, dict[str, list[int]]]]:
    """Such a process: its number, its folder, and the numbers of what it opened."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, str(HERE), "hold", folder]
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield process.pid, folder, json.loads(process.stdout.readline())
            finally:
                process.stdin.close()


def output_of(*line: str) -> str:
    """What a program prints."""
    return subprocess.run(line, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


def parse_lsof(text: str) -> dict[int, dict[str, str]]:
    """lsof's table by number. A cell ends where its heading ends, but for the first columns and the name."""
    heading, *lines = text.splitlines()
    # COMMAND, PID and USER are the process's; FD is a number with the access behind it.
    starts = [heading.index("FD") - 3, heading.index("TYPE") - 3]
    ends = [heading.index(name) + len(name) for name in COLUMNS[1:-1]]
    found = {}
    for line in lines:
        edges = [starts[0], starts[1], *ends]
        cells = [line[here:there].strip() for here, there in itertools.pairwise(edges)]
        row = dict(zip(COLUMNS, [*cells, line[edges[-1] :].strip()], strict=True))
        found[int(re.sub(r"\D", "", row["FD"]))] = row
    return found


def look() -> Seen:
    """Both programs on a new process."""
    with holding() as (pid, folder, made):
        text = output_of(sys.executable, "-m", "samesock", "fds", "--json", str(pid))
        theirs = parse_lsof(output_of(*LSOF, str(pid)))
    records = {one.number: one for one in json_form.loads(text)}

    def anonymous(said: str) -> str:
        said = re.sub(rf"\b{pid},[^,]+,", f"{PID},python,", said.replace(folder, FOLDER))
        return re.sub(rf"\b{pid}\b", str(PID), said)

    rows = []
    for name, (number, *_) in made.items():
        record, row = records[number], theirs[number]
        ours, lsof = wording.row(record)[1:], [row[column] for column in COLUMNS]
        rows.append(
            Row(
                name.replace("_", " "),
                anonymous(plain.aligned([ours])),
                anonymous(" ".join(filter(None, lsof))),
                tuple(map(anonymous, only_ours(record, row))),
                tuple(map(anonymous, only_lsof(record, row))),
            )
        )
    refused = tuple(case.name.replace("_", " ") for case in census.CASES if case.name not in made)
    return Seen(tuple(rows), refused, frozenset(records), frozenset(theirs))


SYNONYMS = {"eventpoll": "epoll", "CONNECTED": "ESTABLISHED"}
"""What lsof calls a thing that has another name in the table."""
SAID_OTHERWISE = frozenset(("R", "W", "RW", "CX", "PATH", "LG", ""))
"""Flags that the columns `access` and `inh` stand for; and O_LARGEFILE, which is all that a 64-bit system knows."""
PUNCTUATION = re.compile(r"[\s()\[\]=]|->|(?<=[a-z]):(?=[\d\[\s])")


def words_of(text: str) -> set[str]:
    """What a line consists of, brackets and arrows apart; a path, or an address with its port, is one word."""
    return {SYNONYMS.get(word, word) for word in PUNCTUATION.split(text) if word}


def names_peer(record: fdtable.OpenDescriptor, text: str) -> bool:
    """Whether lsof names the other end that the table names: "4711,python,8w"."""
    return record.peer is not None and bool(
        re.search(rf"\b{record.pid},[^,]+,{record.peer.number}[ruw]\b", text)
    )


def only_ours(record: fdtable.OpenDescriptor, row: dict[str, str]) -> Iterator[str]:
    """What the table says and lsof does not."""
    name = row["NAME"]
    said = words_of(f"{name} {row['NODE']} {row['DEVICE'].replace(',', ':')}")
    info = record.socket
    if info is not None:
        if info.protocol is not None and info.protocol not in said:
            yield info.protocol
        for arrow, value in (("", info.local), ("-> ", info.remote)):
            text = wording.address(info.family, value)
            if text not in ("-", "unnamed", "every interface", "0.0.0.0:0") and text not in name:
                yield f"{arrow}{text}"
        if info.listening and info.backlog is not None:
            yield f"{info.queued or 0} of {info.backlog} queued"
        if info.in_flight:
            yield f"{info.in_flight} descriptors in flight"
    elif record.path is not None and record.path not in name:
        yield record.path
    for part in filter(None, record.detail.split(", ")):
        last = part.split()[-1]
        # Which end of a pipe it is stands beside lsof's number.
        if last != "end" and last not in name and not words_of(last) <= said:
            yield part
    if record.peer is not None and not names_peer(record, name):
        yield wording.peer_words(record.peer, record.pid)


def only_lsof(record: fdtable.OpenDescriptor, row: dict[str, str]) -> Iterator[str]:
    """What lsof says and the table does not, the identity in its JSON included."""
    words = wording.what(record)
    identity = {str(part) for part in record.identity}
    if isinstance(record.identity[0], int):
        identity.add(f"{os.major(record.identity[0])},{os.minor(record.identity[0])}")
    if record.kind in ("file", "dir", "symlink", "memfd"):
        yield f"size {row['SIZE/OFF']}"
    if flags := set(row["FILE-FLAG"].split(",")) - SAID_OTHERWISE:
        yield ",".join(sorted(flags))
    device = row["DEVICE"]
    if device and device not in identity and f"device {device.replace(',', ':')}" not in words:
        yield f"{'address' if device.startswith('0x') else 'device'} {device}"
    for word in row["NAME"].removeprefix("protocol: ").removeprefix("AF_").split():
        if names_peer(record, word) or (record.peer is not None and word.startswith("->INO=")):
            continue
        told = (
            words.lower(),
            record.kind,
            *identity,
            "type",
            "sock_raw",
            "inotify",
            "deleted",
            f"/memfd:{words}",
        )
        if any(not any(part.lower() in one for one in told) for part in words_of(word)):
            yield word


def version() -> str:
    """lsof's own version."""
    done = subprocess.run(["lsof", "-v"], capture_output=True, text=True, timeout=60, check=True)
    return re.findall(r"revision: (\S+)", done.stdout + done.stderr)[0]


HEAD = """\
# Beside lsof

What `samesock fds PID` and `lsof` say of one process with a descriptor of every kind open: {count} of them here, from
regular files to a bpf map. Recorded on Linux {kernel} with lsof {version}, as root, from outside the process:

```console
samesock fds 4711
lsof -nP -E +fg -a -d 0-1048575 -p 4711
```

Without these options lsof says less: `-E` adds the other ends, `+fg` the flags, of which `CX` (close on exec) is what
the column "inh" says the other way round. `-d` leaves out what has no number: the working directory, the program and
the mapped libraries, which `samesock fds` does not list. Of this process both list the same {numbers} numbers. A row
is one of them under the name of its kind. Our columns are number, kind, access, whether a child process inherits it,
and what it is; lsof's are FD, TYPE, FILE-FLAG, DEVICE, SIZE/OFF, NODE and NAME (without command, process and user).

The last two columns have what the one says and the other does not: {ours} rows have something that only `samesock fds`
says, {lsof} something that only lsof says. Device and inode are in the JSON of the table as `identity`, and so not
counted as lsof's alone; the size of a file and the address of a Unix socket in the kernel are in neither.

| kind | `samesock fds` | `lsof` | only `samesock fds` says | only `lsof` says |
|---|---|---|---|---|
"""
FOOT = """
`python tests/fdtable/beside_lsof.py` writes this page, and `tests/fdtable/test_beside_lsof.py` holds it true to a
fresh run. A socket of another process that was never bound is in none of the kernel's tables: both programs know its
protocol and nothing else.
"""


def code(text: str) -> str:
    """A cell in the page's table."""
    return f"`{text}`" if text else ""


def page(rows: Sequence[Row], numbers: int, kernel: str, lsof: str) -> str:
    """The page's text."""
    head = HEAD.format(
        count=len(rows),
        kernel=kernel,
        version=lsof,
        numbers=numbers,
        ours=sum(bool(row.only_ours) for row in rows),
        lsof=sum(bool(row.only_lsof) for row in rows),
    )
    lines = [
        f"| {row.name} | {code(row.ours)} | {code(row.lsof)} "
        f"| {', '.join(map(code, row.only_ours))} | {', '.join(map(code, row.only_lsof))} |\n"
        for row in rows
    ]
    return head + "".join(lines) + FOOT


def read_page(text: str) -> list[Row]:
    """The rows of the page."""
    rows = []
    for line in text.partition("|---|\n")[2].partition("\n\n")[0].splitlines():
        name, ours, lsof, *alone = (cell.strip() for cell in line.strip("|").split("|"))
        first, second = (tuple(re.findall("`([^`]+)`", cell)) for cell in alone)
        rows.append(Row(name, ours.strip("`"), lsof.strip("`"), first, second))
    return rows


def main() -> None:
    """Write the page from a run in which nothing was refused."""
    seen = look()
    if seen.refused or seen.ours != seen.lsof:
        sys.exit(f"not written: refused {seen.refused}, listed by one alone {seen.ours ^ seen.lsof}")
    kernel = ".".join(platform.release().split(".")[:2])
    PAGE.write_text(page(seen.rows, len(seen.ours), kernel, version()), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(Path(sys.argv[2]))
    else:
        main()
