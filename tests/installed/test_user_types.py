"""A user's program under ``mypy --strict``, against the wheel."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import layerbank

#: Uses every public name; behind what it reveals stands what a type checker has to see there.
PROGRAM = """
from pathlib import Path

import numpy as np

import layerbank
from features import text_keys
from layerbank import (
    MODELS, Bank, LayerbankError, Selection, TextFeatures, TunedKernelRidge, TunedLightGBM,
    TunedPairwise, TunedRidge, TunedSVR, blend, evaluate, extract, extract_on_ray, load_run,
    make_folds, open_banks, sweep,
)

reveal_type(extract(["a text"], "my.bank", encoder="roberta-base"))  # extract.report.ExtractReport
reveal_type(extract_on_ray(["texts.csv"], "my.bank"))  # extract.report.ExtractReport
bank = Bank.open(Path("my.bank"))
reveal_type(bank)  # features.bank.Bank
reveal_type(bank.matrix(["a text"], "mean[-1]"))  # numpy.ndarray
reveal_type(open_banks(["my.bank", "other.bank"]))  # features.banks.Banks
reveal_type(Selection.parse("mean[-1]"))  # features.selection.Selection
reveal_type(TextFeatures("my.bank", "mean[-1]"))  # regress.data.text_features.TextFeatures
experiment = evaluate(bank, ["a text"], [1.0], models=["svr", TunedRidge(alphas=[1.0])])
reveal_type(experiment)  # regress.experiment.Experiment
reveal_type(sweep(bank, ["a text"], [1.0]))  # regress.sweep.results.Sweep
reveal_type(blend(["run", Path("other")]))  # regress.blend
run = load_run("run")
reveal_type(run)  # regress.runs.run.Run
reveal_type(run.predict(["a text"]))  # numpy.ndarray
reveal_type(make_folds(text_keys(["a text"]), np.ones(1)))  # regress.data.folds.Folds
reveal_type(MODELS)  # dict[str, type[regress.models.
reveal_type(TunedRidge(alphas=[1.0]))  # regress.models.ridge.TunedRidge
reveal_type(TunedSVR(random_state=1))  # regress.models.svr.TunedSVR
reveal_type(TunedKernelRidge())  # regress.models.kernel_ridge.TunedKernelRidge
reveal_type(TunedLightGBM())  # regress.models.lightgbm.TunedLightGBM
reveal_type(TunedPairwise())  # regress.models.pairwise.TunedPairwise
reveal_type(TunedSVR().fit([[1.0]], [1.0]))  # regress.models.svr.TunedSVR
reveal_type(layerbank.__version__)  # str
try:
    load_run("nowhere")
except LayerbankError as error:
    reveal_type(error)  # features.errors.LayerbankError
"""

#: Mistakes that a type checker can see, and what it calls them.
MISTAKES = {
    'layerbank.extract("one string", 5)': "arg-type",
    "layerbank.load_run(None)": "arg-type",
    'layerbank.evaluate("my.bank", ["a"], [1.0], modles=["ridge"])': "call-arg",
    "layerbank.evalaute": "attr-defined",
    'layerbank.Bank.open("my.bank").matirx': "attr-defined",
    "from layerbank import Bnak": "attr-defined",
}

#: Other libraries, which the program does not need to be followed into.
SETTINGS = """
[mypy]
strict = True
[mypy-torch.*,transformers.*,pandas.*,ray.*,altair.*]
follow_imports = skip
"""


@pytest.fixture(scope="module")
def said(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of the program and the mistakes."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "mypy.ini").write_text(SETTINGS)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "mistakes.py").write_text("\n".join(["import layerbank", *MISTAKES]))
    command = [sys.executable, "-m", "mypy", "--python-executable", clean, "."]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    ).stdout.splitlines()


def test_every_public_name_is_typed(said: list[str]) -> None:
    assert all(re.search(rf"\b{name}\b", PROGRAM) for name in layerbank.__all__)
    assert not [line for line in said if line.startswith("program.py") and ": error: " in line]
    lines = enumerate(PROGRAM.splitlines(), 1)
    expected = {i: line.split("  # ")[1] for i, line in lines if "  # " in line}
    revealed = {
        int(found[1]): found[2]
        for line in said
        if (found := re.fullmatch(r'program\.py:(\d+): note: Revealed type is "(.*)"', line))
    }
    assert revealed.keys() == expected.keys()
    for i, type_ in expected.items():
        assert revealed[i].startswith(type_), f"line {i} is {revealed[i]}"


def test_mistakes_are_seen(said: list[str]) -> None:
    found = {
        int(line.split(":")[1]): line.rsplit("[", 1)[1].rstrip("]")
        for line in said
        if line.startswith("mistakes.py") and ": error: " in line
    }
    assert found == {i: kind for i, kind in enumerate(MISTAKES.values(), 2)}
