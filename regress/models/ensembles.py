"""A blend as a model: a weighted sum of what other models predict, in one file."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from regress.models.base import FittedModel, Matrix
from regress.models.registry import MODELS


@dataclass(frozen=True, eq=False)
class FoldModels:
    """The models of all folds: each predicts from its own bank's columns, and the mean counts."""

    models: tuple[FittedModel, ...]

    def predict(self, X: NDArray[Any]) -> Matrix:
        width = X.shape[1] // len(self.models)
        parts = [X[:, at * width : (at + 1) * width] for at in range(len(self.models))]
        each = [model.predict(part) for model, part in zip(self.models, parts, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    def save(self, stem: Path) -> Path:
        """One zip of the files that the models themselves write."""
        path = stem.with_name(stem.name + ".zip")
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
            for number, model in enumerate(self.models):
                file = model.save(Path(folder) / f"fold-{number:03d}")
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        from regress.models.registry import MODELS

        kind = MODELS[path.stem.split("-", 1)[1]][1]
        models = []
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        with tempfile.TemporaryDirectory() as folder:
            for name in sorted(archive.namelist()):
                file = Path(folder) / Path(name).name
                file.write_bytes(archive.read(name))
                models.append(kind.load(file))
        return cls(tuple(models))


INDEX = "blend.json"


_FOLD_MODELS = "fold models"


class Base(NamedTuple):
    """A model in a blend, with the columns of the blend's features that are its own."""

    name: str
    model: FittedModel
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class BlendModel:
    """``intercept + sum of weight · prediction`` over other models.

    Attributes
    ----------
    bases
        The models; `name` is the registered name of each one's regressor, or ``blend``.
    weights
        Shape (n_bases,).
    intercept
        In units of the target.
    """

    bases: Sequence[Base]
    weights: Matrix
    intercept: float

    def predict(self, X: NDArray[Any]) -> Matrix:
        predicted = np.full(len(X), self.intercept)
        for base, weight in zip(self.bases, self.weights, strict=True):
            predicted += weight * base.model.predict(X[:, base.start : base.stop])
        return predicted

    def save(self, stem: Path) -> Path:
        """One zip of ``blend.json`` and the files that the models themselves write."""
        path = stem.with_name(stem.name + ".zip")
        index: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
            for number, base in enumerate(self.bases):
                file = base.model.save(Path(folder) / f"{number:03d}-{base.name}")
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
                kind = _FOLD_MODELS if isinstance(base.model, FoldModels) else base.name
                index.append(
                    {
                        "file": file.name,
                        "name": base.name,
                        "kind": kind,
                        "columns": [base.start, base.stop],
                    }
                )
            described = {
                "intercept": self.intercept,
                "weights": self.weights.tolist(),
                "bases": index,
            }
            archive.writestr(zipfile.ZipInfo(INDEX), json.dumps(described, indent=1))
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        described = json.loads(archive.read(INDEX))
        bases = []
        with tempfile.TemporaryDirectory() as folder:
            for of in described["bases"]:
                file = Path(folder) / Path(of["file"]).name
                file.write_bytes(archive.read(of["file"]))
                bases.append(Base(of["name"], _kind(of["kind"]).load(file), *of["columns"]))
        return cls(bases, np.array(described["weights"]), float(described["intercept"]))


def _kind(name: str) -> type[FittedModel]:
    kinds: dict[str, type[FittedModel]] = {_FOLD_MODELS: FoldModels, "blend": BlendModel}
    return kinds[name] if name in kinds else MODELS[name][1]
