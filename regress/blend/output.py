"""What ``layerbank blend`` prints: lines for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict

from regress.blend.blended import Blend
from regress.blend.results import notes_on_blend
from regress.runs.format import as_json


def blend_text(blend: Blend) -> str:
    """Scores, and the weights of the bases, the largest first."""
    lines = notes_on_blend(blend.runs[0].description)
    for blended in blend.targets:
        scores = blended.scores
        lines += [
            f"{blended.target}: nested RMSE {scores.rmse:.4f} ± {scores.se:.4f} (R² "
            f"{scores.r2:.3f}); best base {blended.best:.4f}",
            f"  {blended.label}",
        ]
        weights = sorted(blended.named_weights.items(), key=lambda item: -item[1])
        lines += [f"  {weight:6.3f}  {name}" for name, weight in weights]
    return "\n".join(lines)


def blend_json(blend: Blend, out: str) -> str:
    """The same; `out` is the folder that the blend was saved to."""
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
        "notes": notes_on_blend(blend.runs[0].description),
        "results": results,
    }
    return as_json(report)
