"""Options that commands of this stage share, and what those of ``regress`` ask for together."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import InputError

if TYPE_CHECKING:
    from features.tables.table import Dataset
    from regress.data.source import Source


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


def _checked_jobs(jobs: int | None) -> int | None:
    """--jobs, with -1 as one a core; InputError where it is no number of workers."""
    if jobs is not None and jobs < 1 and jobs != -1:
        raise InputError(f"--jobs takes a number from 1 on, not {jobs}")
    return None if jobs == -1 else jobs


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


RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)
]


MovedBankOption = Annotated[
    Path | None,
    typer.Option("--bank", metavar="DIR", help="The bank to use instead of the one the run names."),
]


SavedModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A regressor, or 'ridge mean\\[-1]'.  \\[default: the lowest RMSE]",
    ),
]


MovedEncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder", metavar="FOLDER", help="Where the run's encoder is now, when it has moved."
    ),
]


MovedWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--encoder-weights",
        metavar="FILE",
        help="Where the encoder's fine-tuned weights are now.",
    ),
]


ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="BANK",
        help="Keep new texts here, and the run's bank as it is (it may be read-only).",
    ),
]


DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]


def read_scored(
    source: Source,
    *,
    cv: int | None,
    folds: str | None,
    seeds: Sequence[int] | None,
    repeats: int | None,
    memory: float | None,
) -> tuple[Source, Dataset, dict[str, Any]]:
    """What is scored on what: the data set, and what `evaluate` and `sweep` take besides.

    Raises
    ------
    InputError
        Options that contradict each other, before the file is read; or what is wrong with it.
    """
    scheme = _fold_scheme(folds, source.group, source.fold)
    several = _fold_seeds(seeds, repeats, source.fold)
    limit = _memory_bytes(memory)
    if source.fold is not None and cv is not None:
        raise InputError("--fold-column gives the folds: drop --cv")
    source, dataset = source.read()
    settled = {"cv": 5 if cv is None else cv, "random_state": several, "memory": limit}
    return source, dataset, {"folds": scheme, **settled, **source.arguments(dataset)}


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
