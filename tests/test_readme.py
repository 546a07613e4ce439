"""Everything the README tells its reader to type, typed."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    text = "".join(blocks("sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, hub_with_roberta: dict[str, str]) -> Path:
    """A folder with the CSV files that the README's reader has."""
    folder = tmp_path_factory.mktemp("desk")
    with (resources.files("features.sample") / "passages.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, part in {"train.csv": rows[:60], "test.csv": rows[60:70]}.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "excerpt", "target", "standard_error"])
            for i, row in enumerate(part):
                writer.writerow([row["id"], row["text"], row["level"], 0.4 + i % 7 / 10])
    return folder


def run(desk: Path, hub: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=desk, env={**os.environ, **hub}, capture_output=True, text=True, check=False
    )


def test_every_command_of_the_readme(desk: Path, hub_with_roberta: dict[str, str]) -> None:
    typed = [shlex.split(line) for line in commands()]
    assert ["make", "demo"] in typed
    done = 0
    for program, *arguments in typed:
        if program == "make":
            continue  # tests/test_fresh_machine.py
        assert program == "layerbank"
        result = run(desk, hub_with_roberta, sys.executable, "-m", "layerbank", *arguments)
        assert result.returncode == 0, f"{arguments}: {result.stderr}"
        done += 1
    assert done >= 9
    submission = (desk / "submission.csv").read_text().splitlines()
    assert submission[0] == "id,prediction"
    assert len(submission) == 11


def test_the_python_of_the_readme(desk: Path, hub_with_roberta: dict[str, str]) -> None:
    (program,) = blocks("python")
    assert len(program.strip().splitlines()) <= 12
    result = run(desk, hub_with_roberta, sys.executable, "-c", program)
    assert result.returncode == 0, result.stderr
    assert "mean[:]" in result.stdout


def test_files_that_the_readme_names_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    named = re.findall(r"`(benchmarks/[\w.]+)`", README)
    assert links
    assert named
    for path in links + named:
        assert (ROOT / path).exists(), path


def test_selections_of_the_table_mean_what_it_says() -> None:
    from features.selection import Selection

    (table,) = re.findall(r"\| the usual name.*?\n\n", README, re.DOTALL)
    selections = [text for text in re.findall(r"`([^`]+)`", table)]
    assert len(selections) >= 14
    for text in selections:
        assert str(Selection.parse(text)) == text
