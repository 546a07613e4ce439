"""Public names that are imported when they are first used (PEP 562).

``layerbank --help`` must answer at once, and so importing a package may load none of the heavy
libraries behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_exports(module: str, exports: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose names live elsewhere: ``{home: names}``."""
    homes = {name: home for home, names in exports.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return __getattr__
