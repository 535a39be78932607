"""Scores drawn: by method and seed, against time, and against the number of fitted points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.data.blocks import TIME, Block, Row, device_of
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import EXTRACTORS, SPLITS, data_title, named_seeds
from deep_em_bench.reports.figures.style import (
    INK,
    SMALL,
    WIDTH,
    Drawing,
    Mark,
    fit,
    legend,
    log_ticks,
    pages,
    ticks,
)
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import metric_column

__all__ = ["by_time", "headline", "points", "scales"]

POINTS = (
    *("ari", "nmi"),
    *(f"{score}_{net}" for net in EXTRACTORS for score in ("is", "fid", "kid")),
)
"""Metrics with a panel when none were asked for, after the one that heads the tables."""

ABREAST, ROWS, LINES = 3, 24, 8
"""Metrics side by side; methods in one figure of points, and of lines."""

PANEL = 1.2
"""Inches a row of panels is high."""


def headline(data: Gathered, block: Block) -> list[str]:
    """The metrics with a panel: those asked for, else accuracy, or the error where labels were."""
    first = block.error if block.labelled else "accuracy"
    return list(data.choice.metrics or (first, *POINTS))


def points(data: Gathered, block: Block, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """A point per run under mean and standard deviation, and a panel per metric."""
    shown = headline(data, block)
    for split in (data.split(block, shown), "generation"):
        metrics = [m for m in shown if m in block.metrics[split]]
        if split == "generation" and data.choice.split not in (None, split):
            continue
        rows = [
            row
            for row in block.rows
            if split != "generation" or not row.ok or any(r.metrics.generation for r in row.ok)
        ]
        for part, which in pages(len(rows), ROWS) if metrics else ():
            figure = _points(block, rows[part], split, metrics, marks)
            one = len(block.seeds) == 1
            how = "one run each" if one else "a point a run; above, mean ± standard deviation"
            where = "Scores of samples" if split == "generation" else f"{SPLITS[split]} points"
            sentences = [
                f"{where.capitalize()}, {named_seeds(block.seeds)}: {how}.",
                "In brackets: runs that succeeded, out of all.",
            ]
            if split == "generation" and any(map(block.real, metrics)):
                sentences.append("Dotted: real images in the place of samples.")
            yield Drawing(
                kind="points",
                name=f"{block.name} {'' if split != 'generation' else split} {part.start or ''}",
                figure=figure,
                caption=[*caption.about(block), which, *sentences],
                block=block.title,
            )


def _points(
    block: Block,
    rows: Sequence[Row],
    split: str,
    metrics: Sequence[str],
    marks: Mapping[str, Mark],
) -> Figure:
    names = [
        "\n".join(fit(f"{row.title} ({len(row.ok)}/{len(row.records)})", 1.25, 3)) for row in rows
    ]
    height = max(0.3, 0.115 * max(name.count("\n") + 1 for name in names) + 0.06)
    abreast, down = min(ABREAST, len(metrics)), -(-len(metrics) // ABREAST)
    size = (WIDTH, 0.2 + down * (height * len(names) + 0.4))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(down, abreast, sharey=True, squeeze=False)
    for ax, metric in zip(grid.flat, metrics, strict=False):
        column = f"{split}/{metric}"
        scores, summary = block.scores(column), block.statistics(column)
        for i, row in enumerate(rows):
            place = block.rows.index(row)
            _row(ax, i, scores[place], marks[row.label])
            statistic = summary[place]
            if statistic and statistic.std is not None:
                ends = [statistic.mean - statistic.std, statistic.mean + statistic.std]
                ax.plot(ends, [i - 0.2] * 2, color=INK)
                ax.plot(statistic.mean, i - 0.2, "|", ms=6, mew=1.5, color=INK)
        if split == "generation" and (real := block.real(metric)) is not None:
            ax.axvline(real.mean, color=INK, ls=":", lw=0.7)
        ax.set_title("\n".join(fit(metric_column(metric).head, 0.85, 2)))
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        ax.margins(x=0.1)
        ticks(ax.xaxis, 3 if abreast == ABREAST else 4)
    _hide(grid.flat[len(metrics) :])
    return figure


def _row(ax: Axes, i: int, scores: np.ndarray, style: Mark) -> None:
    """The points of one method. A seed has the same height in every row."""
    n = len(scores)
    below = 0.04 if n > 1 else -0.2  # a single run has no mean above it
    heights = i + below + 0.4 * (np.arange(n) + 0.5) / n
    ax.plot(scores, heights, style.marker, ms=2.4, mew=0.5, mfc="none", color=style.color)


def by_time(data: Gathered, block: Block, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """The headline metric by seconds of fit, with a panel per device and a point per run."""
    shown = headline(data, block)
    split = data.split(block, shown)
    metric = next((m for m in shown if m in block.metrics[split]), None)
    devices = sorted({device_of(record) for row in block.rows for record in row.ok})
    if metric is None or len([row for row in block.rows if row.ok]) < 2:
        return
    scores, seconds = block.scores(f"{split}/{metric}"), block.scores(TIME)
    known = np.isfinite(scores) & (seconds > 0)
    labels = {row.label: row.title for i, row in enumerate(block.rows) if known[i].any()}
    if len(labels) < 2:
        return
    figure = Figure(figsize=(WIDTH, 0.35 + 1.6), layout="constrained")
    grid = figure.subplots(1, len(devices), sharey=True, squeeze=False)
    legend(figure, labels, marks, lines=False)
    for ax, device in zip(grid.flat, devices, strict=True):
        for i, row in enumerate(block.rows):
            on = {record.seed for record in row.ok if device_of(record) == device}
            kept = known[i] & [seed in on for seed in block.seeds]
            style = marks[row.label]
            ax.plot(
                seconds[i][kept],
                scores[i][kept],
                style.marker,
                color=style.color,
                mfc="none",
                label=row.label,
            )
        ax.set_xscale("log")
        ax.margins(0.08)
        log_ticks(ax.xaxis)
        ticks(ax.yaxis, 5)
        ax.grid()
        if len(devices) > 1:
            ax.set_title("\n".join(fit(device, WIDTH / len(devices) - 0.4, 2)))
    grid.flat[0].set_ylabel(metric_column(metric).head)
    figure.supxlabel("Seconds of fit", fontsize=SMALL)
    yield Drawing(
        kind="time",
        name=block.name,
        figure=figure,
        caption=[
            *caption.about(block),
            f"A point a run, {SPLITS[split]}, {named_seeds(block.seeds)}, a panel a device.",
            *caption.notes_on(block, ())[-1:],
        ],
        block=block.title,
    )


def scales(data: Gathered, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """Metrics by number of points, where blocks differ in that alone (GANMM, Figures 3-5)."""
    groups: dict[tuple[str, str, int], list[Block]] = {}
    for block in data.blocks:
        title = data_title(block.data, ["subset"])
        if block.data.n is not None:
            groups.setdefault((block.profile, title, block.n_clusters), []).append(block)
    for (profile, title, K), members in groups.items():
        blocks = sorted(members, key=lambda block: block.data.n or 0)
        sizes = [block.data.n or 0 for block in blocks]
        if not len(set(sizes)) == len(blocks) > 1:
            continue
        shown = headline(data, blocks[0])
        split = "test" if all("test" in block.splits(shown) for block in blocks) else "train"
        metrics = [m for m in shown if any(m in block.metrics[split] for block in blocks)]
        rows = {row.label: row.title for block in blocks for row in block.rows}
        for part, which in pages(len(rows), LINES):
            some = dict(list(rows.items())[part])
            figure = _scales(blocks, sizes, [f"{split}/{m}" for m in metrics], some, marks)
            note = (
                "Each size is scored on the points it was fitted to." if split == "train" else ""
            )
            yield Drawing(
                kind="scales",
                name=f"{data.suite} sizes of {title} {K} {profile} {part.start or ''}",
                figure=figure,
                caption=[
                    f"{title}, K = {K}, by points fitted, {SPLITS[split]}.",
                    caption.budget(blocks),
                    *caption.mixed(blocks),
                    which,
                    caption.runs(blocks),
                    "A small point a run.",
                    note,
                ],
            )


def _scales(
    blocks: Sequence[Block],
    sizes: Sequence[int],
    columns: Sequence[str],
    rows: Mapping[str, str],
    marks: Mapping[str, Mark],
) -> Figure:
    abreast = min(2, len(columns))
    down = -(-len(columns) // abreast)
    figure = Figure(figsize=(WIDTH, 0.3 + PANEL * down), layout="constrained")
    grid = figure.subplots(down, abreast, squeeze=False)
    legend(figure, rows, marks, lines=True)
    for ax, column in zip(grid.flat, columns, strict=False):
        for label in rows:
            style = marks[label]
            places = [
                next((i for i, r in enumerate(b.rows) if r.label == label), None) for b in blocks
            ]
            runs = [
                b.scores(column)[i] if i is not None else np.array([np.nan])
                for b, i in zip(blocks, places, strict=True)
            ]
            statistics = [
                b.statistics(column)[i] if i is not None else None
                for b, i in zip(blocks, places, strict=True)
            ]
            mean = np.array([f.mean if f else np.nan for f in statistics])
            std = np.array([(f.std or 0) if f else np.nan for f in statistics])
            ax.fill_between(sizes, mean - std, mean + std, color=style.color, alpha=0.15, lw=0)
            for size, scores in zip(sizes, runs, strict=True):
                ax.plot(
                    [size] * len(scores), scores, style.marker, color=style.color, mfc="none",
                    ms=2, mew=0.4, alpha=0.7,
                )  # fmt: skip
            ax.plot(sizes, mean, color=style.color, ls=style.dashes, marker=style.marker)
        ax.set_title(metric_column(column.partition("/")[2]).head)
        ax.margins(x=0.08)
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.set_xticks(sizes, [f"{n:,}" for n in sizes], rotation=30)
        ticks(ax.yaxis, 4)
        ax.grid(axis="y")
    _hide(grid.flat[len(columns) :])
    figure.supxlabel("Points fitted", fontsize=SMALL)
    return figure


def _hide(axes: Iterable[Axes]) -> None:
    for ax in axes:
        ax.set_visible(False)
