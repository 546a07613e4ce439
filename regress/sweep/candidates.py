"""What a sweep tries: regressors on selections, which stay the blocks that they are made of.

A selection is written out once, where it is made, for those who read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from features.bank import Bank
from features.banks import Banks
from features.selection import (
    EVERY_POOLING,
    POOLER,
    Block,
    ResolvedTerm,
    Selection,
    SelectionLike,
    Term,
)

#: How many of the last layers are concatenated.
LAST = (2, 4, 8)

#: As in ``mean[:]``.
ALL_LAYERS = slice(None)


class BankBlock(NamedTuple):
    """One block of one bank: what concatenations are made of."""

    bank: str
    block: Block

    @property
    def term(self) -> ResolvedTerm:
        """The same as a term of a selection."""
        return ResolvedTerm(self.bank, (self.block,), False)


@dataclass(frozen=True)
class ResolvedSelection:
    """A selection's blocks.

    Attributes
    ----------
    text
        How it is written, ``mean[-4:]``.
    terms
        What it concatenates.
    """

    text: str
    terms: tuple[ResolvedTerm, ...]

    @property
    def blocks(self) -> tuple[BankBlock, ...] | None:
        """The blocks whose products add up to the selection's; None where blocks are averaged."""
        if any(term.average and len(term.blocks) > 1 for term in self.terms):
            return None
        return tuple(BankBlock(term.bank, block) for term in self.terms for block in term.blocks)

    @property
    def content(self) -> tuple[object, ...]:
        """Equal for selections of the same columns, however they are written and ordered."""
        return tuple(sorted(self.terms if self.blocks is None else self.blocks, key=repr))


@dataclass(frozen=True)
class Candidate:
    """A regressor on a selection, which is scored."""

    model: str
    selection: ResolvedSelection


def single_blocks(banks: Banks) -> list[ResolvedSelection]:
    """Every block by itself."""
    return [concatenated(banks, [block]) for block in every_block(banks)]


def every_block(banks: Banks) -> list[BankBlock]:
    """Every block of every bank, in the banks' order."""
    return [BankBlock(bank.name, block) for bank in banks.by_name.values() for block in bank.blocks]


def concatenated(banks: Banks, blocks: Iterable[BankBlock]) -> ResolvedSelection:
    """Some blocks, in the banks' order; layers of one pooling together: ``mean[1,4]+max[2]``."""
    chosen = set(blocks)
    together: dict[tuple[str, str], list[Block]] = {}
    for bank, block in every_block(banks):
        if (bank, block) in chosen:
            together.setdefault((bank, block.pooling), []).append(block)
    terms = [ResolvedTerm(bank, tuple(several), False) for (bank, _), several in together.items()]
    return ResolvedSelection("+".join(str(_written(banks, term)) for term in terms), tuple(terms))


def _written(banks: Banks, term: ResolvedTerm) -> Term:
    """How a term of one pooling's blocks is written."""
    layers = tuple(block.layer for block in term.blocks if block.layer is not None)
    return Term(_prefix(banks, term.bank), term.blocks[0].pooling, layers or None, term.average)


def _prefix(banks: Banks, name: str) -> str | None:
    """A bank's name as terms have it: a single bank need not be named."""
    return name if len(banks.by_name) > 1 else None


def combinations(banks: Banks, select: Iterable[SelectionLike] = ()) -> list[ResolvedSelection]:
    """The usual concatenations of each bank, those across banks, and what the user adds.

    Raises
    ------
    SelectionError
        One of `select` cannot be read, or names what no bank holds.
    """
    selections = [
        Selection(tuple(Term(_prefix(banks, bank.name), *blocks, False) for blocks in together))
        for bank in banks.by_name.values()
        for together in _usual(bank)
    ]
    if len(banks.by_name) > 1:
        for pooling in ("mean", EVERY_POOLING):
            if all(pooling in (*bank.poolings, EVERY_POOLING) for bank in banks.by_name.values()):
                terms = [Term(name, pooling, ALL_LAYERS, False) for name in banks.by_name]
                selections.append(Selection(tuple(terms)))
    selections += [Selection.parse(given) for given in select]
    return distinct(
        [ResolvedSelection(str(selection), banks.resolve(selection)) for selection in selections]
    )


def _usual(bank: Bank) -> Iterator[list[tuple[str, slice | int | None]]]:
    """The usual concatenations of a bank's blocks, each a list of poolings with their layers."""
    for pooling in bank.poolings:
        for n_last in LAST:
            if n_last < bank.n_layers:
                yield [(pooling, slice(-n_last, None))]
    for pooling in bank.poolings:
        yield [(pooling, ALL_LAYERS)]
    if {"mean", "max"} <= set(bank.poolings):
        yield [("mean", -1), ("max", -1)]
        yield [("mean", ALL_LAYERS), ("max", ALL_LAYERS)]
    if {"cls", "mean"} <= set(bank.poolings):
        yield [("cls", ALL_LAYERS), ("mean", ALL_LAYERS)]
    pooler: list[tuple[str, slice | int | None]] = [(POOLER, None)] if bank.has_pooler else []
    yield [(EVERY_POOLING, ALL_LAYERS), *pooler]


def distinct(selections: Iterable[ResolvedSelection]) -> list[ResolvedSelection]:
    """The first of those that have the same columns, in whatever order."""
    by_content: dict[object, ResolvedSelection] = {}
    for selection in selections:
        by_content.setdefault(selection.content, selection)
    return list(by_content.values())
