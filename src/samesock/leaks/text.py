"""Findings as text: the whole block of a failing test, the one line of a quiet run, and the notes.

What must never be put here: colours (pytest's own writer and the reader's terminal do that) and any
judgement.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from samesock.leaks.findings import Finding
from samesock.leaks.looking import UNBOUND

HEADS = {
    "leaked": "",
    "replaced": "REPLACED: ",
    "closed-foreign": "CLOSED, though somebody else owns it: ",
    "in-child": "HELD BY A CHILD PROCESS: ",
    "inheritable": "INHERITABLE: ",
}

NOTES = {
    "collected": "freed only by the garbage collector",
    "late": "closed late, within the grace",
    "leaked": "opened by compiled code, outside Python's sight, and kept",
}

ALLOW_HINT = (
    'allow:  fd_leaks_allow = ["{kind}:{glob}  # reason"]   |   '
    '@pytest.mark.fd_leaks("allow", kind="{kind}", reason="...")'
)


def short_path(file: str) -> str:
    """A file as it is written from the working directory."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else relative


def _place(row: tuple[str, int, str, str]) -> str:
    return f"{short_path(row[0])}:{row[1]} in {row[2]}"


def _numbers(finding: Finding) -> str:
    """ "fd 12/13"; the table is named once."""
    words = [number.split(" ", 1) for number in finding.numbers]
    spaces = {word[0] for word in words}
    if len(spaces) == 1:
        return f"{spaces.pop()} {'/'.join(word[1] for word in words)}"
    return ", ".join(finding.numbers)


def _stack_lines(finding: Finding, *, full: bool) -> list[str]:
    rows = finding.full_stack if full else finding.stack
    if not rows:
        return [
            "opened   not traced: run with --fd-leaks-trace=on"
            if not finding.call
            else "opened   by a library"
        ]
    lines = [f"opened   {_place(rows[0])}"]
    if rows[0][3]:
        lines.append(f"           {rows[0][3]}")
    lines += [f"         called from {_place(row)}" for row in rows[1 : None if full else 4]]
    return lines


def block(finding: Finding, *, full: bool = False) -> str:
    """One finding: what it is, where it was opened, what holds it, what to change."""
    inherit = {True: "inheritable", False: "not inheritable", None: ""}[finding.inheritable]
    head = f"{_numbers(finding)}   {HEADS.get(finding.verdict, '')}{finding.label}"
    lines = [] if finding.verdict == "closed-foreign" else _stack_lines(finding, full=full)
    if finding.closed_at:
        lines.append(f"closed   {_place(finding.closed_at[0])}")
        if finding.closed_at[0][3]:
            lines.append(f"           {finding.closed_at[0][3]}")
    if finding.previous:
        lines.append(f"before   {finding.previous}")
    if finding.owner:
        lines.append(f"object   {finding.owner}" + (f", held by {finding.holder}" if finding.holder else ""))
    elif finding.verdict in ("leaked", "replaced"):
        lines.append("object   none: no Python object will close it")
    lines += [f"peer     {peer}" for peer in finding.peers]
    lines += [f"child    also open in {child}" for child in finding.children]
    if finding.fix:
        lines.append(f"fix      {finding.fix}")
    return "\n".join(
        [f"  {head}{'   ' + inherit if inherit else ''}", *(f"         {line}" for line in lines)]
    )


def one_line(finding: Finding) -> str:
    """ "LEAK tests/test_client.py::test_reconnect fd 9 TCP ... src/app/client.py:88"."""
    file, _, line = finding.line.rpartition(":")
    where = f"{short_path(file)}:{line}" if file else ""
    word = "LEAK" if finding.verdict == "leaked" else finding.verdict.upper()
    return " ".join(part for part in (word, finding.who, _numbers(finding), finding.label, where) if part)


def note_line(finding: Finding) -> str:
    """What was seen and is no failure."""
    where = f", {_place(finding.stack[0])}" if finding.stack else ""
    what = NOTES.get(finding.verdict, finding.verdict)
    return f"also seen, no failure: {_numbers(finding)} {what} ({finding.label}{where}): {finding.fix}"


def title(findings: Sequence[Finding], counts: tuple[int, int] | None = None) -> str:
    """ "3 descriptors opened by this test are still open (1 pipe, 1 connection); 41 -> 44 open"."""
    still = [finding for finding in findings if finding.verdict in ("leaked", "replaced")]
    rest = [finding for finding in findings if finding not in still]
    parts = []
    if still:
        number = sum(len(finding.numbers) for finding in still)
        who = {"fixture": still[0].who, "test": "this test", "session": "this session"}
        opener = who.get(still[0].who_kind, "this block")
        noun = "descriptor" if number == 1 else "descriptors"
        verb = "is" if number == 1 else "are"
        parts.append(f"{number} {noun} opened by {opener} {verb} still open ({_census(still)})")
    if rest:
        parts.append(", ".join(f"{finding.verdict}: {_numbers(finding)}" for finding in rest))
    ending = f"; {counts[0]} -> {counts[1]} open" if counts is not None else ""
    return "; ".join(parts) + ending + "."


def _census(findings: Sequence[Finding]) -> str:
    kinds: dict[str, int] = {}
    for finding in findings:
        title = finding.label.partition(":")[0].partition(",")[0]
        word = title if len(finding.numbers) > 1 else finding.kind
        kinds[word] = kinds.get(word, 0) + 1
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items())


def allow_line(findings: Sequence[Finding]) -> str:
    """How the first finding would be allowed; nothing where only the program can be mended."""
    first = next((finding for finding in findings if finding.verdict != "closed-foreign"), None)
    if first is None:
        return ""
    # Of a connection's names the remote address is the one that may be the same tomorrow.
    names = [name for name in first.names.get("name", ()) if "->" not in name and name not in UNBOUND]
    return ALLOW_HINT.format(kind=first.kind, glob=names[-1] if names else "*")


def report(
    findings: Sequence[Finding],
    notes: Sequence[Finding] = (),
    counts: tuple[int, int] | None = None,
    *,
    full: bool = False,
) -> str:
    """The text of a failing test or block: each who is to blame with what is theirs."""
    parts: list[str] = []
    for who in dict.fromkeys(finding.who for finding in findings):
        theirs = [finding for finding in findings if finding.who == who]
        parts += [title(theirs, None if parts else counts), ""]
        for finding in theirs:
            parts += [block(finding, full=full), ""]
    parts += [note_line(note) for note in notes]
    if findings:
        parts.append(allow_line(findings))
    return "\n".join(parts)
