"""Predictions against classes: the one place outside ``metrics`` where the two are together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import metrics
from results.record import Scores

__all__ = ["headline", "score"]


def score(arrays: Mapping[str, np.ndarray], n_clusters: int) -> Scores:
    """Every clustering metric on both splits, from a record's stored arrays.

    ``arrays`` holds ``y_train``, ``labels_train`` and, where data were held out, ``y_test`` and
    ``labels_test``. The many-to-one map is fitted on the training split for both.
    """
    train = arrays["y_train"], arrays["labels_train"]
    scores = metrics.score_clustering(*train, n_clusters=n_clusters)
    if "labels_test" not in arrays:
        return Scores(train=scores)
    held_out = metrics.score_clustering(
        arrays["y_test"], arrays["labels_test"], n_clusters=n_clusters, fitted_on=train
    )
    return Scores(train=scores, test=held_out)


def headline(scores: Scores) -> float | None:
    """The one-to-one error rate, on the held-out split where there is one."""
    return (scores.test or scores.train).get("error_rate")
