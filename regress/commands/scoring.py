"""What ``regress`` and ``sweep`` do alike: read what is scored, or repeat the run of ``--from``."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from features.errors import InputError

if TYPE_CHECKING:
    from features.tables.table import Dataset
    from regress.data.source import Source
    from regress.evaluation.results import Results

Scored = TypeVar("Scored", bound="Results")


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """The options that ``regress`` and ``sweep`` share, as they were given."""

    input: Path | None
    target: list[str] | None
    bank: list[Path] | None
    text: list[str] | None
    cv: int | None
    folds: str | None
    group: str | None
    fold_column: str | None
    seed: list[int] | None
    repeats: int | None
    sample_weight: str | None
    id: str | None
    memory: float | None
    jobs: int | None
    backend: str
    address: str | None
    format: str | None
    encoding: str
    skip_empty: bool
    repeated: Path | None
    by: list[str] | None
    quiet: bool

    def scored(
        self,
        command: str,
        score: Callable[..., Scored],
        repeat: Callable[..., tuple[Scored, Source]],
        *,
        own: Mapping[str, Any],
    ) -> tuple[Scored, Source]:
        """Score the input, or repeat the run that ``--from`` names and say whether it is the same.

        Parameters
        ----------
        command
            ``"regress"`` or ``"sweep"``.
        score
            Takes banks, texts, targets and what `evaluate` and `sweep` take besides.
        repeat
            Takes the run, and where its file and banks are now.
        own
            The command's own options, which a repeated run has as well.

        Returns
        -------
        The results, and the file and columns that they are of.

        Raises
        ------
        InputError
            Options that lack or contradict each other, before the file is read; or what is wrong
            with it.
        """
        from regress.compute.parallel import on_backend

        how = {"n_jobs": self.jobs, "progress": not self.quiet}
        if self.repeated is not None:
            from regress.repeat import repeated_text
            from regress.runs.run import load_run

            refuse_beside_from(self._beside_from(own))
            run = load_run(self.repeated)
            with on_backend(self.backend, self.address):
                again, source = repeat(run, input=self.input, bank=self.bank or None, **how)
            say_repeated(repeated_text(run, again), quiet=self.quiet)
            return again, source
        if self.input is None or not self.target or not self.bank:
            what = "run" if command == "regress" else command
            raise InputError(
                f"{command} takes INPUT, --target and --bank, or --from and the {what} to be "
                "repeated"
            )
        source, dataset, settled = self._read(self.input, self.target)
        with on_backend(self.backend, self.address), source.named_where_missing(dataset):
            return score(self.bank, dataset.texts, dataset.targets, **how, **settled), source

    def _beside_from(self, own: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "--target": self.target, "--text": self.text, **own, "--cv": self.cv,
            "--folds": self.folds, "--group": self.group, "--fold-column": self.fold_column,
            "--seed": self.seed, "--repeats": self.repeats, "--sample-weight": self.sample_weight,
            "--id": self.id, "--memory": self.memory, "--format": self.format,
            "--skip-empty": self.skip_empty, "--by": self.by,
        }  # fmt: skip

    def _read(self, input: Path, target: list[str]) -> tuple[Source, Dataset, dict[str, Any]]:
        """The data set, and what `evaluate` and `sweep` take of it and of these options."""
        from regress.data.source import Source

        scheme = _fold_scheme(self.folds, self.group, self.fold_column)
        seeds = _fold_seeds(self.seed, self.repeats, self.fold_column)
        memory = _memory_bytes(self.memory)
        if self.fold_column is not None and self.cv is not None:
            raise InputError("--fold-column gives the folds: drop --cv")
        source, dataset = Source(
            path=str(input), target=target, text=self.text, format=self.format,
            encoding=self.encoding, id=self.id, group=self.group, fold=self.fold_column,
            sample_weight=self.sample_weight, skip_empty=self.skip_empty, by=tuple(self.by or ()),
        ).read()  # fmt: skip
        settled = {"cv": 5 if self.cv is None else self.cv, "random_state": seeds, "memory": memory}
        return source, dataset, {"folds": scheme, **settled, **source.arguments(dataset)}


def predict_next(run: Path, text: Sequence[str] | None, id: str | None) -> str:
    """What to type to predict with a run, of the columns that it was made from."""
    columns = [word for name in text or () for word in ("--text", name)]
    columns += ["--id", id] if id is not None else []
    return shlex.join(
        ["layerbank", "predict", str(run), "NEW.csv", *columns, "--out", "predictions.csv"]
    )


def refuse_beside_from(given: Mapping[str, Any]) -> None:
    """InputError for options that a repeated run has of its own."""
    wrong = [name for name, value in given.items() if value not in (None, False, [], ())]
    if wrong:
        raise InputError(f"--from repeats a run as it was: drop {', '.join(wrong)}")


def say_repeated(told: str, *, quiet: bool) -> None:
    """Say on stderr whether a repeated run has the same numbers; quietly where it has not."""
    if not quiet or told.startswith("warning"):
        typer.echo(told, err=True)


def _fold_scheme(folds: str | None, group: str | None, fold_column: str | None) -> str:
    """Which folds these options ask for; InputError where they disagree."""
    if fold_column is not None and (folds or group):
        raise InputError("--fold-column gives the folds: drop --folds and --group")
    if group is not None and folds not in (None, "group"):
        raise InputError(f"--group asks for group folds and --folds for {folds}: drop one of them")
    return folds or ("stratified" if group is None else "group")


def _fold_seeds(
    seeds: Sequence[int] | None, repeats: int | None, fold_column: str | None
) -> list[int]:
    """The seed of each repeat; InputError where options disagree."""
    several = list(seeds or [0])
    if fold_column is not None and (seeds or repeats is not None):
        raise InputError("--fold-column gives the folds: drop --seed and --repeats")
    if any(seed < 0 for seed in several):
        raise InputError(f"--seed takes numbers from 0 on, not {min(several)}")
    if repeats is None:
        return several
    if len(several) > 1 or repeats < 1:
        raise InputError("--repeats takes a number from 1 on, and --seed once beside it")
    return list(range(several[0], several[0] + repeats))


def _memory_bytes(gigabytes: float | None) -> int | None:
    """--memory in bytes."""
    if gigabytes is not None and not 0 < gigabytes < math.inf:
        raise InputError(f"--memory takes gigabytes above 0, not {gigabytes:g}")
    return None if gigabytes is None else max(1, int(gigabytes * 1e9))
