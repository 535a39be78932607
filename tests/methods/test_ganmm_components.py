"""GANMM's classifier and its first division on principal components."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import load
from deep_em_bench.methods.ganmm.start import first_division
from deep_em_bench.methods.ganmm.steps import Classifier
from deep_em_bench.methods.gmm import Gmm
from deep_em_bench.methods.nets.projection import Projection
from tests.methods.small import BLOBS, INFORMED, KIND, purity
from tests.methods.small_ganmm import IMAGES, classifier, ganmm

NOISE = np.random.default_rng(0).normal(size=(300, 30)).astype(np.float32) / 20
WIDE = np.hstack([np.repeat(BLOBS, 5, axis=1), NOISE])  # two directions that tell, of 40


def projection_of(method: object) -> Projection | None:
    first = next(method.E_.children())  # type: ignore[attr-defined]
    return first if isinstance(first, Projection) else None


@pytest.mark.parametrize("k", [None, 20, 50])
def test_half_as_many_components_as_columns_are_none(k: int | None) -> None:
    assert projection_of(ganmm(e_components=k).fit(WIDE)) is None
    found = projection_of(ganmm(e_components=19).fit(WIDE))
    assert found is not None
    assert found.axes.shape == (40, 19)


@pytest.mark.parametrize("k", [None, 5])
def test_a_convolutional_classifier_is_given_the_images_and_a_dense_one_components(
    k: int | None,
) -> None:
    images = np.random.default_rng(0).random((12, 1, 16, 16), dtype=np.float32)
    method = ganmm(network="conv", e_components=k, start="kmeans").fit(images)
    assert (projection_of(method) is None) == (k is None)
    convolutions = [part for part in method.E_.modules() if isinstance(part, torch.nn.Conv2d)]
    assert bool(convolutions) == (k is None)


def test_the_classifier_learns_on_them() -> None:
    learning = {"e_steps": 60, "e_lr": 5e-3, "start": "gmm", "max_iter": 3, "m_steps": 20}
    method = ganmm(e_components=2, pretrain_steps=60, **learning, **INFORMED).fit(WIDE)
    assert purity(method.labels_) > 0.95
    first = projection_of(method)
    assert first is not None
    linear = next(part for part in method.E_.modules() if isinstance(part, torch.nn.Linear))
    assert linear.in_features == 2
    np.testing.assert_array_equal(method.predict(WIDE), method.labels_)


@pytest.mark.parametrize("labels", ["kinds", "one"])
def test_the_start_is_a_gaussian_mixture_of_what_the_classifier_is_given(
    labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of posteriors with an empty cluster the least confident rows fill it."""
    seen = []

    def told(self: Gmm, X: np.ndarray) -> np.ndarray:
        seen.append(X)
        w = np.full((len(X), 3), 0.01, dtype=np.float32)
        w[np.arange(len(X)), KIND if labels == "kinds" else 0] = 0.98
        return w

    monkeypatch.setattr(Gmm, "predict_proba", told)
    method, h = classifier(WIDE, e_components=5, start="gmm", min_share=0.1)
    found = first_division(method, h.data, h, 10, method._runtime).numpy()
    assert seen[-1].shape == (300, 5)
    np.testing.assert_array_equal(seen[-1], h.inputs.numpy())
    if labels == "kinds":
        np.testing.assert_array_equal(found, KIND)
    else:
        assert np.bincount(found, minlength=3).min() >= 10


@pytest.mark.parametrize(("k", "steps"), [(5, [7, 0]), (None, []), (20, [])])
def test_wide_data_are_first_divided_by_the_classifier(
    k: int | None, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    monkeypatch.setattr(Classifier, "learn_from_data", lambda self, n: done.append(n))
    ganmm(e_components=k, start="auto", e_pretrain_steps=7, **INFORMED).fit(WIDE)
    assert done == steps
    done.clear()
    ganmm(e_components=k, start="auto", e_pretrain_steps=7).fit(WIDE)  # h has nothing to learn
    assert done == []


def test_so_are_images(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(Classifier, "learn_from_data", lambda self, n: done.append(n))
    ganmm(start="auto", e_pretrain_steps=7, **INFORMED).fit(IMAGES)
    assert done == [7, 0]


def test_a_classifier_that_learns_nothing_from_real_data_is_no_start() -> None:
    with pytest.raises(ConfigError, match="start='classifier' was asked for, but"):
        ganmm(start="classifier").fit(BLOBS)


def test_wide_data_are_reduced_for_the_start_of_a_convolutional_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[np.ndarray] = []
    fit = Gmm.fit
    monkeypatch.setattr(Gmm, "fit", lambda self, X, y=None: (seen.append(X), fit(self, X))[1])
    ganmm(network="conv", e_components=5, start="gmm").fit(IMAGES)
    assert seen[0].shape == (40, 5)
    seen.clear()
    ganmm(network="conv", e_components=None, start="gmm").fit(IMAGES)
    assert seen[0].shape == (40, 64)


def test_it_is_kept(tmp_path: Path) -> None:
    method = ganmm(e_components=5).fit(WIDE)
    method.save(tmp_path / "ganmm.safetensors")
    again = load(tmp_path / "ganmm.safetensors")
    np.testing.assert_array_equal(again.predict_proba(WIDE), method.predict_proba(WIDE))


def test_what_was_saved_before_there_were_any_has_none(tmp_path: Path) -> None:
    path = tmp_path / "ganmm.safetensors"
    method = ganmm(e_components=None).fit(WIDE)
    method.save(path)
    described = json.loads(path.with_suffix(".json").read_text())
    del described["params"]["e_components"]
    path.with_suffix(".json").write_text(json.dumps(described))
    again = load(path)
    assert again.get_params()["e_components"] is None
    np.testing.assert_array_equal(again.predict_proba(WIDE), method.predict_proba(WIDE))
