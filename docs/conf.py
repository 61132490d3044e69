"""How Sphinx builds this site: `nox -s docs`. Whatever is a fact comes from `_generate`, never from here."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import samesock  # noqa: E402 - after the path

project = "samesock"
author = "samesock contributors"
copyright = "samesock contributors"  # noqa: A001 - Sphinx's own name
version = release = samesock.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "_generate.extension"]
exclude_patterns = ["_build", "_generate", "decisions/README.md"]
nitpicky = False
smartquotes = False
default_role = "code"  # docstrings have single backticks, as the rest of the code's prose

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = "samesock"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5c8a", "color-brand-content": "#0b5c8a"},
    "dark_css_variables": {"color-brand-primary": "#6cc0f0", "color-brand-content": "#6cc0f0"},
    "navigation_with_keys": True,
}
pygments_style = "tango"
pygments_dark_style = "github-dark"
