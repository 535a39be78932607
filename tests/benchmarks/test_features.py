"""Features of a reduction are stored with the record and scored; those of no reduction are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_em_bench import datasets, methods
from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Job, Setting
from deep_em_bench.benchmarks.engine.provenance import host, loaded
from deep_em_bench.benchmarks.execute import execute
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.benchmarks.rescore import rescore
from deep_em_bench.core import Registered
from deep_em_bench.methods.base import Preset, Reducer
from deep_em_bench.methods.kmeans import KMeans, PcaKMeans
from deep_em_bench.metrics import score_reduction
from deep_em_bench.results import replace
from deep_em_bench.results.store import Store


class Endless(KMeans, Reducer):
    n_components = 1

    def transform(self, X: np.ndarray) -> np.ndarray:
        return np.full((len(X), 1), np.inf, dtype=np.float32)


def job(tmp_path: Path, method: str, dataset: str, words: dict[str, Any]) -> Job:
    cell = Cell(
        dataset=DatasetSpec(name=dataset, words=words),
        n_clusters=2,
        method=method,
        preset="default",
        label=method,
        params={},
        seed=0,
        profile="quick",
    )
    setting = Setting(suite="trial", folder=tmp_path, threads=1)
    used = engine.look_at([cell], setting)[cell.key]
    return Job(
        cell=cell, setting=setting, dataset=used, n_clusters=2, threads=1, code=loaded(method)
    )


@pytest.mark.parametrize("dataset", ["moons", "digits"])
def test_features_of_held_out_points_or_of_the_fitted_ones(dataset: str, tmp_path: Path) -> None:
    words: dict[str, Any] = {"n_samples": 40} if dataset == "moons" else {"subset": 60}
    record, arrays = execute(job(tmp_path, "pca_kmeans", dataset, words), host())
    assert record.error is None
    data = datasets.load(dataset, **words)
    method = methods.create("pca_kmeans", n_clusters=2)
    assert isinstance(method, PcaKMeans)
    held_out = data.X_test is not None
    X, y = (data.X_test, data.y_test) if data.X_test is not None else (data.X, data.y)
    assert y is not None
    features = method.fit(data.X).transform(X)
    np.testing.assert_allclose(np.abs(arrays["features"]), np.abs(features), atol=0.02)
    assert arrays["features"].dtype == np.float16
    scored = record.metrics.test if held_out else record.metrics.train
    assert scored["knn_accuracy"] == score_reduction(y, arrays["features"])["knn_accuracy"]
    store = Store(tmp_path / "records")
    store.write(record, arrays)
    worse = replace(record, metrics=replace(record.metrics, test={}))
    if held_out:
        store.write(worse, arrays)
        assert rescore(store.read(record.key), store) == "changed"
    assert store.read(record.key).metrics == record.metrics


def test_no_reduction_has_none(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, "kmeans", "moons", {"n_samples": 40}), host())
    assert "features" not in arrays
    assert "knn_accuracy" not in record.metrics.test


def test_features_that_are_not_finite_fail_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = {"default": Preset(source="a test")}
    entry: Any = Registered(name="endless", value=Endless, attributes={"presets": presets})
    monkeypatch.setitem(methods.registry._registered, "endless", entry)
    words = {"subset": 60}
    record, _ = execute(job(tmp_path, "endless", "digits", words), host())
    assert record.status == "failed"
    assert record.error is not None
    assert "transform gave NaN or infinity" in record.error.message
