"""Explanations on a terminal, for programs, in a notebook and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.text import Text as Line

from features.console import html
from features.console.show import beginning, printable, shown
from features.keys import Text

if TYPE_CHECKING:
    pass


#: Blocks that are shown by themselves, the largest first; and characters of a bar and a text.
MAX_BLOCKS, BAR, BEGINNING = 8, 24, 90


def explanations_text(found: Sequence[Explanation], *, named: str) -> Line:
    """For people; `named` is what the ids of what is explained are called."""
    return Line("\n\n").join(_text(one, named, getattr(found, "id_name", "id")) for one in found)


def explanations_json(items: Iterable[Explanation], run: Path) -> str:
    """For programs."""
    return json.dumps(
        {"run": str(run), "explanations": [asdict(one) for one in items]},
        indent=1, ensure_ascii=False,
    )  # fmt: skip


def explanations_html(found: Sequence[Explanation]) -> str:
    """For a notebook."""
    return html.box(*(_html(one, getattr(found, "id_name", "id")) for one in found))


def explanations_page(found: Sequence[Explanation], run: Path) -> str:
    """A page of its own, that needs nothing but a browser."""
    body = "<hr>".join(_html(one, getattr(found, "id_name", "id")) for one in found)
    return _PAGE.format(name=escape(run.name), n=len(found), body=body)


def largest(blocks: Mapping[str, float]) -> tuple[list[tuple[str, float]], float, int]:
    """Blocks by how much they move the prediction, what the others add, and how many these are."""
    ordered = sorted(blocks.items(), key=lambda item: -abs(item[1]))
    kept = ordered if len(ordered) <= MAX_BLOCKS + 1 else ordered[:MAX_BLOCKS]
    others = ordered[len(kept) :]
    return kept, sum(value for _, value in others), len(others)


def _text(one: Explanation, named: str, trained: str) -> Line:
    text = Line()
    what = printable(f"{named} {one.id}: predicted {one.target}")
    text.append(f"{what} {one.prediction:.4f}", "bold")
    text.append(f" by {one.model}\n{printable(beginning(one.text, BEGINNING))}\n", "dim")
    if one.trained_on is not None:
        text.append(f"{_trained(one)}\n", "yellow")
    kept, rest, n_rest = largest(one.blocks)
    rows = [*kept, *([(f"{n_rest} others", rest)] if n_rest else [])]
    width = max(map(len, ["prediction", *(name for name, _ in rows)]))
    limit = max((abs(value) for _, value in rows), default=0.0)
    text.append(f"\n  {'base':{width}}  {one.base:+10.4f}\n", "dim")
    for name, value in rows:
        length = round(BAR * abs(value) / limit) if limit else 0
        text.append(f"  {name:{width}}  {value:+10.4f}  ")
        text.append(("█" if value >= 0 else "▒") * length + "\n", "green" if value >= 0 else "red")
    text.append(f"  {'prediction':{width}}  {one.prediction:+10.4f}", "bold")
    if one.neighbours:
        names = [printable(one) for one in (trained, *(near.id for near in one.neighbours))]
        width = max(map(len, names))
        text.append(f"\n\n  similarity      target  {names[0]:{width}}  training text", "bold")
        for near, name in zip(one.neighbours, names[1:], strict=True):
            text.append(f"\n  {near.similarity:10.4f}  {near.target:10.4f}  {name:{width}}  ")
            text.append(printable(beginning(near.text, BEGINNING - 30)), "dim")
    return text


def _html(one: Explanation, trained: str) -> str:
    kept, rest, n_rest = largest(one.blocks)
    parts = [
        html.heading(f"{one.id}: predicted {one.target} {one.prediction:.4f} by {one.model}"),
        _whole(one.text),
    ]
    if one.trained_on is not None:
        parts.append(html.note(_trained(one)))
    parts.append(_bars(one, [*kept, *([(f"{n_rest} others", rest)] if n_rest else [])]))
    if n_rest:
        every = {name: f"{value:+.4f}" for name, value in one.blocks.items()}
        parts.append(f"<details><summary>all {len(every)} blocks</summary>{html.facts(every)}"
                     "</details>")  # fmt: skip
    if one.neighbours:
        parts.append(
            html.table(
                ["similarity", "target", trained, "training text"],
                [
                    [f"{near.similarity:.4f}", f"{near.target:.4f}", near.id, beginning(near.text)]
                    for near in one.neighbours
                ],
                left=frozenset({trained, "training text"}),
                wide=frozenset({"training text"}),
            )
        )
    return "".join(parts)


def _bars(one: Explanation, rows: Sequence[tuple[str, float]]) -> str:
    limit = max((abs(value) for _, value in rows), default=0.0)
    cell = 'style="padding:.1em .7em;text-align:{};border:0;background:none;color:inherit;{}"'
    lines = [
        ("base", one.base, "opacity:.75", ""),
        *((name, value, "", html.bar(value, limit)) for name, value in rows),
        ("prediction", one.prediction, "font-weight:600", ""),
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


def _whole(text: Text) -> str:
    short, whole = beginning(text), shown(text)
    if short == whole:
        return html.note(whole)
    style = "opacity:.85;margin:.2em 0 .4em;max-width:60em"
    return (
        f'<details style="{style}"><summary>{escape(short)}</summary><div style="white-space:'
        f'pre-wrap;overflow-wrap:anywhere;margin:.4em 0">{escape(whole)}</div></details>'
    )


def _trained(one: Explanation) -> str:
    return (
        f"This is a training text with the target {one.trained_on:.4g}: the model has seen it, so "
        "the prediction says nothing of how good the model is (oof.csv does)."
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


@dataclass(frozen=True, eq=False)
class TrainingTexts:
    """What a run was trained on.

    Attributes
    ----------
    texts, keys, ids
        n_samples texts, their keys, shape (n_samples, 32), and what their rows are called.
    id_name
        What the column of these is called.
    numbers
        Shape (n_samples,): equal for equal texts.
    targets
        Shape (n_samples,) of each target, by name.
    """

    texts: Sequence[Text]
    keys: NDArray[np.uint8]
    ids: Sequence[str]
    id_name: str
    numbers: NDArray[np.int64]
    targets: dict[str, NDArray[np.float64]]

    def numbers_of(self, keys: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Number of each text by its key, -1 where it is none of these."""
        known = dict(zip(map(bytes, self.keys), self.numbers.tolist(), strict=True))
        return np.array([known.get(bytes(key), -1) for key in keys], np.int64)


@dataclass(frozen=True)
class Neighbour:
    """A training text, with its target and its similarity (`regress.explain_neighbours`)."""

    id: str
    text: Text
    target: float
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """One prediction.

    Attributes
    ----------
    id, text
        What was predicted.
    target, model
        Name of the target, and the model's label.
    prediction
        ``base + sum of blocks``, up to rounding.
    base
        What there is without any block (`regress.explain_blocks`).
    blocks
        By block, what it adds to the prediction.
    neighbours
        The most similar training texts, the nearest first; never the text itself.
    trained_on
        The text's own target, where it is one of the training texts: then the model has seen it,
        and the prediction is no evidence of how good the model is.
    """

    id: str
    text: Text
    target: str
    model: str
    prediction: float
    base: float
    blocks: Mapping[str, float]
    neighbours: Sequence[Neighbour]
    trained_on: float | None
