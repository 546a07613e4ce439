"""Public objects go by the names under which users import them, whatever file defines them."""

from __future__ import annotations

import re
from importlib import import_module
from types import FunctionType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

#: The first that exports a name is the one that users import it from.
MODULES = ("layerbank", "extract", "features", "regress", "regress.sweep", "regress.blend")
#: Classes whose objects others make (``Bank.open``, ``load_run``): shown without a signature.
NOT_CALLED = {
    "layerbank.Bank", "regress.Experiment", "regress.Run", "regress.SavedModel",
    "regress.sweep.Sweep", "regress.sweep.AutoResult", "regress.blend.Blend",
    "regress.blend.Blended",
}  # fmt: skip
#: How autodoc writes out the names of types.
WRITTEN_OUT = {
    r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[([^\]]*)\]\]": (
        r"~numpy.typing.NDArray[\1]"
    ),
    r"[~\w.]*_?Buffer \| .*?NestedSequence\[complex \| bytes \| str\]": "~numpy.typing.ArrayLike",
    r"str \| tuple\[str, \.\.\.\]": "~features.Text",
}


def public_names() -> dict[str, str]:
    """Where each public object is described, by where it is defined or exported."""
    homes: dict[str, str] = {}
    for module in map(import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            public = f"{module.__name__}.{name}"
            if isinstance(thing, (type, FunctionType)):
                home = f"{thing.__module__}.{thing.__qualname__}"
                # Errors are described all together, where they are defined.
                public = homes.setdefault(home, home if "errors" in home else public)
            homes[f"{module.__name__}.{name}"] = public
    return homes


def to_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve ``features.bank.Bank.matrix`` to where ``layerbank.Bank.matrix`` is described."""
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


def shorten_signature(
    app: Sphinx, kind: str, name: str, thing: object, options: object, arguments: str, gives: str
) -> tuple[str | None, str | None]:
    """Show types by the names that the source gives them; no signature of what nobody calls."""
    return ("", None) if name in NOT_CALLED else (_shortened(arguments), _shortened(gives))


def _shortened(signature: str | None) -> str | None:
    for written_out, name in WRITTEN_OUT.items():
        signature = signature and re.sub(written_out, name, signature)
    return signature


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("missing-reference", to_public_name)
    app.connect("autodoc-process-signature", shorten_signature)
    return {"parallel_read_safe": True}
