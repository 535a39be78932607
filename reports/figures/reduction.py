"""Features in the plane, a panel a method: GAN-EM, Figure 4, with numbers in every panel.

A picture alone proves nothing: each title holds the accuracy of nearest neighbours in the features
themselves, not in the picture, and the clustering error of the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.published import Compared
from deep_em_bench.reports.data.stored import Run
from deep_em_bench.reports.data.titles import SPLITS, data_title, named_seeds
from deep_em_bench.reports.figures.style import SMALL, WIDTH, Drawing, fit, plain
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import metric_format, number

__all__ = ["reductions"]

POINTS, SEED, ROUNDS = 2000, 0, 200
"""Points in a panel, the first ones stored; seed of every t-SNE; rounds of moving names apart."""

PANELS, ABREAST = 6, 2
"""In one figure, and side by side."""

FIGURE_4 = {
    ("gan_em", True, 100): "4a",
    ("gan_em", False, 1000): "4b",
    ("gan_em", False, 100): "4c",
    ("gan_em", False, 2): "4d",
}
"""Panels of GAN-EM's figure: method, whether trained on labels alone, number of features."""

METRIC, LABELLED = "knn_accuracy", "labelled"

BASELINES = ("pca_kmeans", "tsne_kmeans")
"""Methods whose panels make a figure of their own."""

SIDE = WIDTH / ABREAST - 0.05
"""Inches of a panel, either way."""


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One run's features."""

    run: Run
    block: Block
    published: Compared | None
    """The row's error and the published one."""
    split: str
    y: np.ndarray
    """``(n,)``"""
    features: np.ndarray
    """``(n, k)``"""

    @property
    def number(self) -> str:
        """The panel of GAN-EM's figure that it stands for; mostly none."""
        params, labelled = self.run.record.method.params, self.block.labelled > 0
        alone = labelled and params.get("max_iter") == 0 and not params.get("pretrain_steps")
        if labelled and not alone:
            return ""
        return FIGURE_4.get((self.run.row.method, alone, self.features.shape[1]), "")

    @property
    def baseline(self) -> bool:
        """Whether no net was trained."""
        return self.run.row.method in BASELINES

    @property
    def title(self) -> str:
        """Name, scores of this run, and the paper's number."""
        scores = getattr(self.run.record.metrics, self.split)
        name = f"{self.number} {self.run.row.title}".strip()
        texts = [
            f"{head} {number(value, metric_format(metric))}"
            for head, metric in (("error", self.block.error), ("k-NN", METRIC))
            if (value := scores.get(metric)) is not None
        ]
        lines = [*fit(name, SIDE, 2), *fit(", ".join(texts), SIDE, 2)]
        if self.published:
            value = number(self.published.entry.value, metric_format(self.published.metric))
            lines.append(f"(paper {value}{', differs' if self.published.differs else ''})")
        return "\n".join(lines)


def reductions(data: Gathered) -> Iterator[Drawing]:
    """The features that runs stored; blocks that differ in their labels alone share a figure.

    Of each row the run of its lowest seed that succeeded is shown. Two features are drawn as they
    are, others by t-SNE with a fixed seed.
    """
    for group in _groups(data):
        panels = sorted(
            _panels(data, group),
            key=lambda p: (
                p.baseline,
                not p.block.labelled,
                -p.features.shape[1],
                p.run.row.title,
            ),
        )
        for baseline in (False, True):
            some = [panel for panel in panels if panel.baseline == baseline]
            for first in range(0, len(some), PANELS):
                part = some[first : first + PANELS]
                yield Drawing(
                    kind="reduction",
                    name=f"{group[0].name} {'baselines' if baseline else ''} {first or ''}",
                    figure=_figure(part),
                    caption=list(_reading(group, part)),
                    block=group[0].title,
                )


def _groups(data: Gathered) -> list[list[Block]]:
    """The blocks with features, those without labels first; one list for all labels."""
    groups: dict[tuple[str, str, int], list[Block]] = {}
    for block in data.blocks:
        if any(METRIC in block.metrics[split] for split in ("train", "test")):
            key = block.profile, data_title(block.data, [LABELLED]), block.n_clusters
            groups.setdefault(key, []).append(block)
    return [sorted(blocks, key=lambda block: block.labelled) for blocks in groups.values()]


def _panels(data: Gathered, group: Sequence[Block]) -> Iterator[_Panel]:
    for block in group:
        pairs = [p for each in data.compared if each.block is block for p in each.rows]
        published = {pair.row.label: pair for pair in pairs if pair.metric == block.error}
        for row in block.rows:
            run = data.stored.run(row)
            if run is None or "features" not in run.arrays:
                continue
            split = "test" if "y_test" in run.arrays else "train"
            features = run.arrays["features"].astype(np.float64)[:POINTS]
            y = run.arrays.get(f"y_{split}")
            if y is None or len(features) > len(y) or not np.isfinite(features).all():
                data.stored.note(row, "the stored features do not go with the classes")
            elif not np.ptp(features, axis=0).any():
                data.stored.note(row, "the stored features of all points are the same")
            else:
                yield _Panel(
                    run=run,
                    block=block,
                    published=published.get(row.label),
                    split=split,
                    y=y[: len(features)],
                    features=features,
                )


def _figure(panels: Sequence[_Panel]) -> Figure:
    abreast = min(ABREAST, len(panels))
    down = -(-len(panels) // abreast)
    lines = max(panel.title.count("\n") + 1 for panel in panels)
    size = (WIDTH, 0.05 + down * (SIDE + 0.12 * lines + 0.08))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, abreast, squeeze=False)
    for ax, panel in zip(axes.flat, panels, strict=False):
        _draw(ax, _plane(panel.features), panel.y)
        ax.set_title(panel.title, fontsize=SMALL, loc="left")
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    return figure


def _plane(features: np.ndarray) -> np.ndarray:
    """``(n, 2)``: features in the plane, by t-SNE unless there are two."""
    from sklearn.manifold import TSNE  # slow to import, and seldom needed
    from threadpoolctl import threadpool_limits

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
    """The points by class, with each class's name at its median, for print in grey."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * np.maximum(high - low, 1e-12)
    ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), xticks=())
    ax.set(ylim=(low[1] - margin[1], high[1] + margin[1]), yticks=())
    ax.set_box_aspect(1)
    ax.spines[:].set(visible=True, linewidth=0.5)
    classes = np.unique(y)
    for c in classes:
        style = plain(int(c))
        ax.plot(*points[y == c].T, style.marker, ms=1.3, mew=0, color=style.color, alpha=0.7)
    medians = np.stack([np.median(points[y == c], axis=0) for c in classes])
    places = _apart((medians - low + margin) / (high - low + 2 * margin), list(map(str, classes)))
    for c, (x, height) in zip(classes, places, strict=True):
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
    sizes = np.array([(len(name) * 0.7 * SMALL, SMALL) for name in names]) / (72 * SIDE)
    half = sizes / 2 + 0.012
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
    yield from caption.about(group[0])
    yield from caption.mixed(group[1:])
    for block in group[1:]:
        if titles := [panel.run.row.title for panel in panels if panel.block is block]:
            yield f"{', '.join(titles)}: {block.labelled:,} labels known to the fit."
    seeds = {panel.run.record.seed for panel in panels}
    one = named_seeds(seeds) if len(seeds) == 1 else "the first run that succeeded"
    n = max(len(panel.y) for panel in panels)
    yield f"{n:,} {SPLITS[panels[0].split]} points, {one}; digits: classes."
    yield "Two features are drawn as they are, others by t-SNE."
    yield "k-NN: accuracy of five neighbours in the features themselves, not in the picture."
    for panel in panels:
        if panel.published and panel.published.differs:
            kinds = dict.fromkeys(difference.kind for difference in panel.published.differs)
            title = panel.run.row.title
            yield f"{title}: protocol differs from the paper's in {', '.join(kinds)}."
    numbers = {panel.number for panel in panels}
    if numbers & {"4b", "4c", "4d"}:
        yield "4b–4d: as many features as in GAN-EM, Figure 4."
    if "4a" in numbers:
        yield "4a: its supervised reference; it does not say of how many labels."
    if any(panel.run.row.method == "tsne_kmeans" for panel in panels):
        yield "t-SNE has no map for new points: its features were fitted to these."
