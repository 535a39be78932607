"""What methods accept as X, y and draws, checked in one place."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_feature_names

__all__ = ["Units", "as_array", "check_data", "check_draw", "check_labels", "check_names"]

COARSE = 1e-3
"""Rounding to float32, as a share of a column's spread, from which the column is shifted first."""
EXTREME = 2.0**40
"""Magnitudes above it, and below its inverse, are scaled: their squares leave float32."""


@dataclass(frozen=True)
class Units:
    """The map (X - shift) / scale, in float64, that brings vectors to float32 without loss.

    The identity for images, and for vectors that float32 holds as they are.
    """

    shift: list[float] | None = None
    """Of each column; None: no shift."""
    scale: float = 1.0
    """Of all columns: a power of two, so that nothing is rounded."""

    @classmethod
    def of(cls, X: np.ndarray) -> Units:
        """The units of vectors ``(N, D)``; the identity for data of any other form."""
        if X.ndim != 2 or not X.size or not np.isfinite(X).all():
            return cls()
        shift = None
        if X.dtype != np.float32:
            wide = X.astype(np.float64)
            largest, spread = np.abs(wide).max(axis=0), np.ptp(wide, axis=0)
            coarse = largest * np.finfo(np.float32).eps > COARSE * spread
            if (coarse & (spread > 0)).any():
                shift = wide.mean(axis=0)
                X = wide - shift
        largest = float(np.abs(X).max())
        extreme = largest > EXTREME or 0 < largest < 1 / EXTREME
        scale = 2.0 ** math.floor(math.log2(largest)) if extreme else 1.0
        return cls(None if shift is None else shift.tolist(), scale)

    def apply(self, X: np.ndarray) -> np.ndarray:
        """``X`` in these units, float32 and contiguous."""
        if self.shift is not None:
            X = X.astype(np.float64) - np.asarray(self.shift)
        if self.scale != 1.0:
            X = X / self.scale
        return np.ascontiguousarray(X, dtype=np.float32)

    def undo(self, X: np.ndarray) -> np.ndarray:
        """Values in these units back in the user's own: float32, or float64 where shifted."""
        if self.shift is None and self.scale == 1.0:
            return X
        wide = X.astype(np.float64) * self.scale
        return wide if self.shift is None else wide + np.asarray(self.shift)

    def plain(self) -> tuple[list[float] | None, float]:
        """As a fitted method keeps it."""
        return self.shift, self.scale


def check_names(method: BaseEstimator, X: Any, *, reset: bool) -> None:
    """Keep the column names of a fitted data frame, or compare those of a new one with them.

    Raises ``ValueError`` for names that are missing, new, or in another order.
    """
    _check_feature_names(method, X, reset=reset)


def as_array(X: Any) -> np.ndarray:
    """``X`` as an array, images with their channels first.

    Images with channels last are turned where there is no doubt: (N, H, W, 1) and (N, H, W, 3)
    whose second axis is no number of channels. Raises ``ValueError`` for sparse matrices, masked
    values, rows of different lengths, anything but numbers, and images with more than four
    channels.
    """
    if issparse(X):
        raise ValueError("X is a sparse matrix; expected a dense array: give X.toarray()")
    if np.ma.is_masked(X):
        raise ValueError("X is a masked array; expected every value: fill or remove masked ones")
    try:
        array = np.asarray(X)
    except ValueError as error:  # numpy's own text says nothing of X
        raise ValueError(
            "X has rows of different lengths; expected an array (N, D) or (N, C, H, W)"
        ) from error
    if array.dtype == bool:
        array = array.astype(np.float32)
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise ValueError(
            f"X has entries of type {array.dtype}; expected real numbers: encode them"
        )
    if array.ndim == 4 and array.shape[1] > 4:
        if array.shape[3] not in (1, 3, 4):
            raise ValueError(
                f"X has shape {array.shape}, images of {array.shape[1]} channels; "
                f"expected (N, C, H, W) with at most 4: reshape it"
            )
        array = np.moveaxis(array, 3, 1)
    return array


def check_data(X: np.ndarray, units: Units, n_clusters: int | None = None) -> np.ndarray:
    """``X`` as contiguous float32 images ``(N, C, H, W)`` or vectors ``(N, D)`` in ``units``.

    Raises ``ValueError`` for another number of axes, for NaN or infinity, for fewer rows than
    clusters, for images outside [0, 1], and for columns that float32 cannot hold.
    """
    if X.ndim not in (2, 4):
        raise ValueError(
            f"X has shape {X.shape}; expected images (N, C, H, W) or vectors (N, D): reshape it"
        )
    if n_clusters is not None and n_clusters < 1:
        raise ValueError(f"n_clusters is {n_clusters}; expected at least 1")
    if n_clusters is not None and len(X) < n_clusters:
        raise ValueError(
            f"X has {len(X)} rows, fewer than n_clusters={n_clusters}; "
            f"give at least as many rows as clusters"
        )
    if not np.isfinite(X).all():
        bad = int((~np.isfinite(X)).sum())
        raise ValueError(f"X holds {bad} values that are NaN or infinite; remove or impute them")
    points = units.apply(X)
    if X.ndim == 2 and len(X):
        _check_resolution(X, points)
    if X.ndim == 4 and X.size and (X.min() < 0 or X.max() > 1):
        raise ValueError(
            f"image values run from {X.min():.4g} to {X.max():.4g}; expected [0, 1]: rescale them"
        )
    return points


def _check_resolution(given: np.ndarray, points: np.ndarray) -> None:
    """Raise ``ValueError`` where a column's values differ, but not any more as float32."""
    if given.dtype == np.float32:
        return
    lost = ~np.isfinite(points).all(axis=0) | (np.ptp(points, axis=0) == 0)
    for column in np.flatnonzero(lost):
        low, high = float(given[:, column].min()), float(given[:, column].max())
        # A constant column that was computed may differ in its last bits: those say nothing.
        if high - low > 1e-12 * abs(high):
            raise ValueError(
                f"column {column} of X runs from {low} to {high}, which float32 cannot hold "
                f"beside the other columns; rescale the column"
            )


def check_draw(n: int, component: int | None, n_clusters: int) -> None:
    """Raise ``ValueError`` unless ``sample(n, component)`` asks for what there is."""
    if n < 1:
        raise ValueError(f"n is {n}; expected at least one sample")
    if component is not None and not 0 <= component < n_clusters:
        raise ValueError(f"component is {component}; expected 0 to {n_clusters - 1}, or None")


def check_labels(
    y: np.ndarray | None, n: int, n_clusters: int, *, semi_supervised: bool = False
) -> tuple[np.ndarray, np.ndarray] | None:
    """The labelled rows and their class ids, int64 both, of a ``y`` with -1 where unlabelled.

    None where nothing is labelled. A ``y`` without any -1 is not used, with a warning, unless
    ``semi_supervised``: scikit-learn's tools pass all classes to a clusterer too. Raises
    ``ValueError`` for anything but ``n`` integers from -1 to ``n_clusters - 1``.
    """
    if y is None:
        return None
    y = np.asarray(y)
    if y.shape == (n,) and not semi_supervised and not (y == -1).any():
        warnings.warn(
            "y is not used: none of its rows is unlabelled (-1); mark unlabelled rows, or set "
            "semi_supervised=True to learn from all of y",
            UserWarning,
            stacklevel=3,
        )
        return None
    if y.shape != (n,) or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(
            f"y is {y.dtype} of shape {y.shape}; expected ({n},) class ids, -1 where unlabelled"
        )
    if len(y) and y.min() < -1:
        raise ValueError(
            f"y has the value {y.min()}; expected class ids from 0 on, or -1 where unlabelled"
        )
    rows = np.flatnonzero(y >= 0)
    if not len(rows):
        return None
    if y.max() >= n_clusters:
        raise ValueError(
            f"y has class {y.max()} with n_clusters={n_clusters}; components carry the class ids: "
            f"raise n_clusters"
        )
    return rows.astype(np.int64), y[rows].astype(np.int64)
