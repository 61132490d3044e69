"""The pictures of the benchmarks show the figures that are on record."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is missing: it is in the dependency group `docs`")

from _generate import pictures

RATIOS = [
    {"what": "ping-pong", "theirs": "socket", "ratio": 0.5, "quartiles": [0.4, 0.6], "target": 0.9},
    {"what": "noise: itself", "ratio": 1.1, "quartiles": [1.0, 1.2], "target": None},
]
GROWTH = [
    {
        "what": f"ms for one event, {number:,} sockets, lower is better",
        "ours": "samesock.selectors",
        "theirs": "select",
        "our_figure": 0.1,
        "their_figure": number / 100,
        "ratio": 1.0,
        "quartiles": [0.9, 1.1],
    }
    for number in (10, 5000)
]
STEPS = [{"steps": {"TCP: connect": {"us": 30.0}, "the hello": {"us": 10.0}}}]


def texts(svg: str) -> list[str]:
    """The words in a picture."""
    return [text for text in ET.fromstring(svg).itertext() if text.strip()]


def test_what_is_on_record_has_pictures():
    """Every table of ratios, growth or steps in benchmarks.json is drawn, under its own title."""
    data = json.loads(pictures.DATA.read_text(encoding="utf-8"))
    drawable = [
        title
        for name in sorted(data["benchmarks"])
        for title, _, _, _, figures in data["benchmarks"][name].get("tables", ())
        if any("quartiles" in row and "ratio" in row for row in figures)
        or any("steps" in row for row in figures)
    ]
    assert drawable
    assert [one.title for one in pictures.draw_all()] == drawable


@pytest.mark.parametrize("figures", [RATIOS, GROWTH, STEPS], ids=["ratios", "growth", "steps"])
def test_a_picture_is_one_whole_svg(figures):
    """A picture is well-formed, says in words what it shows, takes its colours from the page, and loads nothing."""
    (made,) = pictures.draw("A title & more", figures)
    root = ET.fromstring(made.svg)
    assert root.tag.endswith("svg")
    assert made.summary in root.get("aria-label", "")
    assert "currentColor" in made.svg
    assert "<image" not in made.svg
    for stand_in in pictures.PAGE_COLOURS:
        assert stand_in not in made.svg.replace(f"var(--ss-ours, {stand_in})", "").replace(
            f"var(--ss-theirs, {stand_in})", ""
        )


def test_the_figures_are_in_it():
    """The medians are written beside their dots, and the names beside the rows."""
    (made,) = pictures.draw("ratios", RATIOS)
    assert {"0.50", "1.10", "ping-pong", "noise: itself"} <= set(texts(made.svg))


def test_growth_is_a_line_for_each():
    """Where one thing was measured at several numbers, each who did it has a curve, and both axes have names."""
    (made,) = pictures.draw("growth", GROWTH)
    said = {"10", "5,000", "samesock.selectors", "select", "number of sockets, logarithmic"}
    assert said <= set(texts(made.svg))
    assert any(
        text.startswith("ms for one event") and text.endswith("lower is better)") for text in texts(made.svg)
    )


@pytest.mark.parametrize(
    "figures", [(0.0055, 0.0073), (0.22, 0.8), (0.3, 520.0)], ids=["little", "some", "decades"]
)
def test_growth_can_be_read_off(figures):
    """Whatever was measured, at least two numbers stand beside the curves; from 0 on, unless that hides the least."""
    small, great = figures
    rows = [{**row, "our_figure": small, "their_figure": great} for row in GROWTH]
    (made,) = pictures.draw("growth", rows)
    numbers = {float(text) for text in texts(made.svg) if re.fullmatch(r"[\d.]+", text)} - {10.0}
    assert len(numbers) >= 2
    assert (0.0 in numbers) == (great < pictures.WIDE * small)


def test_no_words_are_cut_off():
    """No line of text is longer than its picture is wide, or high where the text stands upright."""
    for made in pictures.draw_all():
        root = ET.fromstring(made.svg)
        width, height = map(float, str(root.get("viewBox")).split()[2:])
        for node in root.iter("{http://www.w3.org/2000/svg}text"):
            size = float(re.findall(r"([\d.]+)px", str(node.get("style")))[-1])
            room = height if "rotate(-90" in str(node.get("transform")) else width
            words = "".join(node.itertext())
            assert len(words) * size * 0.5 < room, (made.title, words)


def test_the_same_figures_give_the_same_picture():
    """A picture has no date and no chance in it, and two pictures share no identifier."""
    one, again = (pictures.draw("ratios", RATIOS)[0].svg for _ in range(2))
    assert one == again
    other = pictures.draw("others", RATIOS)[0].svg
    identifiers = [
        {node.get("id") for node in ET.fromstring(svg).iter() if node.get("id")} for svg in (one, other)
    ]
    assert identifiers[0].isdisjoint(identifiers[1])


def test_what_has_no_shape_has_no_picture():
    """Figures of another kind are left to the tables."""
    assert pictures.draw("printed", [{"printed": "text"}]) == []
