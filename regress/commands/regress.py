"""``layerbank regress``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from features.console.app import one_of, say_json, saying_when_stopped, set_verbosity
from regress.commands.making import REGRESSORS, names_of
from regress.commands.scoring import Scoring


def regress_command(
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="S",
            help="Which blocks, such as 'mean\\[-4:]' (default: 'mean\\[-1]'); any number of "
            "times.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            autocompletion=one_of(*REGRESSORS),
            help="ridge (default), krr (kernel ridge), svr, lightgbm or pairwise; any number of "
            "times.",
            show_default=False,
        ),
    ] = None,
    *,
    scoring: Scoring,
) -> None:
    """Fit and score regressors on chosen blocks of a bank.

    Every score is nested: a fold is predicted by a model that was chosen and fitted without it.

    Example: [bold]layerbank regress train.csv --text excerpt --target score --bank my.bank
    --select 'mean\\[-1]' --select 'mean\\[:]' --model ridge --model svr --out run[/bold]

    The same once more: [bold]layerbank regress --from run --out again[/bold]
    """
    from regress.experiment import evaluate
    from regress.repeat import repeat_run
    from regress.report.tables import show_results
    from regress.runs.format import results_json
    from regress.runs.save import refuse_existing, save_run

    set_verbosity(quiet=scoring.quiet)
    refuse_existing(scoring.out, force=scoring.force)
    with saying_when_stopped():
        experiment, source = scoring.scored(
            "regress",
            partial(evaluate, select=select or ["mean[-1]"], models=names_of(model) or ["ridge"]),
            repeat_run,
            own={"--select": select, "--model": model},
        )
        folder = save_run(experiment, scoring.out, **scoring.saving(source))
    if scoring.json:
        say_json(results_json(experiment, str(folder)))
        return
    show_results(experiment, quiet=scoring.quiet)
    scoring.say_next()
