"""Columns of vectors brought to one scale, so that units of measurement decide nothing."""

from __future__ import annotations

import numpy as np

from deep_em_bench.methods.parameters import MethodParameters, hyperparameters, parameter

__all__ = ["StandardisedColumns", "column_scale"]

CONSTANT = 1e-6
"""A column whose spread is at most this share of its largest magnitude counts as constant."""


def column_scale(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column of ``X``, ``(N, D)``, both ``(D,)`` float64.

    The standard deviation of a constant column is given as 1.
    """
    spread = X.std(axis=0, dtype=np.float64)
    spread[spread <= np.abs(X).max(axis=0, initial=0) * CONSTANT] = 1.0
    return X.mean(axis=0, dtype=np.float64), spread


@hyperparameters
class StandardisedColumns(MethodParameters):
    """A method that sees vectors with columns of mean 0 and variance 1, and images as they are."""

    standardise: bool = parameter(
        True, "bring the columns of vectors to mean 0 and variance 1", before=True
    )

    column_mean_ = column_std_ = None

    def _learn_columns(self, X: np.ndarray) -> np.ndarray:
        """Keep the scale of the columns of the fitted data; the data as :meth:`_points`."""
        self.column_mean_ = self.column_std_ = None
        if self.standardise and X.ndim == 2:
            self.column_mean_, self.column_std_ = column_scale(X)
        return self._points(X)

    def _points(self, X: np.ndarray) -> np.ndarray:
        """``(N, D)``: float64 and standardised, or float32 as they are."""
        if self.column_mean_ is None:
            return X.reshape(len(X), -1)
        return (X - self.column_mean_) / self.column_std_

    def _unstandardised(self, points: np.ndarray) -> np.ndarray:
        """Points back in the units of the fitted data."""
        return (
            points if self.column_mean_ is None else points * self.column_std_ + self.column_mean_
        )
