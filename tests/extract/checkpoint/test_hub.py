"""An encoder by its name: fetched from the hub, broken off, gone on with, refused."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from extract import extract, progress
from extract.checkpoint.checkpoint import Checkpoint
from features import Bank
from features.errors import EncoderError
from tests.hub import COMMIT, Hub
from tests.sentence_folders import save_sentence_folder


@pytest.fixture(scope="module")
def models(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models in the layouts that the hub has."""
    import torch
    from safetensors.torch import load_file

    root = tmp_path_factory.mktemp("models")
    only_bin = Path(shutil.copytree(tiny_roberta, root / "bin"))
    torch.save(load_file(only_bin / "model.safetensors"), only_bin / "pytorch_model.bin")
    (only_bin / "model.safetensors").unlink()
    pieces = Path(shutil.copytree(tiny_roberta, root / "pieces"))
    for name in ("spm.model", "sentencepiece.bpe.model", "added_tokens.json", "README.md"):
        (pieces / name).write_bytes(b"{}")
    both = Path(shutil.copytree(tiny_roberta, root / "both"))
    shutil.copy(only_bin / "pytorch_model.bin", both)
    (both / "onnx").mkdir()
    (both / "onnx" / "model.onnx").write_bytes(b"x" * 1000)
    code = Path(shutil.copytree(tiny_roberta, root / "code"))
    config = json.loads((code / "config.json").read_text())
    config |= {"model_type": "own-bert", "auto_map": {"AutoModel": "modeling.Own"}}
    (code / "config.json").write_text(json.dumps(config))
    (code / "modeling.py").write_text("raise SystemExit('run')")
    adapter = root / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "roberta-base"}')
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    return {
        "roberta-base": tiny_roberta, "some/bin": only_bin, "some/pieces": pieces,
        "some/both": both, "some/code": code, "some/adapter": adapter,
        "some/sentences": save_sentence_folder(root / "sentences", prompts={"query": "q: "}),
        "some/old": save_sentence_folder(root / "old", "old", inner="0_Transformer"),
    }  # fmt: skip


@pytest.fixture
def hub(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub as the library sees it in this process; no time is lost between its tries."""
    from huggingface_hub import constants

    with Hub(dict(models)).serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 2)
        # Of what breaks off, whole pieces of this size are kept; files here are small.
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 14)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield hub


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_an_encoder_by_its_name(hub: Hub, bank: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    extract(["a text"], bank, encoder="roberta-base", engine="torch")
    found = Bank.open(bank)
    assert (found.source["encoder"], found.source["revision"]) == ("roberta-base", COMMIT)
    local = tmp_path / "local.bank"
    extract(["a text"], local, encoder=str(tiny_roberta), engine="torch")
    assert Bank.open(local).fingerprint == found.fingerprint
    # Nothing comes a second time, and nothing is asked of a hub that is away.
    hub.requests.clear()
    extract(["another"], bank, engine="torch")
    assert not [path for path in hub.requests if "resolve" in path]
    hub.down = True
    extract(["a third"], bank, engine="torch")
    extract(["a fourth"], bank, encoder="roberta-base", engine="torch")
    assert Bank.open(bank).n_texts == 4


def test_the_hub_is_unreachable(hub: Hub, bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    extract(["a text"], bank, encoder="roberta-base", engine="torch")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert extract(["another"], bank, encoder="roberta-base", engine="torch").n_new == 1
    with pytest.raises(
        EncoderError, match="'some/bin'.*not in the hub's cache while the hub cannot"
    ):
        Checkpoint.find("some/bin")


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [
        ("some/bin", ["pytorch_model.bin"], []),
        ("some/both", ["model.safetensors"], ["pytorch_model.bin", "onnx/model.onnx"]),
        ("some/pieces", ["spm.model", "sentencepiece.bpe.model", "added_tokens.json"],
         ["README.md"]),
        ("some/sentences", ["modules.json", "sentence_bert_config.json", "1_Pooling/config.json",
                            "config_sentence_transformers.json"], []),
        ("some/old", ["modules.json", "0_Transformer/config.json", "0_Transformer/tokenizer.json",
                      "0_Transformer/sentence_bert_config.json", "1_Pooling/config.json",
                      "0_Transformer/model.safetensors"], []),
    ],
)  # fmt: skip
def test_which_files_come(hub: Hub, name: str, has: list[str], lacks: list[str]) -> None:
    checkpoint = Checkpoint.find(name)
    root = checkpoint.folder if name != "some/old" else checkpoint.folder.parent
    assert root.name == COMMIT == checkpoint.found.revision
    assert {*has} <= {*files(root)}
    assert not {*lacks} & {*files(root)}
    if name in ("some/sentences", "some/old"):
        assert checkpoint.sentence is not None
        assert checkpoint.sentence["max_length"] == 64


def test_sentences_of_an_encoder_from_the_hub(hub: Hub, bank: Path) -> None:
    options: dict[str, Any] = {"max_length": "folder", "prompt": "query", "engine": "torch"}
    extract(["a text"], bank, encoder="some/sentences", **options)
    found = Bank.open(bank)
    assert (found.setup["max_length"], found.setup["prompt"]) == (64, "q: ")
    assert found.matrix(["a text"], "sentence").shape == (1, 32)


def test_a_cache_from_before_these_files_were_fetched(
    hub: Hub, models: dict[str, Path], bank: Path
) -> None:
    snapshot = Checkpoint.find("some/sentences").folder
    (snapshot / "modules.json").unlink()
    hub.down = True
    extract(["a text"], bank, encoder="some/sentences", engine="torch")
    assert "sentence_transformers" not in Bank.open(bank).source


@pytest.mark.parametrize("times", [1, 3])
def test_a_file_that_breaks_off_is_gone_on_with(hub: Hub, times: int, tiny_roberta: Path) -> None:
    hub.breaks["model.safetensors"] = times
    checkpoint = Checkpoint.find("roberta-base")
    size = (tiny_roberta / "model.safetensors").stat().st_size
    assert len(hub.ranges) == times
    assert size // 2 - (1 << 14) <= hub.ranges[0] <= size // 2
    assert checkpoint.identity() == Checkpoint.find(str(tiny_roberta)).identity()


def test_a_hub_that_goes_down_in_the_middle(hub: Hub, bank: Path) -> None:
    hub.breaks["model.safetensors"] = 10**6
    with pytest.raises(EncoderError, match=r"the download broke off \(.*the same command again"):
        extract(["a"], bank, encoder="roberta-base", engine="torch")
    assert not bank.exists()
    hub.breaks.clear()
    hub.requests.clear()
    extract(["a"], bank, encoder="roberta-base", engine="torch")
    fetched = [path.rpartition("/")[2] for path in hub.requests if "resolve" in path]
    assert fetched == ["model.safetensors"]


def test_a_hub_that_is_down(hub: Hub, bank: Path) -> None:
    hub.down = True
    with pytest.raises(EncoderError, match="cannot be reached|answered") as caught:
        extract(["a"], bank, encoder="roberta-base")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model(hub: Hub, status: int) -> None:
    hub.gated["roberta-base"] = status
    message = r"asks for its terms to be accepted first \(`hf auth login`\); accept them on the"
    with pytest.raises(EncoderError, match=message) as caught:
        Checkpoint.find("roberta-base")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "revision", "message"),
    [
        ("no-such-model", None, "the Hugging Face hub has no such model .or it is private"),
        ("some/other", None, "the Hugging Face hub has no such model"),
        ("roberta-base", "v9", "at revision 'v9'.*has no such revision"),
        ("two words", None, "it is no valid name on the Hugging Face hub"),
        ("some/adapter", None, "holds an adapter of roberta-base and no encoder.*merge_and_unload"),
    ],
)
def test_what_the_hub_does_not_have(
    hub: Hub, name: str, revision: str | None, message: str
) -> None:
    with pytest.raises(EncoderError, match=message) as caught:
        Checkpoint.find(name, revision)
    assert "\n" not in str(caught.value)


def test_a_revision_by_its_commit(hub: Hub) -> None:
    assert Checkpoint.find("roberta-base", COMMIT).found.revision == COMMIT


def test_a_model_that_needs_code_of_its_own(hub: Hub, bank: Path) -> None:
    with pytest.raises(EncoderError, match="code of its own .*is never run.*no 'own-bert' model"):
        extract(["a"], bank, encoder="some/code", engine="torch")
    assert not hub.requests["/some/code/resolve/main/modeling.py"]
    assert not bank.exists()


def test_a_full_disk_is_not_taken_for_a_wrong_name(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    with pytest.raises(EncoderError, match="cannot be written to the hub's cache.*HF_HOME"):
        Checkpoint.find("roberta-base")


def test_lines_where_no_bar_can_be_drawn(
    hub: Hub, kept_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    Checkpoint.find("roberta-base")
    lines = [said for said in kept_log.messages if said.startswith("roberta-base: ")]
    assert lines
    assert "KiB of " in lines[-1]
    assert "iB/s, 0 s left" in lines[-1]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_a_bar_on_a_terminal_and_none_where_it_is_to_be_quiet(
    quiet: bool, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    kept_log: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    hub.pause = 0.08
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    before = logging.getLogger("extract").level
    logging.getLogger("extract").setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        Checkpoint.find("roberta-base")
    finally:
        logging.getLogger("extract").setLevel(before)
    shown = capsys.readouterr().err
    if quiet:
        assert shown == ""
    else:
        assert "fetch roberta-base" in shown
        assert "B/s" in shown
        assert "Fetching" not in shown
        assert "Reconstruct" not in shown
        assert "801k/801k" in shown
    Checkpoint.find("roberta-base")  # all is there
    assert capsys.readouterr().err == ""


def test_two_processes_fetch_at_once_from_a_slow_hub(hub: Hub, tmp_path: Path) -> None:
    """As a user types it, with the library's own variables; both get the encoder, fetched once."""
    hub.pause = 0.05
    code = (
        "import sys; from extract.checkpoint.checkpoint import Checkpoint; "
        "print(Checkpoint.find('roberta-base').identity()['weights'])"
    )
    environment = {
        **os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    environment.pop("HF_HUB_CACHE", None)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    found = {process.communicate(timeout=120)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(found) == 1
    assert hub.requests[f"/roberta-base/resolve/{COMMIT}/model.safetensors"] == 1
