"""What the page shows of differences between methods, and of published numbers beside ours."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence

from reports.caption import data_and_profile
from reports.comparison import KINDS, Compared, ComparedBlock
from reports.latex import HEADINGS
from reports.page_cells import titled
from reports.statistics import ALPHA, RESAMPLES, coverage_bound, wilcoxon_least
from reports.statistics_rows import Comparison, Ranking, compared, ranked, ranked_over_data
from reports.statistics_tables import probability, said
from reports.summary import Block, direction
from reports.text import ABSENT, ARROWS, SPLIT_NAMES, named_seeds, number
from reports.web import Cell, Column, Group, Part, Table, number_cell, text_cell

__all__ = ["differences", "published"]

NOTES = 60
"""Remarks below one table."""


def differences(blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[Part]:
    """Of each block every row against the best one, and last the ranks over data sets.

    Of the metrics ``shown`` those that have a better direction.
    """
    for block in blocks:
        found = [
            (comparison, ranked(block, split, metric))
            for split in block.splits(shown)
            for metric in shown
            if (comparison := compared(block, split, metric)) is not None
        ]
        if found:
            yield Part(title=titled(block), tables=(_differences(block, found),))
    if over := tuple(_over_data(blocks, shown)):
        yield Part(title="Over data sets", notes=over)


def published(compared: Sequence[ComparedBlock]) -> Iterator[Part]:
    """Of each compared block its rows beside the papers' numbers."""
    for each in compared:
        yield Part(title=titled(each.block), tables=(_published(each),))


def _differences(block: Block, found: Sequence[tuple[Comparison, Ranking | None]]) -> Table:
    return Table(
        title=f"Differences: {titled(block)}",
        sentences=(
            *(f"MIXED: {sentence}." for sentence in block.mixed),
            "Each row's score minus that of the row with the best mean, paired by seed; pairs: "
            "seeds on which both ended well, of those that either was run on. The best was "
            "chosen on these same runs, which makes it look better than it is.",
            f"Interval: {RESAMPLES:,} bootstrap resamples, widened for few pairs.",
            *_coverage([comparison for comparison, _ in found]),
            f"p: exact Wilcoxon signed-rank test, after Holm over the rows; underpowered: no "
            f"outcome could reach {ALPHA:g}.",
            "Rank: average over the seeds; rows that share a letter are not told apart "
            "(Nemenyi). Seeds are reruns on one data set: nothing here speaks of others.",
        ),
        columns=(
            Column(name="Method", numeric=False),
            Column(name="Difference"),
            Column(name="95 % interval"),
            Column(name="p (Holm)"),
            Column(name="Pairs"),
            Column(name="Rank"),
        ),
        groups=tuple(
            Group(title=_title(comparison), lines=tuple(_rows(comparison, ranking)))
            for comparison, ranking in found
        ),
        notes=tuple(f"{_title(ranking)}: {said(ranking)}" for _, ranking in found if ranking),
        folded=True,
    )


def _coverage(found: Sequence[Comparison]) -> Iterator[str]:
    pairs = {row.n for comparison in found for row in comparison.rows if row.interval}
    few = [f"{coverage_bound(n):.0%} with {n}" for n in sorted(pairs) if wilcoxon_least(n) > ALPHA]
    if few:
        yield f"With so few pairs it covers less: at most {', '.join(few)}."


def _rows(comparison: Comparison, ranking: Ranking | None) -> Iterator[tuple[Cell, ...]]:
    metric, ranks = comparison.metric, _ranks(ranking)
    for row in comparison.rows:
        rank = ranks.get(row.label, Cell(text=ABSENT))
        if row.label == comparison.best:
            best = number_cell(0.0, "best", best=True)
            yield text_cell(row.label), best, Cell(text=""), Cell(text=""), Cell(text=""), rank
            continue
        limits = ", ".join(number(limit, metric) for limit in row.interval or ())
        p = ABSENT if row.mean is None else row.underpowered
        yield (
            text_cell(row.label),
            number_cell(row.mean, "" if row.mean is None else _signed(row.mean, metric)),
            number_cell(row.interval[0] if row.interval else None, f"[{limits}]"),
            Cell(text=p if row.p is None else probability(row.p).removeprefix("= "), value=row.p),
            number_cell(row.n, f"{row.n}/{row.n + row.left_out}"),
            rank,
        )


def _ranks(ranking: Ranking | None) -> dict[str, Cell]:
    """Average ranks, with a letter for each group that a row is in."""
    if ranking is None:
        return {}
    letters = dict.fromkeys(ranking.labels, "")
    for i, (first, last) in enumerate(ranking.groups):
        for label in ranking.labels[first : last + 1]:
            letters[label] += string.ascii_lowercase[i % 26] * (i // 26 + 1)
    return {
        label: number_cell(average, f"{average:.1f}", spread=letters[label])
        for label, average in zip(ranking.labels, ranking.average, strict=True)
    }


def _over_data(blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[str]:
    for profile in dict.fromkeys(block.profile for block in blocks):
        group = [block for block in blocks if block.profile == profile]
        for split in SPLIT_NAMES:
            for metric in shown:
                if (found := ranked_over_data(group, split, metric)) is not None:
                    order = ", ".join(
                        f"{label} {cell.text} {cell.spread}".rstrip()
                        for label, cell in _ranks(found).items()
                    )
                    yield f"{_title(found)}, profile {profile}. {said(found)} {order}."


def _published(each: ComparedBlock) -> Table:
    block = each.block
    words = ("Method", "Metric", "Split", "Holds it", "Differs in", "As printed")
    order = ("Method", "Metric", "Split", "Measured", "n", "Published", "Difference")
    order += ("95 % interval", *words[-3:])
    return Table(
        title=f"Beside published numbers: {titled(block)}",
        sentences=(
            *data_and_profile(block),
            *(f"MIXED: {sentence}." for sentence in block.mixed),
            f"Measured: mean ± standard deviation of the last iterate over "
            f"{named_seeds(block.seeds)}, and the 95 % interval of the mean by Student's t.",
            "Published: in the same unit, and as printed. In what the protocols differ is told "
            "below the table.",
        ),
        columns=tuple(Column(name=name, numeric=name not in words) for name in order),
        groups=(Group(lines=tuple(map(_pair, each.rows))),),
        notes=_some(list(dict.fromkeys(_notes(each)))),
    )


def _pair(pair: Compared) -> tuple[Cell, ...]:
    measured, entry, interval = pair.measured, pair.entry, pair.interval
    limits = ", ".join(_amount(pair, limit) for limit in interval or ())
    sign = "+" if pair.difference >= 0 else "-"
    return (
        text_cell(pair.row.label),
        text_cell(HEADINGS.get(pair.metric, pair.metric)),
        text_cell(SPLIT_NAMES.get(pair.split, "")),
        number_cell(
            measured.mean, _amount(pair, measured.mean), spread=_spread(pair, measured.std)
        ),
        number_cell(measured.n, str(measured.n)),
        number_cell(entry.value, _amount(pair, entry.value), spread=_spread(pair, entry.std)),
        number_cell(pair.difference, sign + _amount(pair, abs(pair.difference))),
        number_cell(interval[0] if interval else None, f"[{limits}]"),
        text_cell({True: "yes", False: "no", None: ""}[pair.holds]),
        text_cell(", ".join(k for k in KINDS if any(d.kind == k for d in pair.differs))),
        text_cell(f"{entry.where}: {entry.printed}"),
    )


def _notes(each: ComparedBlock) -> Iterator[str]:
    for kind in KINDS:
        said = (d.said for pair in each.rows for d in pair.differs if d.kind == kind)
        if texts := "; ".join(dict.fromkeys(said)):
            yield f"Differs in {kind}: {texts}."
    for pair in each.rows:
        for remark in pair.entry.remarks:
            yield f"{pair.entry.where}, {pair.entry.row}: {remark}"
    missing: dict[str, list[str]] = {}
    for entry in each.unmeasured:
        row = missing.setdefault(f"{entry.row}, {entry.where}", [])
        row.append(f"{entry.column} {entry.printed}")
    if missing:
        listed = "; ".join(f"{row}: {', '.join(cells)}" for row, cells in missing.items())
        yield f"Not measured here: {listed}."


def _some(notes: Sequence[str]) -> tuple[str, ...]:
    more = len(notes) - NOTES
    return (*notes[:NOTES], *[f"And {more:,} remarks more, in comparison.csv."] * (more > 0))


def _amount(pair: Compared, value: float) -> str:
    return f"{value:,.0f}" if pair.entry.unit == "count" else number(value, pair.metric)


def _spread(pair: Compared, std: float | None) -> str:
    return " " if std is None else f"± {_amount(pair, std)}"


def _signed(value: float, metric: str) -> str:
    text = number(value, metric)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def _title(found: Comparison | Ranking) -> str:
    name = HEADINGS.get(found.metric, found.metric)
    return f"{name} {ARROWS[direction(found.metric)]}, {SPLIT_NAMES[found.split]}"
