"""LAPACK and BLAS by address, for routines that scipy does not offer, or not to threads."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cython_blas, cython_lapack


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
    lapack("spotrf", b"L", n, A, n)
    lapack("spotrs", b"L", n, x.shape[1], A, n, x, n)
    return x


def lapack(routine: str, *arguments: bytes | int | NDArray[Any]) -> None:
    """Call LAPACK: letters and numbers by reference, arrays in place, `info` checked.

    Raises
    ------
    numpy.linalg.LinAlgError
        The routine failed.
    """
    info = ctypes.c_int(0)
    _routine(cython_lapack, routine)(*map(_reference, arguments), ctypes.byref(info))
    check(info.value, routine)


def level_3(routine: str, *arguments: bytes | int | float | NDArray[Any]) -> None:
    """Call BLAS for a product of matrices, in the same way."""
    _routine(cython_blas, routine)(*map(_reference, arguments))


def check(info: int, routine: str) -> None:
    """LinAlgError unless a routine of LAPACK succeeded."""
    if info != 0:
        raise np.linalg.LinAlgError(f"LAPACK's {routine} failed with info={info}")


def _reference(argument: bytes | int | float | NDArray[Any]) -> Any:
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    if isinstance(argument, float):
        return ctypes.byref(ctypes.c_double(argument))
    return argument.ctypes.data_as(ctypes.c_void_p)


@cache
def _routine(library: Any, name: str) -> Any:
    """A routine of scipy's LAPACK or BLAS at its address.

    scipy's Python wrappers hold the interpreter lock while they work, so that threads would wait
    for each other; a call through ctypes lets it go. scipy publishes the addresses for compiled
    callers, in capsules that are named by their C signature.
    """
    capsule = library.__pyx_capi__[name]
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
        raise ImportError(f"scipy has an unexpected signature for {name}: {signature!r}")
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(kinds))
    return prototype(api.PyCapsule_GetPointer(capsule, signature))
