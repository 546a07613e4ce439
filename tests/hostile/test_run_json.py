"""A run.json that a stranger made: each value is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import InputError, RunError
from regress import load_run
from regress.blend import blend
from tests.hostile.runs import COMMANDS, KINDS, Caller, Runs, edit, put


def description_of(value: Any, name: str = "") -> list[tuple[Any, ...]]:
    """The keys of every value in a run.json that has a meaning."""
    if isinstance(value, dict):
        inner = [(key, keys) for key, item in value.items() for keys in description_of(item)]
    elif isinstance(value, list):
        inner = [(key, keys) for key, item in enumerate(value[:1]) for keys in description_of(item)]
    else:
        inner = []
    return [(), *((key, *keys) for key, keys in inner)]


VALUES = (None, True, -1, 10**15, 10**400, 1.5, float("nan"), 1e999, "", "x", "../../x",
          "/etc/passwd", "\x1b[31m", "\ud800", [], {}, [[]], [None], {"a": 1})  # fmt: skip


@pytest.mark.parametrize(
    "n", [pytest.param(150), pytest.param(5_000, marks=pytest.mark.slow)]
)  # fmt: skip
@pytest.mark.parametrize("name", KINDS)
def test_other_values_in_run_json_do_no_harm(
    runs: Runs, copy: Callable[[str], Path], name: str, n: int
) -> None:
    """Each is refused, or the predictions are those of before."""
    run = copy(name)
    original = json.loads((run / "run.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(n)
    places = description_of(original)[1:]
    bank, texts = runs.task.bank, runs.task.texts[:4]
    expected = load_run(run).predict(texts, bank)
    before = sorted(runs.folder.rglob("*"))
    for _ in range(n):
        keys, value = places[rng.integers(len(places))], VALUES[rng.integers(len(VALUES))]
        changed = json.loads(json.dumps(original))
        put(value, *keys)(changed)
        (run / "run.json").write_text(json.dumps(changed), encoding="utf-8")
        try:
            loaded = load_run(run)
            np.testing.assert_allclose(loaded.predict(texts, bank), expected, rtol=1e-12)
            repr(loaded)
            loaded._repr_html_()
            blend([run, runs.folder / "swept"])
            loaded.explain(texts, bank, training=runs.task.texts, n_neighbours=2)
        except (RunError, InputError):
            continue
    assert sorted(runs.folder.rglob("*")) == before


@pytest.mark.parametrize(
    "file",
    ["/etc/passwd", "/dev/zero", "../run.json", "models/../../x", "models/", "models", "run.json",
     "models/a/b", "models/..", "", ".", "models/\x00", "models/a\nb", "models\\x"],
)  # fmt: skip
def test_a_model_lies_below_the_folder_of_models(copy: Callable[[str], Path], file: str) -> None:
    run = copy("run")
    edit(run, put(file, "results", 0, "file"))
    with pytest.raises(RunError, match=r"run\.json is damaged \(results\[0\]\.file "):
        load_run(run)


@pytest.mark.parametrize(
    "name",
    ["../../x", "/x", "a/b", "", ".", "..", "...", "a\x00", "a\n", "\x1b[2J", "x" * 300],
)  # fmt: skip
def test_a_bank_has_a_name(copy: Callable[[str], Path], name: str) -> None:
    run = copy("run")
    edit(run, put(name, "banks", 0, "name"))
    for number in range(3):
        edit(run, put(name, "results", number, "blocks", 0, "bank"))
    with pytest.raises(RunError, match=r"run\.json is damaged \((banks|results)\["):
        load_run(run)
    edit(run, put("made-up", "banks", 0, "name"))
    edit(run, put(name, "banks", 0, "fold"))
    with pytest.raises(RunError, match=r"run\.json is damaged \((banks|results)\["):
        load_run(run)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe\x00", b"", b"null"]
)
def test_a_run_json_that_is_none_is_refused(
    runs: Runs, copy: Callable[[str], Path], call: Caller, content: bytes
) -> None:
    run = copy("run")
    (run / "run.json").write_bytes(content)
    for command in COMMANDS.values():
        assert "run.json" in call.refused(*command(run, runs))


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("ridge", "alphas", []), ("ridge", "alphas", "x"), ("ridge", "unknown", 1),
        ("svr", "max_rows", []), ("lightgbm", "num_leaves", "x"), ("lightgbm", "step", 0),
        ("lightgbm", "max_rounds", 10**15), ("lightgbm", "extra_trees", {}),
    ],
)  # fmt: skip
def test_settings_that_no_regressor_takes_are_refused(
    runs: Runs, copy: Callable[[str], Path], call: Caller, name: str, parameter: str, value: Any
) -> None:
    run = copy("run")
    edit(run, put(value, "regressors", name, "params", parameter))
    said = call.refused(
        "regress", "--from", run, runs.table, "--bank", runs.task.bank.path, "--quiet"
    )
    assert str(run) in said
