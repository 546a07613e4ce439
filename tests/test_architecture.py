"""No circle of modules: each can be read, and imported, before those that stand on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.pages import ROOT


def modules(root: Path, *packages: str) -> dict[str, Path]:
    """The files of some packages or modules by their dotted names."""
    found = {}
    for package in packages:
        for path in [root / f"{package}.py", *sorted((root / package).rglob("*.py"))]:
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in found.items() if path.exists()}


def imports(name: str, path: Path) -> Iterator[str]:
    """What a module names in its imports, those in functions and for type checkers included."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{home}.{alias.name}" for alias in node.names)


def circle(files: dict[str, Path]) -> list[str]:
    """The modules of a circle in importing order, the first again at the end; empty for none."""
    graph = {
        name: {known for found in imports(name, path) if (known := _module(found, files))}
        for name, path in files.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in reversed(error.args[1])]
    return []


def _module(imported: str, files: dict[str, Path]) -> str | None:
    """The module that an imported name is, or stands in."""
    return next((name for name in (imported, imported.rpartition(".")[0]) if name in files), None)


def test_no_module_stands_in_a_circle() -> None:
    files = modules(ROOT, "features", "extract", "regress", "layerbank")
    assert len(files) > 100
    found = circle(files)
    assert not found, " imports ".join(found)


def test_a_made_up_circle_is_found_and_named(tmp_path: Path) -> None:
    """Three modules: an import in a function, one for type checkers, and a relative one."""
    room = tmp_path / "house" / "room"
    room.mkdir(parents=True)
    for folder in (room.parent, room):
        (folder / "__init__.py").touch()
    (room.parent / "roof.py").write_text("from house.room import door, window\n")
    (room / "door.py").write_text("def door():\n    import house.room.window\n")
    (room / "window.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from house.room.wall import W\n"
    )
    (room / "wall.py").write_text("import os\n\nW = os.sep\n")
    assert circle(modules(tmp_path, "house")) == []
    (room / "wall.py").write_text("from .door import door\n")
    found = circle(modules(tmp_path, "house"))
    assert found[0] == found[-1]
    start = found.index("house.room.door")
    assert (found[:-1] * 2)[start : start + 3] == [
        "house.room.door",
        "house.room.window",
        "house.room.wall",
    ]
