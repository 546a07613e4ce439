"""A bank: every block of every text that one encoder, set up in one way, has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.errors import BankError, MissingTexts, NotABank
from features.format import SEGMENT_NAME, Setup, order_poolings
from features.index import KeyIndex, Keys
from features.keys import Text, text_keys
from features.manifest import Manifest, read_manifest, refuse_other_setup, write_manifest
from features.segment import Segment
from features.selection import POOLER, Block, ResolvedTerm, Selection, Shelf
from features.writer import BankWriter


class Bank:
    """A snapshot of a bank on disk; :meth:`refresh` takes a new one.

    Open one with :meth:`Bank.open`. Reading takes no lock and needs no right to write.
    """

    def __init__(self, path: Path, manifest: Manifest, overlay: Bank | None = None) -> None:
        self.path = path
        self.name = path.name.removesuffix(".bank")
        self.fingerprint = manifest.fingerprint
        self.setup: Setup = manifest.setup
        self.source: Mapping[str, Any] = manifest.source
        self.n_layers = int(manifest.setup["n_layers"])
        self.hidden_size = int(manifest.setup["hidden_size"])
        self.poolings = order_poolings(tuple(manifest.setup["poolings"]))
        self.has_pooler = bool(manifest.setup["pooler"])
        self.blocks = bank_blocks(manifest.setup)
        self.overlay = overlay
        self._segments: dict[str, Segment] = {}
        self.refresh()

    @classmethod
    def open(cls, path: str | Path, *, overlay: str | Path | None = None) -> Self:
        """Open the bank in a folder.

        Parameters
        ----------
        path
            The bank's folder.
        overlay
            A second bank of the same fingerprint whose texts count as well (a scratch bank beside
            one that cannot be written).

        Raises
        ------
        NotABank, BankError, FingerprintMismatch
        """
        path = Path(path).absolute()
        manifest = read_manifest(path)
        if overlay is None:
            return cls(path, manifest)
        second = Bank.open(overlay)
        refuse_other_setup(second.path, second.setup, manifest.setup)
        return cls(path, manifest, second)

    @classmethod
    def create(cls, path: str | Path, setup: Setup, source: Mapping[str, Any]) -> Self:
        """Make a bank, or open the one that is there when its set-up is the same.

        Parameters
        ----------
        path
            The folder; made where it does not exist.
        setup
            Everything that decides the numbers; :mod:`features.format` says what it must hold.
        source
            Where the encoder was found; recorded, never compared.

        Raises
        ------
        NotABank
            When the folder holds something else.
        FingerprintMismatch
            When the bank there was made with another set-up; ``fields`` names what differs.
        """
        path = Path(path).absolute()
        if path.exists() and not path.is_dir():
            raise NotABank(f"{path} is a file, and a bank is a folder: give another --bank")
        if path.is_dir() and not is_bank(path) and any(_visible(path)):
            raise NotABank(f"{path} holds other files and no bank: give another folder")
        return cls(path, write_manifest(path, setup, source))

    def refresh(self) -> None:
        """Take in the segments that were committed since."""
        names = sorted(
            entry.name for entry in self.path.iterdir() if SEGMENT_NAME.fullmatch(entry.name)
        )
        self._segments = {
            name: self._segments.get(name)
            or Segment(self.path / name, self.fingerprint, self.blocks)
            for name in names
        }
        self._snapshot = [*self._segments.values()]
        if self.overlay is not None:
            self.overlay.refresh()
            self._snapshot += self.overlay._snapshot
        self._index = KeyIndex([segment.keys for segment in self._snapshot])
        sizes = [segment.n for segment in self._snapshot]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.n_texts = self._index.n_distinct()

    def __repr__(self) -> str:
        return (
            f"<Bank {self.name!r}: {self.n_texts} texts, {self.n_layers} layers × "
            f"{self.hidden_size}, {', '.join(self.poolings)}{', pooler' * self.has_pooler}>"
        )

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of this snapshot, first committed first."""
        return tuple(self._snapshot)

    @property
    def shelf(self) -> Shelf:
        """What a selection has to know of the bank."""
        return Shelf(self.name, self.n_layers, self.poolings, self.has_pooler)

    def resolve(self, selection: str | Selection) -> tuple[ResolvedTerm, ...]:
        """The blocks that a selection names here; SelectionError shows what there is."""
        return Selection.parse(selection).resolve([self.shelf])

    def contains(self, texts: Iterable[Text]) -> NDArray[np.bool_]:
        """Whether each text is here, shape ``(n,)``."""
        return self.contains_keys(text_keys(texts))

    def contains_keys(self, keys: Keys) -> NDArray[np.bool_]:
        """Whether each key, shape ``(n, 32)``, is here; shape ``(n,)``."""
        return self._index.find(keys) >= 0

    def matrix(
        self, texts: Sequence[Text], selection: str | Selection, *, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """A combination of blocks as one matrix.

        Parameters
        ----------
        texts
            n texts; duplicates are repeated.
        selection
            Which blocks, such as ``"mean[-4:]"``.
        dtype
            Of the result.

        Returns
        -------
        Shape ``(n, d)``, C-ordered, rows in the order of ``texts``.

        Raises
        ------
        MissingTexts
            When the bank lacks any of them.
        SelectionError
            When the bank cannot serve the selection.
        """
        terms = self.resolve(selection)
        out = np.empty((len(texts), sum(map(self.width, terms))), dtype)
        self.fill(out, self.rows(texts), terms)
        return out

    def width(self, term: ResolvedTerm) -> int:
        """Columns that a term gives."""
        return self.hidden_size * (1 if term.average else len(term.blocks))

    def rows(self, texts: Sequence[Text]) -> NDArray[np.int64]:
        """Where each text stands in this snapshot, shape ``(n,)``; MissingTexts if any lacks."""
        keys = text_keys(texts)
        rows = self._index.find(keys)
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            count = len(np.unique(keys[missing], axis=0))
            raise MissingTexts(
                f"the bank {self.path} lacks {count} of the texts, first at row {missing[0] + 1}: "
                f"add them with `layerbank extract INPUT --text COL --bank {self.path}`",
                count,
                missing.tolist(),
            )
        return rows

    def fill(
        self, out: NDArray[Any], rows: NDArray[np.int64], terms: Iterable[ResolvedTerm]
    ) -> None:
        """Write the terms' columns for these rows into ``out``, shape ``(n, d)``."""
        column = 0
        for term in terms:
            for blocks in [term.blocks] if term.average else [(b,) for b in term.blocks]:
                target = out[:, column : column + self.hidden_size]
                for here, segment, local in self._by_segment(rows):
                    values = segment.block(blocks[0])[local]
                    if len(blocks) > 1:
                        values = np.mean(
                            [segment.block(block)[local] for block in blocks], axis=0, dtype="f8"
                        )
                    target[here] = values
                column += self.hidden_size

    def _by_segment(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64] | slice, Segment, NDArray[np.int64]]]:
        """``(positions in rows, segment, rows within the segment)`` of each segment in use."""
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(owner):
            here = np.flatnonzero(owner == number)
            local = rows[here] - self._starts[number]
            yield slice(None) if len(here) == len(rows) else here, self._snapshot[number], local

    def n_tokens(self, texts: Sequence[Text]) -> NDArray[np.int32]:
        """Tokens that the encoder saw of each text, shape ``(n,)``."""
        return self._column(texts, "n_tokens").astype(np.int32)

    def truncated(self, texts: Sequence[Text]) -> NDArray[np.bool_]:
        """Whether each text was cut off, shape ``(n,)``."""
        return self._column(texts, "truncated").astype(bool)

    def _column(self, texts: Sequence[Text], name: str) -> NDArray[Any]:
        rows = self.rows(texts)
        out = np.zeros(len(rows), np.int32)
        for here, segment, local in self._by_segment(rows):
            out[here] = getattr(segment, name)[local]
        return out

    def column_names(self, selection: str | Selection) -> list[str]:
        """Names of the matrix's columns, such as ``mean.12.0``."""
        return [
            name
            for term in self.resolve(selection)
            for name in column_names(term, self.hidden_size)
        ]

    def writer(
        self,
        provenance: Mapping[str, Any],
        *,
        segment_bytes: int = 256 << 20,
        segment_seconds: float = 60.0,
    ) -> BankWriter:
        """A writer that adds rows to this bank; see :class:`features.writer.BankWriter`."""
        return BankWriter(
            self.path, self.setup, self.fingerprint, self.blocks, provenance,
            segment_bytes=segment_bytes, segment_seconds=segment_seconds,
        )  # fmt: skip


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


def is_bank(path: str | Path) -> bool:
    """Whether a folder holds a bank (readable by this version or not)."""
    try:
        read_manifest(Path(path))
    except NotABank as error:
        return "format version" in str(error)
    except BankError:
        return True
    return True


def _visible(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith("."))
