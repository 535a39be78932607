"""From a registered name and its words to a data set: subsets, labelled rows, embeddings."""

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
from deep_em_bench.datasets.embedding import embed, said_of
from deep_em_bench.datasets.labelling import draw_labelled

__all__ = ["check_words", "draw_subset", "load"]

COMMON = ("subset", "labelled", "assign", "features", "recipe", "features_seed")
"""Words that a suite may give to any data set."""


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
        seed: of the subset and of generated data; the same seed gives the same rows to everyone.
        subset: how many rows of the training split to keep, as a count or as a fraction in
            (0, 1]; drawn without a look at the labels. The held-out split stays whole.
        labelled: how many rows of the training split (of the subset) semi-supervised methods know
            the class of: see :func:`draw_labelled`.
        assign: what is scored besides the fitted rows: the "held_out" split, or "all" of the
            training split, fitted rows included, as GANMM's Figures 3 to 5 assign them.
        features: "raw", or an embedding that gives vectors learnt from the whole training split
            without labels, such as "sae10": see :mod:`datasets.embedding`.
        recipe: the embedding's budget: "quick" (its default) or "paper".
        features_seed: of the embedding; it does not follow ``seed``, so that cells of all seeds
            share one.
        device: where an embedding is learnt: "auto", "cpu", "cuda" or "cuda:1".
        data_dir: the data root; else ``$DEEP_EM_BENCH_DATA``, else the user's cache folder.
        words: the data set's own options.

    Raises:
        ConfigError: an unknown name or word, or a value out of range.
        DataError: a file that is missing and cannot be downloaded, or that is damaged.

    Example:
        >>> digits = load("digits", subset=0.5)
        >>> digits.X.shape, digits.n_classes
        ((898, 1, 8, 8), 10)
    """
    loader = registry.get(name).value
    accepted = _own_words(name, words)
    check_choice("assign", assign, ("held_out", "all"))
    embedding = said_of(features, recipe, features_seed)
    request = Request(seed=derive_seed(seed, "data"), data_dir=data_dir)
    data = loader(request, **words)
    if embedding:
        data = embed(data, request.root, **embedding, device=device)
    said = {**accepted, **words, **embedding}
    if assign == "all":
        said["assign"] = assign
        data = replace(data, X_test=data.X, y_test=data.y)
    if subset is not None:
        rows = draw_subset(len(data.X), subset, seed=seed)
        said["subset"] = int(subset) if isinstance(subset, Integral) else float(subset)
        data = replace(data, X=data.X[rows], y=data.y[rows])
    if labelled is not None:
        few = draw_labelled(data.y, labelled, n_classes=data.n_classes, seed=seed)
        said["labelled"] = int(labelled)
        data = replace(data, labelled=few)
    return replace(data, name=name, words=said)


def check_words(name: str, words: Iterable[str]) -> None:
    """Raise the ``ConfigError`` of :func:`load` for an unknown data set or word, without its data.

    >>> check_words("moons", ["n_samples", "subset"])
    """
    _own_words(name, [word for word in words if word not in COMMON])


def _own_words(name: str, words: Iterable[str]) -> dict[str, Any]:
    """Those of the data set's loader, with their defaults. Raises for any other of ``words``."""
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

    Class-blind: labels are not among its arguments. At one seed a smaller subset lies within a
    larger one, so a curve over sizes adds rows and never swaps them.
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
