"""The per-cluster table (GANMM, Table 2): class, size, purity of each cluster, methods abreast."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import ClusterRow
from deep_em_bench.reports.caption import data_and_profile
from deep_em_bench.reports.escaping import escape, named
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.stored import Stored, labels_of
from deep_em_bench.reports.summary import Block, Row
from deep_em_bench.reports.text import ABSENT, class_name, number
from deep_em_bench.results import Record

__all__ = ["ClusterColumn", "cluster_tables", "column_of", "tabular"]

log = logging.getLogger(__name__)

ABREAST = 4
"""Methods side by side in one table."""

HEAD = r"\parbox[b]{8em}{\centering "


@dataclass(frozen=True, kw_only=True)
class ClusterColumn:
    """One method's clusters in one run."""

    label: str
    record: Record
    clusters: Sequence[ClusterRow]
    """By majority class, then size; empty clusters last."""
    n_classes: int


def cluster_tables(blocks: Sequence[Block], stored: Stored) -> str:
    """LaTeX tables of the clusters on the training split, from the stored labels.

    Of each row the run of its lowest seed that ended ok is shown, whatever its score. Clusters are
    ordered by their majority class, so that a class which no cluster stands for is seen to be
    missing. A row whose labels cannot be read is warned of and left out; without any the text is
    empty.
    """
    tables = []
    for block in blocks:
        columns = list(_columns(block, stored))
        for first in range(0, len(columns), ABREAST):
            tables.append(_table(block, columns[first : first + ABREAST], first))
    return "\n".join(tables)


def column_of(row: Row, stored: Stored) -> ClusterColumn | None:
    """The clusters of the row's run of its lowest seed that ended ok; None where none did.

    Raises :class:`DataError` where the record stores no labels or they cannot be read.
    """
    if (clusters := stored.clusters(row)) is None:
        return None
    record = row.ok[0]
    if (n_classes := record.dataset.n_classes) is None and (run := stored.run(row)) is not None:
        y, _ = labels_of(run.arrays, "train")
        n_classes = int(y.max()) + 1
    return ClusterColumn(
        label=row.label, record=record, clusters=clusters, n_classes=n_classes or 0
    )


def tabular(block: Block, columns: Sequence[ClusterColumn], sums: Sequence[str] = ()) -> Tabular:
    """The clusters as a LaTeX table, three cells a method; seeds are named where they differ.

    ``sums`` are the cells of a last line, under a rule of its own.
    """
    seeded = len({column.record.seed for column in columns}) > 1
    heads = [
        named(f"{column.label}, seed {column.record.seed}" if seeded else column.label, HEAD)
        for column in columns
    ]
    body = [
        [str(i + 1), *(text for column in columns for text in _cells(column, i))]
        for i in range(block.n_clusters)
    ]
    return Tabular(
        columns="r" + r"@{\hspace{14pt}}rrr" * len(columns),
        heads=[
            ["", *(rf"\multicolumn{{3}}{{c}}{{{head}}}" for head in heads)],
            ["", *["Class", "Points", "Purity"] * len(columns)],
        ],
        groups=[Group(rows=rows) for rows in (body, [sums]) if rows[0]],
    )


def _columns(block: Block, stored: Stored) -> Iterator[ClusterColumn]:
    for row in block.rows:
        try:
            if (column := column_of(row, stored)) is not None:
                yield column
        except DataError as error:
            log.warning("no clusters of %s: %s", row.label, error)


def _table(block: Block, columns: Sequence[ClusterColumn], first: int) -> str:
    seeds = sorted({column.record.seed for column in columns})
    run = f"the run of seed {seeds[0]}" if len(seeds) == 1 else "one run each"
    sentences = [
        *data_and_profile(block),
        f"Clusters on the training split in {run}, the first that ended well, "
        f"ordered by their most frequent class.",
    ]
    name = f"clusters {block.place} {first}"
    return floating(tabular(block, columns), sentences, name)


def _cells(column: ClusterColumn, i: int) -> tuple[str, str, str]:
    cluster = column.clusters[i]
    if cluster.majority_class is None:
        return escape(ABSENT), "0", escape(ABSENT)
    name = class_name(column.record.dataset.class_names, cluster.majority_class)
    return escape(name), str(cluster.size), number(cluster.purity, "purity")
