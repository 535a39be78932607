import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deep_em_bench import results
from deep_em_bench.core import UserError
from deep_em_bench.results import Failure, Scores, Store


def test_one_row_a_cell_with_its_settings_and_numbers(tmp_path, make_record):
    Store(tmp_path / "digits_raw").write(make_record(3))
    frame = results.load("digits_raw", root=tmp_path)
    row = frame.iloc[0]
    assert len(frame) == 1
    assert row["dataset"] == "digits(subset=0.5)"
    assert row["dataset_name"] == "digits"
    assert (row["suite"], row["profile"], row["label"]) == ("digits_raw", "quick", "kmeans")
    assert (row["method"], row["preset"], row["seed"]) == ("kmeans", "default", 3)
    assert (row["status"], row["error"]) == ("ok", "")
    assert (row["fit_s"], row["n_parameters"]) == (0.25, 640)
    assert (row["device"], row["code"], row["metrics_version"]) == ("cpu", "v1", "1")
    assert row["train/error_rate"] == 0.2
    assert row["test/ari"] == 0.5
    assert "history" not in frame


def test_generation_scores_and_those_of_real_images_are_columns(tmp_path, make_record):
    scores = Scores(generation={"fid_lenet": 9.0}, real={"fid_lenet": 2.0})
    Store(tmp_path / "s").write(make_record(0, metrics=scores))
    Store(tmp_path / "s").write(make_record(1))
    frame = results.load("s", root=tmp_path).set_index("seed")
    assert frame.loc[0, ["generation/fid_lenet", "real/fid_lenet"]].tolist() == [9.0, 2.0]
    assert np.isnan(frame.loc[1, "real/fid_lenet"])


def test_a_failed_cell_is_a_row_without_numbers(tmp_path, make_record):
    store = Store(tmp_path / "s")
    store.write(make_record(0))
    error = Failure(type="DivergenceError", message="loss is nan")
    store.write(make_record(1, status="diverged", error=error, metrics=Scores()))
    frame = results.load("s", root=tmp_path).set_index("seed")
    assert frame.loc[1, "status"] == "diverged"
    assert frame.loc[1, "error"] == "DivergenceError: loss is nan"
    assert np.isnan(frame.loc[1, "train/error_rate"])
    assert frame["train/error_rate"].dtype == np.float64


def test_suites_come_together_or_alone(tmp_path, make_record):
    for suite in ("a", "b"):
        Store(tmp_path / suite).write(make_record(suite=suite))
    assert results.load(root=tmp_path)["suite"].tolist() == ["a", "b"]
    assert results.load("b", root=tmp_path)["suite"].tolist() == ["b"]


def test_history_when_asked_for(tmp_path, make_record):
    written = Store(tmp_path / "s").write(make_record())
    frame = results.load("s", root=tmp_path, history=True)
    assert frame.loc[0, "history"] == written.history


def test_no_records_at_all(tmp_path):
    (tmp_path / "s").mkdir()
    frame = results.load("s", root=tmp_path)
    assert frame.empty
    assert {"suite", "label", "fit_s", "status"} <= set(frame.columns)
    assert results.load(root=tmp_path / "nowhere").empty


def test_a_suite_without_a_folder_is_named_with_the_command(tmp_path):
    with pytest.raises(UserError, match=r"python -m benchmarks\.run --suite mnist_raw"):
        results.load("mnist_raw", root=tmp_path)


def test_a_root_that_is_locked_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"cannot list .*: File name too long; permit it"):
        results.stores("digits_raw", tmp_path / ("x" * 300))

    def locked(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(UserError, match=r"cannot list .*: Permission denied; permit it"):
        results.stores(root=tmp_path)


def test_a_record_costs_few_calls_whatever_its_history(tmp_path, make_record):
    """Counted, for seconds are the machine's."""
    results.load(root=tmp_path / "nowhere")  # imports pandas
    calls = {}
    for n, iterations in ((50, 1), (150, 1), (150, 400)):
        folder = tmp_path / f"{n}-{iterations}"
        folder.mkdir()
        rows = tuple({"iteration": i, "shares": [0.1] * 10} for i in range(iterations))
        for number in range(n):
            record = make_record(number, history=rows)
            (folder / f"{record.key}.json").write_bytes(record.to_json())
        calls[n, iterations] = calls_of(lambda name=folder.name: results.load(name, root=tmp_path))
    assert 0 < calls[150, 1] - calls[50, 1] < 100 * 500
    assert calls[150, 400] == pytest.approx(calls[150, 1], rel=0.01)


def calls_of(work):
    """How many functions ``work`` calls."""
    count = 0

    def look(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, results; print({'scipy', 'sklearn', 'pandas', 'torch'} & set(sys.modules))"
    root = Path(results.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "set()"
