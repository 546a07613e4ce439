"""The texts of an input: what counts as one, and which of them are of a shard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from features.errors import InputError
from features.keys import Text, text_key
from features.texts import TextsLike, text_stream


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` parts, ``index`` counted from 0."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From ``i/n``.

        >>> Shard.parse("3/16")
        Shard(index=3, count=16)

        Raises
        ------
        InputError
            When it is no such thing, or there is no such shard.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", str(text), re.ASCII)
        if match is None:
            raise InputError(
                f"{text!r} is no shard: give --shard i/n, such as 0/16 for the first of 16"
            )
        index, count = int(match[1]), int(match[2])
        if index >= count:
            raise InputError(
                f"there is no shard {index} of {count}, since shards count from 0: give --shard "
                + (f"0/{count} to {count - 1}/{count}" if count else "0/1, or more than 0 of them")
            )
        return cls(index, count)

    def has(self, text: Text) -> bool:
        """Whether a text is of this shard: its key's first 8 bytes, big-endian, modulo n."""
        return int.from_bytes(text_key(text)[:8], "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Picked:
    """An iterator over the texts of a shard; InputError at what is no text, of any shard.

    Attributes
    ----------
    n_seen
        Texts of all shards that were read so far, and so the number in the whole input, from 1,
        of the text that was given last.
    """

    def __init__(self, texts: TextsLike, shard: Shard | None) -> None:
        self._texts, self._shard = text_stream(texts), shard
        self.n_seen = 0

    def __iter__(self) -> Iterator[Text]:
        return self

    def __next__(self) -> Text:
        for text in self._texts:
            self.n_seen += 1
            if self._shard is None or self._shard.has(text):
                return text
        raise StopIteration

    def take(self, most: int, enough: int) -> tuple[list[int], list[Text]]:
        """The next texts, and the number of each in the whole input.

        Parameters
        ----------
        most
            Texts at most.
        enough
            Characters after which no further text is taken.
        """
        numbers: list[int] = []
        texts: list[Text] = []
        size = 0
        while len(texts) < most and size < enough:
            text = next(self, None)
            if text is None:
                break
            numbers.append(self.n_seen)
            texts.append(text)
            size += n_characters(text)
        return numbers, texts


def prompted(text: Text, prompt: str) -> Text:
    """A text with a prompt before it, before its first part where it has several."""
    return prompt + text if isinstance(text, str) else (prompt + text[0], *text[1:])


def n_characters(text: Text) -> int:
    """Characters of a text, or of all parts of one."""
    return len(text) if isinstance(text, str) else sum(map(len, text))


def beginning(text: Text) -> str:
    """The first words of a text, to find it by."""
    first = text if isinstance(text, str) else text[0]
    return repr(first if len(first) <= 40 else f"{first[:40]}…")
