"""What an extraction would take, before it is begun."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from extract.encode import Budget, encode
from extract.options import RunOptions
from extract.plan import Plan
from extract.report import folder_bytes, literal_texts, took
from extract.scale.devices import processes
from extract.texts.batching import Tokens, plan_batches
from extract.texts.input import Picked
from extract.texts.probe import refuse_other_tokens
from extract.texts.stream import NewTexts, Stretch
from extract.texts.windows import Windows
from extract.worker import load, tokenizer_of
from features.console.show import human_bytes
from features.keys import KEY_SIZE, Text

if TYPE_CHECKING:
    from extract.texts.tokenizer import Tokenizer

#: The sample is spread over so many batches of all lengths, and ends after so many seconds.
BATCHES, SECONDS = 8, 6.0


@dataclass(frozen=True, slots=True)
class DryRun:
    """What :func:`dry_run` found.

    Parameters
    ----------
    bank
        The bank's folder.
    n_texts, n_new
        Texts of the input, and distinct ones that the bank lacks.
    n_tokens, n_truncated
        Tokens of the new texts, and how many of them would be cut off.
    tokens_per_second
        In the sample, on one device; None when nothing is new.
    ran_on
        Engine, device and precision of the sample.
    bank_bytes, added_bytes
        Size of the bank now, and what the new texts would add.
    """

    bank: Path
    n_texts: int
    n_new: int
    n_tokens: int
    n_truncated: int
    tokens_per_second: float | None
    ran_on: str
    bank_bytes: int
    added_bytes: int
    n_literal: int = 0
    """New texts that hold a special token of the encoder's."""
    n_gpus: int = 1
    """GPUs that share the work. Processes on one CPU share its cores, and are no faster."""

    @property
    def seconds(self) -> float:
        """Expected time in the encoders, seconds."""
        if not self.tokens_per_second:
            return 0.0
        return self.n_tokens / self.tokens_per_second / self.n_gpus


def dry_run(plan: Plan, texts: Iterable[Text], options: RunOptions) -> DryRun:
    """Read and tokenise all texts, time a few batches, and write nothing to the bank.

    Raises
    ------
    LayerbankError
        As :func:`extract.extract`.
    """
    new = NewTexts(Picked(texts, options.shard), plan.bank)
    stretches = iter(new)
    first = next(stretches, None)
    n_tokens = n_truncated = n_literal = 0
    sample, n_gpus = Sample(None, "", 0), 1
    if first is not None:
        if options.devices:
            each = processes(options, plan.setup["precision"])
            options = each[0]
            n_gpus = max(1, len({process.device for process in each} - {"cpu"}))
        tokenizer = tokenizer_of(plan)
        tokens_of_first = tokenizer.encode(first.texts)
        rest = (tokenizer.encode(stretch.texts) for stretch in stretches)
        for tokens in chain([tokens_of_first], rest):
            n_tokens += sum(len(text.ids) for text in tokens)
            n_truncated += sum(text.truncated for text in tokens)
            n_literal += sum(text.literal for text in tokens)
        sample = _take_sample(plan, options, first, tokens_of_first, tokenizer)
    return DryRun(
        bank=plan.path,
        n_texts=new.n_read,
        n_new=new.n_new,
        n_tokens=n_tokens,
        n_truncated=n_truncated,
        tokens_per_second=sample.tokens_per_second,
        ran_on=sample.ran_on,
        bank_bytes=folder_bytes(plan.path) if plan.bank is not None else 0,
        added_bytes=sample.row_bytes * new.n_new,
        n_literal=n_literal,
        n_gpus=n_gpus,
    )


class Sample(NamedTuple):
    """What a few batches tell."""

    tokens_per_second: float | None
    ran_on: str
    row_bytes: int
    """Of one text in the bank."""


def _take_sample(
    plan: Plan,
    options: RunOptions,
    stretch: Stretch,
    tokens: Sequence[Tokens],
    tokenizer: Tokenizer,
) -> Sample:
    """Load the encoder, and time batches of all lengths out of a stretch."""
    encoder, setup = load(plan, options)
    plan.refuse_conflict(setup)
    if plan.bank is not None:
        refuse_other_tokens(plan.bank, tokenizer.digest(), encoder.provenance)
    budget = Budget(options.batch_tokens or encoder.batch_tokens)
    windows = Windows.planned(setup)
    n_done, began = 0, 0.0
    for i, (part, part_tokens) in enumerate(_spread(stretch, tokens, budget.tokens)):
        # The first batch warms up, and is not counted.
        if i and n_done and time.perf_counter() - began > SECONDS:
            break
        for _ in encode(encoder, part, part_tokens, tokenizer.pad_id, budget, windows):
            pass
        if i:
            n_done += sum(len(text.ids) for text in part_tokens)
        else:
            began = time.perf_counter()
    rate = n_done / (time.perf_counter() - began)
    device, precision = encoder.provenance["device"], setup["precision"]
    n_blocks = len(setup["poolings"]) * setup["n_layers"] + setup["pooler"]
    item = 4 if precision == "fp32" else 2
    return Sample(
        rate,
        f"{encoder.provenance['engine']} on {device}, {precision}",
        n_blocks * setup["hidden_size"] * item + KEY_SIZE + 5,
    )


def _spread(
    stretch: Stretch, tokens: Sequence[Tokens], budget: int
) -> Iterator[tuple[Stretch, list[Tokens]]]:
    """Batches of all lengths, the shortest one twice: first, and in its turn."""
    batches = list(plan_batches(np.array([len(text.ids) for text in tokens]), budget))
    chosen = np.unique(np.linspace(0, len(batches) - 1, BATCHES).round().astype(int))
    for i in (len(batches) - 1, *chosen):
        rows = batches[i]
        yield stretch.rows(rows), [tokens[row] for row in rows]


def forecast(found: DryRun, max_length: int, *, kept: bool) -> str:
    """What a dry run says."""
    lines = [
        f"texts      {found.n_texts:,}, of which {found.n_new:,} are new to {found.bank}",
        f"tokens     {found.n_tokens:,} in the new ones; {found.n_truncated:,} of these "
        f"truncated at {max_length}",
    ]
    if found.n_literal:
        lines.append(f"special    {literal_texts(found.n_literal, kept=kept).rstrip('; ')}")
    if found.tokens_per_second:
        lines.append(
            f"time       about {took(found.seconds)} at {found.tokens_per_second:,.0f} tokens/s"
            f"{f' on each of {found.n_gpus} GPUs' if found.n_gpus > 1 else ''}, "
            f"by a short sample ({found.ran_on})"
        )
    lines.append(
        f"bank       {human_bytes(found.bank_bytes)} now, about "
        f"{human_bytes(found.bank_bytes + found.added_bytes)} then"
    )
    return "\n".join([*lines, "nothing was written to the bank"])


def brief_forecast(found: DryRun) -> str:
    """The same in a line, said before the work is begun."""
    return (
        f"encoding {found.n_new:,} new texts into {found.bank}: {found.n_tokens:,} tokens, about "
        f"{took(found.seconds)} ({found.ran_on}), {human_bytes(found.added_bytes)}"
    )
