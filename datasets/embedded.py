"""Data that need no file: scikit-learn's digits and irises; moons and blobs, which are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons

from deep_em_bench.core import ConfigError, derive_seed
from deep_em_bench.datasets.base import Dataset, Request, Source, register

__all__ = ["blobs", "digits", "iris", "moons"]


@register("digits", title="Digits", origin="embedded", shape=(1, 8, 8), n=1797, n_classes=10)
def digits(request: Request) -> Dataset:
    """1,797 real handwritten digits, 8x8 pixels; no held-out split.

    The test part of UCI's Optical Recognition of Handwritten Digits (Alpaydin & Kaynak, 1998);
    values 0..16 are divided by 16.
    """
    data = load_digits()
    return Dataset(
        name="digits",
        X=(data.images[:, None] / 16).astype(np.float32),  # (N, H, W) -> (N, 1, H, W)
        y=data.target.astype(np.int64),
        class_names=tuple(str(digit) for digit in range(10)),
        source=_shipped("load_digits, UCI Optical Recognition of Handwritten Digits"),
    )


@register("iris", title="Iris", origin="embedded", shape=(4,), n=150, n_classes=3)
def iris(request: Request) -> Dataset:
    """150 irises of three species, four lengths in cm (Fisher, 1936); no held-out split."""
    data = load_iris()
    return Dataset(
        name="iris",
        X=data.data.astype(np.float32),
        y=data.target.astype(np.int64),
        class_names=tuple(str(name) for name in data.target_names),
        source=_shipped("load_iris, UCI Iris"),
    )


@register("moons", title="Moons", origin="generated", shape=(2,), n=1000, n_classes=2)
def moons(request: Request, *, n_samples: int = 1000, noise: float = 0.05) -> Dataset:
    """Two interleaved half circles in the plane, drawn anew at each seed.

    Arguments:
        n_samples: points of the training split; as many others are held out.
        noise: standard deviation of the Gaussian noise; the circles have radius 1.
    """
    _check_whole("n_samples", n_samples, least=2)
    _check_real("noise", noise)
    fitted, held_out = (
        make_moons(n_samples, noise=noise, random_state=seed) for seed in _seeds(request)
    )
    return _drawn("moons", fitted, held_out, class_names=("upper", "lower"))


@register("blobs", title="Blobs", origin="generated", shape=(2,), n=1000, n_classes=3)
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
        n_samples: points of the training split; as many others are held out.
        centers: number of Gaussians, each a class.
        cluster_std: standard deviation of each.
        n_features: dimension D.
    """
    _check_whole("centers", centers, least=1)
    _check_whole("n_samples", n_samples, least=centers)
    _check_whole("n_features", n_features, least=1)
    _check_real("cluster_std", cluster_std)
    seed, test_seed = _seeds(request)
    X, y, middles = make_blobs(
        n_samples,
        n_features,
        centers=centers,
        cluster_std=cluster_std,
        random_state=seed,
        return_centers=True,
    )
    held_out = make_blobs(
        n_samples, centers=middles, cluster_std=cluster_std, random_state=test_seed
    )
    names = tuple(f"blob {i}" for i in range(centers))
    return _drawn("blobs", (X, y), held_out, class_names=names)


def _seeds(request: Request) -> tuple[int, int]:
    """Seeds of the training and of the held-out split."""
    return request.seed, derive_seed(request.seed, "test")


def _shipped(what: str) -> Source:
    return Source(where=f"scikit-learn {sklearn.__version__}: {what}", licence="CC BY 4.0")


def _drawn(name: str, fitted: Any, held_out: Any, *, class_names: tuple[str, ...]) -> Dataset:
    """The data set of two pairs of points and classes."""
    (X, y), (X_test, y_test) = fitted, held_out
    return Dataset(
        name=name,
        X=X.astype(np.float32),
        y=y.astype(np.int64),
        X_test=X_test.astype(np.float32),
        y_test=y_test.astype(np.int64),
        class_names=class_names,
        source=Source(
            where=f"drawn by scikit-learn {sklearn.__version__}: make_{name}",
            licence="none needed: generated numbers",
        ),
    )


def _check_whole(word: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{word} is {value!r}; expected a whole number of at least {least}")


def _check_real(word: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
        raise ConfigError(f"{word} is {value!r}; expected a finite number of at least 0")
