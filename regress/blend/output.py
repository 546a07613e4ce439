"""What ``layerbank blend`` prints: a table for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict

from rich.text import Text

from features.console.show import printable
from regress.blend.blended import Blend
from regress.blend.results import blend_results, largest_weights, notes_on_blend
from regress.report.tables import standings_text
from regress.runs.format import as_json, baselines


def blend_text(blend: Blend) -> Text:
    """Notes; of each target the blend beside its members; and their weights, largest first."""
    results = blend_results(blend)
    text = Text.assemble(("\n".join(notes_on_blend(blend, results)), "dim"))
    weights = largest_weights(blend)
    for blended in blend.targets:
        name, scores = printable(blended.target), blended.scores
        text.append("\n\n" if text else "")
        text.append(
            f"{name}: nested RMSE {scores.rmse:.4f} ± {scores.se:.4f} (R² {scores.r2:.3f}); best "
            f"base {blended.best:.4f}\n",
            "bold",
        )
        text.append(f"  {blended.label}\n\n", "dim")
        standings = [*results.standings(blended.target), results.baseline(blended.target)]
        text.append_text(standings_text(standings))
        text.append("\n\nweights")
        for member, weight in weights[blended.target]:
            text.append(f"\n  {weight:6.3f}  {printable(member)}")
    return text


def blend_json(blend: Blend, out: str) -> str:
    """The same; `out` is the folder that the blend was saved to."""
    shown = blend_results(blend)
    results = [
        {
            "target": blended.target,
            **asdict(blended.scores),
            "naive_rmse": blended.naive_rmse,
            "best_base_rmse": blended.best,
            "scores": blended.label,
            "weights": blended.named_weights,
        }
        for blended in blend.targets
    ]
    report = {
        "run": out,
        "method": blend.method,
        "notes": notes_on_blend(blend, shown),
        "baseline": baselines(shown),
        "results": results,
    }
    return as_json(report)
