"""``layerbank regress`` and ``layerbank predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console.app import (
    EncodingOption,
    ForceOption,
    FormatOption,
    IdOption,
    InputArgument,
    JsonOption,
    QuietOption,
    SkipEmptyOption,
    TextOption,
    new_app,
    run,
    saying_when_stopped,
    set_verbosity,
)
from regress.commands.blend import blend_command
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
    predict_next,
    read_scored,
    refuse_beside_from,
)
from regress.commands.sweep import sweep_command

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)
]


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
    from features.errors import InputError
    from regress.compute.parallel import on_backend
    from regress.data.source import Source
    from regress.experiment import evaluate
    from regress.repeat import repeat_run, repeated_text
    from regress.report.tables import show_results
    from regress.runs.format import results_json
    from regress.runs.run import load_run
    from regress.runs.save import refuse_existing, save_run

    set_verbosity(quiet=quiet)
    refuse_existing(out, force=force)
    with saying_when_stopped():
        if repeated is not None:
            refuse_beside_from(
                {
                    "--target": target, "--text": text, "--select": select, "--model": model,
                    "--cv": cv, "--folds": folds, "--group": group, "--fold-column": fold_column,
                    "--seed": seed, "--repeats": repeats, "--sample-weight": sample_weight,
                    "--id": id, "--memory": memory, "--format": format, "--skip-empty": skip_empty,
                    "--by": by,
                }
            )  # fmt: skip
            run = load_run(repeated)
            with on_backend(backend, address):
                experiment, source = repeat_run(
                    run, input=input, bank=bank or None, n_jobs=jobs, progress=not quiet
                )
            said = repeated_text(run, experiment)
            if not quiet or said.startswith("warning"):
                typer.echo(said, err=True)
        else:
            if input is None or not target or not bank:
                raise InputError(
                    "regress takes INPUT, --target and --bank, or --from and the run to be repeated"
                )
            source, dataset, settled = read_scored(
                Source(
                    path=str(input), target=target, text=text, format=format, encoding=encoding,
                    id=id, group=group, fold=fold_column, sample_weight=sample_weight,
                    skip_empty=skip_empty, by=tuple(by or ()),
                ),
                cv=cv, folds=folds, seeds=seed, repeats=repeats, memory=memory,
            )  # fmt: skip
            with on_backend(backend, address), source.named_where_missing(dataset):
                experiment = evaluate(
                    bank,
                    dataset.texts,
                    dataset.targets,
                    select=select or ["mean[-1]"],
                    models=model or ["ridge"],
                    n_jobs=jobs,
                    progress=not quiet,
                    **settled,
                )
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


def predict_command(
    run: RunArgument,
    input: InputArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="F.csv", help="The .csv or .parquet file to write.", show_default=False
        ),
    ],
    text: TextOption = None,
    id: IdOption = None,
    bank: Annotated[
        list[Path] | None,
        typer.Option(
            "--bank",
            metavar="DIR",
            help="A bank to read instead of the run's own.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A regressor, or 'ridge mean\\[-1]' (default: the lowest RMSE).",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    encoding: EncodingOption = "utf-8",
    skip_empty: SkipEmptyOption = False,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict texts that a bank holds with a saved run.

    Example: [bold]python -m regress predict run test.csv --text excerpt --id id
    --out submission.csv[/bold]
    """
    from regress.data.source import Source
    from regress.runs.predict import predict_file, prediction_report, refuse_out
    from regress.runs.run import load_run

    set_verbosity(quiet=quiet)
    refuse_out(out, force=force)
    loaded = load_run(run)
    loaded.chosen(model)
    source, dataset = Source(
        path=str(input), target=(), text=text, format=format, encoding=encoding, id=id,
        skip_empty=skip_empty,
    ).read()  # fmt: skip
    with source.named_where_missing(dataset):
        predict_file(
            loaded, dataset, out, bank=bank or None, model=model, id_name=id or "row", force=force
        )
    typer.echo(prediction_report(loaded, dataset, out, model=model, as_json=json))


app = new_app("Stage 2: regressors on a bank. Texts the bank lacks are added by stage 1, extract.")


app.command("regress")(regress_command)


app.command("predict")(predict_command)


app.command("sweep")(sweep_command)


app.command("blend")(blend_command)


def main() -> None:
    """Entry of ``python -m regress``."""
    run(app)
