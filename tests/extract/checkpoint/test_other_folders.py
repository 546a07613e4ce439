"""Folders that are no encoder as it was saved: each gets a sentence that says what to do."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from features.errors import EncoderError

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 498818054\n"


def refused(folder: Path, message: str, **options: Any) -> None:
    bank = folder.with_name("a.bank")
    with pytest.raises(EncoderError, match=message) as caught:
        extract(["a text"], bank, encoder=str(folder), engine="torch", **options)
    assert "\n" not in str(caught.value)
    assert not bank.exists()


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize("has_config", [True, False])
def test_an_adapter(encoder: Path, has_config: bool) -> None:
    """With the base's configuration beside it, or without, as peft saves it."""
    if not has_config:
        (encoder / "config.json").unlink()
    edit(encoder / "adapter_config.json", base_model_name_or_path="roberta-base", r=8)
    refused(encoder, r"holds an adapter of roberta-base and no encoder: load it with peft, merge")
    (encoder / "adapter_config.json").write_text("{")
    refused(encoder, r"adapter_config\.json cannot be read as JSON")


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
     "model.safetensors", "spm.model", "vocab.txt"],
)  # fmt: skip
def test_a_clone_without_git_lfs(encoder: Path, name: str) -> None:
    (encoder / name).write_text(POINTER)
    refused(encoder, rf"{name} is a pointer of Git LFS .*: run `git lfs pull` in \S+encoder$")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model-00001-of-00002.safetensors"])
def test_pointers_to_other_weights(encoder: Path, name: str) -> None:
    (encoder / "model.safetensors").unlink()
    (encoder / name).write_text(POINTER)
    if name.startswith("model-"):
        edit(encoder / "model.safetensors.index.json", weight_map={"a": name})
    refused(encoder, f"{name} is a pointer of Git LFS")


@pytest.mark.parametrize("name", ["tuned.bin", "tuned.safetensors"])
def test_a_pointer_as_fine_tuned_weights(encoder: Path, name: str) -> None:
    (encoder / name).write_text(POINTER)
    refused(encoder, f"{name} is a pointer of Git LFS", encoder_weights=encoder / name)


def test_the_folder_around_an_encoder(encoder: Path) -> None:
    around = encoder.with_name("around")
    shutil.copytree(encoder, around / "0_Transformer")
    refused(around, r"holds no config\.json: give \S+around/0_Transformer$")
    extract(["a"], around / "a.bank", encoder=str(around / "0_Transformer"), engine="torch")
    (around / "0_Transformer").rename(around / "encoder")
    refused(around, r"holds no config\.json: give the folder that an encoder was saved to$")


def test_code_that_only_the_checkpoint_has(encoder: Path) -> None:
    code = encoder / "modeling_own.py"
    code.write_text("raise SystemExit('it was run')")
    edit(
        encoder / "config.json",
        model_type="own-bert",
        auto_map={"AutoConfig": "modeling_own.Config", "AutoModel": "modeling_own.Model"},
    )
    refused(encoder, r"computed by code of its own \(auto_map in config\.json\), and code from a "
            r"checkpoint is never run: transformers \S+ has no 'own-bert' model")  # fmt: skip


def test_code_where_transformers_has_the_model(
    encoder: Path, tmp_path: Path, kept_log: pytest.LogCaptureFixture
) -> None:
    (encoder / "modeling_own.py").write_text("raise SystemExit('it was run')")
    edit(encoder / "config.json", auto_map={"AutoModel": "modeling_own.Model"})
    edit(encoder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.T", None]})
    extract(["a text"], tmp_path / "known.bank", encoder=str(encoder), engine="torch")
    said = [r for r in kept_log.records if "(auto_map), which is not run" in r.message]
    assert [record.levelno for record in said] == [logging.INFO]
    # Weights of other names are the code's own.
    from safetensors.torch import load_file, save_file

    state = load_file(encoder / "model.safetensors")
    save_file({f"own.{name}": t for name, t in state.items()}, encoder / "model.safetensors")
    refused(encoder, r"random ones would stand in; its own code \(auto_map\) is never run")


def test_a_model_of_a_newer_transformers(encoder: Path) -> None:
    edit(encoder / "config.json", model_type="bert-2030")
    refused(encoder, r"is a 'bert-2030', which transformers \S+ does not know: install a newer")


@pytest.mark.parametrize("content", ["{", "", "[1,", '{"a": NaN}', "\x00\x01"])
@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
     "model.safetensors.index.json", "vocab.json", "modules.json"],
)  # fmt: skip
def test_damaged_json(encoder: Path, name: str, content: str) -> None:
    if name == "model.safetensors.index.json":
        (encoder / "model.safetensors").unlink()
    if name == "vocab.json":
        (encoder / "tokenizer.json").unlink()
        (encoder / "merges.txt").write_text("")
    (encoder / name).write_text(content)
    with pytest.raises(EncoderError, match=f"{name} cannot be read as JSON .*again$"):
        Checkpoint.find(str(encoder)).identity()


def make_adapter(encoder: Path) -> None:
    edit(encoder / "adapter_config.json")


@pytest.mark.parametrize(
    "spoil",
    [make_adapter, lambda encoder: (encoder / "model.safetensors").write_text(POINTER)],
    ids=["adapter", "pointer"],
)
def test_in_a_sentence_transformers_folder(
    spoil: Callable[[Path], Any], encoder: Path, tmp_path: Path
) -> None:
    """Where the encoder stands in a folder within, that one is looked at."""
    around = tmp_path / "around"
    shutil.copytree(encoder, around / "0_Transformer")
    kind = "sentence_transformers.models.Transformer"
    (around / "modules.json").write_text(json.dumps([{"type": kind, "path": "0_Transformer"}]))
    spoil(around / "0_Transformer")
    refused(around, "0_Transformer holds an adapter|0_Transformer/model.safetensors is a pointer")
