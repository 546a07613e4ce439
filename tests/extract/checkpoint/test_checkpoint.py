"""What makes two checkpoints the same, and what each cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from extract.checkpoint.checkpoint import Checkpoint
from features.errors import EncoderError, InputError
from tests.tiny_encoders import FAMILIES, save_encoder, save_tokenizer


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


@pytest.fixture
def copy(tiny_roberta: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_roberta, tmp_path / "copy"))


def test_what_does_not_decide_the_numbers_leaves_no_trace(tiny_roberta: Path, copy: Path) -> None:
    edit_json(
        copy / "config.json",
        _name_or_path="/elsewhere",
        transformers_version="4.0.0",
        id2label={"0": "x"},
        dtype="bfloat16",
        hidden_dropout_prob=0.5,
    )
    edit_json(copy / "tokenizer_config.json", name_or_path="/elsewhere", model_max_length=99)
    edit_json(copy / "tokenizer.json", padding=None, truncation={"max_length": 3})
    assert Checkpoint.find(str(copy)).identity() == Checkpoint.find(str(tiny_roberta)).identity()


def test_what_decides_the_numbers_is_seen(tiny_roberta: Path, copy: Path) -> None:
    before = Checkpoint.find(str(tiny_roberta)).identity()
    edit_json(copy / "config.json", layer_norm_eps=1e-3)
    assert Checkpoint.find(str(copy)).identity()["config"] != before["config"]
    edit_json(copy / "tokenizer.json", normalizer={"type": "Lowercase"})
    assert Checkpoint.find(str(copy)).identity()["tokenizer"] != before["tokenizer"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_usable_length_is_what_the_model_takes(family: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    folder = save_encoder(save_tokenizer(tmp_path / family, max_length=10**30), family)
    usable = Checkpoint.find(str(folder)).usable_length()
    if family == "xlnet":  # its attention knows distances alone, and its files set no limit
        assert usable is None
        return
    assert usable == 512
    model: Any = AutoModel.from_pretrained(folder).eval()
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    with torch.no_grad():
        assert model(torch.full((1, usable), 7)).last_hidden_state.shape[1] == usable
    if family in ("roberta", "xlm-roberta", "bert", "mpnet", "distilbert", "electra"):
        with torch.no_grad(), pytest.raises((IndexError, RuntimeError)):
            model(torch.full((1, usable + 1), 7))


def test_the_tokenizers_own_limit_counts(copy: Path) -> None:
    edit_json(copy / "tokenizer_config.json", model_max_length=100)
    assert Checkpoint.find(str(copy)).usable_length() == 100


def test_shards_are_found_by_their_index(copy: Path) -> None:
    from transformers import AutoModel

    whole = Checkpoint.find(str(copy)).identity()
    model = AutoModel.from_pretrained(copy)
    (copy / "model.safetensors").unlink()
    model.save_pretrained(copy, max_shard_size="100KB")
    sharded = Checkpoint.find(str(copy))
    assert len(sharded.weight_files) > 1
    assert sharded.identity()["weights"] == whole["weights"]
    sharded.weight_files[0].unlink()
    with pytest.raises(EncoderError, match="lacks model-00001"):
        Checkpoint.find(str(copy))


@pytest.mark.parametrize("index", [{}, {"weight_map": ["a"]}, {"weight_map": {"a": 1}}])
def test_an_index_that_names_no_files_is_refused(copy: Path, index: dict[str, Any]) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(EncoderError, match=r"index\.json has no weight_map that.*fetch or save"):
        Checkpoint.find(str(copy))


def test_a_configuration_of_the_wrong_types_is_refused(copy: Path) -> None:
    edit_json(copy / "config.json", pad_token_id="x")
    with pytest.raises(EncoderError, match=r"config\.json gives 'x' as pad_token_id.*fetch or"):
        Checkpoint.find(str(copy)).usable_length()
    edit_json(copy / "config.json", model_type=["x"])
    with pytest.raises(EncoderError, match="names no model_type"):
        Checkpoint.find(str(copy))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["no-such-model", "some-org/no-such-model", "two words"])
def test_an_unknown_name_says_what_was_looked_for(name: str) -> None:
    with pytest.raises(EncoderError, match=f"no encoder '{name}'.*no such folder here.*check"):
        Checkpoint.find(name)


@pytest.mark.usefixtures("offline")
def test_version_1_of_the_hubs_library_knows_fewer_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import errors, snapshot_download

    assert snapshot_download  # which needs the error itself, once, in version 2
    monkeypatch.delattr(errors, "IncompleteSnapshotError", raising=False)
    with pytest.raises(EncoderError, match="no encoder 'some-org/no-such-model'.*hub"):
        Checkpoint.find("some-org/no-such-model")


@pytest.mark.parametrize("name", ["./nowhere", "/no/where/at/all", "~/nowhere", "a/b/c", ""])
def test_an_unknown_folder_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(EncoderError, match="there is no folder"):
        Checkpoint.find(name)


def test_folders_that_hold_no_encoder(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no config\.json"):
        Checkpoint.find(str(tmp_path))
    with pytest.raises(EncoderError, match="is a file"):
        Checkpoint.find(str(copy / "config.json"))
    with pytest.raises(InputError, match="no revisions"):
        Checkpoint.find(str(copy), "main")
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(EncoderError, match="adapter"):
        Checkpoint.find(str(copy))
    (copy / "adapter_config.json").unlink()
    (copy / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="no weights"):
        Checkpoint.find(str(copy))
    (copy / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match="no tokenizer"):
        Checkpoint.find(str(copy))
    (copy / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="as JSON"):
        Checkpoint.find(str(copy))
