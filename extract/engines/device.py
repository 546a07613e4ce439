"""Which device, which precision on it, and how many threads on a CPU."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

from features.errors import InputError

log = logging.getLogger(__name__)

PRECISIONS = ("fp32", "bf16", "fp16")

#: What a device may be called.
DEVICE = r"auto|cpu|mps|cuda(:(?P<number>\d+))?"


def choose_device(device: str) -> str:
    """A device as torch names it.

    Parameters
    ----------
    device
        ``auto`` (the first GPU, else the CPU), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises
    ------
    InputError
        When there is no such device here.
    """
    import torch

    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        return "cuda:0" if n_cuda else "mps" if has_mps else "cpu"
    match = re.fullmatch(DEVICE, device)
    if match and device.startswith("cuda") and int(match["number"] or 0) < n_cuda:
        return f"cuda:{int(match['number'] or 0)}"
    if device == "cpu" or (device == "mps" and has_mps):
        return device
    here = ["auto", "cpu", *(f"cuda:{i}" for i in range(n_cuda)), *(["mps"] if has_mps else [])]
    raise InputError(f"there is no device {device!r} here: choose from {', '.join(here)}")


def choose_precision(device: str) -> str:
    """What ``auto`` means on a device: bf16 where it computes that natively, else fp32."""
    precision = "bf16" if _computes_bf16(device) else "fp32"
    log.info("precision auto: %s, by what %s computes natively", precision, device)
    return precision


def _computes_bf16(device: str) -> bool:
    """Whether the hardware multiplies bf16 matrices itself, rather than emulating it."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(torch.device(device)) >= (8, 0)
    if device != "cpu":
        return False
    report = getattr(torch.cpu, "get_capabilities", None)  # younger than torch 2.11
    if report is not None:
        capabilities = report()
        return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16", "sve_bf16"))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def cores() -> list[int]:
    """Numbers of the cores that this process may run on; empty where the system does not say."""
    affinity: Any = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity is not None else []


def n_cores() -> int:
    """How many cores this process may run on."""
    return len(cores()) or os.cpu_count() or 1


def thread_limit() -> int | None:
    """Threads that this process may run, where they are fewer than its cores; else None.

    What limits them is ``OMP_NUM_THREADS`` (set by batch systems, and by Ray for each actor), or
    the quota of a container.
    """
    from joblib import cpu_count  # knows about quotas

    allowed, limit = int(cpu_count()), "its quota"
    asked = re.match(r"\s*0*([1-9]\d*)", os.environ.get("OMP_NUM_THREADS", ""))
    if asked and int(asked[1]) < allowed:
        allowed, limit = int(asked[1]), "OMP_NUM_THREADS"
    if allowed >= n_cores():
        return None
    log.info("%d of the %d cores are used, since %s allows no more", allowed, n_cores(), limit)
    return allowed
