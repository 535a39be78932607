"""Quality against wall time, a point a run: what a method costs beside how well it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.caption import on_devices
from deep_em_bench.reports.panels import metric_panels
from deep_em_bench.reports.style import Mark, headed
from deep_em_bench.reports.summary import Block, Row
from deep_em_bench.reports.text import SPLIT_NAMES, methods_shown, named_seeds
from deep_em_bench.reports.ticks import log_ticked

__all__ = ["quality_time"]


METHODS = 24
"""In one figure."""


def quality_time(
    block: Block, shown: Sequence[str], marks: Mapping[str, Mark]
) -> Iterator[Figure]:
    """Each of the metrics ``shown`` against seconds of ``fit``, on a logarithmic axis.

    On the held-out split where any of them was measured there, else on the training split; some
    methods a figure. None where fewer than two rows have a run with both numbers.
    """
    split = "test" if "test" in block.splits(shown) else "train"
    points = {
        metric: {row.label: _points(row, split, metric) for row in block.rows} for metric in shown
    }
    found = [metric for metric in shown if any(map(len, points[metric].values()))]
    labels = [row.label for row in block.rows if any(len(points[m][row.label]) for m in found)]
    devices = {row.label: f"({on})" if (on := block.ran_on(row)) else "" for row in block.rows}
    for first in range(0, len(labels) if len(labels) > 1 else 0, METHODS):
        some = labels[first : first + METHODS]
        figure, panels, inches = metric_panels(
            *(found, some, marks, [devices[label] for label in some]),
            across="Seconds of fit",
            lines=False,
        )
        for metric, ax in panels.items():
            for label in some:
                _draw(ax, points[metric][label], marks[label])
            ax.set_xscale("log")
            ax.margins(0.08)
            log_ticked(ax.xaxis, inches)
            ax.grid()
        which = methods_shown(first, len(some), len(labels))
        told = [which] if len(some) < len(labels) else []
        headed(figure, block, [*told, *_reading(block, split)])
        yield figure


def _points(row: Row, split: str, metric: str) -> np.ndarray:
    """Seconds and score of each run that has both, ``(n, 2)``."""
    scored = [(r.timing.fit_s, getattr(r.metrics, split).get(metric)) for r in row.ok]
    return np.array([pair for pair in scored if pair[0] and pair[1] is not None]).reshape(-1, 2)


def _draw(ax: Axes, points: np.ndarray, style: Mark) -> None:
    ax.plot(*points.T, style.marker, color=style.color, mfc="none", ms=3.2, mew=0.6)


def _reading(block: Block, split: str) -> Iterator[str]:
    ran = [record for row in block.rows for record in row.ok]
    yield f"A point a run, on the {SPLIT_NAMES[split]} split, {named_seeds(block.seeds)}."
    yield f"Wall time {on_devices(block)}."
    jobs = max(record.resources.jobs for record in ran)
    if jobs > 1:
        yield f"Up to {jobs} cells ran at a time: times compare roughly."
