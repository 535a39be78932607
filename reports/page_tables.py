"""What the page shows of scores, failures and clusters, a part a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from core import DataError
from metrics.clustering import ClusterRow, cluster_table
from reports.caption import caption
from reports.latex import HEADINGS
from reports.page_cells import titled, traceback_of
from reports.summary import Block, Failed, direction
from reports.text import ABSENT, ARROWS, SPLIT_NAMES, named_seeds, number, seconds
from reports.web import Cell, Column, Group, Part, Table, number_cell, text_cell
from results import Store

__all__ = ["clusters", "failures", "metric_column", "scores"]

NOTES = 12
"""Remarks below one table."""

FAILURES = 200
"""Lines of one block's failures; the rest stands in the table of cells."""

CLUSTERED = 200
"""Runs with a table of their clusters, from which no further block has any."""


def scores(blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[Part]:
    """The comparison tables, and below each, folded, one of all metrics."""
    first = 0
    for block in blocks:
        cells = {
            (split, metric): _values(block, split, metric)
            for split in block.splits()
            for metric in block.metrics(split)
        }
        edges = list(_edges(block, first))
        tables = [_scores(block, shown, cells, edges)]
        every = sorted({metric for _, metric in cells})
        if set(every) - set(shown):
            tables.append(_scores(block, every, cells, edges, folded=True))
        yield Part(title=titled(block), tables=tuple(tables))
        first += len(block.rows)


def failures(blocks: Sequence[Block]) -> Iterator[Part]:
    """Of each block with any the runs without a result, grouped by method and error."""
    first = 0
    for block in blocks:
        if found := block.failures:
            more = len(found) - FAILURES
            table = Table(
                title="Runs without a result",
                columns=(
                    Column(name="Method", numeric=False),
                    Column(name="Status", numeric=False),
                    Column(name="Seeds", numeric=False),
                    Column(name="Error", numeric=False),
                ),
                groups=(Group(lines=tuple(_failures(block, found[:FAILURES], first))),),
                notes=(f"{more} more kinds of failure stand among the cells.",) * (more > 0),
            )
            yield Part(title=titled(block), tables=(table,))
        first += len(block.rows)


def clusters(blocks: Sequence[Block], store: Store) -> Iterator[Part]:
    """Of each block the clusters of each row's first run that ended well, by majority class."""
    done = 0
    for block in blocks:
        if done >= CLUSTERED:
            yield Part(title=titled(block), notes=("Its tables are left to clusters.tex.",))
            continue
        tables: list[Table] = []
        missing: dict[str, list[str]] = {}
        for row in block.rows:
            for record in row.ok[:1]:
                try:
                    arrays = store.arrays(record.key)
                    y, labels = arrays["y_train"], arrays["labels_train"]
                    found = cluster_table(y, labels, n_clusters=block.n_clusters)
                except KeyError as error:
                    missing.setdefault(f"The record stores no {error}", []).append(row.label)
                except DataError:
                    missing.setdefault("The stored labels cannot be read here", []).append(
                        row.label
                    )
                else:
                    names = record.dataset.class_names
                    tables.append(_clusters(f"{row.label}, seed {record.seed}", found, names))
        done += len(tables)
        if tables or missing:
            notes = tuple(f"{why}: {', '.join(labels)}." for why, labels in missing.items())
            yield Part(title=titled(block), tables=tuple(tables), notes=notes)


def metric_column(metric: str) -> Column:
    """The head of a column with values of ``metric``."""
    return Column(name=HEADINGS.get(metric, metric), arrow=ARROWS[direction(metric)], hint=metric)


def _scores(
    block: Block,
    shown: Sequence[str],
    cells: Mapping[tuple[str, str], Sequence[Cell]],
    edges: Sequence[tuple[Cell, ...]],
    *,
    folded: bool = False,
) -> Table:
    """``cells`` by split and metric, one a row; ``edges`` are a row's first and last ones."""
    splits = [split for split in SPLIT_NAMES if any((split, name) in cells for name in shown)]
    shown = [name for name in shown if any((split, name) in cells for split in splits)]
    blank = [Cell(text=ABSENT, spread=_blank(block))] * len(edges)
    groups = []
    for split in splits or ["train"]:  # a block of failures has rows too
        found = [cells.get((split, name), blank) for name in shown]
        lines = [
            (label, *(column[i] for column in found), *last)
            for i, (label, *last) in enumerate(edges)
        ]
        title = SPLIT_NAMES[split] if splits not in ([], ["train"]) else ""
        groups.append(Group(title=title, lines=tuple(lines)))
    return Table(
        title=f"{'All metrics' if folded else 'Scores'}: {titled(block)}",
        sentences=() if folded else tuple(caption(block, mark="in bold")),
        columns=(
            Column(name="Method", numeric=False),
            *map(metric_column, shown),
            Column(name="Fit (s)"),
            Column(name="n", hint="Runs that ended well, of all: leads to their cells"),
        ),
        groups=tuple(groups),
        notes=() if folded else _some(list(_gaps(block))),
        folded=folded,
    )


def _edges(block: Block, first: int) -> Iterator[tuple[Cell, ...]]:
    """Of each row the cells that no metric gives: its name, seconds and count."""
    codes: dict[str, set[str]] = {}
    for record in block.records:
        codes.setdefault(record.label, set()).add(record.provenance.code)
    for i, row in enumerate(block.rows):
        fit, ok = row.fit_s, len(row.ok)
        mixed = len(codes[row.records[0].label]) > 1
        yield (
            text_cell(row.label, tag="mixed code" if mixed else ""),
            number_cell(fit.mean, seconds(fit.mean)) if fit else Cell(text=ABSENT),
            number_cell(
                ok / len(row.records), row.n, row=first + i, tag="" if ok else "all failed"
            ),
        )


def _values(block: Block, split: str, metric: str) -> list[Cell]:
    """One cell a row."""
    best = block.best(split, metric)
    blank = _blank(block)
    cells = []
    for row in block.rows:
        if (found := row.statistic(split, metric)) is None:
            cells.append(Cell(text=ABSENT, spread=blank))
            continue
        spread = blank if found.std is None else f"± {number(found.std, metric)}"
        mean = number(found.mean, metric)
        cells.append(number_cell(found.mean, mean, spread=spread, best=row.label in best))
    return cells


def _blank(block: Block) -> str:
    """As wide as the others' spread."""
    return " " if len(block.seeds) > 1 else ""


def _gaps(block: Block) -> Iterator[str]:
    seeds = set(block.seeds)
    for row in block.rows:
        if missing := seeds - set(row.seeds):
            yield f"{row.label}: no run with {named_seeds(missing)}, which other rows have."


def _some(notes: Sequence[str]) -> tuple[str, ...]:
    if len(notes) <= NOTES:
        return tuple(notes)
    return (*notes[:NOTES], f"And {len(notes) - NOTES:,} rows more.")


def _failures(block: Block, found: Sequence[Failed], first: int) -> Iterator[tuple[Cell, ...]]:
    places = {row.label: i for i, row in enumerate(block.rows)}
    for failed in found:
        row = block.rows[places[failed.label]]
        error = next(
            record.error
            for record in row.records
            if record.status == failed.status and record.seed in failed.seeds and record.error
        )
        yield (
            text_cell(failed.label, row=first + places[failed.label]),
            text_cell(failed.status),
            Cell(text=named_seeds(failed.seeds), value=failed.seeds[0]),
            text_cell(failed.message, more=traceback_of(error)),
        )


def _clusters(title: str, found: Sequence[ClusterRow], names: Sequence[str]) -> Table:
    rows = sorted(found, key=lambda c: (c.majority_class is None, c.majority_class or 0, -c.size))
    return Table(
        title=title,
        columns=(
            Column(name="Class", hint="The majority's", numeric=False),
            Column(name="Points"),
            Column(name="Purity"),
            Column(name="Id", hint="Its number in the stored labels"),
        ),
        groups=(Group(lines=tuple(_cluster(row, names) for row in rows)),),
        small=True,
    )


def _cluster(row: ClusterRow, names: Sequence[str]) -> tuple[Cell, ...]:
    c = row.majority_class
    return (
        text_cell("" if c is None else names[c] if c < len(names) else str(c)),
        number_cell(row.size, f"{row.size:,}"),
        number_cell(None if c is None else row.purity, number(row.purity, "purity")),
        number_cell(row.cluster, str(row.cluster)),
    )
