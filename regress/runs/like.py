"""Predictions in the form of another file, such as a competition's sample submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError
from features.tables.table import open_table

#: Ids that an error names.
LISTED = 3


@dataclass(frozen=True)
class Form:
    """What predictions are to look like.

    Attributes
    ----------
    path
        The file that was the example.
    header
        Names of its columns, in its order.
    id
        The one that holds ids.
    ids
        These, in its order.
    """

    path: Path
    header: Sequence[str]
    id: str
    ids: Sequence[str]

    @classmethod
    def read(cls, path: Path, targets: Sequence[str], id: str | None = None) -> Form:
        """Read the example.

        Parameters
        ----------
        targets
            What the run predicts: the example's columns but that of ids. A single one may have
            any name, after the ids.
        id
            The column of ids, where that is known.

        Raises
        ------
        InputError
            Its columns are not those of ids and targets, or an id stands in it twice.
        """
        table = open_table(path)
        header = table.columns
        unlike = [name for name in header if name not in targets]
        own_id = id if id in header else (unlike or header)[0]
        others = [name for name in header if name != own_id]
        fits = len(others) == 1 if len(targets) == 1 else sorted(others) == sorted(targets)
        if not fits:
            raise InputError(
                f"{path} has the columns {', '.join(header)}, and the run predicts "
                f"{', '.join(targets)}: --like takes a file with a column of ids and one for each "
                "of these"
            )
        ids = [str(cell) for _, (cell,) in table.rows([own_id])]
        if len({*ids}) < len(ids):
            raise InputError(f"{path} has an id twice in column {own_id!r}: --like needs one a row")
        return cls(path, header, own_id, ids)

    def named(
        self, ids: Sequence[object], columns: Mapping[str, Sequence[object]]
    ) -> dict[str, Sequence[object]]:
        """Columns under the example's names and in its order; the first is that of the ids."""
        [_, *targets] = columns
        own = {name: columns[name] for name in targets}
        if len(targets) == 1:
            own = {name: columns[targets[0]] for name in self.header}
        return {name: ids if name == self.id else own[name] for name in self.header}

    def places(self, ids: Sequence[str], texts: str) -> list[int]:
        """For each of its rows, the number of the text with that id.

        Parameters
        ----------
        ids
            What each text is called.
        texts
            The file that they are from.

        Raises
        ------
        InputError
            The two files have other ids.
        """
        place = {id: number for number, id in enumerate(ids)}
        lacking = [id for id in self.ids if id not in place]
        extra = place.keys() - {*self.ids}
        if lacking:
            raise _other_ids(lacking, str(self.path), texts)
        if extra:
            raise _other_ids(sorted(extra), texts, str(self.path))
        return [place[id] for id in self.ids]


def _other_ids(ids: Sequence[str], here: str, there: str) -> InputError:
    shown = ", ".join(map(repr, ids[:LISTED]))
    more = f" and {len(ids) - LISTED:,} more" if len(ids) > LISTED else ""
    are = ("s", "are") if len(ids) > 1 else ("", "is")
    return InputError(
        f"the id{are[0]} {shown}{more} of {here} {are[1]} not in {there}: give --like the sample "
        "of these very texts"
    )
