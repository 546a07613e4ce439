"""A finished run: what it was fitted on, how it scored, and its models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.bank import Bank
from features.console import html
from features.disk.format import differing_fields
from features.errors import BankError, FingerprintMismatch, InputError, RunError
from features.keys import Text, text_keys
from features.selection import Block, ResolvedTerm
from regress.data.fold_banks import BankLike, fold_template, of_each_fold, opened
from regress.data.matrix import term_matrix
from regress.models.base import FittedModel, Matrix
from regress.models.ensembles import BlendModel, FoldModels
from regress.models.registry import MODELS
from regress.runs.folder import MANIFEST, RunFolder, _content
from regress.runs.format import FORMAT, VERSION, _refuse_damaged

if TYPE_CHECKING:
    from regress.explain.explain import Explanations


def load_run(path: str | Path) -> Run:
    """Read a run folder; its models are read when they are used.

    Raises
    ------
    RunError
        The folder is missing, holds no run, one that is damaged or of a later version.
    """
    path = Path(path).absolute()
    if not path.is_dir():
        raise RunError(f"there is no run folder {path}: make one with `layerbank regress`")
    try:
        description = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        held = "it is a bank" if (path / "bank.json").is_file() else f"it holds no {MANIFEST}"
        raise RunError(
            f"{path} is not a run ({held}): give the --out of regress, sweep or blend"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path / MANIFEST} cannot be read ({error}): copy the run again, or repeat it"
        ) from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise RunError(f"{path / MANIFEST} was not written by `layerbank regress`: give its --out")
    if description.get("version") != VERSION:
        raise RunError(
            f"{path} is a run of version {description.get('version')}, and this layerbank reads "
            f"version {VERSION}: repeat the run, or install a later layerbank"
        )
    try:
        _refuse_damaged(description)
        models = [_saved_model(path, result) for result in description["results"]]
        return Run(path, description, models)
    except (TypeError, ValueError) as error:
        raise RunError(
            f"{path / MANIFEST} is damaged ({error}): copy the run again, or repeat it"
        ) from None


def _saved_model(path: Path, result: Mapping[str, Any]) -> SavedModel:
    return SavedModel(
        model=result["model"],
        select=result["select"],
        target=result["target"],
        terms=tuple(
            ResolvedTerm(term["bank"], tuple(Block(*b) for b in term["blocks"]), term["average"])
            for term in result["blocks"]
        ),
        scores=dict(result["scores"]),
        params=dict(result["params"]),
        path=path / result["file"],
        sha256=result["sha256"],
        kind=_kind(path, result),
    )


def _kind(path: Path, result: Mapping[str, Any]) -> type[FittedModel]:
    if result["model"] == "blend":
        return BlendModel
    if result["model"] not in MODELS:
        raise RunError(
            f"{path} holds a model of the regressor {result['model']!r}, which is not registered: "
            "add its class to regress.MODELS before the run is loaded"
        )
    return FoldModels if result.get("fold_models") else MODELS[result["model"]].model_class


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model in a run folder.

    Attributes
    ----------
    model, select, target
        Regressor, selection and target, by name.
    terms
        The blocks that made its features.
    scores
        Nested scores by name (``rmse``, ``se`` …).
    params
        The setting it was fitted at.
    path, sha256
        Its file, and what that must hash to.
    kind
        What reads the file.
    """

    model: str
    select: str
    target: str
    terms: tuple[ResolvedTerm, ...]
    scores: Mapping[str, float]
    params: Mapping[str, float]
    path: Path
    sha256: str
    kind: type[FittedModel]

    def __repr__(self) -> str:
        return f"<SavedModel {self.label} on {self.target!r}: RMSE {self.scores['rmse']:.4f}>"

    @property
    def label(self) -> str:
        """What it is called, such as ``ridge mean[-1]``."""
        return f"{self.model} {self.select}"

    @cached_property
    def fitted(self) -> FittedModel:
        """The model itself; RunError where its file is missing or not what was written."""
        _content(self.path, self.sha256)
        return self.kind.load(self.path)


@dataclass(frozen=True, eq=False)
class Run(RunFolder):
    """A run folder that was read; `regress.persistence.load_run` makes one.

    Attributes
    ----------
    path
        The folder.
    description
        What its ``run.json`` holds.
    models
        All that were saved, target by target, the lowest nested RMSE first in each.
    """

    models: Sequence[SavedModel]

    def __repr__(self) -> str:
        first = "".join(
            f", first {one.label} RMSE {one.scores['rmse']:.4f}" for one in self.models[:1]
        )
        return (
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
        of_target = [one for one in self.models if one.target == target]
        if not of_target:
            raise RunError(f"{self.path} holds no model of the target {target!r}: repeat the run")
        for one in of_target:
            if model in (None, one.label, one.model):
                return one
        labels = ", ".join(dict.fromkeys(repr(one.label) for one in of_target))
        if len(self.targets) == 1:
            raise InputError(f"{self.path} has no model {model!r}: it has {labels}")
        raise InputError(
            f"{self.path} has no model {model!r} of the target {target!r}, which has {labels}: "
            "name one that every target has, or none for the best of each"
        )

    def banks_needed(self, model: str | None = None) -> list[dict[str, Any]]:
        """Those of `banks` whose blocks the chosen models use."""
        used = {term.bank for one in self.chosen(model) for term in one.terms}
        return [bank for bank in self.banks if bank["name"] in used]

    def predict(
        self,
        texts: Sequence[Text],
        bank: BankLike | None = None,
        *,
        model: str | None = None,
    ) -> Matrix:
        """Predict texts that the banks hold.

        Parameters
        ----------
        texts
            n_texts texts.
        bank
            Banks to read instead of the recorded ones, wherever they are and whatever they are
            called: their fingerprints tell which is which.
        model
            A label such as ``"ridge mean[-1]"``, or a regressor's name for its best selection;
            None for the model with the lowest nested RMSE.

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
            The banks lack some of the texts.
        """
        banks = self.open_banks(bank, model=model)
        keys = text_keys(texts)
        # By blocks: blends of two targets may have one selection and another order of its blocks.
        matrices: dict[tuple[ResolvedTerm, ...], np.ndarray[Any, Any]] = {}
        columns = []
        for chosen in self.chosen(model):
            if chosen.terms not in matrices:
                matrices[chosen.terms] = term_matrix(banks, keys, chosen.terms)
            columns.append(chosen.fitted.predict(matrices[chosen.terms]))
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

    def explain(
        self,
        texts: Sequence[Text],
        bank: BankLike | None = None,
        *,
        model: str | None = None,
        n_neighbours: int = 5,
        training: Sequence[Text] | str | Path | None = None,
        ids: Sequence[object] | None = None,
    ) -> Explanations:
        """Which blocks predictions come from, and which training texts they are like.

        As `regress.explain.explain`.
        """
        from regress.runs.explain import explain

        return explain(
            self, texts, bank, model=model, n_neighbours=n_neighbours, training=training, ids=ids
        )

    def _repr_html_(self) -> str:
        from regress.runs.run import run_html

        return run_html(self)

    def open_banks(
        self,
        bank: BankLike | None = None,
        *,
        model: str | None = None,
    ) -> dict[str, Bank]:
        """The banks that the chosen models need, by the names they have in the run."""
        return self._opened(self.banks_needed(model), bank)

    def open_all(self, bank: BankLike | None = None) -> dict[str, Bank]:
        """All banks of the run, by the names they have in it."""
        return self._opened(self.banks, bank)

    def _opened(
        self, needed: Sequence[Mapping[str, Any]], bank: BankLike | None
    ) -> dict[str, Bank]:
        if bank is None:
            return {of["name"]: self._recorded(of) for of in needed}
        if (template := fold_template(bank)) is not None:
            bank = of_each_fold(template, needed)
        given = {one.fingerprint: one for one in opened(bank)}
        for of in needed:
            if of["fingerprint"] not in given:
                self._refuse(of, list(given.values()))
        return {of["name"]: given[of["fingerprint"]] for of in needed}

    def _recorded(self, of: Mapping[str, Any]) -> Bank:
        try:
            bank = Bank.open(of["path"])
        except BankError as error:
            raise RunError(
                f"the bank {of['name']!r} of the run {self.path} cannot be opened at {of['path']} "
                f"({error}): say where it is with --bank (in Python bank=…)"
            ) from None
        if bank.fingerprint != of["fingerprint"]:
            self._refuse(of, [bank])
        return bank

    def _refuse(self, of: Mapping[str, Any], others: Sequence[Bank]) -> None:
        fields = differing_fields(of["setup"], others[0].setup)
        raise FingerprintMismatch(
            f"the run {self.path} was fitted on another bank than {others[0].path}, which differs "
            f"in {', '.join(fields)}: give a bank made like {of['name']!r} "
            f"({of['source'].get('encoder')}) with --bank (in Python bank=…)",
            fields,
        )


def run_html(run: Run) -> str:
    """What a run folder says of itself, and its results."""
    from regress.report.notebook import _WORDS, MAX_LINES

    description = run.description
    folds = description["folds"]
    facts: dict[str, object] = {
        "folder": run.path,
        "made": description.get("created"),
        "banks": ", ".join(
            f"{bank['name']} ({bank['source'].get('encoder')})" for bank in run.banks
        ),
        "texts": f"{description['texts']['n']:,}",
        "folds": f"{folds['n_folds']} {folds['scheme']} (hash {str(folds['hash'])[:12]})",
    }
    several = len(run.targets) > 1
    header = [*(["target"] if several else []), "selection", "model", "RMSE", "± se", "R²"]
    rows = [
        [
            *([one.target] if several else []),
            one.select,
            one.model,
            *(f"{one.scores[name]:.4f}" for name in ("rmse", "se", "r2")),
        ]
        for one in run.models[: MAX_LINES * len(run.targets)]
    ]
    return html.box(
        html.heading(f"run {run.path.name}"),
        html.facts(facts),
        html.table(header, rows, left=_WORDS | {"target"}, strong=frozenset({0})),
    )
