"""What was found: a descriptor with all that is known of it, a finding made of one or several, and their
verdicts.

Findings are made to travel: a worker process of pytest-xdist sends them as JSON, so nothing here may hold a
live object. What must never be put here: how anything is found, and how it is printed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from samesock.fdtable import Identity, Key
from samesock.fdtable.model import OpenDescriptor
from samesock.leaks.looking import address_text, label, number_text
from samesock.leaks.origins import Line, Origin, is_machinery

Verdict = Literal["leaked", "replaced", "closed-foreign", "in-child", "inheritable", "collected", "late"]
"""leaked: opened and still open. replaced: its number belonged to something else before. closed-foreign:
closed, by number, what somebody else owns. in-child: a child process holds it. inheritable: every child
would. collected: only the garbage collector freed it. late: freed by somebody within the grace."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

SCHEMA = 1
"""The version of a finding's JSON form."""


@dataclass(slots=True)
class Member:
    """One descriptor of a finding, while its process still has it."""

    key: Key
    identity: Identity
    record: OpenDescriptor
    origin: Origin | None = None
    owner: object | None = None
    previous: OpenDescriptor | None = None
    """What the number stood for before, where that was something else."""

    @property
    def label(self) -> str:
        """What it is, in one line."""
        return label(self.record)


@dataclass(slots=True)
class Finding:
    """One thing to be mended, in words and numbers only."""

    verdict: Verdict
    """What is wrong."""
    kind: str
    """What the first descriptor is, in the table's words."""
    numbers: list[str]
    """Each descriptor's table and number: "fd 12"."""
    label: str
    """What it is, in one line."""
    stack: list[tuple[str, int, str, str]] = field(default_factory=list)
    """The frames of whoever's own code opened it, innermost first: file, line, function, source line."""
    full_stack: list[tuple[str, int, str, str]] = field(default_factory=list)
    """Every frame, the libraries' too."""
    call: str = ""
    """The function that opened it; "" when it was not traced."""
    owner: str = ""
    """The Python object that has it, if one does."""
    holder: str = ""
    """Where that object is kept: a module's variable, another object's attribute."""
    peers: list[str] = field(default_factory=list)
    """The other ends, as far as they were found."""
    children: list[str] = field(default_factory=list)
    """The processes that were started and have it open, too."""
    closed_at: list[tuple[str, int, str, str]] = field(default_factory=list)
    """The frames that closed what was somebody else's."""
    previous: str = ""
    """What the number stood for before, where that was something else."""
    inheritable: bool | None = None
    """Whether a child process would get it."""
    fix: str = ""
    """What to do."""
    who: str = ""
    """The test or fixture that is to blame."""
    who_kind: Literal["test", "fixture", "session", "block"] = "block"
    """What `who` is."""
    where: str = ""
    """Where a fixture is defined."""
    allowed: str = ""
    """The reason of the rule, or the baseline, that lets it stay."""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What rules may match, by subject."""

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON's types, with the version of this form."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Finding:
        """The finding again; `ValueError` for another version's."""
        if data.get("schema") != SCHEMA:
            raise ValueError(f"a finding of version {data.get('schema')!r}; this is version {SCHEMA}")
        fields = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        for name in ("stack", "full_stack", "closed_at"):
            fields[name] = [(row[0], row[1], row[2], row[3]) for row in fields.get(name, [])]
        return cls(**fields)

    @property
    def line(self) -> str:
        """ "file:line" of the call that opened it (for closed-foreign, that closed it); "" when it was not
        traced."""
        rows = self.closed_at if self.verdict == "closed-foreign" and self.closed_at else self.stack
        return f"{rows[0][0]}:{rows[0][1]}" if rows else ""


def frame_rows(lines: list[Line]) -> list[tuple[str, int, str, str]]:
    """Frames with the text of their lines."""
    return [(line.file, line.line, line.function, line.source()) for line in lines]


def own_rows(origin: Origin | None) -> list[tuple[str, int, str, str]]:
    """The frames of own code, up to where the test runner called it."""
    return frame_rows(origin.own_lines()) if origin is not None else []


def full_rows(origin: Origin | None) -> list[tuple[str, int, str, str]]:
    """Every frame below the test runner."""
    rows = []
    for line in origin.lines() if origin is not None else []:
        if is_machinery(line.file):
            break
        rows.append(line)
    return frame_rows(rows)


def rule_names(member: Member) -> dict[str, tuple[str, ...]]:
    """What rules may match of a descriptor, by subject."""
    record, names = member.record, list[str]()
    if record.path:
        names.append(record.path)
    info = record.socket
    if info is not None:
        local, remote = address_text(info.local), address_text(info.remote)
        names += [text for text in (local, remote, f"{local}->{remote}") if text and text != "->"]
    paths = [name for name in names if record.path or (info is not None and info.family == "AF_UNIX")]
    origins = []
    for file, _, function, _ in own_rows(member.origin):
        origins += [f"{file}:{function}", f"{file.replace(chr(92), '/').rpartition('/')[2]}:{function}", file]
    return {"name": tuple(names), "path": tuple(paths), "origin": tuple(origins)}


def numbers_text(members: list[Member]) -> list[str]:
    """The numbers of a finding's descriptors, in order."""
    return [number_text(member.key) for member in sorted(members, key=lambda member: member.key)]
