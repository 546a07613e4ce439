"""Small sentence-transformers folders, as versions before 6 and since 6 write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.tiny_encoders import save_encoder, save_tokenizer

OLD, NEW = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules."

#: The booleans of the older layout.
BOOLEANS = {
    "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens", "lasttoken": "pooling_mode_lasttoken",
}  # fmt: skip


def save_sentence_folder(
    folder: Path,
    layout: str = "new",
    *,
    poolings: Sequence[str] = ("mean",),
    further: Sequence[str] = ("Normalize",),
    max_length: int = 64,
    prompts: Mapping[str, str] | None = None,
    default_prompt: str | None = None,
    include_prompt: bool = True,
    inner: str = "",
    kind: str = "bpe",
) -> Path:
    """Save a random RoBERTa of 3 blocks, 32 wide, as the library's ``save`` of a time would.

    Parameters
    ----------
    layout
        ``old`` (before version 6) or ``new``.
    further
        Modules behind Transformer and Pooling.
    inner
        The folder of the encoder, such as ``0_Transformer``.
    """
    encoder = folder / inner
    limit = max_length if layout == "new" else 512
    save_encoder(save_tokenizer(encoder, kind, max_length=limit), "roberta")
    kinds = ["Transformer", "Pooling", *further]
    paths = [inner, *(f"{number}_{kind}" for number, kind in enumerate(kinds) if number)]
    write(folder / "modules.json", [
        {"idx": number, "name": str(number), "path": path, "type": _type(layout, kind)}
        for number, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ])  # fmt: skip
    for path in paths[1:]:
        (folder / path).mkdir()
    pooling: dict[str, Any] = {"include_prompt": include_prompt}
    if layout == "old":
        pooling |= {"word_embedding_dimension": 32}
        pooling |= {name: mode in poolings for mode, name in BOOLEANS.items()}
        settings: dict[str, Any] = {"max_seq_length": max_length, "do_lower_case": False}
    else:
        pooling |= {
            "embedding_dimension": 32,
            "pooling_mode": poolings[0] if len(poolings) == 1 else list(poolings),
        }
        text = {"method": "forward", "method_output_name": "last_hidden_state"}
        settings = {
            "transformer_task": "feature-extraction", "modality_config": {"text": text},
            "module_output_name": "token_embeddings",
        }  # fmt: skip
    write(folder / "1_Pooling" / "config.json", pooling)
    write(encoder / "sentence_bert_config.json", settings)
    write(
        folder / "config_sentence_transformers.json",
        {"prompts": prompts or {}, "default_prompt_name": default_prompt},
    )
    return folder


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _type(layout: str, kind: str) -> str:
    if layout == "old":
        return OLD + kind
    base = kind in ("Transformer", "Normalize", "Dense")
    module = f"sentence_transformers.base.modules.{kind.lower()}." if base else f"{NEW}pooling."
    return module + kind
