"""Scores of predictions against classes: nothing else compares the two."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deep_em_bench import metrics
from deep_em_bench.results.record import Scores

__all__ = ["headline", "score"]


def score(arrays: Mapping[str, np.ndarray], n_clusters: int) -> Scores:
    """Every clustering metric on both splits, from a record's stored arrays.

    ``arrays`` holds ``y_train``, ``labels_train`` and, where data were held out, ``y_test`` and
    ``labels_test``. The many-to-one map is fitted on the training split for both. With
    ``labelled_rows``, whose classes the method saw, these rows are left out of the training
    split, and the classification metrics join. With ``features``, those of the first rows of the
    held-out split, or of the training split where nothing was held out, the reduction metrics do.
    """
    reduced = {}
    if "features" in arrays:
        y = arrays["y_test" if "y_test" in arrays else "y_train"]
        reduced = metrics.score_reduction(y[: len(arrays["features"])], arrays["features"])
    train = arrays["y_train"], arrays["labels_train"]
    labelled = arrays.get("labelled_rows")
    if labelled is not None:
        rest = np.delete(np.arange(len(train[0])), labelled)
        train = train[0][rest], train[1][rest]
    named = labelled is not None
    known = len(train[0]) > 0
    scores = _split(*train, n_clusters=n_clusters, named=named) if known else {}
    if "labels_test" not in arrays:
        return Scores(train=scores | reduced)
    held_out = arrays["y_test"], arrays["labels_test"]
    fitted_on = train if known else None
    return Scores(
        train=scores,
        test=_split(*held_out, n_clusters=n_clusters, named=named, fitted_on=fitted_on) | reduced,
    )


def headline(scores: Scores) -> float | None:
    """The error rate, on the held-out split where there is one: with labels that of the classes
    as they are named, else one-to-one."""
    split = scores.test or scores.train
    return split.get("error_rate_classes", split.get("error_rate"))


def _split(
    y: np.ndarray,
    labels: np.ndarray,
    *,
    n_clusters: int,
    named: bool,
    fitted_on: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, float]:
    scores = metrics.score_clustering(y, labels, n_clusters=n_clusters, fitted_on=fitted_on)
    if named:
        scores |= metrics.score_classification(y, labels, n_clusters=n_clusters)
    return scores
