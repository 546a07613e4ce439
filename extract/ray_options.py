"""``--ray`` and what goes with it, as the user gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from extract.options import RunOptions
from features.errors import InputError


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Which Ray, and how many encoders on it.

    Parameters
    ----------
    address
        ``local`` starts a Ray on this machine; ``auto``, or ``host:port``, is a running cluster.
    actors
        Encoders, at least and at most; None for as many as there is room for.
    cpus
        CPUs of each; None for 1 beside a GPU, and a whole node's otherwise.
    """

    address: str = "local"
    actors: tuple[int, int] | None = None
    cpus: int | None = None

    @classmethod
    def parse(cls, address: str, actors: str | None = None, cpus: int | None = None) -> RayOptions:
        """From what the command line has; ``actors`` as ``MIN[:MAX]``.

        >>> RayOptions.parse("auto", "2:8").actors, RayOptions.parse("auto", "4").actors
        ((2, 8), (4, 4))

        Raises
        ------
        InputError
            For a value that can never be right.
        """
        if address.startswith("ray://"):
            raise InputError(
                f"{address} is the address of a Ray client, which cannot hold a run: run the "
                "command on a node of the cluster, with --ray auto"
            )
        if cpus is not None and cpus < 1:
            raise InputError(f"an encoder on {cpus} CPUs cannot run: give --ray-cpus 1 or more")
        if actors is None:
            return cls(address, None, cpus)
        match = re.fullmatch(r"(\d+)(?::(\d+))?", actors, re.ASCII)
        fewest, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= fewest <= most:
            raise InputError(
                f"{actors!r} is no number of encoders: give --ray-actors MIN:MAX, such as 1:8, or "
                "one number above 0"
            )
        return cls(address, (fewest, most), cpus)

    def check(self, options: RunOptions) -> None:
        """InputError for what cannot be had together with Ray."""
        if options.devices:
            raise InputError(
                "--devices starts processes on this machine, and --ray on a cluster: give one of "
                "them"
            )
        if options.device not in ("auto", "cpu", "cuda"):
            raise InputError(
                f"Ray chooses among its GPUs itself: give --device cuda, cpu or auto with --ray, "
                f"not {options.device}"
            )
