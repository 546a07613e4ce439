"""A user's own regressors: one class and one line, then fitted, searched, blended, explained, kept.

One takes the columns; the other takes products of rows, which a sweep adds up over blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.linear_model import Lasso
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from features.errors import InputError, RunError
from regress import MODELS, evaluate, load_run
from regress.blend import blend, save_blend
from regress.compute.arrays import Matrix
from regress.models.base import (
    Bounds,
    FittedModel,
    Parts,
    Setting,
    block_sums,
    load_arrays,
    save_arrays,
)
from regress.models.estimator import TunedRegressor
from regress.models.ridge import RidgeModel
from regress.models.training import Size, TrainingSet
from regress.sweep import sweep
from tests.regress.conftest import Cli, MadeUpTask
from tests.regress.plain import nested_predictions

EXACT = {"tol": 1e-10, "max_iter": 100_000}


class LassoModel(FittedModel):
    """A linear model that says what each block adds, and knows no similarity."""

    def __init__(self, mean: Matrix, scale: Matrix, coef: Matrix, intercept: Matrix) -> None:
        self.mean, self.scale, self.coef, self.intercept = mean, scale, coef, intercept

    def predict(self, X: np.ndarray) -> Matrix:
        return np.asarray((X - self.mean) / self.scale @ self.coef + self.intercept)

    def save(self, stem: Path) -> Path:
        return save_arrays(stem.with_name(stem.name + ".npz"), vars(self))

    @classmethod
    def load(cls, path: Path) -> LassoModel:
        return cls(**load_arrays(path))

    def parts(self, X: np.ndarray, bounds: Bounds) -> Parts:
        added = (X - self.mean) / self.scale * self.coef
        return Parts(np.full(len(X), float(self.intercept)), block_sums(added, bounds))


class TunedLasso(TunedRegressor):
    """Takes the columns."""

    model_class: ClassVar[type[FittedModel]] = LassoModel

    def __init__(
        self,
        alphas: Sequence[float] = (0.01, 0.1),
        *,
        cv: int = 5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def settings(self) -> list[Setting]:
        return [{"alpha": alpha} for alpha in self.alphas]

    def _fit(self, training: TrainingSet, alpha: float, target: int) -> Any:
        Z = training.standardised(training.rows)
        return Lasso(alpha=alpha, **EXACT).fit(Z, training.Y[:, target])

    def path(self, training: TrainingSet) -> Matrix:
        held, targets = training.standardised(training.held_rows), range(training.Y.shape[1])
        each = [
            [self._fit(training, alpha, target).predict(held) for target in targets]
            for alpha in self.alphas
        ]
        return np.moveaxis(np.array(each), -1, 0)

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        models: list[FittedModel] = []
        for target, setting in enumerate(chosen):
            fitted = self._fit(training, setting["alpha"], target)
            intercept = np.asarray(fitted.intercept_)
            models.append(LassoModel(training.mean, training.scale, fitted.coef_, intercept))
        return models


class TunedLinearSVR(TunedRegressor):
    """Takes products of rows, and ends as a kind of model that is there already."""

    model_class: ClassVar[type[FittedModel]] = RidgeModel
    #: Training sets that had products alone.
    on_products: ClassVar[list[str]] = []

    def __init__(
        self,
        Cs: Sequence[float] = (0.01, 0.1),
        *,
        cv: int = 5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def takes_products(self, size: Size) -> bool:
        return size.n_samples < 1000

    def settings(self) -> list[Setting]:
        return [{"C": C} for C in self.Cs]

    def _fit(self, training: TrainingSet, C: float, target: int) -> tuple[Matrix, float]:
        svr = SVR(kernel="precomputed", C=C, tol=1e-10)
        svr.fit(training.kernel, training.Y[:, target])
        dual = np.zeros(len(training.rows))
        dual[svr.support_] = svr.dual_coef_[0]
        return dual, float(svr.intercept_[0])

    def path(self, training: TrainingSet) -> Matrix:
        held = training.held_kernel()[0]
        predicted = np.empty((len(held), len(self.Cs), training.Y.shape[1]))
        for number, C in enumerate(self.Cs):
            for target in range(predicted.shape[2]):
                dual, intercept = self._fit(training, C, target)
                predicted[:, number, target] = held @ dual + intercept
        return predicted

    def path_on_products(self, training: TrainingSet) -> Matrix:
        self.on_products.append(type(training).__name__)
        return self.path(training)

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        models: list[FittedModel] = []
        for target, setting in enumerate(chosen):
            dual, intercept = self._fit(training, setting["C"], target)
            coef = training.standardised(training.rows).T @ dual
            models.append(RidgeModel(training.mean, training.scale, coef, intercept))
        return models


OWN = {"lasso": TunedLasso, "linear": TunedLinearSVR}
PLAIN = {
    "lasso": (Lasso(**EXACT), {"lasso__alpha": [0.01, 0.1]}),
    "linear": (SVR(kernel="linear", tol=1e-10), {"svr__C": [0.01, 0.1]}),
}
SELECT = "mean[1:]+max[-1]"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, regressor_class in OWN.items():
        monkeypatch.setitem(MODELS, name, regressor_class)
    TunedLinearSVR.on_products.clear()


@pytest.mark.parametrize("name", OWN)
def test_equals_its_plain_pipeline(name: str, task: MadeUpTask) -> None:
    experiment = evaluate(task.bank, task.texts, task.y, select=SELECT, models=name)
    X = task.bank.matrix(task.texts, SELECT, dtype=np.float64)
    plain, grid = PLAIN[name]
    pipeline = make_pipeline(StandardScaler(), plain)
    expected, chosen = nested_predictions(pipeline, lambda _: grid, X, task.y, experiment.folds)
    # Both stop within their solver's tolerance of the one solution.
    np.testing.assert_allclose(experiment.best.predictions, expected, rtol=1e-6, atol=1e-6)
    of_folds = [[*params.values()] for params in experiment.best.fold_params]
    assert of_folds == [[*params.values()] for params in chosen]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.usefixtures("without_reports")
def test_a_sweep_fits_it_on_what_it_takes(name: str, task: MadeUpTask, tmp_path: Path) -> None:
    swept = sweep(
        task.bank, task.texts, task.y, models=["ridge", name], n_best=2, greedy=False, n_jobs=1
    )
    assert {*TunedLinearSVR.on_products} == ({"GramTraining"} if name == "linear" else set())
    lines = swept.leaderboard
    lines = lines[(lines["model"] == name) & lines["kind"].isin(["block", "combination"])]
    assert len(lines)
    alone = evaluate(task.bank, task.texts, task.y, select=[*lines["select"]], models=name)
    expected = {result.select: result.scores.rmse for result in alone.results}
    # A sum of blocks' products is taken in another order than the products of all columns.
    assert dict(zip(lines["select"], lines["rmse"], strict=True)) == pytest.approx(
        expected, rel=1e-6
    )
    run = load_run(swept.save(tmp_path / "swept"))
    best = next(result for result in swept.results if result.model == name)
    np.testing.assert_allclose(
        run.predict(task.texts, model=name),
        best.fitted.predict(task.bank.matrix(task.texts, best.select)),
        atol=1e-9,
    )


@pytest.mark.parametrize("name", OWN)
@pytest.mark.usefixtures("without_reports")
def test_the_command_line_knows_it(
    name: str, cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "predicted.csv"
    code, _, err = cli(
        "regress", table, "--target", "score", "--id", "id", "--bank", task.bank.path,
        "--select", SELECT, "--model", name, "--model", "ridge", "--out", run,
    )  # fmt: skip
    assert code == 0, err
    code, printed, err = cli("predict", run, table, "--id", "id", "--model", name, "--out", out)
    assert code == 0, err
    assert f"60 predictions by {name} {SELECT}" in printed
    written = np.loadtxt(out, delimiter=",", skiprows=1, usecols=1)
    expected = load_run(run).predict(task.texts, model=name)
    np.testing.assert_allclose(written, expected, rtol=1e-12)  # as BLAS adds


@pytest.mark.parametrize("name", OWN)
@pytest.mark.usefixtures("without_reports")
def test_it_is_saved_blended_and_explained(name: str, task: MadeUpTask, tmp_path: Path) -> None:
    experiment = evaluate(task.bank, task.texts, task.y, select=SELECT, models=[name, "ridge"])
    run = load_run(experiment.save(tmp_path / "run"))
    own = next(result for result in experiment.results if result.model == name)
    X = task.bank.matrix(task.texts, SELECT)
    predicted = run.predict(task.texts, model=name)
    np.testing.assert_allclose(predicted, own.fitted.predict(X), rtol=1e-12)  # as BLAS adds
    blended = load_run(save_blend(blend([tmp_path / "run"]), tmp_path / "blend"))
    for what, model in ((run, name), (blended, None)):
        found = what.explain(task.texts[:3], model=model, n_neighbours=0)
        for explanation in found:
            total = explanation.base + sum(explanation.blocks.values())
            assert total == pytest.approx(explanation.prediction, abs=1e-9)
            assert [*explanation.blocks] == ["mean[1]", "mean[2]", "max[2]"]
    if name == "lasso":
        with pytest.raises(InputError, match=r"LassoModel .* similar.* -k 0"):
            run.explain(task.texts[:1], model=name, training=task.texts)
    else:
        [explanation] = run.explain(task.texts[:1], model=name, training=task.texts)
        assert len(explanation.neighbours) == 5


@pytest.mark.usefixtures("without_reports")
def test_one_that_is_not_registered_is_named(
    task: MadeUpTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(task.bank, task.texts, task.y, models="lasso").save(tmp_path / "run")
    monkeypatch.delitem(MODELS, "lasso")
    with pytest.raises(RunError, match=r"regressor 'lasso'.* layerbank\.MODELS"):
        load_run(tmp_path / "run")
    with pytest.raises(
        InputError, match="TunedLasso is not registered: add it to layerbank.MODELS"
    ):
        evaluate(task.bank, task.texts, task.y, models=TunedLasso())


def test_a_model_that_says_nothing_of_blocks_is_refused(task: MadeUpTask) -> None:
    class Silent(LassoModel):
        parts = FittedModel.parts

    nothing = np.zeros(3)
    with pytest.raises(InputError, match="Silent cannot say .* blocks: name another --model"):
        Silent(nothing, nothing, nothing, nothing[0]).parts(np.zeros((1, 3)), [0, 3])
