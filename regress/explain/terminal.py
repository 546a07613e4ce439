"""Explanations on a terminal: bars of blocks, and a table of training texts alike."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from features.console.show import beginning, printable
from features.console.tables import aligned, plain_table
from regress.explain.explanation import Explanation

#: Characters of the longest bar, and of a text's beginning.
BAR, BEGINNING = 24, 90


def explanation_text(explanation: Explanation, named: str, id_name: str) -> Text:
    """What one prediction is made of.

    Parameters
    ----------
    named, id_name
        What the ids of explained texts, and those of training texts, are called.
    """
    e = explanation
    what = printable(f"{named} {e.id}: predicted {e.target}")
    text = Text.assemble(
        (f"{what} {e.prediction:.4f}", "bold"),
        (f" by {e.model}\n{printable(beginning(e.text, BEGINNING))}\n", "dim"),
    )
    if warning := e.warning():
        text.append(f"{warning}\n", "yellow")
    text.append("\n").append_text(aligned(_indented(_blocks(e))))
    if e.neighbours:
        text.append("\n\n").append_text(aligned(_indented(_neighbours(e, id_name))))
    return text


def _blocks(explanation: Explanation) -> Table:
    rows = explanation.largest_blocks()
    limit = max((abs(value) for _, value in rows), default=0.0)
    table = plain_table(header=False)
    table.add_column()
    table.add_column(justify="right", min_width=10)
    table.add_column()
    table.add_row("base", f"{explanation.base:+.4f}", style="dim")
    for name, value in rows:
        length = round(BAR * abs(value) / limit) if limit else 0
        bar, colour = ("█", "green") if value >= 0 else ("▒", "red")
        table.add_row(Text(name), f"{value:+.4f}", Text(bar * length, colour))
    table.add_row("prediction", f"{explanation.prediction:+.4f}", style="bold")
    return table


def _neighbours(explanation: Explanation, id_name: str) -> Table:
    table = plain_table()
    table.add_column("similarity", justify="right")
    table.add_column("target", justify="right", min_width=10)
    table.add_column(Text(printable(id_name)))
    table.add_column("training text")
    for near in explanation.neighbours:
        words = printable(beginning(near.text, BEGINNING - 30))
        table.add_row(
            f"{near.similarity:.4f}", f"{near.target:.4f}", Text(printable(near.id)),
            Text(words, "dim"),
        )  # fmt: skip
    return table


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 2))
