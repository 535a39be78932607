"""New metrics from stored predictions, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_em_bench import metrics
from deep_em_bench.benchmarks.rescore import main
from deep_em_bench.results.record import (
    DatasetUsed,
    Failure,
    MethodUsed,
    Provenance,
    Record,
    Scores,
    replace,
)
from deep_em_bench.results.store import Store

ARRAYS = {
    "y_train": np.array([0, 0, 1, 1]),
    "labels_train": np.array([1, 1, 1, 0]),
    "y_test": np.array([0, 1]),
    "labels_test": np.array([1, 0]),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two records whose scores are out of date, and a failed one."""
    store = Store(tmp_path / "trial")
    record = Record(
        key="a" * 64,
        suite="trial",
        profile="quick",
        label="steady",
        dataset=DatasetUsed(name="moons"),
        n_clusters=2,
        method=MethodUsed(name="steady", preset="stable"),
        seed=0,
        status="ok",
        metrics=Scores(train={"old": 0.5}, generation={"fid": 3.0}, real={"fid": 1.0}),
        generation={"n": 50},
        extractors=({"name": "lenet", "accuracy": 0.5},),
        provenance=Provenance(metrics_version="0", git_sha="of the training"),
        history=({"iteration": 1},),
    )
    failure = Failure(type="ValueError", message="no")
    store.write(record, ARRAYS)
    store.write(replace(record, key="b" * 64), ARRAYS)
    store.write(replace(record, key="c" * 64, status="failed", error=failure, metrics=Scores()))
    return store


def test_old_scores_are_replaced_and_new_ones_left(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--suite", "trial", "--out", str(tmp_path)]
    assert main(arguments) == 0
    err = capsys.readouterr().err
    assert "2 changed, 0 same, 1 without result, 0 damaged" in err
    assert "left as they were: old; give the --plugin" in err
    record = store.read("a" * 64)
    assert record.metrics.train["error_rate"] == pytest.approx(0.25)
    assert record.metrics.test["error_rate"] == 0.0
    assert record.metrics.train["old"] == 0.5  # of a plugin that is not given
    assert (record.metrics.generation, record.metrics.real) == ({"fid": 3.0}, {"fid": 1.0})
    assert (record.generation, len(record.extractors)) == ({"n": 50}, 1)
    assert record.provenance.metrics_version != "0"
    assert record.provenance.git_sha == "of the training"
    assert record.history == ({"iteration": 1},)
    assert {name: array.tolist() for name, array in store.arrays("a" * 64).items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    times = {path: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    assert main(arguments) == 0
    assert "0 changed, 2 same, 1 without result, 0 damaged" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in store.folder.iterdir()} == times


def test_damage_is_named_and_the_rest_is_done(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(iter(store.read("a" * 64).artifacts))
    (store.folder / name).write_bytes(b"damaged")
    assert main(["--suite", "trial", "--out", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "1 changed, 0 same, 1 without result, 1 damaged" in err
    assert name in err


@pytest.mark.parametrize(
    "arrays",
    [
        {"labels_train": np.array([0, 1])},
        {"y_train": np.array([0, 1]), "labels_train": np.array([0.5, 1.0])},
        {"y_train": np.array([0, 1]), "labels_train": np.array([[0], [1]])},
        {"y_train": np.array(["a", "b"]), "labels_train": np.array([0, 1])},
        {**ARRAYS, "labelled_rows": np.array([99])},
    ],
)
def test_arrays_that_are_no_predictions_are_one_line(
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arrays: dict[str, np.ndarray],
) -> None:
    store.write(store.read("a" * 64), arrays)
    assert main(["--suite", "trial", "--out", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert f"error: the arrays of record {'a' * 64} cannot be scored (" in err
    assert "1 changed, 0 same, 1 without result, 1 damaged" in err


METRIC = """
from deep_em_bench.metrics import register

@register("old", direction="higher", bounds=(0.0, 1.0), source="a test")
def old(predictions):
    return 0.75
"""


def test_the_metric_of_a_plugin_is_scored_with_it(store: Store, tmp_path: Path) -> None:
    plugin = tmp_path / "metric.py"
    plugin.write_text(METRIC, encoding="utf-8")
    try:
        assert main(["--suite", "trial", "--out", str(tmp_path), "--plugin", str(plugin)]) == 0
    finally:
        metrics.registry._registered.pop("old", None)
    assert store.read("a" * 64).metrics.train["old"] == 0.75


def test_a_suite_without_records_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--suite", "nowhere", "--out", str(tmp_path)]) == 1
    assert "nowhere" in capsys.readouterr().err
