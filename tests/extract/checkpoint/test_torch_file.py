"""The shapes in which people save weights: beside predictions, epochs, optimisers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from extract.checkpoint.weights import read_state, weights_digest
from features import Bank
from features.errors import EncoderError

State = dict[str, Any]


@pytest.fixture(scope="module")
def state(tiny_roberta: Path) -> State:
    """The encoder's own weights as a model with a head has them."""
    import torch
    from safetensors.torch import load_file

    own = load_file(tiny_roberta / "model.safetensors")
    return {**{f"roberta.{name}": t for name, t in own.items()}, "head.weight": torch.ones(1, 64)}


def lightning(state: State) -> State:
    """A .ckpt as Lightning writes it."""
    import torch

    moments = {"step": torch.tensor(3.0), "exp_avg": torch.ones(4, 4)}
    return {
        "epoch": 2, "global_step": 30, "pytorch-lightning_version": "2.4.0",
        "state_dict": OrderedDict((f"model.{name}", t) for name, t in state.items()),
        "loops": {"fit_loop": {"state_dict": {}, "batch_progress": {"total": {"ready": 3}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'rmse'}": {
            "monitor": "rmse", "best_model_score": torch.tensor(0.5), "best_k_models": {},
        }},
        "optimizer_states": [{"state": {0: moments, 1: moments}, "param_groups": [{"lr": 1e-5}]}],
        "lr_schedulers": [{"base_lrs": [1e-5], "last_epoch": 30}],
        "hparams_name": "kwargs", "hyper_parameters": {"lr": 1e-5, "name": "roberta-base"},
    }  # fmt: skip


def arrays(state: State) -> State:
    return {
        "model": state,
        "preds": np.linspace(0, 1, 7),
        "ids": np.array(["a", "bc"]),
        "objects": np.array(["a", None, 3], dtype=object),
        "table": np.zeros((2, 3), np.float32, order="F"),
        "records": np.array([(1, 2.0)], dtype=[("n", "i4"), ("x", "f8")]),
        "best": np.float64(0.51),
        "seed": np.int64(3),
    }


SHAPES: dict[str, Callable[[State], Any]] = {
    "predictions beside it": arrays,
    "an epoch beside it": lambda state: {"model": state, "epoch": 3},
    "Lightning": lightning,
    "an epoch among the weights": lambda state: {**state, "epoch": 3, "name": "fold 0"},
    "an optimiser beside it": lambda state: {
        "model_state_dict": state,
        "optimizer_state_dict": {"state": {0: {"exp_avg": next(iter(state.values()))}}},
        "loss": 0.3,
    },
    "one fold of several levels": lambda state: {"fold_0": {"best": {"weights": state}}},
    "a head by itself": lambda state: {
        "encoder": {name: t for name, t in state.items() if "head" not in name},
        "head": {"weight": state["head.weight"]},
    },
    "a list": lambda state: [state, 0.5],
}


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("new_format", [True, False])
def test_the_weights_are_found_wherever_they_stand(
    make: Callable[[State], Any], new_format: bool, state: State, tiny_roberta: Path, tmp_path: Path
) -> None:
    import torch

    path = tmp_path / "saved.pth"
    torch.save(make(state), path, _use_new_zipfile_serialization=new_format)
    checkpoint = Checkpoint.find(str(tiny_roberta), weights=path)
    found = read_state(path, checkpoint.shapes)
    own = {name.removeprefix("model."): tensor for name, tensor in found.items()}
    assert own.keys() <= state.keys()
    assert sum(name.startswith("roberta.") for name in own) == len(state) - 1
    assert all(torch.equal(tensor, state[name]) for name, tensor in own.items())


def test_the_digest_is_that_of_the_weights_alone(state: State, tmp_path: Path) -> None:
    import torch

    torch.save(state, tmp_path / "plain.bin")
    for number, beside in enumerate([{"epoch": 3}, {"preds": np.ones(3)}, {"note": "x"}]):
        path = tmp_path / f"{number}.bin"
        torch.save({"model": state, **beside}, path)
        assert weights_digest([path], dict) == weights_digest([tmp_path / "plain.bin"])
        with pytest.raises(EncoderError):  # what transformers itself would not read
            weights_digest([path])


@pytest.mark.parametrize("core", ["core", "_core"])
def test_arrays_of_both_numpys_are_left_unread(core: str, state: State, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "a.bin"
    content = arrays({"x": torch.ones(2, 2)})
    torch.save(content, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert data.count(b"cnumpy._core.multiarray\n") > 1  # as NumPy 2 writes it
    path.write_bytes(data.replace(b"numpy._core.", f"numpy.{core}.".encode()))
    assert [*read_state(path, dict)] == ["x"]


def test_an_array_of_numpy_runs_nothing_of_numpy(tmp_path: Path) -> None:
    """A pickle that names its parts gets stand-ins, whatever it gives them."""
    import torch

    from extract.checkpoint import torch_file

    class Forged:
        def __reduce__(self) -> tuple[Any, ...]:
            return np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": "x"}, 8, 1, 27)

    path = tmp_path / "a.bin"
    torch.save({"model": {"x": torch.ones(2, 2)}, "more": Forged()}, path)
    with torch.serialization.safe_globals(
        [(torch_file.Dropped, name) for name in torch_file.NUMPY]
    ):
        content = torch.load(path, weights_only=True)
    assert isinstance(content["more"], torch_file.Dropped)
    assert [*read_state(path, dict)] == ["x"]


def test_one_of_several_is_the_one_that_matches(
    state: State, tiny_roberta: Path, bank: Path, tmp_path: Path
) -> None:
    import torch

    others = {f"teacher.{name}": torch.ones(3, 3) for name in state}
    torch.save({"teacher": others, "student": state}, tmp_path / "a.bin")
    extract(["a text"], bank, encoder=str(tiny_roberta), encoder_weights=tmp_path / "a.bin",
            engine="torch")  # fmt: skip
    torch.save(state, tmp_path / "plain.bin")
    digest = weights_digest([tmp_path / "plain.bin"])
    assert Bank.open(bank).setup["weights"] == digest


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda state: {"model": state, "model_ema": dict(state)},
            r"several mappings of weights, 'model' and 'model_ema', and each of them",
        ),
        (
            lambda state: {"a": {"w": state["head.weight"]}, "b": {"w": state["head.weight"]}},
            r"several mappings of weights, 'a' and 'b', and none of them",
        ),
        (lambda state: {"epoch": 3, "preds": np.ones(3)}, "it holds no mapping of weights"),
        (lambda state: {"optimizer": {"state": state}}, "it holds no mapping of weights"),
        (
            lambda state: {"model": state, "made": Path("x")},
            r"names pathlib\.\w+, which .*save `torch\.save\(model\.state_dict\(\), \"model\.bin\"",
        ),
        (
            lambda state: {"model": state, "made": np.random.default_rng(0)},
            r"names numpy\.random\.\S+, which .*torch\.save\(model\.state_dict",
        ),
    ],
)
def test_what_is_not_one_mapping_of_weights_is_refused(
    make: Callable[[State], Any], message: str, state: State, tiny_roberta: Path, bank: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    import torch

    torch.save(make(state), tmp_path / "a.bin")
    with pytest.raises(EncoderError, match=message) as caught:
        extract(["a"], bank, encoder=str(tiny_roberta), encoder_weights=tmp_path / "a.bin")
    assert "\n" not in str(caught.value)
    assert not bank.exists()


def test_a_whole_model_names_its_class(tiny_roberta: Path, bank: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    torch.save(AutoModel.from_pretrained(tiny_roberta), tmp_path / "a.bin")
    with pytest.raises(EncoderError, match=r"names transformers\.\S+RobertaModel.*state_dict"):
        extract(["a"], bank, encoder=str(tiny_roberta), encoder_weights=tmp_path / "a.bin")
