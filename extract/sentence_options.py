"""What a sentence-transformers folder has to say to the options: maximum length and prompts."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import Any

from extract.checkpoint.checkpoint import Checkpoint
from extract.options import FOLDER, Options
from features.errors import InputError

log = logging.getLogger(__name__)


def given_length(options: Options, checkpoint: Checkpoint) -> int | None:
    """The maximum length that was asked for, the folder's where that was; None for none.

    Raises
    ------
    InputError
        When the folder sets none.
    """
    if options.max_length != FOLDER:
        return None if options.max_length is None else int(options.max_length)
    length: int | None = (checkpoint.sentence or {}).get("max_length")
    if length is None:
        raise InputError(
            f"{checkpoint.found.encoder} is no sentence-transformers folder that sets a maximum "
            "length: give --max-length a number of tokens, or leave it out"
        )
    # The library would fail on a text that long.
    return min(length, checkpoint.usable_length() or length)


def choose_prompt(given: str | None, checkpoint: Checkpoint, like: Mapping[str, Any]) -> str:
    """The prompt before each text, empty for none.

    Parameters
    ----------
    given
        The name of one of the folder's prompts, or a prompt; None for the recorded one.
    like
        The set-up that is gone on with; may be empty.

    Raises
    ------
    InputError
        For what looks like a name, and is nearly one of the folder's.
    """
    if given is None:
        return str(like.get("prompt", ""))
    prompts: Mapping[str, str] = (checkpoint.sentence or {}).get("prompts", {})
    if given in prompts:
        return prompts[given]
    if not _is_text(given):
        raise InputError("the prompt holds half a surrogate pair: write it as text")
    if given.isidentifier() and (near := difflib.get_close_matches(given, prompts, 1, 0.75)):
        raise InputError(
            f"the encoder's folder has no prompt {given!r} (did you mean {near[0]!r}?): its "
            f"prompts are {', '.join(prompts)}; a prompt itself ends in a space or a colon, say"
        )
    return given


def note_folder(options: Options, facts: Mapping[str, Any], setup: Mapping[str, Any]) -> None:
    """Say where a new bank is not what the folder would make of a text."""
    length, prompts = facts["max_length"], facts["prompts"]
    if options.max_length is None and length is not None and length < setup["max_length"]:
        log.info(
            "the encoder's sentence-transformers folder reads %d tokens of a text, and this bank "
            "%d, all that the encoder takes: --max-length folder reads as many as the folder",
            length, setup["max_length"],
        )  # fmt: skip
    default = facts["default_prompt"]
    if options.prompt is None and prompts.get(default):
        log.info(
            "the encoder's sentence-transformers folder puts the prompt %r before each text, and "
            "this bank none: --prompt %s puts it there", prompts[default], default,
        )  # fmt: skip
    if prompts.get(options.prompt or "") == "":
        log.info("the folder's prompt %r is empty: nothing stands before a text", options.prompt)


def note_prompt(setup: Mapping[str, Any]) -> None:
    """Say what a new bank reads before each text."""
    if prompt := setup.get("prompt"):
        log.info("each text is read with %r before it", prompt)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
