"""``--devices``: which processes there are to be, one on each device named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from extract.engines.device import choose_device
from extract.options import RunOptions
from features.errors import InputError

#: A machine with several GPUs rarely has more.
MANY_GPUS = 8

#: What one entry of the list may be; a bare number is that GPU's.
ENTRY = r"(?P<number>\d+)|cuda:\d+|cpu|mps"


def parse_devices(given: str | Sequence[str]) -> tuple[str, ...]:
    """One entry a process; ``("all",)`` is still to be looked up.

    >>> parse_devices("0,1"), parse_devices(["cpu", "cpu"])
    (('cuda:0', 'cuda:1'), ('cpu', 'cpu'))

    Raises
    ------
    InputError
        When an entry is no device, or there are no entries.
    """
    try:
        entries = given.split(",") if isinstance(given, str) else [str(entry) for entry in given]
    except TypeError:
        raise InputError(
            f"{given!r} is no list of devices: give one such as devices=['cuda:0'], or \"0,1\""
        ) from None
    entries = [entry.strip() for entry in entries]
    if entries == ["all"]:
        return ("all",)
    for entry in entries:
        if not re.fullmatch(ENTRY, entry, re.ASCII):
            raise InputError(
                f"there is no device {entry!r} for --devices: give all (every GPU), numbers of "
                "GPUs such as 0,1, or cpu,cpu for two processes on the CPU"
            )
    return tuple(f"cuda:{entry}" if entry.isdigit() else entry for entry in entries)


def processes(options: RunOptions, precision: str) -> list[RunOptions]:
    """The options of each process, its device looked up.

    Parameters
    ----------
    options
        With ``devices`` as :func:`parse_devices` gives them.
    precision
        Of the set-up; ``auto`` where the device is to decide.

    Raises
    ------
    InputError
        When there is no such device here, or devices of several kinds would have to agree on a
        precision.
    """
    devices = options.devices
    if devices == ("all",):
        import torch

        devices = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
        if not devices:
            raise InputError(
                "there is no GPU here for --devices all: leave it out, or give cpu,cpu for two "
                "processes on the CPU"
            )
    chosen = [choose_device(device) for device in devices]
    if precision == "auto" and len({device.split(":")[0] for device in chosen}) > 1:
        raise InputError(
            f"{', '.join(dict.fromkeys(chosen))} may each choose another precision: say which "
            "one with --precision"
        )
    return [replace(options, device=device, devices=()) for device in chosen]


def n_processes(devices: Sequence[str]) -> int:
    """How many processes there will be; for all GPUs a guess, since asking takes torch."""
    return MANY_GPUS if tuple(devices) == ("all",) else len(devices)


def cpu_shares(cores: Sequence[int], n: int) -> list[list[int]]:
    """Cores for each of n processes: equal stretches, or one core each in turn.

    >>> cpu_shares([0, 1, 2, 3, 4], 2), cpu_shares([0, 1], 3)
    ([[0, 1], [2, 3, 4]], [[0], [1], [0]])
    """
    if len(cores) < n:
        return [[cores[i % len(cores)]] for i in range(n)]
    return [list(cores[len(cores) * i // n : len(cores) * (i + 1) // n]) for i in range(n)]
