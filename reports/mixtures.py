"""GANMM's Table 2: clusters of the mixture, of its EM version and of the others, side by side."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from deep_em_bench.core import DataError
from deep_em_bench.reports.caption import data_and_profile
from deep_em_bench.reports.clusters import ClusterColumn, column_of, tabular
from deep_em_bench.reports.floats import floating
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.summary import Block, Row
from deep_em_bench.reports.text import class_name, number

__all__ = ["mixture_table", "rows_of"]

log = logging.getLogger(__name__)

METHODS = ("ganmm", "ganmm_em", "kmeans", "gmm", "dec")
"""From the left; without the first there is no table."""


def mixture_table(block: Block, stored: Stored) -> str:
    """Table 2 of the GANMM paper as LaTeX: class, size, purity of each cluster, methods abreast.

    Of each method the run of its lowest seed that ended ok is shown, whatever its score. Below the
    clusters stand how many classes have a cluster, the points and the purity of all; under the
    table the classes that have none. Empty without a GANMM or labels that tell its clusters; other
    methods whose labels cannot be read are warned of and left out.
    """
    rows = rows_of(block, METHODS)
    if not rows or rows[0].ok[0].method.name != METHODS[0]:
        return ""
    columns = [column for row in rows if (column := _column(row, stored))]
    if not columns or columns[0].record.method.name != METHODS[0]:
        return ""
    sentences = [
        *data_and_profile(block),
        "Clusters on the training split in one run of each method, the first that ended well, "
        "ordered by their most frequent class.",
    ]
    lost = "; ".join(f"{column.label}: {_lost(column)}" for column in columns)
    name = f"mixtures {block.place}"
    sums = ["all", *(text for column in columns for text in _sums(column))]
    return floating(tabular(block, columns, sums), sentences, name, [("", f"{lost}.")])


def rows_of(block: Block, methods: Sequence[str]) -> list[Row]:
    """A row of each of these methods, in that order, where one has a run that ended ok.

    Of several rows of a method it is the first that is a preset and no more; else the first.
    """
    found = []
    for name in methods:
        rows = [row for row in block.rows if row.ok and row.ok[0].method.name == name]
        plain = [row for row in rows if row.label == f"{name}[{row.ok[0].method.preset}]"]
        found += (plain or rows)[:1]
    return found


def _column(row: Row, stored: Stored) -> ClusterColumn | None:
    try:
        return column_of(row, stored)
    except DataError as error:
        log.warning("%s is not set beside others: %s", row.label, error)
    return None


def _sums(column: ClusterColumn) -> tuple[str, str, str]:
    """How many classes have a cluster, the points, and the purity of the whole."""
    n = sum(cluster.size for cluster in column.clusters)
    pure = sum(cluster.size * cluster.purity for cluster in column.clusters)
    return str(len(_classes(column))), str(n), number(pure / n, "purity")


def _lost(column: ClusterColumn) -> str:
    lost = sorted(set(range(column.n_classes)) - _classes(column))
    names = [class_name(column.record.dataset.class_names, c) for c in lost]
    return f"no cluster for {', '.join(names)}" if lost else "a cluster for each class"


def _classes(column: ClusterColumn) -> set[int]:
    """Those that a cluster stands for."""
    found = (cluster.majority_class for cluster in column.clusters)
    return {majority for majority in found if majority is not None}
