"""Which selections a sweep tries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from features.banks import Banks
from features.errors import InputError
from features.selection import POOLER, Block, ResolvedTerm, Selection


class Unit(NamedTuple):
    """One block of one bank: what combinations are made of."""

    bank: str
    block: Block

    @property
    def term(self) -> ResolvedTerm:
        """The same as a term of a selection."""
        return ResolvedTerm(self.bank, (self.block,), False)


def units_of(terms: Iterable[ResolvedTerm]) -> tuple[Unit, ...] | None:
    """The blocks that terms concatenate; None where a term averages blocks instead."""
    several = tuple(terms)
    if any(term.average and len(term.blocks) > 1 for term in several):
        return None
    return tuple(Unit(term.bank, block) for term in several for block in term.blocks)


@dataclass(frozen=True)
class Candidate:
    """A selection by name and by blocks."""

    select: str
    terms: tuple[ResolvedTerm, ...]

    @property
    def units(self) -> tuple[Unit, ...] | None:
        """The blocks whose products add up to the selection's."""
        return units_of(self.terms)

    @property
    def content(self) -> tuple[object, ...]:
        """Equal for selections of the same columns, whatever their names and order."""
        return tuple(sorted(self.terms if self.units is None else self.units, key=repr))


@dataclass(frozen=True)
class Cell:
    """One regressor on one selection."""

    model: str
    candidate: Candidate

    @property
    def label(self) -> str:
        """What it is called: ``ridge mean[-1]``."""
        return f"{self.model} {self.candidate.select}"


#: How many of the last layers are concatenated.
LAST = (2, 4, 8)


def single_blocks(banks: Banks) -> list[Candidate]:
    """Every block by itself."""
    return [_named(banks, name_of(banks, [unit])) for unit in every_unit(banks)]


def every_unit(banks: Banks) -> list[Unit]:
    """Every block of every bank, in the banks' order."""
    return [Unit(bank.name, block) for bank in banks.by_name.values() for block in bank.blocks]


def combined(banks: Banks, select: Iterable[str] = ()) -> list[Candidate]:
    """The usual concatenations of each bank, those across banks, and what the user adds."""
    several = len(banks.by_name) > 1
    found: list[str] = []
    for bank in banks.by_name.values():
        prefix = f"{bank.name}/" if several else ""
        texts = [f"{p}[-{k}:]" for p in bank.poolings for k in LAST if k < bank.n_layers]
        texts += [f"{pooling}[:]" for pooling in bank.poolings]
        if {"mean", "max"} <= set(bank.poolings):
            texts += ["mean[-1]+max[-1]", "mean[:]+max[:]"]
        if {"cls", "mean"} <= set(bank.poolings):
            texts += ["cls[:]+mean[:]"]
        texts += ["*[:]+pooler" if bank.has_pooler else "*[:]"]
        found += ["+".join(prefix + term for term in text.split("+")) for text in texts]
    if several:
        for pooling in ("mean", "*"):
            if all(pooling == "*" or pooling in b.poolings for b in banks.by_name.values()):
                found.append("+".join(f"{name}/{pooling}[:]" for name in banks.by_name))
    return distinct([_named(banks, text) for text in [*found, *select]])


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first of those that have the same columns, in whatever order."""
    seen: dict[object, Candidate] = {}
    for candidate in candidates:
        seen.setdefault(candidate.content, candidate)
    return list(seen.values())


def of_units(banks: Banks, units: Sequence[Unit]) -> Candidate:
    """The concatenation of blocks, in the banks' order."""
    if not units:
        raise InputError("a selection needs a block at least")
    return _named(banks, name_of(banks, units))


def name_of(banks: Banks, units: Sequence[Unit]) -> str:
    """Blocks as a selection, layers of one pooling together: ``mean[1,4]+max[2]``."""
    several = len(banks.by_name) > 1
    layers: dict[tuple[str, str], list[int]] = {}
    for unit in (unit for unit in every_unit(banks) if unit in set(units)):
        of_pooling = layers.setdefault((unit.bank, unit.block.pooling), [])
        of_pooling += [] if unit.block.layer is None else [unit.block.layer]
    terms = [
        (f"{bank}/" if several else "")
        + (POOLER if pooling == POOLER else f"{pooling}[{','.join(map(str, at))}]")
        for (bank, pooling), at in layers.items()
    ]
    return "+".join(terms)


def _named(banks: Banks, text: str) -> Candidate:
    selection = Selection.parse(text)
    terms: tuple[ResolvedTerm, ...] = banks.resolve(selection)
    return Candidate(str(selection), terms)
