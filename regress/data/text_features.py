"""A bank as a scikit-learn transformer: texts in, the columns of a selection out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from features.banks import Banks
from features.columns import as_list, column_names
from features.errors import InputError
from features.selection import Selection
from features.texts import Text, TextsLike, as_texts
from regress.data.fold_banks import BankLike, opened


class TextFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Looks texts up in a bank.

    Nothing is learned from the texts, so that a text has the same features in every fold; put a
    scaler behind it, in a pipeline. A grid search over ``selection`` chooses layers and poolings.

    Parameters
    ----------
    bank
        A bank's folder, an open bank, or several of either.
    selection
        Which blocks, such as ``"mean[-4:]"``; with several banks they name theirs.

    Attributes
    ----------
    terms_
        The selection's blocks as the bank resolves them.
    banks_
        The open banks.

    Examples
    --------
    ::

        pipeline = make_pipeline(TextFeatures("my.bank"), StandardScaler(), Ridge())
        grid = {"textfeatures__selection": ["mean[-1]", "mean[:]"]}
        search = GridSearchCV(pipeline, grid).fit(texts, y)
    """

    def __init__(self, bank: BankLike, selection: str | Selection = "mean[-1]") -> None:
        self.bank = bank
        self.selection = selection

    def fit(self, X: TextsLike, y: object = None) -> Self:
        """Open the bank and resolve the selection.

        Parameters
        ----------
        X
            n_samples texts, in whatever `features.as_texts` takes, or a table of strings
            whose rows are the parts of a text; they have to be texts, and are not looked up before
            `transform`. A generator is not read here.
        y
            Ignored.

        Raises
        ------
        TypeError
            For what is no text.
        SelectionError, BankError
            When the bank cannot be opened or cannot serve the selection.
        """
        if not isinstance(X, Iterator):  # which can be read once, and is for `transform`
            _texts(X)
        self.banks_ = Banks(opened(self.bank))
        self.terms_ = self.banks_.resolve(self.selection)
        return self

    def transform(self, X: TextsLike) -> NDArray[np.float32]:
        """The selection's columns, shape (n_samples, n_columns), float32.

        Raises
        ------
        MissingTexts
            When the bank lacks any of them.
        """
        check_is_fitted(self)
        return self._matrix(_texts(X))

    def fit_transform(self, X: TextsLike, y: object = None, **_: object) -> NDArray[np.float32]:
        """As `fit` and then `transform`, of texts that are read once: a generator will do."""
        texts = _texts(X)
        return self.fit(texts)._matrix(texts)

    def _matrix(self, texts: list[Text]) -> NDArray[np.float32]:
        return np.asarray(self.banks_.matrix(texts, self.selection), dtype=np.float32)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns, such as ``mean.12.0``; `input_features` is ignored."""
        check_is_fitted(self)
        return np.asarray(self.banks_.column_names(self.selection), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _texts(X: Any) -> list[Text]:
    """Texts of a column or of a table; TypeError, as scikit-learn has it, for what holds none."""
    try:
        names = column_names(X)
        if names is not None and len(names) > 1:
            X = list(zip(*(as_list(X[name], "texts") for name in names), strict=True))
        return as_texts(X)
    except InputError as error:
        raise TypeError(str(error)) from None
