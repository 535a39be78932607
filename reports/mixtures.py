"""GANMM's Table 2: clusters of the mixture, of its EM version and of the others, side by side."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from core import DataError
from metrics.clustering import ClusterRow
from reports.caption import data_and_profile
from reports.clusters import by_class
from reports.latex import breakable, escape, floating, named
from reports.summary import Block, Row
from reports.text import ABSENT, number
from results import Record, Store

__all__ = ["mixture_table", "rows_of"]

log = logging.getLogger(__name__)

METHODS = ("ganmm", "ganmm_em", "kmeans", "gmm", "dec")
"""From the left; without the first there is no table."""

HEAD = r"\parbox[b]{8em}{\centering "


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One method's clusters in one run."""

    label: str
    record: Record
    clusters: list[ClusterRow]
    """By majority class, then size; empty clusters last."""
    n_classes: int

    @property
    def classes(self) -> set[int]:
        """Those that a cluster stands for."""
        found = (cluster.majority_class for cluster in self.clusters)
        return {majority for majority in found if majority is not None}


def mixture_table(block: Block, store: Store) -> str:
    """Table 2 of the GANMM paper as LaTeX: class, size, purity of each cluster, methods abreast.

    Of each method the run of its lowest seed that ended ok is shown, whatever its score. Below the
    clusters stand how many classes have a cluster, the points and the purity of all; under the
    table the classes that have none. Empty without a GANMM or labels that tell its clusters; other
    methods whose labels cannot be read are warned of and left out.
    """
    columns = [column for row in rows_of(block, METHODS) if (column := _column(block, row, store))]
    if not columns or columns[0].record.method.name != METHODS[0]:
        return ""
    sentences = [
        *data_and_profile(block),
        "Clusters on the training split in one run of each method, the first that ended well, "
        "ordered by their most frequent class.",
    ]
    lost = "; ".join(f"{column.label}: {_lost(column)}" for column in columns)
    name = f"mixtures {block.suite} {block.dataset} {block.n_clusters} {block.profile}"
    return floating(_tabular(block, columns), sentences, name, [breakable(f"{lost}.")])


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


def _column(block: Block, row: Row, store: Store) -> _Column | None:
    record = row.ok[0]
    try:
        arrays = store.arrays(record.key)
        y, labels = arrays["y_train"], arrays["labels_train"]
        clusters = by_class(y, labels, n_clusters=block.n_clusters)
    except KeyError as error:
        log.warning("%s is not set beside others: the record stores no %s", row.label, error)
    except DataError as error:
        log.warning("%s is not set beside others: %s", row.label, error)
    else:
        n_classes = record.dataset.n_classes or int(y.max()) + 1
        return _Column(label=row.label, record=record, clusters=clusters, n_classes=n_classes)
    return None


def _tabular(block: Block, columns: Sequence[_Column]) -> str:
    import pandas as pd

    seeded = len({column.record.seed for column in columns}) > 1
    heads = [
        named(f"{column.label}, seed {column.record.seed}" if seeded else column.label, HEAD)
        for column in columns
    ]
    index = pd.MultiIndex.from_tuples(
        [("", ""), *((head, name) for head in heads for name in ("Class", "Points", "Purity"))]
    )
    body = [
        [str(i + 1), *(text for column in columns for text in _cells(column.clusters[i]))]
        for i in range(block.n_clusters)
    ]
    body.append(["all", *(text for column in columns for text in _sums(column))])
    latex = (
        pd.DataFrame(body, columns=index)
        .style.hide(axis="index")
        .to_latex(
            hrules=True,
            multicol_align="c",
            column_format="r" + r"@{\hspace{14pt}}rrr" * len(columns),
        )
    )
    *lines, last, rule, end = latex.splitlines()
    return "\n".join([*lines, r"\midrule", last, rule, end])


def _cells(cluster: ClusterRow) -> tuple[str, str, str]:
    if cluster.majority_class is None:
        return escape(ABSENT), "0", escape(ABSENT)
    return str(cluster.majority_class), str(cluster.size), number(cluster.purity, "purity")


def _sums(column: _Column) -> tuple[str, str, str]:
    """How many classes have a cluster, the points, and the purity of the whole."""
    n = sum(cluster.size for cluster in column.clusters)
    pure = sum(cluster.size * cluster.purity for cluster in column.clusters)
    return str(len(column.classes)), str(n), number(pure / n, "purity")


def _lost(column: _Column) -> str:
    lost = sorted(set(range(column.n_classes)) - column.classes)
    return f"no cluster for {', '.join(map(str, lost))}" if lost else "a cluster for each class"
