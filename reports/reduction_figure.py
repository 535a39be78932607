"""Features in the plane, a panel a method: GAN-EM, Figure 4, with numbers in every panel.

A picture alone proves nothing: each title holds the accuracy of nearest neighbours in the features
themselves, not in the picture, and the clustering error of the same run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from deep_em_bench.reports.caption import data_and_profile
from deep_em_bench.reports.cluster_figures import first_runs
from deep_em_bench.reports.comparison import Compared, compare
from deep_em_bench.reports.stored import Run, Stored
from deep_em_bench.reports.style import SMALL, WIDTH, Mark, mark, shortened, titled
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import SPLIT_NAMES, error_metric, named_seeds, number
from deep_em_bench.results import replace
from deep_em_bench.results.published import published

__all__ = ["reductions"]

log = logging.getLogger(__name__)

POINTS = 2000
"""Drawn in one panel, the first ones stored."""

SEED = 0
"""Of every t-SNE."""

PANELS, ABREAST = 6, 2
"""In one figure, and side by side."""

FIGURE_4 = {
    ("gan_em", True, 100): "4a",
    ("gan_em", False, 1000): "4b",
    ("gan_em", False, 100): "4c",
    ("gan_em", False, 2): "4d",
}
"""Panels of GAN-EM's figure: method, whether trained on labels alone, number of features."""

METRIC, LABELS = "knn_accuracy", "labelled"
SPLITS = ("train", "test")

BASELINES = ("pca_kmeans", "tsne_kmeans")
"""Methods whose panels make a figure of their own."""

SIDE = WIDTH / ABREAST - 0.05
"""Inches of a panel, either way."""

PADDING = 0.012
"""Around a class's name, in parts of its panel."""


ROUNDS = 200
"""Of moving names apart, at most."""


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One run's features."""

    run: Run
    labelled: bool
    beside: Compared | None
    """The row's error and the paper's."""
    split: str
    y: np.ndarray
    """``(n,)``"""
    features: np.ndarray
    """``(n, k)``"""

    @property
    def name(self) -> str:
        """The row, after the panel of GAN-EM's figure that it stands for."""
        method, k = self.run.record.method.name, self.features.shape[1]
        if self.labelled and not self.supervised:
            return self.run.label
        return f"{FIGURE_4.get((method, self.supervised, k), '')} {self.run.label}".strip()

    @property
    def supervised(self) -> bool:
        """Whether the E-net was trained on labels alone, before any EM iteration."""
        params = self.run.record.method.params
        return self.labelled and params.get("max_iter") == 0 and not params.get("pretrain_steps")

    @property
    def place(self) -> tuple[bool, bool, int, str]:
        """Where it stands among the others: baselines last, else by falling dimension."""
        return self.baseline, not self.labelled, -self.features.shape[1], self.run.label

    @property
    def baseline(self) -> bool:
        """Whether no net was trained."""
        return self.run.record.method.name in BASELINES


def reductions(
    blocks: Sequence[Block], stored: Stored, marks: Mapping[str, Mark]
) -> Iterator[tuple[str, Figure]]:
    """Name and figure of the features that runs stored, for blocks of any suites and data.

    Blocks that differ in their labels alone share a figure: the supervised reference of GAN-EM's
    Figure 4 knows some. Of each row the run of its lowest seed that ended ok is shown, whatever
    its score. Two features are drawn as they are, others by t-SNE with a fixed seed.
    """
    for group in _grouped(blocks):
        panels = sorted(_panels(group, stored), key=lambda panel: panel.place)
        for part, some in enumerate(_pages(panels)):
            yield f"reduction {group[0].place} {part or ''}", _figure(group, some, marks)


def _grouped(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks with features, those without labels first; one list for all labels."""
    groups: dict[tuple[str, str, str, int], list[Block]] = {}
    for block in blocks:
        if any(METRIC in block.metrics(split) for split in SPLITS):
            data = block.records[0].dataset
            words = {name: value for name, value in data.words.items() if name != LABELS}
            title = replace(data, words=words).title
            key = block.suite, block.profile, title, block.n_clusters
            groups.setdefault(key, []).append(block)
    return [sorted(held, key=_labels) for held in groups.values()]


def _labels(block: Block) -> int:
    return block.records[0].dataset.words.get(LABELS) or 0


def _panels(group: Sequence[Block], stored: Stored) -> Iterator[_Panel]:
    for block in group:
        pairs = [pair for each in compare([block], published()) for pair in each.rows]
        beside = {p.row.label: p for p in pairs if p.metric == error_metric(_labels(block) > 0)}
        for run in first_runs(block, stored):
            if "features" not in run.arrays:
                continue
            split = "test" if "y_test" in run.arrays else "train"
            features = run.arrays["features"].astype(np.float64)[:POINTS]
            y = run.arrays.get(f"y_{split}")
            if y is None or len(features) > len(y) or not np.isfinite(features).all():
                log.warning("no features of %s: they do not go with its classes", run.label)
            elif not np.ptp(features, axis=0).any():
                log.warning("no features of %s: all points have the same", run.label)
            else:
                yield _Panel(
                    run=run,
                    labelled=_labels(block) > 0,
                    beside=beside.get(run.label),
                    split=split,
                    y=y[: len(features)],
                    features=features,
                )


def _pages(panels: Sequence[_Panel]) -> Iterator[Sequence[_Panel]]:
    for baseline in (False, True):
        some = [panel for panel in panels if panel.baseline == baseline]
        yield from (some[first : first + PANELS] for first in range(0, len(some), PANELS))


def _figure(group: Sequence[Block], panels: Sequence[_Panel], marks: Mapping[str, Mark]) -> Figure:
    abreast, down = min(ABREAST, len(panels)), -(-len(panels) // ABREAST)
    known = {**marks} | {panel.name: marks[panel.run.label] for panel in panels}
    tails = [_scored(panel) for panel in panels]
    names = shortened([panel.name for panel in panels], known, SIDE, 4, tails)
    titles = [name + _paper(panel) for name, panel in zip(names, panels, strict=True)]
    lines = max(title.count("\n") + 1 for title in titles)
    size = (WIDTH, 0.05 + down * (SIDE + 0.1 * lines + 0.08))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, abreast, squeeze=False)
    for ax, panel, title in zip(axes.flat, panels, titles, strict=False):
        _draw(ax, _plane(panel.features), panel.y)
        ax.set_title(title, fontsize=SMALL, loc="left")
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    titled(figure, _reading(group, panels))
    return figure


def _scored(panel: _Panel) -> str:
    """What a title says of the run after its name."""
    record = panel.run.record
    scores = getattr(record.metrics, panel.split)
    error = error_metric(panel.labelled)
    return ", ".join(
        f"{name} {number(value, metric)}"
        for name, metric in (("error", error), ("k-NN", METRIC))
        if (value := scores.get(metric)) is not None
    )


def _paper(panel: _Panel) -> str:
    """A line below with the paper's number, and whether its protocol differs."""
    if (pair := panel.beside) is None:
        return ""
    differs = ", protocol differs" if pair.differs else ""
    return f"\n(paper {number(pair.entry.value, pair.metric)}{differs})"


def _plane(features: np.ndarray) -> np.ndarray:
    """``(n, 2)``: features in the plane, by t-SNE unless there are two."""
    from sklearn.manifold import TSNE  # slow to import, and seldom needed

    n, k = features.shape
    if k == 2:
        return features
    tsne = TSNE(
        2,
        perplexity=min(30.0, max(1.0, (n - 1) / 3)),
        init="pca" if min(n, k) > 2 else "random",
        random_state=SEED,
    )
    with threadpool_limits(1, "openmp"):  # threads add the forces up in no fixed order
        return tsne.fit_transform(features.astype(np.float32)).astype(np.float64)


def _draw(ax: Axes, points: np.ndarray, y: np.ndarray) -> None:
    """The points by class, each class's name at its median: told apart in grey too."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * np.maximum(high - low, 1e-12)
    ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), xticks=())
    ax.set(ylim=(low[1] - margin[1], high[1] + margin[1]), yticks=())
    ax.set_box_aspect(1)
    ax.spines[:].set(visible=True, linewidth=0.5)
    classes = np.unique(y)
    for c in classes:
        style = mark(int(c))
        ax.plot(*points[y == c].T, style.marker, ms=1.3, mew=0, color=style.color, alpha=0.7)
    medians = np.stack([np.median(points[y == c], axis=0) for c in classes])
    places = (medians - low + margin) / (high - low + 2 * margin)
    for c, place in zip(classes, _apart(places, [str(c) for c in classes]), strict=True):
        x, height = place
        ax.text(
            x,
            height,
            str(c),
            transform=ax.transAxes,
            ha="center",
            va="center",
            fontsize=SMALL,
            fontweight="bold",
            path_effects=[patheffects.withStroke(linewidth=1.5, foreground="white")],
        )


def _apart(places: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Places of the names in a panel of side 1, moved as far as it takes until none overlap."""
    sizes = np.array([(len(name) * 0.65 * SMALL, 1.0 * SMALL) for name in names]) / (72 * SIDE)
    half = sizes / 2 + PADDING
    places = places.clip(half, 1 - half)
    for _ in range(ROUNDS):
        moved = False
        for a, b in combinations(range(len(places)), 2):
            gap = places[b] - places[a]
            over = half[a] + half[b] - np.abs(gap)
            if (over > 0).all():
                axis = int(over.argmin())
                step = (over[axis] / 2 + 1e-3) * (1 if gap[axis] >= 0 else -1)
                places[a, axis] -= step
                places[b, axis] += step
                moved = True
        if not moved:
            break
        places = places.clip(half, 1 - half)
    return places


def _reading(group: Sequence[Block], panels: Sequence[_Panel]) -> Iterator[str]:
    first = group[0]
    yield from data_and_profile(first)
    mixed = dict.fromkeys(sentence for block in group for sentence in block.mixed)
    yield from (f"MIXED: {sentence}." for sentence in mixed)
    for block in group:
        told = [panel.run.label for panel in panels if panel.run.record in block.records]
        if block is not first and told:
            yield f"{', '.join(told)}: {_labels(block):,} labels known to the fit."
    seeds = {panel.run.record.seed for panel in panels}
    one = named_seeds(seeds) if len(seeds) == 1 else "the first run that ended well"
    n = max(len(panel.y) for panel in panels)
    yield f"{n:,} points of the {SPLIT_NAMES[panels[0].split]} split, {one}; digits: classes."
    yield "Two features are drawn as they are, others by t-SNE."
    yield "k-NN: accuracy of five neighbours in the features themselves, not in the picture."
    for panel in panels:
        if panel.beside and panel.beside.differs:
            kinds = dict.fromkeys(difference.kind for difference in panel.beside.differs)
            yield f"{panel.run.label}: protocol differs from the paper's in {', '.join(kinds)}."
    if any(panel.name != panel.run.label for panel in panels if not panel.labelled):
        yield "4b–4d: as many features as in GAN-EM, Figure 4."
    if any(panel.name != panel.run.label for panel in panels if panel.labelled):
        yield "4a: its supervised reference; it does not say of how many labels."
    if any(panel.run.record.method.name == "tsne_kmeans" for panel in panels):
        yield "tsne_kmeans has no map for new points: its features were fitted to these."
