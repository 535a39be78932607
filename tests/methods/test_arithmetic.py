"""An update in lower precision, or compiled, is the update in fp32."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.nets.runtime import Runtime
from deep_em_bench.methods.parameters import Precision
from tests.methods import cases
from tests.methods.small import COLOUR, IMAGES, VECTORS

COMPILING = [c for c in cases.cases() if "compile" in cases.factory(c)().get_params(deep=False)]


ONE_STEP = {
    "max_iter": 1,
    "m_epochs": 1,
    "m_steps": 0,
    "e_steps": 1,
    "pretrain_epochs": 0,
    "pretrain_steps": 0,
    "e_batch_size": 16,
    "width": 0.1,
    "hidden": (16, 16),
    "noise_dim": 8,
    "init_std": None,
    "e_activation": "leaky_relu",
    "e_gain": 1.0,
    "e_last_std": None,
    "e_average": 0.0,
    "optimizer": "adam",
    "d_lr": 1e-3,
    "g_lr": 1e-3,
    "e_lr": 1e-3,
    "extra_unit": "official",
    "generator_loss": "official",
    "d_batch_norm": True,
    "e_batch_norm": "train",
    "consistency": 1.0,
    "marginal_entropy": 1.0,
    "conditional_entropy": 1.0,
    "consistency_radius": 5.0,
    "d_noise": 0.0,
    "e_noise": 0.0,
    "device": "cpu",
}


def first_step(X: np.ndarray, **params: Any) -> GanEm:
    """GAN-EM after one update of each net on one batch."""
    kinds = {"network": "conv" if X.ndim == 4 else "mlp"}
    chosen = {**ONE_STEP, **kinds, "batch_size": len(X), **params}
    return GanEm(3, **chosen).fit(X)


def assert_steps_agree(one: GanEm, other: GanEm, X: np.ndarray, tolerance: float) -> None:
    for loss in ("d_loss", "g_loss", "cross_entropy", "divergence"):
        a, b = one.history_[0][loss], other.history_[0][loss]
        assert a == pytest.approx(b, rel=tolerance, abs=tolerance), loss
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=tolerance)
    np.testing.assert_allclose(
        one.sample(9)[0], other.sample(9)[0], atol=tolerance, rtol=tolerance
    )


PLAIN = VECTORS[:, :1]


@pytest.mark.parametrize("X", [IMAGES, COLOUR, PLAIN], ids=["grey", "colour", "vectors"])
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 0.01), ("bf16", 0.05)])
def test_lower_precision_agrees_on_the_first_step(
    X: np.ndarray, precision: Precision, tolerance: float
) -> None:
    exact, rough = first_step(X), first_step(X, precision=precision)
    assert_steps_agree(exact, rough, X, tolerance)
    assert rough.predict_proba(X).dtype == np.float32
    parameters = [p for net in rough._nets().values() for p in net.parameters()]
    assert {p.dtype for p in parameters} == {torch.float32}
    if precision == "bf16":
        assert rough.history_[0]["d_loss"] != exact.history_[0]["d_loss"]


@pytest.mark.parametrize("case", COMPILING)
def test_an_update_goes_with_its_step(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the next collection of garbage: no CUDA graph may be freed in another's capture."""
    updates: list[weakref.ref[Callable[..., None]]] = []
    compile_update = Runtime.compile_update

    def noted(runtime: Runtime, update: Callable[..., None]) -> Callable[..., None]:
        compiled = compile_update(runtime, update)
        updates.append(weakref.ref(compiled))
        return compiled

    monkeypatch.setattr(Runtime, "compile_update", noted)
    collecting = gc.isenabled()
    gc.disable()
    try:
        method = cases.fit(cases.factory(case)(), cases.blobs())
        assert updates
        assert not [made for made in updates if made() is not None]
    finally:
        if collecting:
            gc.enable()
    assert method.n_iter_ > 0


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore")  # torch's compiler trips over warnings that are errors
@pytest.mark.usefixtures("fresh_compiler")
def test_every_net_is_handed_to_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Any] = []

    def keep(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=keep))
    compiled = first_step(PLAIN, compile=True)
    assert len(graphs) >= len(compiled._nets())
    assert_steps_agree(first_step(PLAIN), compiled, PLAIN, 1e-3)


@pytest.mark.skipif(
    not os.environ.get("DEEP_EM_BENCH_SLOW"),
    reason="compiles for over a minute: set DEEP_EM_BENCH_SLOW to run it",
)
@pytest.mark.skipif(
    not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")),
    reason="torch.compile needs a C++ compiler: none is on the path",
)
@pytest.mark.filterwarnings("ignore")  # as above
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("X", [IMAGES, PLAIN], ids=["grey", "vectors"])
def test_compiled_agrees_on_the_first_step(X: np.ndarray) -> None:
    from torch._dynamo.utils import counters

    counters.clear()
    compiled = first_step(X, compile=True)
    assert counters["stats"]["unique_graphs"] >= len(compiled._nets())
    assert_steps_agree(first_step(X), compiled, X, 1e-3)
