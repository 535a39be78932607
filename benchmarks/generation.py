"""Scores of a generative method's samples, at the end and over training.

All :class:`Generative` methods are scored alike: images from ``sample`` are compared with as many
held-out images (fitted ones where nothing is held out) in the feature spaces of nets that the
method knows nothing of. FID depends on both counts. Only images of one or three channels have
such nets; other data have no generation scores.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_em_bench import datasets
from deep_em_bench.benchmarks import contract
from deep_em_bench.benchmarks.usage import cpu_seconds
from deep_em_bench.core import derive_seed
from deep_em_bench.methods.base import Generative, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deep_em_bench.benchmarks.engine.job import Job
    from deep_em_bench.datasets.base import Dataset
    from deep_em_bench.metrics.features import Extractor
    from deep_em_bench.metrics.generation import Summary

__all__ = ["Curve", "Judge", "judge"]

CHANNELS = (1, 3)

PARTS = ("subset", "labelled", "assign")
"""Words of ``datasets.load`` that ask for less than a whole data set, or for another division."""

OnRow = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Real:
    """The real images through one extractor, which every score of samples needs again."""

    extractor: Extractor
    features: np.ndarray
    probabilities: np.ndarray | None
    whole: Summary

    @classmethod
    def of(cls, extractor: Extractor, images: np.ndarray) -> _Real:
        features, probabilities = extractor.features(images)
        return cls(
            extractor=extractor,
            features=features,
            probabilities=probabilities,
            whole=_summary(extractor, features, probabilities),
        )

    def group(self, rows: np.ndarray | slice) -> Summary:
        """Of some rows, without what a kernel distance needs."""
        probabilities = self.probabilities
        some = None if probabilities is None else probabilities[rows]
        return _summary(self.extractor, self.features[rows], some, kept=0)


class Judge:
    """The real images of a data set in each extractor's feature space, and scores against them.

    Arguments:
        extractors: the nets, made from the whole data set.
        images: the real images of the cell, ``(N, C, H, W)``.
        n: samples of a fitted method, and real images drawn for them; N where that is less.
        n_curve: the same for a point of the curve, at most as many.
        n_clusters: components that samples may have.
        seed: the cell's, of which those of all draws are derived.
    """

    def __init__(
        self,
        extractors: Sequence[Extractor],
        images: np.ndarray,
        *,
        n: int,
        n_curve: int,
        n_clusters: int,
        seed: int,
    ) -> None:
        self.n = min(n, len(images))
        self.n_curve = min(n_curve, self.n)
        self._n_clusters, self._seed = n_clusters, seed
        self._shape = images.shape[1:]
        order = np.random.default_rng(derive_seed(seed, "real")).permutation(len(images))
        self._rows = order[: self.n]  # the first of them are a draw again, for the curve
        self._real = [_Real.of(extractor, images[self._rows]) for extractor in extractors]
        self._few = [real.group(slice(self.n_curve)) for real in self._real]
        self.floor, self._n_floor = _floor(extractors, images, n, seed)

    def described(self) -> tuple[dict[str, Any], ...]:
        """The extractors, and how many images they see, as a record keeps them."""
        counts = {"n_fake": self.n, "n_floor": self._n_floor, "n_curve": self.n_curve}
        return tuple(
            {**real.extractor.describe(), "n_real": real.whole.n, **counts} for real in self._real
        )

    def scores(self, method: Generative, groups: np.ndarray) -> dict[str, float]:
        """Every generation metric of ``n`` samples against as many real images, by name.

        ``groups`` are the clusters that the method gives to all the real images, ``(N,)``: an
        image of component k is also compared with those of cluster k. Raises
        :class:`ContractError` for samples that are none.
        """
        from deep_em_bench.metrics.generation import Comparison, score_generation

        images, components = self._drawn(method, self.n, "generation")
        clusters = groups[self._rows]
        scores = {}
        for real in self._real:
            fake, parts = real.extractor.summarise(images, components, self._n_clusters)
            own = (real.group(clusters == k) for k in range(self._n_clusters))
            comparison = Comparison(
                extractor=real.extractor.name,
                real=real.whole,
                fake=fake,
                components=tuple(zip(own, parts, strict=True)),
            )
            scores |= score_generation(comparison)
        return scores

    def point(self, method: Generative) -> dict[str, float]:
        """Inception score and FID of ``n_curve`` samples against as many real images, with the
        seconds that they took.

        All points of a fit have the same noise: what changes from one to the next is the method.
        """
        from deep_em_bench.metrics.generation import Comparison, score_generation

        started = time.perf_counter()
        images, _ = self._drawn(method, self.n_curve, "curve")
        scores = {}
        for real, few in zip(self._real, self._few, strict=True):
            name = real.extractor.name
            fake, _ = real.extractor.summarise(images)
            comparison = Comparison(extractor=name, real=few, fake=fake)
            scores |= score_generation(comparison, [f"is_{name}", f"fid_{name}"])
        return {**scores, "generation_seconds": time.perf_counter() - started}

    def synchronise(self) -> None:
        """Wait until the GPU has done its work."""
        device = self._real[0].extractor.device
        if device.type == "cuda":
            import torch

            torch.cuda.synchronize(device)

    def _drawn(self, method: Generative, n: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
        state = derive_seed(self._seed, purpose)
        return contract.samples(method, n, self._shape, self._n_clusters, random_state=state)


class Curve:
    """A method's callback that scores its samples on the way, in rows every, 2 every, ...

    A row is scored only while it is the last of ``history_``: a method that shows its rows after
    the fit has no samples of their time.

    Arguments:
        method: about to be fitted.
        every: rows from a point to the next, at least 1.
        then: the callback that sees the rows next, numbers included.
    """

    def __init__(self, method: Method, judge: Judge, every: int, then: OnRow | None) -> None:
        assert isinstance(method, Generative)
        self.points: dict[int, dict[str, float]] = {}
        """The numbers of each scored row, by its iteration."""
        self.seconds = self.cpu_seconds = 0.0
        """What the points within the fit have cost it."""
        self._method, self._generative = method, method
        self._judge, self._every, self._then = judge, every, then

    def __call__(self, row: Mapping[str, Any]) -> None:
        if self._is_due(row):
            self._judge.synchronise()  # else the fit's own work would be timed as the point's
            started, cpu_started = time.perf_counter(), cpu_seconds()
            self.points[row["iteration"]] = self._judge.point(self._generative)
            self.seconds += time.perf_counter() - started
            self.cpu_seconds += cpu_seconds() - cpu_started
        if self._then is not None:
            self._then(self.with_points(row))

    def finish(self) -> None:
        """Score the last row, which no callback can tell from the others, if it is not yet."""
        rows = self._method.history_
        if rows and rows[-1]["iteration"] not in self.points and self._generative.can_sample():
            self.points[rows[-1]["iteration"]] = self._judge.point(self._generative)

    def with_points(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row with what was scored in it."""
        return {**row, **self.points.get(row.get("iteration", -1), {})}

    def _is_due(self, row: Mapping[str, Any]) -> bool:
        rows = self._method.history_
        return (
            row["iteration"] % self._every == 0
            and bool(rows)
            and rows[-1].get("iteration") == row["iteration"]
            and all(math.isfinite(v) for v in row.values() if isinstance(v, float))
            and self._generative.can_sample()
        )


def judge(job: Job, data: Dataset, device: str) -> Judge | None:
    """The judge of the samples of the job's method; None where the suite or the data have none.

    Arguments:
        data: those of the cell.
        device: where the extractors run.

    The extractors are made from the whole data set, whatever part of it the cell has. Raises
    ``DataError`` for weights that are missing or not the known ones.
    """
    plan, spec = job.cell.generation, job.cell.dataset
    if plan is None or len(data.shape) != 3 or data.shape[0] not in CHANNELS:
        return None
    from deep_em_bench.metrics.features import extractors, net_folders
    from deep_em_bench.metrics.labelled import Labelled

    words = {word: value for word, value in spec.words.items() if word not in PARTS}
    whole = datasets.load(spec.name, data_dir=job.setting.data_dir, **words)
    nets = extractors(
        Labelled.of(whole.X, whole.y, whole.X_test, whole.y_test, n_classes=whole.n_classes),
        folders=net_folders(datasets.data_root(job.setting.data_dir)),
        device=device,
        inception_weights=job.setting.inception_weights,
    )
    del whole
    return Judge(
        nets,
        data.X if data.X_test is None else data.X_test,
        n=plan.n,
        n_curve=plan.n_curve,
        n_clusters=job.n_clusters,
        seed=job.cell.seed,
    )


def _floor(
    extractors: Sequence[Extractor], images: np.ndarray, n: int, seed: int
) -> tuple[dict[str, float], int]:
    from deep_em_bench.metrics.features import floor

    scores: dict[str, float] = {}
    size = 0
    for extractor in extractors:
        own, size = floor(extractor, images, n=n, seed=derive_seed(seed, "floor"))
        scores |= own
    return scores, size


def _summary(
    extractor: Extractor,
    features: np.ndarray,
    probabilities: np.ndarray | None,
    **kept: int,
) -> Summary:
    from deep_em_bench.metrics.generation import Summary

    return Summary(extractor.d, extractor.n_classes, **kept).add(features, probabilities)
