"""The statistics of comparison tables for people: plain text for the terminal, and LaTeX.

For every row its difference to the best one with its interval, the p of that difference, and its
average rank; below, what was tested on the ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deep_em_bench.reports.caption import data_and_profile, seldom
from deep_em_bench.reports.escaping import breakable, escape, named
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.latex import ARROWS as TEX_ARROWS
from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.statistics import (
    ALPHA,
    LARGE,
    RESAMPLES,
    coverage_bound,
    wilcoxon_least,
)
from deep_em_bench.reports.statistics_rows import Comparison, Difference, Ranking
from deep_em_bench.reports.statistics_suite import OverData, Section, SuiteStatistics, Tested
from deep_em_bench.reports.summary import direction
from deep_em_bench.reports.tables import aligned, printable
from deep_em_bench.reports.text import ABSENT, ARROWS, SPLIT_NAMES, number

__all__ = ["Cells", "cells", "console", "latex", "over_data", "probability", "reading", "said"]

HEADS = ("difference", "95 % interval", "p (Holm)", "pairs", "rank")


@dataclass(frozen=True, kw_only=True)
class Cells:
    """One row of a section, as it is printed but for the signs."""

    label: str
    cells: tuple[str, ...]
    """One for each of :data:`HEADS`."""


def console(statistics: SuiteStatistics) -> str:
    """One aligned plain-text table a block, and what the ranks over data sets say.

    Without two rows to compare in any block the text is empty.
    """
    texts = []
    for tested in statistics.tables:
        lines = [["", *HEADS]]
        for section in tested.sections:
            lines.append([_title(section.comparison)])
            lines += [[f"  {printable(r.label)}", *r.cells] for r in cells(section)]
        notes = [f"{which}: {text}" for which, text in _notes(tested.sections)]
        sentences = map(printable, _caption(tested))
        body = [*sentences, "", *aligned(lines), "", *map(printable, notes)]
        texts.append("\n".join(body).rstrip())
    over = [printable(over_data(each)) for each in statistics.over_data]
    return "\n\n".join([*texts, *(["\n".join(over)] if over else [])])


def latex(statistics: SuiteStatistics) -> str:
    """The same as LaTeX."""
    tables = map(_latex, statistics.tables)
    over = [
        rf"\par\noindent{{\small\raggedright {breakable(over_data(each))}\par}}" + "\n"
        for each in statistics.over_data
    ]
    return "\n".join([*tables, *over])


def cells(section: Section) -> Iterator[Cells]:
    """The rows of a section, in the table's order."""
    ranking = section.ranking
    letters = ranking.letters if ranking else {}
    average = dict(zip(ranking.labels, ranking.average, strict=True)) if ranking else {}
    metric = section.comparison.metric
    for row in section.comparison.rows:
        rank = _rank(average[row.label], letters[row.label]) if row.label in average else ABSENT
        pairs = f"{row.n}/{row.n + row.left_out}"
        if row.label == section.comparison.best:
            found = "best", "", "", "", rank
        elif row.mean is None:
            found = ABSENT, ABSENT, ABSENT, pairs, rank
        else:
            interval = [number(limit, metric) for limit in row.interval or ()]
            found = (
                _signed(row.mean, metric),
                f"[{', '.join(interval)}]" if interval else ABSENT,
                _p(row),
                pairs,
                rank,
            )
        yield Cells(label=row.label, cells=found)


def over_data(found: OverData) -> str:
    """What the ranks over data sets say: sentences."""
    ranking = found.ranking
    letters = ranking.letters
    order = ", ".join(
        f"{label} {_rank(average, letters[label])}"
        for label, average in zip(ranking.labels, ranking.average, strict=True)
    )
    place = f"{ranking.metric}, {SPLIT_NAMES[ranking.split]}, profile {found.profile}"
    mixed = "MIXED. " if found.mixed else ""
    return f"{mixed}{place}: {said(ranking)} {order}."


def said(ranking: Ranking) -> str:
    """What was tested on the average ranks, over what, and what was left out: sentences."""
    sentences = [f"Average ranks over {ranking.over}"]
    if ranking.critical is None or ranking.p is None or ranking.chi2 is None:
        sentences[0] += f": underpowered (n={ranking.n})"
    else:
        sentences[0] += (
            f": Friedman chi-squared {ranking.chi2:.1f}, p {probability(ranking.p)}; "
            f"Nemenyi critical difference {ranking.critical:.2f}"
        )
        if ranking.p > ALPHA:
            sentences.append("Friedman's test finds no difference, so none is told apart")
    if ranking.seeds_left_out:
        n = ranking.seeds_left_out
        sentences.append(f"Seeds on which a ranked row has no score are left out: {n}")
    if ranking.left_out:
        sentences.append(f"Not ranked: {', '.join(ranking.left_out)}")
    return ". ".join(sentences) + "."


def probability(p: float) -> str:
    """A p-value with its sign.

    >>> probability(0.0123), probability(0.0001), probability(1)
    ('= .012', '< .001', '= 1.000')
    """
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("= 0.", "= .")


def reading(sections: Sequence[Section]) -> Iterator[str]:
    """What a reader must know to judge these numbers of one table: sentences."""
    yield (
        "Difference to the row with the best mean, paired by seed; pairs: seeds on which both "
        "ended well, of those that either was run on. The best was chosen on these same runs, "
        "which makes it look better than it is."
    )
    n = {row.n for section in sections for row in section.comparison.rows if row.interval}
    few = [
        f"{100 * coverage_bound(i):.0f} % with {i}" for i in sorted(n) if wilcoxon_least(i) > ALPHA
    ]
    short = f" With so few pairs it covers less: at most {', '.join(few)}." if few else ""
    yield f"Interval: {RESAMPLES:,} bootstrap resamples, widened for few pairs.{short}"
    many = f" (beyond {LARGE} pairs asymptotic)" if max(n, default=0) > LARGE else ""
    yield (
        f"p: exact Wilcoxon signed-rank test{many}, after Holm over the rows; underpowered: no "
        f"outcome could reach .05."
    )
    told = any(each.ranking is not None and each.ranking.critical is not None for each in sections)
    letters = "; rows with a letter in common are not told apart (Nemenyi, .05)" if told else ""
    yield (
        f"Rank: average over the seeds{letters}. Seeds are reruns on one data set: nothing here "
        "speaks of others."
    )


def _p(row: Difference) -> str:
    return row.underpowered if row.p is None else probability(row.p).removeprefix("= ")


def _rank(average: float, letters: str) -> str:
    return f"{average:.2f} {letters}".rstrip()


def _signed(value: float, metric: str) -> str:
    text = number(value, metric)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def _title(found: Comparison) -> str:
    return f"{found.metric} {ARROWS[direction(found.metric)]}, {SPLIT_NAMES[found.split]}"


def _caption(tested: Tested) -> list[str]:
    mixed = [f"MIXED: {sentence}." for sentence in tested.block.mixed]
    told = (*mixed, *seldom(tested.block))
    return [*data_and_profile(tested.block), *told, *reading(tested.sections)]


def _notes(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """What is said of the ranks, and of which sections."""
    which: dict[str, list[str]] = {}
    for section in sections:
        if section.ranking is not None:
            place = f"{section.ranking.metric}, {SPLIT_NAMES[section.ranking.split]}"
            which.setdefault(said(section.ranking), []).append(place)
    return [("; ".join(places), text) for text, places in which.items()]


def _latex(tested: Tested) -> str:
    heads = ["Method", "Difference", r"95\,\% interval", "$p$ (Holm)", "Pairs", "Rank"]
    groups = [
        Group(
            title=_tex_title(section.comparison),
            rows=[[named(row.label), *map(_tex, row.cells)] for row in cells(section)],
        )
        for section in tested.sections
    ]
    tabular = Tabular(columns="lrrrrl", heads=[heads], groups=groups)
    name = f"statistics {tested.block.place}"
    return floating(tabular, _caption(tested), name, _notes(tested.sections))


def _tex_title(found: Comparison) -> str:
    metric = escape(HEADINGS.get(found.metric, found.metric))
    return f"{metric}{TEX_ARROWS[direction(found.metric)]}, {SPLIT_NAMES[found.split]}"


def _tex(cell: str) -> str:
    return escape(cell.replace("-", "−"))  # a minus, not a hyphen
