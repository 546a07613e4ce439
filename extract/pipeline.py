"""Stage 1, start to end: texts in, every layer's pooled vectors into a bank."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extract.options import Options, RunOptions
from extract.plan import Plan, prepare
from extract.progress import Progress
from extract.report import ExtractReport, folder_bytes, new_bank
from extract.scale.devices import n_processes, parse_devices
from extract.texts.input import Picked, Shard
from extract.texts.stream import NewStretches, NewTexts, count_new, stretch_size
from extract.worker import Counts, Worker
from features.columns import entries
from features.errors import InputError
from features.paths import as_path
from features.texts import TextsLike

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def extract(
    texts: TextsLike,
    bank: str | Path,
    *,
    encoder: str | Path | None = None,
    revision: str | None = None,
    encoder_weights: str | Path | None = None,
    poolings: Sequence[str] | None = None,
    max_length: int | str | None = None,
    precision: str | None = None,
    long: str | None = None,
    stride: int | None = None,
    prompt: str | None = None,
    special_tokens: str | None = None,
    device: str | torch.device = "auto",
    devices: str | Sequence[str] | None = None,
    shard: str | None = None,
    engine: str = "auto",
    batch_tokens: int | None = None,
    like: Mapping[str, Any] | None = None,
    total: int | None = None,
    progress: bool = False,
) -> ExtractReport:
    """Run a frozen encoder over the texts that a bank lacks, and keep every layer.

    An option that is not given takes the bank's own value, and a default where there is no bank
    yet. When the bank has all texts, the encoder's files are hashed and compared, but no model is
    loaded, transformers is not imported, and torch only to read weights that are no safetensors.

    Parameters
    ----------
    texts
        Strings, or tuples of strings that are encoded together, joined as the encoder's template
        joins a pair; any iterable, read once, in stretches of 16,384 at most, and any column that
        :func:`features.as_texts` takes. Taken verbatim.
    bank
        The bank's folder; made where there is none.
    encoder
        A folder with a Hugging Face encoder and its tokenizer, or a name on the hub. Default: the
        bank's, or ``roberta-base``.
    revision
        Branch, tag or commit of an encoder from the hub.
    encoder_weights
        A state dict with fine-tuned weights of that encoder, under any prefix, beside others or
        not (:mod:`extract.engines.load_model`). Default: the bank's, or the encoder's own.
    poolings
        What to keep of each layer. Default: the bank's, or cls, mean and max.
    max_length
        Tokens of a text, special ones included; longer ones are cut off, of several texts the
        longest first. Default: the bank's, or as many as the encoder takes. ``"folder"`` is the
        maximum length that the encoder's sentence-transformers folder sets.
    precision
        ``fp32``, ``bf16``, ``fp16``, or ``auto``: bf16 where the device computes it natively.
        Default: the bank's, or ``auto``.
    long
        ``truncate`` cuts longer texts off; ``window`` reads them in overlapping windows of
        ``max_length`` tokens (:mod:`extract.texts.windows`). Default: the bank's, or ``truncate``.
    stride
        Tokens from the start of one window to the start of the next. Default: the bank's, or half
        of ``max_length``.
    prompt
        Put before each text, before the first part of a pair: the name of a prompt in the
        encoder's sentence-transformers folder, else the prompt itself. A text's key is that of
        the text alone. Default: the bank's, or none.
    special_tokens
        ``text`` reads a special token of the encoder that stands in a text (``[SEP]``, ``</s>``)
        as the characters that it is; ``keep`` takes it as that token. Tokens that were added to
        the encoder's own are tokens in both. Default: the bank's, or ``text``.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; or torch's own of these.
    devices
        Instead of ``device``: one process on each of these, ``"all"`` (every GPU), ``"0,1"``, or
        ``"cpu,cpu"``; or a sequence of such entries. The processes import the calling script
        again, whose own work must therefore stand under ``if __name__ == "__main__":``.
    shard
        ``"i/n"``: only the texts of the ``i``-th of ``n`` parts, counted from 0; which texts
        these are depends on nothing but their keys (:class:`extract.texts.input.Shard`).
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
        When the encoder cannot be found or used, or gives numbers that are not finite; when all
        processes of ``devices`` have died.
    FingerprintMismatch
        When the bank, or ``like``, is of another encoder or other options; names the fields.
    CommitError
        When the bank cannot be written.
    """
    texts = entries(texts, "texts", ordered=False)
    path = as_path(bank)
    running = RunOptions(
        str(device), engine, batch_tokens, total, progress,
        devices=() if devices is None else parse_devices(devices),
        shard=None if shard is None else Shard.parse(shard),
    )  # fmt: skip
    running.check()
    options = Options(
        encoder, revision, poolings, max_length, precision, long, stride, encoder_weights,
        prompt, special_tokens,
    )  # fmt: skip
    plan = prepare(path, options, like)
    if total is None and isinstance(texts, Sequence) and (progress or running.devices):
        running = replace(running, total=count_new(plan.bank, Picked(texts, running.shard)))
    return run(plan, texts, running)


def run(plan: Plan, texts: TextsLike, options: RunOptions) -> ExtractReport:
    """Do what a plan says; see :func:`extract`."""
    if plan.bank is None:
        log.info("%s", new_bank(plan.path))
    picked = Picked(texts, options.shard)
    encode_all = _in_several if options.devices else _in_this_one
    new, counts = encode_all(plan, picked, options)
    if plan.bank is None and not picked.n_seen:
        raise InputError("there are no texts: give at least one")
    return ExtractReport(
        bank=plan.path,
        n_new=new.n_new,
        n_reused=new.n_read - new.n_new,
        n_truncated=counts.n_truncated,
        n_tokens=counts.n_tokens,
        n_literal=counts.n_literal,
        seconds=time.perf_counter() - plan.began,
        bank_bytes=folder_bytes(plan.path),
    )


def _in_this_one(plan: Plan, texts: Picked, options: RunOptions) -> tuple[NewTexts, Counts]:
    """Encode what is new in this process."""
    new = NewTexts(texts, plan.bank)
    stretches = iter(new)
    first = next(stretches, None)
    if first is None:
        return new, Counts(0, 0, 0)
    worker = Worker(plan, options)
    try:
        with Progress(options.total, shown=options.progress) as bar:
            return new, worker.run(chain([first], stretches), bar)
    except KeyboardInterrupt:
        log.warning(
            "stopped: %s new texts are safe in %s, and the same call goes on from there",
            f"{worker.n_committed:,}",
            plan.path,
        )
        raise


def _in_several(plan: Plan, texts: Picked, options: RunOptions) -> tuple[NewStretches, Counts]:
    """Encode what is new in one process for each device."""
    from extract.scale.crew import Crew

    size = stretch_size(options.total, n_processes(options.devices))
    new = NewStretches(plan.path, plan.bank, texts, size)
    first = new.next(all_committed=True)
    if first is None:
        return new, Counts(0, 0, 0)
    return new, Crew(plan, options, new).run(first)
