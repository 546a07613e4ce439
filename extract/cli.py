"""``layerbank extract``, and ``python -m extract``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from extract.interrupts import second_ctrl_c_stops
from features.console.app import (
    DEVICES,
    INPUT,
    BankOption,
    QuietOption,
    ReadingOptions,
    SkipEmptyOption,
    TextOption,
    new_app,
    one_of,
    run,
    say,
    say_lines,
    set_verbosity,
)

if TYPE_CHECKING:
    from extract.options import RunOptions
    from extract.scale.ray_cluster import RayOptions
    from features.keys import Text
    from features.tables.table import Table

#: What may follow ``--ray``; anything else there is the next argument.
RAY_ADDRESS = r"auto|local|ray://.+|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+"

DevicesOption = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="all|D,...",
        help="One process on each of these: all (every GPU), numbers of GPUs (0,1), or cpu,cpu "
        "for two processes that share the CPU. A process that dies leaves its texts to the others.",
    ),
]

ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Only the texts of part I of N, counted from 0, as their keys divide them: for one "
        "task of a job array.",
    ),
]

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help="Encode on Ray: one that is started here, or the cluster at ADDRESS (auto, or "
        "HOST:PORT). Input, encoder and bank must be in folders that all nodes share.",
        show_default=False,
    ),
]

RayActorsOption = Annotated[
    str | None,
    typer.Option(
        "--ray-actors",
        metavar="MIN[:MAX]",
        help="How many encoders on Ray; between the two Ray adapts.  \\[default: from 1 to what "
        "the cluster has room for]",
    ),
]

RayCpusOption = Annotated[
    int | None,
    typer.Option(
        "--ray-cpus",
        metavar="N",
        help="CPUs of each encoder on Ray.  \\[default: 1 beside a GPU, else a whole node's]",
    ),
]


class ExtractCommand(TyperCommand):
    """``--ray`` may stand alone: its address is optional."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As ever, once a ``--ray`` without an address has the one that it means."""
        return super().parse_args(ctx, with_address(args))


def with_address(args: list[str]) -> list[str]:
    """Arguments in which every ``--ray`` has an address.

    >>> with_address(["--ray", "train.csv"]), with_address(["train.csv", "--ray", "head:6379"])
    (['--ray', 'local', 'train.csv'], ['train.csv', '--ray', 'head:6379'])
    """
    given: list[str] = []
    for i, arg in enumerate(args):
        given.append(arg)
        if arg == "--ray" and not re.fullmatch(RAY_ADDRESS, "".join(args[i + 1 : i + 2])):
            given.append("local")
    return given


def extract_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help=INPUT.replace("A .csv", "Any number of: a .csv") + " A .txt has one text a line.",
            show_default=False,
        ),
    ],
    bank: BankOption,
    text: TextOption = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_FOLDER",
            help="A Hugging Face encoder.  \\[default: the bank's, or roberta-base]",
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(metavar="R", help="Branch, tag or commit of an encoder from the hub."),
    ] = None,
    encoder_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Fine-tuned weights of that encoder: a state dict (model.bin, model.safetensors) "
            "that holds them under any prefix.",
        ),
    ] = None,
    poolings: Annotated[
        str | None,
        typer.Option(
            metavar="P,...",
            autocompletion=one_of("cls", "mean", "max", "min", "last", "std", "mean_no_special"),
            help="What to keep of each layer.  \\[default: the bank's, or cls,mean,max]",
        ),
    ] = None,
    max_length: Annotated[
        str | None,
        typer.Option(
            metavar="N|folder",
            help="Tokens of a text; the rest is cut off and counted. The word folder takes the "
            "number that the encoder's sentence-transformers folder sets.  \\[default: the bank's, "
            "or all the encoder takes]",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            autocompletion=one_of("auto", "fp32", "bf16", "fp16"),
            help="fp32 (exact), bf16, fp16, or auto: bf16 where the device computes it natively."
            "  \\[default: the bank's, or auto]",
        ),
    ] = None,
    long: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            autocompletion=one_of("truncate", "window"),
            help="Texts beyond --max-length: truncate, or window (overlapping windows, pooled "
            "over all of them).  \\[default: the bank's, or truncate]",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Tokens from one window's start to the next's.  \\[default: the bank's, or half "
            "of --max-length]",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|TEXT",
            help="Put before each text: a prompt of the encoder's sentence-transformers folder by "
            "name, or any text.  \\[default: the bank's, or none]",
        ),
    ] = None,
    special_tokens: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            autocompletion=one_of("text", "keep"),
            help="The encoder's own special tokens in a text, such as \\[SEP]: text (characters "
            "like others), or keep (that token).  \\[default: the bank's, or text]",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(autocompletion=one_of(*DEVICES), help="auto, cpu, cuda, cuda:N or mps."),
    ] = "auto",
    devices: DevicesOption = None,
    shard: ShardOption = None,
    ray: RayOption = None,
    ray_actors: RayActorsOption = None,
    ray_cpus: RayCpusOption = None,
    engine: Annotated[
        str,
        typer.Option(
            autocompletion=one_of("auto", "torch", "openvino"),
            help="auto (OpenVINO on a CPU where it is installed), torch, openvino.",
        ),
    ] = "auto",
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Tokens of a batch; halved when memory runs out.  \\[default: by device]",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what it would take (texts, tokens, time, bank size), and write nothing to "
            "the bank.",
        ),
    ] = False,
    skip_empty: SkipEmptyOption = False,
    quiet: QuietOption = False,
    *,
    reading: ReadingOptions,
) -> None:
    """Run a frozen encoder over texts, once, and keep every layer in a bank.

    Texts that the bank has already are not encoded again, so the same command continues a run
    that was stopped, and adds a second file to the first one's bank. An option that is not given
    takes the bank's own value.

    Examples:

    [bold]layerbank extract train.csv --text excerpt --bank roberta-base.bank[/bold]

    [bold]layerbank extract test.csv --text excerpt --bank roberta-base.bank[/bold]

    [bold]layerbank extract essays.parquet --text prompt --text essay --bank pairs.bank --encoder
    ./my-encoder --precision fp32[/bold]

    [bold]layerbank extract big.jsonl --bank big.bank --devices all[/bold]

    [bold]layerbank extract big.jsonl --bank big.bank --shard $SLURM_ARRAY_TASK_ID/16[/bold]

    [bold]layerbank extract part-*.parquet --bank big.bank --ray auto --ray-actors 1:64[/bold]
    """
    from extract.dry_run import dry_run as try_out
    from extract.dry_run import forecast
    from extract.options import Options
    from extract.pipeline import run as run_plan
    from extract.plan import prepare
    from extract.report import summary
    from extract.texts.input import Picked
    from extract.texts.stream import count_new
    from features.tables.table import open_table

    set_verbosity(quiet=quiet)
    chosen = None if poolings is None else [name.strip() for name in poolings.split(",")]
    running = _run_options(device, devices, shard, engine, batch_tokens)
    on_ray = _ray_options(ray, ray_actors, ray_cpus, running, dry_run=dry_run)
    tables = [open_table(path, **reading.how_read()) for path in inputs]
    columns = [table.text_columns(text) for table in tables]
    options = Options(
        encoder, revision, chosen, _tokens(max_length), precision, long, stride, encoder_weights,
        prompt, special_tokens,
    )  # fmt: skip
    plan = prepare(bank, options)
    texts = partial(_texts, tables, columns, skip_empty)
    if dry_run:
        say_lines(
            forecast(
                try_out(plan, texts(), running), plan.setup["max_length"], kept=plan.keeps_special
            )
        )
        return
    with second_ctrl_c_stops():
        if on_ray is not None:
            from extract.scale.on_ray import run_on_ray
            from extract.scale.ray_input import sources_of

            sources = sources_of(inputs, text, skip_empty=skip_empty, **reading.how_read())
            running = replace(running, progress=not quiet)
            report = run_on_ray(plan, sources, running, on_ray)
        else:
            # Every row is read once before any is encoded: a long run must not end at a bad row.
            total = count_new(plan.bank, Picked(texts(), running.shard))
            running = replace(running, total=total, progress=not quiet)
            report = run_plan(plan, texts(), running)
    say(summary(report, plan.setup["max_length"], kept=plan.keeps_special))


def _tokens(given: str | None) -> int | str | None:
    """A maximum length as a number where it is one; what else it may be is not known here."""
    return int(given) if given is not None and re.fullmatch(r"[+-]?\d{1,9}", given) else given


def _run_options(
    device: str, devices: str | None, shard: str | None, engine: str, batch_tokens: int | None
) -> RunOptions:
    from extract.options import RunOptions
    from extract.scale.devices import parse_devices
    from extract.texts.input import Shard

    running = RunOptions(
        device,
        engine,
        batch_tokens,
        devices=() if devices is None else parse_devices(devices),
        shard=None if shard is None else Shard.parse(shard),
    )
    running.check()
    return running


def _ray_options(
    ray: str | None, actors: str | None, cpus: int | None, running: RunOptions, *, dry_run: bool
) -> RayOptions | None:
    """How to use Ray; None when it was not asked for."""
    from extract.scale.ray_cluster import RayOptions
    from features.errors import InputError

    if ray is None:
        if name := "--ray-actors" if actors else "--ray-cpus" if cpus is not None else None:
            raise InputError(f"{name} is of --ray: give that too, or leave {name} out")
        return None
    if dry_run:
        raise InputError(
            "--dry-run tries the encoder on this machine, not on Ray: leave out --ray for it"
        )
    options = RayOptions.parse(ray, actors, cpus)
    options.check(running)
    return options


def _texts(tables: list[Table], columns: list[list[str]], skip_empty: bool) -> Iterator[Text]:
    from features.tables.table import read_texts

    for table, names in zip(tables, columns, strict=True):
        yield from read_texts(table, names, skip_empty=skip_empty)


app = new_app("Stage 1: texts into a bank, every layer of a frozen encoder.")
app.command("extract", cls=ExtractCommand)(extract_command)


def main() -> None:
    """Entry of ``python -m extract``."""
    run(app)
