"""The ``layerbank`` command and module: light, complete, and clear about what is wrong."""

from __future__ import annotations

import ast
import importlib.metadata
import rlcompleter
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

import layerbank
from tests.pages import ROOT
from tests.typed import Reader

HEAVY = ("torch", "transformers", "sklearn", "lightgbm", "pandas", "h5py", "scipy")
COMMANDS = (
    "fit", "extract", "info", "export", "regress", "sweep", "blend", "compare", "report", "predict",
    "explain", "verify", "compact", "merge", "delete", "demo",
)  # fmt: skip

ESTIMATORS = ("TunedKernelRidge", "TunedLightGBM", "TunedPairwise", "TunedRidge", "TunedSVR")
PUBLIC = {
    "layerbank": [
        "Bank", "LayerbankError", "MODELS", "Selection", "TextFeatures", *ESTIMATORS, "blend",
        "evaluate", "extract", "extract_on_ray", "fit", "load_run", "make_folds", "open_banks",
        "sweep",
    ],
    "extract": ["ExtractReport", "extract", "extract_on_ray"],
    "features": [
        "Bank", "Banks", "Block", "LayerbankError", "Selection", "Text", "as_texts", "open_banks",
        "text_key", "text_keys",
    ],
    "regress": [
        "Experiment", "Folds", "MODELS", "Result", "Run", "SavedModel", "Scores", "TextFeatures",
        *ESTIMATORS, "evaluate", "load_run", "make_folds", "score",
    ],
}  # fmt: skip


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(m for m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in result.stdout.splitlines()[-1].split()}


def call(reader: Reader, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return reader.types(shlex.join(["layerbank", *arguments]), cwd)


def test_help_loads_nothing_heavy() -> None:
    code = "import layerbank.cli\ntry: layerbank.cli.app(['--help'])\nexcept SystemExit: pass"
    assert not loaded_after(code) & set(HEAVY)


@pytest.mark.parametrize("package", ["features", "regress"])
def test_the_bank_and_stage_2_never_load_torch(package: str) -> None:
    code = (
        f"import pkgutil, importlib, {package}\n"
        f"for m in pkgutil.walk_packages({package}.__path__, '{package}.'):\n"
        "    m.name.endswith('__main__') or importlib.import_module(m.name)"
    )
    assert not loaded_after(code) & {"torch", "transformers"}


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names(package: str) -> None:
    module = import_module(package)
    assert dir(module) == module.__all__ == sorted(PUBLIC[package])
    for name in PUBLIC[package]:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", [*PUBLIC, "regress.blend", "regress.report", "regress.sweep"])
def test_type_checkers_see_what_is_there(package: str) -> None:
    module = import_module(package)
    assert module.__file__ is not None
    body = ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
    (seen,) = (part for part in body if isinstance(part, ast.If))
    imports = [line for line in seen.body if isinstance(line, ast.ImportFrom)]
    names = {alias.name for line in imports for alias in line.names}
    assert names - {"__version__"} == {*module.__all__}
    assert all(alias.asname == alias.name for line in imports for alias in line.names)
    for line in imports:
        for alias in line.names:
            assert getattr(import_module(line.module or ""), alias.name) is getattr(
                module, alias.name
            )


@pytest.mark.parametrize("package", PUBLIC)
def test_completion_finds_the_public_names(package: str) -> None:
    scope = {"it": import_module(package)}
    console = rlcompleter.Completer(scope)
    found = [console.complete("it.", i) for i in range(len(PUBLIC[package]) + 2)]
    assert {str(name).removeprefix("it.").rstrip("()") for name in found if name} == {
        *PUBLIC[package]
    }
    for jedi in (True, False):
        notebook = IPCompleter(namespace=scope)
        notebook.use_jedi = jedi
        with provisionalcompleter():
            completed = {each.text.lstrip(".") for each in notebook.completions("it.", 3)}
        assert completed == {*PUBLIC[package]}


@pytest.mark.parametrize("package", ["extract", "features", "regress", "layerbank"])
def test_generic_names_are_this_distribution(package: str) -> None:
    assert set(importlib.metadata.packages_distributions()[package]) == {"layerbank"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command: str, reader: Reader) -> None:
    result = call(reader, command, "--help")
    assert result.returncode == 0
    assert "Example" in result.stdout
    assert f"layerbank {command}" in result.stdout


def test_version(reader: Reader) -> None:
    assert call(reader, "--version").stdout.strip() == f"layerbank {layerbank.__version__}"


def test_a_near_miss_is_told(reader: Reader) -> None:
    result = call(reader, "regres")
    assert result.returncode == 2
    assert "regress" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere.bank"], "nowhere.bank is not a bank"),
        (["extract", "none.csv", "--bank", "b"], "none.csv does not exist"),
        (["extract", "a.csv", "--text", "txt", "--bank", "b"], "no column 'txt'"),
        (
            ["extract", "a.csv", "--bank", "b", "--encoder", "./nowhere"],
            "nowhere",
        ),
        (["predict", "norun", "a.csv", "--out", "p.csv"], "norun"),
        (["regress", "a.csv", "--target", "y", "--bank", "b", "--out", "r"], "is not a bank"),
    ],
)
def test_mistakes_get_one_sentence(
    tmp_path: Path, reader: Reader, arguments: list[str], message: str
) -> None:
    (tmp_path / "a.csv").write_text("text,y\nhello,1\nworld,2\n")
    result = call(reader, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    error = result.stderr.strip().splitlines()
    assert len(error) == 1, result.stderr
    assert error[0].startswith("layerbank: error: ")
    assert message in error[0]
    assert "Traceback" in call(reader, *arguments, "--debug", cwd=tmp_path).stderr


def test_every_command_can_be_quiet_and_has_its_panel() -> None:
    import typer.main

    from layerbank.cli import app

    panels: dict[str, list[str]] = {}
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        assert any("--quiet" in parameter.opts for parameter in command.params), name
        if not command.hidden:
            panels.setdefault(command.rich_help_panel, []).append(name)
    assert panels == {
        "Everyday": ["fit", "predict", "report", "compare", "info", "demo"],
        "Lab": ["extract", "blend", "explain", "export"],
        "Bank": ["verify", "compact", "merge", "delete"],
    }
