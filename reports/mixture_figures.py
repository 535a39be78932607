"""GANMM's Figure 2: what the generators of the mixture draw, beside those of its EM version."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import ClusterRow
from deep_em_bench.reports.mixtures import rows_of
from deep_em_bench.reports.stored import Run
from deep_em_bench.reports.style import SMALL, WIDTH, Mark, headed, shortened
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import ABSENT

__all__ = ["mixture_samples"]

log = logging.getLogger(__name__)

METHODS = ("ganmm", "ganmm_em")
"""From the left."""

DRAWS = 6
"""Samples of a generator."""

CELL_PIXELS = 32
"""Least side of an image in the picture, so that viewers that smooth do no harm."""

LABELS = 0.3
"""Inches that the names on the left of a panel take."""


def mixture_samples(
    block: Block, runs: Sequence[Run], marks: Mapping[str, Mark]
) -> Iterator[Figure]:
    """Figure 2 of the GANMM paper: a panel for GANMM and for GANMM (EM), a row a generator.

    ``runs`` are those of :func:`first_runs`. None unless both stored
    images. The order of the rows follows the labels, for display alone, and the figure says so.
    """
    labels = [row.label for row in rows_of(block, METHODS)]
    shown = [(run, _clusters(run)) for label in labels for run in runs if run.label == label]
    found = [(run, clusters) for run, clusters in shown if clusters]
    if [run.record.method.name for run, _ in found] != list(METHODS):
        return
    wide = WIDTH / len(found)
    *_, height, width = found[0][0].arrays["samples"].shape
    tall = block.n_clusters * (wide - LABELS) / DRAWS * height / width
    figure = Figure(figsize=(WIDTH, 0.3 + tall), layout="constrained")
    axes = figure.subplots(1, len(found))
    titles = shortened([run.label for run, _ in found], marks, wide - LABELS, 3)
    for ax, (run, clusters), title in zip(axes, found, titles, strict=True):
        _grid(ax, run.arrays["samples"], clusters)
        ax.set_title(title, fontsize=SMALL)
    axes[0].set_ylabel("Majority class", fontsize=SMALL)
    seeds = " and ".join(dict.fromkeys(str(run.record.seed) for run, _ in found))
    drawn = f"Samples, a row a generator, seed {seeds}."
    order = "Order of the rows, for display alone: majority class on the training split, size."
    headed(figure, block, [drawn, order])
    yield figure


def _clusters(run: Run) -> Sequence[ClusterRow]:
    """By majority class, then size; none of a run whose samples or labels are of no use."""
    drawn = run.arrays.get("samples")
    if drawn is None or drawn.ndim != 5 or drawn.shape[2] not in (1, 3) or drawn.shape[1] < DRAWS:
        return []
    try:
        return run.clusters if len(drawn) == len(run.clusters) else []
    except DataError as error:
        log.warning("no samples of %s: %s", run.label, error)
        return []


def _grid(ax: Axes, drawn: np.ndarray, clusters: Sequence[ClusterRow]) -> None:
    images = drawn[[cluster.cluster for cluster in clusters], :DRAWS]  # (K, n, C, H, W)
    scale = -(-CELL_PIXELS // max(images.shape[3:]))
    gap = max(2, scale * max(images.shape[3:]) // 16)
    large = images.repeat(scale, axis=3).repeat(scale, axis=4)
    tiles = np.pad(large, ((0, 0), (0, 0), (0, 0), (0, gap), (0, gap)), constant_values=255)
    K, n, _, height, width = tiles.shape
    canvas = tiles.transpose(0, 3, 1, 4, 2).reshape(K * height, n * width, -1)[:-gap, :-gap]
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255} if canvas.shape[2] == 1 else {}
    ax.imshow(canvas.squeeze(), interpolation="nearest", **grey)
    classes = [cluster.majority_class for cluster in clusters]
    names = [ABSENT if majority is None else str(majority) for majority in classes]
    ax.set_yticks((np.arange(K) + 0.5) * height - gap / 2, names)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
