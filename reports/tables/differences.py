"""Every row of a block against the best one, or the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from deep_em_bench.reports.data import statistics
from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.differences import Comparison
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import SPLITS, metric_info, metric_title
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    ARROWS,
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    metric_format,
    number,
    text_column,
    without_empty,
)

__all__ = ["differences"]


def differences(data: Gathered) -> Iterator[Table]:
    """A table for each block in which a test can be borne by any metric."""
    for block in data.rest:
        compared = [
            found
            for split in data.splits(block, data.metrics)
            for metric in data.metrics
            if (found := data.comparison(block, f"{split}/{metric}")) is not None
        ]
        if tested := [each for each in compared if each.tested]:
            yield _table(data, block, tested)


def _table(data: Gathered, block: Block, compared: list[Comparison]) -> Table:
    reference = "the best mean" if data.choice.procedure.against is None else "the row named"
    table = Table(
        name=f"differences {block.name}",
        title=f"Differences, {block.title}",
        columns=(
            text_column("title", "Method"),
            Column(
                name="difference", title="Difference", format=Format(kind="share", signed=True)
            ),
            Column(name="interval", title="95 % interval", format=Format(kind="share")),
            Column(name="p", title="p", format=Format(kind="p")),
            Column(name="pairs", title="Pairs", format=Format(kind="count")),
            Column(name="rank", title="Rank", format=Format(kind="rank"), direction="lower"),
        ),
        groups=tuple(_group(data, block, each) for each in compared),
        caption=(
            f"Differences to {reference}, paired by seed: {block.title}.",
            *caption.about(block)[1:],
            *caption.how_bold(compared),
            *caption.seldom(block),
        ),
        notes=tuple(("", sentence) for sentence in _reading(data, compared)),
        facts=block.facts,
        folded=True,
    )
    return without_empty(table)


def _group(data: Gathered, block: Block, found: Comparison) -> Group:
    split, _, metric = found.column.partition("/")
    style = metric_format(metric)
    letters = found.letters if found.critical is not None else {}
    lines = []
    for row in block.rows:
        each = found.differences.get(row.label)
        rank = Cell(value=found.ranks.get(row.label), mark=letters.get(row.label, ""))
        leads = (data.places[block.name, row.label],)
        name = Cell(value=row.title, rows=leads, best=row.label in found.bold)
        if each is None:
            word = "reference" if row.label == found.reference else None
            cells = (name, Cell(value=word), Cell(), Cell(), Cell(), rank)
        else:
            signed = Format(kind=style.kind, signed=True)
            pairs = Cell(value=each.n, of=each.n + each.left_out)
            cells = (
                name,
                Cell(value=each.mean, format=signed),
                Cell(interval=each.interval, format=style),
                Cell(value=each.p),
                pairs,
                rank,
            )
        lines.append(Line(cells=cells, facts={"label": row.label, "metric": metric}))
    arrow = ARROWS[metric_info(metric).direction]
    title = f"{metric_title(metric)} {arrow}, {SPLITS[split]}"
    return Group(title=title, name=split, lines=tuple(lines))


def _reading(data: Gathered, compared: list[Comparison]) -> Iterator[str]:
    if data.choice.procedure.against is None:
        yield (
            "The best was chosen on these same runs, which makes it look better than it is. "
            "Pairs: seeds on which both succeeded, out of those that either was run on."
        )
    yield f"Interval: {statistics.RESAMPLES:,} bootstrap resamples, widened for few pairs."
    if compared[0].procedure.test == "nemenyi":
        for each in compared:
            p, chi2, critical = each.p, each.chi2, each.critical
            if p is not None and chi2 is not None and critical is not None:
                yield (
                    f"{metric_title(each.column.partition('/')[2])}: Friedman chi-squared "
                    f"{chi2:.1f}, p {number(p, Format(kind='p'))}; critical difference of ranks "
                    f"{critical:.2f}. Rows with a letter in common are not told apart."
                )
    else:
        many = any(d.n > statistics.LARGE for each in compared for d in each.differences.values())
        beyond = f" (beyond {statistics.LARGE} pairs asymptotic)" if many else ""
        yield f"p: exact Wilcoxon signed-rank test{beyond}, after Holm over the rows."
    yield "Rank: average over the seeds, 1 the best. Seeds are reruns on one data set."
