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

#: How a model writes a space.
SPACE = "\u2581"

#: Steps by which a family prepares a text for its model (ALBERT, XLNet): as it was trained.
PREPARING = frozenset({"NFKD", "StripAccents"})

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
    begins: bool
    """Whether a space is put in front of a text."""
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

    def normaliser(self, *, lower: bool) -> Normalizer:
        """What the model does to a text before it cuts it.

        Parameters
        ----------
        lower
            Whether the text is in lower case first: an option of the family's, not the model's.
        """
        steps: list[Normalizer] = [normalizers.Lowercase()] if lower else []
        if self.charsmap:
            steps.append(normalizers.Precompiled(self.charsmap))
        if self.strips:
            steps += [
                normalizers.Replace(Regex("^ +| +$"), ""),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        elif self.begins:
            # The splitting of words puts one there as well, but not in front of another space.
            steps.append(normalizers.Prepend(SPACE))
        return normalizers.Sequence(steps)


def read_piece_model(path: Path) -> PieceModel:
    """Read and check a ``.model``.

    Raises
    ------
    EncoderError
        When it is damaged, or none of SentencePiece's, or of a kind that is not built from here.
    """
    proto = _messages().ModelProto()
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
        path,
        str(kind),
        spec.precompiled_charsmap,
        spec.remove_extra_whitespaces,
        spec.add_dummy_prefix,
        _BYTE in types,
    )


def _messages() -> Any:
    """The description of SentencePiece's files; EncoderError where it cannot be imported."""
    try:
        from sentencepiece import sentencepiece_model_pb2
    except Exception as error:  # ImportError, or protobuf's own for versions that do not match
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EncoderError(
            f"a SentencePiece model cannot be read here ({reason}): pip install -U sentencepiece "
            "protobuf"
        ) from error
    return sentencepiece_model_pb2


def follow_files(backend: Backend, folder: Path, model: PieceModel | None) -> bool:
    """Put in how a tokenizer's files normalise a text, where transformers left it out.

    Parameters
    ----------
    backend
        As transformers built it; may be changed.
    folder
        Where ``tokenizer.json`` may stand; what it says comes before what a ``.model`` says.
    model
        The ``.model`` that the tokenizer was built from; None where there is a ``tokenizer.json``.

    Returns
    -------
    Whether anything was changed.
    """
    steps = _kinds(_description(backend.normalizer))
    if "Precompiled" in steps:
        return False
    if model is None:
        own = _saved_normaliser(folder / "tokenizer.json")
    elif model.charsmap or not steps & PREPARING:
        own = model.normaliser(lower="Lowercase" in steps)
        if not model.begins:
            words = json.dumps(_description(backend.pre_tokenizer))
            for scheme in ("always", "first"):
                words = words.replace(f'"prepend_scheme": "{scheme}"', '"prepend_scheme": "never"')
            backend.pre_tokenizer = _alone(pre_tokenizer=json.loads(words)).pre_tokenizer
    else:
        own = None
    if own is None:
        return False
    backend.normalizer = own
    return True


def _saved_normaliser(path: Path) -> Normalizer | None:
    """That of a ``tokenizer.json``, where it has a table of characters."""
    if not path.exists():
        return None
    saved = json.loads(path.read_text(encoding="utf-8")).get("normalizer")
    if "Precompiled" not in _kinds(saved):
        return None
    normaliser: Normalizer = _alone(normalizer=saved).normalizer
    return normaliser


def _description(part: Any) -> Any:
    """What the library writes of a part of a tokenizer; None where there is no such part."""
    return None if part is None else json.loads(part.__getstate__())


def _alone(**described: Any) -> Backend:
    """A tokenizer of one word, with the parts that are described: the library makes none alone."""
    word = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    content = {"version": "1.0", "added_tokens": [], "model": word, **described}
    return Backend.from_str(json.dumps(content))


def _kinds(description: Any) -> set[str]:
    """The kinds of steps in the description of a normaliser."""
    if not isinstance(description, dict):
        return set()
    inner = description.get("normalizers")
    steps = inner if isinstance(inner, list) else []
    return {str(description.get("type"))}.union(*map(_kinds, steps))
