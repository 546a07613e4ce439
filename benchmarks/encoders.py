"""Encoders of base size with random weights, and texts of chosen lengths: speed takes no more."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: 12 layers of width 768, either of them. Transformers runs RoBERTa's attention through PyTorch's
#: fused function, but MPNet's, with its bias by distance, as plain matrix products.
BASES = ("roberta-base", "mpnet-base")


def random_base(name: str, folder: Path) -> Path:
    """One of ``BASES`` with random weights and a byte-level tokenizer trained on the sample."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import (
        MPNetConfig,
        MPNetModel,
        RobertaConfig,
        RobertaModel,
        RobertaTokenizerFast,
    )

    torch.manual_seed(0)
    if name == "roberta-base":
        config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
        RobertaModel(config).save_pretrained(folder)
    elif name == "mpnet-base":
        MPNetModel(MPNetConfig(max_position_embeddings=514)).save_pretrained(folder)
    else:
        raise ValueError(f"{name} is not one of {', '.join(BASES)}")
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(_sample_words(), vocab_size=5000, special_tokens=special)
    bpe.save(str(folder / "bpe.json"))
    tokenizer = RobertaTokenizerFast(tokenizer_file=str(folder / "bpe.json"), model_max_length=512)
    tokenizer.save_pretrained(folder)
    return folder


def _sample_words() -> list[str]:
    text = (resources.files("features.sample") / "passages.csv").read_text(encoding="utf-8")
    return text.split()


def excerpt_lengths(n: int) -> NDArray[np.int64]:
    """Tokens of n texts as the CommonLit excerpts have them: 217 on average, at most 256."""
    generator = np.random.default_rng(0)
    return np.clip(generator.normal(217, 25, n), 120, 256).astype(np.int64)


def made_up_texts(encoder: Path, lengths: NDArray[np.int64]) -> list[str]:
    """Texts of about these many tokens, all different, of words from the bundled passages."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder, model_max_length=10**6)
    words, generator, texts = np.array(_sample_words()), np.random.default_rng(0), []
    for length in lengths:
        ids = tokenizer(" ".join(generator.choice(words, int(length))))["input_ids"]
        texts.append(tokenizer.decode(ids[1 : length - 1]))
    return texts
