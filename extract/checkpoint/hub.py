"""From an encoder's name to a folder of files here, through the hub's cache."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from features.errors import EncoderError, InputError
from features.paths import as_path

log = logging.getLogger(__name__)

#: Everything but the weights.
SETTINGS = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "*.model",
)  # fmt: skip

#: Weights in the order of preference; only the first kind that a checkpoint has is fetched.
WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)


class Found(NamedTuple):
    """Where an encoder's files are."""

    encoder: str
    """What to record: the hub's name, or the absolute path of a folder."""
    revision: str | None
    """The commit, for an encoder from the hub."""
    folder: Path


def find_encoder(encoder: str, revision: str | None = None, *, with_weights: bool = True) -> Found:
    """The files of a local folder, or of a model on the hub (fetched when not in the cache).

    Without weights, only the settings and the tokenizer are fetched.

    Raises
    ------
    EncoderError
        When neither a folder nor a model of that name can be had; says what was looked for.
    InputError
        When a revision was given for a folder, which has none.
    """
    path = as_path(encoder) if encoder else Path()
    if encoder and path.is_dir():
        if revision is not None:
            raise InputError(
                f"{encoder} is a local folder, which has no revisions: leave out --revision"
            )
        # Not resolved: a link is the user's own name for what it points to.
        folder = Path(os.path.abspath(path))
        return Found(str(folder), None, folder)
    if encoder and path.exists():
        raise EncoderError(f"{encoder} is a file: give the folder that holds its config.json")
    separators = {os.sep, os.altsep or os.sep}
    is_path = encoder[:1] in {".", "~", *separators} or sum(map(encoder.count, separators)) > 1
    if is_path or not encoder:
        raise EncoderError(
            f"there is no folder {encoder!r}: give the folder of a saved encoder (the one with "
            "config.json), or a name on the Hugging Face hub"
        )
    folder = fetch(encoder, revision, WEIGHTS if with_weights else ((),))
    return Found(encoder, folder.name, folder)


def fetch(name: str, revision: str | None, kinds: Sequence[Sequence[str]] = WEIGHTS) -> Path:
    """A model's files in the hub's cache; whatever is missing there is downloaded."""
    try:
        for weights in kinds:
            folder = _snapshot(name, revision, [*SETTINGS, *weights])
            if any(next(folder.glob(pattern), None) for pattern in weights):
                break
    except (OSError, ValueError, LookupError) as error:
        where = f" at revision {revision!r}" if revision else ""
        raise EncoderError(
            f"there is no encoder {name!r}{where}: no such folder here, and {_reason(error)}; "
            "check the name, give a folder that holds config.json, or fetch it where there is a "
            "network"
        ) from error
    return folder


def _snapshot(name: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except (OSError, LookupError) as error:
        # Before version 2, the hub's library asks the network for a commit that it has.
        try:
            return Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=patterns, local_files_only=True
                )
            )
        except (OSError, LookupError):
            raise error from None


def _reason(error: Exception) -> str:
    """Why the hub gave nothing, in a few words."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "the Hugging Face hub asks for its terms to be accepted first (`hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the model on the Hugging Face hub has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the Hugging Face hub has no such model (or it is private: `hf auth login`)"
    if isinstance(error, errors.IncompleteSnapshotError):
        return "its files in the hub's cache are incomplete while the hub cannot be reached"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "it is not in the hub's cache while the hub cannot be reached"
    if isinstance(error, errors.HFValidationError):
        return "it is no valid name on the Hugging Face hub"
    return f"the Hugging Face hub answered: {(str(error).splitlines() or [''])[0]}"
