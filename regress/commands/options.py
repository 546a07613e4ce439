"""Options of the commands that score: ``regress``, ``sweep`` and ``blend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.errors import InputError


def _checked_jobs(jobs: int | None) -> int | None:
    """--jobs, with -1 as one a core; InputError where it is no number of workers."""
    if jobs is not None and jobs < 1 and jobs != -1:
        raise InputError(f"--jobs takes a number from 1 on, not {jobs}")
    return None if jobs == -1 else jobs


OptionalInput = Annotated[
    Path | None,
    typer.Argument(
        metavar="INPUT", help="A .csv, .tsv, .jsonl or .parquet file.", show_default=False
    ),
]

BanksOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--bank",
        metavar="DIR",
        help="A bank's folder; with several, selections name theirs: 'roberta/mean\\[-1]'. "
        "'tuned-{fold}.bank' stands for one bank a fold (with --fold-column).",
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
        help="ridge (default), krr (kernel ridge), svr, lightgbm or pairwise; any number of times.",
        show_default=False,
    ),
]

SweptSelectOption = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="S", help="A selection to try besides.", show_default=False),
]

SweptModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="What runs on ridge's best selections: krr, svr, lightgbm (default: all three), "
        "pairwise; 'ridge' alone for nothing else.",
        show_default=False,
    ),
]

TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COL",
        help="Column with the numbers to predict; several share the work.",
        show_default=False,
    ),
]

CvOption = Annotated[
    int | None, typer.Option("--cv", metavar="N", help="Number of folds.", show_default="5")
]

FoldsOption = Annotated[
    str | None,
    typer.Option(
        "--folds",
        metavar="KIND",
        help="stratified (by deciles of the target; the default), plain, or group.",
        show_default=False,
    ),
]

GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="COL", help="Column whose rows of one value share a fold."),
]

FoldColumnOption = Annotated[
    str | None,
    typer.Option(
        "--fold-column", metavar="COL", help="Column with each row's fold, instead of new folds."
    ),
]

SeedsOption = Annotated[
    list[int] | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="Seed of the folds (default: 0); several repeat all, and scores are means.",
        show_default=False,
    ),
]

RepeatsOption = Annotated[
    int | None,
    typer.Option(
        "--repeats", metavar="N", help="So many seeds, from --seed on.", show_default=False
    ),
]

WeightOption = Annotated[
    str | None,
    typer.Option(
        "--sample-weight", metavar="COL", help="Column with how much each row counts, above 0."
    ),
]

MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--memory",
        metavar="GB",
        help="Memory that features and their products may take, about (Python and its packages "
        "come on top): what is larger is read or computed again as needed.",
        show_default="what is free",
    ),
]

FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Repeat this run exactly; INPUT and --bank say where its file and bank are now.",
        show_default=False,
    ),
]

OutOption = Annotated[
    Path, typer.Option("--out", metavar="RUN", help="The folder to make.", show_default=False)
]

JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Workers.",
        show_default="one a core",
        callback=_checked_jobs,
    ),
]

BackendOption = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="threading (the fastest on one machine), loky (processes) or ray (a cluster).",
    ),
]

AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The Ray cluster to work on; banks must have the same paths there.",
        show_default="RAY_ADDRESS, or this machine alone",
    ),
]

ByOption = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="COL",
        help="Column whose values (of numbers: fifths) the report gives an RMSE each; any number "
        "of times.",
        show_default=False,
    ),
]

FiguresOption = Annotated[
    bool, typer.Option("--figures", help="Write the report's figures as PNG and SVG, too.")
]
