"""What a run says of places outside its folder counts where it was written; elsewhere, options."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features import Bank
from features.disk import notes
from features.errors import FingerprintMismatch, RunError
from regress import evaluate, load_run
from regress.blend import blend, save_blend
from tests.hostile.runs import COMMANDS, Caller, Runs, edit, put
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import fill, saved_without_reports


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this were another machine, or another user."""
    monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "another-cache"))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A file with a text that no bank has."""
    path = tmp_path / "new.csv"
    path.write_text("text\nnever seen\n", encoding="utf-8")
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


OF = {"predict": "run", "explain": "run", "blend": "run", "regress --from": "run",
      "sweep --from": "swept", "blend --from": "blend"}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("how", [shutil.copytree, shutil.move])
def test_a_run_of_this_machine_needs_no_option(
    runs: Runs, call: Caller, tmp_path: Path, command: str, how: Callable[..., object]
) -> None:
    run = shutil.copytree(runs.folder / OF[command], tmp_path / "copied")
    how(run, tmp_path / "again")
    code, err = call(*COMMANDS[command](tmp_path / "again", runs))
    assert code == 0, err


#: What each command says where it does not take the run's word, and what is given then.
ASKED = {
    "predict": ("--bank", lambda r: ["--bank", r.task.bank.path]),
    "explain": ("--train", lambda r: ["--train", r.table, "--bank", r.task.bank.path]),
    "regress --from": ("give it as INPUT", lambda r: [r.table, "--bank", r.task.bank.path]),
    "sweep --from": ("give it as INPUT", lambda r: [r.table, "--bank", r.task.bank.path]),
    "blend --from": ("name its runs", lambda r: [r.folder / "run", r.folder / "swept"]),
}


@pytest.mark.parametrize("command", ASKED)
def test_a_run_of_another_needs_options_alone(
    runs: Runs, call: Caller, elsewhere: None, command: str
) -> None:
    option, given = ASKED[command]
    arguments = COMMANDS[command](runs.folder / OF[command], runs)
    before = content(runs.folder)
    said = call.refused(*arguments)
    assert "was not made here, or not by you" in said
    assert option in said
    code, err = call(*arguments, *given(runs))
    assert code == 0, err
    if "--from" in command:
        assert "to the last digit" in err
    assert content(runs.folder) == before


def test_changed_or_of_before_it_is_another(runs: Runs, call: Caller, tmp_path: Path) -> None:
    run = shutil.copytree(runs.folder / "run", tmp_path / "run")
    assert load_run(run).written_here
    edit(run, put("2020-01-01", "created"))
    assert not load_run(run).written_here
    assert "--bank" in call.refused("predict", run, runs.table, "--id", "id")


def test_python_takes_the_same(runs: Runs, elsewhere: None) -> None:
    run, texts, bank = load_run(runs.folder / "run"), runs.task.texts, runs.task.bank
    with pytest.raises(RunError, match=r"not made here.* with --bank \(in Python bank=…\)"):
        run.predict(texts)
    assert np.isfinite(run.predict(texts, bank)).all()
    with pytest.raises(RunError, match=r"not made here.* training file .*run\.csv .*--train"):
        run.explain(texts[:1], bank)
    for training in (texts, runs.table):
        [explanation] = run.explain(texts[:1], bank, training=training)
        assert explanation.neighbours


@pytest.fixture
def victim(runs: Runs, tmp_path: Path) -> Path:
    """Another bank of the user's, made in the same way."""
    return shutil.copytree(runs.task.bank.path, tmp_path / "victim.bank")


@pytest.fixture
def stranger(runs: Runs, victim: Path, tmp_path: Path) -> Path:
    """A run that names what is the user's, and an encoder."""
    run = shutil.copytree(runs.folder / "run", tmp_path / "stranger")
    edit(run, put(str(victim), "banks", 0, "path"))
    edit(run, put("evil/encoder", "banks", 0, "source", "encoder"))
    return run


def test_nothing_is_added_to_a_bank_that_only_the_run_names(
    call: Caller, stranger: Path, victim: Path, new: Path, tmp_path: Path
) -> None:
    before = content(victim)
    said = call.refused("predict", stranger, new)
    assert "the encoder evil/encoder that it names is left alone" in said
    assert "--encoder" in said
    assert "--bank" in said
    for scratch in ([], ["--scratch", tmp_path / "scratch.bank"]):
        assert "left alone" in call.refused("predict", stranger, new, *scratch)
        said = call.refused("predict", stranger, new, "--encoder", "mine", *scratch)
        into = scratch[1] if scratch else stranger / "scratch" / "made-up.bank"
        assert f"encoded by mine into {into}" in said
        said = call.refused("explain", stranger, new, "-k", 0, *scratch)
        assert "left alone" in said
    assert "encoder" in call.refused("predict", stranger, new, "--bank", victim)
    said = call.refused("predict", stranger, new, "--bank", victim, "--encoder", "mine")
    assert f"encoded by mine into {victim}" in said
    assert content(victim) == before


def test_no_link_leads_out_of_a_runs_scratch(
    call: Caller, stranger: Path, victim: Path, new: Path, tmp_path: Path
) -> None:
    before = content(victim)
    shutil.copytree(victim, tmp_path / "banks" / "made-up.bank")
    (stranger / "scratch").symlink_to(tmp_path / "banks")
    assert "is a link" in call.refused("predict", stranger, new, "--encoder", "mine")
    (stranger / "scratch").unlink()
    (stranger / "scratch").mkdir()
    (stranger / "scratch" / "made-up.bank").symlink_to(victim)
    assert "is a link" in call.refused("predict", stranger, new, "--encoder", "mine")
    assert content(victim) == before


def test_a_blend_does_not_pass_on_what_a_stranger_named(
    runs: Runs, stranger: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    edit(stranger, put(str(tmp_path / "pipe"), "input", "path"))
    edit(stranger, put(["author"], "input", "by"))
    blended = save_blend(blend([stranger, runs.folder / "swept"]), tmp_path / "blend")
    assert not load_run(blended).written_here
    assert json.loads((blended / "run.json").read_text())["input"]["path"].endswith("pipe")
    with pytest.raises(RunError, match="not made here"):
        load_run(blended).predict(runs.task.texts)
    assert np.isfinite(load_run(blended).predict(runs.task.texts, runs.task.bank)).all()


@pytest.fixture
def two_banks(runs: Runs, tmp_path: Path) -> tuple[Path, Path]:
    """A run on two banks, and the second bank."""
    other = Bank.create(tmp_path / "other.bank", {**SETUP, "hidden_size": 3}, SOURCE)
    n_blocks = len(other.blocks)
    states = np.random.default_rng(1).standard_normal((60, n_blocks, 3)).astype(np.float32)
    fill(other, runs.task.texts, states)
    select = "made-up/mean[-1]+other/max[-1]"
    found = evaluate([runs.task.bank, other], runs.task.texts, runs.task.y, select=select)
    with saved_without_reports():
        return found.save(tmp_path / "both"), other.path


def test_each_of_several_banks_is_named(
    runs: Runs, two_banks: tuple[Path, Path], call: Caller
) -> None:
    run, other = two_banks
    edit(run, put("2020-01-01", "created"))
    mine = runs.task.bank.path
    predict = ["predict", run, runs.table, "--id", "id"]
    assert "left alone" in call.refused(*predict)
    assert "left alone" in call.refused(*predict, "--bank", mine)
    code, err = call(*predict, "--bank", other, "--bank", mine)
    assert code == 0, err
    explain = ["explain", run, runs.table, "--id", "id", "--only", "003", "-k", 0]
    code, err = call(*explain, "--bank", other, "--bank", mine)
    assert code == 0, err


def test_one_of_several_banks_has_moved(
    runs: Runs, two_banks: tuple[Path, Path], call: Caller, tmp_path: Path
) -> None:
    run, other = two_banks
    predict = ["predict", run, runs.table, "--id", "id"]
    moved = shutil.move(other, tmp_path / "moved.bank")
    code, err = call(*predict, "--bank", moved)
    assert code == 0, err
    foreign = Bank.create(tmp_path / "foreign.bank", {**SETUP, "hidden_size": 5}, SOURCE).path
    assert f"none like the bank {foreign}" in call.refused(*predict, "--bank", foreign)
    with pytest.raises(FingerprintMismatch):
        load_run(run).predict(runs.task.texts, foreign)


def test_without_a_cache_folder_each_run_is_anothers(
    runs: Runs, call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("LAYERBANK_CACHE", str(open_to_all))
    with saved_without_reports():
        run = evaluate(runs.task.bank, runs.task.texts, runs.task.y).save(tmp_path / "saved")
    assert not [*open_to_all.iterdir()]
    assert "--bank" in call.refused("predict", run, runs.table, "--id", "id")
    code, err = call("predict", run, runs.table, "--id", "id", "--bank", runs.task.bank.path)
    assert code == 0, err


def test_notes_are_of_content_and_bounded(
    tmp_path: Path, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "KEPT", 3)
    for number in range(6):
        notes.note_written_here(b"%d" % number)
    folder = tmp_path / "another-cache" / notes.FOLDER
    assert len([*folder.iterdir()]) == 3
    assert notes.was_written_here(b"5")
    assert not notes.was_written_here(b"0")
    assert not notes.was_written_here(b"other")
    assert folder.stat().st_mode & 0o077 == 0
