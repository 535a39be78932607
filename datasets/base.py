"""The contract every data set keeps, and the registry that finds it.

A loader is a function registered by name. It takes a :class:`Request` and its own keyword words,
and returns a whole :class:`Dataset`. :func:`datasets.load` draws subsets and refuses unknown
words, in the same way for every data set::

    @register("blobs", origin="generated", shape=(2,), n=1000, n_classes=3)
    def blobs(request: Request, *, centers: int = 3) -> Dataset: ...
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deep_em_bench.core import ConfigError, DataError, Registry, unknown_name

__all__ = [
    "DATA_VARIABLE",
    "Dataset",
    "Loader",
    "Request",
    "Source",
    "check_choice",
    "data_root",
    "register",
    "registry",
    "scale_pixels",
    "user_cache",
]

DATA_VARIABLE = "DEEP_EM_BENCH_DATA"
"""The environment variable that names the data root."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where data come from, under which licence, and from which files."""

    where: str
    licence: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Digest (hex) of each file, by its path below the data root."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Data with their labels.

    A method sees ``X`` alone; a semi-supervised one sees the classes of ``labelled`` rows too.
    ``y`` is for the metrics. Raises ``DataError`` for arrays of another type, shape or range.
    """

    name: str
    X: np.ndarray
    """Float32: images ``(N, C, H, W)`` in [0, 1], or vectors ``(N, D)`` of any scale."""
    y: np.ndarray
    """Class of each row, ``(N,)`` int64 in [0, n_classes)."""
    class_names: tuple[str, ...]
    source: Source
    X_test: np.ndarray | None = None
    """The held-out split, points of the same shape as in X; None: there is none."""
    y_test: np.ndarray | None = None
    labelled: np.ndarray | None = None
    """Sorted indices of the rows of X whose class semi-supervised methods see; None: of no row."""
    words: Mapping[str, Any] = field(default_factory=dict)
    """The loader's words with their defaults, ``subset``, ``labelled``, and the words of an
    embedding. :func:`load` sets them."""

    def __post_init__(self) -> None:
        self._check("X", self.X, "y", self.y)
        if (self.X_test is None) != (self.y_test is None):
            raise DataError(f"data set {self.name!r} has only one of X_test and y_test; give both")
        if self.X_test is not None and self.y_test is not None:
            self._check("X_test", self.X_test, "y_test", self.y_test)
            if self.X_test.shape[1:] != self.shape:
                raise DataError(
                    f"data set {self.name!r}: points of X_test have shape "
                    f"{self.X_test.shape[1:]}; expected {self.shape}, as in X"
                )

    @property
    def n_classes(self) -> int:
        """Number of classes, also of those that a subset lacks."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point: ``(C, H, W)`` or ``(D,)``."""
        return self.X.shape[1:]

    def describe(self) -> dict[str, Any]:
        """The facts that a record keeps: plain numbers, strings, tuples and dicts."""
        return {
            "name": self.name,
            "words": dict(self.words),
            "n": len(self.X),
            "n_test": 0 if self.X_test is None else len(self.X_test),
            "shape": self.shape,
            "n_classes": self.n_classes,
            "class_names": self.class_names,
            "sha256": dict(self.source.sha256),
            "licence": self.source.licence,
            "where": self.source.where,
        }

    def _check(self, X_name: str, X: np.ndarray, y_name: str, y: np.ndarray) -> None:
        for array_name, array in ((X_name, X), (y_name, y)):
            if not isinstance(array, np.ndarray):
                raise DataError(
                    f"data set {self.name!r}: {array_name} is a {type(array).__name__}; "
                    f"expected a numpy array: convert it"
                )
        if X.dtype != np.float32 or X.ndim not in (2, 4) or len(X) == 0:
            raise DataError(
                f"data set {self.name!r}: {X_name} is {X.dtype} {X.shape}; expected float32 "
                f"images (N, C, H, W) or vectors (N, D) with at least one row"
            )
        if y.dtype != np.int64 or y.shape != (len(X),):
            raise DataError(
                f"data set {self.name!r}: {y_name} is {y.dtype} {y.shape}; "
                f"expected int64 ({len(X)},), a class for each row of {X_name}"
            )
        if y.min() < 0 or y.max() >= self.n_classes:
            raise DataError(
                f"data set {self.name!r}: {y_name} runs from {y.min()} to {y.max()}; expected "
                f"classes in 0..{self.n_classes - 1}, one for each of class_names"
            )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every loader gets besides its own words."""

    seed: int
    """Seed of all draws of data, derived from the user's seed."""
    data_dir: str | Path | None = None

    @property
    def root(self) -> Path:
        """The data root, with one folder for each data set."""
        return data_root(self.data_dir)


Loader = Callable[..., Dataset]
"""Called as ``loader(request, **words)``; words are keyword-only and have defaults."""

registry: Registry[Loader] = Registry("data set", "deep_em_bench.datasets")
register = registry.register


def data_root(data_dir: str | Path | None = None) -> Path:
    """``data_dir``, else ``$DEEP_EM_BENCH_DATA``, else the user's cache folder."""
    named = data_dir or os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser()
    return user_cache()


def user_cache() -> Path:
    """This project's folder in the user's cache."""
    import pooch  # brings requests with it, and embedded data need neither

    return Path(pooch.os_cache("deep-em-bench"))


def scale_pixels(pixels: np.ndarray) -> np.ndarray:
    """Pixels ``(N, H, W, C)`` uint8 as images ``(N, C, H, W)`` float32 in [0, 1]."""
    images = pixels.transpose(0, 3, 1, 2)
    return np.divide(images, np.float32(255), dtype=np.float32, order="C")


def check_choice(word: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ``ConfigError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ConfigError(unknown_name(f"value of {word}", str(value), choices))
