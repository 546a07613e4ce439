"""Models made of models, each in one file: one a fold, and the weighted sum of a blend."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix
from regress.models.base import Bounds, FittedModel, Parts, Similarity
from regress.models.registry import MODELS

#: Which files a blend holds, and the kind that it says its `FoldModels` are of.
INDEX, _FOLD_MODELS = "blend.json", "fold models"


@dataclass(frozen=True, eq=False)
class FoldModels(FittedModel):
    """The models of all folds: each predicts from its own bank's columns, and the mean counts."""

    models: tuple[FittedModel, ...]
    fold_wise: ClassVar[bool] = True

    def predict(self, X: NDArray[Any]) -> Matrix:
        columns = self._columns(X)
        each = [model.predict(X[:, own]) for model, own in zip(self.models, columns, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    def parts(self, X: NDArray[Any], bounds: Bounds) -> Parts:
        """The mean over the models."""
        n = len(self.models)
        per_model = (len(bounds) - 1) // n
        base, of_blocks = np.zeros(len(X)), []
        for number, (model, own) in enumerate(zip(self.models, self._columns(X), strict=True)):
            first = number * per_model
            own_bounds = [bound - own.start for bound in bounds[first : first + per_model + 1]]
            parts = model.parts(X[:, own], own_bounds)
            base += parts.base / n
            of_blocks.append(parts.of_blocks / n)
        return Parts(base, np.concatenate(of_blocks, axis=1))

    def similarity_to(self, X: NDArray[Any]) -> Similarity:
        """The mean over the models."""
        columns = self._columns(X)
        each = [
            model.similarity_to(X[:, own]) for model, own in zip(self.models, columns, strict=True)
        ]
        return lambda others: np.mean(
            [similarity(others[:, own]) for similarity, own in zip(each, columns, strict=True)],
            axis=0,
        )

    def _columns(self, X: NDArray[Any]) -> list[slice]:
        """Each model's columns."""
        n = len(self.models)
        width = X.shape[1] // n
        return [slice(number * width, (number + 1) * width) for number in range(n)]

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
        kind = MODELS[path.stem.split("-", 1)[1]].model_class
        models = []
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        with tempfile.TemporaryDirectory() as folder:
            for name in sorted(archive.namelist()):
                file = Path(folder) / Path(name).name
                file.write_bytes(archive.read(name))
                models.append(kind.load(file))
        return cls(tuple(models))


class Base(NamedTuple):
    """A model in a blend, with the columns of the blend's features that are its own."""

    name: str
    model: FittedModel
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class BlendModel(FittedModel):
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

    def parts(self, X: NDArray[Any], bounds: Bounds) -> Parts:
        """The weighted sum over the models."""
        total = np.full(len(X), self.intercept)
        of_blocks = np.zeros((len(X), len(bounds) - 1))
        for base, weight in zip(self.bases, self.weights, strict=True):
            first, last = bounds.index(base.start), bounds.index(base.stop)
            own_bounds = [bound - base.start for bound in bounds[first : last + 1]]
            parts = base.model.parts(X[:, base.start : base.stop], own_bounds)
            total += weight * parts.base
            of_blocks[:, first:last] += weight * parts.of_blocks
        return Parts(total, of_blocks)

    def similarity_to(self, X: NDArray[Any]) -> Similarity:
        """The mean over the models, by the size of their weights."""
        sizes = np.abs(self.weights)
        shares = sizes / sizes.sum() if sizes.sum() > 0 else np.full(len(sizes), 1 / len(sizes))
        each = [
            (share, slice(base.start, base.stop), base.model)
            for base, share in zip(self.bases, shares, strict=True)
            if share > 0
        ]
        similarities = [model.similarity_to(X[:, own]) for _, own, model in each]
        return lambda others: np.sum(
            [
                share * similarity(others[:, own])
                for (share, own, _), similarity in zip(each, similarities, strict=True)
            ],
            axis=0,
        )

    def save(self, stem: Path) -> Path:
        """One zip of ``blend.json`` and the files that the models themselves write."""
        path = stem.with_name(stem.name + ".zip")
        index: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
            for number, base in enumerate(self.bases):
                file = base.model.save(Path(folder) / f"{number:03d}-{base.name}")
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
                kind = _FOLD_MODELS if base.model.fold_wise else base.name
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
            for base in described["bases"]:
                file = Path(folder) / Path(base["file"]).name
                file.write_bytes(archive.read(base["file"]))
                bases.append(Base(base["name"], _kind(base["kind"]).load(file), *base["columns"]))
        return cls(bases, np.array(described["weights"]), float(described["intercept"]))


def _kind(name: str) -> type[FittedModel]:
    kinds: dict[str, type[FittedModel]] = {_FOLD_MODELS: FoldModels, "blend": BlendModel}
    return kinds[name] if name in kinds else MODELS[name].model_class
