"""The Sphinx extension of this site: directives that put generated text into pages, and the blocks of docstrings.

It wires; what is shown comes from the modules beside it. What must never be put here: a fact, or a decision about what
a table contains.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import socket as stdlib
import ssl
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from _generate import blocks, commands, facts, names, page, pictures, tables

PAGE = "portability-tables.html"
"""The self-contained page, beside the site's own."""


@functools.cache
def known() -> facts.Facts:
    """The facts, read once a build."""
    return facts.gather()


class Generated(SphinxDirective):
    """`{generated} features`: what the function of that name in `tables` makes, parsed as if it stood here."""

    required_arguments = 1
    makers = (
        "features",
        "meanings",
        "deviations",
        "reasons",
        "options",
        "codes",
        "platforms",
        "interpreters",
    )

    def run(self) -> list[nodes.Node]:
        name = directives.choice(self.arguments[0], self.makers)
        text: str = getattr(tables, name)(known())
        return parsed(self, text)


def parsed(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """Text parsed in the language of the page that the directive stands on."""
    holder = nodes.container()
    holder.document = directive.state.document
    lines = StringList(text.splitlines(), source=directive.get_source_info()[0])
    nested_parse_with_titles(directive.state, lines, holder)
    return list(holder.children)


class Reference(SphinxDirective):
    """`{reference} samesock.fd`: every public name of the module that is samesock's own, from its docstrings."""

    required_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        lines: list[str] = []
        block = blocks.find(inspect.cleandoc(importlib.import_module(module).__doc__ or "").splitlines())
        if block is not None:
            lines += [".. portability::", "", f"   {block.text}", ""]
        for name in names.own(module):
            lines += [*auto(module, name), ""]
        return parsed(self, "\n".join(lines))


def auto(module: str, name: str) -> list[str]:
    """autodoc's directive for one name; for what has no docstring of its own kind, what its definition says."""
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing):
        lines = [f".. autoclass:: {module}.{name}"]
        if not issubclass(thing, ssl.SSLSocket):  # whose methods are the standard library's
            lines.append("   :members:")
            lines += ["   :inherited-members: socket"] * issubclass(thing, stdlib.socket)
        return lines
    if inspect.isroutine(thing):
        return [f".. autofunction:: {module}.{name}"]
    said = (names.said_of(module, name) or "").splitlines()
    convert(said)
    kind = type(thing)
    members = []
    if kind.__module__.partition(".")[0] == "samesock" and not names.is_listed(module, kind):
        members = [
            f"   .. automethod:: {kind.__module__}.{kind.__qualname__}.{one}" for one in names.methods(kind)
        ]
    return [f".. py:data:: {module}.{name}", "", *(f"   {line}" for line in said), "", *members]


class Commands(SphinxDirective):
    """`{commands}`: every command of the command line, under its name, with its help."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for name, text in commands.helps().items():
            lines += [f"## `samesock {name}`", "", "```none", *text.splitlines(), "```", ""]
        return parsed(self, "\n".join(lines))


class Portability(SphinxDirective):
    """What a docstring's `Portability:` block becomes: a row for each group of platforms, the words as marks."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        box = nodes.container(classes=["ss-portability"])
        title = nodes.paragraph(classes=["ss-portability-title"])
        title += nodes.Text("Portability")
        box += title
        for claim in blocks.claims(" ".join(self.content)):
            row = nodes.container(classes=["ss-portability-row"])
            who = nodes.paragraph(classes=["ss-portability-who"])
            who += nodes.Text(", ".join(claim.platforms))
            what, messages = self.state.inline_text(claim.text.removesuffix("."), self.lineno)
            text = nodes.paragraph("", "", *marked(what), *messages, classes=["ss-portability-what"])
            row += [who, text] if claim.platforms else [text]
            box += row
        return [box]


def marked(inline: list[nodes.Node]) -> list[nodes.Node]:
    """The three words with the marks that they have in the tables."""
    found: list[nodes.Node] = []
    for node in inline:
        if not isinstance(node, nodes.Text):
            found.append(node)
            continue
        for part in blocks.WORD.split(node.astext()):
            word = part.lower()
            classes = [f"ss-{word}"] if word in facts.WORDS else []
            found.append(nodes.inline(text=part, classes=classes) if classes else nodes.Text(part))
    return found


def convert_blocks(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """autodoc's hook: the block of a docstring as the directive above."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()  # a named tuple's own words, which say nothing
    convert(lines)


def convert(lines: list[str]) -> None:
    """The block of a docstring, and its references, as directives, in place."""
    block = blocks.find(lines)
    if block is not None:
        lines[block.start : block.end] = ["", ".. portability::", "", f"   {block.text}", ""]
    for number, line in enumerate(lines):
        if line.startswith("References: "):
            lines[number : number + 1] = ["", ".. container:: ss-references", "", f"   {line}"]
            break


def plain_defaults(
    app: Sphinx, what: str, name: str, thing: object, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """autodoc's hook: a default as its reader writes it, `AF_INET` and not `_c.AF_INET`."""
    return signature and signature.replace("=_c.", "=").replace("= _c.", "= "), returns


class Machine(SphinxDirective):
    """`{machine}`: what the benchmarks were run on, and when."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(pictures.DATA))
        return parsed(self, "\n".join(f"- {key}: {value}" for key, value in pictures.machine().items()))


class Pictures(SphinxDirective):
    """`{pictures}`: every picture of the benchmarks, under its title."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(pictures.DATA))
        lines: list[str] = []
        for one in pictures.draw_all():
            lines += [
                f"## {one.title}",
                "",
                "```{raw} html",
                f'<div class="ss-picture">{one.svg}</div>',
                "```",
                "",
            ]
        return parsed(self, "\n".join(lines))


def write_page(app: Sphinx, failure: Exception | None) -> None:
    """The page that a person can keep, search and filter, written beside the site."""
    if failure is None and app.builder.format == "html":
        Path(app.outdir, PAGE).write_text(page.render(known(), str(app.config.release)), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry."""
    app.add_directive("generated", Generated)
    app.add_directive("commands", Commands)
    app.add_directive("machine", Machine)
    app.add_directive("pictures", Pictures)
    app.add_directive("reference", Reference)
    app.add_directive("portability", Portability)
    app.connect("autodoc-process-docstring", convert_blocks)
    app.connect("autodoc-process-signature", plain_defaults)
    app.connect("build-finished", write_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
