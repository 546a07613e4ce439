"""A bank: every block of every text that one encoder, set up in one way, has seen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import DTypeLike, NDArray

from features.console import html
from features.console.stand_ins import showable
from features.disk.gather import Part, Plan, gather, plan
from features.disk.index import Keys
from features.disk.layout import Layout
from features.disk.manifest import Manifest, read_manifest, refuse_other_setup, write_manifest
from features.disk.segment import LOOKED_AT, TOKENS, Segment, SnapshotMoved
from features.disk.snapshot import Snapshot
from features.disk.system import read_errors
from features.disk.writer import BankWriter
from features.errors import BankError, MissingTexts, NotABank
from features.keys import text_keys
from features.paths import as_path
from features.selection import (
    ResolvedTerm,
    Selection,
    Setup,
    Shelf,
    column_names,
    order_poolings,
)
from features.sentence import FACTS, described, sentence_poolings
from features.texts import TextsLike
from features.token_notes import token_notes

#: How often to look again while others rearrange the bank.
TRIES = 5


class Bank:
    """A snapshot of a bank on disk; :meth:`Bank.refresh` takes a new one.

    Open one with :meth:`Bank.open`. Reading takes no lock and needs no right to write.
    """

    def __init__(self, path: Path, manifest: Manifest, overlay: Bank | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self.name = path.name.removesuffix(".bank")
        self.fingerprint = manifest.fingerprint
        self.setup: Setup = manifest.setup
        self.source: Mapping[str, Any] = manifest.source
        self.n_layers = int(manifest.setup["n_layers"])
        self.hidden_size = int(manifest.setup["hidden_size"])
        self.poolings = order_poolings(tuple(manifest.setup["poolings"]))
        self.has_pooler = bool(manifest.setup["pooler"])
        self._layout = Layout.of(manifest)
        self.blocks = self._layout.blocks
        self.overlay = overlay
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
        NotABank, BankError
            When the folder holds no bank, or a damaged one.
        FingerprintMismatch
            When ``overlay`` is of another encoder or set-up.
        """
        path = as_path(path).absolute()
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
            Everything that decides the numbers; ``docs/format.md`` says what it must hold.
        source
            Where the encoder was found; recorded, never compared.

        Raises
        ------
        NotABank
            When the folder holds something else.
        FingerprintMismatch
            When the bank there was made with another set-up; ``fields`` names what differs.
        """
        path = as_path(path).absolute()
        if path.exists() and not path.is_dir():
            raise NotABank(f"{path} is a file, and a bank is a folder: give another --bank")
        if path.is_dir() and not is_bank(path):
            with read_errors(path):
                if any(not entry.name.startswith(".") for entry in path.iterdir()):
                    raise NotABank(f"{path} holds other files and no bank: give another folder")
        return cls(path, write_manifest(path, setup, source))

    def refresh(self, *, use_index: bool = True) -> None:
        """Take in the segments that were committed since."""
        folders = [self.path] if self.overlay is None else [self.path, self.overlay.path]
        self._snapshots = [self._snapshot(folder, use_index) for folder in folders]
        self._n_texts: int | None = None
        self._planned: tuple[bytes, Plan] | None = None

    def _snapshot(self, folder: Path, use_index: bool) -> Snapshot:
        for _ in range(TRIES):
            with contextlib.suppress(SnapshotMoved):
                return Snapshot(folder, self._layout, use_index=use_index)
        return Snapshot(folder, self._layout, use_index=use_index)

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Path]]:
        # A worker opens the bank for itself: maps of files belong to one process.
        overlay = None if self.overlay is None else self.overlay.path
        return partial(type(self).open, overlay=overlay), (self.path,)

    def __repr__(self) -> str:
        return showable(
            f"<Bank {self.name!r}: {self.n_texts} texts, {self.n_layers} layers × "
            f"{self.hidden_size}, {', '.join(self.poolings)}{', pooler' * self.has_pooler}>"
        )

    def _repr_html_(self) -> str:
        return html.box(html.heading(f"bank {self.name}"), html.facts(self.facts()))

    def facts(self) -> dict[str, object]:
        """What a notebook shows of the bank: names with their values."""
        setup, source = self.setup, self.source
        revision = f" at {source['revision']}" if source.get("revision") else ""
        return {
            "texts": f"{self.n_texts:,}",
            "encoder": f"{source.get('encoder')}{revision}",
            "layers": f"{self.n_layers} (0 = embeddings, 1 to {self.n_layers - 1} = transformer "
            f"layers) × {self.hidden_size}",
            "poolings": ", ".join([*self.poolings, *["pooler"] * self.has_pooler]),
            **self._sentence_facts(),
            "set-up": f"{setup['precision']}, {setup.get('long')} at "
            f"{setup.get('max_length')} tokens",
            **({"tokens": "; ".join(notes)} if (notes := [*token_notes(setup, source)]) else {}),
            "folder": self.path,
            "fingerprint": f"{self.fingerprint[:12]}…",
        }

    def _sentence_facts(self) -> dict[str, object]:
        facts: dict[str, object] = {}
        if self.source.get(FACTS) is not None:
            offered = sentence_poolings(self.setup, self.source)
            why_not = f" (not offered: {offered})" if isinstance(offered, str) else ""
            facts["sentence"] = described(self.source[FACTS]) + why_not
        if self.setup.get("prompt"):
            facts["prompt"] = repr(self.setup["prompt"])
        return facts

    def __len__(self) -> int:
        """How many different texts there are."""
        return self.n_texts

    def __contains__(self, text: object) -> bool:
        """Whether a text is here."""
        return bool(self.contains([text])[0])

    @property
    def n_texts(self) -> int:
        """How many different texts there are."""
        if self._n_texts is None:
            first, *others = self._snapshots
            more = sum((first.find(other.distinct_keys()) < 0).sum() for other in others)
            self._n_texts = first.n_distinct + int(more)
        return self._n_texts

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of this snapshot, first committed first."""
        return tuple(
            snapshot.segment(number)
            for snapshot in self._snapshots
            for number in range(snapshot.n_segments)
        )

    def tokenised_by(self) -> Mapping[str, Any] | None:
        """The provenance of the newest segment that recorded a hash of its tokens, as `tokens`.

        None where none did. The newest segments stand for all, since nobody adds to a bank with
        a tokenizer that gives other tokens.
        """
        for _ in range(TRIES):
            with contextlib.suppress(SnapshotMoved):
                return self._tokenised_by()
            self.refresh(use_index=False)
        return self._tokenised_by()

    def _tokenised_by(self) -> Mapping[str, Any] | None:
        for snapshot in self._snapshots:
            last = snapshot.n_segments - 1
            for number in range(last, max(-1, last - LOOKED_AT), -1):
                made_by = snapshot.segment(number).made_by
                if found := [made for made in made_by if made.get(TOKENS) is not None]:
                    return found[-1]
        return None

    @property
    def shelf(self) -> Shelf:
        """What a selection has to know of the bank."""
        return Shelf(
            self.name, self.n_layers, self.poolings, self.has_pooler,
            sentence_poolings(self.setup, self.source),
        )  # fmt: skip

    def resolve(self, selection: str | Selection) -> tuple[ResolvedTerm, ...]:
        """The blocks that a selection names here; SelectionError shows what there is."""
        return Selection.parse(selection).resolve([self.shelf])

    def contains(self, texts: TextsLike) -> NDArray[np.bool_]:
        """Whether each text is here, shape ``(n,)``."""
        return self.contains_keys(text_keys(texts))

    def contains_keys(self, keys: Keys) -> NDArray[np.bool_]:
        """Whether each key, shape ``(n, 32)``, is here; shape ``(n,)``."""
        found = np.zeros(len(keys), bool)
        for snapshot in self._snapshots:
            found[~found] = snapshot.find(keys[~found] if found.any() else keys) >= 0
        return found

    def matrix(
        self, texts: TextsLike, selection: str | Selection, *, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """A combination of blocks as one matrix.

        Parameters
        ----------
        texts
            n texts, in whatever :func:`features.as_texts` takes; duplicates are repeated.
        selection
            Which blocks, such as ``"mean[-4:]"``.
        dtype
            Of the result.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, d)``, C-ordered, rows in the order of ``texts``.

        Raises
        ------
        MissingTexts
            When the bank lacks any of them.
        SelectionError
            When the bank cannot serve the selection.
        CorruptSegment
            When what was read is not what was written.
        """
        terms = self.resolve(selection)
        keys = text_keys(texts)
        self._read(keys, lambda part: None)  # what the segments lack takes no memory
        out = np.empty((len(keys), sum(map(self.width, terms))), dtype)
        self.fill_keys(out, keys, terms)
        return out

    def width(self, term: ResolvedTerm) -> int:
        """Columns that a term gives."""
        return self.hidden_size * term.n_parts

    def fill(self, out: NDArray[Any], texts: TextsLike, terms: Iterable[ResolvedTerm]) -> None:
        """Write the terms' columns for n texts into ``out``, shape ``(n, d)``."""
        self.fill_keys(out, text_keys(texts), tuple(terms))

    def fill_keys(self, out: NDArray[Any], keys: Keys, terms: Sequence[ResolvedTerm]) -> None:
        """As :meth:`fill`, of texts whose keys, shape ``(n, 32)``, are known."""
        self._read(keys, lambda part: gather(out, part, terms))

    def n_tokens(self, texts: TextsLike) -> NDArray[np.int32]:
        """Tokens that the encoder saw of each text, shape ``(n,)``."""
        return self._column(texts, "n_tokens")

    def truncated(self, texts: TextsLike) -> NDArray[np.bool_]:
        """Whether each text was cut off, shape ``(n,)``."""
        return self._column(texts, "truncated").astype(bool)

    def _column(self, texts: TextsLike, name: str) -> NDArray[np.int32]:
        keys = text_keys(texts)
        out = np.zeros(len(keys), np.int32)

        def read(part: Part) -> None:
            out[part.target] = getattr(part.segment, name)[part.source]

        self._read(keys, read)
        return out

    def require(self, texts: TextsLike) -> None:
        """MissingTexts unless every text is here."""
        self.require_keys(text_keys(texts))

    def require_keys(self, keys: Keys) -> None:
        """MissingTexts unless every key, shape ``(n, 32)``, is here."""
        self._refuse_missing(keys, np.flatnonzero(~self.contains_keys(keys)))

    def _read(self, keys: Keys, read: Callable[[Part], None]) -> None:
        """Call ``read`` so that the row of every key is covered once."""
        for _ in range(TRIES):
            with contextlib.suppress(SnapshotMoved):
                return self._read_once(keys, read)
            # Segments are gone for good, or the kept index was wrong: see what there is now.
            self.refresh(use_index=False)
        self._read_once(keys, read)

    def _read_once(self, keys: Keys, read: Callable[[Part], None]) -> None:
        asked = xxhash.xxh3_128_digest(np.ascontiguousarray(keys).data)
        if self._planned is None or self._planned[0] != asked:
            # A sweep asks for the same texts again and again.
            self._planned = (asked, plan(self._snapshots, keys))
        parts, missing = self._planned[1]
        self._refuse_missing(keys, missing)
        for part in parts:
            read(part)

    def _refuse_missing(self, keys: Keys, missing: NDArray[np.int64]) -> None:
        if len(missing):
            count = len(np.unique(keys[missing], axis=0))
            raise MissingTexts(self.path, count, missing.tolist())

    def column_names(self, selection: str | Selection) -> list[str]:
        """Names of the matrix's columns, such as ``mean.12.0``."""
        terms = self.resolve(selection)
        return [name for term in terms for name in column_names(term, self.hidden_size)]

    def writer(
        self,
        provenance: Mapping[str, Any],
        *,
        segment_bytes: int = 256 << 20,
        segment_seconds: float = 60.0,
    ) -> BankWriter:
        """A writer that adds rows to this bank; see :class:`features.disk.writer.BankWriter`."""
        return BankWriter(
            self.path, self.manifest, provenance,
            segment_bytes=segment_bytes, segment_seconds=segment_seconds,
        )  # fmt: skip


def is_bank(path: str | Path) -> bool:
    """Whether a folder holds a bank (readable by this version or not)."""
    try:
        read_manifest(as_path(path))
    except NotABank as error:
        return "format version" in str(error)
    except BankError:
        return True
    return True
