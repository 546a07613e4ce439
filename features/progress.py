"""Progress bars: widgets in a notebook that has ipywidgets, lines of text everywhere else."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # A notebook without ipywidgets gets the bar of a terminal, which does, and no complaint.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
