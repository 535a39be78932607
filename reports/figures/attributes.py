"""The error of every run by attribute, with chance and the published errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import ATTRIBUTE, Gathered
from deep_em_bench.reports.data.titles import SPLITS, metric_title
from deep_em_bench.reports.figures.style import INK, SMALL, WIDTH, Drawing, Mark, legend, ticks
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.attributes import chance, printed
from deep_em_bench.results.published import published

__all__ = ["attribute_errors"]

ATTRIBUTES = 20
"""In one figure, so that it fits on a page."""

LINE, BETWEEN = 0.05, 0.06
"""Inches of one method's runs of an attribute, and between two attributes."""


def attribute_errors(data: Gathered, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """Of each profile and number of labels: dots for runs, hollow marks for their means."""
    for blocks in data.of_attributes:
        split = data.split(blocks[0], [blocks[0].error])
        for first in range(0, len(blocks), ATTRIBUTES):
            some = blocks[first : first + ATTRIBUTES]
            labels = f"{blocks[0].labelled:,} labels" if blocks[0].labelled else "no labels"
            yield Drawing(
                kind="attributes",
                name=f"{data.suite} {labels} {blocks[0].profile} {first or ''}",
                figure=_figure(some, f"{split}/{blocks[0].error}", marks),
                caption=[
                    f"{metric_title(blocks[0].error)} by attribute, {SPLITS[split]}, {labels}.",
                    caption.budget(blocks),
                    *caption.mixed(blocks),
                    caption.runs(blocks),
                    "Dots: runs; hollow: their means, in the legend's order. Dotted: chance. "
                    "Bars: published in GAN-EM, Table 3, by a protocol that differs as the table "
                    "of attributes says.",
                ],
            )


def _figure(blocks: Sequence[Block], column: str, marks: Mapping[str, Mark]) -> Figure:
    titles = {row.label: row.title for block in blocks for row in block.rows}
    band = LINE * len(titles) + BETWEEN
    tall = 0.45 + max(band * len(blocks), 0.6)
    figure = Figure(figsize=(WIDTH, tall), layout="constrained")
    ax = figure.subplots()
    legend(figure, titles, marks, lines=False)
    split, _, metric = column.partition("/")
    for i, block in enumerate(blocks):
        if i % 2:
            ax.axhspan(i - 0.5, i + 0.5, color="#f2f2f2", lw=0, zorder=0)
        for entry in printed(block, published(), metric):
            ax.vlines(entry.value, i - 0.5, i + 0.5, color=INK, zorder=1)
        if (flips := chance(block, split)) is not None:
            ax.vlines(flips, i - 0.5, i + 0.5, color=INK, lw=0.5, ls=":")
        scores, statistics = block.scores(column), block.statistics(column)
        for k, row in enumerate(block.rows):
            place = list(titles).index(row.label) - (len(titles) - 1) / 2
            height, style = i + LINE * place / band, marks[row.label]
            values = scores[k][np.isfinite(scores[k])]
            ax.plot(values, [height] * len(values), "o", ms=1.5, mew=0, color=style.color)
            if (mean := statistics[k]) is not None:
                ax.plot(mean.mean, height, style.marker, mfc="none", color=style.color)
    ax.set_ylim(len(blocks) - 0.5, -0.5)
    ax.set_yticks(range(len(blocks)), [str(block.data.words[ATTRIBUTE]) for block in blocks])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(metric_title(metric), fontsize=SMALL)
    ax.grid(axis="x")
    ticks(ax.xaxis, 5)
    return figure
