"""What torch methods share: scaling, the history, saved nets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods import DivergenceError
from deep_em_bench.methods.base import load
from deep_em_bench.methods.nets.networks import encoder, initialise
from deep_em_bench.methods.neural import NeuralMethod, Scaling
from tests.methods.small import COLOUR, FEW, IMAGES, VECTORS, em


class Linear(NeuralMethod):
    """The smallest neural method: one layer, never trained."""

    def _nets(self) -> dict[str, nn.Module]:
        return {"net": self.net_}

    def _build(self) -> None:
        shape = self.shape_
        with torch.device("meta"):
            net = encoder("mlp", shape, self.n_clusters, hidden=(8,), width=1.0, batch_norm=True)
        stream = self._runtime.weights_stream("the net")
        self.net_ = initialise(net, stream, self._runtime.device, std=0.5)

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        data = self._begin(X)
        self.history_ = []
        self._record({"iteration": 1, "loss": 0.5})
        self.labels_ = self._runtime.apply(self.net_, data).argmax(dim=1).numpy()
        self.n_iter_, self.converged_ = 1, True
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self._runtime.apply(self.net_, self._incoming(X)).softmax(dim=1).numpy()


@pytest.mark.parametrize("X", [IMAGES, COLOUR, VECTORS], ids=["grey", "colour", "vectors"])
def test_scaling_there_and_back(X: np.ndarray) -> None:
    scaling = Scaling.of(X)
    x = scaling.to_net(X)
    assert x.shape == X.shape
    assert x.dtype == torch.float32
    back = scaling.from_net(x)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, X, rtol=1e-5, atol=1e-6)


def test_scaling_goes_to_the_nets_range() -> None:
    assert np.array_equal(Scaling.of(IMAGES).to_net(IMAGES), IMAGES)
    np.testing.assert_allclose(Scaling.of(COLOUR).to_net(COLOUR), 2 * COLOUR - 1, atol=1e-6)
    x = Scaling.of(VECTORS).to_net(VECTORS).numpy()
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(x.std(axis=0), [1, 1, 1, 0], atol=1e-3)
    assert not x[:, 3].any()


def test_generators_end_in_the_same_range() -> None:
    big = torch.linspace(-100, 100, 50)
    for X, least, most in ((IMAGES, 0, 1), (COLOUR, 0, 1)):
        scaling = Scaling.of(X)
        out = scaling.from_net(scaling.output(X.shape[1:])(big))
        assert out.min() == pytest.approx(least)
        assert out.max() == pytest.approx(most)
    assert torch.equal(Scaling.of(VECTORS).output((4,))(big), big)


@pytest.mark.parametrize("value", [0.1, -3e5, 1e-20])
def test_one_value_alone_scales_to_zero(value: float) -> None:
    X = np.full((13, 2), value, dtype=np.float32)
    scaling = Scaling.of(X)
    assert not scaling.to_net(X).any()
    np.testing.assert_allclose(scaling.from_net(torch.zeros(13, 2)), X, rtol=1e-6)


def test_a_method_is_loaded_onto_the_device_that_load_names(tmp_path: Path) -> None:
    method, path = em().fit(FEW), tmp_path / "fitted.safetensors"
    method.save(path)
    described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    described["params"]["device"] = "cuda:99"
    path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ConfigError, match="cuda:99"):
        load(path)
    here = load(path, device="cpu")
    np.testing.assert_array_equal(here.predict_proba(FEW), method.predict_proba(FEW))


@pytest.fixture
def ready() -> Linear:
    method = Linear(3, device="cpu")
    method._begin(VECTORS)
    return method


def test_data_of_another_shape_are_refused() -> None:
    method = Linear(3, device="cpu").fit(VECTORS)
    with pytest.raises(ValueError, match=r"rows of shape \(3,\); this was fitted to \(4,\)"):
        method.predict(VECTORS[:, :3])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_ends_the_fit(ready: Linear, value: float) -> None:
    ready.history_, seen = [], []
    ready.callback = seen.append
    ready._record({"iteration": 1, "loss": 1.0, "shares": [0.5, 0.5]})
    with pytest.raises(DivergenceError, match=r"g_loss became .* in EM iteration 2; lower the"):
        ready._record({"iteration": 2, "d_loss": 1.0, "g_loss": value})
    assert seen == ready.history_
    assert len(seen) == 2


def test_there_is_no_model_before_a_fit_nor_after_one_that_failed(ready: Linear) -> None:
    X = VECTORS
    assert ready.fit(X).predict(X).shape == (20,)
    ready.device = "cuda:99"
    with pytest.raises(ConfigError):
        ready.fit(X)
    with pytest.raises(NotFittedError):
        ready.predict(X)
    ready.device = "cpu"
    assert ready.fit(X).predict(X).shape == (20,)
    with pytest.raises(DivergenceError):
        ready._record({"iteration": 2, "loss": float("nan")})
    with pytest.raises(NotFittedError):
        ready.predict(X)
