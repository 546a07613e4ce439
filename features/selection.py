"""Blocks, what a bank keeps, and the selection language, which says what makes the matrix.

::

    selection := term ("+" term)*                  concatenation, left to right
    term      := [bank-name "/"] (blocks | "avg(" blocks ")")
    blocks    := pooling "[" layers "]" | "pooler"
    term      := [bank-name "/"] "sentence"        as the encoder's own folder makes it
    layers    := integer | slice | comma list      Python's own meaning, negatives included
    pooling   := "cls" | "mean" | "max" | "*"      "*" = all that are stored, then layers

A selection is parsed without a bank; what it means for a bank's layers and poolings is found by
:meth:`Selection.resolve`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from features.errors import SelectionError
from features.nicknames import written
from features.sentence import SENTENCE, derived, n_parts

#: The order of poolings in blocks and in ``*``; others follow in the order they were asked for.
POOLING_ORDER = ("cls", "mean", "max")
POOLER = "pooler"
EVERY_POOLING = "*"

#: Digits of the longest integer that is read; no bank has so many layers.
LONGEST = 18

#: Characters of a selection that an error shows.
SHOWN = 500

#: Everything that decides a bank's numbers; ``docs/format.md`` says what it holds.
Setup = Mapping[str, Any]

_TOKEN = re.compile(r"\s*(?:(-?\d+)|([A-Za-z_]\w*)|(\S))")

#: The name in front of a "/": anything that is no operator of the language.
_NAME = r"[^/+\[\](),\s]+"
_BANK = re.compile(rf"\s*({_NAME})\s*/")


def order_poolings(poolings: tuple[str, ...]) -> tuple[str, ...]:
    """Poolings in the order in which a bank keeps them."""
    known = [pooling for pooling in POOLING_ORDER if pooling in poolings]
    return tuple(dict.fromkeys([*known, *poolings]))


class Block(NamedTuple):
    """One (pooling, layer) matrix of a bank, shape ``(n_texts, hidden_size)``."""

    pooling: str
    layer: int | None
    """Index into the hidden states, 0 = embedding output; None for the pooler."""

    def __str__(self) -> str:
        return self.pooling if self.layer is None else f"{self.pooling}[{self.layer}]"

    @property
    def n_parts(self) -> int:
        """How many matrices of the bank's hidden size stand side by side in it."""
        return n_parts(self.pooling)

    @property
    def stem(self) -> str:
        """Beginning of the names of its columns, ``mean.12`` or ``unit(mean.12+cls.12)``."""
        found, layer = derived(self.pooling), "" if self.layer is None else f".{self.layer}"
        if found is None or not found.unit:
            return f"{self.pooling}{layer}"
        return f"unit({'+'.join(f'{part}{layer}' for part in found.parts)})"


class ResolvedTerm(NamedTuple):
    """A term as it stands for one bank: its blocks, concatenated or averaged."""

    bank: str
    blocks: tuple[Block, ...]
    average: bool

    @property
    def n_parts(self) -> int:
        """Columns that it gives, in widths of the bank's blocks."""
        return 1 if self.average else sum(block.n_parts for block in self.blocks)


def bank_blocks(setup: Setup) -> tuple[Block, ...]:
    """Every block that a set-up stores: pooling by pooling, layer by layer, then the pooler."""
    poolings = order_poolings(tuple(setup["poolings"]))
    blocks = [Block(pooling, layer) for pooling in poolings for layer in range(setup["n_layers"])]
    return (*blocks, Block(POOLER, None)) if setup["pooler"] else tuple(blocks)


def column_names(term: ResolvedTerm, hidden_size: int, prefix: str = "") -> list[str]:
    """Names of a term's columns: ``mean.12.0``, or ``avg(cls.9,cls.10).0`` for an average."""
    stems = [(block.stem, block.n_parts) for block in term.blocks]
    if term.average:
        stems = [(f"avg({','.join(stem for stem, _ in stems)})", 1)]
    return [
        f"{prefix}{stem}.{column}"
        for stem, n_parts in stems
        for column in range(n_parts * hidden_size)
    ]


class Shelf(NamedTuple):
    """What a bank can serve: all that resolving a selection has to know of it."""

    name: str
    n_layers: int
    poolings: tuple[str, ...]
    has_pooler: bool
    sentence: tuple[str, ...] | str = "nothing is known of its encoder's folder"
    """The last layer's poolings that ``sentence`` concatenates, or why there is none."""

    def __str__(self) -> str:
        poolings = ", ".join([*self.poolings, *([POOLER] if self.has_pooler else [])])
        sentence = "" if isinstance(self.sentence, str) else f", and {SENTENCE}"
        return f"bank {self.name!r} has {poolings} of layers 0 to {self.n_layers - 1}{sentence}"


@dataclass(frozen=True, slots=True)
class Term:
    """One operand of a selection."""

    bank: str | None
    pooling: str
    layers: int | slice | tuple[int, ...] | None
    average: bool

    def __str__(self) -> str:
        body = self.pooling if self.layers is None else f"{self.pooling}[{_layers(self.layers)}]"
        body = f"avg({body})" if self.average else body
        return body if self.bank is None else f"{self.bank}/{body}"

    def __hash__(self) -> int:  # a slice has no hash before Python 3.12
        return hash(str(self))

    def resolve(self, shelf: Shelf) -> ResolvedTerm:
        """The blocks that this term names in a bank; SelectionError shows what there is."""
        if self.pooling == POOLER:
            if not shelf.has_pooler:
                raise SelectionError(
                    f"the selection {str(self)!r} wants the pooler output, which this checkpoint "
                    f"does not hold: {shelf}"
                )
            return ResolvedTerm(shelf.name, (Block(POOLER, None),), self.average)
        if self.pooling == SENTENCE and self.layers is None:
            if isinstance(shelf.sentence, str):
                raise SelectionError(
                    f"the bank {shelf.name!r} offers no {str(self)!r}: {shelf.sentence}"
                )
            last = shelf.n_layers - 1
            blocks = tuple(Block(pooling, last) for pooling in shelf.sentence)
            return ResolvedTerm(shelf.name, blocks, False)
        poolings = shelf.poolings if self.pooling == EVERY_POOLING else (self.pooling,)
        if self.pooling not in (EVERY_POOLING, *shelf.poolings):
            near = difflib.get_close_matches(self.pooling, shelf.poolings, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SelectionError(
                f"unknown pooling {self.pooling!r} in {str(self)!r}{hint}: {shelf}"
            )
        layers = self._layer_indices(shelf)
        blocks = tuple(Block(pooling, layer) for pooling in poolings for layer in layers)
        return ResolvedTerm(shelf.name, blocks, self.average)

    def _layer_indices(self, shelf: Shelf) -> list[int]:
        every = range(shelf.n_layers)
        if isinstance(self.layers, slice):
            layers = list(every[self.layers])
            if not layers:
                raise SelectionError(f"the selection {str(self)!r} is empty: {shelf}")
            return layers
        indices = (self.layers,) if isinstance(self.layers, int) else self.layers or ()
        for index in indices:
            if not -shelf.n_layers <= index < shelf.n_layers:
                raise SelectionError(f"no layer {index} for {str(self)!r}: {shelf}")
        return [every[index] for index in indices]


@dataclass(frozen=True, slots=True)
class Selection:
    """A combination of blocks.

    >>> str(Selection.parse(" mean[-4:] + avg( cls[1, 2] ) "))
    'mean[-4:]+avg(cls[1,2])'
    """

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str | Selection) -> Selection:
        """Read a selection; SelectionError says at which character it goes wrong."""
        if isinstance(text, Selection):
            return text
        if not isinstance(text, str):
            raise SelectionError(f"{text!r:.60} is no selection: give a string such as 'mean[-1]'")
        if text not in (POOLER, SENTENCE) and (meant := written(text)) is not None:
            raise SelectionError(f"{text!r} is said in words: write {meant}")
        return cls(_Parser(text).selection())

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))

    def resolve(self, shelves: Sequence[Shelf]) -> tuple[ResolvedTerm, ...]:
        """The blocks of each term; a term without a bank's name needs a single bank.

        Raises
        ------
        SelectionError
            For an unknown bank, pooling or layer; the message shows what there is.
        """
        by_name = {shelf.name: shelf for shelf in shelves}
        resolved = []
        for term in self.terms:
            if term.bank is None and len(shelves) > 1:
                raise SelectionError(
                    f"{str(term)!r} does not say which bank it means: write "
                    f"'{shelves[0].name}/{term}' (the banks are {', '.join(by_name)})"
                )
            if term.bank is not None and term.bank not in by_name:
                raise SelectionError(
                    f"{str(term)!r} names a bank that was not given: the banks are "
                    f"{', '.join(by_name)}"
                )
            resolved.append(term.resolve(by_name[term.bank] if term.bank else shelves[0]))
        return tuple(resolved)


#: For signatures that take either form.
SelectionLike = str | Selection


def can_name(bank: str) -> bool:
    """Whether a selection can name a bank, which needs a name without the language's operators.

    >>> can_name("roberta-base"), can_name("roberta base"), can_name("a+b")
    (True, False, False)
    """
    return re.fullmatch(_NAME, bank) is not None


def _layers(layers: int | slice | tuple[int, ...]) -> str:
    if isinstance(layers, int):
        return str(layers)
    if isinstance(layers, tuple):
        return ",".join(map(str, layers))
    text = ":".join("" if part is None else str(part) for part in (layers.start, layers.stop))
    return text if layers.step is None else f"{text}:{layers.step}"


class _Parser:
    """Recursive descent over the grammar in the module's docstring."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def selection(self) -> tuple[Term, ...]:
        terms = [self._term()]
        while self._accept("+"):
            terms.append(self._term())
        if self._peek():
            self._fail("expected '+' or the end")
        return tuple(terms)

    def _term(self) -> Term:
        bank = None
        if match := _BANK.match(self.text, self.position):
            bank, self.position = match[1], match.end()
        name = self._pooling()
        if name == "avg" and self._accept("("):
            pooling, layers = self._blocks(self._pooling())
            if pooling == SENTENCE and layers is None:
                self._fail(f"avg() takes blocks, and {SENTENCE} is none: write it by itself,")
            self._expect(")")
            return Term(bank, pooling, layers, True)
        return Term(bank, *self._blocks(name), False)

    def _pooling(self) -> str:
        token = self._peek()
        if token != EVERY_POOLING and not token.isidentifier():
            self._fail("expected a pooling such as mean, cls, max, * or pooler")
        self._advance()
        return token

    def _blocks(self, pooling: str) -> tuple[str, int | slice | tuple[int, ...] | None]:
        if pooling == POOLER or (pooling == SENTENCE and self._peek() != "["):
            return pooling, None
        self._expect("[")
        layers = self._layers()
        self._expect("]")
        return pooling, layers

    def _layers(self) -> int | slice | tuple[int, ...]:
        first = self._integer()
        if self._accept(":"):
            stop = self._integer()
            step = self._integer() if self._accept(":") else None
            if step == 0:
                self._fail("a slice's step cannot be 0")
            return slice(first, stop, step)
        if first is None:
            self._fail("expected a layer such as -1, 0:4 or 1,2,3")
        if self._peek() != ",":
            return first
        layers = [first]
        while self._accept(","):
            if (layer := self._integer()) is not None:
                layers.append(layer)
            elif self._peek() != "]":
                self._fail("expected a layer")
        return tuple(layers) if len(layers) > 1 else first

    def _integer(self) -> int | None:
        token = self._peek()
        if not re.fullmatch(r"-?\d+", token):
            return None
        if len(token) > LONGEST:
            self._fail(f"expected a layer of at most {LONGEST} digits")
        self._advance()
        return int(token)

    def _match(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.position)

    def _peek(self) -> str:
        match = self._match()
        return match[match.lastindex or 0] if match else ""

    def _advance(self) -> None:
        match = self._match()
        self.position = match.end() if match else len(self.text)

    def _accept(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._advance()
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            self._fail(f"expected {token!r}")

    def _fail(self, what: str) -> NoReturn:
        match = self._match()
        start = match.start(match.lastindex or 0) if match else len(self.text)
        shown = self.text if len(self.text) <= SHOWN else f"{self.text[: SHOWN - 1]}…"
        raise SelectionError(
            f"{what} at character {start + 1} of the selection {shown!r}; selections look like "
            "mean[-1], cls[-4:], avg(mean[1,2]), *[:] or mean[-1]+max[-1]"
        )
