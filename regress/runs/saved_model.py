"""A model in a run's folder, read when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from features.console.stand_ins import showable
from features.errors import RunError
from features.selection import Block, ResolvedTerm
from regress.models.base import FittedModel
from regress.models.ensembles import BlendModel, FoldModels
from regress.models.registry import MODELS
from regress.runs.folder import damaged, read_checked


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
    n_columns
        How many columns its blocks have.
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
    n_columns: int

    @classmethod
    def described(cls, run: Path, result: Mapping[str, Any]) -> SavedModel:
        """The model of a result in the ``run.json`` of the folder `run`.

        Raises
        ------
        RunError
            The regressor is unknown.
        TypeError, ValueError
            What was recorded is no block.
        """
        return cls(
            model=result["model"],
            select=result["select"],
            target=result["target"],
            terms=tuple(
                ResolvedTerm(
                    term["bank"], tuple(Block(*block) for block in term["blocks"]), term["average"]
                )
                for term in result["blocks"]
            ),
            scores=dict(result["scores"]),
            params=dict(result["params"]),
            path=run / result["file"],
            sha256=result["sha256"],
            kind=_kind(run, result),
            n_columns=result["n_columns"],
        )

    def __repr__(self) -> str:
        return showable(
            f"<SavedModel {self.label} on {self.target!r}: RMSE {self.scores['rmse']:.4f}>"
        )

    @property
    def label(self) -> str:
        """What it is called, such as ``ridge mean[-1]``."""
        return f"{self.model} {self.select}"

    @cached_property
    def fitted(self) -> FittedModel:
        """The model itself; RunError where its file is missing, damaged or not what was written."""
        read_checked(self.path, self.sha256)
        try:
            model = self.kind.load(self.path)
        except Exception as error:  # a user's own class may raise any
            raise damaged(self.path, f"{type(error).__name__}: {error}") from error
        if (taken := model.columns_taken()) not in (None, self.n_columns):
            raise damaged(self.path, f"it takes {taken} columns, and its blocks {self.n_columns}")
        return model


def _kind(run: Path, result: Mapping[str, Any]) -> type[FittedModel]:
    if result["model"] == "blend":
        return BlendModel
    if result["model"] not in MODELS:
        raise RunError(
            f"{run} holds a model of the regressor {result['model']!r}, which is not registered: "
            "add its class to layerbank.MODELS before the run is loaded"
        )
    return FoldModels if result.get("fold_models") else MODELS[result["model"]].model_class
