"""The template of a tokenizer: the special tokens that it puts around one text, and around several.

A template says what stands around a text and around a pair. Three texts and more are joined as it
joins two: each has the pair's separator in front of it. Token types go on as the pair's do: the
first text has those of its first, every later one those of its second, each separator behind the
first as the text in front of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

#: Short texts, one of which gives a token in any tokenizer.
_SHORT = ("a", "1", "the", "é", "我", "?")

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Part:
    """Special tokens that stand together: their ids, and their types."""

    ids: tuple[int, ...]
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """What stands before, between and behind the texts of a pair, and the types of the two."""

    before: Part
    between: Part
    behind: Part
    first_type: int
    later_type: int

    @classmethod
    def of(cls, backend: Backend) -> Template | None:
        """The template of a tokenizer that does not truncate; None where it has none for pairs."""
        word = _word(backend)
        if word is None:
            return None
        encoding = backend.encode(word, word)
        ids, types, sequence = encoding.ids, encoding.type_ids, encoding.sequence_ids
        first = [i for i, number in enumerate(sequence) if number == 0]
        second = [i for i, number in enumerate(sequence) if number == 1]
        if not first or not second:
            return None

        def part(start: int, stop: int) -> Part:
            return Part(tuple(ids[start:stop]), tuple(types[start:stop]))

        return cls(
            part(0, first[0]),
            part(first[-1] + 1, second[0]),
            part(second[-1] + 1, len(ids)),
            types[first[0]],
            types[second[0]],
        )

    def n_special(self, n_texts: int) -> int:
        """How many special tokens stand around so many texts."""
        around = len(self.before.ids) + len(self.behind.ids)
        return around + (n_texts - 1) * len(self.between.ids)

    def join(self, texts: Sequence[Ids]) -> tuple[Ids, NDArray[np.int64], NDArray[np.int64]]:
        """Texts as one.

        Parameters
        ----------
        texts
            Ids of each, without special tokens.

        Returns
        -------
        Ids, types, and which text each token is of, from 0, or -1 for special ones; shape ``(n,)``.
        """
        later = Part(self.between.ids, (self.later_type,) * len(self.between.ids))
        ids: list[Sequence[int] | Ids] = [self.before.ids]
        types, part_of = [*self.before.types], [-1] * len(self.before.ids)
        for number, text in enumerate(texts):
            if number:
                separator = self.between if number == 1 else later
                ids.append(separator.ids)
                types += separator.types
                part_of += [-1] * len(separator.ids)
            ids.append(text)
            types += [self.later_type if number else self.first_type] * len(text)
            part_of += [number] * len(text)
        ids.append(self.behind.ids)
        types += self.behind.types
        part_of += [-1] * len(self.behind.ids)
        joined = np.concatenate([np.asarray(part, np.int32) for part in ids])
        return joined, np.array(types, np.int64), np.array(part_of, np.int64)


def cls_place(backend: Backend, cls_id: int | None) -> int | None:
    """Where a tokenizer that does not truncate puts the CLS token of one text.

    Returns
    -------
    Its place from the start (0, 1, …) or from the end (-1, -2, …); None where it puts none.
    """
    word = _word(backend)
    if cls_id is None or word is None:
        return None
    encoding = backend.encode(word)
    inside = [i for i, number in enumerate(encoding.sequence_ids) if number is not None]
    if not inside:
        return None
    before, behind = encoding.ids[: inside[0]], encoding.ids[inside[-1] + 1 :]
    if cls_id in before:
        return before.index(cls_id)
    return behind.index(cls_id) - len(behind) if cls_id in behind else None


def _word(backend: Backend) -> str | None:
    """A short text that gives a token; None where none does."""
    for word in _SHORT:
        if backend.encode(word, add_special_tokens=False).ids:
            return word
    return None


def room_for_each(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens of each text stay when they have so much room together.

    The longest text is cut first, until the next is as long, and then both. What cannot be shared
    equally goes to the longer ones, and among equal ones to the last: of two texts, this is
    ``longest_first`` of the tokenizer's own library.

    >>> room_for_each([9, 2, 5], 20), room_for_each([9, 2, 5], 13), room_for_each([9, 2, 5], 9)
    ([9, 2, 5], [6, 2, 5], [4, 2, 3])
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    kept = [0] * len(lengths)
    for done, i in enumerate(order):
        # The shortest takes its share at most; what it does not need is left to the longer ones.
        kept[i] = min(lengths[i], room // (len(lengths) - done))
        room -= kept[i]
    return kept
