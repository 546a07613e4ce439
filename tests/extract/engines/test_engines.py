"""Every engine and precision: all poolings, and one vector a text whatever stands beside it."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from extract.engines.pooling import POOLINGS
from features import Text
from tests.extract.plain import (
    AGAIN,
    banked_blocks,
    plain_blocks,
    skip_where_openvino_has_no,
    worst_block,
    worst_row,
)
from tests.extract.some_texts import LENGTHS, some_texts

TEXTS: list[Text] = [
    *some_texts(LENGTHS[::2], 5),
    "",
    ("What is asked?", "An answer that is somewhat longer than the question was."),
    ("Summarise:", some_texts([500], 7)[0]),
]
ENGINES = [
    "torch",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("openvino") is None,
            reason="the extra `openvino` is not installed",
        ),
    ),
]
#: What limits threads: set by batch systems and Ray, and in the place of a container's quota.
LIMITS = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
#: How far a text's vector may move, by precision, when its neighbours do; README's Limits.
MOVES = {"fp32": 1e-5, "bf16": 3e-2, "fp16": 5e-3}


@pytest.fixture(scope="module")
def plain(tiny_roberta: Path) -> np.ndarray:
    return plain_blocks(tiny_roberta, TEXTS, pooler=True)


@pytest.fixture(scope="module")
def expected(tiny_roberta: Path) -> np.ndarray:
    return plain_blocks(tiny_roberta, TEXTS, poolings=tuple(POOLINGS), pooler=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_pooling(
    engine: str, precision: str, tiny_roberta: Path, expected: np.ndarray, bank: Path
) -> None:
    skip_where_openvino_has_no(precision, engine)
    extract(
        TEXTS, bank, encoder=str(tiny_roberta), precision=precision, engine=engine, device="cpu",
        poolings=tuple(POOLINGS), batch_tokens=1000,
    )  # fmt: skip
    found = banked_blocks(bank, TEXTS)
    if precision == "fp32":
        assert worst_row(found, expected) <= 1e-5
    else:
        assert worst_block(found, expected) <= 2e-2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("precision", list(MOVES))
def test_a_texts_numbers_do_not_depend_on_its_neighbours(
    engine: str, precision: str, tiny_roberta: Path, tmp_path: Path
) -> None:
    if engine == "openvino" and precision == "fp16":
        pytest.skip("OpenVINO does not run fp16 on a CPU")
    skip_where_openvino_has_no(precision, engine)
    options: dict[str, Any] = {
        "encoder": str(tiny_roberta), "precision": precision, "engine": engine, "device": "cpu",
    }  # fmt: skip
    found = []
    for batch_tokens in (1, 300, 4096):
        others = some_texts([*range(1, 40, 3)], batch_tokens)
        order = random.Random(batch_tokens).sample([*TEXTS, *others], len(TEXTS) + len(others))
        bank = tmp_path / f"{batch_tokens}.bank"
        extract(order, bank, batch_tokens=batch_tokens, **options)
        found.append(banked_blocks(bank, TEXTS))
    for other in found[1:]:
        assert worst_row(other, found[0]) <= MOVES[precision]


def test_the_same_call_gives_the_same_numbers(tiny_roberta: Path, tmp_path: Path) -> None:
    for name in ("a.bank", "b.bank"):
        extract(TEXTS, tmp_path / name, encoder=str(tiny_roberta), precision="fp32", device="cpu")
    found = banked_blocks(tmp_path / "a.bank", TEXTS)
    assert worst_row(banked_blocks(tmp_path / "b.bank", TEXTS), found) <= AGAIN


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_of_threads_is_heeded(name: str, engine: str, tiny_roberta: Path) -> None:
    code = (
        "import sys; from extract.checkpoint.checkpoint import Checkpoint\n"
        "from extract.engines.encoder import EngineOptions\n"
        "from extract.engines.load import load_encoder\n"
        "options = EngineOptions('cpu', 'fp32', ('cls',), 64)\n"
        "encoder = load_encoder(Checkpoint.find(sys.argv[1]), options, sys.argv[2])\n"
        "if sys.argv[2] == 'openvino':\n"
        "    print(encoder._compiled.get_property('INFERENCE_NUM_THREADS'))\n"
        "else: import torch; print(torch.get_num_threads())"
    )
    command = [sys.executable, "-c", code, str(tiny_roberta), engine]
    others = {key: value for key, value in os.environ.items() if key not in LIMITS}
    limited = {**others, name: "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=limited)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("bias", [True, False])
def test_products_by_onednn_are_exact(bias: bool) -> None:
    import torch

    from extract.engines.onednn import OneDnnLinear, use_onednn

    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(300, 200, bias=bias)).requires_grad_(False)
    inputs = torch.randn(3, 50, 300)
    exact = layer.double()(inputs.double())
    layer.float()
    use_onednn(layer)
    if not isinstance(layer[0], OneDnnLinear):
        pytest.skip("oneDNN is not in this build of PyTorch, or this is no x86")
    with torch.inference_mode():
        error = (layer(inputs).double() - exact).norm() / exact.norm()
    assert error <= 1e-6


@pytest.mark.parametrize(("said", "heeded"), [(None, "24"), ("7", "7")])
def test_onednn_keeps_few_products_unless_told_otherwise(
    said: str | None,
    heeded: str,
    tiny_roberta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    # Set first, so that what loading sets is undone after the test.
    monkeypatch.setenv(name, "unset")
    monkeypatch.delenv(name) if said is None else monkeypatch.setenv(name, said)
    extract(TEXTS[:1], tmp_path / "a.bank", encoder=str(tiny_roberta), engine="torch", device="cpu")
    assert os.environ[name] == heeded


@pytest.fixture(params=["ieee", "tf32"])
def set_by_the_process(request: pytest.FixtureRequest) -> Iterator[str]:
    """What a program may have set, in the way that the older switches do not bear."""
    import torch

    operations: Any = [torch.backends.mkldnn.matmul, torch.backends.cudnn.conv]
    before = [operation.fp32_precision for operation in operations]
    for operation in operations:
        operation.fp32_precision = request.param
    yield request.param
    for operation, precision in zip(operations, before, strict=True):
        operation.fp32_precision = precision


def test_fp32_is_exact_whatever_the_process_has_set(
    plain: np.ndarray, set_by_the_process: str, tiny_roberta: Path, tmp_path: Path
) -> None:
    import torch

    bank = tmp_path / "a.bank"
    extract(TEXTS, bank, encoder=str(tiny_roberta), precision="fp32", engine="torch", device="cpu")
    # The plain pass came first: some processors would compute it in what the process has set.
    assert worst_row(banked_blocks(bank, TEXTS), plain) <= 1e-5
    operations: Any = torch.backends
    assert operations.mkldnn.matmul.fp32_precision == set_by_the_process
