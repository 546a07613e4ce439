"""Models made of models, each in one file: one a fold, and the weighted sum of a blend."""

from __future__ import annotations

import json
import tempfile
import zipfile
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix
from regress.models.archives import opened_archive
from regress.models.base import Bounds, FittedModel, Parts, Similarity
from regress.models.registry import MODELS

#: Which files a blend holds, and the kind that it says its `FoldModels` are of.
INDEX, _FOLD_MODELS = "blend.json", "fold models"

#: Blends of blends that are read, one in the other.
DEEPEST = 16


class _Ensemble(FittedModel):
    """A model whose file is a zip of those of others."""

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.load_nested(path, 0)

    @classmethod
    @abstractmethod
    def load_nested(cls, path: Path, depth: int) -> Self:
        """As `load`, of a file that lies in so many others."""


@dataclass(frozen=True, eq=False)
class FoldModels(_Ensemble):
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
            if (own_bounds[0], own_bounds[-1]) != (0, own.stop - own.start):
                raise ValueError("its models do not each take whole blocks")
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
    def load_nested(cls, path: Path, depth: int) -> Self:
        kind = _kind(path.stem.partition("-")[2])
        with opened_archive(path) as archive:
            names = sorted(archive.namelist())
            models = tuple(_member(archive, name, kind, depth) for name in names)
        widths = {model.columns_taken() for model in models}
        if len(widths) != 1:
            raise ValueError("its models take different numbers of columns, or there are none")
        return cls(models)

    def columns_taken(self) -> int | None:
        width = self.models[0].columns_taken()
        return None if width is None else width * len(self.models)


class Base(NamedTuple):
    """A model in a blend, with the columns of the blend's features that are its own."""

    name: str
    model: FittedModel
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class BlendModel(_Ensemble):
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
    def load_nested(cls, path: Path, depth: int) -> Self:
        with opened_archive(path) as archive:
            described = json.loads(archive.read(INDEX), parse_constant=_refuse_constant)
            weights = np.array(described["weights"], dtype=np.float64)
            intercept = float(described["intercept"])
            bases = [_base(archive, base, depth) for base in described["bases"]]
        if not bases or weights.shape != (len(bases),):
            raise ValueError(f"{INDEX} has weights for other models than it names")
        if not (np.isfinite(weights).all() and np.isfinite(intercept)):
            raise ValueError(f"{INDEX} holds weights that are not finite")
        return cls(bases, weights, intercept)

    def columns_taken(self) -> int:
        return max(base.stop for base in self.bases)


def _base(archive: zipfile.ZipFile, described: Mapping[str, Any], depth: int) -> Base:
    """A model of a blend, from what `INDEX` says of it."""
    _kind(described["name"])  # names a file when the blend is saved as part of another
    model = _member(archive, described["file"], _kind(described["kind"]), depth)
    start, stop = described["columns"]
    if type(start) is not int or type(stop) is not int or not 0 <= start < stop:
        raise ValueError(f"{INDEX} gives a model the columns {start!r} to {stop!r}")
    if model.columns_taken() not in (None, stop - start):
        raise ValueError(
            f"{INDEX} gives {stop - start} columns to a model of {model.columns_taken()}"
        )
    return Base(described["name"], model, start, stop)


def _member(
    archive: zipfile.ZipFile, name: str, kind: type[FittedModel], depth: int
) -> FittedModel:
    """A model whose file lies in an archive."""
    if depth == DEEPEST:
        raise ValueError(f"more than {DEEPEST} models lie one in the other")
    member = archive.getinfo(name)  # which knows no other names than plain ones
    with tempfile.TemporaryDirectory() as folder:
        file = Path(archive.extract(member, folder))
        return kind.load_nested(file, depth + 1) if issubclass(kind, _Ensemble) else kind.load(file)


def _kind(name: str) -> type[FittedModel]:
    kinds: dict[str, type[FittedModel]] = {_FOLD_MODELS: FoldModels, "blend": BlendModel}
    if name not in kinds and name not in MODELS:
        raise ValueError(
            f"it holds a model of the regressor {name[:40]!r}, which is not registered"
        )
    return kinds[name] if name in kinds else MODELS[name].model_class


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{INDEX} holds {name}")
