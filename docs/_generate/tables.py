"""The portability tables as MyST Markdown: facts in, text out.

What must never be put here: a fact, and anything of Sphinx.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from _generate.facts import USERS, Facts, Platform

KEPT = "kept"
NOT_RUN = "not run"
DEVIATES = "deviates"
DEVIATES_EMULATED = "deviates when emulated"
PYTHONS = {
    "cpython": "CPython {}",
    "pypy": "PyPy {}",
    "free-threaded": "free-threaded CPython {} in the workflow alone, where no run has shown it",
}


def cell(text: str) -> str:
    """Text that stays inside one cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def support(platform: Platform, words: Sequence[str]) -> str:
    """The words of one feature, each as a mark that the style sheet colours; only framed where no run has shown it."""
    expected = "" if platform.seen else " .ss-expected"
    return " or ".join(f"[{word}]{{.ss-{word}{expected}}}" for word in words)


def heading(platform: Platform) -> str:
    """A column's head; a platform that no run has shown says so."""
    return platform.title if platform.seen else f"{platform.title} [not run]{{.ss-not-run}}"


def features(facts: Facts) -> str:
    """Feature by platform."""
    rows = [
        [
            f"[`{name}`](#feature-{name})",
            *(support(one, one.features.get(name, ())) for one in facts.platforms),
        ]
        for name in facts.meanings
    ]
    return table(["feature", *map(heading, facts.platforms)], rows)


def meanings(facts: Facts) -> str:
    """What each feature means, and what there is to say of it on each platform."""
    lines = []
    for name, meaning in facts.meanings.items():
        lines += [f"(feature-{name})=", f"`{name}`", f": {meaning}", ""]
        notes: dict[str, list[str]] = {}
        for one in facts.platforms:
            if note := one.notes.get(name):
                notes.setdefault(note, []).append(one.title)
        lines += [f"  - *{', '.join(titles)}*: {note}" for note, titles in notes.items()]
        lines.append("")
    return "\n".join(lines)


def deviations(facts: Facts) -> str:
    """Deviation by platform."""
    rows = [
        [
            f"[`{identifier}`](#deviation-{identifier})",
            promise,
            *(mark_of(one, identifier) for one in facts.platforms),
        ]
        for identifier, promise in facts.promises.items()
    ]
    return table(["deviation", "what BSD promises", *map(heading, facts.platforms)], rows)


def mark_of(platform: Platform, identifier: str) -> str:
    """Whether a platform keeps a promise; of one that nobody has run, nothing is said to be kept."""
    entry = platform.deviation(identifier)
    if entry is not None:
        words = DEVIATES if entry.implementation == USERS else DEVIATES_EMULATED
        return f"[{words}]{{.ss-absent{'' if platform.seen else ' .ss-expected'}}}"
    return f"[{KEPT}]{{.ss-native}}" if platform.seen else f"[{NOT_RUN}]{{.ss-not-run}}"


def reasons(facts: Facts) -> str:
    """Each deviation's reason and evidence."""
    lines = []
    for identifier in facts.promises:
        lines += [f"(deviation-{identifier})=", f"`{identifier}`"]
        for one in facts.platforms:
            entry = one.deviation(identifier)
            if entry is not None:
                where = "" if entry.implementation == USERS else ", with the emulation"
                lines += [f": *{one.title}{where}*: {entry.reason}. Evidence: {entry.evidence}", ""]
    return "\n".join(lines)


def options(facts: Facts) -> str:
    """Option by platform, with the names that the headers have."""
    if not facts.options:
        return "This version has no table of options.\n"
    rows = []
    for option in facts.options:
        row = [f"`{option.name}`", option.kind, option.sockets]
        for one in facts.platforms:
            names = option.support.get(one.name, ())
            row.append(", ".join(f"`{name}`" for name in names) or support(one, ["absent"]))
        rows.append(row)
    return table(["option", "value", "sockets", *map(heading, facts.platforms)], rows)


def codes(facts: Facts) -> str:
    """Windows' error codes and what they become."""
    rows = [[str(code.number), code.family, f"`{code.posix}`", code.text] for code in facts.codes]
    return table(["code", "from", "errno", "text"], rows)


def platforms(facts: Facts) -> str:
    """Each platform: whether runs have shown it, how it is reached, and with which Pythons."""
    rows = []
    for one in facts.platforms:
        versions = "; ".join(
            words.format(", ".join(map(str, one.pythons[kind])))
            for kind, words in PYTHONS.items()
            if kind in one.pythons
        )
        shown = "[runs have shown it]{.ss-native}" if one.seen else "[no run yet]{.ss-not-run}"
        rows.append([one.title, shown, versions, one.how])
    return table(["platform", "state", "Pythons", "how to get there"], rows)


def interpreters(facts: Facts) -> str:
    """What an interpreter's own sockets do otherwise."""
    parts = []
    for name, reasons in sorted(facts.interpreters.items()):
        parts += [f"`{name}`:", "", *(f"- {cell(reason)}" for reason in reasons), ""]
    return "\n".join(parts) or "Nothing is known of any.\n"
