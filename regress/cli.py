"""``layerbank regress`` and ``layerbank predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import (
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
    set_verbosity,
)

BanksOption = Annotated[
    list[Path],
    typer.Option(
        "--bank",
        metavar="DIR",
        help="A bank's folder; with several, selections name theirs: 'roberta/mean\\[-1]'.",
        show_default=False,
    ),
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="S",
        help="Which blocks, such as 'mean\\[-4:]' (default: 'mean\\[-1]'); any number of times.",
        show_default=False,
    ),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="ridge (default), svr or lightgbm; any number of times.",
        show_default=False,
    ),
]
TargetOption = Annotated[
    list[str],
    typer.Option(
        "--target",
        metavar="COL",
        help="Column with the numbers to predict; several share the work.",
        show_default=False,
    ),
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)
]


def regress_command(
    input: InputArgument,
    target: TargetOption,
    bank: BanksOption,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="RUN", help="The folder to make.", show_default=False),
    ],
    text: TextOption = None,
    select: SelectOption = None,
    model: ModelsOption = None,
    cv: Annotated[int, typer.Option("--cv", metavar="N", help="Number of folds.")] = 5,
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds",
            metavar="KIND",
            help="stratified (by deciles of the target; the default), plain, or group.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="COL", help="Column whose rows of one value share a fold."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the folds.")] = 0,
    id: IdOption = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", metavar="N", help="Worker threads.", show_default="one a core"),
    ] = None,
    format: FormatOption = None,
    encoding: EncodingOption = "utf-8",
    skip_empty: SkipEmptyOption = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Write the report's figures as PNG and SVG, too.")
    ] = False,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit and score regressors on chosen blocks of a bank.

    Every score is nested: a fold is predicted by a model that was chosen and fitted without it.

    Example: [bold]layerbank regress train.csv --text excerpt --target score --bank my.bank
    --select 'mean\\[-1]' --select 'mean\\[:]' --model ridge --model svr --out run[/bold]
    """
    from features.table import open_table, read_dataset
    from regress.experiment import evaluate
    from regress.leaderboard import json_report
    from regress.persistence import refuse_existing, save_run
    from regress.report.terminal import show_results

    set_verbosity(quiet=quiet)
    scheme = _scheme(folds, group)
    refuse_existing(out, force=force)
    table = open_table(input, format=format, encoding=encoding)
    dataset = read_dataset(
        table, text=text, target=target, id=id, group=group, skip_empty=skip_empty
    )
    experiment = evaluate(
        bank,
        dataset.texts,
        dataset.targets,
        select=select or ["mean[-1]"],
        models=model or ["ridge"],
        cv=cv,
        folds=scheme,
        groups=dataset.groups,
        random_state=seed,
        ids=dataset.rows.tolist() if dataset.ids is None else dataset.ids,
        id_name=id or "row",
        target_names=target,
        n_jobs=jobs,
        progress=not quiet,
    )
    text_columns = table.text_columns(text)
    source = {
        "path": str(input.absolute()),
        "format": format,
        "encoding": encoding,
        "text": text_columns,
        "target": target,
        "id": id,
        "group": group,
        "skip_empty": skip_empty,
    }
    folder = save_run(experiment, out, force=force, source=source, figures=figures)
    if json:
        typer.echo(json_report(experiment, str(folder)))
        return
    show_results(experiment, quiet=quiet)
    if not quiet:
        options = "".join(f" --text {name}" for name in text_columns)
        typer.echo(
            f"\nThe run is in {out}: open {out / 'report.html'} in a browser.\n"
            "Predict new texts with\n"
            f"  layerbank predict {out} NEW.csv{options} --out predictions.csv",
            err=True,
        )


def predict_command(
    run: RunArgument,
    input: InputArgument,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="F.csv", help="The file to write.", show_default=False),
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
    from features.table import open_table, read_dataset
    from regress.persistence import load_run
    from regress.prediction import predict_file, prediction_report, refuse_existing_file

    set_verbosity(quiet=quiet)
    refuse_existing_file(out, force=force)
    loaded = load_run(run)
    loaded.chosen(model)
    table = open_table(input, format=format, encoding=encoding)
    dataset = read_dataset(table, text=text, id=id, skip_empty=skip_empty)
    predict_file(
        loaded, dataset, out, bank=bank or None, model=model, id_name=id or "row", force=force
    )
    typer.echo(prediction_report(loaded, dataset, out, model=model, as_json=json))


app = new_app("Stage 2: regressors on a bank. Texts the bank lacks are added by stage 1, extract.")
app.command("regress")(regress_command)
app.command("predict")(predict_command)


def main() -> None:
    """Entry of ``python -m regress``."""
    run(app)


def _scheme(folds: str | None, group: str | None) -> str:
    from features.errors import InputError

    if group is not None and folds not in (None, "group"):
        raise InputError(f"--group asks for group folds and --folds for {folds}: drop one of them")
    return folds or ("stratified" if group is None else "group")
