"""LightGBM's text of a model, checked: the one way by which trees from a file reach LightGBM.

LightGBM's own parser, in C++, takes every number on trust: a child that does not exist or comes
before its parent, or a count that is wrong, makes it read and write outside its memory, or go round
in circles. So a text from a file is read here, line by line, into arrays that are checked, and is
written anew from these. What LightGBM then parses holds no byte of the file.

The trees are those of `TunedLightGBM`: one number for each text, numerical splits, constant leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Lines before the first tree that decide what trees mean, and what they have to say.
HEADER: Mapping[str, str] = {
    "version": r"v[34]",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "regression",
}

#: Other lines that stand there.
BESIDES = ("tree", "max_feature_idx", "feature_names", "feature_infos", "tree_sizes")

#: Lines of a tree that predictions and explanations need; those of splits are one shorter.
OF_SPLITS = {
    "split_feature": np.int32, "threshold": np.float64, "decision_type": np.int32,
    "left_child": np.int32, "right_child": np.int32, "internal_count": np.int32,
}  # fmt: skip
OF_LEAVES = {"leaf_value": np.float64, "leaf_count": np.int32}

#: Lines of a tree that are not read: they say how it was trained.
UNREAD = ("split_gain", "leaf_weight", "internal_value", "internal_weight", "shrinkage")

#: Bits of a split's type. Bit 0 would be a split by categories; bits 2 and 3 say what is missing:
#: nothing, zeros, or what is not a number.
DECISIONS = (0, 2, 4, 6, 8, 10)

#: Splits on the way to a leaf, at the most: LightGBM's functions call themselves so often.
MAX_DEPTH = 512

#: Digits that tell a double from every other.
DIGITS = ".17g"


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree of n leaves, as LightGBM numbers them.

    Attributes
    ----------
    splits
        Arrays of shape (n - 1,) by the names in `OF_SPLITS`. A child is a later split's number,
        or ``-1 - leaf``.
    leaves
        Arrays of shape (n,) by the names in `OF_LEAVES`.
    """

    splits: Mapping[str, NDArray[Any]]
    leaves: Mapping[str, NDArray[Any]]


def checked_text(text: str) -> str:
    """The same model, written anew from what was read and checked.

    Raises
    ------
    ValueError
        It is no text of a model that `TunedLightGBM` makes; the message says what is wrong.
    """
    n_columns, trees = read_trees(text)
    return write_trees(n_columns, trees)


def shifted_text(text: str, by: float) -> str:
    """The same model with a number added to all that it predicts; ValueError as `checked_text`."""
    n_columns, trees = read_trees(text)
    trees[0].leaves["leaf_value"][:] += by
    return write_trees(n_columns, trees)


def read_trees(text: str) -> tuple[int, list[Tree]]:
    """The number of columns that a model takes, and its trees; ValueError as `checked_text`."""
    head, *parts = re.split(r"^Tree=", text, flags=re.MULTILINE)
    header = _lines(head.splitlines())
    for name, expected in HEADER.items():
        if not re.fullmatch(expected, header.get(name, "")):
            raise ValueError(f"{name} is {header.get(name, '')[:20]!r}")
    if unknown := header.keys() - {*HEADER, *BESIDES}:
        raise ValueError(f"it has a line {min(unknown)[:20]!r}")
    n_columns = len(header.get("feature_names", "").split())
    if header.get("max_feature_idx") != str(n_columns - 1):
        raise ValueError(f"max_feature_idx does not fit {n_columns} feature_names")
    trees = []
    for number, part in enumerate(parts):
        first, *lines = part.partition("\nend of trees")[0].splitlines()
        if first != str(number):
            raise ValueError(f"tree {number} is called {first[:20]!r}")
        try:
            trees.append(_tree(_lines(lines), n_columns))
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from None
    if not re.search(r"^end of trees$", text, flags=re.MULTILINE):
        raise ValueError("it ends before its trees do")
    return n_columns, trees


def _lines(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition("=")
        if name in found:
            raise ValueError(f"{name[:20]} stands there twice")
        found[name] = value
    return found


def _tree(lines: Mapping[str, str], n_columns: int) -> Tree:
    for name, expected in {"num_cat": "0", "is_linear": "0"}.items():
        if lines.get(name) != expected:
            raise ValueError(f"{name} is {lines.get(name, '')[:20]!r}")
    if unknown := lines.keys() - {
        "num_leaves", "num_cat", "is_linear", *OF_SPLITS, *OF_LEAVES, *UNREAD
    }:  # fmt: skip
        raise ValueError(f"it has a line {min(unknown)[:20]!r}")
    leaves = {name: _numbers(lines, name, kind) for name, kind in OF_LEAVES.items()}
    splits = {name: _numbers(lines, name, kind) for name, kind in OF_SPLITS.items()}
    n_leaves = len(leaves["leaf_value"])
    if n_leaves == 1:  # of a stump LightGBM writes some lines empty and some not at all
        leaves["leaf_count"] = np.zeros(1, np.int32)
    sizes = {len(array) for array in leaves.values()}, {len(array) for array in splits.values()}
    if lines.get("num_leaves") != str(n_leaves) or sizes != ({n_leaves}, {n_leaves - 1}):
        raise ValueError("its lines do not have a number for each of its leaves")
    _check_splits(splits, n_leaves, n_columns)
    if (leaves["leaf_count"] < 0).any():
        raise ValueError("a leaf has a negative count")
    return Tree(splits, leaves)


def _numbers(lines: Mapping[str, str], name: str, kind: type[Any]) -> NDArray[Any]:
    """The numbers of a line; ValueError for one that is not finite, or no integer of 32 bits."""
    numbers = np.array([float(word) for word in lines.get(name, "").split()])
    fits = np.isfinite(numbers)
    if kind is np.int32:
        fits &= (numbers == np.rint(numbers)) & (np.abs(numbers) < 2**31)
    if not fits.all():
        raise ValueError(f"{name} holds a number that it cannot hold")
    return numbers.astype(kind)


def _check_splits(splits: Mapping[str, NDArray[Any]], n_leaves: int, n_columns: int) -> None:
    """ValueError unless every split and leaf but the root is the child of one earlier split."""
    children = np.stack([splits["left_child"], splits["right_child"]], axis=1)
    parents = np.arange(n_leaves - 1)[:, None]
    if ((children >= 0) & (children <= parents)).any():
        raise ValueError("a split is a child of a later one, or of itself")
    expected = [*range(-n_leaves, 0), *range(1, n_leaves - 1)]
    if n_leaves > 1 and not np.array_equal(np.sort(children, axis=None), expected):
        raise ValueError("its splits and leaves are not each the child of one split")
    depth = np.ones(n_leaves - 1, int)
    for parent, pair in enumerate(children.tolist()):
        depth[[child for child in pair if child > 0]] = depth[parent] + 1
    if depth.max(initial=0) > MAX_DEPTH:
        raise ValueError(f"it has more than {MAX_DEPTH} splits, one below the other")
    if not ((splits["split_feature"] >= 0) & (splits["split_feature"] < n_columns)).all():
        raise ValueError(f"it splits a column that is none of {n_columns}")
    if not np.isin(splits["decision_type"], DECISIONS).all():
        raise ValueError("it has a split of a kind that is not made here")
    if (splits["internal_count"] < 0).any():
        raise ValueError("a split has a negative count")


def write_trees(n_columns: int, trees: Iterable[Tree]) -> str:
    """The text of a model that LightGBM reads, with nothing in it but what it needs."""
    parts = [f"Tree={number}\n{_tree_text(tree)}\n\n" for number, tree in enumerate(trees)]
    header = {
        "version": "v4", "num_class": 1, "num_tree_per_iteration": 1, "label_index": 0,
        "max_feature_idx": n_columns - 1, "objective": "regression",
        "feature_names": " ".join(f"Column_{number}" for number in range(n_columns)),
        "feature_infos": " ".join(["none"] * n_columns),
        "tree_sizes": " ".join(str(len(part)) for part in parts),
    }  # fmt: skip
    lines = [f"{name}={value}" for name, value in header.items()]
    return "\n".join(["tree", *lines, "", "".join(parts) + "end of trees", ""])


def _tree_text(tree: Tree) -> str:
    def lines() -> Iterator[str]:
        yield f"num_leaves={len(tree.leaves['leaf_value'])}"
        yield "num_cat=0"
        for name, numbers in {**tree.splits, **tree.leaves}.items():
            yield f"{name}={' '.join(format(number, DIGITS) for number in numbers.tolist())}"
        yield "is_linear=0"
        yield "shrinkage=1"

    return "\n".join([*lines(), ""])
