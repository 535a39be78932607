r"""Mean and covariance of batches of features, and the Fréchet distance of two of them.

All is float64. Up to d rows are kept: they are the thinnest factor of the covariance. With more
rows only the ``(d, d)`` scatter is kept, so that memory does not grow with n.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg

__all__ = ["LARGEST", "Moments", "checked_features", "frechet_distance"]

LARGEST = float(np.finfo(np.float32).max)
"""Largest absolute value of a feature, whose sixth power is finite in float64."""

CHUNK = 2048
"""Rows that are centred at a time, without a float64 copy of a large batch."""


class Moments:
    """Count, mean and covariance of all added rows; batches only change rounding errors.

    >>> seen = Moments(2).add(np.array([[0.0, 1.0], [2.0, 1.0]])).add(np.array([[4.0, 4.0]]))
    >>> seen.n, seen.mean, seen.covariance()
    (3, array([2., 2.]), array([[4., 3.],
           [3., 3.]]))
    """

    def __init__(self, d: int) -> None:
        if d < 1:
            raise ValueError(f"d is {d}; expected at least one feature")
        self.d = d
        self.n = 0
        self._rows: list[np.ndarray] = []
        self._mean = np.zeros(d)
        self._scatter: np.ndarray | None = None

    def add(self, features: np.ndarray) -> Moments:
        """Add the rows of ``features`` ``(n, d)``; returns self.

        Raises ``ValueError`` for another shape, NaN or infinity, and for values beyond float32.
        """
        features = checked_features("features", features, self.d)
        for start in range(0, len(features), CHUNK):
            self._take(features[start : start + CHUNK].astype(np.float64))
        return self

    @property
    def mean(self) -> np.ndarray:
        """Float64 ``(d,)``; raises ``ValueError`` before the first row."""
        if not self.n:
            raise ValueError("there are no rows; expected at least one for a mean")
        if self._scatter is None:
            return np.concatenate(self._rows).mean(axis=0)
        return self._mean.copy()

    def covariance(self) -> np.ndarray:
        """Float64 ``(d, d)`` with divisor n - 1; raises ``ValueError`` for fewer than two rows."""
        rows = self.factor()
        if rows is not None:
            return rows.T @ rows
        assert self._scatter is not None
        return self._scatter / (self.n - 1)

    def total_variance(self) -> float:
        """The covariance's trace; raises as :meth:`covariance`."""
        rows = self.factor()
        if rows is not None:
            return float(np.square(rows).sum())
        assert self._scatter is not None
        return float(np.trace(self._scatter)) / (self.n - 1)

    def factor(self) -> np.ndarray | None:
        """Matrix ``(n, d)`` A with covariance A'A, if n <= d; None for more rows.

        Raises ``ValueError`` for fewer than two rows.
        """
        if self.n < 2:
            raise ValueError(f"a covariance needs at least two rows; there are {self.n}")
        if self._scatter is not None:
            return None
        rows = np.concatenate(self._rows)
        return (rows - rows.mean(axis=0)) / math.sqrt(self.n - 1)

    def _take(self, rows: np.ndarray) -> None:
        if self._scatter is None and self.n + len(rows) <= self.d:
            self._rows.append(rows)
            self.n += len(rows)
            return
        if self._scatter is None:
            rows = np.concatenate([*self._rows, rows])
            self._rows, self.n, self._scatter = [], 0, np.zeros((self.d, self.d))
        # The moments of two groups make those of both (Chan, Golub and LeVeque 1979).
        mean, total = rows.mean(axis=0), self.n + len(rows)
        centred, gap, share = rows - mean, mean - self._mean, len(rows) / total
        self._scatter += centred.T @ centred
        if self.n:
            self._scatter += np.outer(gap, gap * (self.n * share))
        self._mean = self._mean + gap * share
        self.n = total


def frechet_distance(a: Moments, b: Moments) -> float:
    r"""Squared Fréchet distance between the Gaussians with these moments; at least 0.

    .. math:: |\mu_1 - \mu_2|^2 + \mathrm{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})

    (Dowson and Landau 1982, Eq. 4; Heusel et al. 2017, Eq. 6). Raises ``ValueError`` for unequal
    numbers of features and for fewer than two rows of either.
    """
    if a.d != b.d:
        raise ValueError(f"moments of {a.d} and of {b.d} features; expected equal numbers")
    gap = a.mean - b.mean
    spread = a.total_variance() + b.total_variance()
    distance = float(gap @ gap) + spread - 2 * _trace_of_root(a, b)
    return max(distance, 0.0)  # rounding may make it negative


def checked_features(name: str, features: np.ndarray, d: int | None = None) -> np.ndarray:
    """``features`` as a finite real ``(n, d)``; raises ``ValueError`` for anything else."""
    features = np.asarray(features)
    if not (
        np.issubdtype(features.dtype, np.floating) or np.issubdtype(features.dtype, np.integer)
    ):
        raise ValueError(f"{name} have type {features.dtype}; expected real numbers")
    if features.ndim != 2 or features.shape[1] != (d or features.shape[1]):
        raise ValueError(f"{name} have shape {features.shape}; expected (n, {d or 'd'})")
    if features.shape[1] == 0:
        raise ValueError(f"{name} have shape {features.shape}; expected at least one column")
    if len(features):
        largest = max(abs(float(features.max())), abs(float(features.min())))
        if not largest <= LARGEST:  # so that NaN is refused too
            raise ValueError(
                f"{name} reach {largest}; expected finite values of at most {LARGEST:.3g}"
            )
    return features


def _trace_of_root(a: Moments, b: Moments) -> float:
    r""":math:`\mathrm{tr}(\Sigma_1 \Sigma_2)^{1/2}`, without the root of an asymmetric matrix.

    With :math:`\Sigma_i = R_i R_i'` the product has the eigenvalues of :math:`R_1' \Sigma_2 R_1`,
    which is symmetric; they are the squared singular values of :math:`R_1' R_2`.
    """
    rows_a, rows_b = a.factor(), b.factor()
    if rows_a is not None and rows_b is not None:
        return float(linalg.svdvals(rows_a @ rows_b.T).sum())  # the nuclear norm, (n, n)
    if rows_a is not None:
        inner = rows_a @ b.covariance() @ rows_a.T
    elif rows_b is not None:
        inner = rows_b @ a.covariance() @ rows_b.T
    else:
        inner = _sandwich(a.covariance(), b.covariance())
    return float(np.sqrt(np.clip(linalg.eigvalsh(inner), 0, None)).sum())


def _sandwich(S1: np.ndarray, S2: np.ndarray) -> np.ndarray:
    """R' S2 R with R R' = S1; only its lower triangle is valid.

    R is Cholesky's factor if S1 is positive definite, at an eighth of the cost of an
    eigendecomposition. That one serves features that are constant or linearly dependent.
    """
    L, info = linalg.lapack.dpotrf(S1, lower=1, clean=1)
    if info == 0:
        product, info = linalg.lapack.dsygst(S2, L, itype=2, lower=1)
        assert info == 0, f"dsygst refused its argument {-info}"
        return product
    w, V = linalg.eigh(S1)
    R = V * np.sqrt(np.clip(w, 0, None))
    return R.T @ S2 @ R
