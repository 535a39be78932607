"""The clusters of one run in pictures: classes against clusters."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import match_clusters
from deep_em_bench.metrics.contingency import checked, count
from deep_em_bench.reports.stored import Run, Stored, labels_of
from deep_em_bench.reports.style import INK, SMALL, WIDTH, Mark, headed, shortened, width, wrapped
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import SPLIT_NAMES, class_name, named_seeds, number
from deep_em_bench.reports.ticks import Decimals

__all__ = ["confusion", "first_runs"]

log = logging.getLogger(__name__)

MANY = 12
"""Clusters or classes from which two confusion matrices no longer stand abreast."""

MATRICES = 8
"""In one figure."""

NAME = 0.52
"""Inches that the name of a class may take."""


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """Classes against clusters, these in the order of the classes that they stand for."""

    run: Run
    error: float
    classes: np.ndarray
    """Class of each column, ``(K,)``; -1 for the unmatched, which come last."""
    shares: np.ndarray
    """Share of each class in each cluster, ``(C, K)``."""
    names: np.ndarray
    """Of the classes, ``(C,)``, each short enough for a tick."""


def first_runs(block: Block, stored: Stored) -> list[Run]:
    """Of each row the run of its lowest seed that ended ok, whatever its score, with its arrays.

    A row whose arrays cannot be read is warned of and left out.
    """
    runs = []
    for row in block.rows:
        try:
            runs.append(stored.run(row))
        except DataError as error:
            log.warning("no pictures of the clusters of %s: %s", row.label, error)
    return [run for run in runs if run is not None]


def confusion(block: Block, runs: Sequence[Run], marks: Mapping[str, Mark]) -> Iterator[Figure]:
    """Confusion matrices after one-to-one matching, a panel a run, as many figures as it takes.

    Matched and shown on the held-out split where any run has one, else on the training split, as
    ``error_rate`` is there. Where the fit knew labels its components are the classes, nothing is
    matched, and the error is ``error_rate_classes``. Runs without labels are warned of and left
    out.
    """
    split = "test" if any("labels_test" in run.arrays for run in runs) else "train"
    matrices = []
    for run in runs:
        try:
            matrices.append(_matrix(block, run, split))
        except DataError as error:
            log.warning("no confusion matrix of %s: %s", run.label, error)
    for first in range(0, len(matrices), MATRICES):
        yield _confusion(block, matrices[first : first + MATRICES], split, marks)


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
        names=np.array([wrapped(class_name(used.class_names, c), NAME, 1)[0] for c in range(C)]),
    )


def _confusion(
    block: Block, matrices: Sequence[_Matrix], split: str, marks: Mapping[str, Mark]
) -> Figure:
    C, K = np.max([matrix.shares.shape for matrix in matrices], axis=0)
    wide = max(width(name) for matrix in matrices for name in matrix.names) / 72
    side = (WIDTH / 2 - 0.25 if max(C, K) < MANY else WIDTH - 0.3) - wide
    abreast = min(2, len(matrices)) if max(C, K) < MANY else 1
    down = -(-len(matrices) // abreast)
    cell = side / max(C, K)
    each, across = _step(0.09 / cell), _step((wide + 3 / 72) / cell)
    turned = across > each  # names too wide for their columns
    seeds = {matrix.run.record.seed for matrix in matrices}
    tails = [_scored(matrix, len(seeds) > 1) for matrix in matrices]
    titles = shortened([matrix.run.label for matrix in matrices], marks, side, 3, tails)
    lines = max(title.count("\n") + 1 for title in titles)
    size = (WIDTH, 0.6 + down * (cell * C + 0.1 * lines + 0.25 + wide * turned))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, abreast, squeeze=False)
    for i, (ax, matrix, title) in enumerate(zip(axes.flat, matrices, titles, strict=False)):
        _heatmap(ax, matrix, each, each if turned else across, turned)
        ax.set_title(title, fontsize=SMALL, loc="left")
        if i % abreast == 0:
            ax.set_ylabel("Class", fontsize=SMALL)
        if i + abreast >= len(matrices):
            which = "Component, by its class" if block.labelled else "Cluster, by matched class"
            ax.set_xlabel(which, fontsize=SMALL)
    for ax in axes.flat[len(matrices) :]:
        ax.set_visible(False)
    bar = figure.colorbar(
        axes.flat[0].collections[0],
        ax=axes,
        location="bottom",
        aspect=40,
        shrink=0.6,
        pad=0.02,
        panchor=False,  # leave the matrices where they are anchored
        format=Decimals(),
    )
    bar.set_label("Share of the class", fontsize=SMALL)
    bar.outline.set_visible(False)
    run = named_seeds(seeds) if len(seeds) == 1 else "the first run that ended well"
    matched = (
        "components carry the classes"
        if block.labelled
        else "clusters matched to classes one to one"
    )
    headed(figure, block, [f"On the {SPLIT_NAMES[split]} split, {run}; {matched}."])
    return figure


def _scored(matrix: _Matrix, seeded: bool) -> str:
    seed = f"seed {matrix.run.record.seed}, " if seeded else ""
    return f"({seed}error {number(matrix.error, 'error_rate')})"


def _heatmap(ax: Axes, matrix: _Matrix, down: int, across: int, turned: bool) -> None:
    """Every ``down``-th row and ``across``-th column is named, these upright where ``turned``."""
    import seaborn as sns  # slow to import

    sns.heatmap(
        matrix.shares,
        ax=ax,
        cmap="Blues",
        vmin=0,
        vmax=1,
        square=True,
        cbar=False,
        xticklabels=False,
        yticklabels=False,
    )
    C, n_matched = len(matrix.shares), int((matrix.classes >= 0).sum())
    rows, columns = np.arange(0, C, down), np.arange(0, n_matched, across)
    ax.set_yticks(rows + 0.5, matrix.names[rows], rotation=0)
    places, names = [*(columns + 0.5)], [*matrix.names[matrix.classes[columns]]]
    if n_matched < len(matrix.classes):
        ax.axvline(n_matched, color=INK, lw=0.6)
        places.append((n_matched + len(matrix.classes)) / 2)
        names.append("unmatched")
    ax.set_xticks(places, names, rotation=90 if turned else 0)
    ax.tick_params(length=0)
    ax.set_anchor("NW")  # under its title, whatever its proportions
    ax.spines[:].set(visible=True, linewidth=0.5)


def _step(least: float) -> int:
    """The first round number from ``least``."""
    return next((step for step in (1, 2, 5, 10, 20, 50) if step >= least), 100)
