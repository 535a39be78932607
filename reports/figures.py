"""The figures of a suite, from its records and their stored arrays: PDF and PNG, a column wide."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.attribute_figure import attribute_figures
from deep_em_bench.reports.attributes import by_attribute
from deep_em_bench.reports.cd_diagram import over_data, over_seeds
from deep_em_bench.reports.cluster_figures import confusion, first_runs
from deep_em_bench.reports.generation_figures import interpolation, samples, triangle
from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.learning import learning
from deep_em_bench.reports.mixture_figures import mixture_samples
from deep_em_bench.reports.quality_time import quality_time
from deep_em_bench.reports.reduction_figure import reductions
from deep_em_bench.reports.scales import grouped, scales
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.style import INK, WIDTH, Mark, headed, look, mark, rendered, shortened
from deep_em_bench.reports.summary import Block, Row, direction
from deep_em_bench.reports.text import (
    ARROWS,
    EXTRACTORS,
    SPLIT_NAMES,
    error_metric,
    methods_shown,
    named_seeds,
    slug,
)
from deep_em_bench.reports.ticks import ticked
from deep_em_bench.results.published import published

__all__ = ["Drawn", "figures"]

POINTS = (
    *("ari", "nmi"),
    *(f"{score}_{net}" for net in EXTRACTORS for score in ("is", "fid", "kid")),
)
"""Metrics with a panel when none were asked for, after the error that heads the tables."""

ABREAST = 3
"""Metrics side by side."""

ROWS = 24
"""Methods in one figure of points, so that it fits on a page."""

LONG_STEM = 120
"""Characters of a file's name, its ending aside, from which it is cut."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The figures of a suite."""

    files: Mapping[str, bytes]
    """By name: "points-....pdf", "points-....png", ..."""
    complete: bool
    """Whether there are no more."""


def figures(
    blocks: Sequence[Block],
    stored: Stored,
    shown: Sequence[str] | None = None,
    most: int | None = None,
) -> Drawn:
    """Every figure of the blocks, as files.

    Of each block: ``points`` (the metrics ``shown`` by method and seed), ``ranks`` (the
    critical-difference diagram), ``time`` (the metrics against wall time), ``em`` (diagnostics of
    the histories), ``confusion`` (matrices after matching) and ``samples`` (for each method that
    stored some), ``interpolation`` and ``triangle`` (ways between components) and ``mixtures``
    (GANMM's generators beside those of GANMM (EM)). Of several blocks together: ``scales`` (by
    number of points, where they differ in that alone), ``ranks`` over their data sets,
    ``reduction`` (features in the plane), ``attributes`` and ``faces`` (of CelebA, where blocks of
    an attribute each have no figures of their own); these come first. No more than ``most``
    figures are drawn. What no record can fill is left out; histories and arrays that cannot be
    read are warned of.
    """
    labels = dict.fromkeys(row.label for block in blocks for row in block.rows)
    marks = {label: mark(i) for i, label in enumerate(labels)}
    sheets, rest = by_attribute(blocks)
    files: dict[str, bytes] = {}
    with look():
        found = itertools.chain(
            _together(blocks, shown, marks),
            reductions(blocks, stored, marks),
            attribute_figures(sheets, stored, published(), marks),
            *(_figures(block, stored, shown or _points_of([block]), marks) for block in rest),
        )
        for name, figure in itertools.islice(found, most and min(most, sys.maxsize)):
            stem = _stem(name, files)
            files |= {f"{stem}.{suffix}": held for suffix, held in rendered(figure).items()}
        complete = most is None or next(found, None) is None
    return Drawn(files=files, complete=complete)


def _figures(
    block: Block, stored: Stored, shown: Sequence[str], marks: Mapping[str, Mark]
) -> Iterator[tuple[str, Figure]]:
    place = block.place
    for part, figure in enumerate(_points(block, shown, marks)):
        yield f"points {place} {part or ''}", figure
    for part, figure in enumerate(over_seeds(block, shown, marks)):
        yield f"ranks {place} {part or ''}", figure
    for part, figure in enumerate(quality_time(block, shown, marks)):
        yield f"time {place} {part or ''}", figure
    drawn: dict[str, int] = {}
    for kind, figure in learning(block, stored.store, marks):
        part = drawn[kind] = drawn.get(kind, -1) + 1
        yield f"{kind} {place} {part or ''}", figure
    runs = first_runs(block, stored)
    for part, figure in enumerate(confusion(block, runs, marks)):
        yield f"confusion {place} {part or ''}", figure
    for run in runs:
        for part, figure in enumerate(samples(block, run)):
            yield f"samples {place} {run.label} {part or ''}", figure
        for figure in interpolation(block, run):
            yield f"interpolation {place} {run.label}", figure
        for figure in triangle(block, run):
            yield f"triangle {place} {run.label}", figure
    for figure in mixture_samples(block, runs, marks):
        yield f"mixtures {place}", figure


def _points_of(blocks: Sequence[Block]) -> list[str]:
    return [*dict.fromkeys(error_metric(block.labelled) for block in blocks), *POINTS]


def _together(
    blocks: Sequence[Block], shown: Sequence[str] | None, marks: Mapping[str, Mark]
) -> Iterator[tuple[str, Figure]]:
    for group in grouped(blocks):
        first = group.blocks[0]
        place = f"{first.suite} sizes of {group.title} {first.n_clusters} {first.profile}"
        for part, figure in enumerate(scales(group, shown or _points_of(group.blocks), marks)):
            yield f"scales {place} {part or ''}", figure
    for profile in dict.fromkeys(block.profile for block in blocks):
        held = [block for block in blocks if block.profile == profile]
        for part, figure in enumerate(over_data(held, shown or _points_of(held), marks)):
            yield f"ranks {held[0].suite} data sets {profile} {part or ''}", figure


def _stem(name: str, files: Mapping[str, bytes]) -> str:
    """A file's name, made as the labels of the tables are; never one that is taken."""
    stem = slug(name)
    if len(stem) > LONG_STEM or f"{stem}.pdf" in files:
        stem = f"{stem[:LONG_STEM]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return stem


def _points(block: Block, shown: Sequence[str], marks: Mapping[str, Mark]) -> Iterator[Figure]:
    """Of the labels' scores, held out where there are some, and of the samples' scores."""
    ok = [record.metrics for row in block.rows for record in row.ok]
    found = {
        split: [m for m in shown if any(getattr(each, split).get(m) is not None for each in ok)]
        for split in SPLIT_NAMES
    }
    for split in ("test" if found["test"] else "train", "generation"):
        rows = block.generative if split == "generation" else block.rows
        for first in range(0, len(rows), ROWS) if found[split] else ():
            some = rows[first : first + ROWS]
            which = methods_shown(first, len(some), len(rows))
            told = [which] if len(some) < len(rows) else []
            yield _panels(block, some, split, found[split], marks, told)


def _panels(
    block: Block,
    rows: Sequence[Row],
    split: str,
    found: Sequence[str],
    marks: Mapping[str, Mark],
    told: Sequence[str],
) -> Figure:
    counts = [f"({row.n})" for row in rows]
    names = shortened([row.label for row in rows], marks, 1.15, 3, counts)
    height = max(0.28, 0.1 * max(name.count("\n") + 1 for name in names) + 0.06)
    abreast, down = min(ABREAST, len(found)), -(-len(found) // ABREAST)
    size = (WIDTH, 0.15 + down * (height * len(names) + 0.35))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(down, abreast, sharey=True, squeeze=False)
    for ax, metric in zip(grid.flat, found, strict=False):
        for i, row in enumerate(rows):
            _row(ax, i, row, split, metric, block.seeds, marks[row.label])
        if split == "generation" and (real := block.real(metric)) is not None:
            ax.axvline(real.mean, color=INK, ls=":", lw=0.7)
        ax.set_title(_title(metric, split == "generation"))
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        ax.margins(x=0.1)
        ticked(ax.xaxis, 2 / abreast)
    for ax in grid.flat[len(found) :]:
        ax.set_visible(False)
    one = len(block.seeds) == 1
    runs = "one run each" if one else "a point a run; above, mean ± standard deviation"
    where = "Scores of samples" if split == "generation" else f"On the {SPLIT_NAMES[split]} split"
    scored = f"{where}, {named_seeds(block.seeds)}: {runs}."
    bracketed = "In brackets: runs that ended well, of all."
    dotted = "Dotted: real images in their place."
    real = split == "generation" and any(block.real(metric) for metric in found)
    headed(figure, block, [*told, scored, bracketed, *([dotted] if real else [])])
    return figure


def _title(metric: str, narrow: bool) -> str:
    """Head of a panel; a narrow one's in two lines, the second in brackets."""
    name, arrow = HEADINGS.get(metric, metric), ARROWS[direction(metric)]
    head, bracket, rest = name.partition(" (") if narrow else (name, "", "")
    return f"{head} {arrow}".strip() + bracket.replace(" ", "\n") + rest


def _row(
    ax: Axes, i: int, row: Row, split: str, metric: str, seeds: Sequence[int], style: Mark
) -> None:
    """The points of one method under their mean; a seed lies equally high in every row."""
    below = 0.04 if len(seeds) > 1 else -0.2  # a single run has no mean above it
    steps = i + below + 0.4 * (np.arange(len(seeds)) + 0.5) / len(seeds)
    heights = dict(zip(seeds, steps, strict=True))
    values = [(getattr(r.metrics, split).get(metric), heights[r.seed]) for r in row.ok]
    points = np.array([point for point in values if point[0] is not None]).reshape(-1, 2)
    ax.plot(*points.T, style.marker, ms=2.3, mew=0.5, mfc="none", color=style.color)
    statistic = row.statistic(split, metric)
    if statistic is not None and statistic.std is not None:
        low, high = statistic.mean - statistic.std, statistic.mean + statistic.std
        ax.plot([low, high], [i - 0.2] * 2, color=INK)
        ax.plot(statistic.mean, i - 0.2, "|", ms=6, mew=1.5, color=INK)
