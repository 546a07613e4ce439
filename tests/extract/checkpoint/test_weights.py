"""The digest of weights, whatever file holds them, and what is refused as weights."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from extract.checkpoint.weights import weights_digest
from features.errors import EncoderError

#: Of the tensors below, as banks have recorded it since the first version: never to change.
DIGEST = "795e1669c8d24786cee677e95a05c03a7ee331538a78c15cc2f0e7d204b4a250"


@pytest.fixture(scope="module")
def state() -> OrderedDict[str, Any]:
    """A state dict with every oddity that real ones have."""
    import torch

    numbers = torch.arange(48, dtype=torch.float32) / 8 - 3
    tied = numbers[:12].reshape(3, 4).clone()
    tensors = OrderedDict(
        plain=numbers[:15].reshape(3, 5).clone(),
        transposed=numbers[:24].reshape(4, 6).clone().t(),
        strided=numbers.clone()[::3],
        part=numbers.clone()[4:9],
        lone=numbers.clone()[7::60],
        half=numbers[:5].half()[1:4],
        brain=numbers[:6].reshape(2, 3).bfloat16(),
        double=numbers[:2].double(),
        scalar=torch.tensor(3.5),
        empty=torch.zeros(0, 4),
        truth=torch.tensor([True, False]),
        integers=torch.arange(7),
        bytes=torch.arange(7, dtype=torch.uint8),
        expanded=torch.tensor([[1.0, 2.0]]).expand(3, 2),
        tied=tied,
        tied_again=tied,
        tied_part=tied[1],
        parameter=torch.nn.Parameter(numbers[:4].reshape(2, 2).clone()),
        frozen=torch.nn.Parameter(numbers[:4].clone(), requires_grad=False),
    )
    tensors._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    return tensors


def each_alone(state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors with memory of their own, as safetensors wants them."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}


def test_one_digest_whatever_the_format(state: OrderedDict[str, Any], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    plain = each_alone(state)
    save_file(plain, tmp_path / "a.safetensors")
    names = sorted(plain)
    save_file({name: plain[name] for name in names[:4]}, tmp_path / "s1.safetensors")
    save_file({name: plain[name] for name in names[4:]}, tmp_path / "s2.safetensors")
    torch.save(state, tmp_path / "zip.bin")
    torch.save(state, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    with (
        zipfile.ZipFile(tmp_path / "zip.bin") as plainly,
        zipfile.ZipFile(tmp_path / "small.bin", "w", zipfile.ZIP_DEFLATED) as compressed,
    ):
        for name in plainly.namelist():
            compressed.writestr(name, plainly.read(name))
    shards = ["s1.safetensors", "s2.safetensors"]
    for files in (["a.safetensors"], ["zip.bin"], ["old.bin"], ["small.bin"], shards):
        assert weights_digest([tmp_path / name for name in files]) == DIGEST, files


@pytest.mark.parametrize("change", ["value", "name", "dtype", "shape", "fewer"])
def test_the_digest_sees_every_change(
    state: OrderedDict[str, Any], change: str, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    def digest(name: str, tensors: dict[str, Any]) -> str:
        save_file(tensors, tmp_path / name)
        return weights_digest([tmp_path / name])

    before = each_alone(state)
    after = dict(before)
    match change:
        case "value":
            after["plain"] = torch.nextafter(before["plain"], torch.tensor(9.0))
        case "name":
            after["plane"] = after.pop("plain")
        case "dtype":
            after["integers"] = before["integers"].view(torch.float64)
        case "shape":
            after["plain"] = before["plain"].reshape(5, 3)
        case "fewer":
            del after["empty"]
    assert digest("before.safetensors", before) != digest("after.safetensors", after)


class Malicious:
    """Runs a command when it is unpickled in the usual way."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.flag}",)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickle_that_could_run_code_is_refused(new_format: bool, tmp_path: Path) -> None:
    import torch

    flag = tmp_path / "ran"
    content = {"weight": torch.ones(2), "more": Malicious(flag)}
    torch.save(content, tmp_path / "m.bin", _use_new_zipfile_serialization=new_format)
    with pytest.raises(EncoderError, match="posix.system") as caught:
        weights_digest([tmp_path / "m.bin"])
    assert "\n" not in str(caught.value)
    assert not flag.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_bare_pickle_that_could_run_code_is_refused(protocol: int, tmp_path: Path) -> None:
    flag, path = tmp_path / "ran", tmp_path / "bare.bin"
    path.write_bytes(pickle.dumps(Malicious(flag), protocol))
    # torch.save writes nothing beyond protocol 2, and torch reads no further there.
    message = "posix.system" if protocol <= 2 else "its pickle is not that of a state dict"
    with pytest.raises(EncoderError, match=message) as caught:
        weights_digest([path])
    assert "\n" not in str(caught.value)
    assert not flag.exists()


@pytest.mark.parametrize("name", ["a.safetensors", "zip.bin", "old.bin"])
def test_damaged_weights_are_refused(
    state: OrderedDict[str, Any], name: str, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    path = tmp_path / name
    if name.endswith("bin"):
        torch.save(state, path, _use_new_zipfile_serialization=name == "zip.bin")
    else:
        save_file({"a": state["plain"]}, path)
    content = path.read_bytes()
    for part in (b"", content[:5], content[: len(content) // 2], b"\xff" * 200):
        path.write_bytes(part)
        with pytest.raises(EncoderError, match=name):
            weights_digest([path])


def test_an_object_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    import torch

    contents: list[Any] = [
        [torch.ones(1)], {"epoch": 3}, {"state": {"a": torch.ones(1)}},
        {"a": torch.ones(2, 2).to_sparse()}, {"a": torch.ones(2, device="meta")},
    ]  # fmt: skip
    for content in contents:
        torch.save(content, tmp_path / "a.bin")
        with pytest.raises(EncoderError, match="no intact state dict"):
            weights_digest([tmp_path / "a.bin"])
