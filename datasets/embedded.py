"""Data that need no file: the digits and irises that scikit-learn ships, moons and blobs drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons

from deep_em_bench.core import ConfigError, derive_seed
from deep_em_bench.datasets.base import Dataset, Request, Source, register

__all__ = ["blobs", "digits", "iris", "moons"]


@register("digits", origin="embedded", shape=(1, 8, 8), n=1797, n_classes=10)
def digits(request: Request) -> Dataset:
    """1,797 real handwritten digits, 8x8 pixels; no held-out split.

    The test part of UCI's Optical Recognition of Handwritten Digits (Alpaydin & Kaynak, 1998);
    values 0..16 are divided by 16.
    """
    found = load_digits()
    return Dataset(
        name="digits",
        X=(found.images[:, None] / 16).astype(np.float32),  # (N, H, W) -> (N, 1, H, W)
        y=found.target.astype(np.int64),
        class_names=tuple(str(digit) for digit in range(10)),
        source=_shipped("load_digits, UCI Optical Recognition of Handwritten Digits"),
    )


@register("iris", origin="embedded", shape=(4,), n=150, n_classes=3)
def iris(request: Request) -> Dataset:
    """150 irises of three species, four lengths in cm (Fisher, 1936); no held-out split."""
    found = load_iris()
    return Dataset(
        name="iris",
        X=found.data.astype(np.float32),
        y=found.target.astype(np.int64),
        class_names=tuple(str(name) for name in found.target_names),
        source=_shipped("load_iris, UCI Iris"),
    )


@register("moons", origin="generated", shape=(2,), n=1000, n_classes=2)
def moons(request: Request, *, n_samples: int = 1000, noise: float = 0.05) -> Dataset:
    """Two interleaved half circles in the plane, drawn anew at each seed.

    Arguments:
        n_samples: points in the training split, and as many, drawn independently, held out.
        noise: standard deviation of the Gaussian noise; the circles have radius 1.
    """
    _check_whole("n_samples", n_samples, least=2)
    _check_real("noise", noise)
    X, y = make_moons(n_samples, noise=noise, random_state=request.seed)
    X_test, y_test = make_moons(n_samples, noise=noise, random_state=_test_seed(request))
    return Dataset(
        name="moons",
        X=X.astype(np.float32),
        y=y.astype(np.int64),
        X_test=X_test.astype(np.float32),
        y_test=y_test.astype(np.int64),
        class_names=("upper", "lower"),
        source=_drawn("make_moons"),
    )


@register("blobs", origin="generated", shape=(2,), n=1000, n_classes=3)
def blobs(
    request: Request,
    *,
    n_samples: int = 1000,
    centers: int = 3,
    cluster_std: float = 1.0,
    n_features: int = 2,
) -> Dataset:
    """Isotropic Gaussians with uniform random centres in [-10, 10]^D, drawn anew at each seed.

    Arguments:
        n_samples: points in the training split, and as many, drawn independently, held out.
        centers: number of Gaussians, each a class.
        cluster_std: standard deviation of each.
        n_features: dimension D.
    """
    _check_whole("centers", centers, least=1)
    _check_whole("n_samples", n_samples, least=centers)
    _check_whole("n_features", n_features, least=1)
    _check_real("cluster_std", cluster_std)
    X, y, middles = make_blobs(
        n_samples,
        n_features,
        centers=centers,
        cluster_std=cluster_std,
        random_state=request.seed,
        return_centers=True,
    )
    X_test, y_test = make_blobs(
        n_samples, centers=middles, cluster_std=cluster_std, random_state=_test_seed(request)
    )
    return Dataset(
        name="blobs",
        X=X.astype(np.float32),
        y=y.astype(np.int64),
        X_test=X_test.astype(np.float32),
        y_test=y_test.astype(np.int64),
        class_names=tuple(f"blob {i}" for i in range(centers)),
        source=_drawn("make_blobs"),
    )


def _test_seed(request: Request) -> int:
    return derive_seed(request.seed, "test")


def _shipped(what: str) -> Source:
    return Source(where=f"scikit-learn {sklearn.__version__}: {what}", licence="CC BY 4.0")


def _drawn(function: str) -> Source:
    return Source(
        where=f"drawn by scikit-learn {sklearn.__version__}: {function}",
        licence="none needed: generated numbers",
    )


def _check_whole(word: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{word} is {value!r}; expected a whole number of at least {least}")


def _check_real(word: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
        raise ConfigError(f"{word} is {value!r}; expected a finite number of at least 0")
