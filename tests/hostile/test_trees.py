"""LightGBM's text of a model, changed by a stranger: refused, or the very trees that it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from regress import TunedLightGBM
from regress.models.lightgbm import BoostedModel
from regress.models.trees import MAX_DEPTH, OF_LEAVES, OF_SPLITS, Tree, read_trees, write_trees

#: What a number is changed to.
NUMBERS = ("-1", "0", "1", "7", "-8", "160", "2147483647", "2147483648", "-2147483648", "1e308",
           "1e400", "-0.5", "nan", "inf", "", "x", "0x10", "1e", "9" * 40)  # fmt: skip


@pytest.fixture(scope="module", name="X")
def _features() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def text(X: np.ndarray) -> str:
    """Of twelve trees, as LightGBM writes it."""
    params = {"objective": "regression", "num_leaves": 8, "min_data_in_leaf": 3, "verbosity": -1}
    data = lightgbm.Dataset(X, X[:, 0] - X[:, 1] * X[:, 2], params=params)
    return str(lightgbm.train(params, data, 12).model_to_string())


def loaded(text: str, folder: Path) -> BoostedModel:
    path = folder / "000-lightgbm.txt"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return BoostedModel.load(path)


def plain_predictions(trees: Sequence[Tree], X: np.ndarray) -> np.ndarray:
    """One text and one split at a time."""
    total = np.zeros(len(X))
    for row, x in enumerate(X.astype(np.float64)):
        for tree in trees:
            node = 0 if len(tree.splits["threshold"]) else -1
            while node >= 0:
                value = x[tree.splits["split_feature"][node]]
                left = value <= tree.splits["threshold"][node]
                if tree.splits["decision_type"][node] & 4 and abs(value) <= 1e-35:
                    left = bool(tree.splits["decision_type"][node] & 2)  # zeros are missing
                node = tree.splits["left_child" if left else "right_child"][node]
            total[row] += tree.leaves["leaf_value"][-1 - node]
    return total


def require_harmless(changed: str, text: str, X: np.ndarray, folder: Path) -> bool:
    """Whether it is read. It predicts what its numbers say then, the same where none is new."""
    try:
        model = loaded(changed, folder)
    except ValueError:
        return False
    _, trees = read_trees(changed)
    found = model.predict(X)
    np.testing.assert_allclose(found, plain_predictions(trees, X), rtol=1e-9, atol=1e-9)
    _, before = read_trees(text)
    if len(trees) == len(before) and all(
        np.array_equal(value, old.splits.get(name, old.leaves.get(name)))
        for new, old in zip(trees, before, strict=True)
        for name, value in {**new.splits, **new.leaves}.items()
    ):
        np.testing.assert_array_equal(found, loaded(text, folder).predict(X))
    model.parts(X[:3], [0, 2, 5])
    model.similarity_to(X[:3])(X[3:6])
    return True


def test_what_lightgbm_wrote_is_read_to_the_bit(text: str, X: np.ndarray, tmp_path: Path) -> None:
    theirs, ours = lightgbm.Booster(model_str=text), loaded(text, tmp_path)
    again = loaded(ours.text, tmp_path)
    assert again.text == ours.text
    assert ours.text not in text
    booster = ours._booster()
    for what in ({}, {"pred_contrib": True}, {"pred_leaf": True}):
        np.testing.assert_array_equal(theirs.predict(X, **what), booster.predict(X, **what))


def test_trees_without_a_split_are_read(X: np.ndarray, tmp_path: Path) -> None:
    model = TunedLightGBM(4, 2, min_data_in_leaf=60).fit(X, X[:, 0]).model_
    np.testing.assert_array_equal(loaded(model.text, tmp_path).predict(X), model.predict(X))


def change_number(line: str, number: str, at: int = 0) -> Callable[[str], str]:
    """Another number in the first such line."""

    def change(text: str) -> str:
        found = re.search(rf"^{line}=(.*)$", text, flags=re.MULTILINE)
        assert found, line
        numbers = found[1].split(" ")
        numbers[at] = number
        start, stop = found.span(1)
        return text[:start] + " ".join(numbers) + text[stop:]

    return change


#: Changes that crash, hang or mislead LightGBM's own parser.
CHANGES: dict[str, Callable[[str], str]] = {
    **{
        f"{line}={number}": change_number(line, number)
        for line, numbers in {
            "num_tree_per_iteration": ("0", "2", "4", "160"), "num_class": ("0", "3"),
            "max_feature_idx": ("-1", "0", "1000000000"), "objective": ("binary", "poisson", ""),
            "version": ("v1", "v9"), "num_leaves": ("0", "1", "7", "9", "100000000"),
            "num_cat": ("1", "-1"), "is_linear": ("1",), "split_feature": ("-5", "5", "1000000"),
            "left_child": ("0", "-9", "-100000", "100000"), "decision_type": ("1", "3", "12"),
            "leaf_value": ("nan", "inf", "1e999"), "threshold": ("nan", "-inf"),
        }.items()
        for number in numbers
    },
    "a cycle": lambda text: change_number("right_child", "1", 1)(text),
    "cut": lambda text: text[: len(text) // 3],
    "cut within the last tree": lambda text: text[: text.index("end of trees") - 40],
    "no trees' end": lambda text: text.replace("end of trees", ""),
    "a tree twice": lambda text: text.replace("Tree=1\n", "Tree=0\n", 1),
    "averaged": lambda text: text.replace("label_index=0", "label_index=0\naverage_output", 1),
    "a line twice": lambda text: text.replace("num_cat=0", "num_cat=0\nnum_cat=0", 1),
    "categories": lambda text: text.replace("num_cat=0", "num_cat=0\ncat_threshold=1", 1),
    "nothing": lambda _: "",
    "no text": lambda text: "\udcff\udcfe" + text,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_it_does_not_say_is_refused(
    change: Callable[[str], str], text: str, X: np.ndarray, tmp_path: Path
) -> None:
    changed = change(text)
    assert changed != text
    assert not require_harmless(changed, text, X, tmp_path)


def test_a_tree_that_is_too_deep_for_lightgbm_is_refused() -> None:
    def chain(n: int) -> str:
        numbers = np.arange(n, dtype=np.int32)
        right = np.append(numbers[1:], -1 - n).astype(np.int32)
        splits = {name: np.zeros(n, kind) for name, kind in OF_SPLITS.items()}
        splits |= {"left_child": -1 - numbers, "right_child": right}
        leaves = {name: np.zeros(n + 1, kind) for name, kind in OF_LEAVES.items()}
        return write_trees(3, [Tree(splits, leaves)])

    assert len(read_trees(chain(MAX_DEPTH))[1]) == 1
    with pytest.raises(ValueError, match="one below the other"):
        read_trees(chain(MAX_DEPTH + 1))


def random_change(text: str, rng: np.random.Generator) -> str:
    """A number, a line or some bytes of it changed."""
    lines = text[: text.index("end of trees") + 13].split("\n")
    kind, at = rng.integers(6), int(rng.integers(len(lines)))
    if kind <= 2 and "=" in lines[at]:
        name, _, values = lines[at].partition("=")
        numbers = values.split(" ")
        other = numbers[rng.integers(len(numbers))] if kind else NUMBERS[rng.integers(len(NUMBERS))]
        numbers[rng.integers(len(numbers))] = other
        lines[at] = f"{name}={' '.join(numbers)}"
    elif kind == 3:
        lines.insert(int(rng.integers(len(lines))), lines[at])
    elif kind == 4:
        del lines[at : at + int(rng.integers(1, 4))]
    else:
        content = bytearray("\n".join(lines).encode())
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(len(content))] = rng.integers(256)
        return content.decode("utf-8", "surrogateescape")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "n", [pytest.param(300), pytest.param(20_000, marks=pytest.mark.slow)]
)  # fmt: skip
def test_random_changes_do_no_harm(n: int, text: str, X: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(n)
    few = X[:8]
    read = sum(
        require_harmless(random_change(text, rng), text, few, tmp_path) for _ in range(n)
    )  # fmt: skip
    assert 0.1 * n < read < 0.9 * n
