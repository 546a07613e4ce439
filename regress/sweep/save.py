"""A sweep's run folder, and the folder beside it that keeps its finished fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regress.sweep.results import Sweep


def cache_beside(out: Path) -> Path:
    """The folder that keeps the finished fits of the sweep that writes a run folder."""
    return out.with_name(f"{out.name}.parts")


def save_sweep(
    swept: Sweep,
    path: str | Path,
    *,
    force: bool = False,
    source: Mapping[str, Any] | None = None,
    figures: bool = False,
) -> Path:
    """Write the run folder; parameters and errors are those of `regress.runs.save.save_run`."""
    return swept.save(path, force, source=source, figures=figures)
