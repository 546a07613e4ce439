"""Solve (A + shift I) x = b for one symmetric A and many shifts.

``A = Q B Q'`` with B a narrow band (Householder) costs a fifth of a full eigendecomposition and
serves every shift as well: ``(A + s I)^-1 b = Q (B + s I)^-1 Q'b``, where the middle is a banded
system, solved in O(n). Small matrices become tridiagonal, by LAPACK's own routine. Half of that
routine's work is products of a matrix and a vector, which wait for memory where a matrix is large.
Large ones become a wider band, 64 columns at a time, by products of matrices alone (G. H. Golub
and C. F. Van Loan, *Matrix Computations*, 4th ed. 2013, sections 4.3, 5.2.3 and 8.3.1; C. Bischof,
B. Lang and X. Sun, "A framework for symmetric band reduction", 2000, for the band).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from regress.compute.arrays import Matrix
from regress.compute.lapack import check, lapack, level_3

#: Columns that LAPACK's blocked routines work on at a time, and width of the band.
BLOCK = 64

#: From so many rows on the wide band is the faster one.
WIDE = 1200


class ShiftedSystem:
    """One symmetric matrix, factorised once for every shift.

    Parameters
    ----------
    A
        Shape (n, n), float64, contiguous, symmetric. It is **overwritten**.
    """

    def __init__(self, A: Matrix) -> None:
        # Memory in row order, read in column order, is the transpose: the same matrix.
        factors = A.T if A.flags.c_contiguous else A
        self._reduced: _Reduced = (_Band if len(A) >= WIDE else _Tridiagonal)(factors)

    def solve(self, b: Matrix, shifts: NDArray[np.float64]) -> Matrix:
        """Solutions for every shift.

        Parameters
        ----------
        b
            Shape (n, n_targets).
        shifts
            Shape (n_shifts,); no ``A + shift I`` may be singular.

        Returns
        -------
        Shape (n, n_shifts, n_targets).
        """
        n, n_targets = b.shape
        rotated = self._reduced.rotate(b, transpose=True)
        solved = np.empty((n, len(shifts), n_targets))
        for i, shift in enumerate(shifts):
            solved[:, i] = self._reduced.solve(shift, rotated)
        return self._reduced.rotate(solved.reshape(n, -1)).reshape(solved.shape)


class _Reduced(Protocol):
    """A = Q B Q', where B is narrow."""

    def rotate(self, b: Matrix, *, transpose: bool = False) -> Matrix:
        """Q b, or Q'b, in column order."""

    def solve(self, shift: float, b: Matrix) -> Matrix:
        """``(B + shift I)^-1 b``."""


class _Tridiagonal:
    """B is tridiagonal: LAPACK's dsytrd."""

    def __init__(self, factors: Matrix) -> None:
        self._factors = factors
        n = len(factors)
        self._diagonal = np.empty(n)
        self._off_diagonal, self._tau = np.empty((2, max(n - 1, 1)))
        work = np.empty(BLOCK * n)
        outputs = (self._diagonal, self._off_diagonal, self._tau, work)
        lapack("dsytrd", b"L", n, factors, n, *outputs, len(work))

    def rotate(self, b: Matrix, *, transpose: bool = False) -> Matrix:
        # Q leaves the first row alone, its reflectors lie below the diagonal.
        rotated = np.array(b, dtype=np.float64, order="F")
        n, n_columns = rotated.shape
        if n > 1:
            reflectors, below = self._factors[1:, :-1], rotated[1:]
            work = np.empty(max(BLOCK * n_columns, 1) + BLOCK * (BLOCK + 1))
            shape = (n - 1, n_columns, n - 1)
            how = b"T" if transpose else b"N"
            in_place = (reflectors, n, self._tau, below, n, work, len(work))
            lapack("dormqr", b"L", how, *shape, *in_place)
        return rotated

    def solve(self, shift: float, b: Matrix) -> Matrix:
        diagonal, off_diagonal = self._diagonal + shift, self._off_diagonal
        if len(diagonal) == 1:
            return np.asarray(b / diagonal[0])
        *_, x, info = scipy.linalg.lapack.dgtsv(off_diagonal, diagonal, off_diagonal, b)
        check(info, "dgtsv")
        return np.asarray(x)


class _Reflectors(NamedTuple):
    """``I - V T V'``, which works on the rows from `start` on."""

    start: int
    V: Matrix
    T: Matrix

    def apply(self, b: Matrix, *, transpose: bool) -> None:
        """Multiply b, in place, by this from the left."""
        T = self.T.T if transpose else self.T
        b[self.start :] -= self.V @ (T @ (self.V.T @ b[self.start :]))


class _Band:
    """B has `BLOCK` diagonals below the middle one.

    Each step takes the next `BLOCK` columns, makes what lies below the band in them zero by a QR
    factorisation, and multiplies the rest by its reflectors from both sides: with ``Y = S V T``
    and ``W = Y - V T' V' Y / 2`` it is ``S - V W' - W V'``.
    """

    def __init__(self, A: Matrix) -> None:
        n = len(A)
        self._reflectors: list[_Reflectors] = []
        for column in range(0, n - BLOCK - 1, BLOCK):
            start = column + BLOCK
            panel = np.array(A[start:, column:start], order="F")
            V, T, R = _qr(panel)
            A[start:, column:start] = 0
            A[start : start + len(R), column:start] = R
            rest, m = A[start:, start:], n - start
            Y, VT = np.empty_like(V), np.asfortranarray(V @ T)
            k = V.shape[1]
            level_3("dsymm", b"L", b"L", m, k, 1.0, rest, n, VT, m, 0.0, Y, m)
            W = np.asfortranarray(Y - 0.5 * (V @ (T.T @ (V.T @ Y))))
            level_3("dsyr2k", b"L", b"N", m, k, -1.0, V, m, W, m, 1.0, rest, n)
            self._reflectors.append(_Reflectors(start, V, T))
        self._band = np.zeros((BLOCK + 1, n), order="F")
        for below in range(min(BLOCK, n - 1) + 1):
            self._band[below, : n - below] = np.diagonal(A, -below)

    def rotate(self, b: Matrix, *, transpose: bool = False) -> Matrix:
        rotated = np.array(b, dtype=np.float64, order="F")
        for reflectors in self._reflectors if transpose else reversed(self._reflectors):
            reflectors.apply(rotated, transpose=transpose)
        return rotated

    def solve(self, shift: float, b: Matrix) -> Matrix:
        shifted, x = self._band.copy(order="F"), np.array(b, order="F")
        shifted[0] += shift
        n, n_columns = x.shape
        try:
            lapack("dpbtrf", b"L", n, BLOCK, shifted, BLOCK + 1)
        except np.linalg.LinAlgError:  # below zero by rounding, or by its nature
            return self._solve_indefinite(shift, b)
        lapack("dpbtrs", b"L", n, BLOCK, n_columns, shifted, BLOCK + 1, x, n)
        return x

    def _solve_indefinite(self, shift: float, b: Matrix) -> Matrix:
        n = self._band.shape[1]
        whole = np.zeros((2 * BLOCK + 1, n))
        for below in range(min(BLOCK, n - 1) + 1):
            diagonal = self._band[below, : n - below]
            whole[BLOCK + below, : n - below] = diagonal
            whole[BLOCK - below, below:] = diagonal
        whole[BLOCK] += shift
        return np.asarray(scipy.linalg.solve_banded((BLOCK, BLOCK), whole, b))


def _qr(panel: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """V and T of a panel's reflectors, and R, (k, n_columns); shapes (m, k), (k, k).

    Parameters
    ----------
    panel
        Shape (m, n_columns), in column order; overwritten.
    """
    m, n_columns = panel.shape
    k = min(m, n_columns)
    tau, work = np.empty(k), np.empty(BLOCK * n_columns)
    lapack("dgeqrf", m, n_columns, panel, m, tau, work, len(work))
    R = np.triu(panel[:k])
    V = np.asfortranarray(np.tril(panel[:, :k], -1))
    np.fill_diagonal(V, 1.0)
    T = np.zeros((k, k), order="F")
    # V' V gives T column by column (R. Schreiber and C. Van Loan, 1989).
    products = V.T @ V
    for i in range(k):
        T[:i, i] = -tau[i] * (T[:i, :i] @ products[:i, i])
        T[i, i] = tau[i]
    return V, T, R
