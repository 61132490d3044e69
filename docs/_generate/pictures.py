"""The benchmarks as pictures: `docs/benchmarks.json` in, SVG text out, by matplotlib.

A picture is chosen by the shape of a benchmark's figures, not by its title, so that a new benchmark of a known shape
has its picture at once. Colours are the page's own (`currentColor` and CSS variables), so that one picture serves a
light and a dark page. The same figures give the same text, byte for byte. What must never be put here: a figure.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DATA = Path(__file__).resolve().parents[1] / "benchmarks.json"

OURS, THEIRS, NOISE = "#0b5c8a", "#b5651d", "#8a8f98"
INK, SOFT, LINE = "#010203", "#040506", "#070809"
"""Stand-ins, which become the page's own colours in the finished picture."""
PAGE_COLOURS = {
    INK: "currentColor",
    SOFT: "var(--ss-soft, #667085)",
    LINE: "var(--ss-line, #d0d5dd)",
    OURS: "var(--ss-ours, #0b5c8a)",
    THEIRS: "var(--ss-theirs, #b5651d)",
}


WIDE = 20
"""From which ratio of the greatest figure to the least a picture is logarithmic."""


class Picture(NamedTuple):
    """A benchmark's table, drawn."""

    title: str
    svg: str
    summary: str
    """What it shows, for those who cannot see it."""


Figures = Sequence[dict[str, Any]]


def machine(path: Path = DATA) -> dict[str, str]:
    """What the benchmarks were run on, and when."""
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["machine"]
    return found


def draw_all(path: Path = DATA) -> list[Picture]:
    """A picture for every table whose figures have a shape that can be drawn, in the file's order."""
    data = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for name in sorted(data["benchmarks"]):
        for title, _columns, _rows, _notes, figures in data["benchmarks"][name].get("tables", ()):
            found += draw(title, figures)
    return found


def draw(title: str, figures: Figures) -> list[Picture]:
    """What can be drawn of one table: its ratios, its growth, its steps."""
    made: list[Picture] = []
    ratios = [row for row in figures if row.get("quartiles") and row.get("ratio") is not None]
    growth = _series(ratios)
    if growth:
        cost, things = _axes_of(ratios)
        drawn = partial(_draw_growth, lines=growth, cost=cost, things=things)
        made.append(_picture(title, drawn, 3.6, _say_growth(growth)))
    elif ratios:
        height = 1.1 + 0.42 * len(ratios)
        made.append(_picture(title, partial(_draw_ratios, rows=ratios), height, _say_ratios(ratios)))
    for row in figures:
        if isinstance(row.get("steps"), dict):
            steps = {name: float(step["us"]) for name, step in row["steps"].items()}
            made.append(_picture(title, partial(_draw_steps, steps=steps), 4.4, _say_steps(steps)))
    return made


_COUNT = re.compile(r"([\d,]+) (sockets|connections|descriptors)")


def _series(rows: Figures) -> dict[str, list[tuple[int, float]]]:
    """Who takes how long at which number, where the same thing was measured at two numbers at least."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        count = _COUNT.search(str(row.get("what", "")))
        if count is None or row.get("our_figure") is None or not str(row["what"]).startswith("ms "):
            continue
        number = int(count[1].replace(",", ""))
        found.setdefault(str(row["ours"]), {})[number] = float(row["our_figure"])
        found.setdefault(str(row["theirs"]), {})[number] = float(row["their_figure"])
    lines = {name: sorted(points.items()) for name, points in found.items()}
    return lines if any(len(points) > 1 for points in lines.values()) else {}


def _axes_of(rows: Figures) -> tuple[str, str]:
    """What was measured, and of what there were so many: the words before and after the number."""
    for row in rows:
        count = _COUNT.search(str(row["what"]))
        if count is not None and row.get("our_figure") is not None:
            return str(row["what"])[: count.start()].strip(" ,"), count[2]
    raise ValueError("no row says how many there were")


def _draw_ratios(axes: Axes, rows: Figures) -> None:
    places = list(range(len(rows)))[::-1]
    for place, row in zip(places, rows, strict=True):
        noise = str(row["what"]).startswith("noise")
        low, high = (float(value) for value in row["quartiles"])
        ratio = float(row["ratio"])
        colour = NOISE if noise else OURS
        axes.plot([low, high], [place, place], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot([ratio], [place], "o", color=colour, markersize=7)
        axes.annotate(
            f"{ratio:.2f}",
            (max(high, ratio, float(row.get("target") or 0)), place),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=SOFT,
        )
        if row.get("target"):
            axes.plot([float(row["target"])], [place], "|", color=THEIRS, markersize=13, markeredgewidth=2)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    axes.set_yticks(places, [f"{row['what']}" for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    least = min(min(float(row["ratio"]), *map(float, row["quartiles"])) for row in rows)
    most = max(max(float(row["ratio"]), *map(float, row["quartiles"])) for row in rows)
    axes.set_xlim(0 if least < 0.6 else 0.6, max(1.25, most * 1.12))
    axes.set_xlabel("ratio to the other's figure; 1 is equal")


def _draw_growth(axes: Axes, lines: dict[str, list[tuple[int, float]]], cost: str, things: str) -> None:
    colours = [OURS, THEIRS, NOISE, INK]
    above = sorted(lines, key=lambda name: lines[name][-1][1])
    for (name, points), colour in zip(lines.items(), colours, strict=False):
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, "o-", color=colour, linewidth=2)
        shift = 6 * (
            2 * above.index(name) - len(above) + 1
        )  # so that names of lines that end together do not collide
        axes.annotate(name, points[-1], (8, shift), textcoords="offset points", va="center", color=colour)
    axes.set_xscale("log")
    numbers = sorted({number for points in lines.values() for number, _ in points})
    axes.set_xticks(numbers, [f"{number:,}" for number in numbers])
    axes.set_xticks([], minor=True)
    axes.set_xlim(numbers[0] / 1.5, numbers[-1] * 8)
    axes.set_xlabel(f"number of {things}, logarithmic")
    scale = _scale(axes, [value for points in lines.values() for _, value in points])
    # Lying down and above: upright beside the numbers it is longer than the picture is high.
    axes.set_title(f"{cost} ({scale}lower is better)", loc="left", color=SOFT, fontsize="medium", pad=12)


def _scale(axes: Axes, values: Sequence[float]) -> str:
    """The axis of what was measured, and a word about it.

    From 0, so that a line which rises by a tenth looks like it; logarithmic where the least could not be told from 0.
    """
    axes.grid(axis="y", linewidth=0.6)
    axes.yaxis.set_major_formatter("{x:,g}")
    if max(values) < WIDE * min(values):
        axes.set_ylim(0, max(values) * 1.2)
        return ""
    axes.set_yscale("log")
    axes.set_ylim(min(values) / 2, max(values) * 2)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_formatter("")
    return "logarithmic, "


def _draw_steps(axes: Axes, steps: dict[str, float]) -> None:
    names = sorted(steps, key=lambda name: steps[name])
    places = list(range(len(names)))
    total = sum(steps.values())
    for place, name in zip(places, names, strict=True):
        share = steps[name]
        colour = NOISE if name.startswith("TCP") else OURS
        axes.barh([place], [share], color=colour, height=0.66)
        axes.annotate(
            f"{share:,.0f} us, {share / total:.0%}",
            (share, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            color=SOFT,
        )
    axes.set_yticks(places, names)
    axes.set_xlim(0, max(steps.values()) * 1.25)
    axes.set_xlabel("microseconds a round; grey: what plain TCP does as well")


def _say_ratios(rows: Figures) -> str:
    said = []
    for row in rows:
        other = f" of {row['theirs']}" if "theirs" in row else ""  # Some say both in what they are called.
        said.append(f"{row['what']}: {float(row['ratio']):.2f}{other}")
    return "; ".join(said)


def _say_growth(lines: dict[str, list[tuple[int, float]]]) -> str:
    return "; ".join(
        f"{name}: " + ", ".join(f"{value:.3g} ms at {number:,}" for number, value in points)
        for name, points in lines.items()
    )


def _say_steps(steps: dict[str, float]) -> str:
    return "; ".join(f"{name}: {value:.0f} us" for name, value in steps.items())


def _picture(title: str, draw_on: Callable[[Axes], None], height: float, summary: str) -> Picture:
    """One SVG; its identifiers begin with the title, so that several can stand on one page."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    slug = re.sub(r"\W+", "-", title.lower()).strip("-")
    style: Any = {
        "svg.hashsalt": slug,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10.5,
        "text.color": INK,
        "axes.labelcolor": SOFT,
        "axes.edgecolor": LINE,
        "xtick.color": SOFT,
        "ytick.color": INK,
        "grid.color": LINE,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(9.2, height))
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.grid(axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", which="both", length=0)
        draw_on(axes)
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Picture(title, _for_a_page(out.getvalue(), slug, title, summary), summary)


def _for_a_page(svg: str, slug: str, title: str, summary: str) -> str:
    text = svg[svg.index("<svg") :]
    for stand_in, colour in PAGE_COLOURS.items():
        text = text.replace(stand_in, colour)
    text = re.sub(r"\bid=\"", f'id="{slug}-', text)
    text = re.sub(r"url\(#", f"url(#{slug}-", text)
    text = re.sub(r"xlink:href=\"#", f'xlink:href="#{slug}-', text)
    text = re.sub(
        r"font: ([\d.]+)px [^;\"]+", r"font: \1px inherit; font-family: inherit; font-size: \1px", text
    )
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    label = f"{title}. {summary}".replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
