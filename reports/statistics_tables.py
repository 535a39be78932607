"""The statistics of comparison tables for people: plain text for the terminal, and LaTeX.

For every row its difference to the best one with its interval, the p of that difference, and its
average rank; below, what was tested on the ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.caption import data_and_profile
from reports.latex import ARROWS as TEX_ARROWS
from reports.latex import HEADINGS, breakable, escape, floating, named
from reports.statistics import ALPHA, RESAMPLES, coverage_bound, wilcoxon_least
from reports.statistics_rows import (
    Comparison,
    Difference,
    Ranking,
    compared,
    ranked,
    ranked_over_data,
)
from reports.summary import Block, direction
from reports.tables import aligned, printable
from reports.text import ABSENT, ARROWS, SPLIT_NAMES, number

__all__ = ["console", "latex", "probability", "reading", "said"]

LINES = 42
"""Rows of one LaTeX table, so that it fits on a page."""

HEADS = ("difference", "95 % interval", "p (Holm)", "pairs", "rank")


@dataclass(frozen=True, kw_only=True)
class _Section:
    """The rows of one table by one metric on one split."""

    comparison: Comparison
    ranking: Ranking | None


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """One row of a section, as it is printed but for the signs."""

    label: str
    cells: tuple[str, ...]
    """One for each of :data:`HEADS`."""


def console(blocks: Sequence[Block], shown: Sequence[str]) -> str:
    """One aligned plain-text table a block, and what the ranks over data sets say.

    Of the metrics ``shown`` those that have a better direction; without two rows to compare in any
    block the text is empty.
    """
    texts = []
    for block, sections in _measured(blocks, shown):
        lines = [["", *HEADS]]
        for section in sections:
            lines.append([_title(section.comparison)])
            lines += [[f"  {printable(r.label)}", *r.cells] for r in _rows(section)]
        sentences = _caption(block, sections)
        notes = [f"{which}: {text}" for which, text in _notes(sections)]
        body = [*map(printable, sentences), "", *aligned(lines), "", *map(printable, notes)]
        texts.append("\n".join(body).rstrip())
    over = [printable(sentence) for sentence in _over_data(blocks, shown)]
    return "\n\n".join([*texts, *(["\n".join(over)] if over else [])])


def latex(blocks: Sequence[Block], shown: Sequence[str]) -> str:
    """The same as LaTeX, each table short enough for a page."""
    tables = [
        table for block, sections in _measured(blocks, shown) for table in _latex(block, sections)
    ]
    over = [
        rf"\par\noindent{{\small\raggedright {breakable(sentence)}\par}}" + "\n"
        for sentence in _over_data(blocks, shown)
    ]
    return "\n".join([*tables, *over])


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


def reading(
    comparisons: Sequence[Comparison], rankings: Sequence[Ranking | None]
) -> Iterator[str]:
    """What a reader must know to judge these numbers of one table: sentences."""
    yield (
        "Difference to the row with the best mean, paired by seed; pairs: seeds on which both "
        "ended well, of those that either was run on. The best was chosen on these same runs, "
        "which makes it look better than it is."
    )
    n = {row.n for found in comparisons for row in found.rows if row.interval}
    few = [
        f"{100 * coverage_bound(i):.0f} % with {i}" for i in sorted(n) if wilcoxon_least(i) > ALPHA
    ]
    short = f" With so few pairs it covers less: at most {', '.join(few)}." if few else ""
    yield f"Interval: {RESAMPLES:,} bootstrap resamples, widened for few pairs.{short}"
    yield (
        "p: exact Wilcoxon signed-rank test, after Holm over the rows; underpowered: no outcome "
        "could reach .05."
    )
    told = any(ranking is not None and ranking.critical is not None for ranking in rankings)
    letters = "; rows with a letter in common are not told apart (Nemenyi, .05)" if told else ""
    yield (
        f"Rank: average over the seeds{letters}. Seeds are reruns on one data set: nothing here "
        "speaks of others."
    )


def _measured(
    blocks: Sequence[Block], shown: Sequence[str]
) -> Iterator[tuple[Block, list[_Section]]]:
    for block in blocks:
        sections = [
            _Section(comparison=found, ranking=ranked(block, split, metric))
            for split in block.splits(shown)
            for metric in shown
            if (found := compared(block, split, metric)) is not None
        ]
        if sections:
            yield block, sections


def _over_data(blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[str]:
    for profile in dict.fromkeys(block.profile for block in blocks):
        group = [block for block in blocks if block.profile == profile]
        for split in SPLIT_NAMES:
            for metric in shown:
                if (found := ranked_over_data(group, split, metric)) is not None:
                    letters = found.letters
                    order = ", ".join(
                        f"{label} {_rank(average, letters[label])}"
                        for label, average in zip(found.labels, found.average, strict=True)
                    )
                    place = f"{metric}, {SPLIT_NAMES[split]}, profile {profile}"
                    mixed = "MIXED. " if any(block.mixed for block in group) else ""
                    yield f"{mixed}{place}: {said(found)} {order}."


def _rows(section: _Section) -> Iterator[_Cells]:
    ranking = section.ranking
    letters = ranking.letters if ranking else {}
    average = dict(zip(ranking.labels, ranking.average, strict=True)) if ranking else {}
    metric = section.comparison.metric
    for row in section.comparison.rows:
        rank = _rank(average[row.label], letters[row.label]) if row.label in average else ABSENT
        pairs = f"{row.n}/{row.n + row.left_out}"
        if row.label == section.comparison.best:
            cells = "best", "", "", "", rank
        elif row.mean is None:
            cells = ABSENT, ABSENT, ABSENT, pairs, rank
        else:
            interval = [number(limit, metric) for limit in row.interval or ()]
            cells = (
                _signed(row.mean, metric),
                f"[{', '.join(interval)}]" if interval else ABSENT,
                _p(row),
                pairs,
                rank,
            )
        yield _Cells(label=row.label, cells=cells)


def _p(row: Difference) -> str:
    return row.underpowered if row.p is None else probability(row.p).removeprefix("= ")


def _rank(average: float, letters: str) -> str:
    return f"{average:.2f} {letters}".rstrip()


def _signed(value: float, metric: str) -> str:
    text = number(value, metric)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def _title(found: Comparison) -> str:
    return f"{found.metric} {ARROWS[direction(found.metric)]}, {SPLIT_NAMES[found.split]}"


def _caption(block: Block, sections: Sequence[_Section]) -> list[str]:
    mixed = [f"MIXED: {sentence}." for sentence in block.mixed]
    comparisons = [section.comparison for section in sections]
    rankings = [section.ranking for section in sections]
    return [*data_and_profile(block), *mixed, *reading(comparisons, rankings)]


def _notes(sections: Sequence[_Section]) -> list[tuple[str, str]]:
    """What is said of the ranks, and of which sections."""
    which: dict[str, list[str]] = {}
    for section in sections:
        if section.ranking is not None:
            place = f"{section.ranking.metric}, {SPLIT_NAMES[section.ranking.split]}"
            which.setdefault(said(section.ranking), []).append(place)
    return [("; ".join(places), text) for text, places in which.items()]


def _latex(block: Block, sections: Sequence[_Section]) -> Iterator[str]:
    pages: list[list[tuple[_Section, list[_Cells]]]] = [[]]
    for section in sections:
        rows = list(_rows(section))
        for first in range(0, len(rows), LINES):
            part = rows[first : first + LINES]
            if sum(len(held) for _, held in pages[-1]) + len(part) > LINES and pages[-1]:
                pages.append([])
            pages[-1].append((section, part))
    for i, page in enumerate(pages):
        sentences = [*data_and_profile(block), "Continued."] if i else _caption(block, sections)
        notes = [
            rf"\emph{{{breakable(which)}}}: {breakable(text)}"
            for which, text in _notes([s for s, _ in page])
        ]
        name = f"statistics {block.suite} {block.dataset} {block.n_clusters} {block.profile} {i}"
        yield floating(_tabular(page), sentences, name, notes)


def _tabular(page: Sequence[tuple[_Section, Sequence[_Cells]]]) -> str:
    import pandas as pd

    heads = ["Metric", "Method", "Difference", r"95\,\% interval", "$p$ (Holm)", "Pairs", "Rank"]
    body = []
    for place, (section, rows) in enumerate(page):
        found = section.comparison
        arrow = TEX_ARROWS[direction(found.metric)]
        metric = f"{escape(HEADINGS.get(found.metric, found.metric))}{arrow}"
        split = rf"\emph{{{SPLIT_NAMES[found.split]}}}"
        for i, row in enumerate(rows):
            rule = "\\midrule\n" if place and i == 0 else ""
            first = rule + (metric if i == 0 else split if i == 1 else "")
            body.append([first, named(row.label), *map(_tex, row.cells)])
    frame = pd.DataFrame(body, columns=pd.Index(heads))
    return frame.style.hide(axis="index").to_latex(hrules=True, column_format="llrrrrl")


def _tex(cell: str) -> str:
    return escape(cell.replace("-", "−"))  # a minus, not a hyphen
