"""Solve (A + shift I) x = b for one symmetric A and many shifts.

``A = Q T Q'`` with T tridiagonal (Householder) costs a fifth of a full eigendecomposition and
serves every shift as well: ``(A + s I)^-1 b = Q (T + s I)^-1 Q'b``, where the middle is a
tridiagonal system, solved in O(n) (G. H. Golub and C. F. Van Loan, *Matrix Computations*,
4th ed. 2013, sections 8.3.1 and 4.3.6).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg import cython_lapack

from regress.compute.arrays import Matrix

#: Columns that LAPACK's blocked routines work on at a time.
_BLOCK = 64


class ShiftedSystem:
    """One symmetric matrix, factorised once for every shift.

    Parameters
    ----------
    A
        Shape (n, n), float64, contiguous, symmetric. It is **overwritten** with the factors.
    """

    def __init__(self, A: Matrix) -> None:
        # Memory in row order, read in column order, is the transpose: the same matrix.
        self._factors = A.T if A.flags.c_contiguous else A
        n = len(A)
        self._diagonal = np.empty(n)
        self._off_diagonal, self._tau = np.empty((2, max(n - 1, 1)))
        work = np.empty(_BLOCK * n)
        outputs = (self._diagonal, self._off_diagonal, self._tau, work)
        _call("dsytrd", b"L", n, self._factors, n, *outputs, len(work))

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
        rotated = self._rotate(b, transpose=True)
        solved = np.empty((n, len(shifts), n_targets))
        for i, shift in enumerate(shifts):
            solved[:, i] = self._solve_tridiagonal(shift, rotated)
        return self._rotate(solved.reshape(n, -1)).reshape(solved.shape)

    def _rotate(self, b: Matrix, *, transpose: bool = False) -> Matrix:
        """Q b, or Q'b: Q leaves the first row alone, its reflectors lie below the diagonal."""
        rotated = np.array(b, dtype=np.float64, order="F")
        n, n_columns = rotated.shape
        if n > 1:
            reflectors, below = self._factors[1:, :-1], rotated[1:]
            work = np.empty(max(_BLOCK * n_columns, 1) + _BLOCK * (_BLOCK + 1))
            shape = (n - 1, n_columns, n - 1)
            how = b"T" if transpose else b"N"
            in_place = (reflectors, n, self._tau, below, n, work, len(work))
            _call("dormqr", b"L", how, *shape, *in_place)
        return rotated

    def _solve_tridiagonal(self, shift: float, b: Matrix) -> Matrix:
        diagonal, off_diagonal = self._diagonal + shift, self._off_diagonal
        if len(diagonal) == 1:
            return np.asarray(b / diagonal[0])
        *_, x, info = scipy.linalg.lapack.dgtsv(off_diagonal, diagonal, off_diagonal, b)
        _check(info, "dgtsv")
        return np.asarray(x)


def solve_positive(A: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Solve ``A x = b`` in single precision by Cholesky, A symmetric and positive definite.

    Parameters
    ----------
    A
        Shape (n, n), contiguous; **overwritten**.
    b
        Shape (n, n_columns).
    """
    n, x = len(A), np.array(b, dtype=np.float32, order="F")
    _call("spotrf", b"L", n, A, n)
    _call("spotrs", b"L", n, x.shape[1], A, n, x, n)
    return x


def _call(routine: str, *arguments: bytes | int | NDArray[Any]) -> None:
    """Call LAPACK: bytes and numbers by reference, arrays in place, `info` checked."""
    info = ctypes.c_int(0)
    _routine(routine)(*map(_reference, arguments), ctypes.byref(info))
    _check(info.value, routine)


def _reference(argument: bytes | int | NDArray[Any]) -> Any:
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    return argument.ctypes.data_as(ctypes.c_void_p)


def _check(info: int, routine: str) -> None:
    if info != 0:
        raise np.linalg.LinAlgError(f"LAPACK's {routine} failed with info={info}")


@cache
def _routine(name: str) -> Any:
    """A LAPACK routine at its address.

    scipy's Python wrappers hold the interpreter lock while they work, so that threads would wait
    for each other; a call through ctypes lets it go. scipy publishes the addresses for compiled
    callers, in capsules that are named by their C signature.
    """
    capsule = cython_lapack.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetPointer.restype = (
        ctypes.c_char_p,
        ctypes.c_void_p,
    )
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    signature = api.PyCapsule_GetName(capsule)
    kinds = [kind.split()[0] for kind in signature[signature.index(b"(") + 1 : -1].split(b",")]
    if not all(kind in (b"char", b"int") or kind.endswith((b"_d", b"_s")) for kind in kinds):
        raise ImportError(f"scipy's LAPACK has an unexpected signature for {name}: {signature!r}")
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(kinds))
    return prototype(api.PyCapsule_GetPointer(capsule, signature))
