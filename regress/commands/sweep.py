"""``layerbank sweep``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from features.console.app import (
    EncodingOption,
    ForceOption,
    FormatOption,
    IdOption,
    JsonOption,
    QuietOption,
    SkipEmptyOption,
    TextOption,
    on_stdout,
    saying_when_stopped,
    set_verbosity,
)
from regress.commands.options import (
    AddressOption,
    BackendOption,
    BanksOption,
    ByOption,
    CvOption,
    FiguresOption,
    FoldColumnOption,
    FoldsOption,
    FromOption,
    GroupOption,
    JobsOption,
    MemoryOption,
    OptionalInput,
    OutOption,
    RepeatsOption,
    SeedsOption,
    SweptModelsOption,
    SweptSelectOption,
    TargetOption,
    WeightOption,
)
from regress.commands.scoring import Scoring, predict_next


def sweep_command(
    out: OutOption,
    input: OptionalInput = None,
    target: TargetOption = None,
    bank: BanksOption = None,
    text: TextOption = None,
    model: SweptModelsOption = None,
    select: SweptSelectOption = None,
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
    cv: CvOption = None,
    folds: FoldsOption = None,
    group: GroupOption = None,
    fold_column: FoldColumnOption = None,
    seed: SeedsOption = None,
    repeats: RepeatsOption = None,
    sample_weight: WeightOption = None,
    id: IdOption = None,
    memory: MemoryOption = None,
    jobs: JobsOption = None,
    backend: BackendOption = "threading",
    address: AddressOption = None,
    format: FormatOption = None,
    encoding: EncodingOption = "utf-8",
    skip_empty: SkipEmptyOption = False,
    repeated: FromOption = None,
    by: ByOption = None,
    figures: FiguresOption = False,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Try every block, the usual combinations and a forward search, and score having done so.

    Ridge runs over everything, krr, svr and lightgbm over the selections that ridge finds best. The
    score of the winner flatters; `auto` is the honest one: each fold is predicted by what was
    chosen without it. Call it again and it goes on where it stopped.

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

    set_verbosity(quiet=quiet)
    cache = cache_beside(out)
    refuse_existing(out, force=force, parts=cache)
    with saying_when_stopped(kept=cache):
        swept, source = Scoring(
            input=input, target=target, bank=bank, text=text, cv=cv, folds=folds, group=group,
            fold_column=fold_column, seed=seed, repeats=repeats, sample_weight=sample_weight,
            id=id, memory=memory, jobs=jobs, backend=backend, address=address, format=format,
            encoding=encoding, skip_empty=skip_empty, repeated=repeated, by=by, quiet=quiet,
        ).scored(
            "sweep",
            partial(
                sweep, models=model or DEFAULT_MODELS, select=select or (), cache=cache,
                n_best=N_BEST if best is None else best, greedy=greedy is not False,
            ),
            partial(repeat_sweep, cache=cache),
            own={
                "--select": select, "--model": model, "--best": best,
                "--greedy or --no-greedy": None if greedy is None else "given",
            },
        )  # fmt: skip
        save_sweep(swept, out, force=force, source=vars(source), figures=figures)
    if json:
        typer.echo(sweep_json(swept, str(out)))
        return
    for note in notes(swept):
        typer.echo(note)
    targets = swept.task.target_names
    for name in targets:
        typer.echo(f"\n{name}" if len(targets) > 1 else "")
        on_stdout(leaderboard_text(swept.standings(name)))
        typer.echo(f"\n{headline(swept, name)}")
    if not quiet:
        show_heat_maps(swept)
        typer.echo(
            f"\nThe run is in {out}: open {out / 'report.html'} in a browser. Every row is in "
            f"{out / 'leaderboard.csv'}, finished fits are in "
            f"{cache} (to be deleted at will). Predict new texts with\n"
            f"  {predict_next(out, source.text, source.id)}",
            err=True,
        )
