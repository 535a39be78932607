"""The per-cluster table (GANMM, Table 2): class, size, purity of each cluster, methods abreast."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core import DataError
from metrics.clustering import ClusterRow, cluster_table
from reports.caption import data_and_profile
from reports.latex import escape, floating, named
from reports.summary import Block
from reports.text import ABSENT, number
from results import Store

__all__ = ["by_class", "cluster_tables"]

log = logging.getLogger(__name__)

ABREAST = 4
"""Methods side by side in one table."""

HEAD = r"\parbox[b]{8em}{\centering "


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One method's clusters in one run."""

    label: str
    seed: int
    rows: list[ClusterRow]
    """By majority class, then size; empty clusters last."""


def cluster_tables(blocks: Sequence[Block], store: Store) -> str:
    """LaTeX tables of the clusters on the training split, from the stored labels.

    Of each row the run of its lowest seed that ended ok is shown, whatever its score. Clusters are
    ordered by their majority class, so that a class which no cluster stands for is seen to be
    missing. A row whose labels cannot be read is warned of and left out; without any the text is
    empty.
    """
    tables = []
    for block in blocks:
        columns = list(_columns(block, store))
        for first in range(0, len(columns), ABREAST):
            tables.append(_table(block, columns[first : first + ABREAST], first))
    return "\n".join(tables)


def by_class(y: np.ndarray, labels: np.ndarray, *, n_clusters: int) -> list[ClusterRow]:
    """The clusters by majority class, then from the largest; empty ones last."""
    clusters = cluster_table(y, labels, n_clusters=n_clusters)
    return sorted(
        clusters, key=lambda c: (c.majority_class is None, c.majority_class or 0, -c.size)
    )


def _columns(block: Block, store: Store) -> Iterator[_Column]:
    for row in block.rows:
        for record in row.ok[:1]:
            try:
                arrays = store.arrays(record.key)
                y, labels = arrays["y_train"], arrays["labels_train"]
                clusters = by_class(y, labels, n_clusters=block.n_clusters)
            except KeyError as error:
                log.warning("no clusters of %s: the record stores no %s", row.label, error)
            except DataError as error:
                log.warning("no clusters of %s: %s", row.label, error)
            else:
                yield _Column(label=row.label, seed=record.seed, rows=clusters)


def _table(block: Block, columns: Sequence[_Column], first: int) -> str:
    import pandas as pd

    seeds = sorted({column.seed for column in columns})
    shared = len(seeds) == 1
    heads = [
        named(column.label if shared else f"{column.label}, seed {column.seed}", HEAD)
        for column in columns
    ]
    index = pd.MultiIndex.from_tuples(
        [("", ""), *((head, name) for head in heads for name in ("Class", "Points", "Purity"))]
    )
    body = [
        [str(i + 1), *(text for column in columns for text in _cells(column.rows[i]))]
        for i in range(block.n_clusters)
    ]
    tabular = pd.DataFrame(body, columns=index).style.hide(axis="index")
    latex = tabular.to_latex(
        hrules=True,
        multicol_align="c",
        column_format="r" + r"@{\hspace{14pt}}rrr" * len(columns),
    )
    run = f"the run of seed {seeds[0]}" if shared else "one run each"
    sentences = [
        *data_and_profile(block),
        f"Clusters on the training split in {run}, the first that ended well, "
        f"ordered by their most frequent class.",
    ]
    name = f"clusters {block.suite} {block.dataset} {block.n_clusters} {block.profile} {first}"
    return floating(latex, sentences, name)


def _cells(row: ClusterRow) -> tuple[str, str, str]:
    if row.majority_class is None:
        return escape(ABSENT), "0", escape(ABSENT)
    return str(row.majority_class), str(row.size), number(row.purity, "purity")
