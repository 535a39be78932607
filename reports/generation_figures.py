"""What one run draws: samples by component, and images between two components and three.

Responsibility GAN, Figures 2 and 3. Images are shown pixel by pixel, grey or in colour.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.figure import Figure

from deep_em_bench.core import DataError
from deep_em_bench.reports.stored import Run
from deep_em_bench.reports.style import SMALL, WIDTH, headed, mark
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import ABSENT

__all__ = ["interpolation", "samples", "triangle"]

log = logging.getLogger(__name__)

DRAWS, COMPONENTS = 10, 30
"""Samples in a row of the grid, and its rows in one figure."""

CELL_PIXELS = 32
"""Least side of an image in the picture, so that viewers that smooth do no harm."""

TALLEST = 8.0
"""Inches of images in one figure."""

LABELS = 0.4
"""Inches that the names on one side take."""

Classes = Mapping[int, int | None]
"""Majority class on the training split of each component, by class and size; None: empty."""


def samples(block: Block, run: Run) -> Iterator[Figure]:
    """The run's stored samples, by component: images as a grid, points of the plane as they lie.

    None where it stored none, or vectors of other dimensions. The order of the components follows
    the labels, for display alone, and the figure says so.
    """
    drawn = run.arrays.get("samples")
    if drawn is None or drawn.ndim < 3 or not drawn.size:
        return
    if (classes := _classes(run, "samples")) is None:
        return
    if len(drawn) != len(classes):
        log.warning("no samples of %s: %d components, not %d", run.label, len(drawn), len(classes))
    elif _pictures(drawn):
        for first in range(0, len(classes), COMPONENTS):
            yield _grid(block, run, drawn, dict(list(classes.items())[first : first + COMPONENTS]))
    elif drawn.shape[2:] == (2,):
        yield _scatter(block, run, drawn, classes)


def interpolation(block: Block, run: Run) -> Iterator[Figure]:
    """Images between pairs of components, from ``interpolation`` ``(R, S, C, H, W)``.

    Row r goes from component r to r + 1 at one and the same noise. None where the run stored
    none, of vectors, or where all components are one, as in a plain GAN.
    """
    drawn = run.arrays.get("interpolation")
    if drawn is None or not drawn.size or not _pictures(drawn):
        return
    if (drawn == drawn[:, :1]).all():
        return
    rows = len(drawn)
    if rows >= block.n_clusters:
        _warn(block, run, "interpolation", drawn)
        return
    if (names := _names(run, "interpolation")) is None:
        return
    figure, ax, places = _tiled(drawn, np.ones(drawn.shape[:2], dtype=bool), sides=2)
    ax.set_yticks(places, names[:rows])
    what = " component" if rows > 3 else ""  # there is no room beside fewer
    ax.set_ylabel(f"From{what}", fontsize=SMALL)
    right = ax.secondary_yaxis("right")
    right.set_yticks(places, names[1 : rows + 1])
    right.set_ylabel(f"to{what}", fontsize=SMALL)
    _bare(right)
    headed(figure, block, _between(run, "two components, the same noise in each row"))
    yield figure


def triangle(block: Block, run: Run) -> Iterator[Figure]:
    """Images between the components 0, 1 and 2, from ``triangle`` ``(S, S, C, H, W)``.

    From the upper left, component 0, down to component 1 and right to component 2; the long side
    lies between these two. None where :func:`interpolation` gives none.
    """
    drawn = run.arrays.get("triangle")
    if drawn is None or not drawn.size or not _pictures(drawn):
        return
    if drawn.shape[0] != drawn.shape[1] or block.n_clusters < 3:
        _warn(block, run, "triangle", drawn)
        return
    if (names := _names(run, "triangle")) is None:
        return
    kept = np.tri(len(drawn), dtype=bool)[::-1]  # i + j < S
    if (drawn[kept] == drawn[0, 0]).all():
        return
    figure, ax, places = _tiled(drawn, kept, sides=2)
    ax.set_yticks(places[[0, -1]], names[:2])
    right = ax.secondary_yaxis("right")
    right.set_yticks(places[:1], names[2:3])
    _bare(right)
    headed(figure, block, _between(run, "three components, the same noise in all"))
    yield figure


def _pictures(drawn: np.ndarray) -> bool:
    return drawn.ndim == 5 and drawn.shape[2] in (1, 3)


def _warn(block: Block, run: Run, what: str, drawn: np.ndarray) -> None:
    said = f"{drawn.shape} at K = {block.n_clusters}"
    log.warning("no %s of %s: the record stores %s", what, run.label, said)


def _classes(run: Run, what: str) -> dict[int, int | None] | None:
    """None, with a warning, where the labels cannot tell them."""
    try:
        return {cluster.cluster: cluster.majority_class for cluster in run.clusters}
    except DataError as error:
        log.warning("no %s of %s: %s", what, run.label, error)
        return None


def _names(run: Run, what: str) -> list[str] | None:
    """Number of each component and, in brackets, its majority class."""
    if (classes := _classes(run, what)) is None:
        return None
    return [f"{k} ({ABSENT if classes[k] is None else classes[k]})" for k in sorted(classes)]


def _grid(block: Block, run: Run, drawn: np.ndarray, classes: Classes) -> Figure:
    images = drawn[list(classes), :DRAWS]
    figure, ax, places = _tiled(images, np.ones(images.shape[:2], dtype=bool), sides=1)
    ax.set_yticks(places, [ABSENT if c is None else str(c) for c in classes.values()])
    ax.set_ylabel("Majority class" if len(classes) > 3 else "Class", fontsize=SMALL)
    headed(figure, block, _sampled(run))
    return figure


def _tiled(images: np.ndarray, kept: np.ndarray, *, sides: int) -> tuple[Figure, Axes, np.ndarray]:
    """A figure of ``images`` ``(k, n, C, H, W)``, white where not ``kept`` ``(k, n)``.

    There is room for names on one or two ``sides``. Gives the figure, its axes and the heights of
    the rows' middles.
    """
    k, n, _, H, W = images.shape
    scale = -(-CELL_PIXELS // max(H, W))
    gap = max(2, scale * max(H, W) // 16)
    shown = np.where(kept[:, :, None, None, None], images, np.uint8(255))
    large = shown.repeat(scale, axis=3).repeat(scale, axis=4)
    tiles = np.pad(large, ((0, 0), (0, 0), (0, 0), (0, gap), (0, gap)), constant_values=255)
    _, _, _, height, width = tiles.shape
    canvas = tiles.transpose(0, 3, 1, 4, 2)  # (k, height, n, width, C)
    canvas = canvas.reshape(k * height, n * width, -1)[:-gap, :-gap]
    side = min((WIDTH - LABELS * sides) / n, TALLEST / k * width / height)  # inches
    figure = Figure(figsize=(WIDTH, 0.1 + k * side * height / width), layout="constrained")
    ax = figure.subplots()
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255} if canvas.shape[2] == 1 else {}
    ax.imshow(canvas.squeeze(), interpolation="nearest", **grey)
    ax.set_xticks([])
    _bare(ax)
    return figure, ax, (np.arange(k) + 0.5) * height - gap / 2


def _bare(ax: Axes | SecondaryAxis) -> None:
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _scatter(block: Block, run: Run, drawn: np.ndarray, classes: Classes) -> Figure:
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    ax = figure.subplots()
    for i, (component, majority) in enumerate(classes.items()):
        style = mark(i)
        name = ABSENT if majority is None else str(majority)
        ax.plot(*drawn[component].T, style.marker, color=style.color, mfc="none", label=name)
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(
        title="Majority class",
        title_fontsize=SMALL,
        loc="upper left",
        bbox_to_anchor=(1, 1),
        ncols=1 if len(classes) <= 16 else 2,
        handletextpad=0,
        borderaxespad=0,
    )
    headed(figure, block, _sampled(run))
    return figure


def _sampled(run: Run) -> list[str]:
    return [
        f"Samples of {run.label}, seed {run.record.seed}, by component.",
        "Order of the components, for display alone: majority class on the training split.",
    ]


def _between(run: Run, what: str) -> list[str]:
    return [
        f"{run.label}, seed {run.record.seed}, between {what}.",
        "In brackets, for display alone: majority class on the training split.",
    ]
