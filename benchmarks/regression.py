"""Stage 2 against the plain way: ratios of times in one run, on one machine.

    python benchmarks/regression.py [--bank DIR --csv train.csv --text excerpt --target target]
        [--only ridge svr krr greedy lightgbm] [--repeats 3] [--rows 2834]

Without a bank the features are made up: 2,834 texts, 3 poolings of 13 layers of 768. Peers are
timed on a part of the work (one block, one fold, one candidate) and scaled, which is said in the
line; himalaya is a peer where it is installed (``pip install himalaya==0.4.11``), and named as
not run where it is not. Times are medians over the repeats, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from features.bank import Bank
from features.banks import Banks
from features.keys import text_keys
from features.tables.table import open_table, read_dataset
from regress import TunedKernelRidge, TunedLightGBM, TunedRidge, TunedSVR
from regress.data.folds import make_folds
from regress.data.matrix import term_matrix
from regress.data.task import checked_task
from regress.models.training import FoldData
from regress.models.tuning import tune
from regress.sweep import forward_search as search_module
from regress.sweep.candidates import every_block
from regress.sweep.products import Grams

ALPHAS = np.logspace(-1, 5, 25)


class Work(NamedTuple):
    """What everything is timed on."""

    banks: Banks
    texts: list[Any]
    y: np.ndarray
    grams: Grams
    repeats: int


class Timed(NamedTuple):
    """Seconds: median, lowest and highest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} s ({self.low:.2f} to {self.high:.2f})"

    def times(self, factor: float) -> Timed:
        return Timed(*(factor * seconds for seconds in self))


def timed(function: Callable[[], object], repeats: int) -> Timed:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return Timed(statistics.median(seconds), min(seconds), max(seconds))


def report(what: str, ours: Timed, peer: str, theirs: Timed) -> None:
    print(f"{what}: {ours}\n  {peer}: {theirs}: {theirs.median / ours.median:.1f} times\n")


def grid(work: Work, model: Any, settings: dict[str, Any], n_jobs: int) -> GridSearchCV:
    cv = PredefinedSplit(work.grams.folds.numbers)
    return GridSearchCV(
        make_pipeline(StandardScaler(), model), settings, cv=cv, n_jobs=n_jobs, refit=False,
        scoring="neg_mean_squared_error",
    )  # fmt: skip


def ridge(work: Work) -> None:
    """Every block, 25 alphas, 5 folds; peers on one block, times the number of blocks."""
    units = every_block(work.banks)
    regressor = TunedRidge([float(alpha) for alpha in ALPHAS])

    def ours() -> None:
        for unit in units:
            tune(work.grams.fold_data([unit.term]), [regressor], nested=False)

    mine = timed(ours, work.repeats)
    unit = units[len(units) // 2]
    X = term_matrix(work.banks.by_name, work.grams.task.keys, [unit.term]).astype(np.float64)
    what = f"ridge, {len(units)} blocks × 25 alphas × 5 folds, refits and all"
    scale = f"on one block, × {len(units)}"
    for n_jobs in (2, 1):
        search = grid(work, Ridge(), {"ridge__alpha": ALPHAS}, n_jobs)
        theirs = timed(lambda s=search: s.fit(X, work.y), work.repeats).times(len(units))
        report(what, mine, f"GridSearchCV, float64, {n_jobs} jobs, {scale}", theirs)
    search = grid(work, Ridge(), {"ridge__alpha": ALPHAS}, 2)
    X32 = X.astype(np.float32)
    theirs = timed(lambda: search.fit(X32, work.y), work.repeats).times(len(units))
    report(what, mine, f"GridSearchCV, float32, 2 jobs, {scale}", theirs)
    try:
        from himalaya.ridge import RidgeCV
    except ImportError:
        print("himalaya: not run, since it is not installed\n")
        return
    cv = PredefinedSplit(work.grams.folds.numbers)
    peer = make_pipeline(StandardScaler(), RidgeCV(alphas=ALPHAS, cv=cv))
    theirs = timed(lambda: peer.fit(X, work.y), work.repeats).times(len(units))
    report(what, mine, f"himalaya RidgeCV, {scale}", theirs)


def svr(work: Work) -> None:
    """All layers of mean pooling, 12 settings of C and epsilon; the peer on one fold."""
    X = work.banks.matrix(work.texts, "mean[:]")
    regressor = TunedSVR([0.5], [0.25, 0.5, 1.0, 2.0, 4.0, 8.0], [0.1, 0.3])
    data = work.grams

    def ours() -> None:
        tune(FoldData(X, data.task.Y, data.folds), [regressor], nested=False)

    mine = timed(ours, work.repeats)
    train, test = np.flatnonzero(data.folds.numbers != 0), data.folds.rows([0])
    y = (work.y - work.y.mean()) / work.y.std()

    def theirs() -> None:
        model = make_pipeline(StandardScaler(), SVR(gamma=0.5 / X.shape[1], C=2.0, epsilon=0.1))
        model.fit(X[train], y[train]).predict(X[test])

    peer = timed(theirs, 1).times(5 * 12)
    what = f"SVR on {X.shape[1]} columns, 12 settings × 5 folds, refit and all"
    report(what, mine, "SVR(kernel='rbf') in GridSearchCV, one fold at one setting, × 60", peer)


def krr(work: Work) -> None:
    """All layers of mean pooling, the default settings; the peer on one fold at one setting."""
    X = work.banks.matrix(work.texts, "mean[:]")
    regressor, data = TunedKernelRidge(), work.grams
    n_settings = len(regressor.settings())

    def ours() -> None:
        tune(FoldData(X, data.task.Y, data.folds), [regressor], nested=False)

    mine = timed(ours, work.repeats)
    train, test = np.flatnonzero(data.folds.numbers != 0), data.folds.rows([0])
    X64, y = X.astype(np.float64), work.y - work.y.mean()

    def theirs() -> None:
        model = make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", gamma=0.5 / X.shape[1]))
        model.fit(X64[train], y[train]).predict(X64[test])

    peer = timed(theirs, work.repeats).times(5 * n_settings)
    what = f"kernel ridge on {X.shape[1]} columns, {n_settings} settings × 5 folds, refit and all"
    report(what, mine, f"KernelRidge, one fold at one setting, × {5 * n_settings}", peer)


def greedy(work: Work) -> None:
    """The forward search, by the candidates it tries: the peer refits three blocks, 25 alphas."""
    units = every_block(work.banks)
    run_jobs, tried = search_module.run_jobs, [0]

    def counting(function: Any, tasks: Sequence[Any], **options: Any) -> Any:
        tried[0] += len(tasks) if function.__name__ == "tried" else 0
        return run_jobs(function, tasks, **options)

    def ours() -> None:
        tried[0] = 0
        search_module.forward_search(work.grams, units, n_jobs=2)

    search_module.run_jobs = counting
    mine = timed(ours, work.repeats).times(1 / tried[0])
    terms = [unit.term for unit in units[-3:]]
    X = term_matrix(work.banks.by_name, work.grams.task.keys, terms).astype(np.float64)
    search = grid(work, Ridge(), {"ridge__alpha": ALPHAS}, 2)
    theirs = timed(lambda: search.fit(X, work.y), 1)
    what = f"forward search, {len(units)} blocks, one of {tried[0]} candidates, products and all"
    report(what, mine, "GridSearchCV(Ridge), three blocks, float64, 2 jobs, 25 alphas", theirs)


def lightgbm(work: Work) -> None:
    """All layers of mean pooling, one fold: the default route against LightGBM as it comes."""
    from lightgbm import LGBMRegressor

    X = work.banks.matrix(work.texts, "mean[:]")
    data = FoldData(X, work.grams.task.Y, work.grams.folds)
    training, regressor = data.training((0,)), TunedLightGBM()
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        regressor.path(training)

    def theirs() -> None:
        model = LGBMRegressor(n_estimators=300, verbose=-1)
        model.fit(X[training.rows], work.y[training.rows])
        found["theirs"] = model.predict(X[training.held_rows])

    mine, peer = timed(ours, work.repeats), timed(theirs, 1)
    # The rounds are chosen without the fold that is scored.
    [tuned] = tune(data, [regressor], refit=False)
    found["ours"] = tuned.predictions[training.held_rows, 0]
    y = work.y[training.held_rows]
    errors = {name: float(np.sqrt(((p - y) ** 2).mean())) for name, p in found.items()}
    what = f"LightGBM on {X.shape[1]} columns, one fold, RMSE {errors['ours']:.4f}"
    report(what, mine, f"LGBMRegressor(n_estimators=300), RMSE {errors['theirs']:.4f}", peer)


WORKS: dict[str, Callable[[Work], None]] = {
    "ridge": ridge, "svr": svr, "krr": krr, "greedy": greedy, "lightgbm": lightgbm,
}  # fmt: skip


def made_up(folder: Path, n: int, n_layers: int = 13, hidden: int = 768) -> tuple[Bank, Any, Any]:
    """A bank of random features that know something about a random target."""
    setup = {
        "weights": "0" * 64, "config": {}, "tokenizer": "1" * 64, "max_length": 512,
        "long": "truncate", "stride": None, "precision": "fp32", "poolings": ["cls", "mean", "max"],
        "pooler": False, "n_layers": n_layers, "hidden_size": hidden,
    }  # fmt: skip
    bank = Bank.create(folder / "made-up.bank", setup, {"encoder": "made up", "revision": None})
    rng = np.random.default_rng(0)
    y = rng.standard_normal(n)
    texts = [f"text {number}" for number in range(n)]
    with bank.writer({"engine": "made up"}) as writer:
        for start in range(0, n, 256):
            part = slice(start, min(n, start + 256))
            size = part.stop - part.start
            X = rng.standard_normal((size, len(bank.blocks), hidden), dtype=np.float32)
            X[:, :, :8] += y[part, None, None].astype(np.float32)
            flags = np.zeros(size, bool)
            writer.add(text_keys(texts[part]), np.full(size, 200, np.int32), flags, X)
    bank.refresh()
    return bank, texts, y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--text", default="excerpt")
    parser.add_argument("--target", default="target")
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2834)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.bank:
            table = open_table(options.csv)
            dataset = read_dataset(table, text=[options.text], target=[options.target])
            bank, texts, y = Bank.open(options.bank), dataset.texts, dataset.targets[:, 0]
        else:
            bank, texts, y = made_up(Path(folder), options.rows)
        task = checked_task(texts, y)
        folds = make_folds(task.keys, task.Y)
        banks = Banks([bank])
        work = Work(banks, list(texts), y, Grams(banks, task, folds, 8 << 30), options.repeats)
        print(f"{bank}\n")
        for name in options.only:
            WORKS[name](work)


if __name__ == "__main__":
    with threadpool_limits(limits=None):
        main()
