"""The self-contained page: what is in its file, and how it behaves in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from _generate import facts, page

from docs import browsing

FACTS = facts.gather()
HTML = page.render(FACTS, "1.2.3")


class Reader(HTMLParser):
    """What a page links to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")
        ]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_file_needs_no_other():
    """Nothing in the page leads out of it, and its own policy forbids it to load anything."""
    reader = Reader()
    reader.feed(HTML)
    assert [one for one in reader.addresses if not one.startswith(("#", "data:,"))] == []
    assert not re.search(r"(https?:)?//\w", re.sub(r"// [^\n]*", "", HTML))
    assert "url(" not in HTML
    assert "default-src 'none'" in HTML


def test_every_fact_is_in_it():
    """It has every feature, platform, note, deviation and error code as text, without its script."""
    reader = Reader()
    reader.feed(HTML)
    text = " ".join("".join(reader.text).split())
    for one in FACTS.platforms:
        assert one.title in text
        for said in [*one.notes.values(), *(part for entry in one.met for part in entry[:4])]:
            assert " ".join(said.replace("`", "").split()) in text
    for name in FACTS.meanings:
        assert name in text
    for code in FACTS.codes:
        assert f"{code.number}{code.posix}" in text


def test_it_is_the_same_each_time():
    """The same facts give the same bytes."""
    assert page.render(facts.gather(), "1.2.3") == HTML


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browsing.Page]:
    """The page in headless Chromium."""
    program = browsing.find_browser()
    if program is None:
        pytest.skip(
            "no Chromium to drive: `apt-get install chromium`, or another of " + ", ".join(browsing.NAMES)
        )
    folder = tmp_path_factory.mktemp("page")
    (folder / "tables.html").write_text(HTML, encoding="utf-8")
    with browsing.browser(program, folder / "profile") as found:
        found.address = (folder / "tables.html").as_uri()
        yield found


@pytest.fixture
def opened(shown: browsing.Page) -> browsing.Page:
    """The page, freshly opened, as light as day."""
    shown.requests.clear()
    shown.show(1280, 1000, dark=False)
    shown.open("about:blank")
    shown.open(shown.address)
    return shown


def rows(found: browsing.Page, section: str = "features") -> list[str]:
    """The names in the rows that can be seen of one table."""
    names: list[str] = found.run(
        f"[...document.querySelectorAll('#{section} tr.row')].filter(e => e.offsetParent)"
        ".map(e => e.querySelector('th code').textContent)"
    )
    return names


def columns(found: browsing.Page) -> list[str]:
    """The heads of the columns that can be seen."""
    heads: list[str] = found.run(
        "[...document.querySelectorAll('#features thead th')].filter(e => e.offsetParent).map(e => e.textContent)"
    )
    return heads


def test_it_opens_with_everything(opened):
    """All rows and columns are seen; nothing but the file itself was asked for, and no script failed."""
    assert rows(opened) == list(FACTS.meanings)
    assert len(rows(opened, "errors")) == len(FACTS.codes)
    assert len(columns(opened)) == 1 + len(FACTS.platforms)
    assert [one for one in opened.requests if not one.startswith(("file:", "data:", "about:"))] == []
    assert opened.errors == []


def test_searching(opened):
    """What is typed narrows all tables, is marked, counted, and stands in the address; Escape takes it back."""
    opened.press("/")
    opened.type("10060")
    assert rows(opened) == []
    assert rows(opened, "errors") == ["10060"]
    assert opened.run("document.querySelector('#errors mark').textContent") == "10060"
    tables = opened.run("[...document.querySelectorAll('section')].map(e => e.id)")
    found = sum(len(rows(opened, table)) for table in tables)
    assert opened.run("document.getElementById('shown').textContent") == f"{found} row{'s'[: found != 1]}"
    assert opened.run("location.hash") == "#q=10060"
    opened.press("Escape")
    assert rows(opened) == list(FACTS.meanings)
    assert opened.run("document.querySelectorAll('mark').length") == 0
    assert opened.run("location.hash") == ""


def test_searching_for_several_words(opened):
    """Every word must be there, in a note or a meaning too, in any order and case."""
    opened.press("/")
    opened.type("STREAM unix")
    found = rows(opened)
    assert "unix-stream" in found
    assert len(found) < len(FACTS.meanings)


def test_what_is_in_the_notes_is_shown(opened):
    """A row that was found by its notes alone is unfolded, the word marked; and folded up when the search is over."""
    name, note = next(
        (name, note) for one in FACTS.platforms for name, note in one.notes.items() if len(note) > 20
    )
    said = f"{name} {FACTS.meanings[name]}".lower()
    word = next(word for word in re.findall(r"[a-z]{5,}", note.lower()) if word not in said)
    opened.press("/")
    opened.type(word)
    assert name in rows(opened)
    unfolded = (
        "[...document.querySelectorAll('#features .details:not([hidden])')]"
        ".map(e => [e.previousElementSibling.querySelector('code').textContent, e.querySelectorAll('mark').length > 0])"
    )
    found = opened.run(unfolded)
    assert [name, True] in found
    assert all(marked for _, marked in found)
    opened.press("Escape")
    assert opened.run(unfolded) == []


def test_filtering_by_platform(opened):
    """A platform that is unticked loses its column, and its words count no more."""
    titles = {one.title for one in FACTS.platforms}
    opened.click('input[value="windows"]')
    assert len(columns(opened)) == len(titles)
    assert not any(head.startswith("Windows") for head in columns(opened))
    assert "platforms=" in opened.run("location.hash")


def test_filtering_by_word(opened):
    """With `emulated` alone, the rows are those that are emulated somewhere among the chosen platforms."""
    opened.click('input[value="native"]')
    opened.click('input[value="absent"]')
    expected = [
        name for name in FACTS.meanings if any("emulated" in one.features[name] for one in FACTS.platforms)
    ]
    assert rows(opened) == expected


def test_only_what_differs(opened):
    """A row whose platforms all say the same is left out."""
    opened.click('input[name="differs"]')
    expected = [name for name in FACTS.meanings if len({one.features[name] for one in FACTS.platforms}) > 1]
    assert rows(opened) == expected


def test_a_link_brings_the_filter_back(opened):
    """An address that was sent to somebody shows the same; Reset shows everything again."""
    opened.open("about:blank")
    opened.open(opened.address + "#q=unix&platforms=linux%2Bwine&differs=1")
    assert columns(opened) == ["feature", "Linux", "Wine"]
    assert 0 < len(rows(opened)) < len(FACTS.meanings)
    opened.click("#reset")
    opened.run("new Promise(done => setTimeout(done, 50))")
    assert rows(opened) == list(FACTS.meanings)


def test_a_row_opens(opened):
    """A click on a row shows its notes, and says so to those who cannot see it."""
    assert opened.run("document.querySelectorAll('.details:not([hidden])').length") == 0
    opened.click("#features tr.row button")
    assert opened.run("document.querySelector('#features tr.row button').ariaExpanded") == "true"
    assert opened.run("document.querySelector('.details').offsetParent !== null")


def test_nothing_that_fits_is_said(opened):
    """A search that finds nothing says so for each table."""
    opened.press("/")
    opened.type("no such thing anywhere")
    assert opened.run("[...document.querySelectorAll('.none')].every(e => e.offsetParent)")
    assert opened.run("document.getElementById('shown').textContent") == "0 rows"


CONTRAST = """
(() => {
  const light = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = 99;
  for (const e of document.querySelectorAll("h1,h2,p,th,td b,.meaning,.unseen,.unknown,code,label,legend,a")) {
    if (!e.offsetParent) continue;
    const [one, other] = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a);
    worst = Math.min(worst, (one + 0.05) / (other + 0.05));
  }
  return worst;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read(opened, dark):
    """Light and dark, every text stands out from its ground by at least 4.5 to 1 (WCAG 2, level AA)."""
    opened.show(1280, 1000, dark=dark)
    assert opened.run(CONTRAST) >= 4.5


@pytest.mark.parametrize("width", [320, 390, 760, 800, 1000, 1200, 1230])
def test_it_fits_a_narrow_screen(opened, width):
    """On a telephone or a tablet every platform's word is on the screen, and nothing scrolls sideways."""
    opened.show(width, 800, dark=False)
    assert opened.run("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    assert opened.run(f"{wide}.map(e => e.ariaLabel)") == []
    outside = (
        "[...document.querySelectorAll('tr.row b')].filter(e => e.getBoundingClientRect().right > innerWidth)"
    )
    assert opened.run(f"{outside}.length") == 0


def test_a_telephone_names_the_platforms(opened):
    """Where the columns have no room, each word has its platform's name above it, and whether it has been run there."""
    opened.show(390, 800, dark=False)
    named = opened.run(
        "[...document.querySelector('#features tr.row').querySelectorAll('td')]"
        ".map(e => getComputedStyle(e, '::before').content)"
    )
    assert named == [f'"{one.title}{"" if one.seen else ", not run"}"' for one in FACTS.platforms]


def test_a_picture_of_it(opened, tmp_path):
    """It can be photographed, and the picture is not of one colour."""
    path = Path(tmp_path, "page.png")
    opened.picture(path)
    assert path.stat().st_size > 20_000
