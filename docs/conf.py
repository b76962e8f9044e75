"""How the documentation is built: python -m sphinx -W --keep-going -n -b html docs out/docs."""

from __future__ import annotations

import re
from typing import Any

from vostool import __version__

project = "vostool"
author = "the maintainers of vostool"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["README.md"]

html_theme = "furo"
html_title = f"vostool {release}"
html_copy_source = False
html_show_copyright = False

napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes are told of where the class is: they are fields of it

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    "AnyScribbles": "vostool.scribbles.AnyScribbles",
    "Bar": "vostool.pipeline.preparation.Bar",
    "Features": "vostool.store.Features",
    "FindPredictor": "vostool.pipeline.predictors.FindPredictor",
    "Frame": "vostool.images.Frame",
    "Mask": "vostool.images.Mask",
    "Progress": "vostool.pipeline.progress.Progress",
    "Say": "vostool.pipeline.progress.Say",
    "StrokeMap": "vostool.scribbles.StrokeMap",
}
python_use_unqualified_type_names = True

nitpicky = True
# Whatever vostool has must be found. Other libraries have documentation of their own, which is not
# asked for here: the site builds without a network.
nitpick_ignore_regex = [("py:.*", r"(?!vostool\b).*"), ("py:class", r"vostool\.pyramid\.Item")]

SEVERAL = re.compile(r"    (\w+(?:, \w+)+): (.*)")


def one_name_each(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Tell of ``start, stop: the range`` under each name: napoleon would take one for a type."""
    told: list[str] = []
    names: list[str] = []
    text: list[str] = []
    for line in [*lines, ""]:
        entry = SEVERAL.fullmatch(line)
        if names and not line.startswith(" " * 8):
            told += [one for each in names for one in (f"    {each}: {text[0]}", *text[1:])]
            names = []
        if entry:
            names, text = entry[1].split(", "), [entry[2]]
        elif names:
            text.append(line)
        else:
            told.append(line)
    lines[:] = told


def aliases_by_name(
    app: Any,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    arguments: str | None,
    result: str | None,
) -> tuple[str | None, str | None]:
    """Take the wrapping off aliases that stand within other types."""
    bare = [
        part and re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", part)
        for part in (arguments, result)
    ]
    return bare[0], bare[1]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", aliases_by_name)
    app.connect("autodoc-process-docstring", one_name_each, priority=100)  # before napoleon
