"""The shifted solver against a plain solve for each shift."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from regress.compute import shifted
from regress.compute.shifted import BLOCK, ShiftedSystem

SHIFTS = np.logspace(-1, 4, 11)


@pytest.fixture(params=["tridiagonal", "band"], autouse=True)
def reduction(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every size by both ways: small ones are quickly checked."""
    monkeypatch.setattr(shifted, "WIDE", 1 if request.param == "band" else 10_000)


def system(n: int, n_targets: int, rank: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    Z = rng.standard_normal((n, rank or n + 3))
    return Z @ Z.T, rng.standard_normal((n, n_targets))


def plain(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.solve(A + s * np.eye(len(A)), b) for s in SHIFTS], axis=1)


@pytest.mark.parametrize("n", [1, 2, 3, 17, *range(BLOCK - 1, BLOCK + 4), 127, 128, 129, 130, 200])
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


def test_indefinite_matrices() -> None:
    A, b = system(150, 2)
    A -= 100 * np.eye(150)
    np.testing.assert_allclose(ShiftedSystem(A.copy()).solve(b, SHIFTS), plain(A, b), rtol=1e-8)


def test_a_kernel_whose_smallest_eigenvalues_are_rounding() -> None:
    """An RBF kernel of points close to each other, at the smallest penalty that is offered."""
    x = np.linspace(0, 1, 300)[:, None]
    K, b = np.exp(-((x - x.T) ** 2)), np.sin(5 * x)
    [[solved]] = ShiftedSystem(K.copy()).solve(b, np.array([1e-4])).transpose(2, 1, 0)
    expected = np.linalg.solve(K + 1e-4 * np.eye(300), b)[:, 0]
    np.testing.assert_allclose(solved, expected, rtol=1e-8, atol=1e-6)
