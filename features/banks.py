"""Several banks side by side: two encoders in one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.bank import Bank
from features.console import html
from features.console.stand_ins import showable
from features.errors import InputError
from features.keys import text_keys
from features.paths import as_paths
from features.selection import ResolvedTerm, Selection, can_name, column_names
from features.texts import TextsLike


class Banks:
    """Banks by name; a selection names the bank of each term: ``roberta/mean[-1]+mpnet/cls[0]``.

    With a single bank, the name may be left out.
    """

    def __init__(self, banks: Sequence[Bank]) -> None:
        self.by_name = {bank.name: bank for bank in banks}
        if not banks or len(self.by_name) < len(banks):
            raise InputError(
                "the banks need different names, since selections tell them apart by name: "
                f"{', '.join(str(bank.path) for bank in banks) or 'none was given'}"
            )
        # Where selections are resolved otherwise, as for one bank a fold, they name no bank.
        if len(banks) > 1 and type(self).resolve is Banks.resolve:
            _refuse_unnameable(banks)

    def __repr__(self) -> str:
        banks = [f"{name!r} of {bank.n_texts} texts" for name, bank in self.by_name.items()]
        return showable(f"<{type(self).__name__} {', '.join(banks)}>")

    def _repr_html_(self) -> str:
        return html.box(
            *(
                html.heading(f"bank {bank.name}") + html.facts(bank.facts())
                for bank in self.by_name.values()
            )
        )

    def resolve(self, selection: str | Selection) -> tuple[ResolvedTerm, ...]:
        """The blocks that a selection names, each term with its bank's name."""
        return Selection.parse(selection).resolve([bank.shelf for bank in self.by_name.values()])

    def contains(self, texts: TextsLike) -> NDArray[np.bool_]:
        """Whether every bank holds each text, shape ``(n,)``."""
        keys = text_keys(texts)
        found = [bank.contains_keys(keys) for bank in self.by_name.values()]
        return np.asarray(np.all(found, axis=0), bool)

    def matrix(
        self, texts: TextsLike, selection: str | Selection, *, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """As :meth:`features.bank.Bank.matrix`, over several banks."""
        terms = self.resolve(selection)
        widths = [self.by_name[term.bank].width(term) for term in terms]
        keys = text_keys(texts)
        out = np.empty((len(keys), sum(widths)), dtype)
        stops = np.cumsum(widths)
        for term, width, stop in zip(terms, widths, stops, strict=True):
            self.by_name[term.bank].fill_keys(out[:, stop - width : stop], keys, [term])
        return out

    def column_names(self, selection: str | Selection) -> list[str]:
        """Names of the matrix's columns, such as ``roberta/mean.12.0``."""
        several = len(self.by_name) > 1
        return [
            name
            for term in self.resolve(selection)
            for name in column_names(
                term, self.by_name[term.bank].hidden_size, f"{term.bank}/" if several else ""
            )
        ]


def _refuse_unnameable(banks: Sequence[Bank]) -> None:
    """InputError for a bank that no selection could mean."""
    for bank in banks:
        if not can_name(bank.name):
            raise InputError(
                f"the bank {bank.path} cannot be used beside another, since a selection cannot "
                f"hold its name {bank.name!r}: rename the folder, without spaces and + [ ] ( ) ,"
            )


def open_banks(paths: str | Path | Sequence[str | Path]) -> Banks:
    """Open several banks, or one, by their folders."""
    return Banks([Bank.open(path) for path in as_paths(paths)])
