"""Which devices there may be, and what goes with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from extract import extract
from extract.cli import app
from extract.scale.devices import parse_devices
from features.console.app import run
from features.errors import InputError


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("cpu,gpu", "there is no device 'gpu' for --devices: give all"),
        ("", "there is no device '' for --devices"),
        ("cpu:2", "cpu,cpu for two processes on the CPU"),
        ("cuda:99", "there is no device 'cuda:99' here: choose from"),
    ],
)
def test_no_such_devices(devices: str, message: str, bank: Path, tiny_roberta: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        extract(["a"], bank, encoder=str(tiny_roberta), devices=devices)
    assert not bank.exists()


def test_what_does_not_go_together(
    bank: Path, tiny_roberta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    (tmp_path / "a.txt").write_text("a\n")
    options = [str(tmp_path / "a.txt"), "--bank", str(bank), "--encoder", str(tiny_roberta)]
    refused = {
        "give one of them": ["--devices", "cpu,cpu", "--device", "cpu"],
        "give one of": ["--devices", "cpu,cpu", "--ray"],
        "--ray-actors is of --ray": ["--ray-actors", "1:2"],
        "--ray-cpus is of --ray": ["--ray-cpus", "1"],
        "leave out --ray": ["--ray", "--dry-run"],
        "not cuda:0": ["--ray", "--device", "cuda:0"],
        "no number of encoders": ["--ray", "--ray-actors", "3:1"],
        "--ray auto": ["--ray", "ray://head:10001"],
    }
    if not torch.cuda.is_available():
        refused["there is no GPU here"] = ["--devices", "all"]
    for message, more in refused.items():
        with pytest.raises(SystemExit) as caught:
            run(app, [*options, *more])
        assert caught.value.code == 2
        err = capsys.readouterr().err.strip().splitlines()
        assert len([line for line in err if line.startswith("layerbank: error: ")]) == 1
        assert message in err[-1]


def test_entries() -> None:
    assert parse_devices("0, 1,cpu") == ("cuda:0", "cuda:1", "cpu")
    assert parse_devices("all") == ("all",)
