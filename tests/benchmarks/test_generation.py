"""Samples are scored as they are, on the way and at the end, and nothing else moves."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from deep_em_bench import datasets
from deep_em_bench.benchmarks.engine.provenance import host
from deep_em_bench.benchmarks.execute import execute
from deep_em_bench.benchmarks.generation import Judge
from deep_em_bench.benchmarks.suite import Generation
from deep_em_bench.core import derive_seed
from deep_em_bench.methods.base import Generative
from deep_em_bench.metrics import lenet
from deep_em_bench.metrics.features import floor
from deep_em_bench.metrics.generation import Comparison, Summary, score_generation
from deep_em_bench.results.record import Record
from tests.benchmarks.samplers import PLAN, K, Sharpens, job, projection, ran

pytestmark = pytest.mark.usefixtures("registered")


def real_rows(n: int) -> np.ndarray:
    """The order in which a cell of seed 0 draws its real images."""
    return np.random.default_rng(derive_seed(0, "real")).permutation(n)


@pytest.mark.usefixtures("asked")
def test_scores_are_those_of_the_methods_samples_against_the_real_images(tmp_path: Path) -> None:
    record = ran(tmp_path)
    assert record.error is None
    X = datasets.load("digits", subset=90).X
    method = Sharpens(K).fit(X)
    fake, k = method.sample(PLAN.n, random_state=derive_seed(0, "generation"))
    drawn = real_rows(len(X))[: PLAN.n]  # as many as samples
    net, parts = projection(), []
    for c in range(K):
        real_part, fake_part = Summary(4, 3), Summary(4, 3)
        parts.append(
            (
                real_part.add(*net.features(X[drawn][method.labels_[drawn] == c])),
                fake_part.add(*net.features(fake[k == c])),
            )
        )
    expected = score_generation(
        Comparison(
            extractor="lenet",
            real=Summary(4, 3).add(*net.features(X[drawn])),
            fake=Summary(4, 3).add(*net.features(fake)),
            components=tuple(parts),
        )
    )
    assert record.metrics.generation == pytest.approx(expected, rel=1e-5)
    assert {"is_lenet", "is_std_lenet", "fid_lenet", "kid_lenet"} < set(expected)
    assert {"is_between_lenet", "is_within_lenet", "fid_within_lenet"} < set(expected)
    real, side = floor(net, X, n=PLAN.n, seed=derive_seed(0, "floor"))
    assert record.metrics.real == real
    (described,) = record.extractors
    assert described == {
        "name": "lenet",
        "d": 4,
        "n_classes": 3,
        "sha256": "f" * 64,
        "accuracy": 0.5,
        "n_real": 60,
        "n_fake": 60,
        "n_floor": side,
        "n_curve": 40,
    }
    assert side == 45
    assert record.generation == {"n": 60, "every": 2, "n_curve": 40}
    assert Record.from_json(record.to_json()) == record


@pytest.mark.usefixtures("asked")
def test_held_out_images_are_the_real_ones_where_there_are_some(tmp_path: Path) -> None:
    record = ran(tmp_path, words={"subset": 90, "assign": "all"})
    assert record.error is None
    assert (record.dataset.n, record.dataset.n_test) == (90, 1797)
    assert record.extractors[0]["n_real"] == record.extractors[0]["n_fake"] == PLAN.n
    assert record.extractors[0]["n_floor"] == PLAN.n


def test_no_more_samples_are_scored_than_there_are_real_images() -> None:
    X = datasets.load("digits", subset=90).X
    judge = Judge([projection()], X, n=500, n_curve=200, n_clusters=K, seed=0)
    (said,) = judge.described()
    assert (said["n_real"], said["n_fake"], said["n_curve"], said["n_floor"]) == (90, 90, 90, 45)


@pytest.mark.usefixtures("asked")
def test_the_curve_is_of_the_method_as_it_was_in_the_row(tmp_path: Path) -> None:
    record = ran(tmp_path, rows=5)
    scored = {row["iteration"]: row for row in record.history if "fid_lenet" in row}
    assert list(scored) == [2, 4, 5]
    assert [row["loss"] for row in record.history] == [1.0] * 5
    X = datasets.load("digits", subset=90).X
    method, net = Sharpens(K, rows=5).fit(X), projection()
    real = Summary(4, 3).add(*net.features(X[real_rows(len(X))[: PLAN.n_curve]]))
    for i, row in scored.items():
        method.sharpness_ = i / 5
        images, _ = method.sample(PLAN.n_curve, random_state=derive_seed(0, "curve"))
        fake = Summary(4, 3).add(*net.features(images))
        expected = score_generation(Comparison(extractor="lenet", real=real, fake=fake))
        for name in ("is_lenet", "fid_lenet"):
            assert row[name] == pytest.approx(expected[name], rel=1e-5)
        assert row["generation_seconds"] > 0
        assert set(row) == {
            *("iteration", "loss", "m_seconds", "is_lenet", "fid_lenet", "generation_seconds")
        }
    assert scored[2]["fid_lenet"] > scored[4]["fid_lenet"] > scored[5]["fid_lenet"]


@pytest.mark.usefixtures("asked")
def test_rows_reach_the_next_callback_with_their_numbers(tmp_path: Path) -> None:
    rows: list[Any] = []
    execute(job(tmp_path), host(), rows.append)
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5]
    assert ["fid_lenet" in row for row in rows] == [False, True, False, True, False]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("method", ["shows_afterwards", "gmm"])
def test_rows_shown_after_the_fit_have_no_samples_of_their_time(
    tmp_path: Path, method: str
) -> None:
    made = job(tmp_path, method)
    if method == "gmm":
        cell = dataclasses.replace(made.cell, preset="pca_full", params={"n_pca": 2})
        made = dataclasses.replace(made, cell=cell)
    record, _ = execute(made, host())
    assert record.error is None
    assert ["fid_lenet" in row for row in record.history[:-1]] == [False] * (
        len(record.history) - 1
    )
    assert "fid_lenet" in record.history[-1]
    assert len(record.history) > 1


@pytest.mark.usefixtures("asked")
def test_every_of_nothing_is_no_curve(tmp_path: Path) -> None:
    record = ran(tmp_path, how=Generation(n=60, every=0))
    assert "fid_lenet" in record.metrics.generation
    assert not any("fid_lenet" in row for row in record.history)


@pytest.mark.usefixtures("asked")
def test_the_curve_changes_nothing_else_and_is_no_part_of_the_fits_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, spent = Judge.point, []

    def slow(self: Judge, method: Generative) -> dict[str, float]:
        started = time.perf_counter()
        time.sleep(0.2)
        point = whole(self, method)
        spent.append(time.perf_counter() - started)
        return point

    monkeypatch.setattr(Judge, "point", slow)
    started = time.perf_counter()
    with_curve = ran(tmp_path, how=Generation(n=60, every=1, n_curve=40))
    in_all = time.perf_counter() - started
    assert sum("fid_lenet" in row for row in with_curve.history) == 5
    assert with_curve.timing.fit_s is not None
    assert 0 <= with_curve.timing.fit_s <= in_all - sum(spent)
    assert with_curve.timing.m_step_s == 5 * 0.25
    without = ran(tmp_path, how=Generation(n=60, every=0))
    assert with_curve.metrics == without.metrics


@pytest.mark.parametrize(
    ("fault", "status", "kind", "said"),
    [
        ("short", "failed", "ContractError", "sample(40) gave shape (39, 1, 8, 8); expected"),
        ("nan", "failed", "ContractError", "(40, 1, 8, 8) with NaN or infinity; expected"),
        ("alone", "failed", "ContractError", "component of sample(40) is of type NoneType"),
        ("far", "failed", "ContractError", "runs from 3 to 5; expected 0..2"),
        ("diverges", "diverged", "DivergenceError", "loss became nan"),
    ],
)
@pytest.mark.usefixtures("asked")
def test_bad_samples_become_a_record(
    tmp_path: Path, fault: str, status: str, kind: str, said: str
) -> None:
    record = ran(tmp_path, fault=fault)
    assert record.status == status
    assert record.error is not None
    assert record.error.type == kind
    assert said in record.error.message
    assert record.timing.fit_s is not None
    assert record.extractors
    if fault == "nan":
        assert "fid_lenet" in record.history[1]


@pytest.mark.usefixtures("asked")
def test_an_untrained_generator_has_no_scores(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, fault="cannot"), host())
    assert record.status == "ok"
    assert (record.metrics.generation, record.metrics.real) == ({}, {})
    assert "samples" not in arrays
    assert not any("fid_lenet" in row for row in record.history)


@pytest.mark.parametrize(
    ("method", "dataset", "how"),
    [("sharpens", "iris", PLAN), ("sharpens", "digits", None), ("kmeans", "digits", PLAN)],
)
def test_where_there_is_nothing_to_score_there_are_no_scores(
    tmp_path: Path, asked: list[Any], method: str, dataset: str, how: Generation | None
) -> None:
    record = ran(tmp_path, method, dataset=dataset, how=how)
    assert record.error is None
    assert (record.metrics.generation, record.metrics.real, record.extractors) == ({}, {}, ())
    assert asked == []
    assert record.generation == (structs.asdict(how) if how else {})


def test_extractors_are_made_from_all_data_and_real_scores_are_every_methods(
    tmp_path: Path, asked: list[Any]
) -> None:
    first = ran(tmp_path)
    second = ran(tmp_path, "bridges")
    third = ran(tmp_path, words={"subset": 80}, seed=4)
    assert first.metrics.real == second.metrics.real != third.metrics.real
    assert len(asked) == 3
    digests = {data.sha256() for data, _ in asked}
    assert len(digests) == 1
    for data, words in asked:
        assert len(data.X) + len(data.X_test) == 1797
        assert words["folders"][0] == tmp_path / "feature_nets"
        assert words["inception_weights"] is None


def test_a_lenet_is_trained_once_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lenet, "STEPS", 10)
    monkeypatch.setattr(
        "deep_em_bench.metrics.features.net_folders", lambda root: (root / "nets",)
    )
    first = ran(tmp_path)
    assert first.error is None
    (kept,) = (tmp_path / "nets").iterdir()
    assert kept.suffix == ".safetensors"
    monkeypatch.setattr(lenet, "_train", None)
    second = ran(tmp_path)
    assert second.metrics == first.metrics
    assert first.extractors[0]["sha256"] == second.extractors[0]["sha256"]
    assert first.extractors[0]["accuracy"] > 0.1
