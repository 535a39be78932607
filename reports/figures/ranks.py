"""Average ranks on an axis, with a bar over the rows that the table's test does not tell apart.

After Demšar (JMLR 7, 2006), Figure 1, with the rows below each other. A bar has a knot at every
row that it joins. A row that it passes over without a knot differs significantly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.differences import Comparison, compare_over_data
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import SPLITS
from deep_em_bench.reports.figures.scores import headline
from deep_em_bench.reports.figures.style import INK, SMALL, WIDTH, Drawing, Mark, fit, ticks
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import Format, metric_column, number

__all__ = ["ranks", "ranks_over_data"]

MOST = 40
"""Rows in one diagram, the best ones."""

LINE = 0.155
"""Inches a row takes."""


def ranks(data: Gathered, block: Block, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """A diagram for each headline metric, over the seeds, where there are enough for the test."""
    shown = headline(data, block)
    split = data.split(block, shown)
    titles = {row.label: row.title for row in block.rows}
    for metric in shown:
        comparison = data.comparison(block, f"{split}/{metric}")
        if comparison is not None and comparison.tested and len(comparison.ranks) > 1:
            yield Drawing(
                kind="ranks",
                name=f"{block.name} {metric}",
                figure=_diagram(comparison, titles, marks),
                caption=[
                    f"{metric_column(metric).title}, {SPLITS[split]}: average ranks over "
                    f"{comparison.over}, 1 the best.",
                    *caption.about(block),
                    *_reading(comparison),
                ],
                block=block.title,
            )


def ranks_over_data(data: Gathered, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """The same over the data sets of each profile."""
    for profile in dict.fromkeys(block.profile for block in data.rest):
        blocks = [block for block in data.rest if block.profile == profile]
        for metric in headline(data, blocks[0]):
            scored = [b for b in blocks if metric in b.metrics[data.split(b, [metric])]]
            columns = [f"{data.split(b, [metric])}/{metric}" for b in scored]
            comparison = (
                compare_over_data(scored, columns, data.choice.procedure) if scored else None
            )
            if comparison is not None and comparison.tested:
                titles = {row.label: row.title for block in scored for row in block.rows}
                yield Drawing(
                    kind="ranks",
                    name=f"{data.suite} data sets {profile} {metric}",
                    figure=_diagram(comparison, titles, marks),
                    caption=[
                        f"{metric_column(metric).title}: average ranks over {comparison.over}.",
                        caption.budget(scored),
                        *caption.mixed(scored),
                        *_reading(comparison),
                    ],
                )


def _diagram(
    comparison: Comparison, titles: Mapping[str, str], marks: Mapping[str, Mark]
) -> Figure:
    labels = list(comparison.ranks)[:MOST]
    groups = [[each for each in group if each in labels] for group in comparison.equals]
    groups = [group for group in groups if len(group) > 1]
    bars = len(groups)
    tall = LINE * (len(labels) + 0.6 * bars) + 0.45
    figure = Figure(figsize=(WIDTH, tall), layout="constrained")
    ax = figure.subplots()
    top = -0.6 * bars - 0.4
    for level, group in enumerate(groups):
        _bar(ax, [comparison.ranks[each] for each in group], -0.6 * (level + 1))
    for i, label in enumerate(labels):
        style, rank = marks[label], comparison.ranks[label]
        joined = any(label in group for group in groups)
        ax.plot([rank, rank], [top, i], color="#d0d0d0", lw=0.5, zorder=0)
        fill = style.color if joined else "none"
        ax.plot(rank, i, style.marker, color=style.color, mfc=fill, ms=4.5)
    ax.set_ylim(len(labels) - 0.4, top)
    names = [
        f"{' '.join(fit(titles[each], 1.35, 1))} {comparison.ranks[each]:.2f}" for each in labels
    ]
    ax.set_yticks(range(len(labels)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0.7, len(comparison.ranks) + 0.3)
    ax.xaxis.tick_top()
    ticks(ax.xaxis, 6, integer=True)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.spines["top"].set_visible(True)
    if comparison.critical is not None:
        ax.plot([1, 1 + comparison.critical], [len(labels) - 0.6] * 2, "|-", color=INK, lw=0.8)
        ax.text(
            1.2 + comparison.critical,
            len(labels) - 0.6,
            f"CD {comparison.critical:.2f}",
            fontsize=SMALL,
            va="center",
        )
    return figure


def _bar(ax: Axes, places: list[float], height: float) -> None:
    ax.plot([min(places), max(places)], [height] * 2, color=INK, lw=1.6, solid_capstyle="round")
    ax.plot(places, [height] * len(places), "o", color=INK, ms=2.6)


def _reading(comparison: Comparison) -> Iterator[str]:
    if comparison.procedure.test == "nemenyi" and comparison.p is not None:
        p = number(comparison.p, Format(kind="p"))
        yield f"Friedman p {p}; rows under one bar are not told apart (Nemenyi, 5 %)."
    else:
        yield (
            "Filled, with a knot on the bar: the best mean and all that is not told apart from it "
            "(Wilcoxon after Holm, 5 %)."
        )
    if "seed" in comparison.over:
        yield "Seeds are reruns on one data set: nothing here speaks of others."
    if len(comparison.ranks) > MOST:
        yield f"Of {len(comparison.ranks)} ranked rows the best {MOST} are shown."
