"""Texts become token ids, by the encoder's own fast tokenizer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from tokenizers import Regex
from tokenizers import Tokenizer as Backend
from tokenizers.pre_tokenizers import PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as Chain

from extract.checkpoint.checkpoint import Checkpoint
from extract.checkpoint.quiet import quiet_transformers
from extract.texts.batching import Tokens
from extract.texts.input import beginning, n_characters
from extract.texts.windows import sliding
from features.errors import EncoderError, InputError, LayerbankError, NoTokens
from features.keys import Text

#: Texts, and their characters, tokenised at one time: the tokenizer's own objects are some 100
#: bytes a token.
CHUNK, CHUNK_CHARACTERS = 512, 1 << 20


class Tokenizer:
    """A fast tokenizer that takes texts literally and cuts them off at a maximum length.

    A ``<pad>``, ``</s>`` or ``[MASK]`` that stands in a text is text: its characters are
    tokenised like any others. Special tokens are only those that the encoder's template adds.

    Parameters
    ----------
    backend
        The ``tokenizers`` object; it is changed, and is this object's own from then on.
    special_tokens
        The tokens that may not come out of a text.
    max_length
        Tokens of a text, special ones included; what is beyond is cut off, of a pair from the
        longer text first.
    pad_id
        The id that fills the end of shorter texts.
    n_ids
        Rows of the encoder's embedding, when known; no text may give an id beyond.
    typed
        Whether the encoder tells the texts of a pair apart by token types.
    side
        Where a text is cut: ``right`` (its end) or ``left``.
    stride
        Longer texts are not cut off, but read in windows that begin so many tokens apart.
    marked
        Whether the tokens are to say which of them are special.
    """

    def __init__(
        self,
        backend: Backend,
        special_tokens: Iterable[str],
        max_length: int,
        *,
        pad_id: int = 0,
        n_ids: int | None = None,
        n_types: int | None = None,
        typed: bool = False,
        side: str = "right",
        stride: int | None = None,
        marked: bool = False,
    ) -> None:
        self._backend = backend
        self._typed = typed
        self._n_ids, self._n_types = n_ids, n_types
        if n_ids is not None and pad_id >= n_ids:
            raise EncoderError(
                f"the tokenizer pads with the id {pad_id}, and the encoder knows only {n_ids}: the "
                "two do not belong together"
            )
        self.max_length = max_length
        self.pad_id = pad_id
        keep_literal(backend, special_tokens)
        self._refuse_short(pair=False)
        backend.no_padding()
        self._windows = stride is not None
        self._marked = marked
        if stride is None:
            backend.enable_truncation(max_length, strategy="longest_first", direction=side)
        else:
            backend.no_truncation()
            self._refuse_gaps(stride)
        self._typed_singles = typed and any(backend.encode("a").type_ids)

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        max_length: int,
        *,
        stride: int | None = None,
        marked: bool = False,
    ) -> Tokenizer:
        """The tokenizer of a checkpoint.

        Raises
        ------
        EncoderError
            When it has none, or none that is fast.
        InputError
            When ``max_length`` leaves no room for a single token of text, or ``stride`` would
            leave out some.
        """
        from transformers import AutoTokenizer

        where = f"the tokenizer in {checkpoint.folder} cannot be loaded"
        with _as_encoder_error(where), quiet_transformers():
            loaded: Any = AutoTokenizer.from_pretrained(
                checkpoint.folder, local_files_only=True, trust_remote_code=False
            )
        if not loaded.is_fast:
            raise EncoderError(
                f"the tokenizer in {checkpoint.folder} is not a fast one (it has no "
                "tokenizer.json): save its fast version there"
            )
        pads = loaded.pad_token_id, checkpoint.config.get("pad_token_id")
        with _as_encoder_error(where):
            return cls(
                loaded.backend_tokenizer,
                loaded.all_special_tokens,
                max_length,
                pad_id=next((i for i in pads if i is not None), 0),
                n_ids=checkpoint.config.get("vocab_size"),
                n_types=checkpoint.config.get("type_vocab_size"),
                typed="token_type_ids" in loaded.model_input_names,
                side=loaded.truncation_side,
                stride=stride,
                marked=marked,
            )

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
        for chunk in _chunks(texts):
            yield from self._encode_chunk(chunk)

    def _encode_chunk(self, texts: Sequence[Text]) -> Iterator[Tokens]:
        parts = [text if isinstance(text, str) or len(text) > 1 else text[0] for text in texts]
        if any(isinstance(text, tuple) for text in parts):
            self._refuse_short(pair=True)
        with _as_encoder_error("the encoder's tokenizer fails"):
            encodings = self._backend.encode_batch_fast(parts)
        if tokenless := [t for t, given in zip(parts, encodings, strict=True) if not given.ids]:
            raise NoTokens(tokenless)
        for text, encoding in zip(parts, encodings, strict=True):
            ids = np.array(encoding.ids, np.int32)
            if self._n_ids is not None and ids.max() >= self._n_ids:
                raise EncoderError(
                    f"the tokenizer gives the id {ids.max()} for {beginning(text)}, and the "
                    f"encoder knows only {self._n_ids}: the two do not belong together"
                )
            types = None
            if self._typed_singles or (self._typed and isinstance(text, tuple)):
                # None and 0 mean that the encoder has no table of types.
                if self._n_types and max(encoding.type_ids) >= self._n_types:
                    raise EncoderError(
                        f"the tokenizer gives the type {max(encoding.type_ids)}, and the encoder "
                        f"knows only {self._n_types}: the two do not belong together"
                    )
                types = np.array(encoding.type_ids, np.int8)
            content = None
            if self._marked:
                content = np.array(encoding.special_tokens_mask, bool)
                np.logical_not(content, out=content)
            if self._windows and len(ids) > self.max_length:
                part_of = np.array([-1 if i is None else i for i in encoding.sequence_ids])
                yield sliding(Tokens(ids, types, False, content), part_of, self.max_length)
            else:
                yield Tokens(ids, types, bool(encoding.overflowing), content)

    def _refuse_short(self, *, pair: bool) -> None:
        needed = self._backend.num_special_tokens_to_add(pair) + 1
        if self.max_length < needed:
            raise InputError(
                f"a maximum length of {self.max_length} leaves no room for text: this encoder "
                f"needs at least --max-length {needed}{' for pairs' if pair else ''}"
            )

    def _refuse_gaps(self, stride: int) -> None:
        room = self.max_length - self._backend.num_special_tokens_to_add(False)
        if stride > room:
            raise InputError(
                f"windows hold {room} tokens of a text, and a stride of {stride} would leave some "
                f"out: give --stride {room} or less"
            )


@contextmanager
def _as_encoder_error(what: str) -> Iterator[None]:
    """Whatever a tokenizer's files make its library do, a panic of its Rust code as well."""
    try:
        yield
    except (LayerbankError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic is no Exception
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EncoderError(
            f"{what} ({reason}): save it beside the encoder with `tokenizer.save_pretrained`"
        ) from error


def _chunks(texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    start = size = 0
    for i, text in enumerate(texts):
        if i - start == CHUNK or size > CHUNK_CHARACTERS:
            yield texts[start:i]
            start, size = i, 0
        size += n_characters(text)
    if start < len(texts):
        yield texts[start:]


def keep_literal(backend: Backend, special_tokens: Iterable[str]) -> None:
    """Make a tokenizer treat special tokens that stand in a text as ordinary characters.

    ``encode_special_tokens`` is the tokenizer's own switch for that, and suffices where words are
    split at punctuation first. A Unigram model (XLM-R, T5, DeBERTa-v3) also keeps ``<pad>`` among
    its pieces and finds it again in the text; there, words are split inside such a literal, behind
    its first character. Nothing changes for other texts.
    """
    backend.encode_special_tokens = True
    if type(backend.model).__name__ != "Unigram":
        return
    rests = defaultdict(list)
    for token in special_tokens:
        if len(token) > 1:
            rests[token[0]].append(re.escape(token[1:]))
    if not rests:
        return
    inside = "|".join(f"(?<={re.escape(first)})(?={'|'.join(r)})" for first, r in rests.items())
    split = Split(Regex(inside), "isolated")
    before: PreTokenizer | None = backend.pre_tokenizer
    backend.pre_tokenizer = split if before is None else Chain([before, split])
