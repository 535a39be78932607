"""One cell to one record: what goes in, what is checked, what comes out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_em_bench import datasets
from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Job, Setting
from deep_em_bench.benchmarks.engine.provenance import host, loaded
from deep_em_bench.benchmarks.execute import execute
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.core import derive_seed
from deep_em_bench.results.record import Record

K = 2


def job(tmp_path: Path, method: str, *, dataset: str = "moons", seed: int = 0) -> Job:
    words = {"n_samples": 40} if dataset == "moons" else {"subset": 0.5}
    cell = Cell(
        dataset=DatasetSpec(name=dataset, words=words),
        n_clusters=K,
        method=method,
        preset="stable",
        label=f"{method}[stable]",
        params={"rate": 0.5, "steps": 2, "sizes": (1,), "mode": "fast", "limit": None},
        seed=seed,
        profile="quick",
    )
    setting = Setting(suite="trial", folder=tmp_path, threads=1)
    return Job(
        cell=cell,
        setting=setting,
        dataset=engine.look_at([cell], setting)[cell.key],
        n_clusters=K,
        threads=1,
        code=loaded(method),
    )


def ran(tmp_path: Path, method: str, **words: object) -> Record:
    record, _ = execute(job(tmp_path, method, **words), host())  # type: ignore[arg-type]
    return record


def test_a_good_cell_has_everything(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, "steady"), host())
    assert record.error is None
    assert record.status == "ok"
    assert record.dataset.n == record.dataset.n_test == 40
    assert record.dataset.words["n_samples"] == 40
    assert record.n_clusters == K
    assert record.method.preset == "stable"
    assert record.method.params["steps"] == 2
    assert record.method.n_parameters == K - 1
    assert set(record.metrics.train) == set(record.metrics.test)
    assert record.timing.m_step_s == pytest.approx(2 * 0.25)
    assert record.timing.e_step_s == pytest.approx(2 * 0.5)
    for seconds in (record.timing.fit_s, record.timing.predict_s, record.timing.evaluate_s):
        assert seconds is not None
        assert seconds >= 0
    assert record.resources.peak_rss_mb is not None
    assert 20 < record.resources.peak_rss_mb < 20_000
    assert (record.resources.device, record.resources.threads) == ("cpu", 1)
    assert record.resources.precision is None
    assert record.provenance.code.startswith("v1+sha:")
    assert record.provenance.plugins.keys() == {"plugin_methods.py"}
    assert record.provenance.seeded == ("random", "numpy", "torch")
    assert record.dataset.data_digest is not None
    assert None not in (record.timing.fit_cpu_s, record.timing.cpu_s, record.resources.load)
    assert [row["iteration"] for row in record.history] == [1, 2]
    shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    assert shapes == {
        "labels_train": ((40,), np.int64),
        "labels_test": ((40,), np.int64),
        "responsibilities_train": ((40, K), np.float16),
        "responsibilities_test": ((40, K), np.float16),
        "y_train": ((40,), np.int64),
        "y_test": ((40,), np.int64),
        "samples": ((K, 10, 2), np.float32),
    }
    assert (arrays["samples"] == np.arange(K)[:, None, None]).all()


def test_data_are_told_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, told = datasets.load, []
    monkeypatch.setattr(
        datasets, "load", lambda name, **words: told.append(words["device"]) or load(name, **words)
    )
    made = job(tmp_path, "steady")
    setting = dataclasses.replace(made.setting, device="cpu")
    engine.look_at([made.cell], setting)
    execute(dataclasses.replace(made, setting=setting), host())
    assert told == ["auto", "cpu", "cpu"]


def test_scores_are_those_of_the_stored_labels(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, "steady"), host())
    for split, scores in (("train", record.metrics.train), ("test", record.metrics.test)):
        y, labels = arrays[f"y_{split}"], arrays[f"labels_{split}"]
        wrong = min((labels != y).mean(), (labels == y).mean())
        assert scores["error_rate"] == pytest.approx(wrong)
    data = datasets.load("moons", n_samples=40)
    assert (arrays["y_train"] == data.y).all()


def test_without_a_held_out_split_there_are_no_test_scores(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, "twin", dataset="iris"), host())
    assert record.status == "ok"
    assert record.metrics.test == {}
    assert set(arrays) == {"labels_train", "responsibilities_train", "y_train"}


def test_images_are_sampled_as_bytes(tmp_path: Path) -> None:
    made = job(tmp_path, "steady", dataset="digits")
    cell = dataclasses.replace(
        made.cell,
        method="gmm",
        preset="pca_full",
        params={"n_pca": 2, "max_iter": 2},
        dataset=DatasetSpec(name="digits", words={"subset": 100}),
    )
    record, arrays = execute(dataclasses.replace(made, cell=cell), host())
    assert record.status == "ok"
    assert arrays["samples"].shape == (K, 10, 1, 8, 8)
    assert arrays["samples"].dtype == np.uint8
    assert arrays["samples"].max() > 100


def test_methods_share_the_data_of_a_seed_and_never_see_labels(tmp_path: Path) -> None:
    rows = {
        (method, seed): ran(tmp_path, method, seed=seed).history[0]
        for method in ("steady", "twin")
        for seed in (0, 1)
    }
    assert not any(row["saw_labels"] for row in rows.values())
    for seed in (0, 1):
        assert rows["steady", seed]["data"] == rows["twin", seed]["data"]
        assert rows["steady", seed]["random_state"] == derive_seed(seed, "fit")
    assert rows["steady", 0]["data"] != rows["steady", 1]["data"]


@pytest.mark.parametrize(
    ("method", "status", "kind", "said"),
    [
        ("raising", "failed", "RuntimeError", "this method"),
        ("diverging", "diverged", "DivergenceError", "loss became nan in iteration 4"),
        ("leaving", "failed", "SystemExit", "3"),
        ("interrupting", "failed", "KeyboardInterrupt", ""),
        ("wrong_shape", "failed", "ContractError", "has shape (40, 1); expected (40, 2)"),
        ("nan_proba", "failed", "ContractError", "has 1 rows with NaN or infinity"),
        ("unnormalised", "failed", "ContractError", "a row sum 1 off"),
        ("float_labels", "failed", "ContractError", "labels_ is float64; expected integers"),
        ("listed_labels", "failed", "ContractError", "labels_ is of type list; expected a numpy"),
        ("listed_proba", "failed", "ContractError", "is of type list; expected a numpy array"),
        ("far_labels", "failed", "ContractError", "labels_ runs from 1 to 2; expected 0..1"),
    ],
)
def test_misbehaviour_becomes_a_record(
    tmp_path: Path, method: str, status: str, kind: str, said: str
) -> None:
    record, arrays = execute(job(tmp_path, method), host())
    assert record.status == status
    assert record.error is not None
    assert record.error.type == kind
    assert said in record.error.message
    assert "Traceback (most recent call last)" in record.error.traceback
    assert record.metrics.train == {}
    assert arrays == {}


def test_what_was_known_at_a_failure_is_kept(tmp_path: Path) -> None:
    record = ran(tmp_path, "diverging")
    assert [row["iteration"] for row in record.history] == [1, 2]
    assert record.timing.fit_s is not None
    assert record.timing.m_step_s == pytest.approx(0.5)
    assert record.timing.predict_s is None
    assert record.method.n_parameters is None


def test_rows_reach_the_callback(tmp_path: Path) -> None:
    rows: list[object] = []
    execute(job(tmp_path, "steady"), host(), rows.append)
    assert len(rows) == 2


def on(made: Job, method: str, **changes: Any) -> Job:
    """The job with another method, all defaults, and with changes of how it is run."""
    cell = dataclasses.replace(made.cell, method=method, params={})
    setting = dataclasses.replace(made.setting, **changes)
    return dataclasses.replace(made, cell=cell, setting=setting)


@pytest.mark.parametrize("method", ["steady", "portable"])
def test_common_arguments_go_to_the_methods_that_take_them(tmp_path: Path, method: str) -> None:
    made = on(job(tmp_path, "steady"), method, device="cpu", precision="bf16", compile=True)
    record, _ = execute(made, host())
    assert record.status == "ok"
    assert record.resources.device == "cpu"
    taken = {"device": "cpu", "precision": "bf16", "compile": True}
    if method == "portable":
        assert record.history[0] == taken
        assert record.resources.precision == "bf16"
    else:
        assert not taken.keys() & record.history[0].keys()
        assert record.resources.precision is None


def test_arguments_that_are_not_given_stay_the_methods_own(tmp_path: Path) -> None:
    record, _ = execute(on(job(tmp_path, "steady"), "portable", device="cpu"), host())
    assert record.history[0] == {"device": "cpu", "precision": "fp32", "compile": False}


def test_auto_is_resolved_and_recorded(tmp_path: Path) -> None:
    record, _ = execute(on(job(tmp_path, "steady"), "portable", device="auto"), host())
    assert record.error is None
    assert record.resources.device == record.history[0]["device"] != "auto"


def test_a_device_that_is_not_there_fails_the_cell(tmp_path: Path) -> None:
    record, _ = execute(on(job(tmp_path, "steady"), "portable", device="cuda:99"), host())
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.type == "ConfigError"
    assert "cuda:99" in record.error.message
