"""The built wheel in an environment of its own: complete, and enough to predict with."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from layerbank import evaluate, extract

ROOT = Path(__file__).parent.parent
SUBJECTS = ("A dog", "My old aunt", "Nobody", "The committee", "It")
PLACES = ("home", "across the frozen lake", "away", "in vain", "to the municipal hall")
TEXTS = [f"{subject} ran {place}." for subject in SUBJECTS for place in PLACES]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tracked files."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", source / "dist", source],
        check=True,
        capture_output=True,
    )
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel; its dependencies are lent from ours."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True
    )
    return python


def run(python: Path, *arguments: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    # Folders on PYTHONPATH come without their .pth files, and so without our editable install.
    environment["PYTHONPATH"] = sysconfig.get_path("purelib")
    result = subprocess.run(
        [python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_holds_every_package_and_the_sample(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in (
        "extract",
        "features",
        "features/sample",
        "regress",
        "regress/report",
        "regress/report/page",
    ):
        modules = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / package).iterdir()
            if path.suffix in (".py", ".csv", ".typed", ".j2", ".css", ".js")
        }
        assert modules <= names
    assert "layerbank.py" in names
    assert not any(name.startswith(("tests", "benchmarks")) for name in names)


def test_the_wheel_is_what_runs(clean: Path, tmp_path: Path) -> None:
    code = (
        "import extract, features, regress, layerbank\n"
        "print(*[m.__file__ for m in (extract, features, regress, layerbank)], sep='\\n')"
    )
    for line in run(clean, "-c", code, cwd=tmp_path).split():
        assert Path(line).is_relative_to(clean.parent.parent)


def test_a_run_predicts_without_its_bank_and_elsewhere(
    clean: Path, tiny_roberta: Path, tmp_path: Path
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
    from layerbank import Bank

    bank = Bank.open(tmp_path / "a.bank")
    X = bank.matrix(new, "mean[-2:]")
    expected = {result.model: result.fitted.predict(X) for result in experiment.results}
    (tmp_path / "run").rename(elsewhere / "moved-run")
    shutil.rmtree(tmp_path / "a.bank")
    with (elsewhere / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([f"00{i}", t] for i, t in enumerate(new))])
    for model in ("ridge", "svr"):
        run(
            clean, "-m", "layerbank", "predict", "moved-run", "new.csv", "--id", "id", "--model",
            model, "--out", f"{model}.csv", cwd=elsewhere,
        )  # fmt: skip
        with (elsewhere / f"{model}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["id"] for row in rows] == [f"00{i}" for i in range(len(new))]
        got = np.array([float(row["prediction"]) for row in rows])
        np.testing.assert_allclose(got, expected[model], rtol=0, atol=1e-6 * np.abs(y).max())
    assert (elsewhere / "moved-run" / "scratch" / "a.bank" / "bank.json").exists()
