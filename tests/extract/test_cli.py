"""The command line, as a user meets it."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from extract.cli import app
from features import Bank
from features.console.app import run
from features.tables.spool import _kept
from tests.tiny_encoders import hub_cache

CSV = "id,excerpt\n007,the river froze\n008,NA\n009,two geese & a heron\n"


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.csv"
    path.write_text(CSV)
    return path


def call(*arguments: object) -> int:
    """Run the command line in this process; its exit code."""
    with pytest.raises(SystemExit) as caught:
        run(app, [str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def test_a_file_becomes_a_bank(
    train: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [train, "--text", "excerpt", "--bank", bank]
    assert call(*arguments, "--encoder", tiny_roberta, "--poolings", "mean, cls") == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert f"{bank}: 3 texts new, 0 reused, 0 of the new ones truncated at 512 tokens; " in out
    assert "texts/s" in err
    opened = Bank.open(bank)
    assert opened.contains(["the river froze", "NA", "two geese & a heron"]).all()
    assert opened.poolings == ("cls", "mean")
    assert call(*arguments, "--quiet") == 0
    out, err = capsys.readouterr()
    assert "0 texts new, 3 reused" in out
    assert not err


def test_a_packed_file_and_standard_input(
    tmp_path: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    packed = tmp_path / "train.csv.gz"
    packed.write_bytes(gzip.compress(CSV.encode()))
    arguments = ["--text", "excerpt", "--bank", bank, "-q"]
    assert call(packed, *arguments, "--encoder", tiny_roberta) == 0
    assert "3 texts new" in capsys.readouterr().out
    _kept.cache_clear()
    lines = io.BytesIO(f"{CSV}010,new\n".replace(",", "\t").encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(lines))
    assert call("-", "--format", "tsv", *arguments) == 0
    _kept.cache_clear()
    assert "1 texts new, 3 reused" in capsys.readouterr().out
    assert call("s3://bucket/train.csv", *arguments) == 2
    assert "s3://bucket/train.csv is an address" in capsys.readouterr().err


def test_pairs_and_several_files(
    tmp_path: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, prompt in [("one", "Why?"), ("two", "How?")]:
        (tmp_path / f"{name}.csv").write_text(f"prompt,essay\n{prompt},Because it froze.\n")
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    columns = ["--text", "prompt", "--text", "essay"]
    assert call(*files, *columns, "--bank", bank, "--encoder", tiny_roberta, "-q") == 0
    assert "2 texts new" in capsys.readouterr().out
    assert Bank.open(bank).contains([("Why?", "Because it froze.")]).all()
    assert call(files[0], *columns, "--text", "prompt", "--bank", bank, "-q") == 0
    assert "1 texts new" in capsys.readouterr().out
    assert Bank.open(bank).contains([("Why?", "Because it froze.", "Why?")]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv does not exist"),
        (["train.csv", "--text", "excerp"], "no column 'excerp' (did you mean 'excerpt'?)"),
        (["train.csv"], "its columns are id, excerpt"),
        (["train.csv", "--text", "excerpt", "--format", "xml"], "unknown --format 'xml'"),
        (["notes.doc"], "say what it is with --format"),
        (["gaps.csv"], "empty or missing text in rows 2, 4: fill them in, or leave them out"),
        (["latin.csv"], "--encoding"),
        (["train.csv", "--text", "excerpt", "--encoder", "./nowhere"], "no folder './nowhere'"),
        (["train.csv", "--text", "excerpt", "--precision", "int8"], "no precision 'int8'"),
        (["train.csv", "--text", "excerpt", "--device", "tpu"], "no device 'tpu'"),
        (["train.csv", "--text", "excerpt", "--poolings", "mean,sum"], "no pooling 'sum'"),
        (["train.csv", "--text", "excerpt", "--max-length", "513"], "--max-length 512"),
        (["train.csv", "--text", "excerpt", "--revision", "main"], "no revisions"),
        (["train.csv", "--text", "excerpt", "--special-tokens", "some"], "choose from text, keep"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: list[str],
    message: str,
    train: Path,
    bank: Path,
    tiny_roberta: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(train.parent)
    Path("notes.doc").write_text("a")
    Path("gaps.csv").write_text('text,n\na,1\n"",2\nb,3\n,4\n')
    Path("latin.csv").write_bytes("text\ncafé\n".encode("latin-1"))
    if "--encoder" not in arguments:
        arguments = [*arguments, "--encoder", str(tiny_roberta)]
    assert call(*arguments, "--bank", bank) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("layerbank: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not bank.exists()


def test_empty_texts_can_be_skipped(
    tmp_path: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gaps.csv").write_text('text,n\na,1\n"",2\nb,3\n,4\n')
    options = ["--bank", bank, "--encoder", tiny_roberta, "--skip-empty"]
    assert call(tmp_path / "gaps.csv", *options) == 0
    assert "2 texts new" in capsys.readouterr().out


def test_another_banks_options_are_refused_by_name(
    train: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [train, "--text", "excerpt", "--bank", bank]
    assert call(*arguments, "--encoder", tiny_roberta, "--precision", "bf16", "-q") == 0
    capsys.readouterr()
    assert call(*arguments, "--precision", "fp32", "--max-length", 100) == 2
    err = capsys.readouterr().err
    assert 'max_length: 512 there, 100 here; precision: "bf16" there' in err


def test_something_else_in_the_banks_place(
    train: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [train, "--text", "excerpt", "--bank", bank, "--encoder", tiny_roberta]
    bank.write_text("no bank")
    assert call(*arguments) == 2
    assert "is a file, and a bank is a folder" in capsys.readouterr().err
    bank.unlink()
    bank.mkdir()
    (bank / "thesis.txt").write_text("no bank")
    assert call(*arguments) == 2
    assert "holds other files and no bank" in capsys.readouterr().err


def test_an_encoder_from_the_hubs_cache_without_a_network(
    train: Path, bank: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    environment = {
        **os.environ,
        "HF_HUB_CACHE": str(hub_cache(tmp_path / "hub", "some-org/tiny", tiny_roberta, commit)),
        "HF_HUB_OFFLINE": "1",
    }

    def extract(*arguments: object) -> subprocess.CompletedProcess[str]:
        options = [train, "--text", "excerpt", "--bank", bank, *arguments]
        return subprocess.run(
            [sys.executable, "-m", "extract", *map(str, options)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip

    done = extract("--encoder", "some-org/tiny", "--revision", "main")
    assert done.returncode == 0, done.stderr
    assert "3 texts new" in done.stdout
    source = Bank.open(bank).source
    assert (source["encoder"], source["revision"]) == ("some-org/tiny", commit)
    # Again without naming it: the bank's own encoder, at its own commit, from the cache.
    (tmp_path / "hub/models--some-org--tiny/refs/main").write_text("f" * 40)
    assert "3 reused" in extract().stdout
    gone = extract("--encoder", "some-org/tiny", "--revision", "v2")
    assert gone.returncode == 2
    assert "no encoder 'some-org/tiny' at revision 'v2'" in gone.stderr


def test_a_dry_run_says_what_it_would_take_and_writes_no_bank(
    train: Path, bank: Path, tiny_roberta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [train, "--text", "excerpt", "--bank", bank, "--encoder", tiny_roberta]
    arguments += ["--max-length", 8, "--precision", "fp32"]
    assert call(*arguments, "--dry-run") == 0
    out = capsys.readouterr().out
    assert not bank.exists()
    assert f"texts      3, of which 3 are new to {bank}" in out
    assert "1 of these truncated at 8" in out
    assert re.search(
        r"time +about [\d.]+ s at [\d,]+ tokens/s, by a short sample \(\w+ on cpu", out
    )
    assert "nothing was written to the bank" in out
    assert call(*arguments, "--quiet") == 0
    before = sorted((path.name, path.stat().st_mtime_ns) for path in bank.iterdir())
    # 15 blocks and the pooler, 64 wide, of 4 bytes: three rows are 12.3 KB; a file is some more.
    then = re.search(r"about ([\d.]+) KiB then", out)
    assert then
    assert float(then[1]) * 1024 <= sum(path.stat().st_size for path in bank.glob("*.h5"))
    capsys.readouterr()
    assert call(*arguments, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "texts      3, of which 0 are new" in out
    assert "time" not in out
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in bank.iterdir())
    assert call(*arguments, "--dry-run", "--stride", 3, "--long", "window") == 2
    assert "stride" in capsys.readouterr().err


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['extract', '--help']\n"
        "from extract.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'h5py', 'pandas', 'huggingface_hub'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "--batch-tokens" in done.stdout
    assert "layerbank extract train.csv" in done.stdout
