"""Run folders that a stranger made or a bad day has touched: each is refused in one sentence."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import InputError, RunError
from regress import load_run
from regress.blend import blend
from regress.models.base import load_arrays
from tests.hostile.runs import COMMANDS, Caller, Runs, edit, make_runs, put

Arrays = dict[str, Any]
KINDS = ("run", "swept", "blend")
#: The best models' files, by run.
MODELS = {"run": "models/000-ridge.npz", "swept": "models/000-ridge.npz",
          "blend": "models/000-blend.zip"}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(runs: Runs, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: shutil.copytree(runs.folder / name, tmp_path / name)


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(tmp_path, capsys)


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


def signed(run: Path, number: int = 0) -> None:
    """Let run.json say of a model's file what it hashes to."""

    def change(description: Any) -> None:
        result = description["results"][number]
        content = (run / result["file"]).read_bytes()
        result["sha256"] = hashlib.sha256(content).hexdigest()

    edit(run, change)


def of_arrays(arrays: dict[str, Any], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array))
            archive.writestr(f"{name}.npy", member.getvalue())
    return content.getvalue()


def of_members(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def of_headers(arrays: Arrays, shape: str, kind: str = "<f8") -> bytes:
    """Arrays with nothing but their headers."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    return of_members({f"{name}.npy": header for name in arrays})


def with_sizes(content: bytes, size: int) -> bytes:
    """The zip's own list says that each member has so many bytes."""
    changed, at = bytearray(content), -1
    while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
        changed[at + 20 : at + 28] = size.to_bytes(4, "little") * 2
    return bytes(changed)


#: What becomes of a model's arrays.
ARRAYS: dict[str, Callable[[Arrays], bytes]] = {
    "garbage": lambda _: b"garbage" * 100,
    "empty": lambda _: b"",
    "an empty zip": lambda _: of_members({}),
    "cut": lambda arrays: of_arrays(arrays)[:-200],
    "pickled": lambda arrays: of_arrays({**arrays, "coef": np.array([{}], dtype=object)}),
    "a name less": lambda arrays: of_arrays({k: v for k, v in arrays.items() if k != "mean"}),
    "a name more": lambda arrays: of_arrays({**arrays, "other": np.zeros(3)}),
    "another name": lambda arrays: of_arrays({f"x{k}": v for k, v in arrays.items()}),
    "a path": lambda arrays: of_arrays({f"../../{k}": v for k, v in arrays.items()}),
    "a longer mean": lambda arrays: of_arrays({**arrays, "mean": np.zeros(1000)}),
    "two dimensions": lambda arrays: of_arrays({**arrays, "mean": arrays["mean"][None]}),
    "all shorter": lambda arrays: of_arrays({k: v[1:] if v.ndim else v for k, v in arrays.items()}),
    "no columns": lambda arrays: of_arrays({k: v[:0] if v.ndim else v for k, v in arrays.items()}),
    "float32": lambda arrays: of_arrays({k: v.astype("f4") for k, v in arrays.items()}),
    "big-endian": lambda arrays: of_arrays({k: v.astype(">f8") for k, v in arrays.items()}),
    "complex": lambda arrays: of_arrays({k: v.astype("c16") for k, v in arrays.items()}),
    "texts": lambda arrays: of_arrays({k: v.astype("U") for k, v in arrays.items()}),
    "records": lambda arrays: of_arrays({k: np.zeros(3, "f8,i4") for k in arrays}),
    "NaN": lambda arrays: of_arrays({**arrays, "mean": arrays["mean"] * np.nan}),
    "infinite": lambda arrays: of_arrays({**arrays, "intercept": np.inf}),
    "a scale of 0": lambda arrays: of_arrays({**arrays, "scale": arrays["scale"] * 0}),
    "a scale of -1": lambda arrays: of_arrays({**arrays, "scale": -arrays["scale"]}),
    "a scale of NaN": lambda arrays: of_arrays({**arrays, "scale": arrays["scale"] * np.nan}),
    "beyond all numbers": lambda arrays: of_arrays(
        {**arrays, "scale": np.full_like(arrays["scale"], 1e-308), "mean": arrays["mean"] + 1e30}
    ),
    "10^15 elements": lambda arrays: of_headers(arrays, f"({10**15},)"),
    "10^30 elements": lambda arrays: of_headers(arrays, f"({10**30},)"),
    "-1 elements": lambda arrays: of_headers(arrays, "(-1,)"),
    "elements of no size": lambda arrays: of_headers(arrays, f"({10**15},)", "<U0"),
    "a deep header": lambda arrays: of_headers(arrays, "(" * 5000),
    "a code for a header": lambda arrays: of_headers(arrays, "__import__('os').getpid()"),
    "version 3": lambda arrays: of_members({f"{k}.npy": b"\x93NUMPY\x03\x00" for k in arrays}),
    "compressed": lambda arrays: of_arrays(arrays, zipfile.ZIP_DEFLATED),
    "a bomb": lambda arrays: of_arrays(
        {**arrays, "coef": np.zeros(20_000_000)}, zipfile.ZIP_DEFLATED
    ),
    "larger than it is": lambda arrays: with_sizes(of_arrays(arrays), 2**31 - 1),
}  # fmt: skip


def damaged_arrays(run: Path, number: int, kind: str) -> None:
    path = run / json.loads((run / "run.json").read_text())["results"][number]["file"]
    before = path.read_bytes()
    path.write_bytes(ARRAYS[kind](load_arrays(io.BytesIO(before))))
    assert path.read_bytes() != before
    signed(run, number)


@pytest.mark.parametrize("model", ["ridge", "svr"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_no_model_are_refused(
    runs: Runs, copy: Callable[[str], Path], kind: str, model: str
) -> None:
    run = copy("run")
    number = next(i for i, m in enumerate(load_run(run).models) if m.model == model)
    damaged_arrays(run, number, kind)
    loaded = load_run(run)
    with pytest.raises(RunError, match=rf"{loaded.models[number].path} is damaged \(.*: copy"):
        loaded.predict(runs.task.texts, runs.task.bank, model=model)


@pytest.mark.parametrize("kind", ["garbage", "NaN", "10^15 elements", "all shorter"])
def test_each_command_refuses_such_a_model(
    runs: Runs, copy: Callable[[str], Path], call: Caller, kind: str
) -> None:
    run = copy("run")
    damaged_arrays(run, 0, kind)
    bank = ["--bank", runs.task.bank.path]
    call.refused("predict", run, runs.table, *bank, "--model", "ridge")
    call.refused("explain", run, runs.table, *bank, "--train", runs.table, "--model", "ridge")
    call.refused("blend", run)


def test_inner_predictions_are_bounded_and_whole(
    runs: Runs, copy: Callable[[str], Path], call: Caller
) -> None:
    swept = copy("swept")
    inner = swept / "inner.npz"
    arrays = load_arrays(inner)
    first = next(iter(arrays))
    cases = {kind: ARRAYS[kind](arrays) for kind in ("garbage", "empty", "cut", "compressed",
             "10^15 elements", "float32", "pickled", "a path")}  # fmt: skip
    for value in (np.nan, np.inf):
        cases[str(value)] = of_arrays({**arrays, first: np.full_like(arrays[first], value)})
    for kind, content in cases.items():
        inner.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        edit(swept, put(digest, "sha256", "inner.npz"))
        assert "inner.npz is damaged" in call.refused("blend", swept), kind


Blend = dict[str, Any]
#: What becomes of blend.json.
BLENDS: dict[str, Callable[[Blend], Any]] = {
    "a list": lambda _: [],
    "no weights": lambda described: described.pop("weights"),
    "a weight less": lambda described: described["weights"].pop(),
    "texts": put(["a"] * 9, "weights"),
    "NaN": lambda described: described["weights"].__setitem__(0, float("nan")),
    "infinite": lambda described: described["weights"].__setitem__(0, 1e999),
    "an infinite intercept": put(float("inf"), "intercept"),
    "no intercept": put(None, "intercept"),
    "no bases": lambda described: described.update(bases=[], weights=[]),
    "a name that is a path": put("../../../../tmp/x", "bases", 0, "name"),
    "a name that is none": put(3, "bases", 0, "name"),
    "an unknown kind": put("pickle", "bases", 0, "kind"),
    "another kind": put("lightgbm", "bases", 0, "kind"),
    "a blend": put("blend", "bases", 0, "kind"),
    "a path": put("../../etc/passwd", "bases", 0, "file"),
    "itself": put("blend.json", "bases", 0, "file"),
    "no file": put(None, "bases", 0, "file"),
    "columns of another": put([0, 3], "bases", 0, "columns"),
    "columns far away": put([10**12, 10**12 + 6], "bases", 0, "columns"),
    "columns that are none": put([0.0, 6.0], "bases", 0, "columns"),
    "backward": put([6, 0], "bases", 0, "columns"),
    "three columns": put([0, 3, 6], "bases", 0, "columns"),
}


def with_index(content: bytes, change: Callable[[Blend], Any]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(members["blend.json"])
    changed = change(described)
    described = changed if changed == [] else described
    return of_members({**members, "blend.json": json.dumps(described).encode()})


def nested(content: bytes, depth: int) -> bytes:
    """A blend of a blend of a blend."""
    stop = 10**6
    for _ in range(depth):
        base = {"file": "000-blend.zip", "name": "blend", "kind": "blend", "columns": [0, stop]}
        described = {"intercept": 0.0, "weights": [1.0], "bases": [base]}
        index = json.dumps(described).encode()
        content = of_members({"000-blend.zip": content, "blend.json": index})
    return content


@pytest.mark.parametrize("kind", [*BLENDS, "deep JSON", "deep zips", "compressed", "cut", "empty"])
def test_a_blend_that_is_none_is_refused(
    runs: Runs, copy: Callable[[str], Path], call: Caller, kind: str
) -> None:
    run = copy("blend")
    path = run / MODELS["blend"]
    content = path.read_bytes()
    if kind in BLENDS:
        content = with_index(content, BLENDS[kind])
    elif kind == "deep JSON":
        content = of_members({"blend.json": b"[" * 100_000})
    elif kind == "deep zips":
        content = nested(content, 2000)
    elif kind == "compressed":
        content = of_members({"blend.json": b" " * 10_000_000}, zipfile.ZIP_DEFLATED)
    else:
        content = content[: len(content) // 2] if kind == "cut" else b""
    path.write_bytes(content)
    signed(run)
    bank = ["--bank", runs.task.bank.path]
    assert f"{path} is damaged" in call.refused("predict", run, runs.table, *bank)


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
    "n", [pytest.param(150), pytest.param(20_000, marks=pytest.mark.slow)]
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
    ["../../x", "/x", "a/b", "", ".", "..", "...", "a\x00", "a\n", "\x1b[2J", "x" * 300,
     "a\\b"],
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
    "n", [pytest.param(60), pytest.param(5_000, marks=pytest.mark.slow)]
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
