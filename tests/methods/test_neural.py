"""What torch methods share: scaling, devices, arithmetic, batches, records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods import DivergenceError, neural
from deep_em_bench.methods.base import Callback, load
from deep_em_bench.methods.nets.networks import encoder, initialise
from deep_em_bench.methods.neural import NeuralMethod, Scaling, resolve_device
from deep_em_bench.methods.parameters import Precision
from tests.methods.small import COLOUR, FEW, IMAGES, VECTORS, em


class Linear(NeuralMethod):
    """The smallest neural method: one layer, never trained."""

    def __init__(
        self,
        n_clusters: int = 3,
        *,
        random_state: int = 0,
        device: str = "cpu",
        precision: Precision = "fp32",
        compile: bool = False,
        callback: Callback | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state
        self.device = device
        self.precision: Precision = precision
        self.compile = compile
        self.callback = callback

    def _nets(self) -> dict[str, nn.Module]:
        return {"net": self.net_}

    def _build(self) -> None:
        shape = self.shape_
        with torch.device("meta"):
            net = encoder("mlp", shape, self.n_clusters, hidden=(8,), width=1.0, batch_norm=True)
        stream = self._stream("weights", torch.device("cpu"))
        self.net_ = initialise(net, stream, self._device, std=0.5)

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        data = self._begin(X)
        self.history_ = []
        self._record({"iteration": 1, "loss": 0.5})
        self.labels_ = self._apply(self.net_, data).argmax(dim=1).numpy()
        self.n_iter_, self.converged_ = 1, True
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self._apply(self.net_, self._incoming(X)).softmax(dim=1).numpy()


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


@pytest.mark.parametrize("device", ["banana", "", "cuda:x", "cuda:99", "vulkan", "hpu", "meta"])
def test_an_unusable_device_is_refused_in_one_line(device: str) -> None:
    said = rf"\Adevice '{device}' cannot be used here \([^\n]+\); use 'cpu' or 'auto'\Z"
    with pytest.raises(ConfigError, match=said):
        resolve_device(device)


def test_what_was_fitted_elsewhere_is_loaded_where_it_is_told_to(tmp_path: Path) -> None:
    method, path = em().fit(FEW), tmp_path / "fitted.safetensors"
    method.save(path)
    said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    said["params"]["device"] = "cuda:99"
    path.with_suffix(".json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(ConfigError, match="cuda:99"):
        load(path)
    here = load(path, device="cpu")
    np.testing.assert_array_equal(here.predict_proba(FEW), method.predict_proba(FEW))


def test_cuda_is_never_quietly_the_cpu() -> None:
    if torch.cuda.is_available():
        assert resolve_device("cuda").type == resolve_device("auto").type == "cuda"
        return
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"device 'cuda' cannot be used here"):
        Linear(device="cuda").fit(VECTORS)


@pytest.fixture
def ready() -> Linear:
    method = Linear()
    method._begin(VECTORS)
    return method


@pytest.mark.parametrize(("n", "size"), [(20, 7), (21, 7), (7, 7), (5, 1)])
def test_an_epoch_holds_each_row_at_most_once(ready: Linear, n: int, size: int) -> None:
    batches = list(ready._batches(n, size, 3))
    assert len(batches) == 3 * (n // size)
    epochs = torch.stack(batches).view(3, -1)
    for rows in epochs.tolist():
        assert len(rows) == len(set(rows)) == n - n % size
        assert set(rows) <= set(range(n))
    assert len({tuple(rows) for rows in epochs.tolist()}) == 3  # an order of its own each


def test_few_rows_are_drawn_with_replacement(ready: Linear) -> None:
    batches = list(ready._batches(3, 50, 2))
    assert [batch.shape for batch in batches] == [(50,), (50,)]
    assert set(torch.cat(batches).tolist()) == {0, 1, 2}


def test_batches_go_by_the_seed(ready: Linear) -> None:
    other = Linear()
    other._begin(VECTORS)
    ours, theirs = (torch.stack(list(m._batches(9, 3, 2))) for m in (ready, other))
    assert torch.equal(ours, theirs)
    other = Linear(random_state=1)
    other._begin(VECTORS)
    assert not torch.equal(ours, torch.stack(list(other._batches(9, 3, 2))))


def test_streams_of_different_purposes_are_different(ready: Linear) -> None:
    one, again, two = (torch.rand(3, generator=ready._stream(p)) for p in ("a", "a", "b"))
    assert torch.equal(one, again)
    assert not torch.equal(one, two)


def test_apply_is_batched_without_graph_and_in_evaluation_mode(
    ready: Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = ready._on_net(VECTORS)
    whole = ready._apply(ready.net_.train(), x)
    assert not ready.net_.training
    assert not whole.requires_grad
    monkeypatch.setattr(neural, "PREDICT_BATCH", 3)
    torch.testing.assert_close(ready._apply(ready.net_, x), whole, atol=1e-5, rtol=1e-5)


def test_data_of_another_shape_are_refused() -> None:
    method = Linear().fit(VECTORS)
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


@pytest.fixture(params=["highest", "high", "medium"])
def users_precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    ("precision", "inside"), [("fp32", "highest"), ("tf32", "high"), ("bf16", "high")]
)
def test_the_precision_is_given_back(
    users_precision: str, precision: Precision, inside: str
) -> None:
    method = Linear(precision=precision).fit(VECTORS)
    method.predict(VECTORS)
    assert torch.get_float32_matmul_precision() == users_precision
    with method._arithmetic():
        assert torch.get_float32_matmul_precision() == inside
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
    with pytest.raises(RuntimeError, match="on purpose"), method._arithmetic():
        raise RuntimeError("on purpose")
    assert torch.get_float32_matmul_precision() == users_precision
    assert not torch.is_autocast_enabled("cpu")


def test_fp32_is_fp32_in_convolutions_too(ready: Linear) -> None:
    with ready._arithmetic():
        assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("precision", "inside"), [("fp32", "highest"), ("tf32", "high")])
def test_an_update_is_in_the_precision_from_end_to_end(precision: Precision, inside: str) -> None:
    method = Linear(precision=precision).fit(VECTORS)
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic
    seen: list[object] = []

    @method._compiled
    def update(x: torch.Tensor) -> None:
        seen.append((len(x), torch.get_float32_matmul_precision()))
        seen.append((cudnn.allow_tf32, cudnn.deterministic))

    update(torch.zeros(3))
    assert seen == [(3, inside), (precision != "fp32", True)]
    assert before == (torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic)
