"""One HTML page with all portability tables, to search and to filter: it asks the network for nothing.

The rows are in the page as text, so that it can be read, and searched by a browser, without its script; the script
hides rows and columns, and keeps what was chosen in the address. What must never be put here: a fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from _generate.facts import USERS, WORDS, Facts, Platform
from _generate.tables import DEVIATES, DEVIATES_EMULATED, KEPT, NOT_RUN

HERE = Path(__file__).resolve().parent


def render(facts: Facts, version: str) -> str:
    """The page."""
    sections = [section for section in _sections(facts) if section]
    parts = {
        "version": escape(version),
        "style": (HERE / "page.css").read_text(encoding="utf-8"),
        "script": (HERE / "page.js").read_text(encoding="utf-8"),
        "platforms": "".join(map(_platform_choice, facts.platforms)),
        "words": "".join(map(_word_choice, WORDS)),
        "links": "".join(map(_link, sections)),
        "sections": "".join(sections),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _link(section: str) -> str:
    """Where one of the tables begins."""
    name, title = re.findall(r'<section id="(\w+)"><h2>([^<]+?) ?<', section)[0]
    return f'<a href="#{name}" data-section="{name}">{title}</a>'


def _platform_choice(one: Platform) -> str:
    hint = "runs have shown it" if one.seen else "expected from documents; no run has shown it"
    return (
        f'<label class="chip" title="{hint}"><input type="checkbox" name="platform" value="{escape(one.name)}"'
        f" checked>{escape(one.title)}</label>"
    )


def _word_choice(word: str) -> str:
    return (
        f'<label class="chip {word}"><input type="checkbox" name="word" value="{word}" checked>'
        f"<span>{word}</span></label>"
    )


def _sections(facts: Facts) -> Iterable[str]:
    yield _section(
        "features",
        "Features",
        "What each platform has, as <code>samesock.features()</code> names it. A second word is for older "
        "systems of the platform. Choose a row for its notes.",
        ["feature", *facts.platforms],
        [_feature_row(facts, name) for name in facts.meanings],
    )
    yield _section(
        "deviations",
        "Deviations",
        "Promises of BSD that a platform does not keep even through samesock, each with its evidence.",
        ["promise", *facts.platforms],
        [_deviation_row(facts, identifier, promise) for identifier, promise in facts.promises.items()],
    )
    yield _section(
        "options",
        "Socket options",
        "What <code>samesock.options</code> has, by meaning, and what each platform's headers call it.",
        ["option", *facts.platforms],
        [_option_row(facts, number) for number in range(len(facts.options))],
    )
    yield _section(
        "errors",
        "Error codes",
        "What Windows' codes become in <code>OSError.errno</code>; the code itself stays in "
        "<code>winerror</code>.",
        ["code", "errno", "text", "from"],
        [
            _row(
                "",
                f"{code.number} {code.family} {code.posix} {code.text}",
                [
                    f'<th scope="row"><code>{code.number}</code></th>',
                    f"<td><code>{code.posix}</code></td>",
                    f"<td>{escape(code.text)}</td>",
                    f"<td>{code.family}</td>",
                ],
            )
            for code in facts.codes
        ],
    )


def _section(name: str, title: str, intro: str, heads: Sequence[str | Platform], rows: list[str]) -> str:
    if not rows:
        return ""
    columns = "".join(map(_head, heads))
    return (
        f'<section id="{name}"><h2>{title} <span class="count"></span></h2><p>{intro}</p>'
        f'<div class="scroll" role="region" tabindex="0" aria-label="{title}">'
        f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="none" hidden>Nothing here fits the search.</p></section>'
    )


def _head(one: str | Platform) -> str:
    if isinstance(one, str):
        return f'<th scope="col">{one}</th>'
    state = "" if one.seen else f'<span class="unseen">{NOT_RUN}</span>'
    return f'<th scope="col" data-platform="{escape(one.name)}">{escape(one.title)}{state}</th>'


def _row(attributes: str, haystack: str, cells: Iterable[str], details: str = "") -> str:
    opened = "".join(cells)
    searched = escape(" ".join(haystack.lower().split()))
    row = f'<tr class="row"{attributes} data-text="{searched}">{opened}</tr>'
    return row + (f'<tr class="details" hidden>{details}</tr>' if details else "")


def _named(name: str, meaning: str, has_details: bool) -> str:
    """The first cell: a name, and what it means; a button where there is more to say."""
    label = f"<code>{escape(name)}</code>"
    head = f'<button type="button" aria-expanded="false">{label}</button>' if has_details else label
    return f'<th scope="row">{head}<span class="meaning">{_prose(meaning)}</span></th>'


def _prose(text: str) -> str:
    """Text with its backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _feature_row(facts: Facts, name: str) -> str:
    cells, notes, haystack = [], [], [name, facts.meanings[name]]
    for one in facts.platforms:
        words = one.features.get(name, ())
        cells.append(_cell(one, words, " or ".join(f'<b class="{word}">{word}</b>' for word in words)))
        if note := one.notes.get(name):
            notes.append((one, f"<p>{_prose(note)}</p>"))
            haystack.append(note)
    return _row(
        "",
        " ".join(haystack),
        [_named(name, facts.meanings[name], bool(notes)), *cells],
        _details(facts, notes),
    )


def _deviation_row(facts: Facts, identifier: str, promise: str) -> str:
    cells, notes, haystack = [], [], [identifier, promise]
    for one in facts.platforms:
        entry = one.deviation(identifier)
        if entry is not None:
            said = DEVIATES if entry.implementation == USERS else DEVIATES_EMULATED
            cells.append(_cell(one, [said], f'<b class="absent">{said}</b>'))
            notes.append(
                (one, f"<p>{_prose(entry.reason)}</p><p><i>Evidence:</i> {_prose(entry.evidence)}</p>")
            )
            haystack += [entry.reason, entry.evidence]
        elif one.seen:
            cells.append(_cell(one, [KEPT], f'<b class="native">{KEPT}</b>'))
        else:
            cells.append(_cell(one, [], f'<span class="unknown">{NOT_RUN}</span>'))
    return _row("", " ".join(haystack), [_named(identifier, promise, True), *cells], _details(facts, notes))


def _option_row(facts: Facts, number: int) -> str:
    option = facts.options[number]
    cells = []
    for one in facts.platforms:
        names = option.support.get(one.name, ())
        marks = "<br>".join(f"<code>{escape(name)}</code>" for name in names)
        cells.append(_cell(one, ["native" if names else "absent"], marks or '<b class="absent">absent</b>'))
    meaning = f"{option.kind}; {option.sockets} sockets"
    haystack = " ".join(
        [option.name, meaning, *(name for names in option.support.values() for name in names)]
    )
    return _row("", haystack, [_named(option.name, meaning, False), *cells])


def _cell(one: Platform, words: Sequence[str], content: str) -> str:
    said = " ".join(words)
    unseen = "" if one.seen else ' class="expected"'
    title = escape(one.title if one.seen else f"{one.title}, {NOT_RUN}")
    return f'<td data-platform="{escape(one.name)}" data-title="{title}" data-words="{said}"{unseen}>{content}</td>'


def _details(facts: Facts, notes: Sequence[tuple[Platform, str]]) -> str:
    if not notes:
        return ""
    parts = "".join(
        f'<div data-platform="{escape(one.name)}"><h3>{escape(one.title)}</h3>{text}</div>'
        for one, text in notes
    )
    return f'<td colspan="{len(facts.platforms) + 1}"><div class="notes">{parts}</div></td>'
