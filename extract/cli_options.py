"""Options of ``layerbank extract`` that spread the work over devices, tasks and machines."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

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
