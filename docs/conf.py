"""How Sphinx builds the documentation: ``make docs``. The pages need no network, nor does this."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from command_reference import reference

project = "layerbank"
author = "layerbank"
project_copyright = ""
version = release = version_of("layerbank")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["scripts"]

html_theme = "furo"
html_title = "layerbank"
html_static_path = ["_static"]
html_css_files = ["layerbank.css"]
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False

# A single-quoted name in a docstring is a link where there is something to link to, else code.
default_role = "py:obj"
# The page shows what is typed: no curly quotes, no dashes made of options.
smartquotes = False
nitpicky = True
nitpick_ignore_regex = [
    (r"py:obj", r".*"),
    # Other libraries' names, and ours that no page describes.
    (r"py:.*", r"(np|numpy|pd|pandas|h5py|torch|collections|pathlib|typing|sklearn)\..*"),
    (r"py:(mod|class|data|func|meth)", r"(extract|features|regress)\..*"),
]

#: Public names by the page's own module: ``from layerbank import Bank``, not ``features.bank``.
PUBLIC = ("layerbank", "extract", "features", "regress")


def public_names() -> dict[str, str]:
    """Where each public object is documented, by where it is defined."""
    homes: dict[str, str] = {}
    for module in map(import_module, PUBLIC):
        for name in module.__all__:
            thing = getattr(module, name)
            home = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', name)}"
            homes.setdefault(home, f"{module.__name__}.{name}")
            homes.setdefault(f"{module.__name__}.{name}", homes[home])
    return homes


def to_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve ``features.bank.Bank.matrix`` to the page that describes ``layerbank.Bank.matrix``."""
    target = str(node.get("reftarget", ""))
    for home, public in _HOMES.items():
        if node.get("refdomain") == "py" and (target == home or target.startswith(f"{home}.")):
            renamed = public + target.removeprefix(home)
            domain = env.get_domain("py")
            return domain.resolve_xref(
                env, node["refdoc"], app.builder, "obj", renamed, node, content
            )
    return None


_HOMES = public_names()


def fill_in_commands(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the command line's own help into the page that asks for it."""
    if docname == "cli":
        source[0] = source[0].replace("<!-- commands -->", reference())


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("missing-reference", to_public_name)
    app.connect("source-read", fill_in_commands)
    return {"parallel_read_safe": True}
