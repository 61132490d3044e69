"""The generated tables show every fact, and what they show is a fact."""

from __future__ import annotations

import re

import pytest
from _generate import facts, tables
from _generate.facts import Deviation, Facts, Platform

from samesock import _errors

FACTS = facts.gather()


def rows_of(text: str) -> list[list[str]]:
    """The cells of a Markdown table's rows, without its head."""
    return [
        re.split(r"(?<!\\) \| ", line.strip("| ")) for line in text.splitlines()[2:] if line.startswith("|")
    ]


def test_every_platform_has_its_column():
    """The platforms are those of the folder, Linux first, and Windows and Wine are two."""
    names = [one.name for one in FACTS.platforms]
    assert sorted(names) == sorted(path.stem for path in facts.FOLDER.glob("*.toml"))
    assert names[0] == "linux"
    assert {"windows", "wine"} <= set(names)


def test_every_feature_on_every_platform():
    """A feature's row has for each platform the words of that platform's file, in their order."""
    rows = rows_of(tables.features(FACTS))
    assert len(rows) == len(FACTS.meanings)
    for row, name in zip(rows, FACTS.meanings, strict=True):
        assert f"`{name}`" in row[0]
        shown = [tuple(re.findall(r"\[(\w+)\]", cell)) for cell in row[1:]]
        assert shown == [one.features[name] for one in FACTS.platforms]


def test_what_was_not_run_is_marked():
    """A platform that no run has shown is marked in its head and in each of its cells; another one is not."""
    head = tables.features(FACTS).splitlines()[0].strip("| ").split(" | ")[1:]
    assert [("ss-not-run" in cell) for cell in head] == [not one.seen for one in FACTS.platforms]
    for row in rows_of(tables.features(FACTS)):
        assert [("ss-expected" in cell) for cell in row[1:]] == [not one.seen for one in FACTS.platforms]


def test_every_deviation():
    """A deviation is shown at the platforms that have it; where nothing was run, nothing is said to be kept."""
    text = tables.deviations(FACTS)
    for row in rows_of(text):
        identifier = re.findall(r"`([\w-]+)`", row[0])[0]
        for one, cell in zip(FACTS.platforms, row[2:], strict=True):
            here = any(entry.id == identifier for entry in one.met)
            assert ("deviates" in cell) == here
            assert ("[kept]" in cell) == (one.seen and not here)
    for one in FACTS.platforms:
        for entry in one.met:
            assert entry.id in text
            assert entry.evidence in tables.reasons(FACTS)


def test_whose_a_deviation_is():
    """What only the emulation does is said to be so, and what only an arrangement of the tests does is not shown."""
    entries = [
        Deviation("a", "promise a", "r", "e"),
        Deviation("b", "promise b", "r", "e", facts.EMULATED),
        Deviation("c", "promise c", "r", "e", "winsock-scripted"),
    ]
    one = Platform("linux", "Linux", True, "", {}, {}, {}, tuple(entries))
    rows = rows_of(tables.deviations(Facts((one,), {}, (), ())))
    assert [re.findall(r"\[([\w ]+)\]", row[2]) for row in rows] == [["deviates"], ["deviates when emulated"]]


def test_options():
    """An option's row has what each platform's headers call it, and the word `absent` where they have nothing."""
    support = {"linux": ("TCP_USER_TIMEOUT",), "windows": ()}
    made = Facts(FACTS.platforms, {}, (), (facts.Option("user_timeout", "seconds", "tcp", support),))
    (row,) = rows_of(tables.options(made))
    assert row[0] == "`user_timeout`"
    for one, cell in zip(FACTS.platforms, row[3:], strict=True):
        assert ("`TCP_USER_TIMEOUT`" in cell) == (one.name == "linux")
        assert ("[absent]" in cell) == (one.name != "linux")


def test_every_error_code():
    """Each code of the library's table has a row with the errno that the library makes of it."""
    rows = {int(row[0]): row for row in rows_of(tables.codes(FACTS))}
    assert rows.keys() == _errors.POSIX_NAMES.keys()
    for code, row in rows.items():
        assert row[2] == f"`{_errors.name_of(code)}`"
    assert rows[10061][1:] == ["Winsock", "`ECONNREFUSED`", "Connection refused"]


def test_every_meaning_and_note():
    """Each feature's meaning is shown, and each platform's note on it."""
    text = tables.meanings(FACTS)
    for meaning in FACTS.meanings.values():
        assert meaning in text
    for one in FACTS.platforms:
        for note in one.notes.values():
            assert note in text


@pytest.mark.parametrize("text", ["a | b", "two\nlines", "  spaces  "])
def test_a_cell_stays_one_cell(text):
    """What is written in a file cannot break a table."""
    rows = rows_of(tables.table(["one", "two"], [[text, "x"]]))
    assert len(rows) == 1
    assert len(rows[0]) == 2


def test_a_new_platform_and_deviation_are_shown():
    """A file that is added is a column more, and a deviation that is added a row more."""
    new = Platform(
        "plan9",
        "Plan 9",
        True,
        "by hand",
        {"cpython": ["3.13"]},
        {"wake": ("absent",)},
        {},
        (Deviation(*"abcd"),),
    )
    more = Facts((*FACTS.platforms, new), {"wake": FACTS.meanings["wake"]}, (), ())
    assert "Plan 9" in tables.features(more).splitlines()[0]
    assert len(rows_of(tables.deviations(more))) == len(rows_of(tables.deviations(FACTS))) + 1
