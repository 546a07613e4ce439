"""``layerbank sweep``."""

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
    set_verbosity,
)
from regress.options import AddressOption, BackendOption

# The two stages' command lines share these with `regress`.
SweptBanks = Annotated[
    list[Path],
    typer.Option(
        "--bank", metavar="DIR", help="A bank's folder; any number of times.", show_default=False
    ),
]
SweptTargets = Annotated[
    list[str],
    typer.Option(
        "--target",
        metavar="COL",
        help="Column with the numbers to predict; several share the work.",
        show_default=False,
    ),
]


def sweep_command(
    input: InputArgument,
    target: SweptTargets,
    bank: SweptBanks,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="RUN", help="The folder to make.", show_default=False),
    ],
    text: TextOption = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="What runs on ridge's best selections: svr, lightgbm (default: both); 'ridge' "
            "alone for nothing else.",
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
        int,
        typer.Option("--best", metavar="N", help="Selections that svr and lightgbm are tried on."),
    ] = 5,
    greedy: Annotated[
        bool, typer.Option("--greedy/--no-greedy", help="Whether to search forward for blocks.")
    ] = True,
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
    memory: Annotated[
        float | None,
        typer.Option(
            "--memory",
            metavar="GB",
            help="What shared products may take; the rest is computed again.",
            show_default="half of what is free",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", metavar="N", help="Workers.", show_default="one a core"),
    ] = None,
    backend: BackendOption = "threading",
    address: AddressOption = None,
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
    """Try every block, the usual combinations and a forward search, and score having done so.

    Ridge runs over everything, svr and lightgbm over the selections that ridge finds best. The
    score of the winner flatters; `auto` is the honest one: each fold is predicted by what was
    chosen without it. Call it again and it goes on where it stopped.

    Example: [bold]layerbank sweep train.csv --text excerpt --target score --bank my.bank
    --out swept[/bold]
    """
    from features.errors import InputError
    from features.table import open_table, read_dataset
    from regress.leaders import leaderboard_text
    from regress.parallel import on_backend
    from regress.persistence import refuse_existing
    from regress.report.terminal import show_heat_maps
    from regress.sweep import MODELS, headline, sweep
    from regress.sweep_files import cache_beside, save_sweep, sweep_json

    set_verbosity(quiet=quiet)
    if group is not None and folds not in (None, "group"):
        raise InputError(f"--group asks for group folds and --folds for {folds}: drop one of them")
    if memory is not None and not memory > 0:
        raise InputError(f"--memory takes gigabytes above 0, not {memory:g}")
    refuse_existing(out, force=force)
    table = open_table(input, format=format, encoding=encoding)
    dataset = read_dataset(
        table, text=text, target=target, id=id, group=group, skip_empty=skip_empty
    )
    with on_backend(backend, address):
        swept = sweep(
            bank,
            dataset.texts,
            dataset.targets,
            models=model or MODELS,
            select=select or (),
            n_best=best,
            greedy=greedy,
            cv=cv,
            folds=folds or ("stratified" if group is None else "group"),
            groups=dataset.groups,
            random_state=seed,
            ids=dataset.rows.tolist() if dataset.ids is None else dataset.ids,
            id_name=id or "row",
            target_names=target,
            cache=cache_beside(out),
            memory=None if memory is None else int(memory * 1e9),
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
    save_sweep(swept, out, force=force, source=source, figures=figures)
    if json:
        typer.echo(sweep_json(swept, str(out)))
        return
    for name, leaders in swept.leaders.items():
        typer.echo(f"{name}\n" if len(target) > 1 else "", nl=len(target) > 1)
        typer.echo(leaderboard_text(leaders))
        typer.echo(f"\n{headline(swept, name, swept.folds)}")
    if not quiet:
        show_heat_maps(swept)
        options = "".join(f" --text {name}" for name in text_columns)
        typer.echo(
            f"\nThe run is in {out}: open {out / 'report.html'} in a browser. Every line is in "
            f"{out / 'leaderboard.csv'}, finished parts are in "
            f"{cache_beside(out)} (to be deleted at will). Predict new texts with\n"
            f"  layerbank predict {out} NEW.csv{options} --out predictions.csv",
            err=True,
        )
