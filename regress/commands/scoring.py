"""What ``regress`` and ``sweep`` do alike: read what is scored, or repeat the run of ``--from``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from features.console.app import (
    INPUT,
    ForceOption,
    IdOption,
    JsonOption,
    QuietOption,
    ReadingOptions,
    SkipEmptyOption,
    TextOption,
    one_of,
    say_lines,
)
from features.errors import InputError
from regress.commands.checks import checked_jobs, fold_scheme, fold_seeds, memory_bytes
from regress.commands.making import (
    FiguresOption,
    OutOption,
    predict_next,
    refuse_beside_from,
    say_repeated,
    where_it_is,
)

if TYPE_CHECKING:
    from features.tables.table import Dataset, Table
    from regress.data.source import Source
    from regress.evaluation.results import Results

Scored = TypeVar("Scored", bound="Results")

#: Where ``--help`` shows an option.
FOLDS, MACHINE = "Folds", "Machine"


@dataclass(frozen=True, kw_only=True)
class Scoring(ReadingOptions):
    """The options that ``regress`` and ``sweep`` share, as they were given."""

    out: OutOption

    input: Annotated[
        Path | None,
        typer.Argument(metavar="INPUT", help=INPUT, show_default=False),
    ] = None
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="COL",
            help="Column with the numbers to predict; several share the work.",
            show_default=False,
        ),
    ] = None
    bank: Annotated[
        list[Path] | None,
        typer.Option(
            "--bank",
            metavar="DIR",
            help="A bank's folder; with several, selections name theirs: 'roberta/mean\\[-1]'. "
            "'tuned-{fold}.bank' stands for one bank a fold (with --fold-column).",
            show_default=False,
        ),
    ] = None
    text: TextOption = None
    id: IdOption = None
    cv: Annotated[
        int | None,
        typer.Option(
            "--cv", metavar="N", help="Number of folds.", show_default="5", rich_help_panel=FOLDS
        ),
    ] = None
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds",
            metavar="KIND",
            autocompletion=one_of("stratified", "plain", "group"),
            help="stratified (by deciles of the target; the default), plain, or group.",
            show_default=False,
            rich_help_panel=FOLDS,
        ),
    ] = None
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COL",
            help="Column whose rows of one value share a fold.",
            rich_help_panel=FOLDS,
        ),
    ] = None
    fold_column: Annotated[
        str | None,
        typer.Option(
            "--fold-column",
            metavar="COL",
            help="Column with each row's fold, instead of new folds.",
            rich_help_panel=FOLDS,
        ),
    ] = None
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="Seed of the folds (default: 0); several repeat all, and scores are means.",
            show_default=False,
            rich_help_panel=FOLDS,
        ),
    ] = None
    repeats: Annotated[
        int | None,
        typer.Option(
            "--repeats",
            metavar="N",
            help="So many seeds, from --seed on.",
            show_default=False,
            rich_help_panel=FOLDS,
        ),
    ] = None
    sample_weight: Annotated[
        str | None,
        typer.Option(
            "--sample-weight",
            metavar="COL",
            help="Column with how much each row counts, 0 or above.",
        ),
    ] = None
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="COL",
            help="Column whose values (of numbers: fifths) the report gives an RMSE each; any "
            "number of times.",
            show_default=False,
        ),
    ] = None
    memory: Annotated[
        float | None,
        typer.Option(
            "--memory",
            metavar="GB",
            help="Memory that features and their products may take, about (Python and its packages "
            "come on top): what is larger is read or computed again as needed.",
            show_default="what is free",
            rich_help_panel=MACHINE,
        ),
    ] = None
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="N",
            help="Workers.",
            show_default="one a core",
            callback=checked_jobs,
            rich_help_panel=MACHINE,
        ),
    ] = None
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="NAME",
            autocompletion=one_of("threading", "loky", "ray"),
            help="threading (the fastest on one machine), loky (processes) or ray (a cluster).",
            rich_help_panel=MACHINE,
        ),
    ] = "threading"
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="The Ray cluster to work on; banks must have the same paths there.",
            show_default="RAY_ADDRESS, or this machine alone",
            rich_help_panel=MACHINE,
        ),
    ] = None
    skip_empty: SkipEmptyOption = False
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing",
            help="Leave out rows without a target; of several, each is fitted where it is there.",
        ),
    ] = False
    repeated: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Repeat this run exactly; INPUT and --bank say where its file and bank are now.",
            show_default=False,
        ),
    ] = None
    figures: FiguresOption = False
    force: ForceOption = False
    json: JsonOption = False
    quiet: QuietOption = False

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
            ``"regress"``, ``"sweep"`` or ``"fit"``.
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
            what = "sweep" if command == "sweep" else "run"
            raise InputError(
                f"{command} takes INPUT, --target and --bank, or --from and the {what} to be "
                "repeated"
            )
        source, dataset, settled = self.read()
        with on_backend(self.backend, self.address), source.named_where_missing(dataset):
            return score(self.bank, dataset.texts, dataset.targets, **how, **settled), source

    def saving(self, source: Source) -> dict[str, Any]:
        """Further arguments of what saves the results."""
        return {"force": self.force, "source": vars(source), "figures": self.figures}

    def say_next(self, besides: str = "") -> None:
        """Say where the run is and how to predict with it, unless quiet."""
        if not self.quiet:
            say_lines(
                f"\n{where_it_is('run', self.out)}{besides}\nPredict new texts with\n"
                f"  {predict_next(self.out)}",
                err=True,
            )

    def _beside_from(self, own: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "--target": self.target, "--text": self.text, **own, "--cv": self.cv,
            "--folds": self.folds, "--group": self.group, "--fold-column": self.fold_column,
            "--seed": self.seed, "--repeats": self.repeats, "--sample-weight": self.sample_weight,
            "--id": self.id, "--memory": self.memory, "--format": self.format,
            "--delimiter": self.delimiter, "--quoting": self.quoting, "--decimal": self.decimal,
            "--no-header": self.no_header, "--skip-empty": self.skip_empty,
            "--skip-missing": self.skip_missing, "--by": self.by,
        }  # fmt: skip

    def table(self, input: Path) -> Table:
        """The file of this path, as these options say it is to be read."""
        from features.tables.table import open_table

        return open_table(input, **self.how_read())

    def read(self) -> tuple[Source, Dataset, dict[str, Any]]:
        """The data set, and what `evaluate` and `sweep` take of it and of these options."""
        from regress.data.source import Source

        if self.input is None or not self.target:
            raise InputError("there is nothing to read: give INPUT and --target")

        scheme = fold_scheme(self.folds, self.group, self.fold_column)
        seeds = fold_seeds(self.seed, self.repeats, self.fold_column)
        memory = memory_bytes(self.memory)
        if self.fold_column is not None and self.cv is not None:
            raise InputError("--fold-column gives the folds: drop --cv")
        source, dataset = Source(
            path=str(self.input), target=self.target, text=self.text, id=self.id, group=self.group,
            fold=self.fold_column, sample_weight=self.sample_weight, skip_empty=self.skip_empty,
            skip_missing=self.skip_missing, by=tuple(self.by or ()), **self.how_read(),
        ).read()  # fmt: skip
        settled = {"cv": 5 if self.cv is None else self.cv, "random_state": seeds, "memory": memory}
        return source, dataset, {"folds": scheme, **settled, **source.arguments(dataset)}
