"""The comparison tables: scores of labels, of samples, and of samples by component.

A further column is one more entry of :data:`AFTER`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from deep_em_bench.reports.data.blocks import TIME, Block, Row
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.summary import Statistic
from deep_em_bench.reports.data.titles import SPLITS, is_component_metric
from deep_em_bench.reports.data.tracebacks import traceback_of
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Note,
    Table,
    metric_column,
    text_column,
    without_empty,
)

__all__ = ["every_score", "failure_notes", "failure_tables", "scores", "statistic_cell"]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A table of its own."""

    kind: str
    """"": the scores of labels; "samples"; "components"."""
    splits: Sequence[str]
    metrics: Sequence[str]
    rows: Sequence[Row]


def scores(data: Gathered) -> list[Table]:
    """The tables of all blocks with a table of their own, with the metrics that have a column."""
    return [
        _table(data, block, part)
        for block in data.rest
        for part in _parts(data, block, data.metrics)
    ]


def every_score(data: Gathered, blocks: Sequence[Block] | None = None) -> list[Table]:
    """The same with all metrics, for CSV and JSON, and for the page to fold away."""
    tables = []
    for block in data.blocks if blocks is None else blocks:
        every = sorted({metric for held in block.metrics.values() for metric in held})
        tables += [_table(data, block, part, every=True) for part in _parts(data, block, every)]
    return tables


def failure_notes(block: Block) -> list[Note]:
    """Every run without a result, a note for each row and error."""
    return [
        (each.status, f"{each.row.title}, {caption.named_seeds(each.seeds)}: {each.message}")
        for each in block.failures
    ]


def failure_tables(data: Gathered, most: int = 200) -> Iterator[Table]:
    """Of each block with any the runs without a result, with their tracebacks."""
    for block in data.blocks:
        failures = block.failures
        lines = tuple(
            Line(
                cells=(
                    Cell(value=each.row.title, rows=(data.places[block.name, each.row.label],)),
                    Cell(value=each.status),
                    Cell(value=caption.named_seeds(each.seeds)),
                    Cell(value=each.message, details=traceback_of(each.record.error))
                    if each.record.error
                    else Cell(),
                )
            )
            for each in failures[:most]
        )
        if lines:
            more = len(failures) - most
            yield Table(
                name=f"failures {block.name}",
                title=block.title,
                columns=(
                    text_column("label", "Method"),
                    text_column("status", "Status"),
                    text_column("seeds", "Seeds"),
                    text_column("error", "Error"),
                ),
                groups=(Group(lines=lines),),
                notes=(("", f"{more} more kinds of failure stand among the runs."),) * (more > 0),
            )


def statistic_cell(found: Statistic | None, **words: object) -> Cell:
    """A mean with its spread."""
    if found is None:
        return Cell()
    extra = {"median": found.median, "n": found.n}
    return replace(Cell(value=found.mean, spread=found.std, extra=extra), **words)


def _parts(data: Gathered, block: Block, metrics: Sequence[str]) -> Iterator[_Part]:
    """One of labels' scores, or of the rows alone without any number; then of samples'."""
    drawn = [
        m
        for m in metrics
        if m in block.metrics["generation"] and data.choice.split in (None, "generation")
    ]
    labelled = [split for split in data.splits(block, metrics) if split != "generation"]
    if labelled or not drawn:
        of_labels = {name for split in labelled for name in block.metrics[split]}
        columns = [m for m in metrics if m in of_labels]
        yield _Part(kind="", splits=labelled or ["train"], metrics=columns, rows=block.rows)
    for kind, names in (
        ("samples", [m for m in drawn if not is_component_metric(m)]),
        ("components", [m for m in drawn if is_component_metric(m)]),
    ):
        if names:
            scored = [
                row
                for row in block.rows
                if any(not run.metrics.generation.keys().isdisjoint(names) for run in row.ok)
                or (kind == "samples" and not row.ok)
            ]
            yield _Part(kind=kind, splits=["generation"], metrics=names, rows=scored)


def _table(data: Gathered, block: Block, part: _Part, *, every: bool = False) -> Table:
    after = [
        make
        for name, make in AFTER.items()
        if name != "n_parameters" or part.kind == "samples" or every
    ]
    comparisons = {
        (split, metric): data.comparison(block, f"{split}/{metric}")
        for split in part.splits
        for metric in part.metrics
    }
    bold = {key: each.bold if each else set() for key, each in comparisons.items()}
    columns = [metric_column(metric) for metric in part.metrics]
    groups = []
    for split in part.splits:
        lines = []
        for row in part.rows:
            cells = [
                statistic_cell(
                    block.statistic(row, f"{split}/{metric}"),
                    best=row.label in bold[split, metric],
                )
                for metric in part.metrics
            ]
            lines.append(_line(data, block, row, cells, [make(block, row) for _, make in after]))
        titled = len(part.splits) > 1 or split == "test"
        title = SPLITS[split] if titled else ""
        groups.append(Group(title=title, name=split, lines=tuple(lines)))
    if part.kind and any(map(block.real, part.metrics)):
        cells = [statistic_cell(block.real(metric)) for metric in part.metrics]
        facts = {"label": caption.REAL_IMAGES}
        line = (Cell(value=caption.REAL_IMAGES), *cells, *(Cell() for _ in after))
        groups.append(Group(name="real", lines=(Line(cells=line, facts=facts),)))
    kind = f" {part.kind}" if part.kind else ""
    what = {"": "", "samples": "Samples, ", "components": "Samples by component, "}[part.kind]
    table = Table(
        name=f"{block.name}{kind}{' all' if every else ''}",
        title=f"{'All metrics, ' if every else ''}{what}{block.title}",
        columns=(text_column("title", "Method"), *columns, *(column for column, _ in after)),
        groups=tuple(groups),
        caption=(
            *caption.about(block),
            caption.runs([block]),
            *caption.how_bold(comparisons.values()),
            *caption.seldom(block),
        ),
        notes=(
            *(("", note) for note in caption.notes_on(block, part.metrics)),
            *failure_notes(block),
        ),
        facts=block.facts,
        folded=every,
    )
    return without_empty(table)


def _line(
    data: Gathered, block: Block, row: Row, cells: Sequence[Cell], after: Sequence[Cell]
) -> Line:
    used = row.records[0].method
    leads = (data.places[block.name, row.label],)
    facts = {"label": row.label, "method": used.name, "preset": used.preset}
    return Line(cells=(Cell(value=row.title, rows=leads), *cells, *after), facts=facts)


def _size(_: Block, row: Row) -> Cell:
    return Cell(value=row.n_parameters)


def _time(block: Block, row: Row) -> Cell:
    found = block.statistic(row, TIME)
    mark = block.ran_on(row) + "†" * block.crowded(row)
    return Cell(value=found.mean, mark=mark) if found else Cell()


def _runs(_: Block, row: Row) -> Cell:
    return Cell(value=len(row.ok), of=len(row.records))


AFTER = {
    "n_parameters": (
        Column(name="n_parameters", title="Parameters", format=Format(kind="count")),
        _size,
    ),
    "time": (
        Column(name=TIME, title=caption.TIME_TITLE, unit="s", format=Format(kind="seconds")),
        _time,
    ),
    "n": (Column(name="n", title="n", format=Format(kind="count")), _runs),
}
"""The columns after the metrics, each with what makes its cells."""
