"""The built site hangs together: every link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SITE = Path(os.environ.get("SAMESOCK_SITE", ""))
if not (SITE / "index.html").is_file():
    pytest.skip("the site is missing: `nox -s docs` builds it", allow_module_level=True)


AS_IT_IS = ("pre", "script", "style")
"""Elements whose text is no prose."""


class Page(HTMLParser):
    """One page's links, what it loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = {""}
        self.prose: list[str] = []
        self._as_it_is = 0
        self.feed(text)

    def handle_data(self, data: str) -> None:
        if not self._as_it_is:
            self.prose.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._as_it_is -= tag in AS_IT_IS

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._as_it_is += tag in AS_IT_IS
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src", "data"):
            if name in given and not given[name].startswith("data:"):
                (self.links if tag == "a" else self.loaded).append(given[name])


PAGES = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(SITE.rglob("*.html"))}
OWN = [path for path in PAGES if path.name not in ("genindex.html", "search.html", "py-modindex.html")]


def test_every_source_has_its_page():
    """No page of docs/ is forgotten, and the self-contained one is there."""
    sources = {
        path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md") if "_build" not in path.parts
    }
    sources.discard(Path("decisions/README"))  # its text is the index's
    assert {path.relative_to(SITE).with_suffix("") for path in PAGES} >= {
        *sources,
        Path("portability-tables"),
    }


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(SITE).as_posix())
def test_no_markup_is_left_over(path):
    """What should have become code, a link or a directive is not on the page as it was written."""
    text = " ".join(" ".join(PAGES[path].prose).split())
    assert re.findall(r".{0,40}(?:`|\]\(|\{[a-z]+\}|:::).{0,40}", text) == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(SITE).as_posix())
def test_links_lead_somewhere(path):
    """A link within the site leads to a file that is there, and to a place that is in it."""
    broken = []
    for link in PAGES[path].links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file() or (target in PAGES and unquote(parts.fragment) not in PAGES[target].places):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(SITE).as_posix())
def test_nothing_is_loaded_from_elsewhere(path):
    """Styles, scripts, pictures and frames are the site's own."""
    outside = [one for one in PAGES[path].loaded if urlsplit(one).scheme or urlsplit(one).netloc]
    assert outside == []


def test_portability_blocks_are_rendered():
    """The reference shows blocks as rows with the three words marked, and none is left as plain text."""
    text = (SITE / "reference" / "fd.html").read_text(encoding="utf-8")
    assert text.count("ss-portability-title") > 15
    assert 'class="ss-absent"' in text
    assert "Portability:" not in text
