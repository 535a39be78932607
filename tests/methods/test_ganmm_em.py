"""GANMM (EM): assignment by the critics, and the early convergence that the paper derives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.ganmm.em import GanmmEm
from deep_em_bench.methods.ganmm.networks import generate
from tests.methods.small_ganmm import BLOBS, FEW, ganmm, ganmm_em

CAPABLE: dict[str, Any] = {
    # GANs of more than enough capacity for a dozen points.
    "max_iter": 4,
    "pretrain_steps": 200,
    "m_steps": 30,
    "critic_steps": 5,
    "g_lr": 1e-3,
    "d_lr": 1e-3,
    "hidden": (64, 64),
    "noise_dim": 8,
    "scaling": "standard",
}


def cloud(n: int = 24) -> np.ndarray:
    """One Gaussian: any division of it into parts is as good as any other."""
    return np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)


def test_labels_stop_changing_after_one_iteration() -> None:
    # Section 3: argmax p(z | D, theta_1) = argmax p(z | D, theta_0), so the fit has converged.
    method = ganmm_em(**CAPABLE, patience=2).fit(cloud(12))
    assert [row["churn"] for row in method.history_][1:] == [0.0] * (method.n_iter_ - 1)
    assert method.converged_
    assert method.n_iter_ <= 3
    assert method.history_[-1]["shares"] == pytest.approx([1 / 3] * 3)  # the random equal start


def test_with_epsilon_they_go_on_changing() -> None:
    weak = {"e_steps": 20, "e_lr": 5e-3, "epsilon": (0.5,), "epsilon_ends": ()}
    method = ganmm(**{**CAPABLE, "pretrain_steps": 50}, **weak).fit(cloud())
    churn = [row["churn"] for row in method.history_]
    assert churn[0] > 0.1
    assert sum(churn[1:]) > 0


def test_responsibilities_are_a_softmax_over_the_critics() -> None:
    method = ganmm_em().fit(FEW)
    x = method._incoming(FEW)
    with torch.no_grad():
        values = torch.stack([D(x[None])[0, :, 0] for D in _critics(method)], dim=1)
    values = values - torch.from_numpy(method.offset_)
    np.testing.assert_allclose(method.predict_proba(FEW), values.softmax(dim=1), atol=1e-5)


def _critics(method: GanmmEm) -> list[torch.nn.Module]:
    loop = ganmm_em(ensemble="loop")
    loop._begin(FEW)
    loop.D_.load_state_dict(method.D_.state_dict())
    return loop.D_.eval().groups()


def test_a_critic_has_mean_0_on_its_own_fakes() -> None:
    method = ganmm_em(critic_offset="fakes").fit(BLOBS)
    z = torch.randn(3, 4000, 4, generator=torch.Generator().manual_seed(0))
    x = generate(method.G_, z, method._runtime)
    with torch.no_grad():
        values = method.D_(x).mean(dim=(1, 2)).numpy()
    assert method.offset_.any()
    np.testing.assert_allclose(method.offset_, values, atol=0.05 * float(values.std()) + 0.01)
    assert not ganmm_em(critic_offset="as_trained").fit(BLOBS).offset_.any()


def test_labels_are_those_of_the_critics_as_they_are_left() -> None:
    method = ganmm_em(max_iter=3).fit(FEW)
    assert method.labels_.tolist() == method.predict(FEW).tolist()
    shares = np.bincount(method.labels_, minlength=3) / 40
    assert method.history_[-1]["shares"] == pytest.approx(shares)
    assert method.phi_ == pytest.approx(shares)


@pytest.mark.parametrize("K", [1, 12, 30])
def test_any_number_of_clusters(K: int) -> None:
    method = ganmm_em(K).fit(BLOBS[:30])
    assert method.predict_proba(BLOBS).shape == (300, K)
    assert method.sample(3, component=K - 1)[0].shape == (3, 2)


def test_a_cluster_that_loses_all_its_points_has_its_most_probable_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = torch.tensor([0.8, 0.1, 0.1]).repeat(40, 1)
    w[7, 1] = w[9, 2] = 0.2
    monkeypatch.setattr(GanmmEm, "_responsibilities", lambda method, data: w)
    drawn: list[list[list[int]]] = []
    draw = ClusterBatches.draw

    def watched(batches: ClusterBatches, *sizes: int) -> torch.Tensor:
        rows = draw(batches, *sizes)
        drawn.append([sorted(set(rows[:, k].flatten().tolist())) for k in (1, 2)])
        return rows

    monkeypatch.setattr(ClusterBatches, "draw", watched)
    method = ganmm_em(pretrain_steps=0).fit(FEW)
    assert drawn == [[[7], [9]]] * len(drawn)
    assert [row["shares"] for row in method.history_] == [[1.0, 0.0, 0.0]] * 2
    assert method.phi_.tolist() == [1.0, 0.0, 0.0]
    assert np.isfinite(method.sample(9, component=2)[0]).all()
