"""The module that a checkpoint's configuration describes, and the names of its weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from extract.checkpoint.quiet import quiet_transformers
from features.errors import EncoderError

log = logging.getLogger(__name__)

#: What every call of transformers is told: nothing is fetched, and no code of a checkpoint is run.
SAFELY = {"local_files_only": True, "trust_remote_code": False}


def read_config(folder: Path) -> Any:
    """The configuration in a folder, less what must not decide any number."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, **SAFELY)
    # A configuration may name the code that computes attention, on the hub even.
    config._attn_implementation = None
    if getattr(config, "attention_type", None) == "block_sparse":
        # BigBird takes full attention from the first short text on, for good. Which text comes
        # first must change no number.
        config.attention_type = "original_full"
    return config


def family_of(config: Any) -> Any:
    """The class that loads such a model, or makes one."""
    from transformers import AutoModel, AutoModelForTextEncoding

    return AutoModelForTextEncoding if _has_encoder_class(config) else AutoModel


def encoder_of(model: Any, config: Any) -> Any:
    """The half of a model that encodes; the model itself where there is no other."""
    in_two_halves = bool(getattr(config, "is_encoder_decoder", False))
    return model.get_encoder() if in_two_halves and not _has_encoder_class(config) else model


def _has_encoder_class(config: Any) -> bool:
    """Whether there is a class for the encoder alone, as for T5: its decoder is not even read."""
    from transformers import AutoModelForTextEncoding

    in_two_halves = bool(getattr(config, "is_encoder_decoder", False))
    return in_two_halves and type(config) in AutoModelForTextEncoding._model_mapping


def shapes_of(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of each weight that the encoder in a folder has; no weight is read or made."""
    import torch

    with quiet_transformers(), torch.device("meta"):
        config = read_config(folder)
        model = encoder_of(family_of(config).from_config(config), config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def refuse_unknown(folder: Path, config: Mapping[str, Any]) -> None:
    """EncoderError where the installed transformers has no code for an encoder.

    The checkpoint may bring code of its own, which is never run.
    """
    from transformers import CONFIG_MAPPING, __version__

    model_type = config["model_type"]
    if model_type in CONFIG_MAPPING:
        return
    if config.get("auto_map"):
        raise EncoderError(
            f"the encoder in {folder} is computed by code of its own (auto_map in config.json), "
            f"and code from a checkpoint is never run: transformers {__version__} has no "
            f"{model_type!r} model, so give an encoder that it has"
        )
    raise EncoderError(
        f"the encoder in {folder} is a {model_type!r}, which transformers {__version__} does not "
        "know: install a newer transformers, or give another encoder"
    )


def note_own_code(folder: Path, config: Mapping[str, Any]) -> None:
    """Say that code which a checkpoint brings along is not run: transformers has such a model."""
    if config.get("auto_map"):
        log.info(
            "%s names code of its own (auto_map), which is not run: the %r model of transformers "
            "reads its weights", folder, config["model_type"],
        )  # fmt: skip
