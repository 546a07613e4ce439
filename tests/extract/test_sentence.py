"""A sentence-transformers folder is read, and `sentence` is what the library gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from features import Bank
from features.errors import EncoderError, FingerprintMismatch, InputError, SelectionError
from tests.extract.some_texts import some_texts
from tests.sentence_folders import save_sentence_folder, write

TEXTS = [*some_texts([1, 4, 30, 200]), "The river froze.", " two  spaces"]
PROMPTS = {"query": "query: ", "document": ""}


def banked(folder: Path, bank: Path, **options: Any) -> Bank:
    given = {"precision": "fp32", "max_length": "folder", "engine": "torch", **options}
    extract(TEXTS, bank, encoder=str(folder), **given)
    return Bank.open(bank)


def encoded(folder: Path, **options: Any) -> np.ndarray:
    """What the library gives."""
    import torch

    library = pytest.importorskip("sentence_transformers", reason="it is the oracle")
    with torch.no_grad():
        model = library.SentenceTransformer(str(folder), device="cpu")
        return np.asarray(model.encode(TEXTS, convert_to_numpy=True, **options))


WAYS = {
    "mean": ("mean",), "cls": ("cls",), "max": ("max",), "several": ("cls", "max", "mean"),
    "in another order": ("mean", "max"), "the root": ("mean_sqrt_len_tokens",),
    "the root and others": ("cls", "mean_sqrt_len_tokens"),
}  # fmt: skip


@pytest.mark.parametrize("poolings", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("layout", "further"),
    [("old", ("Normalize",)), ("new", ())],
    ids=["old, unit length", "new, as it is"],
)
def test_sentence_is_what_the_library_gives(
    layout: str, poolings: tuple[str, ...], further: tuple[str, ...], bank: Path, tmp_path: Path
) -> None:
    folder = save_sentence_folder(tmp_path / "folder", layout, poolings=poolings, further=further)
    found = banked(folder, bank)
    assert found.setup["max_length"] == 64
    matrix = found.matrix(TEXTS, "sentence")
    expected = encoded(folder)
    assert matrix.shape == expected.shape
    assert matrix.dtype == np.float32
    assert np.abs(matrix - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max())
    assert len(found.column_names("sentence")) == matrix.shape[1]
    beside = found.matrix(TEXTS, "a/mean[0]+a/sentence+cls[1]")
    assert np.array_equal(beside[:, 32:-32], matrix)


def test_the_real_folder(minilm_folder: Path, bank: Path) -> None:
    found = banked(minilm_folder, bank, poolings=["mean"])
    assert found.setup["max_length"] == 256
    assert np.abs(found.matrix(TEXTS, "sentence") - encoded(minilm_folder)).max() <= 1e-6
    facts = found.source["sentence_transformers"]
    assert facts["modules"] == ["Transformer", "Pooling", "Normalize"]
    assert (facts["poolings"], facts["max_length"], facts["others"]) == (["mean"], 256, [])


@pytest.mark.parametrize("layout", ["old", "new"])
def test_the_encoders_length_stays_the_default_and_that_is_said(
    layout: str, bank: Path, tmp_path: Path, kept_log: pytest.LogCaptureFixture
) -> None:
    folder = save_sentence_folder(tmp_path / "folder", layout)
    assert banked(folder, bank, max_length=None).setup["max_length"] == 512
    said = [
        record.message for record in kept_log.records if "--max-length folder" in record.message
    ]
    assert len(said) == 1
    assert "reads 64 tokens of a text, and this bank 512" in said[0]
    kept_log.clear()
    extract([*TEXTS, "one more"], bank, engine="torch")  # the bank's own, without a word
    assert not [record for record in kept_log.records if "folder" in record.message]
    with pytest.raises(FingerprintMismatch) as caught:
        extract(TEXTS, bank, max_length="folder")
    assert caught.value.fields == ("max_length",)


def test_the_folders_length_is_no_more_than_the_encoder_takes(bank: Path, tmp_path: Path) -> None:
    folder = save_sentence_folder(tmp_path / "folder", "old", max_length=514)
    assert banked(folder, bank).setup["max_length"] == 512


@pytest.mark.parametrize("given", ["folders", "-1", "1e3", ""])
def test_a_maximum_length_that_is_none(given: str, tiny_roberta: Path, bank: Path) -> None:
    with pytest.raises(
        InputError, match="takes a whole number, not .*: give one, or the word folder"
    ):
        extract(TEXTS, bank, encoder=str(tiny_roberta), max_length=given)


def test_an_encoder_that_is_in_no_such_folder(tiny_roberta: Path, bank: Path) -> None:
    with pytest.raises(InputError, match="is no sentence-transformers folder that sets a maximum"):
        extract(TEXTS, bank, encoder=str(tiny_roberta), max_length="folder")
    found = banked(tiny_roberta, bank, max_length=None)
    assert "sentence_transformers" not in found.source
    with pytest.raises(SelectionError, match=r"no 'sentence': it records no .*mean\[-1\]"):
        found.matrix(TEXTS, "sentence")


@pytest.mark.parametrize("prompt", ["query", "query: "])
@pytest.mark.parametrize("default", [None, "query"])
def test_a_prompt_by_name_or_as_it_is(
    prompt: str, default: str | None, bank: Path, tmp_path: Path,
    kept_log: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    folder = save_sentence_folder(tmp_path / "folder", prompts=PROMPTS, default_prompt=default)
    found = banked(folder, bank, prompt=prompt)
    assert found.setup["prompt"] == "query: "
    # Texts are found without it.
    expected = encoded(folder, prompt_name="query")
    assert np.abs(found.matrix(TEXTS, "sentence") - expected).max() <= 1e-6
    assert "each text is read with 'query: ' before it" in kept_log.messages
    plain = banked(folder, tmp_path / "plain.bank")
    assert "prompt" not in plain.setup
    assert plain.fingerprint != found.fingerprint
    assert np.abs(plain.matrix(TEXTS, "sentence") - encoded(folder, prompt="")).max() <= 1e-6
    assert any("--prompt query" in said for said in kept_log.messages) == (default is not None)


def test_a_bank_goes_on_with_its_prompt_or_its_lack_of_one(bank: Path, tmp_path: Path) -> None:
    folder = save_sentence_folder(tmp_path / "folder", prompts=PROMPTS)
    found = banked(folder, bank, prompt="query")
    extract(["one more"], bank, engine="torch")
    again = banked(folder, tmp_path / "again.bank", prompt="query")
    extract(["one more"], tmp_path / "again.bank", engine="torch")
    again.refresh()
    found.refresh()
    one = ["one more"]
    assert np.allclose(found.matrix(one, "*[:]"), again.matrix(one, "*[:]"), atol=1e-5)
    plain = banked(folder, tmp_path / "plain.bank")
    for path, given in ((bank, ""), (bank, "document"), (bank, "passage: "), (plain.path, "query")):
        with pytest.raises(FingerprintMismatch) as caught:
            extract(TEXTS, path, encoder=str(folder), prompt=given)
        assert caught.value.fields == ("prompt",)
    extract(["two"], tmp_path / "like.bank", encoder=str(folder), like=found.setup)
    assert Bank.open(tmp_path / "like.bank").fingerprint == found.fingerprint
    # A recorded set-up without a prompt is one without, whatever the bank has.
    with pytest.raises(FingerprintMismatch, match="prompt"):
        extract(TEXTS, bank, encoder=str(folder), like=plain.setup)
    with pytest.raises(FingerprintMismatch, match="prompt"):
        extract(TEXTS, plain.path, encoder=str(folder), like=found.setup)


def test_the_prompt_stands_before_the_first_part(bank: Path, tiny_roberta: Path) -> None:
    options: dict[str, Any] = {
        "encoder": str(tiny_roberta), "engine": "torch", "precision": "fp32",
    }  # fmt: skip
    extract([("a prompt", "an essay")], bank, prompt="read: ", **options)
    other = bank.with_name("b.bank")
    extract([("read: a prompt", "an essay")], other, **options)
    found = Bank.open(bank).matrix([("a prompt", "an essay")], "*[:]")
    expected = Bank.open(other).matrix([("read: a prompt", "an essay")], "*[:]")
    assert np.array_equal(found, expected)


def test_a_name_that_is_nearly_a_prompts(
    bank: Path, tmp_path: Path, kept_log: pytest.LogCaptureFixture
) -> None:
    folder = save_sentence_folder(tmp_path / "folder", prompts=PROMPTS)
    with pytest.raises(InputError, match="no prompt 'qeury' .did you mean 'query'"):
        banked(folder, bank, prompt="qeury")
    assert banked(folder, bank, prompt="passage").setup["prompt"] == "passage"
    assert "prompt" not in banked(folder, tmp_path / "b.bank", prompt="document").setup
    assert "the folder's prompt 'document' is empty: nothing stands before a text" in kept_log.text


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ({"further": ("Dense", "Normalize")}, "by Transformer, Pooling, Dense, Normalize"),
        ({"poolings": ("weightedmean",)}, "pools by weightedmean"),
        ({"poolings": ("mean", "lasttoken")}, "pools by lasttoken"),
        ({"poolings": ("max",)}, "pools by max, which the bank does not store"),
        ({"include_prompt": False}, "leaves the prompt out of pooling"),
    ],
)
def test_what_stored_blocks_do_not_give_is_not_offered(
    folder: dict[str, Any], why: str, bank: Path, tmp_path: Path
) -> None:
    made = save_sentence_folder(tmp_path / "folder", prompts=PROMPTS, **folder)
    found = banked(made, bank, poolings=["mean"], prompt="query")
    with pytest.raises(SelectionError, match=f"the bank 'a' offers no 'sentence': .*{why}"):
        found.matrix(TEXTS, "sentence")
    assert found.matrix(TEXTS, "mean[-1]").shape == (len(TEXTS), 32)


@pytest.mark.parametrize(
    ("file", "change", "name"),
    [
        ("sentence_bert_config.json", {"do_lower_case": True}, "do_lower_case"),
        ("sentence_bert_config.json", {"config_args": {"num_hidden_layers": 1}}, "config_args"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "transformer_task"),
        ("config_sentence_transformers.json", {"truncate_dim": 16}, "truncate_dim"),
        ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}, "module_input_name"),
    ],
)
def test_settings_that_a_bank_does_not_follow(
    file: str, change: dict[str, Any], name: str, bank: Path, tmp_path: Path
) -> None:
    folder = save_sentence_folder(tmp_path / "folder")
    path = folder / file
    write(path, {**(json.loads(path.read_text()) if path.exists() else {}), **change})
    found = banked(folder, bank)
    with pytest.raises(SelectionError, match=f"its folder sets {name}, which"):
        found.matrix(TEXTS, "sentence")


def test_code_of_its_own_is_a_module_like_no_other(bank: Path, tmp_path: Path) -> None:
    folder = save_sentence_folder(tmp_path / "folder")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "custom_st.Pooling"
    write(folder / "modules.json", modules)
    with pytest.raises(SelectionError, match=r"by Transformer, custom_st\.Pooling, Normalize"):
        banked(folder, bank).matrix(TEXTS, "sentence")


@pytest.mark.parametrize("layout", ["old", "new"])
def test_an_encoder_in_a_folder_within(layout: str, bank: Path, tmp_path: Path) -> None:
    folder = save_sentence_folder(tmp_path / "folder", layout, inner="0_Transformer")
    found = banked(folder, bank)
    assert found.source["encoder"] == str(folder)
    assert np.abs(found.matrix(TEXTS, "sentence") - encoded(folder)).max() <= 1e-6
    (folder / "modules.json").unlink()
    with pytest.raises(EncoderError, match=r"no config\.json: give \S+0_Transformer$"):
        Checkpoint.find(str(folder))


@pytest.mark.parametrize(
    "file",
    ["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json",
     "1_Pooling/config.json", "2_Normalize/config.json"],
)  # fmt: skip
@pytest.mark.parametrize("content", ["{", "7", "[" * 10**5, "version https://git-lfs.github.com"])
def test_damaged_files(file: str, content: str, tmp_path: Path) -> None:
    folder = save_sentence_folder(tmp_path / "folder")
    (folder / file).write_text(content)
    message = "cannot be read as JSON|holds no JSON object|not as sentence-tr|pointer of Git LFS"
    with pytest.raises(EncoderError, match=message) as caught:
        Checkpoint.find(str(folder))
    assert Path(file).name in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("modules.json", [{"type": "sentence_transformers.models.Transformer", "path": "../x"}]),
        ("modules.json", [{"type": "sentence_transformers.models.Transformer", "path": "/etc"}]),
        ("modules.json", [{"type": "sentence_transformers.models.Transformer", "path": ".."}]),
        ("modules.json", [{"type": 3, "path": ""}]),
        ("modules.json", ["Transformer"]),
        ("modules.json", []),
        ("1_Pooling/config.json", {"pooling_mode": 3}),
        ("1_Pooling/config.json", {"pooling_mode": ["\x1b[2J"]}),
        ("sentence_bert_config.json", {"max_seq_length": "many"}),
        ("sentence_bert_config.json", {"max_seq_length": -1}),
        ("config_sentence_transformers.json", {"prompts": {"query": 3}}),
        ("config_sentence_transformers.json", {"prompts": {"query": "\ud800"}}),
    ],
)
def test_values_that_cannot_be(file: str, content: Any, tmp_path: Path) -> None:
    folder = save_sentence_folder(tmp_path / "folder")
    write(folder / file, content)
    with pytest.raises(EncoderError, match="save the checkpoint again") as caught:
        Checkpoint.find(str(folder))
    assert "\x1b" not in str(caught.value)
