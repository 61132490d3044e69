"""The portability tables as MyST Markdown: facts in, text out.

What must never be put here: a fact, and anything of Sphinx.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from _generate.facts import Facts, Platform

KEPT = "kept"
NOT_RUN = "not run"


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
    promises = {entry.id: entry.promise for one in facts.platforms for entry in one.deviations}
    rows = []
    for identifier, promise in promises.items():
        row = [f"[`{identifier}`](#deviation-{identifier})", promise]
        for one in facts.platforms:
            here = any(entry.id == identifier for entry in one.deviations)
            row.append(mark_of(one, here))
        rows.append(row)
    return table(["deviation", "what BSD promises", *map(heading, facts.platforms)], rows)


def mark_of(platform: Platform, here: bool) -> str:
    """Whether a platform keeps a promise; of one that nobody has run, nothing is said but what is expected."""
    if here:
        return "[deviates]{.ss-absent}"
    return f"[{KEPT}]{{.ss-native}}" if platform.seen else f"[{NOT_RUN}]{{.ss-not-run}}"


def reasons(facts: Facts) -> str:
    """Each deviation's reason and evidence."""
    lines = []
    for identifier in dict.fromkeys(entry.id for one in facts.platforms for entry in one.deviations):
        lines += [f"(deviation-{identifier})=", f"`{identifier}`"]
        for one in facts.platforms:
            for entry in one.deviations:
                if entry.id == identifier:
                    lines += [f": *{one.title}*: {entry.reason}. Evidence: {entry.evidence}", ""]
    return "\n".join(lines)


def codes(facts: Facts) -> str:
    """Windows' error codes and what they become."""
    rows = [[str(code.number), code.family, f"`{code.posix}`", code.text] for code in facts.codes]
    return table(["code", "from", "errno", "text"], rows)


def platforms(facts: Facts) -> str:
    """Each platform: whether runs have shown it, how it is reached, and with which Pythons."""
    rows = []
    for one in facts.platforms:
        versions = "; ".join(
            f"{'PyPy' if kind == 'pypy' else 'CPython'} {', '.join(map(str, listed))}"
            for kind, listed in one.pythons.items()
        )
        shown = "[runs have shown it]{.ss-native}" if one.seen else "[no run yet]{.ss-not-run}"
        rows.append([one.title, shown, versions, one.how])
    return table(["platform", "state", "Pythons", "how to get there"], rows)
