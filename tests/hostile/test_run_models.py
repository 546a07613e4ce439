"""Models of a run that a stranger made: each is refused, before anything large is unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import RunError
from regress import load_run
from regress.models.base import load_arrays
from tests.hostile.runs import MODELS, Caller, Runs, edit, put, signed

Arrays = dict[str, Any]


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
