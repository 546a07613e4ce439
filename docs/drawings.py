"""The drawings of ``numbers.md``: ``python docs/drawings.py`` writes them into ``docs/_static``.

Plain SVG, made of a few shapes, with a white ground, so that they look the same everywhere. What is
drawn of chance is drawn from seeds, and so every call writes the same bytes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "_static"

INK, GREY, PALE, DOTS = "#1b2733", "#66727d", "#e3e8ec", "#b4c0c8"
SCORED, CHOOSES, FITTED = "#d1495b", "#edae49", "#00798c"


class Drawing:
    """Shapes on a white ground, and the SVG of them.

    Parameters
    ----------
    width, height
        In units of a pixel; the page scales the drawing.
    title
        What is to be seen, for those who do not see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size, self._title = (width, height), title
        self._shapes = [f'<rect width="{width}" height="{height}" fill="#ffffff"/>']

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, words: str = ""
    ) -> None:
        """A box, with words in its middle."""
        self._shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" '
            f'fill="{fill}"/>'
        )
        if words:
            colour = INK if fill in (PALE, CHOOSES) else "#ffffff"
            self.words(x + width / 2, y + height / 2 + 4, words, colour=colour, anchor="middle")

    def words(
        self, x: float, y: float, words: str, *, colour: str = INK, anchor: str = "start"
    ) -> None:
        """Words whose baseline begins, ends or has its middle at a point."""
        self._shapes.append(
            f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}">{words}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> None:
        """A straight line."""
        self._shapes.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" '
            f'stroke-width="{width:g}"/>'
        )

    def dot(self, x: float, y: float, colour: str, radius: float = 5) -> None:
        """A dot."""
        self._shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>')

    def svg(self) -> str:
        """The drawing as the text of a file."""
        width, height = self._size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" font-size="13" '
            'font-family="system-ui, sans-serif">'
        )
        return "\n".join([head, f"<title>{self._title}</title>", *self._shapes, "</svg>", ""])


def nested_folds() -> Drawing:
    """How one fold is scored, and what chooses the settings for it."""
    drawing = Drawing(760, 336, "Nested folds: one fold is scored, the other four choose")
    left, wide, gap = 220, 88, 8
    places = [left + i * (wide + gap) for i in range(5)]

    def row(y: float, label: str, fills: Sequence[str], words: Sequence[str]) -> None:
        drawing.words(left - 16, y + 19, label, anchor="end")
        for x, fill, told in zip(places, fills, words, strict=True):
            drawing.box(x, y, wide, 28, fill, told)

    drawing.words(20, 26, "To score fold 1:", colour=GREY)
    for held in range(1, 5):
        fills = [PALE, *(CHOOSES if i == held else FITTED for i in range(1, 5))]
        words = ["not seen", *("try" if i == held else "fit" for i in range(1, 5))]
        row(40 + 36 * (held - 1), f"choose, round {held} of 4", fills, words)
    row(196, "fit at the chosen setting", [PALE] + [FITTED] * 4, ["not seen"] + ["fit"] * 4)
    row(232, "score", [SCORED] + [PALE] * 4, ["predict"] + [""] * 4)
    drawing.words(
        20, 290, "Then the same for fold 2, 3, 4 and 5: every text is predicted once, by a model"
    )
    drawing.words(20, 310, "that was chosen and fitted without it. The RMSE of these is the score.")
    return drawing


def ties() -> Drawing:
    """Two scores whose bars overlap, and their paired difference."""
    drawing = Drawing(760, 344, "Two scores with wide bars, and the narrow bar of their difference")
    left, right, low, high = 250, 720, 0.545, 0.585

    def at(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    for label, y, value, error, colour in (
        ("svr on cls[:]+mean[:]", 62, 0.5579, 0.0077, FITTED),
        ("ridge on cls[:]+mean[:]", 98, 0.5635, 0.0079, SCORED),
    ):
        drawing.words(left - 16, y + 4, label, anchor="end")
        drawing.line(at(value - error), y, at(value + error), y, colour, 4)
        drawing.dot(at(value), y, colour)
    drawing.words(20, 30, "Each score, plus and minus its standard error:", colour=GREY)
    for tick in (0.55, 0.56, 0.57, 0.58):
        drawing.line(at(tick), 114, at(tick), 120, GREY, 1)
        drawing.words(at(tick), 136, f"{tick:.2f}", colour=GREY, anchor="middle")
    drawing.line(left, 114, right, 114, GREY, 1)
    drawing.words(
        20,
        176,
        "Two differences on the same texts, plus and minus 1.96 standard errors:",
        colour=GREY,
    )
    zero, scale = left + 150, (right - left) / (high - low)
    for label, y, value, error, colour in (
        ("this one reaches 0: a tie", 208, 0.0020, 0.0032, GREY),
        ("this one does not: no tie", 240, 0.0056, 0.0042, CHOOSES),
    ):
        drawing.words(left - 16, y + 4, label, anchor="end")
        ends = [round(zero + scale * end, 1) for end in (value - error, value + error)]
        drawing.line(ends[0], y, ends[1], y, colour, 4)
        drawing.dot(round(zero + scale * value, 1), y, colour)
    drawing.line(zero, 190, zero, 262, INK, 1)
    drawing.words(zero, 280, "0", colour=GREY, anchor="middle")
    drawing.words(
        20, 306, "Both models miss the same hard texts. In the difference that part cancels out,"
    )
    drawing.words(
        20, 326, "so its bar is shorter than either of the bars above (all have one scale)."
    )
    return drawing


def lowest_scores(n: int, repeats: int, seed: int = 0) -> list[float]:
    """The lowest of n scores that are all 0.600 but for chance, again and again.

    Candidates err on the same texts, so that most of the chance (0.007) is common to all of them;
    what differs has a deviation of 0.004.
    """
    draw = random.Random(seed)
    lowest = []
    for _ in range(repeats):
        common = draw.gauss(0, 0.007)
        lowest.append(0.6 + common + min(draw.gauss(0, 0.004) for _ in range(n)))
    return lowest


def optimism() -> Drawing:
    """How low the lowest of several equally good candidates comes out."""
    drawing = Drawing(760, 330, "The more candidates, the lower the lowest score, by luck alone")
    left, right, low, high = 210, 720, 0.565, 0.625

    def at(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    drawing.words(20, 28, "All candidates are equally good: their true RMSE is 0.600.", colour=GREY)
    for row, n in enumerate((1, 5, 20, 100)):
        y = 62 + 54 * row
        lowest = lowest_scores(n, 400, seed=n)
        mean = math.fsum(lowest) / len(lowest)
        drawing.words(left - 20, y + 4, f"best of {n}" if n > 1 else "one alone", anchor="end")
        for i, value in enumerate(lowest[:120]):
            drawing.dot(at(min(max(value, low), high)), y - 12 + (i * 7) % 25, DOTS, 3)
        drawing.line(at(mean), y - 18, at(mean), y + 18, SCORED, 3)
        drawing.words(at(mean), y + 32, f"{mean:.3f}", colour=SCORED, anchor="middle")
    drawing.line(at(0.6), 40, at(0.6), 266, FITTED, 1.5)
    drawing.words(
        20, 296, "Each dot is one experiment; the red line is their mean. That the winner looks"
    )
    drawing.words(
        20, 316, "better than it is, by the distance from the blue line, is its optimism."
    )
    return drawing


DRAWINGS = {"nested-folds": nested_folds, "ties": ties, "optimism": optimism}


def main() -> None:
    """Write every drawing."""
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
