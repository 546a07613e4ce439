"""Runs and banks that hold texts are found; what is none of theirs is not, and no link followed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank, text_keys
from features.cli import app
from features.console.app import run
from features.upkeep.elsewhere import Holder, holders_of
from tests.features.upkeep.traces import assert_holds, state
from tests.made_up import add
from tests.pages import ROOT

#: Runs that this project wrote, all of them on these texts.
GOLDEN = ROOT / "tests/regress/runs/golden/version-0"
TEXTS = [f"golden text {i}" for i in range(36)]
OOF = "a line for each in oof.csv"
VECTORS = "vectors in its models"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a bank and runs that were trained on it."""
    for name in ("whole.bank", "sweep", "every-model", "blend", "fold-banks"):
        shutil.copytree(GOLDEN / name, tmp_path / name)
    return tmp_path


def found(desk: Path, texts: list[str], **where: Any) -> dict[str, Holder]:
    bank = Bank.open(desk / "whole.bank")
    holders = holders_of(
        text_keys(texts), bank.fingerprint, but=[bank.path], **{"near": [desk]} | where
    )
    return {os.path.relpath(holder.path, desk): holder for holder in holders}


def test_runs_on_the_bank_may_hold_them(desk: Path) -> None:
    holders = found(desk, [TEXTS[0]])
    # The models of `fold-banks` are of other encoders.
    assert {*holders} == {"sweep", "every-model", "blend"}
    for holder in holders.values():
        assert (holder.is_run, holder.n, holder.keeps) == (True, None, (VECTORS, OOF))
    for path in (desk / "sweep" / "models").glob("*r.npz"):
        path.unlink()  # krr and svr; ridge keeps no vectors
    (desk / "sweep" / "report.html").write_text("<q>golden text 0</q>")
    assert found(desk, [TEXTS[0]])["sweep"].keeps == (OOF, "quotes in report.html")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_run_that_keeps_its_keys_is_asked(save: Callable[..., None], desk: Path) -> None:
    for name in ("sweep", "fold-banks"):
        save(desk / name / "keys.npz", keys=text_keys(TEXTS))
    holders = found(desk, [*TEXTS[:2], TEXTS[1], "another"])
    assert {name: holder.n for name, holder in holders.items()} == {
        "sweep": 2, "fold-banks": 2, "every-model": None, "blend": None,
    }  # fmt: skip
    assert {*found(desk, ["another"])} == {"every-model", "blend"}


@pytest.mark.parametrize("wrong", ["other texts", "one more", "no zip", "no array", "nothing"])
def test_a_list_of_keys_that_is_not_the_runs_tells_nothing(wrong: str, desk: Path) -> None:
    path = desk / "sweep" / "keys.npz"
    if wrong == "other texts":
        np.savez(path, keys=text_keys(["another"] * len(TEXTS)))
    elif wrong == "one more":
        np.savez_compressed(path, keys=np.zeros((1 << 20, 32), np.uint8))
    elif wrong == "no array":
        np.savez(path, other=text_keys(TEXTS))
    else:
        path.write_bytes(b"PK\x03\x04" if wrong == "no zip" else b"")
    assert found(desk, ["another"])["sweep"].n is None


def test_other_banks_and_scratch_banks_are_asked(
    desk: Path, make_bank: Callable[..., Bank]
) -> None:
    scratch = Bank.create(desk / "sweep" / "scratch" / "whole.bank", make_bank().setup, {})
    add(scratch, [TEXTS[0], "another"])
    make_bank(["another"], "another.bank")
    make_bank(TEXTS[:3], "runs/deep/deeper/three.bank")
    holders = found(desk, [*TEXTS[:2], TEXTS[0], "nowhere"])
    del holders["sweep"], holders["every-model"], holders["blend"]
    assert holders == {"sweep/scratch/whole.bank": Holder(scratch.path, is_run=False, n=1)}
    holders = found(desk, TEXTS[:2], near=[], also=[desk / "runs"])
    assert [(name, holder.n) for name, holder in holders.items()] == [
        ("runs/deep/deeper/three.bank", 2)
    ]
    assert found(desk, TEXTS[:2], near=[scratch.path, desk / "nowhere"]).keys() == {
        "sweep/scratch/whole.bank"
    }


def test_links_and_what_others_wrote_are_passed_over(desk: Path, tmp_path: Path) -> None:
    shutil.rmtree(desk / "blend")
    shutil.rmtree(desk / "fold-banks")
    (desk / "linked").symlink_to(desk / "every-model")
    (desk / "circle").symlink_to(desk)
    for number, content in enumerate(['{"a": 1}', "{", "[" * 10_000, '{"format": "other"}', ""]):
        (desk / f"{number}").mkdir()
        (desk / f"{number}" / "run.json").write_text(content)
    (desk / "6").mkdir()
    os.mkfifo(desk / "6" / "run.json")
    (desk / "7").mkdir()
    (desk / "7" / "bank.json").write_text("{}")
    assert {*found(desk, TEXTS[:1])} == {"sweep", "every-model"}
    # A run of ours that is damaged may hold them all the same.
    (desk / "sweep" / "run.json").write_text("{")
    (desk / "8").mkdir()
    shutil.copy(desk / "whole.bank" / "bank.json", desk / "8")
    text = json.loads((desk / "8" / "bank.json").read_text())
    (desk / "8" / "bank.json").write_text(json.dumps({**text, "created": "then"}))
    holders = found(desk, TEXTS[:1])
    assert {name: holder.n for name, holder in holders.items()} == {
        "8": None, "every-model": None, "sweep": None,
    }  # fmt: skip


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    with pytest.raises(SystemExit) as left:
        run(app, ["delete", *map(str, words)])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out.splitlines(), said.err


def test_what_the_command_says(
    desk: Path,
    make_bank: Callable[..., Bank],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("sweep", "blend", "fold-banks"):
        shutil.rmtree(desk / name)
    monkeypatch.chdir(desk)
    scratch = make_bank(TEXTS[:1], "every-model/scratch/whole.bank")
    rows = desk / "forget me.csv"
    rows.write_text(f"essay,id\n{TEXTS[0]},1\n{TEXTS[1]},2\nnever there,3\n")
    before = state(desk)
    words = ("whole.bank", "--rows", rows, "--text", "essay")
    code, lines, err = call(capsys, *words, "--dry-run")
    assert (code, err) == (0, "")
    assert state(desk) == before
    expected = [
        f"{desk}/whole.bank: deleted 2 texts; 2 rows in 1 segment",
        "1 of the 3 texts given is not in the bank: name the same columns as for `layerbank "
        "extract`, if you expected them there",
        f"{desk}/every-model was trained on such a bank, and may hold them ({VECTORS}, {OOF}): "
        "repeat the run without them, or remove its folder",
        f"{scratch.path} holds 1 of them: `layerbank delete {scratch.path} --rows '{rows}'`, with "
        "the same --text",
        f"copies elsewhere remain: {rows} itself, exports, backups, and banks and runs in folders "
        "that were not looked in (name those with --also)",
    ]
    assert lines == [expected[0].replace("deleted", "would delete"), *expected[1:]]
    assert call(capsys, *words) == (0, expected, "")
    assert not Bank.open(desk / "whole.bank").contains(TEXTS[:2]).any()
    assert Bank.open(desk / "whole.bank").contains(TEXTS[2:]).all()
    assert Bank.open(scratch.path).contains(TEXTS[:1]).all()  # listed, and left
    assert call(capsys, scratch.path, "--rows", rows, "--text", "essay")[0] == 0
    assert not Bank.open(scratch.path).contains(TEXTS[:1]).any()


def test_the_rows_are_read_as_extract_reads_them(
    make_bank: Callable[..., Bank], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = make_bank([("prompt", "Ä"), "Ä", "prompt", " spaced ", "left"])
    rows = tmp_path / "rows.data"
    rows.write_bytes("a;b\n".encode("cp1252"))
    assert call(capsys, bank.path)[0] == 2  # not without --rows
    code, out, err = call(capsys, bank.path, "--rows", rows)
    assert (code, out) == (2, [])
    assert "--format" in err
    rows.write_bytes("essay\tquestion\nÄ\tprompt\n".encode("cp1252"))
    options = ("--format", "tsv", "--encoding", "cp1252")
    code, out, _ = call(
        capsys, bank.path, "--rows", rows, *options, "--text", "question", "--text", "essay"
    )
    assert (code, out[0].partition(": ")[2]) == (0, "deleted 1 text; 1 row in 1 segment")
    assert_holds(bank.path, ["Ä", "prompt", " spaced ", "left"])
    rows.write_text('{"text": " spaced "}\n{"text": ""}\n{"text": "spaced"}\n')
    code, _, err = call(capsys, bank.path, "--rows", rows, "--format", "jsonl")
    assert (code, "--skip-empty" in err) == (2, True)
    assert_holds(bank.path, ["Ä", "prompt", " spaced ", "left"])
    call(capsys, bank.path, "--rows", rows, "--format", "jsonl", "--skip-empty")
    assert_holds(bank.path, ["Ä", "prompt", "left"])


def test_the_reader_is_told_of_copies_and_other_names(
    make_bank: Callable[..., Bank], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = make_bank(["one", "two"])
    (path,) = bank.path.glob("segment-*")
    for place in ("retired", "damaged"):
        (bank.path / place).mkdir()
    shutil.copy(path, bank.path / "retired")
    (bank.path / "damaged" / path.name).write_bytes(b"cut off")
    os.link(path, tmp_path / "backup.h5")
    (tmp_path / "rows.txt").write_text("one\n")
    code, lines, _ = call(capsys, bank.path, "--rows", tmp_path / "rows.txt")
    assert code == 0
    assert lines[1:4] == [
        f"{bank.path}: removed retired/{path.name}, which held them too",
        f"{bank.path}: removed damaged/{path.name}, whose texts cannot be read any more",
        f"{path} has another name elsewhere (a link or a hard link), whose bytes stay: remove that "
        "file yourself",
    ]
