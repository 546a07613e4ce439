"""The progress bar of a sweep, which counts seconds of work, about."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from features.console.progress import progress_bar
from regress.sweep.fitting import OnDone
from regress.sweep.search import OnStage

BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


@contextmanager
def stage_progress(
    estimated: Mapping[str, float], *, shown: bool
) -> Iterator[tuple[OnStage, OnDone]]:
    """A bar on stderr that names the stage; what `search` takes as `on_stage` and `on_done`.

    Parameters
    ----------
    estimated
        Work of each stage: see `regress.sweep.search.estimated_work`.
    """
    ahead = dict(estimated)
    lock = threading.Lock()
    with progress_bar(
        total=sum(ahead.values()), desc="sweep", disable=not shown, leave=False, bar_format=BAR
    ) as bar:

        def on_stage(name: str, work: float | None) -> None:
            first_estimate = ahead.pop(name)
            with lock:
                begun = first_estimate if work is None else work
                bar.total = bar.n + sum(ahead.values()) + begun
                bar.set_description_str(f"sweep, {name}")

        def on_done(work: float) -> None:
            with lock:  # from several threads
                bar.total = max(float(bar.total or 0), bar.n + work)
                bar.update(work)

        yield on_stage, on_done
