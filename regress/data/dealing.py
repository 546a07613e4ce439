"""Dealing distinct texts out to folds: stratum by stratum, or whole groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regress.compute.arrays import Matrix, Rows, numbered

#: Targets are cut into so many quantiles.
N_STRATA = 10


def target_strata(y: Matrix, n_strata: int = N_STRATA) -> Rows:
    """Stratum of each target value: deciles as `pandas.qcut` cuts them.

    Up to `n_strata` distinct values are a stratum each, since quantiles of grades or labels
    would coincide and leave the rare ones unstratified.
    """
    values, which = np.unique(y, return_inverse=True)
    if len(values) <= n_strata:
        return which.astype(np.int64)
    edges = np.unique(np.quantile(y, np.linspace(0, 1, n_strata + 1)))
    return np.searchsorted(edges[1:-1], y, side="left").astype(np.int64)


def deal(strata: Rows, n_folds: int, rng: np.random.Generator) -> Rows:
    """Shuffle each stratum and deal it out, going on where the last one stopped.

    So both the folds and each stratum's share in them differ by one at most.
    """
    order = np.lexsort((rng.random(len(strata)), strata))
    folds = np.empty(len(strata), dtype=np.int64)
    folds[order] = np.arange(len(strata)) % n_folds
    return folds


def deal_by_size(sizes: Rows, n_folds: int, rng: np.random.Generator) -> Rows:
    """Give each unit, large ones early, to the fold that is smallest so far.

    Were the largest always first, units of different sizes could only be divided in one way, and
    repeats would repeat it.
    """
    folds = np.empty(len(sizes), dtype=np.int64)
    filled = np.zeros(n_folds, dtype=np.int64)
    for unit in np.argsort(-sizes * rng.uniform(0.5, 1, len(sizes)), kind="stable"):
        folds[unit] = filled.argmin()
        filled[folds[unit]] += sizes[unit]
    return folds


def joined_groups(which: Rows, groups: Sequence[str]) -> Rows:
    """Number each row's group, taking groups that share a text as one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, group = numbered(groups)
    n_texts, n_groups = int(which.max()) + 1, len(names)
    size = n_texts + n_groups
    links = coo_array((np.ones(len(which)), (which, n_texts + group)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    _, unit = np.unique(component[which], return_inverse=True)
    return unit.astype(np.int64)
