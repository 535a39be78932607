"""Three baselines from scikit-learn that learn from labelled rows without a generative model.

Images are taken as they are; each column of vectors is brought to mean 0 and variance 1.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading as SklearnLabelSpreading
from sklearn.semi_supervised import SelfTrainingClassifier

from deep_em_bench.methods.base import (
    Method,
    Preset,
    SemiSupervised,
    check_labels,
    register,
)
from deep_em_bench.methods.columns import column_scale
from deep_em_bench.methods.parameters import (
    Fraction,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["LabelSpreading", "LogisticRegression", "SelfTraining"]

NEARLY_ONE = float(np.nextafter(1, 0))
"""The largest threshold that scikit-learn takes."""

LOGISTIC_PRESETS = {
    "default": Preset(
        title="Logistic regression",
        source="scikit-learn: multinomial, L2 with C = 1, on the labelled rows",
    ),
}
SELF_TRAINING_PRESETS = {
    "default": Preset(
        title="Self-training",
        source="scikit-learn: rows of probability .75 and above join, ten rounds",
    ),
}
SPREADING_PRESETS = {
    "default": Preset(
        title="Label spreading",
        source="scikit-learn: graph of 7 nearest neighbours, alpha .2",
    ),
}


class _Labelled(SemiSupervised, Method):
    """A classifier that learns from labelled rows."""

    needs_labels = True

    shift_: np.ndarray
    scale_: np.ndarray

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Learn from ``X`` and ``y``: class ids of labelled rows, -1 elsewhere.

        Raises ``ValueError`` where no row is labelled.
        """
        data = self._fitting(X)
        labelled = check_labels(
            y, len(data), self.n_clusters, semi_supervised=self.semi_supervised
        )
        if labelled is None:
            raise ValueError(
                f"no row is labelled, and {type(self).__name__} learns from labels alone; give y "
                f"with class ids, -1 where unlabelled"
            )
        rows, classes = labelled
        flat = data.reshape(len(data), -1).astype(np.float64)
        vectors = data.ndim == 2
        self.shift_, self.scale_ = column_scale(flat) if vectors else (np.zeros(1), np.ones(1))
        targets = np.full(len(data), -1, dtype=np.int64)
        targets[rows] = classes
        self.classes_ = np.unique(classes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # converged_ says it
            row = self._learn(self._points(data), targets)
        self.n_iter_ = row["iteration"]
        self.labels_ = self.predict(X)
        self.history_ = [row]
        if self.callback is not None:
            self.callback(row)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, ``(N, K)`` float32; 0 for those with no labelled row."""
        X = self._checked(X)
        proba = np.zeros((len(X), self.n_clusters), dtype=np.float32)
        proba[:, self.classes_] = self._classify(self._points(X))
        return proba

    @abstractmethod
    def _learn(self, points: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        """Learn from points ``(N, D)`` and ``y`` with -1; the row of ``history_``."""

    @abstractmethod
    def _classify(self, points: np.ndarray) -> np.ndarray:
        """Probabilities ``(N, C)`` of ``classes_``."""

    def _points(self, X: np.ndarray) -> np.ndarray:
        return (X.reshape(len(X), -1).astype(np.float64) - self.shift_) / self.scale_


@register("logistic_regression", title="Logistic regression", version=1, presets=LOGISTIC_PRESETS)
@hyperparameters
class LogisticRegression(_Labelled):
    """Multinomial logistic regression on the labelled rows; unlabelled rows are not used."""

    C: NonNegative = parameter(1.0, "inverse strength of the L2 penalty")
    max_iter: Positive = parameter(1000, "maximum number of L-BFGS iterations")

    def _learn(self, points: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        known = y >= 0
        if len(self.classes_) == 1:
            return self._keep_constant(points)
        inner = _logistic(self.C, self.max_iter).fit(points[known], y[known])
        self._keep(inner)
        steps = int(inner.n_iter_[0])
        self.converged_ = steps < self.max_iter
        return {"iteration": steps, "labelled": int(known.sum())}

    def _classify(self, points: np.ndarray) -> np.ndarray:
        return softmax(points @ self.coef_.T + self.intercept_, axis=1)

    def _keep(self, inner: SklearnLogisticRegression) -> None:
        self.coef_, self.intercept_ = inner.coef_, inner.intercept_
        if len(self.classes_) == 2:  # one row, of the second class against the first
            self.coef_ = np.concatenate([np.zeros_like(inner.coef_), inner.coef_])
            self.intercept_ = np.array([0.0, inner.intercept_[0]])

    def _keep_constant(self, points: np.ndarray) -> dict[str, Any]:
        """With a single class there is nothing to learn."""
        self.coef_, self.intercept_ = np.zeros((1, points.shape[1])), np.zeros(1)
        self.converged_ = True
        return {"iteration": 1}


@register("self_training", title="Self-training", version=1, presets=SELF_TRAINING_PRESETS)
@hyperparameters
class SelfTraining(LogisticRegression):
    """Logistic regression that adds its confident predictions to the labels (Yarowsky, 1995)."""

    threshold: Fraction = parameter(0.75, "probability above which a prediction joins the labels")
    rounds: Positive = parameter(10, "maximum number of rounds in which predictions join")
    max_iter: Positive = parameter(100, "maximum number of L-BFGS iterations of a round")

    def _learn(self, points: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        if len(self.classes_) == 1:
            return self._keep_constant(points)
        outer = SelfTrainingClassifier(
            _logistic(self.C, self.max_iter),
            threshold=min(self.threshold, NEARLY_ONE),
            max_iter=self.rounds,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="y contains no unlabeled samples")
            outer.fit(points, y)
        self._keep(outer.estimator_)
        self.converged_ = outer.termination_condition_ != "max_iter"
        labelled = int((outer.transduction_ >= 0).sum())
        return {"iteration": max(1, int(outer.n_iter_)), "labelled": labelled}


@register("label_spreading", title="Label spreading", version=1, presets=SPREADING_PRESETS)
@hyperparameters
class LabelSpreading(_Labelled):
    """Labels spread over the graph of nearest neighbours (Zhou et al., 2004).

    The graph has no kernel width, so one setting serves data of any dimension. A new point takes
    the mean distribution of its nearest fitted neighbours.
    """

    n_neighbors: Positive = parameter(7, "neighbours of a point in the graph, itself included")
    alpha: Fraction = parameter(0.2, "share that a point takes from its neighbours in a step")
    max_iter: Positive = parameter(100, "maximum number of steps")
    tol: NonNegative = parameter(1e-3, "total change of all distributions that ends the spreading")

    def _learn(self, points: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        inner = SklearnLabelSpreading(
            kernel="knn",
            n_neighbors=min(self.n_neighbors, len(points)),
            alpha=self.alpha,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        with np.errstate(invalid="ignore"):  # a point that no label reached: 0 / 0
            inner.fit(points, y)
        self.points_, self.distributions_ = points, np.nan_to_num(inner.label_distributions_)
        self._index()
        self.converged_ = int(inner.n_iter_) < self.max_iter
        return {"iteration": int(inner.n_iter_)}

    def _classify(self, points: np.ndarray) -> np.ndarray:
        near = self._neighbors.kneighbors(points, return_distance=False)
        weights = self.distributions_[near].sum(axis=1)  # (N, C)
        # Where no label reached any neighbour, all classes are equally likely.
        weights[weights.sum(axis=1) == 0] = 1.0
        return weights / weights.sum(axis=1, keepdims=True)

    def _index(self) -> None:
        size = min(self.n_neighbors, len(self.points_))
        self._neighbors = NearestNeighbors(n_neighbors=size).fit(self.points_)

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self._index()


def _logistic(C: float, max_iter: int) -> SklearnLogisticRegression:
    return SklearnLogisticRegression(C=C, max_iter=max_iter)
