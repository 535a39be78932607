"""What one run draws: samples by component, and images between two components and three.

Responsibility GAN, Figures 2 and 3; GANMM, Figure 2; GAN-EM, Figure 3. Images are shown pixel by
pixel. The order of components follows the labels for display alone, and the captions say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.figure import Figure

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import match_clusters
from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import ATTRIBUTE, Gathered
from deep_em_bench.reports.data.stored import Run, labels_of
from deep_em_bench.reports.figures.style import SMALL, WIDTH, Drawing, fit, plain
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import ABSENT, metric_format, number

__all__ = ["faces", "generated"]

DRAWS, COMPONENTS, PAIRS = 10, 30, 8
"""Samples in a row, rows in one figure, and attributes in one figure."""

LEAST = 32
"""Pixels of the side of an image in the picture, so that viewers that smooth do no harm."""

TALLEST, NAMES = 8.0, 0.5
"""Inches of images in one figure, and of the names on one side."""

MIXTURES = ("ganmm", "ganmm_em")
"""Methods whose generators are shown side by side."""


def generated(data: Gathered, block: Block, runs: Sequence[Run]) -> Iterator[Drawing]:
    """Samples and interpolations of each run, and both variants of GANMM side by side."""
    for run in runs:
        for make in (_samples, _interpolation, _triangle):
            try:
                yield from make(block, run)
            except DataError as error:
                data.stored.note(run.row, error)
    yield from _mixtures(data, block, runs)


def faces(data: Gathered, blocks: Sequence[Block]) -> Iterator[Drawing]:
    """Samples with and without each attribute, of each method that stored images."""
    titles = {row.label: row.title for block in blocks for row in block.rows}
    for label, title in titles.items():
        pairs = [pair for block in blocks if (pair := _pair(data, block, label)) is not None]
        for first in range(0, len(pairs), PAIRS):
            some = pairs[first : first + PAIRS]
            n = max(images.shape[1] for _, images in some)
            side = (WIDTH - NAMES) / n
            size = (WIDTH, 0.05 + len(some) * (2 * side + 0.2))
            figure = Figure(figsize=size, layout="constrained")
            for ax, (head, images) in zip(
                figure.subplots(len(some), 1, squeeze=False).flat, some, strict=True
            ):
                places = _tile(ax, images, np.ones(images.shape[:2], dtype=bool))
                ax.set_yticks(places, ["with", "without"][: len(places)])
                ax.set_title(head, fontsize=SMALL, loc="left")
            which = (
                "Components carry the classes."
                if blocks[0].labelled
                else "Components are named, for display alone, by matching them to the classes."
            )
            yield Drawing(
                kind="faces",
                name=f"{blocks[0].labelled} {blocks[0].profile} {label} {first or ''}",
                figure=figure,
                caption=[
                    f"Samples of {title} with and without each attribute, the first run that "
                    f"succeeded.",
                    which,
                    caption.budget(blocks),
                    *caption.mixed(blocks),
                ],
                of=title,
            )


def _pair(data: Gathered, block: Block, label: str) -> tuple[str, np.ndarray] | None:
    """The attribute with the run's error, and its images ``(2, n, C, H, W)``, if any."""
    row = next((row for row in block.rows if row.label == label), None)
    run = data.stored.run(row) if row else None
    drawn = run.arrays.get("samples") if run else None
    if run is None or drawn is None or not _images(drawn) or len(drawn) != 2:
        return None
    order = [1, 0]
    if not block.labelled:
        try:
            y, labels = labels_of(run.arrays, "train")
        except DataError as error:
            data.stored.note(run.row, error)
            return None
        classes = match_clusters(y, labels, n_clusters=2, n_classes=2)
        order = np.argsort(-classes, kind="stable").tolist()
    split = data.split(block, [block.error])
    error = getattr(run.record.metrics, split).get(block.error)
    scored = f", error {number(error, metric_format(block.error))}" if error is not None else ""
    return f"{block.data.words[ATTRIBUTE]}{scored}", drawn[order, :DRAWS]


def _samples(block: Block, run: Run) -> Iterator[Drawing]:
    """Images as a grid, points of the plane as a scatter plot. Other vectors are not drawn."""
    drawn = run.arrays.get("samples")
    if drawn is None or drawn.ndim < 3 or not drawn.size:
        return
    if len(drawn) != len(run.clusters):
        raise DataError(f"samples of {len(drawn)} components, not {len(run.clusters)}")
    classes = {each.cluster: each.majority_class for each in run.clusters}
    sentences = [
        f"Samples of {run.row.title}, seed {run.record.seed}, a row a component.",
        *caption.about(block),
        "Order of the components, for display alone: majority class on the training split.",
    ]
    words = {"kind": "samples", "of": run.row.title, "block": block.title, "caption": sentences}
    if _images(drawn):
        for first in range(0, len(classes), COMPONENTS):
            some = dict(list(classes.items())[first : first + COMPONENTS])
            images = drawn[list(some), :DRAWS]
            figure, ax, places = _grid(images, np.ones(images.shape[:2], dtype=bool), sides=1)
            ax.set_yticks(places, [ABSENT if c is None else str(c) for c in some.values()])
            ax.set_ylabel("Majority class" if len(some) > 3 else "Class", fontsize=SMALL)
            name = f"{block.name} {run.row.label} {first or ''}"
            yield Drawing(name=name, figure=figure, **words)
    elif drawn.shape[2:] == (2,):
        yield Drawing(
            name=f"{block.name} {run.row.label}", figure=_scatter(drawn, classes), **words
        )


def _interpolation(block: Block, run: Run) -> Iterator[Drawing]:
    """Images between pairs of components, from ``interpolation`` ``(R, S, C, H, W)``.

    Row r goes from component r to r + 1 at one and the same noise. Nothing where all components
    are one, as in a plain GAN.
    """
    drawn = run.arrays.get("interpolation")
    if drawn is None or not drawn.size or not _images(drawn) or (drawn == drawn[:, :1]).all():
        return
    rows = len(drawn)
    if rows >= block.n_clusters:
        raise DataError(f"interpolation {drawn.shape} at K = {block.n_clusters}")
    names = _names(run)
    figure, ax, places = _grid(drawn, np.ones(drawn.shape[:2], dtype=bool), sides=2)
    ax.set_yticks(places, names[:rows])
    right = ax.secondary_yaxis("right")
    right.set_yticks(places, names[1 : rows + 1])
    _bare(right)
    yield _between(block, run, "interpolation", figure, "two components, one noise a row")


def _triangle(block: Block, run: Run) -> Iterator[Drawing]:
    """Images between the components 0, 1 and 2, from ``triangle`` ``(S, S, C, H, W)``.

    From the upper left, component 0, down to component 1 and right to component 2.
    """
    drawn = run.arrays.get("triangle")
    if drawn is None or not drawn.size or not _images(drawn):
        return
    if drawn.shape[0] != drawn.shape[1] or block.n_clusters < 3:
        raise DataError(f"triangle {drawn.shape} at K = {block.n_clusters}")
    kept = np.tri(len(drawn), dtype=bool)[::-1]  # i + j < S
    if (drawn[kept] == drawn[0, 0]).all():
        return
    names = _names(run)
    figure, ax, places = _grid(drawn, kept, sides=2)
    ax.set_yticks(places[[0, -1]], names[:2])
    right = ax.secondary_yaxis("right")
    right.set_yticks(places[:1], names[2:3])
    _bare(right)
    yield _between(block, run, "triangle", figure, "three components, the same noise in all")


def _between(block: Block, run: Run, kind: str, figure: Figure, what: str) -> Drawing:
    return Drawing(
        kind=kind,
        name=f"{block.name} {run.row.label}",
        figure=figure,
        caption=[
            f"{run.row.title}, seed {run.record.seed}, between {what}.",
            *caption.about(block),
            "In brackets, for display alone: majority class on the training split.",
        ],
        of=run.row.title,
        block=block.title,
    )


def _mixtures(data: Gathered, block: Block, runs: Sequence[Run]) -> Iterator[Drawing]:
    """GANMM and GANMM (EM) side by side, a row per generator. Both must have stored images."""
    firsts = [
        next((r for r in runs if r.row.method == m and _drawn(data, r)), None) for m in MIXTURES
    ]
    if not all(firsts):
        return
    both = [run for run in firsts if run is not None]
    wide = WIDTH / len(both)
    K, n, _, height, width = both[0].arrays["samples"].shape
    tall = K * (wide - 0.3) / min(n, 6) * height / width
    figure = Figure(figsize=(WIDTH, 0.35 + tall), layout="constrained")
    for ax, run in zip(figure.subplots(1, len(both)), both, strict=True):
        images = run.arrays["samples"][[each.cluster for each in run.clusters], :6]
        places = _tile(ax, images, np.ones(images.shape[:2], dtype=bool))
        classes = [each.majority_class for each in run.clusters]
        ax.set_yticks(places, [ABSENT if c is None else str(c) for c in classes])
        ax.set_title("\n".join(fit(run.row.title, wide - 0.3, 2)), fontsize=SMALL)
    seeds = " and ".join(dict.fromkeys(str(run.record.seed) for run in both))
    yield Drawing(
        kind="mixtures",
        name=block.name,
        figure=figure,
        caption=[
            f"Samples of {' and of '.join(run.row.title for run in both)}, a row a generator, "
            f"seed {seeds}.",
            *caption.about(block),
            "Order of the rows, for display alone: majority class on the training split, size.",
        ],
        block=block.title,
    )


def _drawn(data: Gathered, run: Run) -> bool:
    drawn = run.arrays.get("samples")
    clusters = data.stored.clusters(run.row)
    return drawn is not None and _images(drawn) and len(drawn) == len(clusters)


def _images(drawn: np.ndarray) -> bool:
    return drawn.ndim == 5 and drawn.shape[2] in (1, 3)


def _names(run: Run) -> list[str]:
    """Number of each component and, in brackets, its majority class."""
    classes = {each.cluster: each.majority_class for each in run.clusters}
    return [f"{k} ({ABSENT if classes[k] is None else classes[k]})" for k in sorted(classes)]


def _grid(images: np.ndarray, kept: np.ndarray, *, sides: int) -> tuple[Figure, Axes, np.ndarray]:
    """A figure of ``images`` ``(k, n, C, H, W)`` with room for names on one or two ``sides``."""
    k, n, _, height, width = images.shape
    side = min((WIDTH - NAMES * sides) / n, TALLEST / k * width / height)  # inches
    figure = Figure(figsize=(WIDTH, 0.1 + k * side * height / width), layout="constrained")
    ax = figure.subplots()
    return figure, ax, _tile(ax, images, kept)


def _tile(ax: Axes, images: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Draw images, white where not ``kept`` ``(k, n)``, and return the middle of each row."""
    k, n, _, H, W = images.shape
    scale = -(-LEAST // max(H, W))
    gap = max(2, scale * max(H, W) // 16)
    shown = np.where(kept[:, :, None, None, None], images, np.uint8(255))
    large = shown.repeat(scale, axis=3).repeat(scale, axis=4)
    tiles = np.pad(large, ((0, 0), (0, 0), (0, 0), (0, gap), (0, gap)), constant_values=255)
    _, _, _, height, width = tiles.shape
    canvas = tiles.transpose(0, 3, 1, 4, 2)  # (k, height, n, width, C)
    canvas = canvas.reshape(k * height, n * width, -1)[:-gap, :-gap]
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255} if canvas.shape[2] == 1 else {}
    ax.imshow(canvas.squeeze(), interpolation="nearest", **grey)
    ax.set_xticks([])
    _bare(ax)
    return (np.arange(k) + 0.5) * height - gap / 2


def _bare(ax: Axes | SecondaryAxis) -> None:
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _scatter(drawn: np.ndarray, classes: Mapping[int, int | None]) -> Figure:
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    ax = figure.subplots()
    for i, (component, majority) in enumerate(classes.items()):
        style = plain(i)
        name = ABSENT if majority is None else str(majority)
        ax.plot(*drawn[component].T, style.marker, color=style.color, mfc="none", label=name)
    ax.set_aspect("equal", adjustable="datalim")
    figure.legend(
        title="Majority class",
        title_fontsize=SMALL,
        loc="outside right upper",
        ncols=1 if len(classes) <= 16 else 2,
        handletextpad=0,
    )
    return figure
