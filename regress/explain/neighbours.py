"""Which training texts a model takes for similar: its own kernel, normalised.

The similarity of two texts is ``k(a, b) / sqrt(k(a, a) k(b, b))``, 1 for texts that the model
cannot tell apart, with the kernel that the model itself predicts by:

- **ridge** the product of standardised vectors, so that this is their cosine;
- **krr**, **svr**, **pairwise** the RBF kernel at the model's own gamma;
- **lightgbm** the share of trees in which both texts fall into the same leaf;
- one model a fold: the mean over the models; a blend: the mean, by the size of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from regress.compute.memory import row_chunks
from regress.models.base import FittedModel, Matrix
from regress.models.ensembles import BlendModel, FoldModels
from regress.models.lightgbm import BoostedModel
from regress.models.rbf import RBFModel
from regress.models.ridge import RidgeModel
from regress.models.training import standardise

#: Similarities, shape (n_samples, n_others), to others' features of shape (n_others, n_features).
Similarity = Callable[[NDArray[Any]], Matrix]


#: Given the numbers of a part of the rows, their features.
Read = Callable[[slice], NDArray[Any]]


def similarity_to(model: FittedModel, X: NDArray[Any]) -> Similarity:
    """What gives the similarity of texts with features X to others.

    Raises
    ------
    InputError
        A model of a kind that has no kernel.
    """
    for kind, prepare in _PREPARED.items():
        if isinstance(model, kind):
            return prepare(model, X)
    raise InputError(f"{type(model).__name__} cannot be explained: name another --model")


def nearest(
    similarity: Similarity,
    read: Read,
    width: int,
    n_nearest: int,
    *,
    same: NDArray[np.int64],
    numbers: NDArray[np.int64],
) -> tuple[NDArray[np.int64], Matrix]:
    """The most similar of many rows, read a part at a time.

    Parameters
    ----------
    read
        Features of a part of the rows, `width` columns.
    same, numbers
        Shape (n_samples,) and (n_rows,): rows with a sample's own number are that text itself,
        and left out.

    Returns
    -------
    Their numbers and similarities, the most similar first, shape (n_samples, n_nearest); fewer
    where rows are fewer. What is left out has the similarity -infinity.
    """
    at: NDArray[np.int64] = np.empty((len(same), 0), np.int64)
    best: Matrix = np.empty((len(same), 0))
    for rows in row_chunks(len(numbers), width):
        of_rows = np.arange(len(numbers))[rows]
        found = np.where(same[:, None] == numbers[of_rows], -np.inf, similarity(read(rows)))
        at = np.hstack([at, np.broadcast_to(of_rows, found.shape)])
        best = np.hstack([best, found])
        order = np.argsort(-best, axis=1, kind="stable")[:, :n_nearest]
        at = np.take_along_axis(at, order, axis=1)
        best = np.take_along_axis(best, order, axis=1)
    return at, best


def _cosine(model: RidgeModel, X: NDArray[Any]) -> Similarity:
    Z = _unit(standardise(X, model.mean, model.scale))
    return lambda others: Z @ _unit(standardise(others, model.mean, model.scale)).T


def _unit(Z: Matrix) -> Matrix:
    lengths = np.sqrt(np.einsum("ij,ij->i", Z, Z))
    Z /= np.where(lengths > 0, lengths, 1.0)[:, None]
    return Z


def _rbf(model: RBFModel, X: NDArray[Any]) -> Similarity:
    Z = standardise(X, model.mean, model.scale)
    squares = np.einsum("ij,ij->i", Z, Z)

    def similarity(others: NDArray[Any]) -> Matrix:
        T = standardise(others, model.mean, model.scale)
        distances = squares[:, None] + np.einsum("ij,ij->i", T, T) - 2 * (Z @ T.T)
        K: Matrix = np.exp(-model.gamma * np.maximum(distances, 0))
        return K

    return similarity


def _leaves(model: BoostedModel, X: NDArray[Any]) -> Similarity:
    import lightgbm

    booster = lightgbm.Booster(model_str=model.text)

    def leaves(features: NDArray[Any]) -> NDArray[Any]:
        found = np.asarray(booster.predict(features, pred_leaf=True, num_threads=1))
        return found.reshape(len(features), -1)

    own = leaves(X)

    def similarity(others: NDArray[Any]) -> Matrix:
        theirs = leaves(others)
        return np.stack([(theirs == one).mean(axis=1) for one in own])

    return similarity


def _of_folds(model: FoldModels, X: NDArray[Any]) -> Similarity:
    width = X.shape[1] // len(model.models)
    columns = [slice(at * width, (at + 1) * width) for at in range(len(model.models))]
    each = [similarity_to(one, X[:, at]) for one, at in zip(model.models, columns, strict=True)]
    return lambda others: np.mean(
        [similarity(others[:, at]) for similarity, at in zip(each, columns, strict=True)], axis=0
    )


def _of_blend(model: BlendModel, X: NDArray[Any]) -> Similarity:
    sizes = np.abs(model.weights)
    shares = sizes / sizes.sum() if sizes.sum() > 0 else np.full(len(sizes), 1 / len(sizes))
    each = [
        (share, slice(of.start, of.stop), similarity_to(of.model, X[:, of.start : of.stop]))
        for of, share in zip(model.bases, shares, strict=True)
        if share > 0
    ]
    return lambda others: np.sum(
        [share * similarity(others[:, at]) for share, at, similarity in each], axis=0
    )


_PREPARED: dict[type[Any], Callable[[Any, NDArray[Any]], Similarity]] = {
    RidgeModel: _cosine,
    RBFModel: _rbf,
    BoostedModel: _leaves,
    FoldModels: _of_folds,
    BlendModel: _of_blend,
}
