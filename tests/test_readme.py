"""Everything the README tells its reader to type, typed; and that it is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import ROOT, SHELL, code_blocks
from tests.typed import Reader, lay_out

README = ROOT / "README.md"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the CSV files that the README's reader has."""
    folder = tmp_path_factory.mktemp("desk")
    lay_out(folder)
    return folder


def test_every_command_of_the_readme(desk: Path, reader: Reader) -> None:
    typed = [block.text for block in code_blocks(README, *SHELL)]
    assert "make demo\n" in typed
    for script in typed:
        result = reader.types(script, desk)
        assert result.returncode == 0, f"{script}: {result.stderr}"
    assert len(re.findall(r"^layerbank", "".join(typed), re.MULTILINE)) >= 8
    predictions = (desk / "predictions.csv").read_text().splitlines()
    assert predictions[0] == "id,target"
    assert len(predictions) == 11


def test_from_a_file_to_a_submission_takes_two_commands_and_few_options() -> None:
    """The first block that a reader types after installing."""
    text = README.read_text(encoding="utf-8")
    (commands,) = [
        block.text for block in code_blocks(README, *SHELL) if block.heading == "Two commands"
    ]
    assert [line.split()[:2] for line in commands.splitlines()] == [
        ["layerbank", "fit"], ["layerbank", "predict"]
    ]  # fmt: skip
    assert "--like sample_submission.csv" in text
    assert commands.count(" --") + 1 <= 4


def test_the_python_of_the_readme(desk: Path, reader: Reader) -> None:
    (program,) = code_blocks(README, "python")
    assert len(program.text.strip().splitlines()) <= 12
    result = reader.runs(program.text, desk)
    assert result.returncode == 0, result.stderr
    assert "RMSE" in result.stdout
    assert "training mean" in result.stdout


def test_it_is_short_and_python_comes_early() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.split()) <= 1300
    assert len(text[: text.index("```python")].split()) <= 450
    assert text.index("pip install") < text.index("layerbank fit") < text.index("```python")


def test_files_that_the_readme_names_exist() -> None:
    named = re.findall(r"`(benchmarks/[\w.]+)`", README.read_text(encoding="utf-8"))
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


def test_selections_of_the_table_mean_what_it_says() -> None:
    from features.selection import Selection

    text = README.read_text(encoding="utf-8")
    (table,) = re.findall(r"\| the usual name.*?\n\n", text, re.DOTALL)
    selections = [text for text in re.findall(r"`([^`]+)`", table)]
    assert len(selections) >= 12
    for text in selections:
        assert str(Selection.parse(text)) == text
