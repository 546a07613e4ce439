"""What a bank's set-up says of its tokens that nobody would expect, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Families whose tokenizers put no CLS token at the beginning of a text. Banks of them that were
#: made before this was looked for have the first word piece in its place.
NOT_FIRST = frozenset({
    "bigbird_pegasus", "longt5", "m2m_100", "marian", "mbart", "mt5", "pegasus",
    "pegasus_x", "switch_transformers", "t5", "umt5", "xlnet",
})  # fmt: skip


def token_notes(setup: Mapping[str, Any], source: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about the tokens of a bank; none where all is as usual.

    Parameters
    ----------
    setup, source
        As ``bank.json`` has them.
    """
    cls = setup.get("cls")
    if cls == "none":
        yield "no cls: the encoder's tokenizer puts no CLS token into a text"
    elif type(cls) is int and "cls" in setup["poolings"]:
        place = "the last token" if cls == -1 else f"token {cls}"
        yield f"cls is {place} of a text, where the encoder's tokenizer puts it"
    elif cls is None and "cls" in setup["poolings"] and source.get("model_type") in NOT_FIRST:
        yield (
            "cls is the first token of a text: tokenizers of this family have their CLS token "
            "elsewhere, or none, and banks that are made now follow them"
        )
    if setup.get("special_tokens") == "included, literal ones are tokens":
        yield "special tokens of the encoder that stand in a text are tokens"
    if setup.get("normaliser") == "own":
        yield "texts are normalised as the tokenizer's files say, and not as transformers does"
