"""Figures of attributes: samples with and without each (GAN-EM, Figure 3), and all error rates."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core import DataError
from metrics.clustering import match_clusters
from reports.attributes import Attributes, attribute_of
from reports.panels import legend
from reports.stored import Run, Stored, labels_of
from reports.style import INK, SMALL, WIDTH, Mark, titled
from reports.text import SPLIT_NAMES, named_seeds, number
from reports.ticks import ticked
from results import Record
from results.printed import Entry

__all__ = ["attribute_figures"]

log = logging.getLogger(__name__)

DRAWS, PAIRS = 10, 8
"""Samples in a row, and attributes in one figure."""

GAP = 2
"""White pixels between samples."""

NAMES = 0.4
"""Inches that "without" takes."""

ROW = 0.13
"""Inches of one attribute among the error rates."""


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
    """Name and figure of each sheet's error rates, and of each method's samples.

    Of each attribute the run of the lowest seed that ended ok is shown, whatever its score. Runs
    whose samples cannot be read or are no images are left out, the first with a warning.
    """
    for sheet in sheets:
        yield f"attributes {sheet.place}", _errors(sheet, entries, marks)
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


def _errors(sheet: Attributes, entries: Sequence[Entry], marks: Mapping[str, Mark]) -> Figure:
    """The mean error of every method by attribute, and what GAN-EM's paper has."""
    names = [attribute_of(block) or "" for block in sheet.blocks]
    key = legend(sheet.labels, marks)
    size = (WIDTH, 0.45 + ROW * max(len(names), 3) + key.tall)
    figure = Figure(figsize=size, layout="constrained")
    heights = (key.tall, size[1] - key.tall)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
    key.draw(parts[0, 0], lines=False)
    ax = parts[1, 0].subplots()
    for label in sheet.labels:
        found = [(i, s.mean) for i, b in enumerate(sheet.blocks) if (s := sheet.error(b, label))]
        places = np.array(found).reshape(-1, 2)
        style = marks[label]
        ax.plot(places[:, 1], places[:, 0], style.marker, mfc="none", color=style.color)
    theirs = [
        (entry.value, i)
        for i, block in enumerate(sheet.blocks)
        for entry in sheet.printed(entries, block)
    ]
    ax.plot(*np.array(theirs).reshape(-1, 2).T, "|", ms=6, mew=1.2, color=INK)
    ax.axvline(0.5, color=INK, lw=0.5, ls=":")
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"Error rate, {SPLIT_NAMES[sheet.split]}", fontsize=SMALL)
    ax.grid(axis="both")
    ticked(ax.xaxis, 2)
    said = ["Bars: published in GAN-EM, Table 3. Dotted: chance."] if theirs else []
    titled(figure, [*sheet.reading(), *(said or ["Dotted: chance."])])
    return figure
