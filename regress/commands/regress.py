"""``layerbank regress``."""

from __future__ import annotations

from functools import partial

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
    ModelsOption,
    OptionalInput,
    OutOption,
    RepeatsOption,
    SeedsOption,
    SelectOption,
    TargetOption,
    WeightOption,
)
from regress.commands.scoring import Scoring, predict_next


def regress_command(
    out: OutOption,
    input: OptionalInput = None,
    target: TargetOption = None,
    bank: BanksOption = None,
    text: TextOption = None,
    select: SelectOption = None,
    model: ModelsOption = None,
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

    set_verbosity(quiet=quiet)
    refuse_existing(out, force=force)
    with saying_when_stopped():
        experiment, source = Scoring(
            input=input, target=target, bank=bank, text=text, cv=cv, folds=folds, group=group,
            fold_column=fold_column, seed=seed, repeats=repeats, sample_weight=sample_weight,
            id=id, memory=memory, jobs=jobs, backend=backend, address=address, format=format,
            encoding=encoding, skip_empty=skip_empty, repeated=repeated, by=by, quiet=quiet,
        ).scored(
            "regress",
            partial(evaluate, select=select or ["mean[-1]"], models=model or ["ridge"]),
            repeat_run,
            own={"--select": select, "--model": model},
        )  # fmt: skip
        folder = save_run(experiment, out, force=force, source=vars(source), figures=figures)
    if json:
        typer.echo(results_json(experiment, str(folder)))
        return
    show_results(experiment, quiet=quiet)
    if not quiet:
        typer.echo(
            f"\nThe run is in {out}: open {out / 'report.html'} in a browser.\n"
            "Predict new texts with\n"
            f"  {predict_next(out, source.text, source.id)}",
            err=True,
        )
