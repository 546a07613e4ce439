"""The shifted solver against a plain solve for each shift."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from regress.compute.lapack import ShiftedSystem

SHIFTS = np.logspace(-1, 4, 11)


def system(n: int, n_targets: int, rank: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    Z = rng.standard_normal((n, rank or n + 3))
    return Z @ Z.T, rng.standard_normal((n, n_targets))


def plain(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.solve(A + s * np.eye(len(A)), b) for s in SHIFTS], axis=1)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 64, 65, 150])
@pytest.mark.parametrize("n_targets", [1, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_equals_a_plain_solve(n: int, n_targets: int, order: str) -> None:
    A, b = system(n, n_targets)
    solved = ShiftedSystem(np.array(A, order=order)).solve(b, SHIFTS)  # type: ignore[call-overload]
    np.testing.assert_allclose(solved, plain(A, b), rtol=1e-9, atol=1e-11)


def test_singular_matrices_are_fine_once_shifted() -> None:
    A, b = system(80, 1, rank=5)
    np.testing.assert_allclose(ShiftedSystem(A.copy()).solve(b, SHIFTS), plain(A, b), atol=1e-9)


def test_threads_do_not_disturb_each_other() -> None:
    systems = [system(n, 2) for n in range(60, 76)]
    with ThreadPoolExecutor(4) as pool:
        solved = list(pool.map(lambda s: ShiftedSystem(s[0].copy()).solve(s[1], SHIFTS), systems))
    for (A, b), x in zip(systems, solved, strict=True):
        np.testing.assert_allclose(x, plain(A, b), rtol=1e-9, atol=1e-11)
