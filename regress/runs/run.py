"""A finished run: what it was fitted on, how it scored, and its models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.columns import as_list
from features.console import html
from features.console.stand_ins import showable
from features.disk.format import differing_fields
from features.errors import BankError, FingerprintMismatch, InputError, MissingTexts, RunError
from features.filling import Encode, fill
from features.keys import Text, text_keys
from features.paths import as_path, hint
from features.selection import ResolvedTerm
from features.texts import TextsLike, as_texts
from regress.compute.arrays import Matrix, Rows
from regress.data.fold_banks import BankLike, fold_template, of_each_fold, opened
from regress.data.matrix import term_matrix
from regress.explain.explanations import N_NEIGHBOURS, Explanations
from regress.runs.empty_texts import checked_empty, filled_texts, has_empty_part
from regress.runs.folder import MANIFEST, RunFolder, damaged, recover_run
from regress.runs.format import read_description
from regress.runs.missing import holding
from regress.runs.saved_model import SavedModel
from regress.runs.training import require_training, training_texts

#: Models of each target that a notebook shows.
SHOWN = 15


def load_run(path: str | Path) -> Run:
    """Read a run folder; its models are read when they are used.

    Raises
    ------
    RunError
        The folder is missing, holds no run, one that is damaged or of a later version.
    """
    path = as_path(path).absolute()
    recover_run(path)
    if not path.is_dir():
        near = hint(path, lambda folder: (folder / MANIFEST).is_file())
        raise RunError(f"there is no run folder {path}{near}: make one with `layerbank fit`")
    description, written_here = read_description(path)
    try:
        models = [SavedModel.described(path, result) for result in description["results"]]
    except (TypeError, ValueError) as error:
        raise damaged(path / MANIFEST, error) from None
    return Run(path, description, written_here, models)


@dataclass(frozen=True, eq=False)
class Run(RunFolder):
    """A run folder that was read; `load_run` makes one.

    Attributes
    ----------
    path
        The folder.
    description
        What its ``run.json`` holds.
    written_here
        Whether this user wrote it on this machine: then what it says of places counts.
    models
        All that were saved, target by target, the lowest nested RMSE first in each.
    encode
        What encodes texts that the banks lack; None where nothing can.
    """

    models: Sequence[SavedModel]
    encode: Encode | None = None

    def __repr__(self) -> str:
        first = "".join(
            f", first {best.label} RMSE {best.scores['rmse']:.4f}" for best in self.models[:1]
        )
        return showable(
            f"<Run {self.path.name!r}: {self.description['texts']['n']} texts, predicts "
            f"{', '.join(map(repr, self.targets))}, {len(self.models)} models{first}>"
        )

    def chosen(self, model: str | None = None) -> list[SavedModel]:
        """For each target, the model of this label, or the one with the lowest nested RMSE.

        Raises
        ------
        InputError
            A target has no model of this label.
        RunError
            A target has no model at all.
        """
        return [self._chosen_for(target, model) for target in self.targets]

    def _chosen_for(self, target: str, model: str | None) -> SavedModel:
        models = [saved for saved in self.models if saved.target == target]
        if not models:
            raise RunError(f"{self.path} holds no model of the target {target!r}: repeat the run")
        for saved in models:
            if model in (None, saved.label, saved.model):
                return saved
        labels = ", ".join(dict.fromkeys(repr(saved.label) for saved in models))
        if len(self.targets) == 1:
            raise InputError(f"{self.path} has no model {model!r}: it has {labels}")
        raise InputError(
            f"{self.path} has no model {model!r} of the target {target!r}, which has {labels}: "
            "name one that every target has, or none for the best of each"
        )

    def banks_needed(self, model: str | None = None) -> list[dict[str, Any]]:
        """Those of `banks` whose blocks the chosen models use."""
        used = {term.bank for saved in self.chosen(model) for term in saved.terms}
        return [bank for bank in self.banks if bank["name"] in used]

    def predict(
        self,
        texts: TextsLike,
        bank: BankLike | None = None,
        *,
        model: str | None = None,
        encode: bool = True,
        empty: str = "predict",
    ) -> Matrix:
        """Predict texts; those that the banks lack are encoded first, and kept there.

        Parameters
        ----------
        texts
            n_texts texts, in whatever `features.as_texts` takes; one that is missing (None, NaN)
            counts as empty.
        bank
            Banks to read instead of the recorded ones, wherever they are and whatever they are
            called: their fingerprints tell which is which. A run that was not made here, or by
            somebody else, needs them.
        model
            A label such as ``"ridge mean[-1]"``, or a regressor's name for its best selection;
            None for the model with the lowest nested RMSE.
        encode
            False to refuse texts that the banks lack.
        empty
            What becomes of a text that is empty, or has an empty part: ``"predict"`` takes it like
            any other; ``"mean"`` gives the mean of the training target; and ``"skip"`` gives NaN.

        Returns
        -------
        numpy.ndarray
            Shape (n_texts,), or (n_texts, n_targets) for a run with several targets.

        Raises
        ------
        RunError
            A bank or a model's file is gone.
        FingerprintMismatch
            A bank was made by another encoder or set-up than the run's.
        MissingTexts
            The banks lack some of the texts, and nothing encodes them.
        InputError
            They lack none but empty ones, and nothing encodes them.
        """
        way = checked_empty(empty)
        filled, lacking = filled_texts(texts)
        if way == "predict":
            lacking[:] = False
        predicted = self.predict_but(lacking, filled, bank, model=model, encode=encode)
        if way == "mean" and lacking.any():
            predicted[lacking] = self.target_means()
        return predicted[:, 0] if len(self.targets) == 1 else predicted

    def predict_but(
        self,
        left_out: NDArray[np.bool_],
        texts: Sequence[Text],
        bank: BankLike | None = None,
        *,
        model: str | None = None,
        encode: bool = False,
    ) -> Matrix:
        """As `predict`, shape (n_texts, n_targets), with NaN for texts that are left out.

        Parameters
        ----------
        left_out
            Shape (n_texts,). No bank is opened where these are all.
        """
        predicted = np.full((len(texts), len(self.targets)), np.nan)
        kept = np.flatnonzero(~left_out)
        if not len(kept) and len(texts):
            return predicted
        wanted = [texts[row] for row in kept.tolist()]
        banks = self._holding(wanted, bank, model, encode)
        # By blocks: blends of two targets may have one selection and another order of its blocks.
        matrices: dict[tuple[ResolvedTerm, ...], NDArray[Any]] = {}
        keys = text_keys(wanted)
        for target, saved in enumerate(self.chosen(model)):
            if saved.terms not in matrices:
                with _told_of_empty(texts, kept):
                    matrices[saved.terms] = term_matrix(banks, keys, saved.terms)
            with np.errstate(over="ignore", invalid="ignore"):  # it is said in one sentence
                predicted[kept, target] = saved.fitted.predict(matrices[saved.terms])
            if not np.isfinite(predicted[kept, target]).all():
                raise damaged(saved.path, "it predicts what is no number")
        return predicted

    def explain(
        self,
        texts: TextsLike,
        bank: BankLike | None = None,
        *,
        model: str | None = None,
        n_neighbours: int = N_NEIGHBOURS,
        training: TextsLike | str | Path | None = None,
        ids: Iterable[object] | None = None,
        encode: bool = True,
    ) -> Explanations:
        """Which blocks predictions come from, and which training texts they are like.

        Parameters
        ----------
        texts, bank, model, encode
            As `predict`.
        n_neighbours
            How many training texts to find for each; 0 needs neither these nor their vectors.
        training
            The run's training texts, or where their file is now; None for where it was, in a run
            that was made here.
        ids
            What each text is called; None for numbers from 1.

        Raises
        ------
        RunError, FingerprintMismatch, MissingTexts
            As `predict`; and where the training texts or their vectors are gone.
        InputError
            The training texts are not the run's, or the model's kind cannot be explained.
        """
        from regress.runs.explain import explained

        if n_neighbours < 0:
            raise InputError(f"neighbours are 0 or more, not {n_neighbours}")
        texts = as_texts(texts)
        chosen = self.chosen(model)
        names = [*map(str, range(1, len(texts) + 1) if ids is None else as_list(ids, "ids"))]
        if len(names) != len(texts):
            raise InputError(
                f"there are {len(texts)} texts and {len(names)} ids: give one for each text"
            )
        known = training_texts(self, training) if n_neighbours else None
        banks = self._holding(texts, bank, model, encode)
        if known is not None:
            for opened_bank in banks.values():
                require_training(self, opened_bank.path, opened_bank, known.texts)
        targets = [
            explained(self, saved, banks, texts, names, known, n_neighbours) for saved in chosen
        ]
        items = [item for of_text in zip(*targets, strict=True) for item in of_text]
        return Explanations(self.path, items, "id" if known is None else known.id_name)

    def open_banks(
        self,
        bank: BankLike | None = None,
        *,
        model: str | None = None,
    ) -> dict[str, Bank]:
        """The banks that the chosen models need, by the names they have in the run."""
        return self._opened(self.banks_needed(model), bank)

    def _holding(
        self, texts: Sequence[Text], bank: BankLike | None, model: str | None, encode: bool
    ) -> dict[str, Bank]:
        """The banks that the chosen models need, with texts encoded that they lacked."""
        if self.encode is None or not encode:
            return self.open_banks(bank, model=model)
        if bank is None:
            return holding(self, self.banks_needed(model), texts, self.encode, in_python=True)
        banks = self.open_banks(bank, model=model)
        for each in banks.values():
            fill(each, texts, self.encode)
        return banks

    def open_all(self, bank: BankLike | None = None) -> dict[str, Bank]:
        """All banks of the run, by the names they have in it."""
        return self._opened(self.banks, bank)

    def _opened(
        self, needed: Sequence[Mapping[str, Any]], bank: BankLike | None
    ) -> dict[str, Bank]:
        if bank is None:
            return {recorded["name"]: self._open_recorded(recorded) for recorded in needed}
        if (template := fold_template(bank)) is not None:
            bank = of_each_fold(template, needed)
        given = {found.fingerprint: found for found in opened(bank)}
        for recorded in needed:
            if recorded["fingerprint"] not in given:
                raise self._other_bank(recorded, next(iter(given.values())))
        return {recorded["name"]: given[recorded["fingerprint"]] for recorded in needed}

    def _open_recorded(self, recorded: Mapping[str, Any]) -> Bank:
        self.require_written_here(
            f"the bank {recorded['path']}", "say where it is with --bank (in Python bank=…)"
        )
        try:
            bank = Bank.open(recorded["path"])
        except BankError as error:
            raise RunError(
                f"the bank {recorded['name']!r} of the run {self.path} cannot be opened at "
                f"{recorded['path']} ({error}): say where it is with --bank (in Python bank=…)"
            ) from None
        if bank.fingerprint != recorded["fingerprint"]:
            raise self._other_bank(recorded, bank)
        return bank

    def _other_bank(self, recorded: Mapping[str, Any], bank: Bank) -> FingerprintMismatch:
        fields = differing_fields(recorded["setup"], bank.setup)
        return FingerprintMismatch(
            f"the run {self.path} was fitted on another bank than {bank.path}, which differs "
            f"in {', '.join(fields)}: give a bank made like {recorded['name']!r} "
            f"({recorded['source'].get('encoder')}) with --bank (in Python bank=…)",
            fields,
        )

    def _repr_html_(self) -> str:
        description, folds = self.description, self.description["folds"]
        banks = [f"{bank['name']} ({bank['source'].get('encoder')})" for bank in self.banks]
        facts: dict[str, object] = {
            "folder": self.path,
            "made": description.get("created"),
            "banks": ", ".join(banks),
            "texts": f"{description['texts']['n']:,}",
            "folds": f"{folds['n_folds']} {folds['scheme']} (hash {str(folds['hash'])[:12]})",
        }
        # Where there is one target, no column says so.
        first = 0 if len(self.targets) > 1 else 1
        header = ["target", "RMSE", "± se", "R²", "result"]
        rows = [
            [saved.target, *(_shown(saved.scores.get(name)) for name in ("rmse", "se", "r2")),
             f"{saved.model} {saved.select}"]
            for saved in self.models[: SHOWN * len(self.targets)]
        ]  # fmt: skip
        rows += [[target, *cells] for target, cells in self._baselines()]
        return html.box(
            html.heading(f"run {self.path.name}"),
            html.facts(facts),
            html.table(header[first:], [row[first:] for row in rows],
                       left=frozenset({"target", "result"}), strong=frozenset({0})),
        )  # fmt: skip

    def _baselines(self) -> Iterator[tuple[str, list[str]]]:
        """Of each target, the training mean's cells; none where oof.csv cannot be read."""
        from regress.runs.recorded import recorded_results

        with contextlib.suppress(RunError):
            results = recorded_results(self)
            for target in self.targets:
                row = results.baseline(target).row
                scores = (row.scores.rmse, row.scores.se, row.scores.r2)
                yield target, [*map(_shown, scores), row.label]


@contextlib.contextmanager
def _told_of_empty(texts: Sequence[Text], rows: Rows) -> Iterator[None]:
    """A `MissingTexts` names rows among all texts; InputError where all that lacks is empty."""
    try:
        yield
    except MissingTexts as error:
        missing = error.among(rows.tolist())
        if all(has_empty_part(texts[row]) for row in missing.positions):
            raise InputError(
                f"text {missing.positions[0] + 1} is empty, or a part of it is, and the bank "
                f"{error.bank} lacks its vectors: call `layerbank predict`, which encodes it, or "
                "give --empty mean (in Python empty='mean')"
            ) from None
        raise missing from None


def _shown(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"
