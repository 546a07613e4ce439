"""Options of ``regress`` and ``sweep`` that contradict each other, or are no such number."""

from __future__ import annotations

import math
from collections.abc import Sequence

from features.errors import InputError


def checked_jobs(jobs: int | None) -> int | None:
    """--jobs, with -1 as one a core; InputError where it is no number of workers."""
    if jobs is not None and jobs < 1 and jobs != -1:
        raise InputError(f"--jobs takes a number from 1 on, not {jobs}")
    return None if jobs == -1 else jobs


def fold_scheme(folds: str | None, group: str | None, fold_column: str | None) -> str:
    """Which folds these options ask for; InputError where they disagree."""
    if fold_column is not None and (folds or group):
        raise InputError("--fold-column gives the folds: drop --folds and --group")
    if group is not None and folds not in (None, "group"):
        raise InputError(f"--group asks for group folds and --folds for {folds}: drop one of them")
    return folds or ("stratified" if group is None else "group")


def fold_seeds(
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


def memory_bytes(gigabytes: float | None) -> int | None:
    """--memory in bytes."""
    if gigabytes is not None and not 0 < gigabytes < math.inf:
        raise InputError(f"--memory takes gigabytes above 0, not {gigabytes:g}")
    return None if gigabytes is None else max(1, int(gigabytes * 1e9))
