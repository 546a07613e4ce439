"""How Sphinx builds the documentation: ``make docs``. The pages need no network, nor does this."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

project = "layerbank"
version = release = version_of("layerbank")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "command_reference",
    "public_names",
    "tutorial",
]
exclude_patterns = ["scripts"]

html_theme = "furo"
html_title = "layerbank"
html_static_path = ["_static"]
html_css_files = ["layerbank.css"]
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
# The pages show quotes as they are typed.
smartquotes_action = "De"

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False

# A single-quoted name in a docstring is a link where there is something to link to, else code.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    (r"py:obj", r".*"),
    # Other libraries' names, and ours that no page describes.
    (r"py:.*", r"(np|numpy|pd|pandas|h5py|torch|collections|pathlib|typing|sklearn)\..*"),
    (r"py:(mod|class|data|func|meth)", r"(extract|features|regress)\..*"),
    # Names that a module imports for type checkers alone.
    (r"py:class", r"[A-Z]\w*"),
]
