"""Which engine runs a checkpoint."""

from __future__ import annotations

import logging

from extract.checkpoint.checkpoint import Checkpoint
from extract.engines.encoder import Encoder, EngineOptions, NotConvertible
from features.errors import InputError

log = logging.getLogger(__name__)


def load_encoder(checkpoint: Checkpoint, options: EngineOptions, engine: str = "auto") -> Encoder:
    """Load a checkpoint into an engine.

    Parameters
    ----------
    checkpoint, options
        What to load, and how to run it.
    engine
        A name in :data:`extract.engines.encoder.ENGINES`; ``auto`` takes OpenVINO on a CPU where
        it is installed and runs this encoder exactly, else PyTorch.

    Raises
    ------
    InputError
        When the engine that was asked for is not installed, or has not the device or precision.
    EncoderError
        When the checkpoint cannot serve as an encoder; the message says why.
    """
    encoder = _load_encoder(checkpoint, options, engine)
    if not encoder.pads:
        log.warning(
            "this encoder heeds padding in spite of its mask: only texts of one length share a "
            "batch, which takes longer"
        )
    return encoder


def _load_encoder(checkpoint: Checkpoint, options: EngineOptions, engine: str) -> Encoder:
    from extract.engines import openvino_engine

    if engine == "openvino" and not openvino_engine.is_installed():
        raise InputError("the engine OpenVINO is not installed: pip install 'layerbank[openvino]'")
    if engine == "openvino" and not openvino_engine.runs(options):
        raise InputError(
            f"the engine OpenVINO runs fp32 and bf16 on a CPU, not {options.precision} on "
            f"{options.device}: leave out --engine, or change --precision or --device"
        )
    if engine != "torch" and openvino_engine.is_installed() and openvino_engine.runs(options):
        try:
            return openvino_engine.OpenVinoEncoder.load(checkpoint, options)
        except NotConvertible as error:
            if engine == "openvino":
                raise
            log.info("%s: running it in PyTorch instead", error)
    from extract.engines.torch_engine import TorchEncoder

    return TorchEncoder.load(checkpoint, options)
