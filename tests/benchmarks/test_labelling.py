"""Labels reach semi-supervised methods alone, on labelled rows alone, the same for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from deep_em_bench import datasets, methods
from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Job, Setting
from deep_em_bench.benchmarks.engine.provenance import host, loaded
from deep_em_bench.benchmarks.execute import execute
from deep_em_bench.benchmarks.labelling import visible_labels
from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.scoring import headline, score
from deep_em_bench.benchmarks.suite import Suite
from deep_em_bench.core import ConfigError, Registered
from deep_em_bench.methods.base import Preset, SemiSupervised
from deep_em_bench.methods.kmeans import KMeans

MakeSuite = Callable[..., Suite]

HEAD = """
title = "a test"
seeds = 2
[[datasets]]
name = "digits"
n_clusters = 10
words = { subset = 300, labelled = 30 }
[[datasets]]
name = "digits"
n_clusters = 10
words = { subset = 300 }
"""

SEEN: dict[str, np.ndarray | None] = {}


class Told(KMeans, SemiSupervised):
    """Keeps what it was told."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        SEEN[f"{type(self).__name__} {self.random_state}"] = y
        return super().fit(X)


class ToldToo(Told):
    needs_labels = True


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    presets = {"stable": Preset(source="a test", params={"n_init": 1, "max_iter": 2})}
    for name, kind in (("told", Told), ("told_too", ToldToo)):
        entry: Any = Registered(name=name, value=kind, attributes={"presets": presets})
        monkeypatch.setitem(methods.registry._registered, name, entry)
    SEEN.clear()


def rows(*names: str) -> str:
    return "\n".join(f'[[methods]]\nname = "{name}"' for name in names)


def jobs(made: Suite, tmp_path: Path) -> list[Job]:
    cells = plan(made, "quick")
    setting = Setting(suite="trial", folder=tmp_path, threads=1)
    used = engine.look_at(cells, setting)
    return [
        Job(
            cell=cell,
            setting=setting,
            dataset=used[cell.key],
            n_clusters=10,
            threads=1,
            code=loaded(cell.method),
        )
        for cell in cells
    ]


def test_each_row_runs_where_it_belongs(suite: MakeSuite) -> None:
    cells = plan(suite(rows("steady", "told", "told_too"), head=HEAD))
    ran = {(cell.method, cell.dataset.words.get("labelled")) for cell in cells}
    assert ran == {("steady", None), ("told", None), ("told", 30), ("told_too", 30)}
    assert len(cells) == 8


def test_a_row_may_want_one_kind_of_data_alone(suite: MakeSuite) -> None:
    text = rows("told") + "\nlabelled = false\n" + rows("told_too")
    cells = plan(suite(text, head=HEAD))
    ran = {(cell.method, cell.dataset.words.get("labelled")) for cell in cells}
    assert ran == {("told", None), ("told_too", 30)}
    with pytest.raises(ConfigError, match=r"labelled` is 3; expected bool"):
        suite(rows("told") + "\nlabelled = 3", head=HEAD)


@pytest.mark.parametrize(
    ("words", "method", "said"),
    [
        (
            "{ labelled = 30 }",
            "steady",
            "'steady.*' of steady runs on no data set: it does without labels",
        ),
        (
            "{ subset = 300 }",
            "told_too",
            "of told_too runs on no data set: it needs labels; give a",
        ),
    ],
)
def test_a_row_that_runs_nowhere_is_refused(
    words: str, method: str, said: str, suite: MakeSuite
) -> None:
    head = f'title = "a"\nseeds = 1\n[[datasets]]\nname = "digits"\nwords = {words}\n'
    with pytest.raises(ConfigError, match=said):
        plan(suite(rows("told", method), head=head))


def test_labels_go_to_labelled_rows_alone_and_are_the_same_for_all(
    suite: MakeSuite, tmp_path: Path
) -> None:
    ran = {}
    for job in jobs(suite(rows("told", "told_too"), head=HEAD), tmp_path):
        record, arrays = execute(job, host())
        assert record.status == "ok", record.error
        ran[job.cell.method, job.cell.dataset.words.get("labelled"), job.cell.seed] = (
            record,
            arrays,
            SEEN.popitem()[1],
        )
    for seed in (0, 1):
        data = datasets.load("digits", seed=seed, subset=300, labelled=30)
        assert data.labelled is not None
        for method in ("told", "told_too"):
            record, arrays, y = ran[method, 30, seed]
            assert y is not None
            np.testing.assert_array_equal(np.flatnonzero(y >= 0), data.labelled)
            np.testing.assert_array_equal(y[data.labelled], data.y[data.labelled])
            assert set(y[y < 0].tolist()) == {-1}
            np.testing.assert_array_equal(arrays["labelled_rows"], data.labelled)
            assert record.dataset.words["labelled"] == 30
            assert "error_rate_classes" in record.metrics.train
        record, arrays, y = ran["told", None, seed]
        assert y is None
        assert "labelled_rows" not in arrays
        assert "error_rate_classes" not in record.metrics.train
        assert "labelled" not in record.dataset.words
    assert not np.array_equal(ran["told", 30, 0][2], ran["told", 30, 1][2])


def test_a_method_that_is_not_semi_supervised_is_never_shown_any() -> None:
    data = datasets.load("moons", labelled=4)
    with pytest.raises(ConfigError, match="KMeans is not semi-supervised"):
        visible_labels(methods.create("kmeans"), data)
    assert visible_labels(methods.create("kmeans"), datasets.load("moons")) is None


def test_scores_leave_the_labelled_rows_out() -> None:
    arrays = {
        "y_train": np.array([0, 1, 0, 1, 1]),
        "labels_train": np.array([1, 0, 0, 1, 0]),
        "labelled_rows": np.array([0, 1]),
        "y_test": np.array([0, 1]),
        "labels_test": np.array([1, 0]),
    }
    found = score(arrays, 2)
    assert found.train["error_rate_classes"] == pytest.approx(1 / 3)
    assert found.test["error_rate_classes"] == 1.0
    assert found.test["error_rate"] == 0.0
    assert headline(found) == 1.0
    plain = score({k: v for k, v in arrays.items() if k != "labelled_rows"}, 2)
    assert headline(plain) == 0.0
    assert plain.train["error_rate"] == pytest.approx(0.4)
    assert score({**arrays, "labelled_rows": np.arange(5)}, 2).train == {}
