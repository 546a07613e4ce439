"""``layerbank sweep``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from features.console.app import (
    on_stdout,
    one_of,
    say,
    say_json,
    say_lines,
    saying_when_stopped,
    set_verbosity,
)
from regress.commands.making import REGRESSORS, names_of
from regress.commands.scoring import Scoring


def sweep_command(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            autocompletion=one_of(*REGRESSORS),
            help="What runs on ridge's best selections: krr, svr, lightgbm (default: all three), "
            "pairwise; 'ridge' alone for nothing else.",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", metavar="S", help="A selection to try besides.", show_default=False
        ),
    ] = None,
    best: Annotated[
        int | None,
        typer.Option(
            "--best",
            metavar="N",
            help="Selections that krr, svr and lightgbm are tried on.",
            show_default="5",
        ),
    ] = None,
    greedy: Annotated[
        bool | None,
        typer.Option(
            "--greedy/--no-greedy",
            help="Whether to search forward for blocks.",
            show_default="greedy",
        ),
    ] = None,
    *,
    scoring: Scoring,
) -> None:
    """Try every block, the usual combinations and a forward search, and score having done so.

    Ridge runs over everything, krr, svr and lightgbm over the selections that ridge finds best. The
    winner's own score is too good, since it was picked for being low. `auto` is the honest one:
    each fold is predicted by what was chosen without it. A sweep that was stopped goes on when you
    call it again. A finished one is kept; --force replaces it and takes up what is done already.

    Example: [bold]layerbank sweep train.csv --text excerpt --target score --bank my.bank
    --out swept[/bold]

    The same once more: [bold]layerbank sweep --from swept --out again[/bold]
    """
    from regress.evaluation.notes import notes
    from regress.repeat import repeat_sweep
    from regress.report.heat_maps import show_heat_maps
    from regress.report.tables import leaderboard_text
    from regress.runs.save import refuse_existing
    from regress.sweep import DEFAULT_MODELS, N_BEST, save_sweep, sweep
    from regress.sweep.output import headline, sweep_json
    from regress.sweep.save import cache_beside

    set_verbosity(quiet=scoring.quiet)
    cache = cache_beside(scoring.out)
    refuse_existing(scoring.out, force=scoring.force, parts=cache)
    with saying_when_stopped(kept=cache):
        swept, source = scoring.scored(
            "sweep",
            partial(
                sweep, models=names_of(model) or DEFAULT_MODELS, select=select or (), cache=cache,
                n_best=N_BEST if best is None else best, greedy=greedy is not False,
            ),
            partial(repeat_sweep, cache=cache),
            own={
                "--select": select, "--model": model, "--best": best,
                "--greedy or --no-greedy": None if greedy is None else "given",
            },
        )  # fmt: skip
        save_sweep(swept, scoring.out, **scoring.saving(source))
    if scoring.json:
        say_json(sweep_json(swept, str(scoring.out)))
        return
    for note in notes(swept):
        say(note)
    targets = swept.task.target_names
    for name in targets:
        say_lines(f"\n{name}" if len(targets) > 1 else "")
        on_stdout(leaderboard_text(swept, name))
        say_lines(f"\n{headline(swept, name)}")
    if not scoring.quiet:
        show_heat_maps(swept)
    scoring.say_next(
        f" Every row is in {scoring.out / 'leaderboard.csv'}, finished fits are in {cache} (to be "
        "deleted at will).",
    )
