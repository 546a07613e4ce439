"""How long a text an encoder takes, by its configuration and its tokenizer's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.errors import EncoderError

#: Families whose positions start behind the padding index (``padding_idx + 1``), so that many
#: rows of the position table serve no token.
POSITIONS_AFTER_PADDING = frozenset({
    "camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "markuplm",
    "mluke", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip

#: Families whose attention knows distances between tokens, and no positions.
DISTANCES = frozenset({"t5", "mt5", "umt5"})

#: A tokenizer that knows no limit records a huge number.
NO_LIMIT = 1_000_000


def heeds_distances_alone(config: Mapping[str, Any]) -> bool:
    """Whether an encoder has no table of positions, so that its usable length is advice."""
    if config["model_type"] == "deberta-v2":
        return not config.get("position_biased_input", True)
    return config["model_type"] in DISTANCES


def tokenizer_limit(tokenizer_config: Mapping[str, Any]) -> int | None:
    """Tokens that a tokenizer allows; None where it sets no limit."""
    limit = tokenizer_config.get("model_max_length")
    if isinstance(limit, int | float) and 0 < limit < NO_LIMIT:
        return int(limit)
    return None


def positions(config: Mapping[str, Any], folder: Path) -> int | None:
    """Tokens for which there are positions; None where the configuration says nothing of them.

    In the RoBERTa families positions start at ``padding_idx + 1``: 514 rows serve 512 tokens.

    Parameters
    ----------
    folder
        For messages.

    Raises
    ------
    EncoderError
        When the padding index is no number.
    """
    rows = config.get("max_position_embeddings", config.get("n_positions"))
    if not isinstance(rows, int) or rows <= 0:
        return None
    family = config["model_type"]
    if family not in POSITIONS_AFTER_PADDING:
        return rows
    # MPNet's padding index is 1 whatever its configuration says.
    padding = 1 if family == "mpnet" else config.get("pad_token_id", 1) or 0
    if not isinstance(padding, int):
        raise EncoderError(
            f"{folder / 'config.json'} gives {padding!r} as pad_token_id, which is no whole "
            "number: fetch or save the checkpoint again"
        )
    return rows - padding - 1
