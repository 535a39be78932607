"""Labelled images that train and test a feature net or its head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.metrics.weights import content_sha256

__all__ = ["Labelled"]

HELD_OUT = 5
"""Without a held-out split, one of so many images is held out for the accuracy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """A training and a held-out split of images ``(N, C, H, W)`` float32 in [0, 1].

    Made by :meth:`of`. The labels train the nets of IS and FID; no method sees them.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_classes: int

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        y: np.ndarray,
        X_test: np.ndarray | None = None,
        y_test: np.ndarray | None = None,
        *,
        n_classes: int,
    ) -> Labelled:
        """The two splits; without a test split, a fixed fifth of X is held out.

        Raises ``DataError`` for anything but finite float32 images with a class in [0, n_classes)
        each, and for fewer than five images.
        """
        if X_test is None or y_test is None:
            if len(X) < HELD_OUT:
                raise DataError(f"{len(X)} images cannot be split; expected at least {HELD_OUT}")
            order = np.random.default_rng(0).permutation(len(X))
            test, fit = np.split(order, [len(X) // HELD_OUT])
            test, fit = np.sort(test), np.sort(fit)
            X, y, X_test, y_test = X[fit], y[fit], X[test], y[test]
        for images, classes in ((X, y), (X_test, y_test)):
            _check(images, classes, n_classes)
        if X.shape[1:] != X_test.shape[1:]:
            raise DataError(
                f"images are {X.shape[1:]}, held-out ones {X_test.shape[1:]}; expected one shape"
            )
        return cls(X=X, y=y, X_test=X_test, y_test=y_test, n_classes=n_classes)

    def sha256(self) -> str:
        """Digest of all images and labels, in hex."""
        return content_sha256(self.X, self.y, self.X_test, self.y_test, str(self.n_classes))

    def accuracy(self, classify: Callable[[np.ndarray], np.ndarray]) -> float:
        """Share of held-out images whose class ``classify`` (images to classes ``(N,)``) finds."""
        return float((classify(self.X_test) == self.y_test).mean())


def _check(X: np.ndarray, y: np.ndarray, n_classes: int) -> None:
    if X.ndim != 4 or X.dtype != np.float32 or not len(X) or not np.isfinite(X).all():
        raise DataError(
            f"images are {X.dtype} {X.shape}; expected finite float32 (N, C, H, W) in [0, 1]"
        )
    if y.shape != (len(X),) or y.dtype != np.int64 or y.min() < 0 or y.max() >= n_classes:
        raise DataError(
            f"labels are {y.dtype} {y.shape}; expected int64 ({len(X)},) in [0, {n_classes})"
        )
