"""Average ranks on an axis, with a bar over the rows that the table's test does not tell apart.

After Demšar (JMLR 7, 2006), Figure 1, with the rows below each other. A bar has a knot at every
row that it joins: one that it passes over is told apart.
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
    """A diagram for each headline metric, over the seeds, where the test can be borne."""
    shown = headline(data, block)
    split = data.split(block, shown)
    titles = {row.label: row.title for row in block.rows}
    for metric in shown:
        found = data.comparison(block, f"{split}/{metric}")
        if found is not None and found.tested and len(found.ranks) > 1:
            yield Drawing(
                kind="ranks",
                name=f"{block.name} {metric}",
                figure=_diagram(found, titles, marks),
                caption=[
                    f"{metric_column(metric).title}, {SPLITS[split]}: average ranks over "
                    f"{found.over}, 1 the best.",
                    *caption.about(block),
                    *_reading(found),
                ],
                block=block.title,
            )


def ranks_over_data(data: Gathered, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """The same over the data sets of each profile."""
    for profile in dict.fromkeys(block.profile for block in data.rest):
        blocks = [block for block in data.rest if block.profile == profile]
        for metric in headline(data, blocks[0]):
            held = [b for b in blocks if metric in b.metrics[data.split(b, [metric])]]
            columns = [f"{data.split(b, [metric])}/{metric}" for b in held]
            found = compare_over_data(held, columns, data.choice.procedure) if held else None
            if found is not None and found.tested:
                titles = {row.label: row.title for block in held for row in block.rows}
                yield Drawing(
                    kind="ranks",
                    name=f"{data.suite} data sets {profile} {metric}",
                    figure=_diagram(found, titles, marks),
                    caption=[
                        f"{metric_column(metric).title}: average ranks over {found.over}.",
                        caption.budget(held),
                        *caption.mixed(held),
                        *_reading(found),
                    ],
                )


def _diagram(found: Comparison, titles: Mapping[str, str], marks: Mapping[str, Mark]) -> Figure:
    labels = list(found.ranks)[:MOST]
    groups = [[each for each in group if each in labels] for group in found.equals]
    groups = [group for group in groups if len(group) > 1]
    bars = len(groups)
    tall = LINE * (len(labels) + 0.6 * bars) + 0.45
    figure = Figure(figsize=(WIDTH, tall), layout="constrained")
    ax = figure.subplots()
    top = -0.6 * bars - 0.4
    for level, group in enumerate(groups):
        _bar(ax, [found.ranks[each] for each in group], -0.6 * (level + 1))
    for i, label in enumerate(labels):
        style, rank = marks[label], found.ranks[label]
        joined = any(label in group for group in groups)
        ax.plot([rank, rank], [top, i], color="#d0d0d0", lw=0.5, zorder=0)
        fill = style.color if joined else "none"
        ax.plot(rank, i, style.marker, color=style.color, mfc=fill, ms=4.5)
    ax.set_ylim(len(labels) - 0.4, top)
    names = [f"{' '.join(fit(titles[each], 1.35, 1))} {found.ranks[each]:.2f}" for each in labels]
    ax.set_yticks(range(len(labels)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0.7, len(found.ranks) + 0.3)
    ax.xaxis.tick_top()
    ticks(ax.xaxis, 6, integer=True)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.spines["top"].set_visible(True)
    if found.critical is not None:
        ax.plot([1, 1 + found.critical], [len(labels) - 0.6] * 2, "|-", color=INK, lw=0.8)
        ax.text(
            1.2 + found.critical, len(labels) - 0.6, f"CD {found.critical:.2f}", fontsize=SMALL,
            va="center",
        )  # fmt: skip
    return figure


def _bar(ax: Axes, places: list[float], height: float) -> None:
    ax.plot([min(places), max(places)], [height] * 2, color=INK, lw=1.6, solid_capstyle="round")
    ax.plot(places, [height] * len(places), "o", color=INK, ms=2.6)


def _reading(found: Comparison) -> Iterator[str]:
    if found.procedure.test == "nemenyi" and found.p is not None:
        p = number(found.p, Format(kind="p"))
        yield f"Friedman p {p}; rows under one bar are not told apart (Nemenyi, 5 %)."
    else:
        yield (
            "Filled, with a knot on the bar: the best mean and all that is not told apart from it "
            "(Wilcoxon after Holm, 5 %)."
        )
    if "seed" in found.over:
        yield "Seeds are reruns on one data set: nothing here speaks of others."
    if len(found.ranks) > MOST:
        yield f"Of {len(found.ranks)} ranked rows the best {MOST} are shown."
