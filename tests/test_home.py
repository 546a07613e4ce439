"""``~`` in every path. All options and all public callables are walked: a new one cannot forget."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from features import Bank, open_banks
from features.console.app import run as run_app
from features.disk.cache import _usable, cache_folder
from features.errors import InputError, LayerbankError
from features.export import export
from features.paths import as_path
from features.tables.table import open_table
from features.upkeep.compact import compact
from features.upkeep.merge import merge
from features.upkeep.summary import describe
from features.upkeep.verify import verify
from layerbank import TextFeatures, blend, evaluate, extract, extract_on_ray, fit, load_run, sweep
from layerbank.cli import app
from regress.blend import save_blend
from regress.runs.save import save_run
from regress.sweep import save_sweep
from tests.regress.conftest import made_up_task, saved_without_reports

PUBLIC = ["layerbank", "features", "extract", "regress", "regress.blend", "regress.sweep"]

#: What is made by others, of paths that have been seen to.
RECORDS = {
    "Bank.__init__(path)", "ExtractReport.__init__(bank)", "Run.__init__(path)",
    "SavedModel.__init__(path)", "SavedModel.described(run)",
}  # fmt: skip


@pytest.fixture(scope="module")
def whole_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a bank, a run, an empty folder and a file."""
    home = tmp_path_factory.mktemp("home")
    task = made_up_task(home, 20, name="b.bank")
    with saved_without_reports():
        source = {"path": str(home / "train.csv"), "target": ["y"], "text": ["text"]}
        save_run(evaluate(task.bank, task.texts, task.y), home / "run", source=source)
        (home / "folder").mkdir()
    (home / "file").write_text("text\na\n")
    return home


@pytest.fixture
def home(whole_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's home, seen from an empty folder that stays empty."""
    monkeypatch.setenv("HOME", str(whole_home))
    monkeypatch.chdir(tmp_path)
    yield whole_home
    assert not os.listdir(tmp_path)


def texts_and_y() -> tuple[list[str], Any]:
    return [f"text {i} of seed 0" for i in range(20)], np.arange(20.0)


def saved(save: str) -> Callable[[str], object]:
    """Saves an experiment, or what has as much of one as is looked at before."""

    def call(path: str) -> object:
        experiment = evaluate("~/b.bank", *texts_and_y())
        functions = {"save_sweep": save_sweep, "save_blend": save_blend}
        if save == "Sweep.save":
            from regress.sweep import Sweep

            return Sweep.save(experiment, path)  # type: ignore[arg-type]
        if save in functions:
            return functions[save](experiment, path)  # type: ignore[arg-type]
        return experiment.save(path)

    return call


def of_run(method: str, **given: Any) -> Callable[[str], object]:
    return lambda path: getattr(load_run("~/run"), method)(bank=path, **given)


#: Each parameter that takes a path, and a call that cannot go on: the error has to name the home.
CALLS: dict[str, tuple[Callable[[str], object], str]] = {
    "Bank.create(path)": (lambda path: Bank.create(path, {}, {}), "~/file"),
    "Bank.open(path)": (Bank.open, "~/gone"),
    "Bank.open(overlay)": (lambda path: Bank.open("~/b.bank", overlay=path), "~/gone"),
    "TextFeatures.__init__(bank)": (lambda path: TextFeatures(path).fit(["a"]), "~/gone"),
    "blend(runs)": (lambda path: blend([path]), "~/gone"),
    "evaluate(bank)": (lambda path: evaluate(path, *texts_and_y()), "~/gone"),
    "extract(bank)": (lambda path: extract(["a"], path), "~/file"),
    "extract(encoder)": (lambda path: extract(["a"], "~/new", encoder=path), "~/folder"),
    "extract(encoder_weights)": (
        lambda path: extract(["a"], "~/new", encoder="~/folder", encoder_weights=path),
        "~/gone",
    ),
    "extract_on_ray(inputs)": (lambda path: extract_on_ray([path], "~/new"), "~/gone.csv"),
    "extract_on_ray(bank)": (
        lambda path: extract_on_ray(["~/file"], path, format="csv"), "~/file",
    ),
    "fit(bank)": (lambda path: fit(*texts_and_y(), bank=path, encode=False), "~/gone"),
    "fit(encoder)": (
        lambda path: fit(*texts_and_y(), bank="~/new", encoder=path), "~/folder",
    ),
    "fit(out)": (lambda path: fit(*texts_and_y(), bank="~/b.bank", out=path), "~/run"),
    "load_run(path)": (load_run, "~/gone"),
    "open_banks(paths)": (open_banks, "~/gone"),
    "sweep(bank)": (lambda path: sweep(path, *texts_and_y()), "~/gone"),
    "sweep(cache)": (lambda path: sweep("~/b.bank", *texts_and_y(), cache=path), "~/file"),
    "Experiment.save(path)": (saved("Experiment.save"), "~/run"),
    "Sweep.save(path)": (saved("Sweep.save"), "~/run"),
    "save_sweep(path)": (saved("save_sweep"), "~/run"),
    "save_blend(path)": (saved("save_blend"), "~/run"),
    "Run.explain(bank)": (of_run("explain", texts=["a"], n_neighbours=0), "~/gone"),
    "Run.explain(training)": (
        lambda path: load_run("~/run").explain(["a"], training=path), "~/gone",
    ),
    "Run.open_all(bank)": (of_run("open_all"), "~/gone"),
    "Run.open_banks(bank)": (of_run("open_banks"), "~/gone"),
    "Run.predict_but(bank)": (
        of_run("predict_but", texts=["a"], left_out=np.zeros(1, bool)), "~/gone",
    ),
    "Run.predict(bank)": (of_run("predict", texts=["a"]), "~/gone"),
}  # fmt: skip

#: Further functions behind commands.
MORE: dict[str, tuple[Callable[[str], object], str]] = {
    "export(out)": (
        lambda path: export(Bank.open("~/b.bank"), ["a"], "mean[0]", path), "~/file.npy",
    ),
    "open_table": (open_table, "~/gone.csv"),
    "describe": (describe, "~/gone"),
    "verify": (verify, "~/gone"),
    "compact": (compact, "~/gone"),
    "merge(sources)": (lambda path: merge([path], "~/new"), "~/gone"),
    "merge(into)": (lambda path: merge(["~/b.bank"], path), "~/file"),
    "fold banks": (
        lambda path: evaluate(path, *texts_and_y(), folds=[0, 1, 2, 3] * 5), "~/g-{fold}.bank",
    ),
}  # fmt: skip


def takers() -> set[str]:
    """Every parameter of what is public that takes a path."""
    found = set()
    for module in map(import_module, PUBLIC):
        for name in module.__all__:
            public = getattr(module, name)
            members = [(name, public)]
            if inspect.isclass(public):
                names = [each for each in dir(public) if each[0] != "_" or each == "__init__"]
                members = [(f"{name}.{each}", getattr(public, each)) for each in names]
            for qualified, member in members:
                if not callable(member):
                    continue
                try:
                    parameters = inspect.signature(member).parameters.values()
                except ValueError:
                    continue
                found |= {
                    f"{qualified}({parameter.name})"
                    for parameter in parameters
                    if re.search("Path|BankLike", str(parameter.annotation))
                }
    return found


def test_all_public_parameters_that_are_paths_are_tried() -> None:
    assert takers() == RECORDS | CALLS.keys()


@pytest.mark.parametrize("name", [*CALLS, *MORE])
def test_a_path_in_python_begins_at_home(home: Path, name: str) -> None:
    call, path = (CALLS | MORE)[name]
    (home / "file.npy").touch()
    named = re.escape(str(home / path[2:])).replace(r"\{fold\}", "0")
    with pytest.raises(LayerbankError, match=named):
        call(path)
    with pytest.raises(LayerbankError, match=named):
        call(Path(path))  # type: ignore[arg-type]


def options() -> Iterator[tuple[str, Any, Any]]:
    """Name, type and description of every parameter of every command."""
    for command in app.registered_commands:
        callback = command.callback
        assert callback is not None
        for parameter in inspect.signature(callback).parameters.values():
            kind, *metadata = get_args(parameter.annotation) or (parameter.annotation,)
            yield f"{command.name} {parameter.name}", kind, metadata[0] if metadata else None


def test_every_option_that_is_a_path_begins_at_home() -> None:
    of_paths = 0
    for name, kind, described in options():
        if "Path" in str(kind):
            assert described.parser is as_path, name
            of_paths += 1
        elif "str" in str(kind) and described is not None:
            said = f"{described.metavar} {described.help}"
            # --encoder may be a name, and is looked up where the Python parameter is.
            is_name = name.split()[1] in ("encoder", "ray")
            assert is_name or not re.search(r"(?i)\b(folder|file|dir|path)\b$", said), name
            assert is_name or described.metavar not in ("DIR", "FILE", "FOLDER", "PATH"), name
    assert of_paths > 25


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["info", "~/gone"], "gone"),
        (["verify", "~/gone"], "gone"),
        (["compact", "~/gone"], "gone"),
        (["merge", "~/b.bank", "--into=~/file"], "file"),
        (["export", "~/gone", "--select=mean[0]", "--rows=~/file", "--format=csv",
          "--out=~/x.npy"], "gone"),
        (["regress", "~/gone.csv", "--target=y", "--bank=~/b.bank", "--out=~/new"], "gone.csv"),
        (["regress", "--from=~/gone", "--out=~/new"], "gone"),
        (["sweep", "~/gone.csv", "--target=y", "--bank=~/b.bank", "--out=~/run"], "run"),
        (["blend", "~/gone", "--out=~/new"], "gone"),
        (["report", "~/gone"], "gone"),
        (["predict", "~/run", "~/file", "--format=csv", "--bank=~/gone", "--out=~/new.csv"],
         "gone"),
        (["explain", "~/run", "~/file", "--format=csv", "--html=~/file"], "file"),
        (["extract", "~/file", "--format=csv", "--bank=~/new", "--encoder=~/folder"], "folder"),
        (["extract", "~/file", "--format=csv", "--bank=~/new", "--encoder=~/folder",
          "--encoder-weights=~/gone"], "gone"),
        (["demo", "--out=~/file"], "file"),
    ],
)  # fmt: skip
def test_a_path_on_the_command_line_begins_at_home(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    with pytest.raises(SystemExit) as left:
        run_app(app, arguments)
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert str(home / named) in said
    assert said.count("\n") == 1


def test_the_cache_begins_at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERBANK_CACHE", "~/kept")
    _usable.cache_clear()
    assert cache_folder() == home / "kept"
    monkeypatch.setenv("LAYERBANK_CACHE", "~nobody-of-this-name/kept")
    assert cache_folder() is None


def test_what_a_path_may_be(home: Path, tmp_path: Path) -> None:
    assert as_path("~root/x") == Path(os.path.expanduser("~root"), "x")
    assert as_path("~") == home
    assert as_path("a/~b") == Path("a/~b")
    assert as_path("./~/x") == as_path(as_path("./~/x")) == tmp_path / "~" / "x"
    for wrong, message in [
        ("~nobody-of-this-name/x", "begins with the home of a user that is not known here"),
        ("", "an empty string is no path"),
        ("a\0b", "with a zero byte"),
        (None, "None is no path"),
        (b"bytes", "no path: give a string"),
        (["a"], "no path"),
    ]:
        with pytest.raises(InputError, match=message):
            as_path(wrong)  # type: ignore[arg-type]


def test_one_path_may_stand_for_several(home: Path) -> None:
    assert list(open_banks("~/b.bank").by_name) == ["b"]
    assert merge("~/b.bank", "~/merged.bank") == 20  # type: ignore[arg-type]
    for call in (blend, open_banks):
        with pytest.raises(InputError, match="None is no path"):
            call(None)  # type: ignore[operator]


def test_what_is_called_so_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~$table.csv").write_text("text\na\n")
    assert open_table("~$table.csv").columns == ["text"]
