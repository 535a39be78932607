"""Samples are scored as they are, on the way and at the end, and nothing else moves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import datasets
import methods
from benchmarks import engine
from benchmarks.execute import execute
from benchmarks.generation import Judge
from benchmarks.job import Job, Setting
from benchmarks.options import run_parser, setting_from
from benchmarks.pictures import Interpolating, ways
from benchmarks.plan import Cell, DatasetSpec, plan
from benchmarks.provenance import host
from benchmarks.suite import Generation, Suite, suite_files
from core import ConfigError, Registered, derive_seed
from methods.base import Callback, Generative, Method, Preset
from metrics import lenet
from metrics.features import Extractor, floor
from metrics.generation import Comparison, Summary, score_generation
from results.record import Record

K = 3
PLAN = Generation(n=60, every=2, n_curve=40)
PRESETS = {"default": Preset(source="a test")}


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


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No net is trained; what the extractors are asked to be made from."""
    asked: list[Any] = []

    def extractors(data: Any, **words: Any) -> list[Extractor]:
        asked.append((data, words))
        return [projection()]

    monkeypatch.setattr("metrics.features.extractors", extractors)
    return asked


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


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cls in (
        ("sharpens", Sharpens),
        ("bridges", Bridges),
        ("shows_afterwards", ShowsAfterwards),
    ):
        entry = Registered(name=name, value=cls, attributes={"presets": PRESETS})
        monkeypatch.setitem(methods.registry._registered, name, entry)


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
        code="0" * 64,
    )


def ran(folder: Path, *args: Any, **words: Any) -> Record:
    return execute(job(folder, *args, **words), host())[0]


@pytest.mark.usefixtures("given")
def test_scores_are_those_of_the_methods_samples_against_the_real_images(tmp_path: Path) -> None:
    record = ran(tmp_path)
    assert record.error is None
    X = datasets.load("digits", subset=90).X
    method = Sharpens(K).fit(X)
    fake, k = method.sample(PLAN.n, random_state=derive_seed(0, "generation"))
    net, parts = projection(), []
    for c in range(K):
        real_part, fake_part = Summary(4, 3), Summary(4, 3)
        parts.append(
            (
                real_part.add(*net.features(X[method.labels_ == c])),
                fake_part.add(*net.features(fake[k == c])),
            )
        )
    expected = score_generation(
        Comparison(
            extractor="lenet",
            real=Summary(4, 3).add(*net.features(X)),
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
        "n_real": 90,
        "n_fake": 60,
        "n_floor": side,
        "n_curve": 40,
    }
    assert side == 45
    assert record.generation == {"n": 60, "every": 2, "n_curve": 40}
    assert Record.from_json(record.to_json()) == record


@pytest.mark.usefixtures("given")
def test_held_out_images_are_the_real_ones_where_there_are_some(tmp_path: Path) -> None:
    record = ran(tmp_path, words={"subset": 90, "assign": "all"})
    assert record.error is None
    assert (record.dataset.n, record.dataset.n_test) == (90, 1797)
    assert record.extractors[0]["n_real"] == 1797
    assert record.extractors[0]["n_floor"] == PLAN.n


@pytest.mark.usefixtures("given")
def test_the_curve_is_of_the_method_as_it_was_in_the_row(tmp_path: Path) -> None:
    record = ran(tmp_path, rows=5)
    scored = {row["iteration"]: row for row in record.history if "fid_lenet" in row}
    assert list(scored) == [2, 4, 5]
    assert [row["loss"] for row in record.history] == [1.0] * 5
    X = datasets.load("digits", subset=90).X
    method, net = Sharpens(K, rows=5).fit(X), projection()
    real = Summary(4, 3).add(*net.features(X))
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


@pytest.mark.usefixtures("given")
def test_rows_reach_the_next_callback_with_their_numbers(tmp_path: Path) -> None:
    rows: list[Any] = []
    execute(job(tmp_path), host(), rows.append)
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5]
    assert ["fid_lenet" in row for row in rows] == [False, True, False, True, False]


@pytest.mark.usefixtures("given")
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


@pytest.mark.usefixtures("given")
def test_every_of_nothing_is_no_curve(tmp_path: Path) -> None:
    record = ran(tmp_path, how=Generation(n=60, every=0))
    assert "fid_lenet" in record.metrics.generation
    assert not any("fid_lenet" in row for row in record.history)


@pytest.mark.usefixtures("given")
def test_the_curve_changes_nothing_else_and_is_no_part_of_the_fits_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Judge.point

    def slow(self: Judge, method: Generative) -> dict[str, float]:
        time.sleep(0.5)
        return whole(self, method)

    monkeypatch.setattr(Judge, "point", slow)
    with_curve = ran(tmp_path, how=Generation(n=60, every=1, n_curve=40))
    assert sum("fid_lenet" in row for row in with_curve.history) == 5
    assert with_curve.timing.fit_s is not None
    assert 0 <= with_curve.timing.fit_s < 2.5
    assert with_curve.timing.m_step_s == 5 * 0.25
    without = ran(tmp_path, how=Generation(n=60, every=0))
    assert with_curve.metrics == without.metrics


@pytest.mark.parametrize(
    ("fault", "status", "kind", "said"),
    [
        ("short", "failed", "ContractError", "sample(40) gave shape (39, 1, 8, 8); expected"),
        ("nan", "failed", "ContractError", "(40, 1, 8, 8) with NaN or infinity; expected"),
        ("alone", "failed", "ContractError", "component of sample(40) has shape ()"),
        ("far", "failed", "ContractError", "runs from 3 to 5; expected 0..2"),
        ("diverges", "diverged", "DivergenceError", "loss became nan"),
    ],
)
@pytest.mark.usefixtures("given")
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


@pytest.mark.usefixtures("given")
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
    tmp_path: Path, given: list[Any], method: str, dataset: str, how: Generation | None
) -> None:
    record = ran(tmp_path, method, dataset=dataset, how=how)
    assert record.error is None
    assert (record.metrics.generation, record.metrics.real, record.extractors) == ({}, {}, ())
    assert given == []
    assert record.generation == (dataclasses.asdict(how) if how else {})


def test_extractors_are_made_from_all_data_and_real_scores_are_every_methods(
    tmp_path: Path, given: list[Any]
) -> None:
    first = ran(tmp_path)
    second = ran(tmp_path, "bridges")
    third = ran(tmp_path, words={"subset": 80}, seed=4)
    assert first.metrics.real == second.metrics.real != third.metrics.real
    assert len(given) == 3
    digests = {data.sha256() for data, _ in given}
    assert len(digests) == 1
    for data, words in given:
        assert len(data.X) + len(data.X_test) == 1797
        assert words["folders"][0] == tmp_path / "feature_nets"
        assert words["inception_weights"] is None


def test_a_lenet_is_trained_once_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lenet, "STEPS", 10)
    monkeypatch.setattr("metrics.features.net_folders", lambda root: (root / "nets",))
    first = ran(tmp_path)
    assert first.error is None
    (kept,) = (tmp_path / "nets").iterdir()
    assert kept.suffix == ".safetensors"
    monkeypatch.setattr(lenet, "_train", None)
    second = ran(tmp_path)
    assert second.metrics == first.metrics
    assert first.extractors[0]["sha256"] == second.extractors[0]["sha256"]
    assert first.extractors[0]["accuracy"] > 0.1


@pytest.mark.usefixtures("given")
def test_pictures_between_components_are_stored(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, "bridges"), host())
    assert record.error is None
    assert arrays["samples"].shape == (K, 10, 1, 8, 8)
    assert arrays["interpolation"].shape == (2, 9, 1, 8, 8)
    assert arrays["triangle"].shape == (9, 9, 1, 8, 8)
    assert {arrays[name].dtype for name in ("interpolation", "triangle")} == {np.dtype(np.uint8)}
    _, without = execute(job(tmp_path, "sharpens"), host())
    assert not {"interpolation", "triangle"} & without.keys()
    _, unasked = execute(job(tmp_path, "bridges", how=None), host())
    assert not {"interpolation", "triangle"} & unasked.keys()


def test_weights_of_the_pictures_are_those_that_are_said() -> None:
    method = Bridges(K)
    method.shape_ = [1, 2, 2]
    assert isinstance(method, Interpolating)
    found = ways(method, (1, 2, 2), K, 0)
    # 255 (.2 + .4 w) and 255 (.6 + .4 w) at w = 0, 1/8, ..., 1, by hand.
    first = [51, 63.75, 76.5, 89.25, 102, 114.75, 127.5, 140.25, 153]
    second = [153, 165.75, 178.5, 191.25, 204, 216.75, 229.5, 242.25, 255]
    off = found["interpolation"][..., 0, 0, 0] - np.array([first, second])
    assert np.abs(off).max() <= 0.5 + 1e-3
    triangle = found["triangle"][..., 0, 1, 1]
    assert (triangle[0, 0], triangle[8, 0], triangle[0, 8]) == (51, 153, 255)
    for i in range(9):
        for j in range(9):
            value = 0.2 * (8 - i - j) / 8 + 0.6 * i / 8 + j / 8 if i + j <= 8 else 0.0
            assert abs(int(triangle[i, j]) - 255 * value) <= 0.5 + 1e-3
    assert set(ways(method, (1, 2, 2), 1, 0)) == set()
    assert set(ways(method, (1, 2, 2), 2, 0)) == {"interpolation"}


@pytest.mark.parametrize("bad", ["nan", "short"])
def test_bad_pictures_are_refused(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interpolate(components: Any, weights: Any, *, random_state: int = 0) -> np.ndarray:
        n = len(weights) - (bad == "short")
        return np.full((n, 1, 2, 2), np.nan if bad == "nan" else 0, np.float32)

    method = Bridges(K)
    monkeypatch.setattr(method, "interpolate", interpolate)
    with pytest.raises(ValueError, match="interpolate gave shape"):
        ways(method, (1, 2, 2), K, 0)


ROWS = """
[[methods]]
name = "steady"
"""


def test_a_suite_says_how_samples_are_scored(suite: Callable[..., Suite]) -> None:
    assert suite(ROWS).generation is None
    assert suite(ROWS + "[generation]").generation == Generation(n=5000, every=5, n_curve=1000)
    text = ROWS + "[generation]\nn = 400\nevery = 0\n[profiles.quick.generation]\nn_curve = 50\n"
    made = suite(text)
    assert made.generation == Generation(n=400, every=0, n_curve=1000)
    (cell, *_), (tiny, *_) = plan(made, "quick"), plan(made, "tiny")
    assert cell.generation == Generation(n=400, every=0, n_curve=50)
    assert tiny.generation == made.generation


def test_a_data_set_may_have_counts_of_its_own(suite: Callable[..., Suite]) -> None:
    head = """
title = "a test"
seeds = 1
[generation]
[[datasets]]
name = "moons"
generation = { every = 250, n = 300 }
[[datasets]]
name = "iris"
"""
    made = suite(ROWS + "[profiles.quick.generation]\nevery = 2\n", head=head)
    found = {c.dataset.name: c.generation for c in plan(made, "paper")}
    assert found == {"moons": Generation(n=300, every=250), "iris": Generation()}
    found = {c.dataset.name: c.generation for c in plan(made, "quick")}
    assert found == {"moons": Generation(n=300, every=2), "iris": Generation(every=2)}
    with pytest.raises(ConfigError, match="generation of data set moons changes"):
        suite(ROWS, head=head.replace("[generation]", ""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[generation]\nn_curves = 5", "'n_curves'; did you mean 'n_curve'"),
        ("[generation]\nn = 0", "generation.n is 0; expected a whole number of at least 10"),
        ("[generation]\nn_curve = 9", "generation.n_curve is 9; expected a whole number"),
        ("[generation]\nevery = -1", "generation.every is -1; expected a whole number of at le"),
        ("[generation]\nn = true", "generation.n is True; expected a whole number"),
        ("generation = 5", "is 5; expected a table"),
        ("[profiles.quick.generation]\nn = 50", "changes a table [generation] that is missing"),
        ("[generation]\n[profiles.quick.generation]\nm = 50", "profiles.quick.generation"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    suite: Callable[..., Suite], text: str, said: str
) -> None:
    head = 'title = "a test"\nseeds = 1\n'
    rows = '[[datasets]]\nname = "moons"\n' + ROWS
    with pytest.raises(ConfigError) as caught:
        suite(text + "\n" + rows, head=head)
    assert said in str(caught.value)


def test_keys_of_suites_without_it_are_what_they_were() -> None:
    with_table = []
    for name, path in suite_files().items():
        for cell in plan(Suite.read(path), "quick"):
            if cell.generation is not None:
                with_table.append(name)
                assert cell.key != dataclasses.replace(cell, generation=None).key
                continue
            identity = {
                "dataset": {"name": cell.dataset.name, "words": dict(cell.dataset.words)},
                "method": cell.method,
                "n_clusters": cell.n_clusters,
                "params": dict(cell.params),
                "preset": cell.preset,
                "profile": cell.profile,
                "seed": cell.seed,
            }
            text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
            assert cell.key == hashlib.sha256(text.encode()).hexdigest()
    assert set(with_table) == {"generation"}


def test_every_count_is_part_of_the_key(tmp_path: Path) -> None:
    cell = job(tmp_path).cell
    for change in ({"n": 61}, {"every": 3}, {"n_curve": 41}):
        other = dataclasses.replace(PLAN, **change)
        assert dataclasses.replace(cell, generation=other).key != cell.key


def test_the_users_weights_reach_the_cells(tmp_path: Path) -> None:
    said = ["--suite", "generation", "--inception-weights", "some.pth"]
    setting = setting_from(run_parser().parse_args(said), "generation", tmp_path)
    assert setting.inception_weights == Path("some.pth").absolute()
    setting = setting_from(run_parser().parse_args(said[:2]), "generation", tmp_path)
    assert setting.inception_weights is None
