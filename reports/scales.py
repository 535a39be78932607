"""Quality by data scale: the metrics against the number of fitted points, a line a method.

For suites whose data sets differ in their subset alone: GANMM, Figures 3 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.panels import metric_panels
from deep_em_bench.reports.style import Mark, titled
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import SPLIT_NAMES, methods_shown, named_seeds
from deep_em_bench.reports.ticks import placed
from deep_em_bench.results import replace

__all__ = ["Scales", "grouped", "scales"]


METHODS = 8
"""Lines in one panel."""


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Tables of one data set, by the number of points fitted; two or more."""

    title: str
    """Data set and words but for the subset, as in "mnist(split=train)"."""
    blocks: tuple[Block, ...]

    @property
    def n(self) -> list[int]:
        """Points fitted, of each block."""
        return [block.n or 0 for block in self.blocks]


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One method by one metric."""

    points: np.ndarray
    """Size and score of each run, ``(n, 2)``."""
    mean: np.ndarray
    """By size; NaN where the row has no number."""
    std: np.ndarray
    """By size; 0 for a single run."""


def grouped(blocks: Sequence[Block]) -> list[Scales]:
    """The blocks that differ in nothing but the subset, and in the points that it left."""
    groups: dict[tuple[str, str, str, int], list[Block]] = {}
    for block in blocks:
        data = block.records[0].dataset
        words = {name: value for name, value in data.words.items() if name != "subset"}
        title = replace(data, words=words).title
        key = block.suite, block.profile, title, block.n_clusters
        if block.n is not None:
            groups.setdefault(key, []).append(block)
    return [
        Scales(title=key[2], blocks=tuple(sorted(held, key=lambda block: block.n or 0)))
        for key, held in groups.items()
        if len({block.n for block in held}) == len(held) > 1
    ]


def scales(group: Scales, shown: Sequence[str], marks: Mapping[str, Mark]) -> Iterator[Figure]:
    """Each of the metrics ``shown`` by number of fitted points, some methods a figure.

    Mean over the runs that ended ok, with a band of one standard deviation and the runs
    themselves. On the held-out split where every block has it, since it is the same for all sizes,
    else on the training split.
    """
    held_out = all("test" in block.splits(shown) for block in group.blocks)
    split = "test" if held_out else "train"
    labels = list(dict.fromkeys(row.label for block in group.blocks for row in block.rows))
    lines = {
        metric: {label: _line(group, label, split, metric) for label in labels} for metric in shown
    }
    found = [metric for metric in shown if any(len(x.points) for x in lines[metric].values())]
    labels = [label for label in labels if any(len(lines[m][label].points) for m in found)]
    for first in range(0, len(labels), METHODS):
        some = labels[first : first + METHODS]
        which = methods_shown(first, len(some), len(labels))
        figure = _figure(group, {m: {x: lines[m][x] for x in some} for m in found}, marks)
        reading = _reading(group, split)
        titled(figure, reading if len(some) == len(labels) else [*reading, which])
        yield figure


def _figure(
    group: Scales, lines: Mapping[str, Mapping[str, _Line]], marks: Mapping[str, Mark]
) -> Figure:
    """``lines`` by metric and method."""
    labels = list(next(iter(lines.values())))
    figure, panels, inches = metric_panels(
        list(lines), labels, marks, across="Points fitted", lines=True
    )
    for metric, ax in panels.items():
        for label in labels:
            _draw(ax, group.n, lines[metric][label], marks[label])
        ax.set_xscale(_spacing(group.n))
        ax.margins(x=0.08)
        placed(ax.xaxis, group.n, inches)
        ax.grid(axis="y")
    return figure


def _line(group: Scales, label: str, split: str, metric: str) -> _Line:
    points, means, spreads = [], [], []
    for block in group.blocks:
        row = next((row for row in block.rows if row.label == label), None)
        statistic = row.statistic(split, metric) if row else None
        means.append(statistic.mean if statistic else np.nan)
        spreads.append(statistic.std or 0 if statistic else np.nan)
        for record in row.ok if row else ():
            value = getattr(record.metrics, split).get(metric)
            if value is not None:
                points.append((block.n, value))
    return _Line(
        points=np.array(points, dtype=np.float64).reshape(-1, 2),
        mean=np.array(means),
        std=np.array(spreads),
    )


def _draw(ax: Axes, n: Sequence[int], line: _Line, style: Mark) -> None:
    low, high = line.mean - line.std, line.mean + line.std
    ax.fill_between(n, low, high, color=style.color, alpha=0.15, lw=0)
    ax.plot(*line.points.T, style.marker, color=style.color, mfc="none", ms=2, mew=0.4, alpha=0.7)
    ax.plot(n, line.mean, color=style.color, ls=style.dashes, marker=style.marker)


def _spacing(n: Sequence[int]) -> str:
    """The axis, linear or logarithmic, on which the nearest sizes lie further apart."""
    linear, log = (np.diff(each) / np.ptp(each) for each in (np.array(n), np.log(n)))
    return "log" if log.min() > linear.min() else "linear"


def _reading(group: Scales, split: str) -> Iterator[str]:
    first = group.blocks[0]
    seeds = {seed for block in group.blocks for seed in block.seeds}
    yield f"{first.suite}: {group.title}, K = {first.n_clusters}, by points fitted."
    budget = "" if first.profile == "full" else ": not comparable with published numbers"
    yield f"Profile {first.profile}{budget}."
    mixed = dict.fromkeys(sentence for block in group.blocks for sentence in block.mixed)
    yield from (f"MIXED: {sentence}." for sentence in mixed)
    words = first.rows[0].records[0].dataset.words
    where = f"the {SPLIT_NAMES[split]} split"
    if split == "test" and words.get("assign") == "all":
        where = "all points, fitted ones among them"
    runs = (
        "mean ± standard deviation, and a small point a run" if len(seeds) > 1 else "one run each"
    )
    yield f"On {where}, {named_seeds(seeds)}: {runs}."
    if split == "train":
        yield "Each size is scored on the points it was fitted to."
