"""The bank as a transformer: scikit-learn's own checks, pipelines, grid searches."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from features.errors import MissingTexts, SelectionError
from regress import TextFeatures
from tests.regress.conftest import MadeUpTask, fill

MakeTask = Callable[..., MadeUpTask]

#: scikit-learn's checks that need no table of numbers.
#: Skipped, as `check_estimator` itself skips them for every estimator of texts (two_d_array is
#: False): all that fit random numbers (check_transformer_general, check_n_features_in,
#: check_estimators_nan_inf, check_dtype_object, check_fit2d_*, check_methods_*_invariance,
#: check_set_output_transform, check_estimators_pickle, check_positive_only_tag …), since numbers
#: are no texts, and check_parameters_default_constructible, since no bank is anybody's default.
#: What set_output, pickle and the invariances promise is tested on texts below.
APPLICABLE = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_mixin_order",
    "check_n_features_in_after_fitting",
]


@pytest.mark.parametrize("name", APPLICABLE)
def test_scikit_learns_own_checks(make_task: MakeTask, name: str) -> None:
    getattr(estimator_checks, name)("TextFeatures", TextFeatures(str(make_task().bank.path)))


def test_it_gives_the_banks_matrix_under_its_names(make_task: MakeTask) -> None:
    bank, texts, _ = make_task()
    transformer = TextFeatures(bank.path, "mean[-1]+cls[0]")
    X = transformer.fit_transform(texts[::-1])
    np.testing.assert_array_equal(X, bank.matrix(texts[::-1], "mean[-1]+cls[0]"))
    assert transformer.get_feature_names_out()[[0, -1]].tolist() == ["mean.2.0", "cls.0.5"]
    frame = transformer.set_output(transform="pandas").transform(texts)
    assert list(frame.columns)[:2] == ["mean.2.0", "mean.2.1"]
    np.testing.assert_array_equal(frame.to_numpy(), X[::-1])
    indexed = transformer.transform(pd.Series(texts, index=range(7, 97)))
    np.testing.assert_array_equal(indexed.to_numpy(), X[::-1])
    again = pickle.loads(pickle.dumps(transformer))
    pd.testing.assert_frame_equal(again.transform(texts), frame)


def test_a_grid_search_chooses_the_selection(make_task: MakeTask) -> None:
    bank, texts, y = make_task()
    pipeline = make_pipeline(TextFeatures(str(bank.path)), StandardScaler(), Ridge(10.0))
    grid = {"textfeatures__selection": ["mean[0]", "mean[-1]", "cls[0]"]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(texts, y)
    assert search.best_params_ == {"textfeatures__selection": "mean[-1]"}
    assert search.predict(texts[:4]).shape == (4,)


def test_open_banks_are_cloned_and_several_named(make_task: MakeTask) -> None:
    one, texts, _ = make_task(name="one.bank")
    other = make_task(name="other.bank", hidden=4).bank
    transformer = clone(TextFeatures([one, str(other.path)], "other/cls[1]+one/mean[0]"))
    assert transformer.fit_transform(texts).shape == (90, 10)
    assert transformer.get_feature_names_out()[0] == "other/cls.1.0"


def test_pairs_come_as_tuples_or_as_a_table(make_task: MakeTask) -> None:
    bank, pairs = make_task(20).bank, [("prompt", "essay"), ("another", "one")]
    texts: list[Any] = [*pairs, "alone", "too"]
    states = np.random.default_rng(0).standard_normal((4, len(bank.blocks), bank.hidden_size))
    fill(bank, texts, states.astype(np.float32))
    transformer = TextFeatures(bank)
    for X, expected in (
        (pairs, texts[:2]),
        (pd.DataFrame(pairs, columns=["a", "b"]), texts[:2]),
        (np.array([["alone"], ["too"]]), texts[2:]),
    ):
        np.testing.assert_array_equal(
            transformer.fit_transform(X), bank.matrix(expected, "mean[-1]")
        )


@pytest.mark.parametrize("X", ["one text", [1.5], [None], [("a", 2)], np.zeros((2, 2, 2)), [()]])
def test_what_is_no_text(make_task: MakeTask, X: Any) -> None:
    with pytest.raises(TypeError):
        TextFeatures(make_task(20).bank).fit(X)


def test_what_the_bank_does_not_have(make_task: MakeTask) -> None:
    bank, texts, _ = make_task(20)
    with pytest.raises(SelectionError, match="layers 0 to 2"):
        TextFeatures(bank, "mean[3]").fit(texts)
    with pytest.raises(MissingTexts):
        TextFeatures(bank).fit(["another"]).transform(["another"])
