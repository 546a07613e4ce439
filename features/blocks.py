"""Blocks: what a bank stores, what it is called on disk and in a matrix."""

from __future__ import annotations

from typing import NamedTuple

from features.format import Setup, order_poolings

POOLER = "pooler"


class Block(NamedTuple):
    """One (pooling, layer) matrix of a bank, shape ``(n_texts, hidden_size)``."""

    pooling: str
    layer: int | None
    """Index into the hidden states, 0 = embedding output; None for the pooler."""

    def __str__(self) -> str:
        return self.pooling if self.layer is None else f"{self.pooling}[{self.layer}]"


class ResolvedTerm(NamedTuple):
    """A term as it stands for one bank: its blocks, concatenated or averaged."""

    bank: str
    blocks: tuple[Block, ...]
    average: bool


def bank_blocks(setup: Setup) -> tuple[Block, ...]:
    """Every block that a set-up stores: pooling by pooling, layer by layer, then the pooler."""
    poolings = order_poolings(tuple(setup["poolings"]))
    blocks = [Block(pooling, layer) for pooling in poolings for layer in range(setup["n_layers"])]
    return (*blocks, Block(POOLER, None)) if setup["pooler"] else tuple(blocks)


def column_names(term: ResolvedTerm, hidden_size: int, prefix: str = "") -> list[str]:
    """Names of a term's columns: ``mean.12.0``, or ``avg(cls.9,cls.10).0`` for an average."""
    stems = [block.pooling if block.layer is None else f"{block.pooling}.{block.layer}"
             for block in term.blocks]  # fmt: skip
    if term.average:
        stems = [f"avg({','.join(stems)})"]
    return [f"{prefix}{stem}.{column}" for stem in stems for column in range(hidden_size)]


def dataset_name(block: Block) -> str:
    """Where a block stands in a segment, such as ``/mean/12``."""
    return f"/{block.pooling}" if block.layer is None else f"/{block.pooling}/{block.layer}"
