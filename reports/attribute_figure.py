"""Figures of attributes: samples with and without each (GAN-EM, Figure 3), and all error rates."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import match_clusters
from deep_em_bench.reports.attribute_marks import differing, letters, named
from deep_em_bench.reports.attributes import Attributes, attribute_of
from deep_em_bench.reports.panels import Legend
from deep_em_bench.reports.stored import Run, Stored, labels_of
from deep_em_bench.reports.style import INK, SMALL, WIDTH, Mark, shortened, titled
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import SPLIT_NAMES, named_seeds, number
from deep_em_bench.reports.ticks import ticked
from deep_em_bench.results import Record
from deep_em_bench.results.printed import Entry

__all__ = ["attribute_figures"]

log = logging.getLogger(__name__)

DRAWS, PAIRS = 10, 8
"""Samples in a row, and attributes in one figure."""

GAP = 2
"""White pixels between samples."""

NAMES = 0.4
"""Inches that "without" takes."""

ATTRIBUTES = 20
"""In one figure of error rates, so that it fits on a page."""

LINE, BETWEEN = 0.045, 0.06
"""Inches of one method's runs of an attribute, and between two attributes."""

SHADE = "#f2f2f2"
"""Behind every other attribute."""


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """One run's samples of an attribute."""

    attribute: str
    record: Record
    error: float | None
    images: np.ndarray
    """With the attribute, then without it: ``(2, n, C, H, W)`` uint8."""


def attribute_figures(
    sheets: Sequence[Attributes],
    stored: Stored,
    entries: Sequence[Entry],
    marks: Mapping[str, Mark],
) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each sheet's error rates, run by run, and of each method's samples.

    Of each attribute the run of the lowest seed that ended ok is shown, whatever its score. Runs
    whose samples cannot be read or are no images are left out, the first with a warning.
    """
    for sheet in sheets:
        for part, first in enumerate(range(0, len(sheet.blocks), ATTRIBUTES)):
            figure = _errors(sheet, sheet.blocks[first : first + ATTRIBUTES], entries, marks)
            yield f"attributes {sheet.place} {part or ''}", figure
        for label in sheet.labels:
            pairs = list(_pairs(sheet, label, stored))
            for part, first in enumerate(range(0, len(pairs), PAIRS)):
                figure = _samples(sheet, label, pairs[first : first + PAIRS])
                yield f"faces {sheet.place} {label} {part or ''}", figure


def _pairs(sheet: Attributes, label: str, stored: Stored) -> Iterator[_Pair]:
    for block in sheet.blocks:
        row, name = sheet.row(block, label), attribute_of(block) or ""
        try:
            run = stored.run(row) if row else None
            pair = _pair(sheet, name, run) if run else None
        except DataError as error:
            log.warning("no samples of %s, %s: %s", label, name, error)
        else:
            if pair is not None:
                yield pair


def _pair(sheet: Attributes, name: str, run: Run) -> _Pair | None:
    """None for a run that stored no images of two components."""
    drawn = run.arrays.get("samples")
    if drawn is None or drawn.ndim != 5 or drawn.shape[2] not in (1, 3):
        return None
    order = _with_first(run.arrays, named=sheet.labelled > 0)
    if len(drawn) != len(order):
        return None
    return _Pair(
        attribute=name,
        record=run.record,
        error=getattr(run.record.metrics, sheet.split).get(sheet.metric),
        images=drawn[order, :DRAWS],
    )


def _with_first(arrays: Mapping[str, np.ndarray], *, named: bool) -> np.ndarray:
    """The component that stands for the attribute, then the other; ``named`` ones are classes."""
    if named:
        return np.array([1, 0])
    y, labels = labels_of(arrays, "train")
    classes = match_clusters(y, labels, n_clusters=2, n_classes=2)
    return np.argsort(-classes, kind="stable")


def _samples(sheet: Attributes, label: str, pairs: Sequence[_Pair]) -> Figure:
    n = max(pair.images.shape[1] for pair in pairs)
    side = (WIDTH - NAMES) / n
    size = (WIDTH, 0.05 + len(pairs) * (2 * side + 0.17))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(pairs), 1, squeeze=False)
    for ax, pair in zip(axes.flat, pairs, strict=True):
        _rows(ax, pair.images)
        scored = "" if pair.error is None else f" (error {number(pair.error, sheet.metric)})"
        ax.set_title(f"{pair.attribute}{scored}", fontsize=SMALL, loc="left")
    seeds = {pair.record.seed for pair in pairs}
    run = named_seeds(seeds) if len(seeds) == 1 else "the first run that ended well of each"
    which = (
        "Components carry the classes."
        if sheet.labelled
        else "Components are named, for display alone, by matching them to the training classes."
    )
    titled(
        figure, [f"Samples of {label} by component, {run}. {which}", *sheet.reading(runs=False)]
    )
    return figure


def _rows(ax: Axes, images: np.ndarray) -> None:
    padded = np.pad(
        images,
        ((0, 0), (0, 0), (0, 0), (0, GAP), (0, GAP)),
        constant_values=255,
    )
    two, n, C, H, W = padded.shape
    # (2, n, C, H, W) -> (2, H, n, W, C)
    canvas = padded.transpose(0, 3, 1, 4, 2).reshape(two * H, n * W, C)[:-GAP, :-GAP]
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255} if C == 1 else {}
    ax.imshow(canvas.squeeze(), interpolation="nearest", **grey)
    ax.set_yticks((np.arange(two) + 0.5) * H - GAP / 2, ["with", "without"][:two])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _errors(
    sheet: Attributes, blocks: Sequence[Block], entries: Sequence[Entry], marks: Mapping[str, Mark]
) -> Figure:
    """Every run of every method by attribute, their means, and what GAN-EM's paper has."""
    key = _legend(sheet, entries, marks)
    band = LINE * len(sheet.labels) + BETWEEN
    size = (WIDTH, 0.45 + max(band * len(blocks), 0.4) + key.tall)
    figure = Figure(figsize=size, layout="constrained")
    heights = (key.tall, size[1] - key.tall)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
    key.draw(parts[0, 0], lines=False)
    ax = parts[1, 0].subplots()
    theirs = [(e.value, i) for i, b in enumerate(blocks) for e in sheet.printed(entries, b)]
    for i, block in enumerate(blocks):
        if i % 2:
            ax.axhspan(i - 0.5, i + 0.5, color=SHADE, lw=0, zorder=0)
        for place, label in enumerate(sheet.labels):
            middle = LINE * (place - (len(sheet.labels) - 1) / 2)
            _runs(ax, i + middle / band, sheet, block, label, marks[label])
    for value, i in theirs:
        ax.vlines(value, i - 0.5, i + 0.5, color=INK, zorder=1)
    for i, block in enumerate(blocks):
        if (chance := sheet.chance([block])) is not None:
            ax.vlines(chance, i - 0.5, i + 0.5, color=INK, lw=0.5, ls=":")
    ax.set_ylim(len(blocks) - 0.5, -0.5)
    ax.set_yticks(range(len(blocks)), [attribute_of(block) or "" for block in blocks])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"Error rate, {SPLIT_NAMES[sheet.split]}", fontsize=SMALL)
    ax.grid(axis="x")
    ticked(ax.xaxis, 2)
    names = [attribute_of(block) or "" for block in (blocks[0], blocks[-1])]
    which = [f"Here: {' to '.join(names)}."] if len(blocks) < len(sheet.blocks) else []
    said = f"Dots: runs, {named_seeds(sheet.seeds)}; hollow: their means, in the legend's order."
    beside = ["Bars: published in GAN-EM, Table 3.", *named(sheet, entries)] if theirs else []
    titled(figure, [*sheet.reading(runs=False), *which, said, *beside, "Dotted: chance."])
    return figure


def _runs(
    ax: Axes, height: float, sheet: Attributes, block: Block, label: str, style: Mark
) -> None:
    """One method's runs of one attribute on a line of their own, and their mean."""
    row = sheet.row(block, label)
    scores = [getattr(r.metrics, sheet.split).get(sheet.metric) for r in (row.ok if row else ())]
    runs = [score for score in scores if score is not None]
    ax.plot(runs, [height] * len(runs), "o", ms=1.5, mew=0, color=style.color)
    if (mean := sheet.error(block, label)) is not None:
        ax.plot(mean.mean, height, style.marker, mfc="none", color=style.color)


def _legend(sheet: Attributes, entries: Sequence[Entry], marks: Mapping[str, Mark]) -> Legend:
    """The methods, one a line, each with the letters of what differs."""
    kinds = differing([sheet], entries)
    tails = [letters(kinds[label]) if label in kinds else "" for label in sheet.labels]
    return Legend(
        marks=[marks[label] for label in sheet.labels],
        names=shortened(sheet.labels, marks, 2.8, 1, tails),
        abreast=1,
    )
