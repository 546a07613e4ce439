"""Stage 1, start to end: texts in, every layer's pooled vectors into a bank."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.background import BackgroundWriter, one_ahead
from extract.batching import NewTexts, Window
from extract.encode import Budget, encode
from extract.encoder import Encoder, EngineOptions, load_encoder
from extract.long_texts import Windows
from extract.options import Options, RunOptions
from extract.plan import Plan, prepare
from extract.pooling import marks_special
from extract.progress import Progress
from extract.report import ExtractReport, folder_bytes
from features.bank import Bank
from features.errors import InputError
from features.keys import Text

if TYPE_CHECKING:
    from extract.tokens import Tokenizer

log = logging.getLogger(__name__)


def extract(
    texts: Iterable[Text],
    bank: str | Path,
    *,
    encoder: str | None = None,
    revision: str | None = None,
    encoder_weights: str | Path | None = None,
    poolings: Sequence[str] | None = None,
    max_length: int | None = None,
    precision: str | None = None,
    long: str | None = None,
    stride: int | None = None,
    device: str = "auto",
    engine: str = "auto",
    batch_tokens: int | None = None,
    like: Mapping[str, Any] | None = None,
    total: int | None = None,
    progress: bool = False,
) -> ExtractReport:
    """Run a frozen encoder over the texts that a bank lacks, and keep every layer.

    An option that is not given takes the bank's own value, and a default where there is no bank
    yet. When the bank has all texts, the encoder's files are hashed and compared, but no model is
    loaded and neither torch nor transformers is imported.

    Parameters
    ----------
    texts
        Strings, or pairs of strings that are encoded together; any iterable, read once, in
        windows of 16,384. Taken verbatim.
    bank
        The bank's folder; made where there is none.
    encoder
        A folder with a Hugging Face encoder and its tokenizer, or a name on the hub. Default: the
        bank's, or ``roberta-base``.
    revision
        Branch, tag or commit of an encoder from the hub.
    encoder_weights
        A state dict with fine-tuned weights of that encoder, under any prefix, beside others or
        not (:mod:`extract.fine_tuned`). Default: the bank's, or the encoder's own.
    poolings
        What to keep of each layer. Default: the bank's, or cls, mean and max.
    max_length
        Tokens of a text, special ones included; longer ones are cut off. Default: the bank's, or
        as many as the encoder takes.
    precision
        ``fp32``, ``bf16``, ``fp16``, or ``auto``: bf16 where the device computes it natively.
        Default: the bank's, or ``auto``.
    long
        ``truncate`` cuts longer texts off; ``window`` reads them in overlapping windows of
        ``max_length`` tokens (:mod:`extract.long_texts`). Default: the bank's, or ``truncate``.
    stride
        Tokens from the start of one window to the start of the next. Default: the bank's, or half
        of ``max_length``.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    engine
        ``auto`` (OpenVINO on a CPU where it is installed, else PyTorch), ``torch`` or
        ``openvino``. Recorded, not part of the fingerprint: all pass the same tests.
    batch_tokens
        Tokens of a batch. Default: what suits the device. Halved when memory runs out.
    like
        A recorded ``setup`` to match: its values come before the bank's.
    total
        New texts to come, for the progress bar; counted when ``texts`` is a sequence.
    progress
        Whether to show a bar on stderr.

    Raises
    ------
    InputError
        For an option or a text that cannot be used.
    EncoderError
        When the encoder cannot be found or used, or gives numbers that are not finite.
    FingerprintMismatch
        When the bank, or ``like``, is of another encoder or other options; names the fields.
    CommitError
        When the bank cannot be written.
    """
    running = RunOptions(device, engine, batch_tokens, total, progress)
    running.check()
    options = Options(
        encoder, revision, poolings, max_length, precision, long, stride, encoder_weights
    )
    plan = prepare(Path(bank), options, like)
    if total is None and progress and isinstance(texts, Sequence):
        running = replace(running, total=count_new(texts, plan.bank)[1])
    return run(plan, texts, running)


def count_new(texts: Iterable[Text], bank: Bank | None) -> tuple[int, int]:
    """How many texts there are, and how many distinct ones of them a bank lacks."""
    new = NewTexts(texts, bank)
    for _ in new:
        pass
    return new.n_read, new.n_new


def run(plan: Plan, texts: Iterable[Text], options: RunOptions) -> ExtractReport:
    """Do what a plan says; see :func:`extract`."""
    new = NewTexts(texts, plan.bank)
    windows = iter(new)
    first = next(windows, None)
    if plan.bank is None and not new.n_read:
        raise InputError("there are no texts: give at least one")
    n_tokens = n_truncated = 0
    if first is not None:
        n_tokens, n_truncated = _encode_all(plan, chain([first], windows), options)
    return ExtractReport(
        bank=plan.path,
        n_new=new.n_new,
        n_reused=new.n_read - new.n_new,
        n_truncated=n_truncated,
        n_tokens=n_tokens,
        seconds=time.perf_counter() - plan.began,
        bank_bytes=folder_bytes(plan.path),
    )


def _encode_all(plan: Plan, stretches: Iterable[Window], options: RunOptions) -> tuple[int, int]:
    """Encode stretches of the input into the bank; give the tokens, and the texts cut off."""
    tokenizer = tokenizer_of(plan)
    encoder, setup = load(plan, options)
    bank = plan.complete(setup)
    windows = Windows.of(setup)
    budget = Budget(options.batch_tokens or encoder.batch_tokens)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    to_bank = bank.writer({**encoder.provenance, "began": began})
    n_tokens = n_truncated = 0
    try:
        with (
            Progress(options.total, shown=options.progress) as bar,
            BackgroundWriter(to_bank) as writer,
            closing(one_ahead(lambda stretch: tokenizer.each(stretch.texts), stretches)) as ahead,
        ):
            for stretch, tokens in ahead:
                lengths = np.array([len(text.ids) for text in tokens], np.int32)
                truncated = np.array([text.truncated for text in tokens])
                bar.expect(len(lengths), int(lengths.sum()))
                for rows, values in encode(
                    encoder, stretch, tokens, tokenizer.pad_id, budget, windows
                ):
                    writer.add(stretch.keys[rows], lengths[rows], truncated[rows], values)
                    bar.advance(len(rows), int(lengths[rows].sum()))
                n_tokens += int(lengths.sum())
                n_truncated += int(truncated.sum())
    except KeyboardInterrupt:
        log.warning(
            "stopped: %s new texts are safe in %s, and the same call goes on from there",
            f"{to_bank.n_committed:,}",
            plan.path,
        )
        raise
    return n_tokens, n_truncated


def tokenizer_of(plan: Plan) -> Tokenizer:
    """The tokenizer, set up as planned."""
    from extract.tokens import Tokenizer

    setup = plan.setup
    marked = marks_special(setup["poolings"])
    return Tokenizer.load(
        plan.checkpoint, setup["max_length"], stride=setup["stride"], marked=marked
    )


def load(plan: Plan, options: RunOptions) -> tuple[Encoder, dict[str, Any]]:
    """The encoder on its device, and the set-up with what only the loaded model can tell."""
    from extract.device import choose_device, choose_precision

    device = choose_device(options.device)
    setup = dict(plan.setup)
    if setup["precision"] == "auto":
        setup["precision"] = choose_precision(device)
    encoder = load_encoder(
        plan.checkpoint,
        EngineOptions(device, setup["precision"], tuple(setup["poolings"]), setup["max_length"]),
        options.engine,
    )
    setup["pooler"] = encoder.has_pooler
    setup["n_layers"] = encoder.n_layers
    setup["hidden_size"] = encoder.hidden_size
    return encoder, setup
