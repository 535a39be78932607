"""What the page shows of scores, failures and clusters, a part a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import ClusterRow
from deep_em_bench.reports.caption import caption
from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.page_cells import Places, titled, traceback_of
from deep_em_bench.reports.stored import NotStoredError, Stored
from deep_em_bench.reports.summary import Block, Failed, Statistic, direction
from deep_em_bench.reports.tables import Part as TablePart
from deep_em_bench.reports.tables import parts
from deep_em_bench.reports.text import (
    ABSENT,
    ARROWS,
    REAL_IMAGES,
    SPLIT_NAMES,
    class_name,
    named_seeds,
    number,
    seconds,
)
from deep_em_bench.reports.web import Cell, Column, Group, Part, Table, number_cell, text_cell
from deep_em_bench.results import Record

__all__ = ["clusters", "failures", "metric_column", "scores"]

NOTES = 12
"""Remarks below one table."""

FAILURES = 200
"""Lines of one block's failures; the rest stands in the table of cells."""

CLUSTERED = 200
"""Runs with a table of their clusters, from which no further block has any."""


def scores(blocks: Sequence[Block], shown: Sequence[str], places: Places) -> Iterator[Part]:
    """The comparison tables, and below each, folded, one of all metrics."""
    for block in blocks:
        cells = {
            (split, metric): _values(block, split, metric)
            for split in block.splits()
            for metric in block.metrics(split)
        }
        edges = list(_edges(block, places))
        tables = [_scores(block, part, cells, edges) for part in parts(block, shown)]
        every = sorted({metric for _, metric in cells})
        wider = [part for part in parts(block, every) if set(part.columns) - set(shown)]
        tables += [_scores(block, part, cells, edges, folded=True) for part in wider]
        yield Part(title=titled(block), tables=tuple(tables))


def failures(blocks: Sequence[Block], places: Places) -> Iterator[Part]:
    """Of each block with any the runs without a result, grouped by method and error."""
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
                groups=(Group(lines=tuple(_failures(block, found[:FAILURES], places))),),
                notes=(f"{more} more kinds of failure stand among the cells.",) * (more > 0),
            )
            yield Part(title=titled(block), tables=(table,))


def clusters(blocks: Sequence[Block], stored: Stored) -> Iterator[Part]:
    """Of each block the clusters of each row's first run that ended well, by majority class."""
    done = 0
    for block in blocks:
        if done >= CLUSTERED:
            yield Part(title=titled(block), notes=("Its tables are left to clusters.tex.",))
            continue
        shown: list[Table] = []
        missing: dict[str, list[str]] = {}
        for row in block.rows:
            try:
                found = stored.clusters(row)
            except NotStoredError as error:
                missing.setdefault(str(error), []).append(row.label)
            except DataError:
                missing.setdefault("the stored labels cannot be read here", []).append(row.label)
            else:
                if found is not None:
                    shown.append(_clusters(row.label, row.ok[0], found))
        done += len(shown)
        if shown or missing:
            notes = [f"{_capital(why)}: {', '.join(rows)}." for why, rows in missing.items()]
            if block.labelled:
                notes.append("Rows whose class the fit knew are left out.")
            yield Part(title=titled(block), tables=tuple(shown), notes=tuple(notes))


def metric_column(metric: str) -> Column:
    """The head of a column with values of ``metric``."""
    return Column(name=HEADINGS.get(metric, metric), arrow=ARROWS[direction(metric)], hint=metric)


def _scores(
    block: Block,
    part: TablePart,
    cells: Mapping[tuple[str, str], Sequence[Cell]],
    edges: Sequence[tuple[Cell, ...]],
    *,
    folded: bool = False,
) -> Table:
    """``cells`` by split and metric, one a row; ``edges`` are a row's first and last ones."""
    kept = {row.label for row in part.rows}
    rows = [i for i, row in enumerate(block.rows) if row.label in kept]
    blank = [Cell(text=ABSENT, spread=_blank(block))] * len(edges)
    groups = []
    for split in part.splits:
        found = [cells.get((split, name), blank) for name in part.columns]
        lines = []
        for i in rows:
            label, size, *last = edges[i]
            sized = [size] if part.sized else []
            lines.append((label, *(column[i] for column in found), *sized, *last))
        titles = len(part.splits) > 1 or split == "test"
        groups.append(Group(title=SPLIT_NAMES[split] if titles else "", lines=tuple(lines)))
    if part.samples and any(map(block.real, part.columns)):
        real = [_score(block.real(metric), metric, _blank(block)) for metric in part.columns]
        line = (text_cell(REAL_IMAGES), *real, *[Cell(text=ABSENT)] * (2 + part.sized))
        groups.append(Group(lines=(line,)))
    what = f"{'All metrics' if folded else 'Scores'}{' of samples' if part.samples else ''}"
    what += " by component" if part.components else ""
    said = () if folded else tuple(caption(block, mark="in bold", columns=part.columns))
    return Table(
        title=f"{what}: {titled(block)}",
        sentences=said,
        columns=(
            Column(name="Method", numeric=False, hint="Leads to its cells"),
            *map(metric_column, part.columns),
            *([Column(name="Parameters", hint="Of the fitted model")] if part.sized else []),
            Column(name="Fit (s)"),
            Column(name="n", hint="Runs that ended well, of all: leads to their cells"),
        ),
        groups=tuple(groups),
        notes=() if folded else tuple(_gaps(block)),
        folded=folded,
    )


def _edges(block: Block, places: Places) -> Iterator[tuple[Cell, ...]]:
    """Of each row the cells that no metric gives: its name, size, seconds and count."""
    codes: dict[str, set[str]] = {}
    for record in block.records:
        codes.setdefault(record.label, set()).add(record.provenance.code)
    for row in block.rows:
        fit, ok, size = row.fit_s, len(row.ok), row.n_parameters
        leads = (places[titled(block), row.label],)
        mixed = len(codes[row.records[0].label]) > 1
        yield (
            text_cell(row.label, rows=leads, tag="mixed code" if mixed else ""),
            number_cell(size, f"{size:,}" if size is not None else ""),
            number_cell(fit.mean, seconds(fit.mean), spread=block.ran_on(row))
            if fit
            else Cell(text=ABSENT),
            number_cell(ok / len(row.records), row.n, rows=leads, tag="" if ok else "all failed"),
        )


def _values(block: Block, split: str, metric: str) -> list[Cell]:
    """One cell a row."""
    best = block.best(split, metric)
    blank = _blank(block)
    return [
        _score(row.statistic(split, metric), metric, blank, best=row.label in best)
        for row in block.rows
    ]


def _score(found: Statistic | None, metric: str, blank: str, *, best: bool = False) -> Cell:
    if found is None:
        return Cell(text=ABSENT, spread=blank)
    spread = blank if found.std is None else f"± {number(found.std, metric, found.mean)}"
    return number_cell(found.mean, number(found.mean, metric), spread=spread, best=best)


def _blank(block: Block) -> str:
    """As wide as the others' spread."""
    return " " if len(block.seeds) > 1 else ""


def _gaps(block: Block) -> Iterator[str]:
    seeds = set(block.seeds)
    found: dict[tuple[int, ...], list[str]] = {}
    for row in block.rows:
        if missing := seeds - set(row.seeds):
            found.setdefault(tuple(sorted(missing)), []).append(row.label)
    for missing, labels in list(found.items())[:NOTES]:
        yield f"No run with {named_seeds(missing)}, which other rows have: {', '.join(labels)}."
    if len(found) > NOTES:
        yield f"And {sum(map(len, list(found.values())[NOTES:])):,} rows more."


def _failures(block: Block, found: Sequence[Failed], places: Places) -> Iterator[tuple[Cell, ...]]:
    rows = {row.label: row for row in block.rows}
    for failed in found:
        row = rows[failed.label]
        error = next(
            record.error
            for record in row.records
            if record.status == failed.status and record.seed in failed.seeds and record.error
        )
        yield (
            text_cell(failed.label, rows=(places[titled(block), failed.label],)),
            text_cell(failed.status),
            Cell(text=named_seeds(failed.seeds), value=failed.seeds[0]),
            text_cell(failed.message, more=traceback_of(error)),
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clusters(label: str, record: Record, found: Sequence[ClusterRow]) -> Table:
    names = record.dataset.class_names
    return Table(
        title=f"{label}, seed {record.seed}",
        href=f"#{record.key}",
        columns=(
            Column(name="Class", hint="The majority's", numeric=False),
            Column(name="Points"),
            Column(name="Purity"),
            Column(name="Id", hint="Its number in the stored labels"),
        ),
        groups=(Group(lines=tuple(_cluster(row, names) for row in found)),),
        small=True,
    )


def _cluster(row: ClusterRow, names: Sequence[str]) -> tuple[Cell, ...]:
    c = row.majority_class
    return (
        text_cell("" if c is None else class_name(names, c)),
        number_cell(row.size, f"{row.size:,}"),
        number_cell(None if c is None else row.purity, number(row.purity, "purity")),
        number_cell(row.cluster, str(row.cluster)),
    )
