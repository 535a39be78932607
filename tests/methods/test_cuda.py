"""On a GPU: graphs do what updates do, seeds repeat, lower precision and the CPU agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deep_em_bench.methods import Generative, Method
from deep_em_bench.methods.base import load
from tests.methods.cases import blobs, cases, factory, fit, global_random_state, images

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")

ENOUGH = {
    # More updates than a graph is warmed up with, so that some are replayed.
    "m_epochs": 2,
    "m_steps": 9,
    "steps": 9,
    "classifier_steps": 9,
    "e_steps": 9,
    "pretrain_steps": 9,
    "update_interval": 9,
    "labelled_steps": 9,
}
NEURAL = [case for case in cases() if "compile" in factory(case)().get_params(deep=False)]


def on_gpu(case: str, X: np.ndarray, **params: Any) -> Method:
    make = factory(case)
    known = make().get_params(deep=False)
    chosen = {name: value for name, value in ENOUGH.items() if known.get(name)}
    conv = {"network": "conv", "width": 0.1} if X.ndim == 4 and "network" in known else {}
    method = make(random_state=5, **{**chosen, **conv, "device": "cuda", **params})
    return fit(method, X)


def learnt(method: Method) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in method._arrays().items()}


def assert_close(one: Method, other: Method, X: np.ndarray, tolerance: float) -> None:
    for row, twin in zip(one.history_, other.history_, strict=True):
        for name, value in row.items():
            if "seconds" not in name:
                assert twin[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name
    ours, theirs = learnt(one), learnt(other)
    for name, value in ours.items():
        np.testing.assert_allclose(
            theirs[name], value, rtol=tolerance, atol=tolerance, err_msg=name
        )
    np.testing.assert_allclose(other.predict_proba(X), one.predict_proba(X), atol=tolerance)
    if isinstance(one, Generative):
        assert isinstance(other, Generative)
        np.testing.assert_allclose(
            other.sample(9)[0], one.sample(9)[0], rtol=tolerance, atol=tolerance
        )


DATA = {"vectors": blobs(), "images": images(40)}


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("case", NEURAL)
def test_graphs_do_what_updates_do(case: str, kind: str) -> None:
    X = DATA[kind]
    assert_close(on_gpu(case, X), on_gpu(case, X, compile=True), X, 1e-5)


def test_a_reduction_is_captured_with_what_it_copies() -> None:
    case, X = "gan_em:stable", DATA["images"]
    found = [on_gpu(case, X, n_components=2, compile=compiled) for compiled in (False, True)]
    assert_close(*found, X, 1e-5)


@pytest.mark.parametrize("case", NEURAL)
def test_a_seed_repeats_to_the_bit(case: str) -> None:
    X = DATA["images"]
    one, other = (learnt(on_gpu(case, X, compile=True)) for _ in range(2))
    for name, value in one.items():
        np.testing.assert_array_equal(other[name], value, err_msg=name)


@pytest.mark.parametrize("case", NEURAL)
def test_the_global_streams_are_left_alone(case: str) -> None:
    before = global_random_state()
    on_gpu(case, DATA["images"], compile=True)
    assert global_random_state() == before


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("case", NEURAL)
def test_a_cpu_computes_what_a_gpu_has_learnt(case: str, kind: str, tmp_path: Path) -> None:
    X = DATA[kind]
    method = on_gpu(case, X)
    method.save(tmp_path / "fitted")
    there = load(tmp_path / "fitted", device="cpu")
    np.testing.assert_allclose(there.predict_proba(X), method.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 0.02), ("bf16", 0.1)])
def test_lower_precision_agrees(precision: str, tolerance: float, compiled: bool) -> None:
    case, X = "gan_em:official", DATA["images"]
    few = {"max_iter": 1, "e_steps": 5, "m_epochs": 3}
    exact = on_gpu(case, X, **few)
    rough = on_gpu(case, X, **few, precision=precision, compile=compiled)
    for loss in ("d_loss", "g_loss", "cross_entropy"):
        assert rough.history_[0][loss] == pytest.approx(exact.history_[0][loss], rel=tolerance)
    np.testing.assert_allclose(rough.predict_proba(X), exact.predict_proba(X), atol=tolerance)
