"""The built wheel in an environment of its own: complete, and enough to predict with."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import numpy as np

from layerbank import Bank, evaluate, extract
from tests.installed.conftest import ROOT, Run

SUBJECTS = ("A dog", "My old aunt", "Nobody", "The committee", "It")
PLACES = ("home", "across the frozen lake", "away", "in vain", "to the municipal hall")
TEXTS = [f"{subject} ran {place}." for subject in SUBJECTS for place in PLACES]


def test_the_wheel_holds_every_package_and_the_sample(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("extract", "features", "layerbank", "regress"):
        files = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / package).rglob("*")
            if path.suffix in (".py", ".csv", ".typed", ".j2", ".css", ".js")
        }
        assert f"{package}/py.typed" in files
        assert files <= names
    assert not any(name.startswith(("tests", "benchmarks")) for name in names)


def test_the_wheel_is_what_runs(clean: Path, run: Run, tmp_path: Path) -> None:
    code = (
        "import extract, features, regress, layerbank\n"
        "print(*[m.__file__ for m in (extract, features, regress, layerbank)], sep='\\n')"
    )
    lines = run(clean, "-c", code, cwd=tmp_path).stdout.split()
    assert len(lines) == 4
    for line in lines:
        assert Path(line).is_relative_to(clean.parent.parent)


def test_a_run_predicts_without_its_bank_and_elsewhere(
    clean: Path, run: Run, tiny_roberta: Path, tmp_path: Path
) -> None:
    """A run folder moved, its bank gone, another environment: the same predictions."""
    y = np.array([len(text) + 0.1 * i for i, text in enumerate(TEXTS)])
    extract(TEXTS, tmp_path / "a.bank", encoder=str(tiny_roberta), precision="fp32")
    experiment = evaluate(
        tmp_path / "a.bank", TEXTS, y, select=["mean[-2:]"], models=["ridge", "svr"], cv=3
    )
    experiment.save(tmp_path / "run")
    new = ["A wholly new sentence.", "NA", *TEXTS[:3]]
    extract(new, tmp_path / "a.bank")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bank = Bank.open(tmp_path / "a.bank")
    X = bank.matrix(new, "mean[-2:]")
    expected = {result.model: result.fitted.predict(X) for result in experiment.results}
    (tmp_path / "run").rename(elsewhere / "moved-run")
    shutil.rmtree(tmp_path / "a.bank")
    with (elsewhere / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([f"00{i}", t] for i, t in enumerate(new))])
    for model in ("ridge", "svr"):
        predicted = run(
            clean, "-m", "layerbank", "predict", "moved-run", "new.csv", "--id", "id", "--model",
            model, "--out", f"{model}.csv", cwd=elsewhere,
        )  # fmt: skip
        assert predicted.returncode == 0, predicted.stderr
        with (elsewhere / f"{model}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["id"] for row in rows] == [f"00{i}" for i in range(len(new))]
        got = np.array([float(row["target"]) for row in rows])
        np.testing.assert_allclose(got, expected[model], rtol=0, atol=1e-6 * np.abs(y).max())
    assert (elsewhere / "moved-run" / "scratch" / "a.bank" / "bank.json").exists()
