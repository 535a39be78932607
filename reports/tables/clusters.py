"""Clusters by class, size and purity, a small table a method (GANMM, Table 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deep_em_bench.metrics.clustering import ClusterRow
from deep_em_bench.reports.data.blocks import Block, Row
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import class_name
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    text_column,
)

__all__ = ["Clusters", "clusters"]

MOST = 200
"""Methods with a table, from which no further block has any."""

COUNT = Format(kind="count")
COLUMNS = (
    text_column("class", "Class", "The majority's"),
    Column(name="points", title="Points", format=COUNT),
    Column(name="purity", title="Purity", format=Format(kind="share")),
    Column(name="cluster", title="Id", format=COUNT, hint="Its number in the stored labels"),
)


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """The tables of one block, which stand beside each other under one caption."""

    block: Block
    caption: tuple[str, ...]
    tables: tuple[Table, ...]


def clusters(data: Gathered) -> Iterator[Clusters]:
    """Of each row the clusters of its lowest seed that succeeded, on the training split.

    Whatever its score; ordered by majority class, so that a class without a cluster is seen to be
    missing.
    """
    done = 0
    for block in data.rest:
        rows = [row for row in block.rows if row.ok] if done < MOST else []
        tables = [_table(block, row, held) for row in rows if (held := data.stored.clusters(row))]
        done += len(tables)
        if tables:
            yield Clusters(
                block=block,
                caption=(
                    f"Clusters on the training split: {block.title}.",
                    *caption.about(block),
                    "Of each method the first run that succeeded, clusters by majority class.",
                ),
                tables=tuple(tables),
            )


def _table(block: Block, row: Row, held: Sequence[ClusterRow]) -> Table:
    record = row.ok[0]
    names = record.dataset.class_names
    classes = [each.majority_class for each in held]
    body = tuple(
        Line(
            cells=(
                Cell(value=None if c is None else class_name(names, c)),
                Cell(value=each.size),
                Cell(value=None if c is None else each.purity),
                Cell(value=each.cluster),
            )
        )
        for each, c in zip(held, classes, strict=True)
    )
    n = sum(each.size for each in held)
    pure = sum(each.size * each.purity for each in held) / n
    present = {c for c in classes if c is not None}
    known = record.dataset.n_classes or max(present, default=-1) + 1
    lost = [class_name(names, c) for c in range(known) if c not in present]
    total = (Cell(value=f"{len(present)} of {known}"), Cell(value=n), Cell(value=pure), Cell())
    return Table(
        name=f"clusters {block.name} {row.label}",
        title=f"{row.title}, seed {record.seed}",
        columns=COLUMNS,
        groups=(Group(lines=body), Group(title="all", lines=(Line(cells=total),))),
        notes=((row.title, f"no cluster for {', '.join(lost)}."),) if lost else (),
        facts={**block.facts, "label": row.label, "seed": record.seed},
        small=True,
        href=f"#{record.key}",
    )
