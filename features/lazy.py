"""Public names that are imported when they are first used (PEP 562).

``layerbank --help`` must answer at once, and so importing a package may load none of the heavy
libraries behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_exports(
    module: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a module whose names live elsewhere.

    Parameters
    ----------
    module
        Its ``__name__``.
    homes
        Names by the module that defines them. A name that begins with an underscore can be
        imported and is not listed.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    public = sorted(name for name in home_of if not name.startswith("_"))

    def __getattr__(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(home_of[name]), name)

    def __dir__() -> list[str]:
        return list(public)

    return __getattr__, __dir__, public
