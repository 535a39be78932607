"""Data sets by name, with subsets, labelled rows and embeddings."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from deep_em_bench.core import ConfigError, derive_seed, unknown_name
from deep_em_bench.datasets.base import Dataset, Request, check_choice, registry
from deep_em_bench.datasets.embedding import embed, embedding_words
from deep_em_bench.datasets.labelling import draw_labelled

__all__ = ["check_words", "draw_subset", "load"]

COMMON = ("subset", "labelled", "assign", "features", "recipe", "features_seed")
"""Words of every data set."""


def load(
    name: str,
    *,
    seed: int = 0,
    subset: int | float | None = None,
    labelled: int | None = None,
    assign: str = "held_out",
    features: str = "raw",
    recipe: str | None = None,
    features_seed: int = 0,
    device: str = "auto",
    data_dir: str | Path | None = None,
    **words: Any,
) -> Dataset:
    """The data set registered as ``name``.

    Arguments:
        seed: seed of the subset and of generated data; it gives the same rows to all methods.
        subset: number of rows of the training split, as a count or a fraction in (0, 1], drawn
            without labels. The held-out split stays whole.
        labelled: number of rows of the training split (of the subset) whose class semi-supervised
            methods see: see :func:`draw_labelled`.
        assign: the rows that are scored besides the fitted ones: the "held_out" split, or "all"
            of the training split, as in GANMM's Figures 3 to 5.
        features: "raw", or an embedding such as "sae10", which is learnt from the whole training
            split without labels: see :mod:`datasets.embedding`.
        recipe: the embedding's budget: "quick" (its default) or "full".
        features_seed: seed of the embedding, independent of ``seed``: all seeds share one.
        device: device that learns an embedding: "auto", "cpu", "cuda" or "cuda:1".
        data_dir: the data root; else ``$DEEP_EM_BENCH_DATA``, else the user's cache folder.
        words: the data set's own options.

    Raises:
        ConfigError: an unknown name or word, or a value out of range.
        DataError: a file that cannot be downloaded, or that is damaged.

    Example:
        >>> digits = load("digits", subset=0.5)
        >>> digits.X.shape, digits.n_classes
        ((898, 1, 8, 8), 10)
    """
    loader = registry.get(name).value
    accepted = _own_words(name, words)
    check_choice("assign", assign, ("held_out", "all"))
    embedding = embedding_words(features, recipe, features_seed)
    request = Request(seed=derive_seed(seed, "data"), data_dir=data_dir)
    data = loader(request, **words)
    if embedding:
        data = embed(data, request.root, **embedding, device=device)
    known = {**accepted, **words, **embedding}
    if assign == "all":
        known["assign"] = assign
        data = replace(data, X_test=data.X, y_test=data.y)
    if subset is not None:
        rows = draw_subset(len(data.X), subset, seed=seed)
        known["subset"] = int(subset) if isinstance(subset, Integral) else float(subset)
        data = replace(data, X=data.X[rows], y=data.y[rows])
    if labelled is not None:
        few = draw_labelled(data.y, labelled, n_classes=data.n_classes, seed=seed)
        known["labelled"] = int(labelled)
        data = replace(data, labelled=few)
    return replace(data, name=name, words=known)


def check_words(name: str, words: Iterable[str]) -> None:
    """Raise ``ConfigError`` for an unknown data set or word, without loading data.

    >>> check_words("moons", ["n_samples", "subset"])
    """
    _own_words(name, [word for word in words if word not in COMMON])


def _own_words(name: str, words: Iterable[str]) -> dict[str, Any]:
    """The words of the data set's loader with their defaults; raises for others in ``words``."""
    accepted = {
        word: parameter.default
        for word, parameter in inspect.signature(registry.get(name).value).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for word in words:
        if word not in accepted:
            raise ConfigError(unknown_name(f"word of data set {name}", word, accepted))
    return accepted


def draw_subset(n: int, subset: int | float, *, seed: int) -> np.ndarray:
    """Sorted indices of ``subset`` (a count, or a fraction in (0, 1]) out of ``n`` rows.

    Labels play no part. At one seed the rows of a smaller subset are among those of a larger one,
    so that a curve over sizes only adds rows.
    """
    whole = isinstance(subset, Integral) and not isinstance(subset, bool)
    fraction = isinstance(subset, Real) and not isinstance(subset, Integral)
    if not (whole and 1 <= subset <= n) and not (fraction and 0 < subset <= 1):
        raise ConfigError(
            f"subset is {subset!r}; expected a count from 1 to {n} or a fraction in (0, 1]"
        )
    count = int(subset) if whole else max(1, round(float(subset) * n))
    order = np.random.default_rng(derive_seed(seed, "data", "subset")).permutation(n)
    return np.sort(order[:count])
