"""From texts and numbers to a scored, fitted experiment in one call: what a bank lacks is encoded.

With selections it is `regress.experiment.evaluate`, without them `regress.sweep.sweep`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

from features.bank import Bank, is_bank
from features.banks import Banks
from features.columns import as_list
from features.disk.system import is_writable
from features.errors import InputError
from features.filling import Encode, fill
from features.keys import Text
from features.paths import as_path
from features.selection import Selection
from features.texts import TextsLike
from regress.data.fold_banks import BankLike, fold_template, opened
from regress.data.given import NumbersLike
from regress.data.task import checked_task
from regress.experiment import Experiment, evaluate
from regress.models.estimator import TunedRegressor
from regress.models.registry import named_regressors
from regress.sweep import DEFAULT_MODELS, N_BEST, sweep


class Effort(NamedTuple):
    """How much a search tries; the fields are parameters of `sweep`."""

    models: Sequence[str]
    n_best: int
    greedy: bool


#: What `fit` searches through where no selection is given.
EFFORTS = {
    "quick": Effort(("ridge", "krr"), 3, greedy=False),
    "full": Effort(DEFAULT_MODELS, N_BEST, greedy=True),
}


#: Parameters that decide whether the task is one.
CHECKED = frozenset(
    {"target_names", "ids", "id_name", "groups", "sample_weight", "skip_missing", "rows"}
)


class How(TypedDict, total=False):
    """Parameters that `evaluate` and `sweep` share; see `regress.experiment.evaluate`."""

    cv: int
    folds: str | Iterable[object]
    groups: Iterable[object] | None
    random_state: int | Sequence[int]
    sample_weight: NumbersLike | None
    skip_missing: bool
    ids: Iterable[object] | None
    id_name: str
    rows: Sequence[int] | None
    target_names: Sequence[str] | None
    memory: int | None
    n_jobs: int | None
    progress: bool


def fit(
    texts: TextsLike,
    y: NumbersLike,
    *,
    bank: BankLike,
    encode: Encode | None = None,
    select: str | Sequence[str] = (),
    models: str | Sequence[str | TunedRegressor] | None = None,
    effort: str = "quick",
    out: str | Path | None = None,
    force: bool = False,
    cache: str | Path | None = None,
    **how: Unpack[How],
) -> Experiment:
    """Score and fit regressors on texts, which are encoded first where the bank lacks them.

    Parameters
    ----------
    texts, y
        n_samples texts, and their numbers: shape (n_samples,) or (n_samples, n_targets), finite.
    bank
        One bank or several; see `regress.experiment.evaluate`. A single one is made where there
        is none at its path.
    encode
        What encodes texts that a bank lacks; None refuses them.
    select
        Selections to score. Without any, the best is searched for.
    models
        Regressors, by their names in `MODELS` or as they are set up. With selections the default
        is ridge. In a search ridge runs on everything and the others on ridge's best selections,
        and the default is that of `effort`.
    effort
        ``"quick"``: ridge on every block and the usual combinations, krr on ridge's best three.
        ``"full"``: a forward search besides, and krr, svr and lightgbm on ridge's best five.
    out, force
        Where a run folder is to be written, if it is, and whether to replace the one there.
    cache
        A folder that keeps a search's finished fits, so that another call goes on from there.
    how
        What `regress.experiment.evaluate` takes besides.

    Returns
    -------
    What `evaluate` or `sweep` returns. Its ``predict`` encodes new texts with `encode`.

    Raises
    ------
    InputError, SelectionError, MissingTexts, RunError
        As `evaluate`, `sweep` and `save_run`.
    """
    if effort not in EFFORTS:
        raise InputError(f"there is no effort {effort!r}: choose from {', '.join(EFFORTS)}")
    if out is not None:
        from regress.runs.save import refuse_existing

        refuse_existing(as_path(out), force=force, in_python=True)
    given: Any = {name: _kept(value) for name, value in how.items()}
    texts, y = as_list(texts, "texts"), _kept(y)
    # What is wrong with the call shows before hours of encoding.
    chosen = EFFORTS[effort]
    names = models or ("ridge" if select else chosen.models)
    named_regressors(names)
    for selection in [select] if isinstance(select, str) else select:
        Selection.parse(selection)
    checked = {name: value for name, value in given.items() if name in CHECKED}
    fill_banks(bank, checked_task(texts, y, **checked).texts, encode)
    if select:
        found = evaluate(bank, texts, y, select=select, models=names, **given)
    else:
        found = sweep(
            bank, texts, y, models=names, n_best=chosen.n_best,
            greedy=chosen.greedy, cache=cache, **given,
        )  # fmt: skip
    found = replace(found, encode=encode)
    if out is not None:
        found.save(out, force=force)
    return found


def _kept(value: Any) -> Any:
    """What can be gone through more than once."""
    return list(value) if isinstance(value, Iterator) else value


def fill_banks(bank: BankLike, texts: Sequence[Text], encode: Encode | None) -> None:
    """Encode the texts that banks lack; a single path where there is no bank gets one.

    Where a path stands for one bank a fold, or nothing encodes, nothing is done: what reads the
    banks says what they lack.
    """
    if encode is None or fold_template(bank) is not None:
        return
    several = [bank] if isinstance(bank, (Bank, Banks, str, Path)) else list(bank)
    only = several[0] if len(several) == 1 else None
    if isinstance(only, (str, Path)) and not is_bank(only):
        encode(texts, as_path(only), {})
        return
    by_path = all(isinstance(each, (str, Path)) for each in several)
    for each in opened(bank):
        if by_path and not is_writable(each.path):
            each.require(texts)  # what is encoded aside would be lost to who opens the path
        fill(each, texts, encode)
