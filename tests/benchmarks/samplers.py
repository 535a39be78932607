"""Methods whose samples need no training, a net that judges them, and the cells that run them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from deep_em_bench import methods
from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Job, Setting
from deep_em_bench.benchmarks.engine.provenance import host, loaded
from deep_em_bench.benchmarks.execute import execute
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.benchmarks.suite import Generation
from deep_em_bench.methods.base import Callback, Generative, Method
from deep_em_bench.metrics.features import Extractor
from deep_em_bench.results.record import Record

__all__ = ["PLAN", "SAMPLERS", "Bridges", "K", "Sharpens", "job", "projection", "ran"]

K = 3
PLAN = Generation(n=60, every=2, n_curve=40)


class Projection(nn.Module):
    """A net nobody had to train: four fixed features, three classes."""

    def __init__(self) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(0)
        self.register_buffer("weight", torch.randn(64, 7, generator=stream))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        out = x.flatten(1) @ self.get_buffer("weight")
        return out[:, :4], out[:, 4:]


def projection(channels: int = 1) -> Extractor:
    return Extractor(
        name="lenet" if channels == 1 else "squeezenet",
        d=4,
        n_classes=3,
        sha256="f" * 64,
        accuracy=0.5,
        channels=(channels,),
        net=Projection(),
        device=torch.device("cpu"),
    )


class Sharpens(Method, Generative):
    """Draws noise at first and rows of the data more and more, by component k = row % K."""

    def __init__(
        self,
        n_clusters: int = 3,
        *,
        rows: int = 5,
        fault: str = "",
        random_state: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.rows = rows
        self.fault = fault
        self.random_state = random_state
        self.callback = callback

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        self.X_ = self._fitting(X)
        self.labels_ = np.arange(len(X)) % self.n_clusters
        self.history_ = []
        for i in range(1, self.rows + 1):
            self.sharpness_ = i / self.rows
            loss = np.nan if self.fault == "diverges" and i == 2 else 1.0
            self.history_.append({"iteration": i, "loss": float(loss), "m_seconds": 0.25})
            if self.callback is not None:
                self.callback(self.history_[-1])
            if np.isnan(loss):
                raise methods.DivergenceError("loss became nan")
        self.n_iter_, self.converged_ = self.rows, False
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.eye(self.n_clusters, dtype=np.float32)[np.arange(len(X)) % self.n_clusters]

    def can_sample(self) -> bool:
        return self.fault != "cannot"

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[Any, Any]:
        assert self.fault != "diverges" or self.history_[-1]["loss"] == 1.0
        rng = np.random.default_rng(random_state)
        k = rng.integers(self.n_clusters, size=n) if component is None else np.full(n, component)
        rows = rng.integers(len(self.X_) // self.n_clusters, size=n) * self.n_clusters + k
        noise = rng.random((n, *self.shape_), dtype=np.float32)
        X = self.sharpness_ * self.X_[rows] + (1 - self.sharpness_) * noise
        if self.fault == "nan" and self.sharpness_ >= 0.8:
            X[3, 0, 0, 0] = np.nan
        if self.fault == "short":
            X = X[:-1]
        if self.fault == "alone":
            return X, None
        return X, k + self.n_clusters if self.fault == "far" else k


class Bridges(Sharpens):
    """Has images on the way: every pixel is the weights' mean of .2, .6 and 1."""

    def interpolate(
        self, components: Any, weights: np.ndarray, *, random_state: int = 0
    ) -> np.ndarray:
        values = weights @ np.array([0.2, 0.6, 1.0], np.float32)[list(components)]
        return np.broadcast_to(values.reshape(-1, 1, 1, 1), (len(values), *self.shape_)).copy()


class ShowsAfterwards(Sharpens):
    """Its rows are there before the first is shown, as those of a fit in another library."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        callback, self.callback = self.callback, None
        super().fit(X)
        self.callback = callback
        for row in self.history_:
            if callback is not None:
                callback(row)
        return self


SAMPLERS: Mapping[str, type[Method]] = {
    "sharpens": Sharpens,
    "bridges": Bridges,
    "shows_afterwards": ShowsAfterwards,
}


def job(
    folder: Path,
    method: str = "sharpens",
    *,
    dataset: str = "digits",
    words: dict[str, Any] | None = None,
    how: Generation | None = PLAN,
    seed: int = 0,
    **params: Any,
) -> Job:
    given = {"subset": 90} if dataset == "digits" else {}
    cell = Cell(
        dataset=DatasetSpec(name=dataset, words=given if words is None else words),
        n_clusters=K,
        method=method,
        preset="default",
        label=method,
        params=params,
        seed=seed,
        profile="quick",
        generation=how,
    )
    setting = Setting(suite="trial", folder=folder, data_dir=folder, threads=1)
    return Job(
        cell=cell,
        setting=setting,
        dataset=engine.look_at([cell], setting)[cell.key],
        n_clusters=K,
        threads=1,
        code=loaded(method),
    )


def ran(folder: Path, *args: Any, **words: Any) -> Record:
    return execute(job(folder, *args, **words), host())[0]
