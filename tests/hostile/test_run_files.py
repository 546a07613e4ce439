"""Files of a run folder that are no files, or are damaged: each is refused in one sentence."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError, RunError
from regress import load_run
from regress.blend import blend
from tests.hostile.runs import COMMANDS, KINDS, MODELS, Caller, Runs


def fifo(path: Path) -> None:
    os.mkfifo(path)


IN_THE_WAY: dict[str, Callable[[Path], None]] = {
    "a pipe": fifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "a link to a pipe": lambda path: (fifo(path.with_name("p")), path.symlink_to("p"))[1],
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nothing": lambda path: None,
}
#: The files of a run, and the commands that read them.
READ = {
    ("run", "run.json"): [*COMMANDS],
    ("run", "oof.csv"): ["explain", "blend"],
    ("run", MODELS["run"]): ["predict", "explain", "blend"],
    ("swept", "run.json"): [*COMMANDS],
    ("swept", "oof.csv"): ["explain", "blend"],
    ("swept", "inner.npz"): ["blend"],
    ("swept", MODELS["swept"]): ["predict", "explain", "blend"],
    ("blend", "run.json"): [*COMMANDS],
    ("blend", "oof.csv"): ["explain", "blend"],
    ("blend", MODELS["blend"]): ["predict", "explain", "blend"],
}


@pytest.mark.parametrize("what", IN_THE_WAY)
@pytest.mark.parametrize(("name", "file"), READ)
def test_what_is_no_file_is_refused_at_once(
    runs: Runs, copy: Callable[[str], Path], call: Caller, name: str, file: str, what: str
) -> None:
    run = copy(name)
    (run / file).unlink()
    IN_THE_WAY[what](run / file)
    for command in READ[name, file]:
        options = (
            ["--model", "ridge"] if command in ("predict", "explain") and name == "run" else []
        )
        said = call.refused(*COMMANDS[command](run, runs), *options)
        assert file in said or what == "nothing", said


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, a piece cut out, or the end cut off."""
    changed, at = bytearray(content), int(rng.integers(len(content)))
    kind = rng.integers(4)
    if kind == 0:
        del changed[at:]
    elif kind == 1:
        del changed[at : at + int(rng.integers(1, 100))]
    else:
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            changed[place] = rng.integers(256)
    return bytes(changed)


@pytest.mark.parametrize(
    "n", [pytest.param(60), pytest.param(2_000, marks=pytest.mark.slow)]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_bytes_in_a_file_do_no_harm(runs: Runs, copy: Callable[[str], Path], n: int) -> None:
    """What is changed in a model is refused, or predicts what its numbers say."""
    rng = np.random.default_rng(n)
    bank, texts = runs.task.bank, runs.task.texts
    refused = done = 0
    for name in KINDS:
        run = copy(name)
        described = json.loads((run / "run.json").read_text(encoding="utf-8"))
        files = [result["file"] for result in described["results"]]
        files += [file for file in ("oof.csv", "inner.npz") if (run / file).exists()]
        for _ in range(n):
            file = files[rng.integers(len(files))]
            before = (run / file).read_bytes()
            (run / file).write_bytes(flipped(before, rng))
            digest = hashlib.sha256((run / file).read_bytes()).hexdigest()
            for result in described["results"]:
                if result["file"] == file:
                    result["sha256"] = digest
            if file in described["sha256"]:
                described["sha256"][file] = digest
            (run / "run.json").write_text(json.dumps(described), encoding="utf-8")
            loaded = load_run(run)
            for saved in loaded.models:
                try:
                    done += 1
                    found = loaded.predict(texts[:4], bank, model=saved.label)
                    assert np.isfinite(found).all()
                    loaded.explain(texts[:2], bank, model=saved.label, training=texts)
                except RunError:
                    refused += 1
            with contextlib.suppress(RunError, InputError):
                blend([run])
            (run / file).write_bytes(before)
    assert 0 < refused < done
