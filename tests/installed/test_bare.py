"""``pip install layerbank`` alone: it reads banks, regresses, and says what encoding lacks."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from extract.libraries import LIBRARIES
from tests.installed.conftest import ROOT, Run, required_by
from tests.regress.runs.golden.make import NEW, TEXTS

GOLDEN = ROOT / "tests" / "regress" / "runs" / "golden" / "version-0"
LINE = "pip install 'layerbank[extract]'"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a golden bank and a golden run, a table to fit, and two to predict."""
    shutil.copytree(GOLDEN / "whole.bank", tmp_path / "whole.bank")
    shutil.copytree(GOLDEN / "every-model", tmp_path / "golden")
    for name, texts in {"train": TEXTS, "known": NEW, "unknown": ["nobody knows this"]}.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            rows = [[text, (7 * i) % 11] for i, text in enumerate(texts)]
            csv.writer(file).writerows([["text", "target"], *rows])
    return tmp_path


@pytest.fixture
def layerbank(bare: Path, run: Run, desk: Path) -> Run:
    """Call the installed command in that folder."""

    def layerbank(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(bare.parent / "layerbank", *arguments, cwd=desk)

    return layerbank


def refused(done: subprocess.CompletedProcess[str]) -> None:
    """Assert that a call ended with the one sentence."""
    assert done.returncode == 2, done.stderr
    assert " ".join(done.stderr.split()).endswith(LINE), done.stderr
    assert "Traceback" not in done.stderr


def test_none_of_the_extras_libraries_is_there(bare: Path, run: Run, tmp_path: Path) -> None:
    code = "import importlib.util as u; print([n for n in {!r} if u.find_spec(n)])"
    assert run(bare, "-c", code.format(LIBRARIES), cwd=tmp_path).stdout == "[]\n"


def test_every_extra_that_encodes_contains_what_encoding_needs(wheel: Path) -> None:
    base = required_by(wheel)
    needed = required_by(wheel, "extract").keys() - base.keys()
    assert {name.replace("_", "-") for name in LIBRARIES} <= needed
    for extra in ("demo", "ray", "openvino", "dev", "all"):
        assert needed <= required_by(wheel, extra).keys(), extra


def test_a_bank_is_regressed_and_read_and_a_run_predicts(layerbank: Run, desk: Path) -> None:
    done = layerbank(
        "regress", "train.csv", "--text", "text", "--target", "target", "--bank", "whole.bank",
        "--select", "mean[-1]", "--model", "ridge", "--model", "svr", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (desk / "run" / "report.html").stat().st_size > 100_000
    done = layerbank("predict", "run", "known.csv", "--text", "text", "--out", "predicted.csv")
    assert done.returncode == 0, done.stderr
    assert len((desk / "predicted.csv").read_text().splitlines()) == 1 + len(NEW)
    done = layerbank("verify", "whole.bank")
    assert done.returncode == 0, done.stderr


def test_what_must_encode_says_what_to_install(layerbank: Run, desk: Path) -> None:
    refused(layerbank("extract", "train.csv", "--text", "text", "--bank", "new.bank"))
    refused(layerbank("extract", "train.csv", "--text", "text", "--bank", "new.bank", "--dry-run"))
    assert not (desk / "new.bank").exists()
    of_run = ("--text", "text", "--bank", "whole.bank", "--encoder", "roberta-base")
    refused(layerbank("predict", "golden", "unknown.csv", *of_run, "--out", "predicted.csv"))
    refused(layerbank("explain", "golden", "unknown.csv", *of_run, "-k", "0"))
    done = layerbank("demo")
    assert done.returncode == 2
    assert "pip install 'layerbank[demo]'" in " ".join(done.stderr.split())


def test_python_says_it_too(bare: Path, run: Run, tmp_path: Path) -> None:
    code = (
        "from layerbank import LayerbankError, extract\n"
        "try: extract(['a text'], 'new.bank')\n"
        "except LayerbankError as error: print(error)"
    )
    done = run(bare, "-c", code, cwd=tmp_path)
    assert done.stdout.strip().endswith(LINE), done.stderr
