"""What ``layerbank delete`` says, line by line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from features.upkeep.delete import Deleted, DeleteReport
from features.upkeep.elsewhere import Holder

#: How many files or folders are named; the others are counted.
_NAMED = 20


def deletion_lines(report: DeleteReport, *, dry_run: bool) -> Iterator[str]:
    """What was deleted, or would be, in each bank; and how many texts were not there."""
    first, *rescued = report.banks
    verb = "would delete" if dry_run else "deleted"
    yield f"{first.bank}: {verb} {_count(report.n_found, 'text')}; {_rows(first)}"
    for bank in rescued:
        yield f"{bank.bank}: {verb} from it as well; {_rows(bank)}"
    if absent := report.n_texts - report.n_found:
        yield (
            f"{absent} of the {_count(report.n_texts, 'text')} given {_are(absent)} not in the bank"
            ": name the same columns as for `layerbank extract`, if you expected them there"
        )
    for bank in report.banks:
        yield from _copies(bank, "would remove" if dry_run else "removed")
        for name in bank.linked[:_NAMED]:
            yield (
                f"{bank.bank / name} has another name elsewhere (a link or a hard link), whose "
                "bytes stay: remove that file yourself"
            )


def _rows(bank: Deleted) -> str:
    return f"{_count(bank.n_rows, 'row')} in {_count(bank.n_segments, 'segment')}"


def _copies(bank: Deleted, verb: str) -> Iterator[str]:
    certain = [str(copy) for copy in bank.copies if copy.certain]
    perhaps = [str(copy) for copy in bank.copies if not copy.certain]
    if certain:
        yield f"{bank.bank}: {verb} {', '.join(_some(certain))}, which held them too"
    if perhaps:
        yield (
            f"{bank.bank}: {verb} {', '.join(_some(perhaps))}, whose texts cannot be read any more"
        )


def elsewhere_lines(holders: Sequence[Holder], rows: Path) -> Iterator[str]:
    """What was found beside the bank, what to do about it, and what no program can find."""
    for holder in holders[:_NAMED]:
        yield _run_line(holder) if holder.is_run else _bank_line(holder, rows)
    if len(holders) > _NAMED:
        yield f"and {len(holders) - _NAMED} more banks and runs hold them, or may"
    yield (
        f"copies elsewhere remain: {rows} itself, exports, backups, and banks and runs in folders "
        "that were not looked in (name those with --also)"
    )


def _bank_line(holder: Holder, rows: Path) -> str:
    call = f"layerbank delete {shlex.quote(str(holder.path))} --rows {shlex.quote(str(rows))}"
    if holder.n is None:
        return f"{holder.path} is a bank that cannot be read, and may hold them"
    return f"{holder.path} holds {holder.n} of them: `{call}`, with the same --text"


def _run_line(holder: Holder) -> str:
    kept = f" ({', '.join(holder.keeps)})" if holder.keeps else ""
    what = "was trained on such a bank, and may hold them"
    if holder.n is not None:
        what = f"was trained on {holder.n} of them"
    return f"{holder.path} {what}{kept}: repeat the run without them, or remove its folder"


def _some(names: Sequence[str]) -> list[str]:
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return [*names[:_NAMED], *more]


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
