"""The scripts of docs/job-arrays.md: the very lines a queue would run, in its environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from extract import extract
from features import Bank
from features.tables.table import open_table, read_texts
from tests.extract.same_bank import assert_same, n_rows
from tests.pages import ROOT, SHELL, code_blocks
from tests.typed import Reader, lay_out

DOCS = ROOT / "docs"
SBATCH, JOB = DOCS / "scripts" / "extract.sbatch", DOCS / "scripts" / "extract-job.yaml"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the usual files."""
    lay_out(tmp_path)
    return tmp_path


def environment(desk: Path, encoder: Path) -> dict[str, str]:
    return {"TEXTS": str(desk / "train.csv"), "ENCODER": str(encoder), "BANK": str(desk / "a.bank")}


def texts_of(desk: Path) -> list[str]:
    return [str(text) for text in read_texts(open_table(desk / "train.csv"), ["excerpt"])]


def complete(desk: Path, encoder: Path) -> None:
    """All shards are in the one bank, each text once, as one process would have it."""
    texts = texts_of(desk)
    whole = desk / "whole.bank"
    extract(texts, whole, encoder=str(encoder), precision="bf16")
    bank = Bank.open(desk / "a.bank")
    assert bank.contains(texts).all()
    assert n_rows(bank.path) == bank.n_texts == len(set(texts))
    assert_same(bank.path, whole, texts, tolerance=3e-2)


def test_the_tasks_of_a_slurm_array(desk: Path, reader: Reader, tiny_roberta: Path) -> None:
    script = SBATCH.read_text()
    assert "#SBATCH --array=0-15" in script
    given = environment(desk, tiny_roberta)
    for task in [*range(15, -1, -1), 3, 7]:  # backwards, and two of them twice
        result = reader.types(
            script, desk, **given, SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT="2"
        )
        assert result.returncode == 0, result.stderr
    assert "0 texts new" in result.stdout
    complete(desk, tiny_roberta)
    (dry, merge) = (block.text for block in code_blocks(DOCS / "job-arrays.md", *SHELL)[:2])
    result = reader.types(dry, desk, **given)
    assert ", of which 0 are new" in result.stdout, result.stderr
    for number in (0, 1):
        shutil.copytree(desk / "a.bank", desk / f"shard-{number}.bank")
    result = reader.types(merge, desk)
    assert result.returncode == 0, result.stderr
    assert Bank.open(desk / "all.bank").n_texts == len(set(texts_of(desk)))


@pytest.mark.slow
def test_the_pods_of_an_indexed_job(desk: Path, reader: Reader, tiny_roberta: Path) -> None:
    job = yaml.safe_load(JOB.read_text())["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert job["completionMode"] == "Indexed"
    given = environment(desk, tiny_roberta)
    assert {entry["name"] for entry in container["env"]} == {*given}
    assert container["command"] == ["/bin/sh", "-c"]
    (line,) = container["args"]
    for pod in range(job["completions"]):
        result = reader.types(line, desk, **given, JOB_COMPLETION_INDEX=str(pod))
        assert result.returncode == 0, result.stderr
    complete(desk, tiny_roberta)


def test_a_shard_that_does_not_exist_fails_its_task(
    desk: Path, reader: Reader, tiny_roberta: Path
) -> None:
    result = reader.types(
        SBATCH.read_text(), desk, **environment(desk, tiny_roberta), SLURM_ARRAY_TASK_ID="16"
    )
    assert result.returncode == 2
    assert "there is no shard 16 of 16" in result.stderr
    assert os.listdir(desk).count("a.bank") == 0
