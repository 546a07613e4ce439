"""What has to be said beside the scores of an experiment, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.console.show import number_of, printable
from features.errors import LayerbankError
from regress.data.fold_banks import FoldBanks
from regress.data.near_duplicates import ALIKE
from regress.data.task import Task
from regress.evaluation.leaderboard import CANDIDATES, Standing, behind
from regress.evaluation.results import Result, Results
from regress.models.registry import MODELS

#: Fewer texts than this tell hardly anything apart.
FEW = 50

#: Share of the texts whose ends were cut off, above which that is said.
MUCH_CUT = 0.1


def notes(experiment: Results) -> list[str]:
    """Notes in the order in which they are shown."""
    return [
        *_on_rows(experiment.task),
        *_on_folds(experiment),
        *_on_equal_texts(experiment.task),
        *_on_cut_texts(experiment),
        *_on_models(experiment),
        *on_scores(experiment),
    ]


def on_scores(experiment: Results) -> Iterator[str]:
    """What a reader of a leaderboard may wonder at, or overlook."""
    targets = experiment.task.target_names
    for target in targets:
        if sentence := _on_two_values(target, experiment.truth(target)):
            yield sentence
        of_target = f"{printable(target)}: " if len(targets) > 1 else ""
        ranked = experiment.standings(target)
        for sentence in (
            _on_baseline(headline(ranked), experiment.baseline(target)),
            _on_sweep(ranked),
            _on_blend(ranked),
        ):
            if sentence:
                yield of_target + sentence


def text_pairs(count: int) -> str:
    """A number of pairs, as a sentence has it."""
    return f"{count} pair{'s' * (count != 1)} of texts"


def _on_rows(task: Task) -> Iterator[str]:
    if task.kept is not None:
        for n, why in (
            (task.kept.n_without_target, "no target"),
            (task.kept.n_without_weight, "a sample weight of 0"),
        ):
            if n:
                are, have = ("is", "it has") if n == 1 else ("are", "they have")
                yield f"{n} of {task.kept.n_given} rows {are} left out: {have} {why}"
    for target, name in enumerate(task.target_names):
        if (n := len(task.known(target))) < len(task.texts):
            yield f"{name} is fitted and scored on the {n} of {len(task.texts)} rows that have it"


def _on_folds(experiment: Results) -> Iterator[str]:
    task, near = experiment.task, experiment.near
    if len(task.texts) < FEW:
        yield (
            f"there are only {len(task.texts)} texts: scores are rough, and differences between "
            f"lines are noise; score {FEW} or more to compare them"
        )
    if experiment.repeats:
        seeds = [experiment.folds.seed, *(folds.seed for folds in experiment.repeats)]
        yield (
            f"scores are means over {len(seeds)} splits into folds (seeds "
            f"{', '.join(map(str, seeds))}), and settings are chosen over all of them"
        )
    if isinstance(experiment.banks, FoldBanks):
        yield (
            "each fold is scored on its own bank, and new texts get the mean of the models of all "
            "folds"
        )
    if task.weights is not None:
        yield "fits, scalers, choices and scores are weighted by the sample weights"
    if near is None:
        yield "near-duplicates were not counted: the texts are too many to compare"
    elif near.straddling:
        first = " and ".join(printable(str(task.ids[row])) for row in near.first or ())
        torn = f"stand{'s' * (near.straddling == 1)} in different folds, which flatters the scores"
        yield (
            f"near-duplicates: {text_pairs(near.pairs)} share{'s' * (near.pairs == 1)} {ALIKE:.0%} "
            f"of their three-word runs, and {near.straddling} {torn} (the first: "
            f"{task.id_name} {first}); group folds (--group) keep them together"
        )
    elif near.pairs:
        yield f"near-duplicates: {text_pairs(near.pairs)}, none of them in different folds"


def _on_equal_texts(task: Task) -> Iterator[str]:
    """Texts whose rows contradict each other. Their means are the best that could be predicted."""
    text_numbers = task.text_numbers
    for target, name in enumerate(task.target_names):
        rows = task.known(target)
        text = np.unique(text_numbers[rows], return_inverse=True)[1]
        y = task.Y[rows, target]
        weights = np.ones(len(rows)) if task.weights is None else task.weights[rows]
        differ = np.flatnonzero(_per_text(np.maximum, y, text) > _per_text(np.minimum, y, text))
        if not len(differ):
            continue
        means = np.bincount(text, weights * y) / np.bincount(text, weights)
        floor = np.sqrt(np.average((y - means[text]) ** 2, weights=weights))
        row = rows[np.flatnonzero(np.isin(text, differ))[0]]
        first = printable(str(task.ids[row]))
        stand = "text stands" if len(differ) == 1 else "texts stand"
        yield (
            f"equal texts: {len(differ)} {stand} in several rows that differ in {name} "
            f"(the first: {task.id_name} {first}), so that no model of the texts has an RMSE "
            f"below {floor:.4f} here"
        )


def _on_two_values(target: str, y: NDArray[np.float64]) -> str:
    values = np.unique(y[~np.isnan(y)])
    if len(values) != 2:
        return ""
    return (
        f"{printable(target)} has only two values, {values[0]:g} and {values[1]:g}: predictions "
        "are numbers around these and no classes, so use them to rank texts, or choose a threshold"
    )


def _on_cut_texts(experiment: Results) -> Iterator[str]:
    task = experiment.task
    for name, bank in experiment.banks.by_name.items():
        cut = _share_cut(bank, task)
        if cut > MUCH_CUT:
            yield (
                f"{cut:.0%} of the texts are longer than the {bank.setup.get('max_length')} tokens "
                f"that the bank {printable(name)} was made with, and their ends were not read: a "
                "bank made with --long window, or a larger --max-length, may score better"
            )


def _share_cut(bank: Bank, task: Task) -> float:
    """Share of the texts whose end the encoder did not see; 0 where the bank cannot say."""
    try:
        return float(bank.truncated(task.texts).mean())
    except LayerbankError:  # one bank of several that hold a part of the texts each
        return 0.0


def headline(ranked: Sequence[Standing]) -> Standing:
    """What an experiment is about: the whole procedure of a sweep, a blend, or the best row."""
    procedures = (standing for standing in ranked if standing.row.kind in ("auto", "blend"))
    return next(procedures, ranked[0])


def _on_baseline(first: Standing, baseline: Standing) -> str:
    scores, mean = first.row.scores, baseline.row.scores
    if baseline.verdict == "worse" and scores.rmse < mean.rmse:
        return ""
    shown = number_of(mean.rmse)
    return (
        f"{first.row.label} is no better than the mean of the training targets (RMSE "
        f"{shown(scores.rmse)} against {shown(mean.rmse)}): nothing was learned that holds for new "
        "texts"
    )


def _on_sweep(ranked: Sequence[Standing]) -> str:
    best, auto = ranked[0].row, headline(ranked).row
    shown = number_of(best.scores.rmse)
    of_auto, of_best = shown(auto.scores.rmse), shown(best.scores.rmse)
    if auto.kind != "auto" or of_auto == of_best:
        return ""
    n_tried = sum(standing.row.kind in CANDIDATES for standing in ranked)
    return (
        f"quote auto's RMSE of {of_auto}: the {of_best} of {best.label} "
        f"is the lowest of {n_tried} scores, which makes it look better than it is, while auto "
        "chose again for each fold without that fold"
    )


def _on_blend(ranked: Sequence[Standing]) -> str:
    blend, best = headline(ranked), ranked[0]
    if blend.row.kind != "blend" or blend.behind.value <= blend.behind.se:
        return ""
    shown = number_of(best.row.scores.rmse)
    return (
        f"the blend is worse than its best member (RMSE {shown(blend.row.scores.rmse)} against "
        f"{shown(best.row.scores.rmse)} of {best.row.label}, difference "
        f"{shown(blend.behind.value)} ± {shown(blend.behind.se)}): use that member"
    )


def _per_text(
    extreme: np.ufunc, y: NDArray[np.float64], text: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The least or greatest of each text's values, shape (n_texts,)."""
    values = np.empty(text.max() + 1)
    values[text] = y  # some value of each
    extreme.at(values, text, y)
    return values


def _on_models(experiment: Results) -> Iterator[str]:
    for name, regressor in experiment.regressors.items():
        task = experiment.task
        n_samples = max(len(task.known(target)) for target in range(len(task.target_names)))
        if note := regressor.note(n_samples):
            yield f"{name}: {note}"
    for result in experiment.results:
        base = MODELS[result.model].base if result.model in MODELS else None
        for other in experiment.results:
            same = (other.select, other.target) == (result.select, result.target)
            if same and other.model == base:
                yield _beside_base(experiment, result, other)


def _beside_base(experiment: Results, result: Result, base: Result) -> str:
    task, y = experiment.task, experiment.truth(result.target)
    further = behind(y, result, base, task.drawn_together, task.weights)
    verdict = "ties with" if further.ties else "loses to" if further.value > 0 else "beats"
    return (
        f"{experiment.label(result)} {verdict} its base {base.model}: RMSE "
        f"{result.scores.rmse:.4f} against {base.scores.rmse:.4f} (difference "
        f"{further.value:+.4f}, standard error {further.se:.4f})"
    )
