"""Confusion matrices of classes and matched clusters, one per method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import match_clusters
from deep_em_bench.metrics.contingency import checked, count
from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.stored import Run, labels_of
from deep_em_bench.reports.data.titles import SPLITS, class_name, named_seeds
from deep_em_bench.reports.figures.style import INK, SMALL, WIDTH, Drawing, fit
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import Format, number

__all__ = ["confusion"]

MANY, MATRICES = 12, 8
"""Clusters or classes from which matrices are no longer side by side; matrices in one figure."""

NAME = 0.52
"""Inches that the name of a class may take."""


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """Classes by clusters. The clusters are in the order of their matched classes."""

    run: Run
    error: float
    classes: np.ndarray
    """Class of each column, ``(K,)``; -1 for the unmatched, which come last."""
    shares: np.ndarray
    """Share of each class in each cluster, ``(C, K)``."""


def confusion(data: Gathered, block: Block, runs: Sequence[Run]) -> Iterator[Drawing]:
    """Confusion matrices, of the test split where any run has one, over as many figures as needed.

    Where the fit knew labels its components are the classes, and nothing is matched.
    """
    split = "test" if any("labels_test" in run.arrays for run in runs) else "train"
    matrices = []
    for run in runs:
        try:
            matrices.append(_matrix(block, run, split))
        except DataError as error:
            data.stored.note(run.row, error)
    for first in range(0, len(matrices), MATRICES):
        some = matrices[first : first + MATRICES]
        seeds = {matrix.run.record.seed for matrix in some}
        run = named_seeds(seeds) if len(seeds) == 1 else "the first run that succeeded"
        matched = "components carry the classes" if block.labelled else "matched one to one"
        yield Drawing(
            kind="confusion",
            name=f"{block.name} {first or ''}",
            figure=_figure(block, some),
            caption=[
                f"Share of each class in each cluster, {SPLITS[split]} points, {run}; {matched}.",
                *caption.about(block),
            ],
            block=block.title,
        )


def _matrix(block: Block, run: Run, split: str) -> _Matrix:
    used, K = run.record.dataset, block.n_clusters
    y, labels = checked(*labels_of(run.arrays, split), K)
    C = max(used.n_classes or 0, int(y.max()) + 1)
    if block.labelled:
        matched = np.where(np.arange(K) < C, np.arange(K), -1)
    else:
        matched = match_clusters(y, labels, n_clusters=K, n_classes=C)
    counts = count(y, labels, n_classes=C, n_clusters=K)
    order = np.lexsort((matched, matched < 0))
    right = sum(counts[c, k] for k, c in enumerate(matched) if c >= 0)
    return _Matrix(
        run=run,
        error=float(1 - right / counts.sum()),
        classes=matched[order],
        shares=counts[:, order] / np.maximum(counts.sum(axis=1, keepdims=True), 1),
    )


def _figure(block: Block, matrices: Sequence[_Matrix]) -> Figure:
    C, K = np.max([matrix.shares.shape for matrix in matrices], axis=0)
    many = max(C, K) >= MANY
    abreast = 1 if many else min(2, len(matrices))
    down = -(-len(matrices) // abreast)
    side = WIDTH - 0.9 if many else WIDTH / 2 - 0.7
    size = (WIDTH, 0.6 + down * (side * C / max(C, K) + 0.75))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, abreast, squeeze=False)
    image = None
    for i, (ax, matrix) in enumerate(zip(axes.flat, matrices, strict=False)):
        image = _heatmap(ax, matrix, side / max(C, K))
        error = number(matrix.error, Format(kind="share"))
        ax.set_title(
            "\n".join(fit(matrix.run.row.title, side, 2)) + f"\nerror {error}", fontsize=SMALL
        )
        if i % abreast == 0:
            ax.set_ylabel("Class", fontsize=SMALL)
        if i + abreast >= len(matrices):
            which = "Component" if block.labelled else "Cluster, by class"
            ax.set_xlabel(which, fontsize=SMALL)
    for ax in axes.flat[len(matrices) :]:
        ax.set_visible(False)
    assert image is not None, "only called with matrices"
    bar = figure.colorbar(image, ax=axes, location="bottom", aspect=40, shrink=0.6, pad=0.02)
    bar.set_ticks([0, 0.5, 1], labels=["0", ".5", "1"])
    bar.set_label("Share of the class", fontsize=SMALL)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _heatmap(ax: Axes, matrix: _Matrix, cell: float) -> AxesImage:
    """Names as many rows and columns as fit; ``cell`` is in inches."""
    image = ax.imshow(matrix.shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    used, C = matrix.run.record.dataset, len(matrix.shares)
    names = np.array([fit(class_name(used.class_names, c), NAME, 1)[0] for c in range(C)])
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100) if s * cell >= 0.11 or s == 100)
    n_matched = int((matrix.classes >= 0).sum())
    rows, columns = np.arange(0, C, step), np.arange(0, n_matched, step)
    turned = max(map(len, names)) * 0.065 > step * cell
    ax.set_yticks(rows, names[rows])
    places: list[float] = [*columns.tolist()]
    shown = names[matrix.classes[columns]].tolist()
    if n_matched < len(matrix.classes):
        ax.axvline(n_matched - 0.5, color=INK, lw=0.6)
        places.append((n_matched + len(matrix.classes) - 1) / 2)
        shown.append("none")
    ax.set_xticks(places, shown, rotation=90 if turned else 0)
    ax.tick_params(length=0)
    ax.spines[:].set(visible=True, linewidth=0.5)
    return image
