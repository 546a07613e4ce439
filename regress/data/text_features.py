"""A bank as a scikit-learn transformer: texts in, the columns of a selection out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from features.banks import Banks
from features.keys import Text
from features.selection import Selection
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

    def fit(self, X: Sequence[Text], y: object = None) -> Self:
        """Open the bank and resolve the selection.

        Parameters
        ----------
        X
            n_samples texts, or a table of strings whose rows are the parts of a text; they have
            to be texts, and are not looked up before `transform`.
        y
            Ignored.

        Raises
        ------
        TypeError
            For what is no text.
        SelectionError, BankError
            When the bank cannot be opened or cannot serve the selection.
        """
        _texts(X)
        self.banks_ = Banks(opened(self.bank))
        self.terms_ = self.banks_.resolve(self.selection)
        return self

    def transform(self, X: Sequence[Text]) -> NDArray[np.float32]:
        """The selection's columns, shape (n_samples, n_columns), float32.

        Raises
        ------
        MissingTexts
            When the bank lacks any of them.
        """
        check_is_fitted(self)
        texts = _texts(X)
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
    """Texts of a sequence, a column or a table."""
    if isinstance(X, (str, Path)):
        raise TypeError("give a list of texts, not a single one")
    rows = X.to_numpy() if hasattr(X, "to_numpy") else X
    if isinstance(rows, np.ndarray):
        if rows.ndim > 2:
            raise TypeError(f"texts come in a list or a table, not in {rows.ndim} dimensions")
        if rows.ndim == 2:
            rows = rows[:, 0] if rows.shape[1] == 1 else map(tuple, rows.tolist())
    texts: list[Text] = []
    for number, row in enumerate(rows, start=1):
        parts = row if isinstance(row, (tuple, list)) else (row,)
        if not parts or not all(isinstance(part, str) for part in parts):
            raise TypeError(f"row {number} is {type(row).__name__} {row!r:.60}, and no text")
        texts.append(tuple(map(str, parts)) if isinstance(row, (tuple, list)) else str(row))
    return texts
