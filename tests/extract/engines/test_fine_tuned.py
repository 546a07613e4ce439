"""Fine-tuned weights of a named encoder, as the state dict of a larger model holds them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from features import Bank
from features.errors import EncoderError, FingerprintMismatch
from tests.extract.plain import AGAIN, banked_blocks, plain_blocks, worst_row
from tests.extract.some_texts import some_texts
from tests.tiny_encoders import save_encoder, save_tokenizer

TEXTS = some_texts([3, 9, 40])
State = dict[str, Any]
BIAS = "embeddings.LayerNorm.bias"


def heads(width: int) -> State:
    """An attention head and a regressor, as the two systems have them."""
    import torch

    return {
        "attention.0.weight": torch.ones(32, width),
        "attention.0.bias": torch.ones(32),
        "attention.2.weight": torch.ones(1, 32),
        "regressor.0.weight": torch.ones(1, width),
        "regressor.0.bias": torch.ones(1),
    }


@pytest.fixture(scope="module")
def tuned(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder with other weights, as a folder: what a state dict has to give."""
    import torch
    from transformers import AutoModel

    folder = tmp_path_factory.mktemp("tuned") / "tiny-roberta"
    save_tokenizer(folder)
    model = AutoModel.from_pretrained(tiny_roberta)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def state(tuned: Path) -> State:
    from safetensors.torch import load_file

    return load_file(tuned / "model.safetensors")


def under(prefix: str, state: State, **more: Any) -> State:
    return {**{f"{prefix}{name}": tensor for name, tensor in state.items()}, **heads(64), **more}


def save(state: State, path: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    return path


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("roberta.", "model.bin"),
        ("transformer.", "model.safetensors"),
        ("model.roberta.", "fold0.pt"),
        ("module.model.backbone.", "model.bin"),
        ("", "model.bin"),
    ],
)
def test_the_encoder_is_found_under_its_prefix(
    engine: str, prefix: str, name: str, tiny_roberta: Path, tuned: Path, state: State,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_log: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
        monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "cache"))
    path = save(under(prefix, state), tmp_path / name)
    bank = tmp_path / "a.bank"
    extract(
        TEXTS, bank, encoder=str(tiny_roberta), encoder_weights=path, precision="fp32",
        engine=engine, device="cpu",
    )  # fmt: skip
    expected = plain_blocks(tuned, TEXTS, pooler=True)
    assert worst_row(banked_blocks(bank, TEXTS), expected) <= 1e-5
    said = [record.message for record in kept_log.records if "stay out" in record.message]
    assert len(said) == 1
    assert f"under the prefix {prefix!r}" in said[0]
    assert "5 are not, and stay out (attention.0.bias, attention.0.weight" in said[0]
    assert Bank.open(bank).source["weights"] == str(path)


def test_the_weights_are_part_of_the_fingerprint(
    tiny_roberta: Path, state: State, bank: Path, tmp_path: Path
) -> None:
    path = save(under("roberta.", state), tmp_path / "model.bin")
    options: dict[str, Any] = {"engine": "torch", "precision": "fp32"}
    extract(TEXTS[:2], bank, encoder=str(tiny_roberta), encoder_weights=path, **options)
    # The bank's own, when not given.
    assert extract(TEXTS, bank, engine="torch").n_new == 1
    setup = Bank.open(bank).setup
    scratch = tmp_path / "scratch.bank"
    extract(TEXTS, scratch, encoder=str(tiny_roberta), encoder_weights=path, like=setup)
    assert Bank.open(scratch).fingerprint == Bank.open(bank).fingerprint
    with pytest.raises(FingerprintMismatch) as caught:
        extract(TEXTS, tmp_path / "b.bank", encoder=str(tiny_roberta), like=setup)
    assert caught.value.fields == ("weights",)
    state["embeddings.LayerNorm.bias"] += 1
    save(under("roberta.", state), path)
    with pytest.raises(FingerprintMismatch) as caught:
        extract(TEXTS, bank)
    assert caught.value.fields == ("weights",)


@pytest.mark.parametrize(("name", "takes_torch"), [("a.safetensors", "False"), ("a.bin", "True")])
def test_a_second_call_hashes_the_file_and_loads_no_model(
    name: str, takes_torch: str, tiny_roberta: Path, state: State, bank: Path, tmp_path: Path
) -> None:
    path = save(under("transformer.", state), tmp_path / name)
    options = {"encoder": str(tiny_roberta), "encoder_weights": path}
    extract(TEXTS, bank, engine="torch", **options)
    code = (
        "import sys; from extract import extract; "
        f"report = extract({TEXTS!r}, {str(bank)!r}, encoder_weights={str(path)!r}); "
        "print(report.n_reused, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", takes_torch, "False"]


def test_the_encoders_own_weights_are_not_needed(
    encoder: Path, tuned: Path, state: State, bank: Path, tmp_path: Path
) -> None:
    (encoder / "model.safetensors").unlink()
    path = save(under("roberta.", state), tmp_path / "model.safetensors")
    extract(TEXTS, bank, encoder=str(encoder), encoder_weights=path, precision="fp32")
    expected = plain_blocks(tuned, TEXTS, pooler=True)
    assert worst_row(banked_blocks(bank, TEXTS), expected) <= 1e-5


def test_a_pooler_that_the_file_lacks_is_not_the_encoders_own(
    tiny_roberta: Path, state: State, bank: Path, tmp_path: Path
) -> None:
    kept = {name: tensor for name, tensor in state.items() if "pooler" not in name}
    path = save(under("roberta.", kept), tmp_path / "model.bin")
    extract(TEXTS, bank, encoder=str(tiny_roberta), encoder_weights=path, engine="torch")
    assert not Bank.open(bank).has_pooler


def test_tied_weights_may_stand_once(bank: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = save_encoder(save_tokenizer(tmp_path / "t5"), "t5")
    own = load_file(folder / "model.safetensors")
    kept = {f"model.{name}": t for name, t in own.items() if name != "encoder.embed_tokens.weight"}
    path = save(kept, tmp_path / "model.safetensors")
    options: dict[str, Any] = {"precision": "fp32", "engine": "torch", "encoder": str(folder)}
    extract(TEXTS, bank, encoder_weights=path, **options)
    extract(TEXTS, tmp_path / "plain.bank", **options)
    found = banked_blocks(tmp_path / "plain.bank", TEXTS)
    assert worst_row(banked_blocks(bank, TEXTS), found) <= AGAIN


def spoilt(change: Callable[[State], object]) -> Callable[[State], State]:
    def spoil(state: State) -> State:
        change(state)
        return under("roberta.", state)

    return spoil


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda state: heads(64), r"none of its names is one of the encoder's"),
        (
            spoilt(lambda state: state.pop("encoder.layer.2.output.dense.weight")),
            r"lacks 1 weights of RobertaModel under the prefix 'roberta\.' "
            r"\(encoder\.layer\.2\.output\.dense\.weight\)",
        ),
        (
            spoilt(lambda state: state.update({BIAS: heads(9)["regressor.0.weight"]})),
            r"roberta\.embeddings\.LayerNorm\.bias of shape \(1, 9\), and the encoder's is \(64,\)",
        ),
        (
            lambda state: {**under("one.", state), **under("two.", state)},
            r"several encoders, under 'one\.' and 'two\.'",
        ),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(
    make: Callable[[State], State], message: str, tiny_roberta: Path, state: State, bank: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    path = save(make(state), tmp_path / "model.bin")
    for engine in ("torch", "auto"):
        with pytest.raises(EncoderError, match=message):
            extract(TEXTS, bank, encoder=str(tiny_roberta), encoder_weights=path, engine=engine)
    assert not bank.exists()


def test_a_file_that_is_not_there_or_could_run_code(
    tiny_roberta: Path, bank: Path, tmp_path: Path
) -> None:
    import torch

    with pytest.raises(EncoderError, match=r"no file .*nowhere\.bin.* with weights"):
        extract(TEXTS, bank, encoder=str(tiny_roberta), encoder_weights="nowhere.bin")
    torch.save({"roberta.x": subprocess.Popen}, tmp_path / "model.bin")
    with pytest.raises(EncoderError, match="was refused: its pickle names"):
        extract(TEXTS, bank, encoder=str(tiny_roberta), encoder_weights=tmp_path / "model.bin")


def test_the_same_weights_load_alike_from_a_folder_and_from_a_file(tmp_path: Path) -> None:
    import torch

    from extract.engines.load_model import load_model

    # T5 keeps some modules in fp32, since it would overflow otherwise.
    folder = save_encoder(save_tokenizer(tmp_path / "tiny-t5"), "t5")
    weights = folder / "model.safetensors"
    found = [
        load_model(Checkpoint.find(str(folder), weights=file), torch.float16)[0].state_dict()
        for file in (None, weights)
    ]
    assert [*found[0]] == [*found[1]]
    assert {tensor.dtype for tensor in found[0].values()} == {torch.float16, torch.float32}
    for name, tensor in found[0].items():
        assert tensor.dtype == found[1][name].dtype
        assert torch.equal(tensor, found[1][name])
