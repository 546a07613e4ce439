"""Ray: a real cluster of two nodes on this machine, and what may befall it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from extract import extract
from extract.scale.ray_input import read_stretch, read_stretches, sources_of
from extract.texts.input import Shard
from features.keys import Text
from tests.extract.same_bank import assert_same, made_up_texts, n_rows

pytest.importorskip("ray")

ALSO = ["--precision", "fp32", "--engine", "torch"]
#: What a careless reader would take for missing, or for numbers, or strip.
VERBATIM = ["NA", "null", "007", " spaces ", "a, comma", "two\nlines", "ÆØÅ 你好"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the cluster is; it runs in a process of its own, as a user's does."""
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("two_nodes.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as cluster:  # fmt: skip
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        yield cluster.stdout.readline().strip()
        cluster.stdin.close()


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "layerbank", "extract", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def call(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def write(folder: Path, texts: list[str]) -> list[Path]:
    """A third of the texts each as CSV, JSONL and Parquet, in a column `excerpt`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [folder / f"part.{ending}" for ending in ("csv", "jsonl", "parquet")]
    with files[0].open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "excerpt"], *enumerate(texts[0::3])])
    files[1].write_text("".join(json.dumps({"excerpt": text}) + "\n" for text in texts[1::3]))
    pq.write_table(pa.table({"excerpt": texts[2::3]}), files[2])
    return files


def alone(texts: list[Text], bank: Path, encoder: Path) -> Path:
    """The bank of one process."""
    extract(texts, bank, encoder=str(encoder), precision="fp32", engine="torch")
    return bank


@pytest.mark.slow
def test_two_nodes_make_the_bank_of_one_process(
    address: str, bank: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    texts = VERBATIM + made_up_texts(293)
    files = write(tmp_path, texts)
    code, out, err = call(*files, "--text", "excerpt", "--bank", bank, "--encoder", tiny_roberta,
                          *ALSO, "--ray", address)  # fmt: skip
    assert code == 0, err
    assert f"{bank}: 300 texts new, 0 reused, 0 of the new ones truncated at 512 tokens; " in out
    assert "300/300 texts" in err
    assert_same(bank, alone(texts, tmp_path / "one.bank", tiny_roberta), texts)
    assert n_rows(bank) == 300
    assert {path.name.split("-")[0] for path in bank.iterdir()} <= {
        "bank.json", "commits.log", "segment"
    }  # fmt: skip


def encoders() -> list[int]:
    """The processes of actors that encode, on all nodes of this machine's clusters of ours."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::MapWorker(MapBatches(EncodeStretches))"):
            found.append(int(folder.name))
    return found


def wait_for_rows(process: subprocess.Popen[str], bank: Path) -> None:
    while not list(bank.glob("segment-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_actor_loses_no_text_and_adds_none_twice(
    address: str, bank: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    texts = made_up_texts(30_000, longest=80)
    options = [*write(tmp_path, texts), "--text", "excerpt", "--bank", bank, "--encoder",
               tiny_roberta, *ALSO, "--ray", address]  # fmt: skip
    process = start(*options)
    wait_for_rows(process, bank)
    victims = encoders()
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    time.sleep(4)
    for victim in encoders()[:1]:  # the one started again, perhaps, or the other
        os.kill(victim, signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "an encoder's process died on the cluster and was started again" in err
    assert_same(bank, alone(texts, tmp_path / "one.bank", tiny_roberta), texts)
    assert n_rows(bank) == len(texts)
    code, out, err = call(*options)
    assert code == 0, err
    assert "0 texts new, 30,000 reused" in out


@pytest.mark.slow
def test_pairs_shards_and_a_ray_of_its_own(bank: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    texts: list[Text] = [("Why?", text) for text in made_up_texts(200)]
    (tmp_path / "a.csv").write_text("q,a\n" + "".join(f'{q},"{a}"\n' for q, a in texts))
    options = [tmp_path / "a.csv", "--text", "q", "--text", "a", "--bank", bank, "--encoder",
               tiny_roberta, *ALSO, "--ray-cpus", 1, "--ray-actors", "1:2"]  # fmt: skip
    for shard in ("1/2", "0/2"):
        code, _, err = call(*options, "--shard", shard, "--ray")
        assert code == 0, err
    assert_same(bank, alone(texts, tmp_path / "one.bank", tiny_roberta), texts)


@pytest.mark.slow
def test_from_python(bank: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    texts = made_up_texts(150)
    write(tmp_path, texts)
    program = (
        "from extract import extract_on_ray\n"
        f"print(extract_on_ray(['part.csv', 'part.jsonl', 'part.parquet'], {str(bank)!r}, "
        f"text=['excerpt'], encoder={str(tiny_roberta)!r}, precision='fp32', engine='torch', "
        "cpus=1).n_new)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "150\n", done.stderr
    assert_same(bank, alone(texts, tmp_path / "one.bank", tiny_roberta), texts)


@pytest.mark.slow
def test_what_is_wrong_is_said_as_clearly_as_without_ray(
    address: str, bank: Path, tiny_roberta: Path, encoder: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(encoder / "model.safetensors")
    weights["encoder.layer.3.output.dense.weight"][:] = float("inf")
    save_file(weights, encoder / "model.safetensors", {"format": "pt"})
    (tmp_path / "good.csv").write_text("text\n" + "river\n" * 9)
    (tmp_path / "gaps.csv").write_text('text,n\na,1\n"",2\nb,3\n,4\n')
    (tmp_path / "torn.csv").write_text('text,n\n"a,1\n')
    cases = [
        ("gaps.csv", tiny_roberta, [], "empty or missing text in rows 2, 4: fill them in"),
        ("torn.csv", tiny_roberta, [], "torn.csv cannot be read near line"),
        ("good.csv", tiny_roberta, ["--device", "cuda"], "the Ray cluster has no GPU"),
        ("good.csv", tiny_roberta, ["--ray-cpus", 7], "no node of the Ray cluster has 7 CPUs"),
        ("good.csv", encoder, [], "gives numbers that are not finite"),
    ]
    for name, model, more, message in cases:
        code, out, err = call(tmp_path / name, "--bank", bank, "--encoder", model, *ALSO,
                              "--ray", address, *more)  # fmt: skip
        assert (code, out) == (2, ""), err
        assert "Traceback" not in err
        assert re.search(rf"^layerbank: error: .*{re.escape(message)}", err, re.MULTILINE), err
        assert not list(bank.glob("segment-*"))


@pytest.mark.parametrize("shard", [None, Shard(1, 2)])
def test_texts_keep_their_numbers_in_the_whole_input(shard: Shard | None, tmp_path: Path) -> None:
    texts = made_up_texts(50)
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for file, part in zip(files, (texts[:20], texts[20:]), strict=True):
        file.write_text("".join(f"{line}\n" for line in part))
    sources = sources_of(files)
    batch = {"source": np.arange(2)}
    found = {
        number: text
        for table in read_stretches(batch, sources, [0, 20], shard, 8)
        for number, text in zip(*read_stretch(table, 0), strict=True)
    }
    of_shard = [(i, text) for i, text in enumerate(texts, 1) if shard is None or shard.has(text)]
    assert [*found.items()] == of_shard


def test_without_the_extra_one_sentence_says_so(
    bank: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    program = (
        "import sys; sys.modules['ray'] = None\n"  # as Python finds it where it is not installed
        "from layerbank import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "extract", str(tmp_path / "a.txt"), "--bank", str(bank),
         "--encoder", str(tiny_roberta), "--ray"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "layerbank: error: Ray is not installed" in done.stderr
    assert "pip install 'layerbank[ray]'" in done.stderr


def test_nobody_at_the_address(bank: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    code, out, err = call(tmp_path / "a.txt", "--bank", bank, "--encoder", tiny_roberta,
                          "--ray", "127.0.0.1:9")  # fmt: skip
    assert (code, out) == (2, "")
    assert "layerbank: error: no Ray answers at '127.0.0.1:9'" in err
    assert not bank.exists()
