"""Which selection, which regressor, how good really: from a bank to scored, fitted models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from features.banks import Banks
from features.blocks import ResolvedTerm
from features.errors import InputError
from features.keys import Text
from features.selection import Selection
from regress.design import BankLike, Design, checked_design, opened
from regress.estimator import TunedRegressor
from regress.folds import Folds, make_folds
from regress.metrics import Scores, rmse, score
from regress.model import FittedModel, Matrix
from regress.registry import named_regressors
from regress.statistics import FoldData
from regress.tuning import Tuned, n_steps, tune

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    bank: BankLike,
    texts: Sequence[Text],
    y: ArrayLike,
    *,
    select: str | Sequence[str] = ("mean[-1]",),
    models: str | Sequence[str | TunedRegressor] = ("ridge",),
    cv: int = 5,
    folds: str = "stratified",
    groups: Sequence[str] | None = None,
    random_state: int = 0,
    ids: Sequence[object] | None = None,
    id_name: str = "id",
    target_names: Sequence[str] | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Experiment:
    """Score every regressor on every selection by nested cross-validation, and fit it.

    Parameters
    ----------
    bank
        One bank or several (with several, selections name theirs: ``"roberta/mean[-1]"``).
    texts
        n_samples texts that the bank holds; duplicates never straddle folds.
    y
        Shape (n_samples,) or (n_samples, n_targets), finite.
    select
        Selections.
    models
        Names from `MODELS`, or regressors set up otherwise than by default.
    cv, folds, groups, random_state
        Number of folds, ``"stratified"`` by deciles of the target, ``"plain"`` or ``"group"``,
        the group of each row, and the seed; see `regress.folds.make_folds`.
    ids, id_name
        What each row is called in the out-of-fold predictions, and the name of that column; None
        for row numbers from 1.
    target_names
        One for each target.
    n_jobs
        Worker threads; None for one a core.
    progress
        Whether to draw a progress bar on stderr.

    Raises
    ------
    InputError
        Lengths that differ, a target that is not finite or has one value, too few rows, an
        unknown model.
    SelectionError, MissingTexts
        As `features.bank.Bank.matrix`.
    """
    banks = Banks(opened(bank))
    design = checked_design(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups
    )
    selections = _resolved(banks, select)
    regressors = named_regressors(models, random_state)
    split = make_folds(
        design.keys, design.Y, n_folds=cv, scheme=folds, groups=groups, seed=random_state
    )
    results: list[Result] = []
    steps = len(selections) * n_steps(cv, len(regressors))
    with tqdm(total=steps, desc="fits", unit="fit", disable=not progress, leave=False) as bar:
        for selection, terms in selections.items():
            bar.set_postfix_str(selection)
            data = FoldData(banks.matrix(design.texts, selection), design.Y, split)
            tuned = tune(data, [*regressors.values()], n_jobs=n_jobs, on_done=bar.update)
            for name, of_model in zip(regressors, tuned, strict=True):
                results += _results(selection, terms, name, of_model, data, design)
    results.sort(key=lambda result: result.scores.rmse)
    return Experiment(banks, design, split, results, regressors)


def _resolved(
    banks: Banks, select: str | Selection | Iterable[str | Selection]
) -> dict[str, tuple[ResolvedTerm, ...]]:
    """Each selection once, as it prints itself, with the blocks it names."""
    several = [select] if isinstance(select, (str, Selection)) else select
    parsed = [Selection.parse(one) for one in several]
    if not parsed:
        raise InputError("name at least one selection, such as 'mean[-1]'")
    return {str(selection): banks.resolve(selection) for selection in parsed}


def _results(
    selection: str,
    terms: tuple[ResolvedTerm, ...],
    model: str,
    tuned: Tuned,
    data: FoldData,
    design: Design,
) -> list[Result]:
    results = []
    for target, name in enumerate(design.target_names):
        y, predictions = design.Y[:, target], tuned.predictions[:, target]
        by_fold = [data.folds.rows([fold]) for fold in range(data.folds.n_folds)]
        results.append(
            Result(
                select=selection,
                terms=terms,
                n_columns=data.X.shape[1],
                model=model,
                target=name,
                predictions=predictions,
                scores=score(y, predictions),
                naive_rmse=float(tuned.cv_rmse[:, target].min()),
                fold_rmse=[rmse(y[rows], predictions[rows]) for rows in by_fold],
                fold_params=[dict(tuned.settings[at]) for at in tuned.chosen[:, target]],
                params=dict(tuned.settings[tuned.final[target]]),
                fitted=tuned.models[target],
                seconds=tuned.seconds,
            )
        )
    return results


@dataclass(frozen=True, eq=False)
class Result:
    """One regressor on one selection, for one target.

    Attributes
    ----------
    select, terms, n_columns
        The selection, its blocks as the bank resolves them, and the columns they make.
    model, target
        Names.
    predictions
        Shape (n_samples,): nested out-of-fold predictions.
    scores
        Of these predictions.
    naive_rmse
        The lowest cross-validated RMSE among the settings: what is reported where the same folds
        choose and score.
    fold_rmse, fold_params
        RMSE of each outer fold, and the setting chosen without it.
    params, fitted
        The setting chosen over all folds, and the model refitted on all rows with it.
    seconds
        Time that tuning and fitting took.
    """

    select: str
    terms: tuple[ResolvedTerm, ...]
    n_columns: int
    model: str
    target: str
    predictions: Matrix
    scores: Scores
    naive_rmse: float
    fold_rmse: list[float]
    fold_params: list[dict[str, float]]
    params: dict[str, float]
    fitted: FittedModel
    seconds: float


@dataclass(frozen=True, eq=False)
class Experiment:
    """What `evaluate` found.

    Attributes
    ----------
    banks, design
        What it was fitted on.
    folds
        The outer folds.
    results
        Sorted by RMSE.
    regressors
        By name, as they were set up.
    """

    banks: Banks
    design: Design
    folds: Folds
    results: list[Result]
    regressors: Mapping[str, TunedRegressor]

    @property
    def best(self) -> Result:
        """The result with the lowest nested RMSE."""
        return self.results[0]

    @property
    def table(self) -> pd.DataFrame:
        """Scores of each selection and regressor, best first."""
        import pandas as pd

        rows = [table_row(result) for result in self.results]
        table = pd.DataFrame(rows)
        return table if len(self.design.target_names) > 1 else table.drop(columns="target")

    @property
    def oof(self) -> pd.DataFrame:
        """Each row's fold, target and nested out-of-fold predictions, a column a result."""
        import pandas as pd

        columns: dict[str, Any] = {
            self.design.id_name: list(self.design.ids),
            "fold": self.folds.numbers,
            **dict(zip(self.design.target_names, self.design.Y.T, strict=True)),
        }
        columns |= {self.label(result): result.predictions for result in self.results}
        return pd.DataFrame(columns)

    def label(self, result: Result) -> str:
        """What a result is called in `oof`: ``ridge mean[-1]``, after its target if several."""
        label = f"{result.model} {result.select}"
        return f"{result.target}: {label}" if len(self.design.target_names) > 1 else label

    def predict(self, texts: Sequence[Text]) -> Matrix:
        """The best model's predictions for texts that the banks hold, shape (n_texts,)."""
        return self.best.fitted.predict(self.banks.matrix(texts, self.best.select))

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write a run folder; see `regress.persistence.save_run`."""
        from regress.persistence import save_run

        return save_run(self, path, force=force)


def table_row(result: Result) -> dict[str, Any]:
    """A result as a row of the table."""
    return {
        "target": result.target,
        "select": result.select,
        "model": result.model,
        **asdict(result.scores),
        "naive_rmse": result.naive_rmse,
        "seconds": result.seconds,
        "params": result.params,
    }
