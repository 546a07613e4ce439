"""From an encoder's name to a folder of files here, through the hub's cache."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from extract.checkpoint.sentence_folder import encoder_path, read_modules
from extract.progress import download_bars
from features.errors import EncoderError, InputError, LayerbankError
from features.paths import as_path

log = logging.getLogger(__name__)

#: Everything but the weights.
SETTINGS = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "*.model",
)  # fmt: skip

#: What says that there is more to an encoder: a sentence-transformers folder, or an adapter. For
#: the hub, a ``*`` also takes a ``/``.
BESIDE = (
    "modules.json", "config_sentence_transformers.json", "sentence_*_config.json",
    "*_*/config.json", "adapter_config.json",
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
    """A model's files in the hub's cache; whatever is missing there is downloaded.

    Those of a sentence-transformers folder come along, and the encoder may stand in a folder of it.
    """
    settings: tuple[str, ...] = (*SETTINGS, *BESIDE)
    try:
        try:
            folder = _snapshot(name, revision, settings)
        except _incomplete():  # there since before BESIDE was fetched, and no network now
            settings = SETTINGS
            folder = _snapshot(name, revision, settings)
        inner = encoder_path(read_modules(folder))
        within = [f"{inner}/{pattern}" for pattern in settings] if inner else []
        for weights in kinds:
            files = [f"{inner}/{pattern}" if inner else pattern for pattern in weights]
            folder = _snapshot(name, revision, [*settings, *within, *files])
            if any(next(folder.glob(pattern), None) for pattern in files):
                break
    except LayerbankError:
        raise
    except Exception as error:  # the network's, the hub's and the disk's have no common base
        where = f" at revision {revision!r}" if revision else ""
        raise EncoderError(
            f"there is no encoder {name!r}{where}: no such folder here, and {_reason(error)}; "
            f"{_advice(error)}"
        ) from error
    return folder


def _snapshot(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    given: dict[str, Any] = {"revision": revision, "allow_patterns": [*patterns]}
    try:
        if are_progress_bars_disabled():
            return Path(snapshot_download(name, **given))
        with download_bars(name) as bars:
            return Path(snapshot_download(name, **given, tqdm_class=bars))
    except Exception as error:
        # What is there whole will do, whatever ails the network.
        try:
            return Path(snapshot_download(name, **given, local_files_only=True))
        except (OSError, LookupError, ValueError):
            raise error from None


def _incomplete() -> tuple[type[Exception], ...]:
    """The hub's own error for a snapshot that lacks files; version 1 has none."""
    from huggingface_hub import errors

    found = getattr(errors, "IncompleteSnapshotError", None)
    return () if found is None else (found,)


def _reason(error: Exception) -> str:
    """Why the hub gave nothing, in a few words."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "the Hugging Face hub asks for its terms to be accepted first (`hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the model on the Hugging Face hub has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the Hugging Face hub has no such model (or it is private: `hf auth login`)"
    if isinstance(error, _incomplete()):
        return "its files in the hub's cache are incomplete while the hub cannot be reached"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "it is not in the hub's cache while the hub cannot be reached"
    if isinstance(error, errors.HFValidationError):
        return "it is no valid name on the Hugging Face hub"
    said = (str(error).splitlines() or [""])[0] or type(error).__name__
    if isinstance(error, errors.HfHubHTTPError):
        return f"the Hugging Face hub answered: {said}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"its files cannot be written to the hub's cache ({error.strerror})"
    return f"the download broke off ({said})"


def _advice(error: Exception) -> str:
    """What to do about it."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "accept them on the model's page, or give a folder that holds config.json"
    named = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.HFValidationError)
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, named):
        return "make room, or say with HF_HOME where there is some"
    if not isinstance(error, named):
        return "give the same command again, and what is there already is not fetched again"
    return (
        "check the name, give a folder that holds config.json, or fetch it where there is a network"
    )
