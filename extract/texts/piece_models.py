"""SentencePiece's ``.model`` files: checked before anything is built from one, and then followed.

The library of SentencePiece itself never sees one here. transformers makes a fast tokenizer of its
pieces; for some families it leaves out how the model normalises a text (DeBERTa-v3, mBART,
BigBird), and then an ellipsis, a no-break space or a ligature gives other tokens than those that
the encoder was trained on.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Regex, normalizers
from tokenizers import Tokenizer as Backend
from tokenizers.normalizers import Normalizer

from features.disk.system import read_file
from features.errors import EncoderError

#: Bytes of a file at the most; those of 256,000 pieces have some 5 million.
LARGEST = 256 << 20

#: How a model cuts words into pieces, by its number in the file.
KINDS = {1: "Unigram", 2: "BPE"}

#: What a piece may stand for, by the number in the file: a byte of a character without a piece.
_BYTE = 6


@dataclass(frozen=True, slots=True)
class PieceModel:
    """What a ``.model`` says of itself, its pieces checked."""

    path: Path
    kind: str
    """``Unigram`` or ``BPE``."""
    charsmap: bytes
    """The compiled table by which characters are replaced; empty where there is none."""
    strips: bool
    """Whether spaces at the ends go, and runs of them become one."""
    has_bytes: bool
    """Whether characters without a piece become bytes, rather than the unknown token."""

    def refuse_other(self, backend: Backend) -> None:
        """EncoderError when transformers built another kind of tokenizer of it."""
        built: Any = backend.model
        what = ""
        if type(built).__name__ != self.kind:
            what = f"is a {self.kind} model, and transformers builds {type(built).__name__} of it"
        elif self.has_bytes and not getattr(built, "byte_fallback", False):
            what = "falls back to bytes, which transformers leaves out"
        if what:
            raise EncoderError(
                f"{self.path} {what}: convert it where the encoder comes from, and save "
                "tokenizer.json beside it"
            )

    def normaliser(self) -> Normalizer:
        """What the model does to a text before it cuts it."""
        steps: list[Normalizer] = []
        if self.charsmap:
            steps.append(normalizers.Precompiled(self.charsmap))
        if self.strips:
            steps += [
                normalizers.Replace(Regex("^ +| +$"), ""),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        return normalizers.Sequence(steps)


def read_piece_model(path: Path) -> PieceModel:
    """Read and check a ``.model``.

    Raises
    ------
    EncoderError
        When it is damaged, or none of SentencePiece's, or of a kind that is not built from here.
    """
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    proto = messages.ModelProto()
    try:
        proto.ParseFromString(read_file(path, at_most=LARGEST))
        pieces = [piece.piece for piece in proto.pieces]
        scores = [piece.score for piece in proto.pieces]
        types = {piece.type for piece in proto.pieces}
        kind = KINDS.get(proto.trainer_spec.model_type)
        why = ""
        if not pieces:
            why = "it holds no pieces"
        elif not all(map(math.isfinite, scores)):
            why = "a piece's score is no finite number"
        elif len({*pieces}) < len(pieces) or not all(pieces):
            why = "its pieces are not distinct"
        elif not 0 <= proto.trainer_spec.unk_id < len(pieces):
            why = "its unknown token is none of its pieces"
        elif kind is None:
            why = "it cuts texts into words or characters"
    except Exception as error:  # protobuf's own, of several kinds
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if why:
        raise EncoderError(
            f"{path} cannot be read as a SentencePiece model ({why}): fetch or save the tokenizer "
            "again"
        )
    spec = proto.normalizer_spec
    return PieceModel(
        path, str(kind), spec.precompiled_charsmap, spec.remove_extra_whitespaces, _BYTE in types
    )


def own_normaliser(backend: Backend, folder: Path, model: PieceModel | None) -> Normalizer | None:
    """The normaliser that a tokenizer's files hold and transformers left out; None if it did not.

    Parameters
    ----------
    backend
        As transformers built it.
    folder
        Where ``tokenizer.json`` may stand; what it says comes before what a ``.model`` says.
    model
        The ``.model`` that the tokenizer was built from; None where there is a ``tokenizer.json``.
    """
    built = json.loads(backend.to_str())["normalizer"]
    if "Precompiled" in _kinds(built):
        return None
    if model is not None:
        own = model.normaliser() if model.charsmap else None
    else:
        own = _saved_normaliser(folder / "tokenizer.json")
    if own is None:
        return None
    # Lower case is an option of the family's, beside the model's own rules.
    lower = [normalizers.Lowercase()] if "Lowercase" in _kinds(built) else []
    return normalizers.Sequence([*lower, own]) if lower and model is not None else own


def _saved_normaliser(path: Path) -> Normalizer | None:
    """That of a ``tokenizer.json``, where it has a table of characters."""
    if not path.exists():
        return None
    saved = json.loads(path.read_text(encoding="utf-8")).get("normalizer")
    if "Precompiled" not in _kinds(saved):
        return None
    alone: dict[str, Any] = {
        "version": "1.0", "normalizer": saved, "added_tokens": [],
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
    }  # fmt: skip
    normaliser: Normalizer = Backend.from_str(json.dumps(alone)).normalizer
    return normaliser


def _kinds(description: Any) -> set[str]:
    """The kinds of steps in the description of a normaliser."""
    if not isinstance(description, dict):
        return set()
    inner = description.get("normalizers")
    steps = inner if isinstance(inner, list) else []
    return {str(description.get("type"))}.union(*map(_kinds, steps))
