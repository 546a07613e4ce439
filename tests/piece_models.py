"""Small SentencePiece models, laid out as the families' checkpoints on the hub are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from tests.tiny_encoders import CORPUS

#: Characters that the families' own tables give pieces, or take for others.
ODD_CHARACTERS = "é ñ ü ½ ™ fi ä ö … o"

#: By family: the name of the file, and what its special tokens are called there.
LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "deberta-v2": ("spm.model", {
        "pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]",
        "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]",
        "user_defined_symbols": ["[MASK]"],
    }),
    "t5": ("spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "albert": ("spiece.model", {
        "pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1,
        "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
    }),
    "xlnet": ("spiece.model", {
        "unk_id": 0, "bos_id": 1, "eos_id": 2,
        "control_symbols": ["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
    }),
    "xlm-roberta": ("sentencepiece.bpe.model", {"unk_id": 0, "bos_id": 1, "eos_id": 2}),
    "camembert": ("sentencepiece.bpe.model", {"unk_id": 0, "bos_id": 1, "eos_id": 2}),
    "mbart": ("sentencepiece.bpe.model", {"unk_id": 0, "bos_id": 1, "eos_id": 2}),
    "bigbird": ("spiece.model", {
        "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3,
        "control_symbols": ["[SEP]", "[CLS]", "[MASK]"],
    }),
}  # fmt: skip


def train_piece_model(**options: Any) -> bytes:
    """A ``.model`` of a few pieces; what the trainer says goes nowhere."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*CORPUS * 20, *[ODD_CHARACTERS] * 5]),
        model_writer=out, vocab_size=400, hard_vocab_limit=False, minloglevel=2, **options,
    )  # fmt: skip
    return out.getvalue()


def save_piece_model(folder: Path, family: str, **options: Any) -> Path:
    """A tokenizer as a family's checkpoints hold it: its ``.model`` and nothing else."""
    name, special = LAYOUTS[family]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(train_piece_model(**special, **options))
    return folder / name
