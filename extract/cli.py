"""``layerbank extract``, and ``python -m extract``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extract.cli_options import (
    DevicesOption,
    ExtractCommand,
    RayActorsOption,
    RayCpusOption,
    RayOption,
    ShardOption,
)
from features.console import (
    BankOption,
    EncodingOption,
    FormatOption,
    QuietOption,
    SkipEmptyOption,
    TextOption,
    human_bytes,
    new_app,
    run,
    set_verbosity,
)

if TYPE_CHECKING:
    from extract.dry_run import DryRun
    from extract.options import RunOptions
    from extract.ray_options import RayOptions
    from extract.report import ExtractReport
    from features.keys import Text
    from features.table import Table


def extract_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help=".csv, .tsv, .jsonl, .parquet or .txt files (one text a line).",
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
            help="What to keep of each layer.  \\[default: the bank's, or cls,mean,max]",
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Tokens of a text; the rest is cut off and counted.  \\[default: the bank's, or "
            "all the encoder takes]",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="fp32 (exact), bf16, fp16, or auto: bf16 where the device computes it natively."
            "  \\[default: the bank's, or auto]",
        ),
    ] = None,
    long: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    devices: DevicesOption = None,
    shard: ShardOption = None,
    ray: RayOption = None,
    ray_actors: RayActorsOption = None,
    ray_cpus: RayCpusOption = None,
    engine: Annotated[
        str, typer.Option(help="auto (OpenVINO on a CPU where it is installed), torch, openvino.")
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
    format: FormatOption = None,
    encoding: EncodingOption = "utf-8",
    skip_empty: SkipEmptyOption = False,
    quiet: QuietOption = False,
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
    from extract.interrupts import second_ctrl_c_stops
    from extract.options import Options
    from extract.pipeline import count_new
    from extract.pipeline import run as run_plan
    from extract.plan import prepare
    from features.table import open_table

    set_verbosity(quiet=quiet)
    chosen = None if poolings is None else [name.strip() for name in poolings.split(",")]
    running = _run_options(device, devices, shard, engine, batch_tokens)
    on_ray = _ray_options(ray, ray_actors, ray_cpus, running, dry_run=dry_run)
    tables = [open_table(path, format=format, encoding=encoding) for path in inputs]
    columns = [table.text_columns(text) for table in tables]
    options = Options(
        encoder, revision, chosen, max_length, precision, long, stride, encoder_weights
    )
    plan = prepare(bank, options)
    texts = partial(_texts, tables, columns, skip_empty)
    if dry_run:
        from extract.dry_run import dry_run as try_out

        typer.echo(forecast(try_out(plan, texts(), running), plan.setup["max_length"]))
        return
    with second_ctrl_c_stops():
        if on_ray is not None:
            from extract.on_ray import run_on_ray, sources_of

            sources = sources_of(
                inputs, text, format=format, encoding=encoding, skip_empty=skip_empty
            )
            running = replace(running, progress=not quiet)
            report = run_on_ray(plan, sources, running, on_ray)
        else:
            # Every row is read once before any is encoded: a long run must not end at a bad row.
            total = count_new(plan, texts(), running)
            running = replace(running, total=total, progress=not quiet)
            report = run_plan(plan, texts(), running)
    typer.echo(summary(report, plan.setup["max_length"]))


def _run_options(
    device: str, devices: str | None, shard: str | None, engine: str, batch_tokens: int | None
) -> RunOptions:
    from extract.devices import parse_devices
    from extract.options import RunOptions
    from extract.shards import Shard

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
    from extract.ray_options import RayOptions
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
    from features.table import read_texts

    for table, names in zip(tables, columns, strict=True):
        yield from read_texts(table, names, skip_empty=skip_empty)


def summary(report: ExtractReport, max_length: int) -> str:
    """The one line that ends an extraction."""
    return (
        f"{report.bank}: {report.n_new:,} texts new, {report.n_reused:,} reused, "
        f"{report.n_truncated:,} of the new ones truncated at {max_length} tokens; "
        f"{took(report.seconds)}; bank {human_bytes(report.bank_bytes)}"
    )


def forecast(found: DryRun, max_length: int) -> str:
    """What a dry run says."""
    lines = [
        f"texts      {found.n_texts:,}, of which {found.n_new:,} are new to {found.bank}",
        f"tokens     {found.n_tokens:,} in the new ones; {found.n_truncated:,} of these "
        f"truncated at {max_length}",
    ]
    if found.tokens_per_second:
        lines.append(
            f"time       about {took(found.seconds)} at {found.tokens_per_second:,.0f} tokens/s"
            f"{f' on each of {found.n_gpus} GPUs' if found.n_gpus > 1 else ''}, "
            f"by a short sample ({found.ran_on})"
        )
    lines.append(
        f"bank       {human_bytes(found.bank_bytes)} now, about "
        f"{human_bytes(found.bank_bytes + found.added_bytes)} then"
    )
    return "\n".join([*lines, "nothing was written to the bank"])


def took(seconds: float) -> str:
    """A time for people.

    >>> took(4.21), took(75), took(7300)
    ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


app = new_app("Stage 1: texts into a bank, every layer of a frozen encoder.")
app.command("extract", cls=ExtractCommand)(extract_command)


def main() -> None:
    """Entry of ``python -m extract``."""
    run(app)
