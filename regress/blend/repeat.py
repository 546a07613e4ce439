"""A blend once more, from its own record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from features.errors import RunError
from regress.blend.blended import Blend
from regress.blend.blending import blend
from regress.blend.save import content_of
from regress.runs.format import plain
from regress.runs.run import load_run


def repeat_blend(path: str | Path, runs: Sequence[str | Path] = ()) -> Blend:
    """Blend again what a blend was made of, in the same way.

    Parameters
    ----------
    path
        The blend's run folder.
    runs
        Where its runs are now, in their order; none for where they were.

    Raises
    ------
    RunError
        It is no blend, its runs are gone or have changed, or it was not made here and they are not
        named.
    """
    run = load_run(path)
    run.require_made_by("blend")
    made = run.description["blend"]
    if not runs:
        run.require_written_here(
            f"the run {made['runs'][0]}", "name its runs, in their order, beside --from"
        )
    again = blend([*(runs or made["runs"])], method=made["method"])
    for member, recorded in zip(again.runs, made.get("sha256", ()), strict=False):
        if content_of(member) != recorded:
            raise RunError(
                f"the run {member.path} is not the one that {run.path} was made of: name that, or "
                "make a new blend"
            )
    return again


def repeated_text(path: str | Path, again: Blend) -> str:
    """Whether a repeated blend has the numbers of the first, to the last digit."""
    run = load_run(path)
    recorded = [
        (result["target"], result["scores"], result["naive_rmse"])
        for result in run.description["results"]
    ]
    now = [(each.target, asdict(each.scores), each.naive_rmse) for each in again.targets]
    recorded_weights = [
        [*blended["weights"].values()] for blended in run.description["blend"]["targets"].values()
    ]
    weights = [each.weights.values.tolist() for each in again.targets]
    if plain(recorded) == plain(now) and recorded_weights == weights:
        return f"all numbers are those of {run.path}, to the last digit"
    return f"warning: numbers of the blend are not those of {run.path} (another processor?)"
