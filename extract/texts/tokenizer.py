"""Texts become token ids, by the encoder's own fast tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from extract.checkpoint.checkpoint import Checkpoint
from extract.texts.batching import Tokens
from extract.texts.input import beginning, n_characters, prompted
from extract.texts.loading import as_encoder_error, load_files
from extract.texts.members import TEXT
from extract.texts.probe import odd_texts, token_digest
from extract.texts.special_tokens import literals, obey
from extract.texts.template import Template, room_for_each
from extract.texts.windows import sliding
from features.errors import EncoderError, InputError, NoTokens
from features.keys import Text

#: Texts, and their characters, tokenised at one time: the tokenizer's own objects are some 100
#: bytes a token.
CHUNK, CHUNK_CHARACTERS = 512, 1 << 20


class Tokenizer:
    """A fast tokenizer that cuts texts off at a maximum length.

    What becomes of a special token that stands in a text is the policy's to say
    (:mod:`extract.texts.special_tokens`); by default it is text, and its characters are tokenised
    like any others.

    Parameters
    ----------
    backend
        The ``tokenizers`` object; it is changed, and is this object's own from then on.
    special_tokens
        All of its special tokens.
    max_length
        Tokens of a text, special ones included; what is beyond is cut off, of several texts from
        the longest first.
    roles
        The special tokens that have a role. Default: all.
    policy
        How special tokens within a text are read.
    cls_place
        Where the CLS token is in a text; None where there is none, or where nobody asks.
    pad_id
        The id that fills the end of shorter texts.
    n_ids
        Rows of the encoder's embedding, when known; no text may give an id beyond.
    n_types
        Rows of its table of token types, when known; no text may give a type beyond.
    typed
        Whether the encoder tells the texts of a pair apart by token types.
    side
        Where a text is cut: ``right`` (its end) or ``left``.
    stride
        Longer texts are not cut off, but read in windows that begin so many tokens apart.
    marked
        Whether the tokens are to say which of them are special.

    Attributes
    ----------
    prompt
        What is put before each text.
    """

    prompt = ""

    def __init__(
        self,
        backend: Backend,
        special_tokens: Iterable[str],
        max_length: int,
        *,
        roles: Iterable[str] | None = None,
        policy: str = TEXT,
        cls_place: int | None = None,
        pad_id: int = 0,
        n_ids: int | None = None,
        n_types: int | None = None,
        typed: bool = False,
        side: str = "right",
        stride: int | None = None,
        marked: bool = False,
    ) -> None:
        self._typed = typed
        self._n_ids, self._n_types = n_ids, n_types
        if n_ids is not None and pad_id >= n_ids:
            raise EncoderError(
                f"the tokenizer pads with the id {pad_id}, and the encoder knows only {n_ids}: the "
                "two do not belong together"
            )
        self.max_length = max_length
        self.pad_id = pad_id
        self.cls_place = cls_place
        special_tokens = [*special_tokens]
        roles = special_tokens if roles is None else [*roles]
        self._special_tokens, self._policy = special_tokens, policy
        self._backend = backend = obey(backend, policy, roles, special_tokens)
        self._literals = literals(roles)
        self._refuse_short(1)
        backend.no_padding()
        backend.no_truncation()
        self._template = Template.of(backend)
        self._side = side
        self._windows = stride is not None
        self._marked = marked
        self._typed_singles = typed and any(backend.encode("a").type_ids)
        if stride is None:
            backend.enable_truncation(max_length, strategy="longest_first", direction=side)
        else:
            self._refuse_gaps(stride)

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        max_length: int,
        *,
        policy: str = TEXT,
        follow: bool = False,
        stride: int | None = None,
        marked: bool = False,
    ) -> Tokenizer:
        """The tokenizer of a checkpoint.

        Parameters
        ----------
        policy, stride, marked
            As above.
        follow
            See :func:`extract.texts.loading.load_files`.

        Raises
        ------
        EncoderError
            When it has none, or none that is fast.
        InputError
            When ``max_length`` leaves no room for a single token of text, or ``stride`` would
            leave out some.
        """
        loaded = load_files(checkpoint, follow=follow)
        with as_encoder_error(f"the tokenizer in {checkpoint.folder} cannot be loaded"):
            return cls(
                loaded.backend,
                loaded.special_tokens,
                max_length,
                roles=loaded.roles,
                policy=policy,
                cls_place=loaded.cls_place,
                pad_id=loaded.pad_id,
                n_ids=checkpoint.config.get("vocab_size"),
                n_types=checkpoint.config.get("type_vocab_size"),
                typed=loaded.typed,
                side=loaded.side,
                stride=stride,
                marked=marked,
            )

    def digest(self) -> str:
        """What tells this tokenizer, set up in this way, from one that gives other tokens."""
        texts = odd_texts(self._special_tokens)
        with as_encoder_error("the encoder's tokenizer fails"):
            parts = [self._policy, self._side, token_digest(self._backend, texts)]
            if self._template is not None and self._template.between.ids:
                ids, types, _ = self._template.join([np.array([7], np.int32)] * 3)
                parts.append(f"{ids.tolist()} {types.tolist()}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def encode(self, texts: Sequence[Text]) -> list[Tokens]:
        """Token ids of n texts, in their order; see :meth:`each`."""
        return list(self.each(texts))

    def each(self, texts: Sequence[Text]) -> Iterator[Tokens]:
        """Token ids of one text after the other.

        Raises
        ------
        NoTokens
            When texts give no token at all.
        InputError
            When a pair does not fit at all.
        EncoderError
            When the tokenizer is not the encoder's.
        """
        if self.prompt:
            texts = [prompted(text, self.prompt) for text in texts]
        for chunk in _chunks(texts):
            yield from self._encode_chunk(chunk)

    def _encode_chunk(self, texts: Sequence[Text]) -> Iterator[Tokens]:
        parts = [text if isinstance(text, str) or len(text) > 1 else text[0] for text in texts]
        self._refuse_short(max((len(t) for t in parts if isinstance(t, tuple)), default=1))
        joined = [text for text in parts if _is_several(text)]
        with as_encoder_error("the encoder's tokenizer fails"):
            single = [text for text in parts if not _is_several(text)]
            encodings = self._backend.encode_batch_fast(single)
            pieces = iter(
                self._backend.encode_batch_fast(
                    [part for text in joined for part in text], add_special_tokens=False
                )
            )
        if tokenless := [t for t, given in zip(single, encodings, strict=True) if not given.ids]:
            raise NoTokens(tokenless)
        whole = iter(encodings)
        for text in parts:
            if _is_several(text):
                yield self._join(text, [next(pieces) for _ in text])
            else:
                yield self._whole(text, next(whole))

    def _whole(self, text: Text, encoding: Encoding) -> Tokens:
        """One text, or a pair, as the tokenizer's own library put it together."""
        ids = np.array(encoding.ids, np.int32)
        typed = self._typed_singles or (self._typed and isinstance(text, tuple))
        types = encoding.type_ids if typed else None
        content = None
        if self._marked:
            content = np.array(encoding.special_tokens_mask, bool)
            np.logical_not(content, out=content)
        if self._windows and len(ids) > self.max_length:
            part_of = np.array([-1 if i is None else i for i in encoding.sequence_ids])
            return self._checked(text, ids, types, False, content, part_of)
        return self._checked(text, ids, types, bool(encoding.overflowing), content)

    def _join(self, text: tuple[str, ...], pieces: Sequence[Encoding]) -> Tokens:
        """Three texts or more."""
        template = self._template
        if template is None or not template.between.ids:
            raise EncoderError(
                f"the encoder's tokenizer puts nothing between two texts, so {len(text)} cannot "
                "be joined: join them into one first"
            )
        parts = [np.array(piece.ids, np.int32) for piece in pieces]
        lengths = [len(part) for part in parts]
        room = self.max_length - template.n_special(len(parts))
        cut = not self._windows and sum(lengths) > room
        if cut:
            kept = zip(parts, room_for_each(lengths, room), strict=True)
            left = self._side == "left"
            parts = [part[len(part) - n :] if left else part[:n] for part, n in kept]
        ids, types, part_of = template.join(parts)
        long = part_of if self._windows and len(ids) > self.max_length else None
        content = part_of >= 0 if self._marked else None
        return self._checked(text, ids, types if self._typed else None, cut, content, long)

    def _checked(
        self,
        text: Text,
        ids: NDArray[np.int32],
        types: Sequence[int] | NDArray[np.int64] | None,
        truncated: bool,
        content: NDArray[np.bool_] | None,
        part_of: NDArray[np.int64] | None = None,
    ) -> Tokens:
        """A text's tokens, once they are known to be the encoder's.

        Parameters
        ----------
        part_of
            Of a text that is to be read in windows: which part of it each token is of.
        """
        if not len(ids):
            raise NoTokens([text])
        if self._n_ids is not None and ids.max() >= self._n_ids:
            raise EncoderError(
                f"the tokenizer gives the id {ids.max()} for {beginning(text)}, and the "
                f"encoder knows only {self._n_ids}: the two do not belong together"
            )
        # None and 0 mean that the encoder has no table of types.
        if types is not None and self._n_types and max(types) >= self._n_types:
            raise EncoderError(
                f"the tokenizer gives the type {max(types)}, and the encoder "
                f"knows only {self._n_types}: the two do not belong together"
            )
        tokens = Tokens(
            ids,
            None if types is None else np.array(types, np.int8),
            truncated,
            content,
            literal=self._has_literal(text),
        )
        return tokens if part_of is None else sliding(tokens, part_of, self.max_length)

    def _has_literal(self, text: Text) -> bool:
        """Whether a special token that has a role stands in a text."""
        find = self._literals
        if find is None:
            return False
        parts = (text,) if isinstance(text, str) else text
        return any(find.search(part) for part in parts)

    def _refuse_short(self, n_texts: int) -> None:
        """InputError when the maximum length has no room for so many texts together."""
        if n_texts > 2 and self._template is not None:
            needed = self._template.n_special(n_texts) + 1
        else:
            needed = self._backend.num_special_tokens_to_add(n_texts > 1) + 1
        if self.max_length < needed:
            together = {1: "", 2: " for pairs"}.get(n_texts, f" for {n_texts} texts together")
            raise InputError(
                f"a maximum length of {self.max_length} leaves no room for text: this encoder "
                f"needs at least --max-length {needed}{together}"
            )

    def _refuse_gaps(self, stride: int) -> None:
        room = self.max_length - self._backend.num_special_tokens_to_add(False)
        if stride > room:
            raise InputError(
                f"windows hold {room} tokens of a text, and a stride of {stride} would leave some "
                f"out: give --stride {room} or less"
            )


def _is_several(text: Text) -> TypeGuard[tuple[str, ...]]:
    """Whether a text has more parts than the tokenizer's own library joins."""
    return isinstance(text, tuple) and len(text) > 2


def _chunks(texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    start = size = 0
    for i, text in enumerate(texts):
        if i - start == CHUNK or size > CHUNK_CHARACTERS:
            yield texts[start:i]
            start, size = i, 0
        size += n_characters(text)
    if start < len(texts):
        yield texts[start:]
