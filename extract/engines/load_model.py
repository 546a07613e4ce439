"""A checkpoint becomes a PyTorch module, and nothing in it is left to chance.

Its weights are its own, or fine-tuned ones of a state dict, whose encoder is found under whatever
prefix it has there.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from extract.checkpoint.architecture import SAFELY, encoder_of, family_of, read_config
from extract.checkpoint.checkpoint import Checkpoint
from extract.checkpoint.quiet import quiet_transformers
from extract.checkpoint.weights import read_state
from extract.engines.onednn import keep_few_primitives
from features.errors import EncoderError

log = logging.getLogger(__name__)

#: How many names a message lists.
NAMED = 5


def load_model(checkpoint: Checkpoint, dtype: torch.dtype) -> tuple[Any, bool]:
    """The encoder of a checkpoint, in evaluation mode, on the CPU.

    Parameters
    ----------
    checkpoint
        Its files; no code from them is run, and no pickle but tensors is read.
    dtype
        Of the weights. Left alone, transformers would take the checkpoint's own.

    Returns
    -------
    The module, and whether the weights of its pooler are the checkpoint's (False for a model that
    has none).

    Raises
    ------
    EncoderError
        When the checkpoint cannot be loaded, or lacks weights other than the pooler's.
    """
    keep_few_primitives()
    given = checkpoint.fine_tuned or checkpoint.folder
    try:
        with quiet_transformers():
            model, info = _load(checkpoint, dtype)
    except EncoderError:
        raise
    except Exception as error:  # a checkpoint can be wrong in any way
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EncoderError(
            f"the checkpoint in {given} cannot be loaded as an encoder ({reason}{_code(checkpoint)}"
            "): save it again, or give another one"
        ) from error
    missing = sorted(name for name in info["missing_keys"] if not is_pooler(name))
    wrong = missing + sorted(str(key[0]) for key in info["mismatched_keys"])
    if wrong:
        raise EncoderError(
            f"the checkpoint in {given} lacks {len(wrong)} weights of {type(model).__name__}, "
            f"{wrong[0]} for one, and random ones would stand in{_code(checkpoint)}: give a "
            "complete checkpoint"
        )
    without_pooler = len(missing) < len(info["missing_keys"])
    if without_pooler:
        log.warning(
            "%s holds no weights for the encoder's pooler, and random ones would differ from run "
            "to run: `pooler` is not stored (a revision or file of the checkpoint that holds them "
            "would give it)",
            given,
        )
    has_pooler = getattr(model, "pooler", None) is not None and not without_pooler
    return model.eval().requires_grad_(False), has_pooler


def _code(checkpoint: Checkpoint) -> str:
    """A word on the code that a checkpoint brings, where it may be what is missing."""
    brings = checkpoint.fine_tuned is None and checkpoint.config.get("auto_map")
    return "; its own code (auto_map) is never run" if brings else ""


def _load(checkpoint: Checkpoint, dtype: torch.dtype) -> tuple[Any, dict[str, Any]]:
    config = read_config(checkpoint.folder)
    family = family_of(config)
    info: dict[str, Any] = {"missing_keys": [], "mismatched_keys": []}
    if checkpoint.fine_tuned is None:
        model, info = family.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=dtype,
            use_safetensors=checkpoint.safetensors,
            output_loading_info=True,
            **SAFELY,
        )
    else:
        model = family.from_config(config, dtype=dtype)
        _keep_in_fp32(model, dtype)
    model = encoder_of(model, config)
    if checkpoint.fine_tuned is not None:
        path = checkpoint.fine_tuned
        info["missing_keys"] = put_weights(model, read_state(path, checkpoint.shapes), path)
    return model, info


def _keep_in_fp32(model: Any, dtype: torch.dtype) -> None:
    """Give the modules fp32 that ``from_pretrained`` keeps so, which ``from_config`` does not."""
    half = {torch.float16: ("", "_strict"), torch.bfloat16: ("_strict",)}.get(dtype, ())
    kept = {name for kind in half for name in getattr(model, f"_keep_in_fp32_modules{kind}") or ()}
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in kept:
            module.float()


def put_weights(model: Any, state: Mapping[str, torch.Tensor], path: Path) -> list[str]:
    """Copy the encoder's weights out of a state dict into a model.

    Parameters
    ----------
    model
        The encoder.
    state
        What ``path`` holds.
    path
        For messages.

    Returns
    -------
    Names of the model's weights that the state dict lacks; of its pooler, and no others.

    Raises
    ------
    EncoderError
        When no name matches, when several encoders do equally well, when other weights than the
        pooler's are lacking, or when one has another shape.
    """
    own = model.state_dict()
    name = type(model).__name__
    prefix = find_prefix(state, own, f"{path} as a {name}")
    matched = {key: state[prefix + key] for key in own if prefix + key in state}
    if wrong := [key for key, tensor in matched.items() if tensor.shape != own[key].shape]:
        raise EncoderError(
            f"{path} holds {prefix + wrong[0]} of shape {tuple(state[prefix + wrong[0]].shape)}, "
            f"and the encoder's is {tuple(own[wrong[0]].shape)}: give the encoder that was "
            "fine-tuned with --encoder"
        )
    # Weights that are tied to one another may stand in the file once.
    there = {own[key].data_ptr() for key in matched}
    missing = sorted(key for key in own if own[key].data_ptr() not in there)
    if lacking := [key for key in missing if not is_pooler(key)]:
        raise EncoderError(
            f"{path} lacks {len(lacking)} weights of {name} under the prefix {prefix!r} "
            f"({listed(lacking)}), and others would stand in: give a complete state dict, or the "
            "encoder that was fine-tuned with --encoder"
        )
    model.load_state_dict(matched, strict=False)
    if rest := sorted(key for key in state if key.removeprefix(prefix) not in matched):
        log.info(
            "%s: %d weights under the prefix %r are the encoder's; %d are not, and stay out (%s)",
            path, len(matched), prefix, len(rest), listed(rest),
        )  # fmt: skip
    return missing


def find_prefix(names: Iterable[str], own: Iterable[str], what: str) -> str:
    """Under which prefix most of an encoder's own names stand among ``names``.

    >>> find_prefix(["net.a.x", "net.a.y", "head.x"], ["x", "y"], "the file")
    'net.a.'
    """
    own = set(own)
    counts: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in own:
                counts["".join(f"{part}." for part in parts[:i])] += 1
    if not counts:
        raise EncoderError(
            f"cannot read {what}: none of its names is one of the encoder's ({listed(sorted(own))}"
            "), with any prefix; give the encoder that was fine-tuned with --encoder"
        )
    (best, most), *others = counts.most_common(2)
    if others and others[0][1] == most:
        raise EncoderError(
            f"cannot read {what}: it holds several encoders, under {best!r} and {others[0][0]!r}; "
            "save a state dict with one of them"
        )
    return best


def is_pooler(name: str) -> bool:
    """Whether a weight is of an encoder's own pooler."""
    return "pooler" in name.split(".")


def listed(names: list[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", and {more} more" if more > 0 else "")
