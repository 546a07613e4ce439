"""The packages behind the front door, found before anything of the user's that has their names.

`features`, `extract` and `regress` are names that scripts and folders of users have, too, and
Python takes what stands beside a script before what is installed.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec

PACKAGES = ("features", "extract", "regress")


def import_rooms() -> None:
    """Import the packages behind the front door, which are light.

    Raises
    ------
    ImportError
        Something else has the name of one. It is named, and none of its code was run.
    """
    home = os.path.dirname(os.path.dirname(__file__))
    for package in PACKAGES:
        place = _place(package)
        if place is not None and not _same(place, os.path.join(home, package)):
            kind = "folder" if os.path.isdir(place) else "file"
            raise ImportError(
                f"layerbank has a package of its own named `{package}`, and {place} stands in "
                f"its way: rename that {kind}, or run from another folder",
                name="layerbank",
                path=place,
            )
    for package in PACKAGES:
        import_module(package)


def _place(name: str) -> str | None:
    """Where a module stands, its file or its folder, loaded or not; None where there is none."""
    loaded = sys.modules.get(name)
    spec = find_spec(name) if loaded is None else loaded.__spec__
    if spec is not None and spec.submodule_search_locations is not None:
        return next(iter(spec.submodule_search_locations), None)
    if spec is not None:
        return spec.origin
    return None if loaded is None else getattr(loaded, "__file__", "a module without a file")


def _same(place: str, folder: str) -> bool:
    return place == folder or os.path.realpath(place) == os.path.realpath(folder)
