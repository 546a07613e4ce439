"""One bank a fold, each of an encoder that was fine-tuned without that fold.

An encoder that was trained on texts and targets has seen them: folds made of its features look
wonderful and are wrong. With ``clrp-{fold}.bank``, fold k is scored on bank k alone, by a model
that was fitted on the other folds' features from that same bank. What that model's setting is
chosen by lies inside bank k too, among the folds its encoder was trained on. These look easier
than fold k is, so that a weaker penalty may be chosen than would have been best; any other bank's
encoder has seen fold k, and a score that is free of that is worth more.

New texts are predicted by the mean of these very models, each on its own bank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.bank import Bank
from features.banks import Banks
from features.disk.format import differing_fields
from features.errors import BankError, FingerprintMismatch, InputError, SelectionError
from features.names import is_plain_name
from features.selection import ResolvedTerm, Selection
from regress.data.folds import Folds

#: One bank or several, open or by their folders.
BankLike = Bank | Banks | str | Path | Iterable[Bank | str | Path]

#: What a path has in the place of each fold.
PLACE = "{fold}"

#: The part of their set-up that the banks of the folds must differ in, and no other.
WEIGHTS = "weights"


class FoldBanks(Banks):
    """The banks of the folds, in their order; a selection means the same blocks of each.

    A matrix has the selection's columns from every bank, side by side.
    """

    def __init__(self, by_label: Mapping[str, Bank]) -> None:
        super().__init__([*by_label.values()])
        self.labels = dict(zip(self.by_name, by_label, strict=True))

    def resolve(self, selection: str | Selection) -> tuple[ResolvedTerm, ...]:
        """The selection's blocks in the first bank, in the second, and so on.

        Raises
        ------
        SelectionError
            Also where they are not the same in all of them, which ``sentence`` may not be.
        """
        found = {bank.name: bank.resolve(selection) for bank in self.by_name.values()}
        (first, terms), *others = found.items()
        for name, other in others:
            if [term.blocks for term in other] != [term.blocks for term in terms]:
                raise SelectionError(
                    f"{str(selection)!r} is made of other blocks in the bank {name!r} than in "
                    f"{first!r}, by their encoders' folders: name the blocks, such as mean[-1]"
                )
        return tuple(term for several in found.values() for term in several)


def open_with_folds(bank: BankLike, folds: Callable[[], list[Folds]]) -> tuple[Banks, list[Folds]]:
    """The banks and all folds; where each fold has its bank, the folds say which there are."""
    template = fold_template(bank)
    if template is None:
        banks = bank if isinstance(bank, Banks) else Banks(opened(bank))
        return banks, folds()
    splits = folds()
    return open_fold_banks(template, splits[0]), splits


def opened(bank: BankLike) -> list[Bank]:
    """Banks, opened where paths are given."""
    return [
        each if isinstance(each, Bank) else Bank.open(each)
        for each in (bank.by_name.values() if isinstance(bank, Banks) else _several(bank))
    ]


def fold_template(bank: BankLike) -> str | None:
    """The path with ``{fold}`` in it, where there is one."""
    if isinstance(bank, (Bank, Banks)):
        return None
    several = _several(bank)
    paths = [str(each) for each in several if isinstance(each, (str, Path))]
    found = [path for path in paths if PLACE in path]
    if found and len(several) > 1:
        raise InputError(f"{found[0]} stands for one bank a fold: give no other --bank beside it")
    return found[0] if found else None


def _several(bank: Bank | str | Path | Iterable[Bank | str | Path]) -> list[Bank | str | Path]:
    """One bank or several, open or by their folders."""
    if isinstance(bank, (Bank, str, Path)) or not isinstance(bank, Iterable):
        return [bank]
    return list(bank)


def of_each_fold(template: str, recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    """The path for each bank that a run recorded; InputError unless each had its fold."""
    if not all("fold" in bank for bank in recorded):
        raise InputError(f"the run has no bank for each fold, as {template} would: name one bank")
    return [template.replace(PLACE, bank["fold"]) for bank in recorded]


def open_fold_banks(template: str, folds: Folds) -> FoldBanks:
    """Open the bank of each fold.

    Raises
    ------
    InputError
        The folds were not given, or two folds have the bank of one encoder.
    BankError
        A fold has no bank.
    FingerprintMismatch
        The banks differ in more than their encoder's weights.
    """
    if not folds.labels:
        raise InputError(
            f"{template} stands for one bank a fold, and the folds must be those that the encoders "
            "were trained on: name the column that holds them with --fold-column"
        )
    if wrong := [label for label in folds.labels if not is_plain_name(label)]:
        raise InputError(
            f"the fold {wrong[0]!r} cannot stand in the path {template}: call the folds by plain "
            "names, such as numbers"
        )
    banks: dict[str, Bank] = {}
    for label in folds.labels:
        path = template.replace(PLACE, label)
        try:
            banks[label] = Bank.open(path)
        except BankError as error:
            raise BankError(f"fold {label} has no bank at {path} ({error})") from None
    first_label, first = next(iter(banks.items()))
    weights = {str(first.setup.get(WEIGHTS)): first_label}
    for label, bank in [*banks.items()][1:]:
        fields = [name for name in differing_fields(first.setup, bank.setup) if name != WEIGHTS]
        if fields:
            raise FingerprintMismatch(
                f"the banks {first.path} and {bank.path} differ in {', '.join(fields)}, and may "
                "differ in their encoders' weights alone: extract them alike",
                fields,
            )
        other = weights.setdefault(str(bank.setup.get(WEIGHTS)), label)
        if other != label:
            raise InputError(
                f"the banks of folds {other} and {label} come from one encoder, which has seen "
                "one of these folds: extract each with the encoder trained without its fold"
            )
    return FoldBanks(banks)
