"""``layerbank info``: true on sound banks, helpful on damaged ones, quick, and light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features import Bank
from features.upkeep.compact import compact
from features.upkeep.summary import WIDTH, bar_width, describe, drawn, histogram, summary
from tests.made_up import SETUP, SOURCE, add


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    bank = Bank.create(tmp_path / "b.bank", SETUP, {**SOURCE, "revision": "abc"})
    for part in range(4):
        add(bank, ["x" * (3 + i) for i in range(part * 5, part * 5 + 5)])
    return bank


def test_numbers_are_those_of_the_bank(bank: Bank) -> None:
    facts = describe(bank.path)
    lengths = np.arange(3, 23)
    assert facts["n_texts"] == 20
    assert facts["n_truncated"] == (lengths > 5).sum()
    assert facts["truncated_share"] == pytest.approx((lengths > 5).mean())
    assert facts["tokens"]["min"] == 3
    assert facts["tokens"]["max"] == 22
    assert facts["tokens"]["median"] == np.median(lengths)
    assert facts["tokens"]["total"] == lengths.sum()
    assert facts["n_segments"] == facts["n_segments_looked_at"] == 4
    assert facts["bytes"] == sum(f.stat().st_size for f in bank.path.glob("segment-*"))
    assert facts["rows_by_dtype"] == {"float32": 20}
    assert facts["made_by"] == [{"engine": "made up"}]
    assert facts["poolings"] == ["cls", "mean", "max", "pooler"]
    assert facts["findings"] == []
    assert facts["written"]["first"] <= facts["written"]["last"]
    bars = facts["tokens"]["histogram"]
    assert sum(bar["n"] for bar in bars) == 20
    for bar in bars:
        assert bar["n"] == ((lengths >= bar["from"]) & (lengths <= bar["to"])).sum()


@pytest.mark.parametrize("longest", [1, 9, 15, 16, 100, 512, 8192, 10**6])
@pytest.mark.parametrize("shortest", [0, 1])
def test_bars_are_few_and_reach_the_longest(shortest: int, longest: int) -> None:
    lengths = np.array([shortest, longest], np.int32)
    bars = histogram(lengths)
    assert 1 <= len(bars) <= 16
    assert bars[0]["from"] <= shortest
    assert bars[-1]["to"] >= longest
    assert bar_width(shortest, longest) in [a * 10**b for a in (1, 2, 5) for b in range(7)]
    assert histogram(np.empty(0, np.int32)) == []


def test_bars() -> None:
    assert drawn(1.0, False) == "#" * WIDTH
    assert drawn(1e-6, False) == "#"
    assert drawn(1e-6, True) == "▏"
    assert drawn(0.5, True) == "█" * (WIDTH // 2)
    assert drawn(0.0, True) == drawn(0.0, False) == ""


def test_an_empty_bank_and_a_compacted_one(tmp_path: Path, bank: Bank) -> None:
    empty = Bank.create(tmp_path / "empty.bank", SETUP, SOURCE)
    assert describe(empty.path)["tokens"]["mean"] is None
    assert "none yet" in summary(describe(empty.path))
    compact(bank.path)
    facts = describe(bank.path)
    assert facts["made_by"] == [{"engine": "made up"}]
    assert facts["retired"]["n"] == 4
    assert "that compact replaced" in summary(facts)


def test_damage_is_told_and_the_rest_still_counts(bank: Bank) -> None:
    one, two, *_ = sorted(bank.path.glob("segment-*"))
    one.write_bytes(one.read_bytes()[:500])
    two.unlink()
    (bank.path / ".writing-0123456789abcdef").write_bytes(b"")
    (bank.path / "notes.txt").write_text("mine")
    facts = describe(bank.path)
    kinds = {(finding["kind"], finding["name"]) for finding in facts["findings"]}
    assert kinds == {
        ("damaged", one.name), ("missing", two.name), ("stray", "notes.txt"),
        ("left behind", ".writing-0123456789abcdef"),
    }  # fmt: skip
    assert facts["n_texts"] == 10
    shown = summary(facts)
    assert "--repair" in shown
    assert one.name in shown


def test_a_sample_of_many_segments_is_said_to_be_one(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.upkeep.summary.LOOKED_AT", 2)
    facts = describe(bank.path)
    assert (facts["n_segments"], facts["n_segments_looked_at"], facts["n_texts"]) == (4, 2, 20)
    assert sum(bar["n"] for bar in facts["tokens"]["histogram"]) == 10
    assert "in 2 of 4 segments" in summary(facts)


def test_the_command_is_light_plain_on_a_pipe_and_drawn_on_a_terminal(bank: Bank) -> None:
    code = (
        "import sys, layerbank.cli\n"
        f"try: layerbank.cli.app(['info', {str(bank.path)!r}])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "#" in plain.stdout
    assert "█" not in plain.stdout
    loaded = {name.split(".")[0] for name in plain.stderr.split()}
    assert not loaded & {"torch", "transformers", "sklearn", "pandas", "scipy", "lightgbm"}

    import pty

    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "layerbank", "info", str(bank.path)],
        stdout=terminal,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert process.wait(timeout=60) == 0
    os.close(terminal)
    drawn_there = os.read(main, 1 << 16).decode()
    os.close(main)
    assert "█" in drawn_there
    answer = subprocess.run(
        [sys.executable, "-m", "layerbank", "info", str(bank.path), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(answer.stdout)["n_texts"] == 20
