"""`regress.sweep.sweep` and `regress.blend.blend` are functions, whatever was imported before."""

from __future__ import annotations

import importlib
import pkgutil
from types import FunctionType, ModuleType

import pytest


@pytest.mark.parametrize("name", ["sweep", "blend"])
def test_a_face_gives_its_function(name: str) -> None:
    face = importlib.import_module(f"regress.{name}")
    for submodule in pkgutil.iter_modules(face.__path__):
        # An imported submodule becomes an attribute, which would hide a lazy export of its name.
        importlib.import_module(f"regress.{name}.{submodule.name}")
    assert isinstance(getattr(face, name), FunctionType)
    assert dir(face) == face.__all__
    assert not [n for n in face.__all__ if isinstance(getattr(face, n), ModuleType)]
