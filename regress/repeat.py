"""A run once more, from its own record: the same numbers to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from features.banks import Banks
from features.errors import InputError, LayerbankError, RunError
from features.tables.table import Dataset
from regress.data.fold_banks import BankLike, FoldBanks
from regress.data.source import Source
from regress.data.task import checked_task
from regress.evaluation.results import Results
from regress.experiment import Experiment, evaluate
from regress.runs.format import plain, result_description, versions
from regress.runs.run import Run
from regress.sweep import Sweep, sweep

#: Timings are no numbers of the run.
UNTIMED = ("seconds", "file", "sha256")


def repeat_run(
    run: Run,
    *,
    input: Path | None = None,
    bank: BankLike | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[Experiment, Source]:
    """Evaluate again what a run evaluated, with the same folds, seeds and settings.

    Parameters
    ----------
    input
        Where the file is now; None for where it was.
    bank
        Where the banks are now.
    n_jobs
        Worker threads; numbers do not depend on them.

    Returns
    -------
    The experiment, and the file it was read from.

    Raises
    ------
    RunError
        The run was not made from a file by `layerbank regress`, texts or targets have changed, or
        it was not made here and the call does not say where its file and banks are.
    FingerprintMismatch, MissingTexts
        The bank is another.
    """
    source, banks, dataset, arguments = _as_it_was(run, "regress", input, bank)
    with _as_it_says(run):
        experiment = evaluate(
            banks, dataset.texts, dataset.targets, select=run.description["selections"],
            n_jobs=n_jobs, progress=progress, **arguments,
        )  # fmt: skip
    _refuse_other_folds(run, experiment, source)
    return experiment, source


def repeat_sweep(
    run: Run,
    *,
    input: Path | None = None,
    bank: BankLike | None = None,
    cache: Path | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[Sweep, Source]:
    """Sweep again what a sweep tried; as `repeat_run`.

    Parameters
    ----------
    cache
        As `regress.sweep.sweep`.
    """
    source, banks, dataset, arguments = _as_it_was(run, "sweep", input, bank)
    searched = run.description["sweep"]
    if not {"n_best", "greedy"} <= searched.keys():
        raise RunError(f"{run.path} does not say how it was searched: repeat its command by hand")
    with _as_it_says(run):
        swept = sweep(
            banks, dataset.texts, dataset.targets, select=run.description["selections"],
            n_best=searched["n_best"], greedy=searched["greedy"], cache=cache,
            n_jobs=n_jobs, progress=progress, **arguments,
        )  # fmt: skip
    _refuse_other_folds(run, swept, source)
    return swept, source


@contextmanager
def _as_it_says(run: Run) -> Iterator[None]:
    """Settings that no regressor takes are the run's fault where somebody else wrote it."""
    try:
        yield
    except LayerbankError:
        raise
    except Exception as error:
        if run.written_here:
            raise
        raise RunError(
            f"{run.path} cannot be repeated as it says ({type(error).__name__}: {error}): copy "
            "the run again, or repeat its command by hand"
        ) from error


def _as_it_was(
    run: Run, command: str, input: Path | None, bank: BankLike | None
) -> tuple[Source, Banks, Dataset, dict[str, Any]]:
    """A run's file, its banks and its data set, and what else `evaluate` or `sweep` was given."""
    description = run.description
    recorded = description.get("input")
    run.require_made_by(command)
    if not recorded or description.get("selections") is None:
        raise RunError(f"{run.path} does not say which file it was made from: repeat it by hand")
    source = Source.recorded(recorded)
    if input is None:
        run.require_written_here(
            f"the file {source.path}", "give it as INPUT, beside --from (in Python input=…)"
        )
    source, dataset = (replace(source, path=str(input), spooled=False) if input else source).read()
    arguments = source.arguments(dataset)
    _refuse_changes(run, source, dataset.texts, dataset.targets, arguments)
    banks = run.open_all(bank)
    for name, opened in banks.items():
        opened.name = name  # selections know it by the name it had
    by_fold = {own["fold"]: banks[own["name"]] for own in run.banks if "fold" in own}
    folds = description["folds"]
    if folds["scheme"] != "given":
        arguments["folds"] = folds["scheme"]
        arguments["random_state"] = [folds["seed"], *(split["seed"] for split in folds["repeats"])]
    arguments["models"] = [run.regressor(name) for name in description["regressors"]]
    arguments |= {"cv": folds["n_folds"], "memory": description.get("memory")}
    return source, FoldBanks(by_fold) if by_fold else Banks([*banks.values()]), dataset, arguments


def _refuse_other_folds(run: Run, experiment: Results, source: Source) -> None:
    if experiment.folds.digest != run.description["folds"]["hash"]:
        raise RunError(f"the folds of {source.path} are not those of the run {run.path}")


def differences(run: Run, experiment: Results) -> list[str]:
    """Results whose numbers are not the recorded ones to the last digit."""
    now = {_numbers(result_description(experiment, result)) for result in experiment.results}
    return [
        str(recorded["column"])
        for recorded in run.description["results"]
        if _numbers(recorded) not in now
    ]


def repeated_text(run: Run, experiment: Results) -> str:
    """Whether the numbers are the same and, if not, what else has changed."""
    differing = differences(run, experiment)
    if not differing:
        return f"all numbers are those of {run.path}, to the last digit"
    recorded, now = run.description["versions"], versions()
    changed = [
        f"{name} {recorded.get(name)} then, {now[name]} now"
        for name in now
        if recorded.get(name) != now[name]
    ]
    why = "; ".join(changed) or "the same packages, so another processor or thread setting"
    return f"warning: numbers of {', '.join(differing)} are not those of {run.path} ({why})"


def _numbers(result: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in result.items() if name not in UNTIMED}
    return json.dumps(plain(kept), sort_keys=True)


def _refuse_changes(
    run: Run, source: Source, texts: Any, targets: Any, arguments: Mapping[str, Any]
) -> None:
    task = checked_task(
        texts, targets, sample_weight=arguments.get("sample_weight"), rows=arguments["rows"],
        skip_missing=source.skip_missing,
    )  # fmt: skip
    recorded = run.description["texts"]
    for what, digest in (("keys", task.keys_digest), ("targets", task.targets_digest)):
        if recorded[what] != digest:
            changed = "texts" if what == "keys" else "targets or weights"
            raise InputError(
                f"the {changed} of {source.path} have changed since the run {run.path} was made: "
                "give the file as it was, or make a new run"
            )
