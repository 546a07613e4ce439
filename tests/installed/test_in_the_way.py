"""Modules of a user that have the names of ours: one ImportError names them and says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.installed.conftest import Run

ROOMS = ("features", "extract", "regress")


@pytest.fixture(params=["clean", "editable"])
def python(request: pytest.FixtureRequest) -> Path:
    """Python with the wheel, and with an editable install."""
    python: Path = request.getfixturevalue(request.param)
    return python


def put(folder: Path, room: str, kind: str) -> Path:
    """A user's module, package or folder of that name; its code must never run."""
    program = "raise RuntimeError('the code of the user ran')\n"
    if kind == "module":
        (folder / f"{room}.py").write_text(program)
        return folder / f"{room}.py"
    (folder / room).mkdir()
    if kind == "package":
        (folder / room / "__init__.py").write_text(program)
    return folder / room


def sentence(error: str, room: str, place: Path) -> None:
    """Assert that an error ends in the one sentence."""
    kind = "folder" if place.is_dir() else "file"
    assert error.splitlines()[-1] == (
        f"ImportError: layerbank has a package of its own named `{room}`, and {place} stands in "
        f"its way: rename that {kind}, or run from another folder"
    )
    assert "During handling" not in error


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("kind", ["module", "package"])
def test_a_module_or_package_beside_the_script(
    python: Path, run: Run, room: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text("import layerbank\n")
    place = put(tmp_path, room, kind)
    sentence(run(python, "script.py", cwd=tmp_path).stderr, room, place)


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("filled", [False, True])
def test_a_folder_without_init(
    clean: Path, editable: Path, run: Run, room: str, filled: bool, tmp_path: Path
) -> None:
    """It hides an editable install alone: Python looks for a whole package further on."""
    (tmp_path / "script.py").write_text("from layerbank import Bank\nprint(Bank)\n")
    place = put(tmp_path, room, "folder")
    if filled:
        (place / "mine.py").touch()
    sentence(run(editable, "script.py", cwd=tmp_path).stderr, room, place)
    assert "Bank" in run(clean, "script.py", cwd=tmp_path).stdout


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("kind", ["module", "package"])
def test_what_was_imported_before(
    python: Path, run: Run, room: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(f"import {room}\nimport layerbank\n")
    place = put(tmp_path, room, kind)
    (place if kind == "module" else place / "__init__.py").write_text("mine = 1\n")
    sentence(run(python, "script.py", cwd=tmp_path).stderr, room, place)


def test_a_folder_that_was_imported_before(editable: Path, run: Run, tmp_path: Path) -> None:
    place = put(tmp_path, "features", "folder")
    done = run(editable, "-c", "import features; import layerbank", cwd=tmp_path)
    sentence(done.stderr, "features", place)


def test_a_script_of_that_name(python: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text("from layerbank import Bank\n")
    done = run(python, "features.py", cwd=tmp_path)
    sentence(done.stderr, "features", tmp_path / "features.py")


def test_a_module_made_by_hand(clean: Path, run: Run, tmp_path: Path) -> None:
    code = "import sys, types; sys.modules['extract'] = types.ModuleType('extract')\n"
    done = run(clean, "-c", f"{code}import layerbank", cwd=tmp_path)
    assert "a module without a file stands in its way" in done.stderr.splitlines()[-1]


def test_the_command(python: Path, run: Run, tmp_path: Path) -> None:
    place = put(tmp_path, "regress", "module")
    done = run(python, "-m", "layerbank", "--version", cwd=tmp_path)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert f"{place} stands in its way: rename that file" in line
    # The installed command does not look into the folder that it is called in.
    command = python.parent / "layerbank"
    assert run(command, "--version", cwd=tmp_path).stdout.startswith("layerbank ")
    done = run(command, "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    sentence(done.stderr, "regress", place)


def test_other_names_are_in_nobodys_way(python: Path, run: Run, tmp_path: Path) -> None:
    for name in ("feature.py", "extraction.py", "regression.py", "features.csv"):
        (tmp_path / name).touch()
    done = run(python, "-c", "import layerbank; print(layerbank.__file__)", cwd=tmp_path)
    assert re.search(r"layerbank.__init__\.py$", done.stdout.strip())


def test_a_folder_that_is_entered_later(python: Path, run: Run, tmp_path: Path) -> None:
    """Ours are found once and for all, however a notebook moves about."""
    put(tmp_path, "regress", "module")
    code = f"import os, layerbank; os.chdir({str(tmp_path)!r}); import regress; print(dir(regress))"
    (tmp_path / "elsewhere").mkdir()
    assert "MODELS" in run(python, "-c", code, cwd=tmp_path / "elsewhere").stdout
