"""Explanations as HTML: for a notebook, and as a page of their own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from features.console import html
from features.console.show import beginning, shown
from features.keys import Text
from regress.explain.explanation import Explanation


def explanation_html(explanation: Explanation, id_name: str) -> str:
    """What one prediction is made of; `id_name` is what the ids of training texts are called."""
    e = explanation
    rows = e.largest_blocks()
    parts = [
        html.heading(f"{e.id}: predicted {e.target} {e.prediction:.4f} by {e.model}"),
        _folded(e.text),
    ]
    if warning := e.warning():
        parts.append(html.note(warning))
    parts.append(_bars(e, rows))
    if len(rows) < len(e.blocks):
        every = html.facts({name: f"{value:+.4f}" for name, value in e.blocks.items()})
        summary = f"all {len(e.blocks)} blocks"
        parts.append(f"<details><summary>{summary}</summary>{every}</details>")
    if e.neighbours:
        cells = [
            [f"{near.similarity:.4f}", f"{near.target:.4f}", near.id, beginning(near.text)]
            for near in e.neighbours
        ]
        parts.append(
            html.table(
                ["similarity", "target", id_name, "training text"],
                cells,
                left=frozenset({id_name, "training text"}),
                wide=frozenset({"training text"}),
            )
        )
    return "".join(parts)


def explanations_page(explanations: Sequence[Explanation], id_name: str, run: str) -> str:
    """A page that needs nothing but a browser; `run` is the name of the run's folder."""
    body = "<hr>".join(explanation_html(item, id_name) for item in explanations)
    return _PAGE.format(name=escape(run), n=len(explanations), body=body)


def _bars(explanation: Explanation, rows: Sequence[tuple[str, float]]) -> str:
    limit = max((abs(value) for _, value in rows), default=0.0)
    cell = 'style="padding:.1em .7em;text-align:{};border:0;background:none;color:inherit;{}"'
    lines = [
        ("base", explanation.base, "opacity:.75", ""),
        *((name, value, "", html.bar(value, limit)) for name, value in rows),
        ("prediction", explanation.prediction, "font-weight:600", ""),
    ]
    body = "".join(
        f'<tr style="background:none"><td {cell.format("left", style)}>{escape(name)}</td>'
        f"<td {cell.format('right', style)}>{value:+.4f}</td>"
        f"<td {cell.format('left', '')}>{drawn}</td></tr>"
        for name, value, style, drawn in lines
    )
    return (
        '<table style="border-collapse:collapse;margin:.4em 0;border:0;'
        f'font-variant-numeric:tabular-nums"><tbody>{body}</tbody></table>'
    )


def _folded(text: Text) -> str:
    """A text, or its beginning that opens to the whole."""
    short, whole = beginning(text), shown(text)
    if short == whole:
        return html.note(whole)
    style = "opacity:.85;margin:.2em 0 .4em;max-width:60em"
    return (
        f'<details style="{style}"><summary>{escape(short)}</summary><div style="white-space:'
        f'pre-wrap;overflow-wrap:anywhere;margin:.4em 0">{escape(whole)}</div></details>'
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{name} explained</title>
</head>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem">
<h1 style="font-size:1.5rem;overflow-wrap:anywhere">{name}: {n} predictions explained</h1>
<p style="opacity:.75">A prediction is the base and what each block adds to it, exactly. Similarity
is the model's own: how alike it takes two texts to be, 1 for those it cannot tell apart.</p>
<div style="overflow-x:auto">{body}</div>
</body>
</html>
"""
