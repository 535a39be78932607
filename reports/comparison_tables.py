"""The comparison with published numbers for the terminal, for LaTeX and as CSV."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Sequence

from deep_em_bench.reports.caption import data_and_profile
from deep_em_bench.reports.comparison import KINDS, Compared, ComparedBlock, Kind
from deep_em_bench.reports.escaping import escape, named
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.tables import aligned, printable
from deep_em_bench.reports.text import ABSENT, SPLIT_NAMES, named_seeds, number
from deep_em_bench.results.printed import Entry
from deep_em_bench.results.published import tables

__all__ = ["LETTERS", "amount", "caption", "console", "latex", "notes", "spread", "to_csv"]

HEADS = ("metric", "split", "measured", "n", "published", "printed", "difference")
HEADS += ("95 % interval", "holds it", "differs")

LETTERS = "A letter marks a protocol that differs, as told below."

FEW = 6
"""Runs from which an interval says something."""

METRIC = r"\parbox[t]{6em}{\raggedright "
LONG_METRIC = 12
"""The box of a metric's name of so many characters, which is broken over lines in it."""

CSV_COLUMNS = (
    *("suite", "profile", "dataset", "n_clusters", "label", "method", "preset", "split"),
    *("metric", "mean", "std", "n", "published", "published_std", "printed", "where", "row"),
    *("difference", "low", "high", "holds", "differs", "reasons"),
)


def console(compared: Sequence[ComparedBlock]) -> str:
    """One plain-text table a block, its marks explained below."""
    return "\n\n".join("\n".join(_console(each)) for each in compared)


def latex(compared: Sequence[ComparedBlock]) -> str:
    """A table a block, its marks explained below."""
    return "\n".join(map(_latex, compared))


def to_csv(compared: Sequence[ComparedBlock]) -> str:
    """Every pair of a measured and a published number, one a line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in compared:
        for pair in each.rows:
            block, method, entry = each.block, pair.row.records[0].method, pair.entry
            low, high = pair.interval or (None, None)
            writer.writerow(
                {
                    "suite": block.suite,
                    "profile": block.profile,
                    "dataset": block.dataset,
                    "n_clusters": block.n_clusters,
                    "label": pair.row.label,
                    "method": method.name,
                    "preset": method.preset,
                    "split": pair.split,
                    "metric": pair.metric,
                    "mean": pair.measured.mean,
                    "std": pair.measured.std,
                    "n": pair.measured.n,
                    "published": entry.value,
                    "published_std": entry.std,
                    "printed": entry.printed,
                    "where": entry.where,
                    "row": entry.row,
                    "difference": pair.difference,
                    "low": low,
                    "high": high,
                    "holds": "" if pair.holds is None else int(pair.holds),
                    "differs": " ".join(d.kind for d in pair.differs),
                    "reasons": "; ".join(d.said for d in pair.differs),
                }
            )
    return text.getvalue()


def caption(each: ComparedBlock, marked: str = LETTERS) -> list[str]:
    """What a reader must know, in every format; ``marked`` says how differences are shown."""
    few = any(pair.measured.n < FEW and pair.interval for pair in each.rows)
    return [
        "Measured beside published.",
        *data_and_profile(each.block),
        "Measured: mean ± standard deviation of the last iterate over the "
        f"{named_seeds(each.block.seeds)}, and the 95 % interval of the mean by Student's t.",
        "Holds it: no, where the interval excludes the published number; yes, where it does not "
        "and no protocol differs.",
        *([f"An interval of fewer than {FEW} runs is wide: a yes says little."] if few else []),
        f"Published: in the same unit. {marked}",
        *(f"MIXED: {sentence}." for sentence in each.block.mixed),
    ]


def notes(each: ComparedBlock) -> Iterator[tuple[Kind | None, str, str]]:
    """What stands below a table: the kind of a difference or None, a name, and the text.

    The name is the kind's mark, the published table, column or number of a remark, or
    "Not measured here".
    """
    said = {(d.kind, d.said): None for pair in each.rows for d in pair.differs}
    for kind, mark in KINDS.items():
        texts = [text for other, text in said if other == kind]
        if texts:
            yield kind, mark, f"{'; '.join(texts)}."
    yield from ((None, where, text) for where, text in _on_tables(each.rows))
    remarks = {
        (f"{pair.entry.where}, {pair.entry.row}", text): None
        for pair in each.rows
        for text in pair.entry.remarks
    }
    yield from ((None, where, text) for where, text in remarks)
    if each.unmeasured:
        yield None, "Not measured here", "; ".join(_unmeasured(each.unmeasured)) + "."


def amount(pair: Compared, value: float, beside: float | None = None) -> str:
    """A number in the unit of the published one."""
    return f"{value:,.0f}" if pair.entry.unit == "count" else number(value, pair.metric, beside)


def spread(pair: Compared, std: float | None, mean: float) -> str:
    """A standard deviation with its sign; empty for none."""
    return "" if std is None else f"± {amount(pair, std, mean)}"


def _on_tables(rows: Sequence[Compared]) -> Iterator[tuple[str, str]]:
    """What is wrong with each table, and column, that a published number of the rows is from."""
    for table in tables():
        held = [pair.entry for pair in rows if pair.entry in table.entries]
        if held and table.remark:
            yield held[0].where, table.remark
        for column in dict.fromkeys(entry.column for entry in held):
            if column in table.column_remarks:
                yield f"{held[0].where}, {column}", table.column_remarks[column]


def _unmeasured(entries: Sequence[Entry]) -> Iterator[str]:
    by_row: dict[str, list[str]] = {}
    for entry in entries:
        by_row.setdefault(f"{entry.row}, {entry.where}", []).append(
            f"{entry.column} {entry.printed}"
        )
    yield from (f"{row}: {', '.join(cells)}" for row, cells in by_row.items())


def _marks(pair: Compared) -> str:
    return " ".join(
        mark for kind, mark in KINDS.items() if any(d.kind == kind for d in pair.differs)
    )


def _cells(pair: Compared) -> list[str]:
    """The columns of HEADS, plain text."""
    measured, entry = pair.measured, pair.entry
    interval = pair.interval
    sign = "+" if pair.difference >= 0 else "-"
    return [
        SPLIT_NAMES.get(pair.split, ABSENT),
        _with_spread(pair, measured.mean, measured.std),
        str(measured.n),
        _with_spread(pair, entry.value, entry.std),
        f"{entry.where}: {entry.printed}",
        sign + amount(pair, abs(pair.difference)),
        f"[{amount(pair, interval[0])}, {amount(pair, interval[1])}]" if interval else ABSENT,
        {True: "yes", False: "no", None: ABSENT}[pair.holds],
        _marks(pair) or ABSENT,
    ]


def _with_spread(pair: Compared, mean: float, std: float | None) -> str:
    return f"{amount(pair, mean)} {spread(pair, std, mean)}".rstrip()


def _console(each: ComparedBlock) -> Iterator[str]:
    lines = [["", *HEADS]]
    lines += [[printable(p.row.label), p.metric, *_cells(p)] for p in each.rows]
    table = list(aligned(lines))
    width = max(map(len, table))
    for sentence in caption(each):
        yield from textwrap.wrap(printable(sentence), width)
    yield from ["", *table, ""]
    for _, name, text in notes(each):
        said = printable(f"{name}: {text}")
        yield from textwrap.wrap(said, width, subsequent_indent="   ", break_on_hyphens=False)


def _latex(each: ComparedBlock) -> str:
    heads = ["Method", "Metric", "Split", "Measured ($n$)", "Published", "Difference"]
    heads += [r"95\,\% interval", "Holds it", "Differs"]
    by_table: dict[str, list[Compared]] = {}
    for pair in each.rows:
        by_table.setdefault(pair.entry.where, []).append(pair)
    groups = [
        Group(title=escape(where), rows=list(_lines(pairs))) for where, pairs in by_table.items()
    ]
    tabular = Tabular(columns="lllrrrrll", heads=[heads], groups=groups)
    below = [(name, text) for _, name, text in notes(each)]
    return floating(tabular, caption(each), f"published {each.block.place}", below)


def _lines(rows: Sequence[Compared]) -> Iterator[list[str]]:
    """The lines of one published table."""
    above = None
    for pair in rows:
        split, measured, n, published, _, *others, holds, marks = map(escape, _cells(pair))
        yield [
            named(pair.row.label) if pair.row is not above else "",
            named(HEADINGS.get(pair.metric, pair.metric), METRIC, LONG_METRIC),
            *(split, f"{measured} ({n})", published),
            *(text.replace("-{}", "$-$") for text in others),
            *(holds, marks.replace(" ", r"\,")),
        ]
        above = pair.row
