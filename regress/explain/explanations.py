"""Explanations of several texts, and how they show themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from regress.explain.explanation import Explanation

if TYPE_CHECKING:
    from rich.text import Text

#: Neighbours of each text unless asked otherwise.
N_NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Explanations(Sequence[Explanation]):
    """Explanations of several texts, target by target for each; a notebook shows them.

    Attributes
    ----------
    run
        The folder of the run whose predictions are explained.
    items
        What explains each prediction.
    id_name
        What the run calls the ids of its training texts.
    """

    run: Path
    items: Sequence[Explanation]
    id_name: str = "id"

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    @overload
    def __getitem__(self, number: int) -> Explanation: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Explanation]: ...
    def __getitem__(self, number: int | slice) -> Explanation | Sequence[Explanation]:
        return self.items[number]

    def text(self, named: str) -> Text:
        """For a terminal; `named` is what the ids of explained texts are called."""
        from rich.text import Text

        from regress.explain.terminal import explanation_text

        texts = (explanation_text(item, named, self.id_name) for item in self.items)
        return Text("\n\n").join(texts)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"run": str(self.run), "explanations": [asdict(item) for item in self.items]}

    def page(self) -> str:
        """As HTML that needs nothing but a browser."""
        from regress.explain.page import explanations_page

        return explanations_page(self.items, self.id_name, self.run.name)

    def _repr_html_(self) -> str:
        from features.console import html
        from regress.explain.page import explanation_html

        return html.box(*(explanation_html(item, self.id_name) for item in self.items))
