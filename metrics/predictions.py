"""The inception score, from batches of class probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from deep_em_bench.metrics.moments import checked_features

__all__ = ["Predictions", "inception_score"]

SPLITS = 10
"""Splits of an inception score (Salimans et al. 2016, default of the released code)."""

SUM_TOLERANCE = 1e-3
"""Largest deviation of a row's sum from one."""


class Predictions:
    """Sums of class probabilities for an inception score; rows are not kept.

    Every ``splits`` rows in turn go to the splits in a random order from ``seed``. So splits are
    equal in size, whatever n and the batches.
    """

    def __init__(self, n_classes: int, *, splits: int = SPLITS, seed: int = 0) -> None:
        if n_classes < 1 or splits < 1:
            raise ValueError(f"{n_classes} classes and {splits} splits; expected at least 1 each")
        self.counts = np.zeros(splits)
        self._sums = np.zeros((splits, n_classes))
        self._entropies = np.zeros(splits)
        self._rng = np.random.default_rng(seed)
        self._dealt = np.zeros(0, dtype=np.int64)

    def add(self, probabilities: np.ndarray) -> Predictions:
        """Add rows ``(n, n_classes)`` that sum to one each; returns self.

        Raises ``ValueError`` for anything else.
        """
        splits, n_classes = self._sums.shape
        p = checked_features("class probabilities", probabilities, n_classes).astype(np.float64)
        if not len(p):
            return self
        total = p.sum(axis=1)
        if p.min() < -SUM_TOLERANCE or np.abs(total - 1).max() > SUM_TOLERANCE:
            raise ValueError(
                f"class probabilities have a smallest value of {p.min():.3g} and row sums from "
                f"{total.min():.3g} to {total.max():.3g}; expected a softmax's rows"
            )
        p = p.clip(min=0)
        p /= p.sum(axis=1, keepdims=True)
        split = self._deal(len(p))
        self.counts += np.bincount(split, minlength=splits)
        self._entropies += np.bincount(split, weights=entr(p).sum(axis=1), minlength=splits)
        self._sums += np.eye(splits)[:, split] @ p  # (splits, n) (n, classes)
        return self

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())

    @property
    def mean(self) -> np.ndarray:
        """Mean probabilities of all rows, float64 ``(n_classes,)``."""
        return self._sums.sum(axis=0) / self._known_n()

    @property
    def mean_entropy(self) -> float:
        """Mean entropy of a row in nats; 0 if the net is sure of every image."""
        return float(self._entropies.sum()) / self._known_n()

    def scores(self) -> np.ndarray:
        r"""Score of each split, float64 ``(splits,)`` in [1, n_classes].

        .. math:: \exp \left( H(\bar p) - \frac1n \sum_i H(p_i) \right)

        For a collapsed generator the form with log ratios has 0 log 0; this one is 1.
        Raises ``ValueError`` for an empty split.
        """
        splits, n_classes = self._sums.shape
        if not self.counts.all():
            raise ValueError(
                f"{self.counts.sum():.0f} rows for {splits} splits; expected at least one a split"
            )
        mean = self._sums / self.counts[:, None]
        gain = entr(mean).sum(axis=1) - self._entropies / self.counts
        return np.exp(gain).clip(1, n_classes)  # only rounding leaves the interval

    def score(self) -> tuple[float, float]:
        """Mean and standard deviation (ddof 0) over splits; raises as :meth:`scores`."""
        scores = self.scores()
        return float(scores.mean()), float(scores.std())

    def _known_n(self) -> int:
        if not self.n:
            raise ValueError("there are no class probabilities; expected at least one row")
        return self.n

    def _deal(self, n: int) -> np.ndarray:
        """Split of each of the next ``n`` rows."""
        splits = len(self.counts)
        rounds = max(0, -(-(n - len(self._dealt)) // splits))
        new = self._rng.permuted(np.tile(np.arange(splits), (rounds, 1)), axis=1)
        dealt = np.concatenate([self._dealt, new.ravel()])
        self._dealt = dealt[n:]
        return dealt[:n]


def inception_score(
    probabilities: np.ndarray, *, splits: int = SPLITS, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) over ``splits`` of ``probabilities`` ``(n, classes)``.

    >>> inception_score(np.eye(4)[[0, 1, 2, 3]], splits=1)
    (4.0, 0.0)
    """
    n_classes = checked_features("class probabilities", probabilities).shape[1]
    return Predictions(n_classes, splits=splits, seed=seed).add(probabilities).score()
