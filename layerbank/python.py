"""`fit` and `load_run` in Python, which encode what a bank lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from layerbank.encoding import Encoding
from regress.fit import How
from regress.fit import fit as fit_on
from regress.runs.run import Run
from regress.runs.run import load_run as load

if TYPE_CHECKING:
    from features.texts import TextsLike
    from regress.data.fold_banks import BankLike
    from regress.data.given import NumbersLike
    from regress.experiment import Experiment
    from regress.models.estimator import TunedRegressor


def fit(
    texts: TextsLike,
    y: NumbersLike,
    *,
    bank: BankLike,
    encoder: str | Path | None = None,
    encode: bool = True,
    device: str = "auto",
    select: str | Sequence[str] = (),
    models: str | Sequence[str | TunedRegressor] | None = None,
    effort: str = "quick",
    out: str | Path | None = None,
    force: bool = False,
    **how: Unpack[How],
) -> Experiment:
    """Encode the texts that a bank lacks, then score and fit regressors on them.

    ::

        run = layerbank.fit(texts, y, encoder="roberta-base", bank="roberta-base.bank")
        run.table  # every result, the best first
        run.predict(new_texts)  # encodes them, and keeps them in the bank

    Nothing is written but the bank, unless `out` names a folder for the run. Parameters that are
    not described here are those of `regress.fit.fit`.

    Parameters
    ----------
    encoder
        A folder with a Hugging Face encoder and its tokenizer, or a name on the hub. Default: the
        bank's, or ``roberta-base``.
    encode
        False to refuse texts that the bank lacks.
    device
        As `extract.extract`.
    """
    encoding = Encoding(
        encoder=None if encoder is None else str(encoder),
        device=device,
        quiet=not how.get("progress"),
    )
    return fit_on(
        texts, y, bank=bank, encode=encoding if encode else None, select=select, models=models,
        effort=effort, out=out, force=force, **how,
    )  # fmt: skip


def load_run(path: str | Path) -> Run:
    """Read a run folder. Its ``predict`` and ``explain`` encode new texts.

    As `regress.runs.run.load_run`.
    """
    return replace(load(path), encode=Encoding(quiet=True))
