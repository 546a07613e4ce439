"""Several processes, one bank: whatever becomes of some of them, and of their caller."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from extract import extract
from extract.texts.stream import NewStretches
from features import Bank
from features.errors import EncoderError
from tests.extract.same_bank import assert_same, made_up_texts, n_rows

MANY = made_up_texts(4_000, longest=80)
ALSO = ["--precision", "fp32", "--engine", "torch"]


@pytest.fixture(scope="module")
def whole(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bank of one process."""
    bank = tmp_path_factory.mktemp("whole") / "whole.bank"
    extract(MANY, bank, encoder=str(tiny_roberta), precision="fp32", engine="torch")
    return bank


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.txt"
    path.write_text("\n".join(MANY) + "\n")
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "extract", *map(str, arguments), *ALSO],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def encoders(process: subprocess.Popen[str], n: int) -> list[int]:
    """The ids of the n processes that a call has started, once they are there."""
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        found = [int(child) for child in children if encodes(child)]
        if len(found) == n:
            return found
        time.sleep(0.02)
    raise AssertionError(process.communicate())


def encodes(child: str) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    except OSError:  # a helper process of Python's, which has just ended
        return False


def wait_for_rows(process: subprocess.Popen[str], bank: Path) -> None:
    while not list(bank.glob("segment-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_as_one_process_would_have_made_it(
    whole: Path, bank: Path, tiny_roberta: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few that the bank is asked again and again what need not be remembered.
    monkeypatch.setattr("extract.pipeline.NewStretches", partial(NewStretches, remembered=700))
    texts = [*MANY, *MANY[:50], *MANY[-50:]]
    report = extract(
        texts, bank, encoder=str(tiny_roberta), precision="fp32", engine="torch", devices="cpu,cpu"
    )
    assert (report.n_new, report.n_reused) == (4_000, 100)
    assert report.n_tokens == Bank.open(bank).n_tokens(MANY).sum()
    assert_same(bank, whole, MANY)
    assert n_rows(bank) == 4_000
    again = extract(texts, bank, devices=["cpu", "cpu"])
    assert (again.n_new, again.n_reused) == (0, 4_100)


@pytest.mark.slow
def test_a_killed_process_leaves_its_texts_to_the_others(
    whole: Path, bank: Path, tiny_roberta: Path, many: Path
) -> None:
    process = start(many, "--bank", bank, "--encoder", tiny_roberta, "--devices", "cpu,cpu")
    victim = encoders(process, 2)[1]
    wait_for_rows(process, bank)
    os.kill(victim, signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f"the process on cpu ({victim}) was killed by SIGKILL: the others do its texts" in err
    assert "4,000 texts new, 0 reused" in out
    assert_same(bank, whole, MANY)


#: Imported by every process at its start; the first one whose encoder comes to its fourth batch
#: has a broken device from then on.
BREAKS = """
import os, sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

class Breaks(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "extract.engines.torch_engine":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_break(module):
            execute(module)
            submit, n = module.TorchEncoder._submit, [0]

            def breaks(encoder, batch):
                n[0] += 1
                if n[0] == 4:
                    try:
                        os.close(os.open(os.environ["BROKEN"], os.O_CREAT | os.O_EXCL))
                    except FileExistsError:
                        pass
                    else:
                        raise RuntimeError("CUDA error: uncorrectable ECC error\\nmore of it")
                return submit(encoder, batch)

            module.TorchEncoder._submit = breaks

        spec.loader.exec_module = execute_and_break
        return spec

sys.meta_path.insert(0, Breaks())
"""


@pytest.mark.slow
def test_a_device_that_breaks_leaves_its_texts_to_the_others(
    whole: Path, bank: Path, tiny_roberta: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = many.parent / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BREAKS)
    monkeypatch.setenv("BROKEN", str(many.parent / "broken"))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    process = start(many, "--bank", bank, "--encoder", tiny_roberta, "--devices", "cpu,cpu")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "failed: CUDA error: uncorrectable ECC error: the others do its texts" in err
    assert "Traceback" not in err
    assert "4,000 texts new, 0 reused" in out
    assert_same(bank, whole, MANY)


@pytest.mark.slow
def test_when_nobody_is_left_the_next_call_goes_on(
    whole: Path, bank: Path, tiny_roberta: Path, many: Path
) -> None:
    options = [many, "--bank", bank, "--encoder", tiny_roberta, "--devices", "cpu,cpu"]
    process = start(*options)
    victims = encoders(process, 2)
    wait_for_rows(process, bank)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 2
    assert not out
    assert "nobody is left to do its texts" in err
    said = re.search(
        r"layerbank: error: no process is left \(cpu was killed by SIGKILL; cpu was killed by "
        r"SIGKILL\): ([\d,]+) new texts are safe in \S+, and the same call goes on from there",
        err,
    )
    assert said, err
    safe = int(said[1].replace(",", ""))
    assert 0 < safe == Bank.open(bank).n_texts < 4_000
    out, err = start(*options).communicate()
    assert f"{4_000 - safe:,} texts new, {safe:,} reused" in out
    assert_same(bank, whole, MANY)
    assert n_rows(bank) == 4_000


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_ctrl_c_has_everybody_commit(
    number: signal.Signals, bank: Path, tiny_roberta: Path, many: Path
) -> None:
    process = start(many, "--bank", bank, "--encoder", tiny_roberta, "--devices", "cpu,cpu",
                    "--batch-tokens", 100)  # fmt: skip
    children = encoders(process, 2)
    assert process.stderr is not None
    seen = ""
    while " texts/s" not in seen:
        more = process.stderr.read(1)
        assert more, seen
        seen += more
    process.send_signal(number)
    _, rest = process.communicate()
    assert process.returncode not in (0, 2)
    said = re.search(r"stopped: ([\d,]+) new texts are safe in .* goes on from there", rest)
    assert said, rest
    assert "Traceback" not in rest.replace("KeyboardInterrupt", "")[: said.end()]
    # Nothing was committed yet when it was stopped: it is all from what the two had in hand.
    assert 0 < int(said[1].replace(",", "")) == Bank.open(bank).n_texts < 4_000
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.slow
def test_an_error_in_a_process_is_its_callers(bank: Path, encoder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(encoder / "model.safetensors")
    weights["encoder.layer.3.output.dense.weight"][:] = float("inf")
    save_file(weights, encoder / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match="gives numbers that are not finite"):
        extract(MANY[:100], bank, encoder=str(encoder), precision="fp32", engine="torch",
                devices="cpu,cpu")  # fmt: skip
