"""DEC: its target distribution, its steps against plain arithmetic, its presets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from deep_em_bench import methods
from deep_em_bench.methods import DivergenceError
from deep_em_bench.methods.dec import Dec, target_distribution
from deep_em_bench.methods.neural import NeuralMethod

SMALL: dict[str, Any] = {
    "max_iter": 30,
    "update_interval": 20,
    "batch_size": 32,
    "hidden": (32, 32),
    "n_components": 2,
    "layer_steps": 50,
    "finetune_steps": 150,
    "pretrain_lr": 3e-3,
    "n_init": 3,
    "device": "cpu",
}
KIND = np.arange(240) % 3
RNG = np.random.default_rng(0)
BLOBS = (np.array([[0, 0, 0], [5, 0, 5], [0, 5, 5]])[KIND] + RNG.normal(size=(240, 3))).astype(
    np.float32
)


def dec(**params: Any) -> Dec:
    return Dec(3, **{**SMALL, **params})


def accuracy(labels: np.ndarray) -> float:
    return sum(np.bincount(KIND[labels == i]).max() for i in set(labels.tolist())) / len(labels)


def test_the_target_of_three_points_by_hand() -> None:
    # f = (1.5, 1.5); q^2 / f = (.81, .01)/1.5, (.25, .25)/1.5, (.01, .81)/1.5.
    q = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    expected = torch.tensor([[81 / 82, 1 / 82], [0.5, 0.5], [1 / 82, 81 / 82]])
    torch.testing.assert_close(target_distribution(q), expected)
    # f = (1.6, 1.4): the row of equal halves leans to the smaller cluster, as 1.6 to 1.4.
    q = torch.tensor([[0.8, 0.2], [0.5, 0.5], [0.3, 0.7]])
    first = 0.64 / 1.6 / (0.64 / 1.6 + 0.04 / 1.4)
    last = 0.09 / 1.6 / (0.09 / 1.6 + 0.49 / 1.4)
    expected = torch.tensor([[first, 1 - first], [1.4 / 3, 1.6 / 3], [last, 1 - last]])
    torch.testing.assert_close(target_distribution(q), expected)


def test_a_target_is_a_distribution_and_sharper() -> None:
    q = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    p = target_distribution(q)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(50))
    assert torch.special.entr(p).sum() < torch.special.entr(q).sum()


def test_responsibilities_are_students_t_of_the_distances() -> None:
    method = dec(max_iter=2).fit(BLOBS)
    z = method.transform(BLOBS).astype(np.float64)
    mu = method.centers_.mu.detach().numpy().astype(np.float64)
    kernel = 1 / (1 + ((z[:, None] - mu) ** 2).sum(axis=2))
    expected = kernel / kernel.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(method.predict_proba(BLOBS), expected, atol=1e-6)


def test_the_gradient_is_that_of_equations_4_and_5() -> None:
    method = dec(max_iter=0).fit(BLOBS)
    x = method._incoming(BLOBS)
    z = method._runtime.apply(method.encoder_, x).double().requires_grad_()
    mu = method.centers_.mu.detach().double().requires_grad_()
    q = (-(z[:, None] - mu).square().sum(dim=2).log1p()).softmax(dim=1)
    p = target_distribution(q).detach()
    (p * (p / q).log()).sum().backward()
    off = z - mu[:, None]  # (K, N, d)
    weight = (2 * (p - q) / (1 + (off**2).sum(dim=2).T)).T[..., None]  # 2 = (alpha + 1) / alpha
    assert z.grad is not None
    assert mu.grad is not None
    torch.testing.assert_close(z.grad, (weight * off).sum(dim=0).detach())
    torch.testing.assert_close(mu.grad, -(weight * off).sum(dim=1).detach())


def test_an_update_follows_the_mean_loss_of_the_batch() -> None:
    """One step of plain gradient descent, the momentum still empty."""
    method = dec(max_iter=0, batch_size=240).fit(BLOBS)
    mu = method.centers_.mu.detach().double()
    z = method._runtime.apply(method.encoder_, method._incoming(BLOBS)).double()
    off = z - mu[:, None]
    q = method._assign(method._incoming(BLOBS)).double()
    p = target_distribution(q)
    gradient = -(2 * ((p - q) / (1 + (off**2).sum(dim=2).T)).T[..., None] * off).mean(dim=1)
    stepped = dec(max_iter=1, update_interval=1, batch_size=240, lr=0.1).fit(BLOBS)
    expected = (mu - 0.1 * gradient).float()
    torch.testing.assert_close(stepped.centers_.mu.detach(), expected, rtol=1e-4, atol=1e-5)


def test_the_target_is_of_all_data_and_made_anew_each_iteration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def counted(q: torch.Tensor) -> torch.Tensor:
        sizes.append(len(q))
        return target_distribution(q)

    monkeypatch.setattr("deep_em_bench.methods.dec.target_distribution", counted)
    dec(max_iter=3, tol=0.0).fit(BLOBS)
    assert sizes == [240] * 3


def test_blobs_are_found() -> None:
    method = dec().fit(BLOBS)
    assert accuracy(method.labels_) > 0.97
    assert method.converged_
    assert method.history_[-1]["churn"] < 1e-3
    assert all(row["churn"] >= 1e-3 for row in method.history_[:-1])


def test_sharpening_sharpens() -> None:
    history = dec(tol=0.0, max_iter=10).fit(BLOBS).history_
    assert len(history) == 10
    entropy = [row["responsibility_entropy"] for row in history]
    assert entropy[-1] < 0.75 * entropy[0]
    assert history[-1]["kl"] < history[0]["kl"]


def test_history_rows_say_what_happened() -> None:
    method = dec(max_iter=2, tol=0.0).fit(BLOBS)
    assert [row["iteration"] for row in method.history_] == [1, 2]
    for row in method.history_:
        assert sum(row["shares"]) == pytest.approx(1)
        assert row["kl"] >= 0
        assert 0 <= row["responsibility_entropy"] <= np.log(3)
        assert row["m_seconds"] > 0
        assert row["e_seconds"] > 0
    assert not method.converged_
    assert 0 < method.reconstruction_error_ < 1


def test_without_iterations_it_is_k_means_in_the_embedding() -> None:
    method = dec(max_iter=0).fit(BLOBS)
    assert method.history_ == []
    z = method.transform(BLOBS)
    mu = method.centers_.mu.detach().numpy()
    nearest = ((z[:, None] - mu) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(method.labels_, nearest)
    means = np.stack([z[nearest == i].mean(axis=0) for i in range(3)])
    np.testing.assert_allclose(mu, means, atol=1e-3)


def test_raw_starts_from_random_weights() -> None:
    raw = methods.create("dec", "raw", n_clusters=3, **{**SMALL, **RAW}).fit(BLOBS)
    assert isinstance(raw, Dec)
    assert raw.reconstruction_error_ > 0.5  # the decoder has learnt nothing
    assert accuracy(raw.labels_) > 0.5


RAW = {"layer_steps": 0, "finetune_steps": 0}


def test_presets_are_what_they_say() -> None:
    presets = methods.registry.get("dec").attributes["presets"]
    assert list(presets) == ["embedded", "raw", "stable"]
    assert {key: presets["raw"].params[key] for key in RAW} == RAW
    paper = methods.create("dec", "embedded").get_params()
    assert paper["hidden"] == (500, 500, 2000)
    assert (paper["n_components"], paper["n_init"], paper["batch_size"]) == (10, 20, 256)
    assert (paper["lr"], paper["update_interval"], paper["tol"]) == (0.01, 140, 1e-3)
    assert (paper["layer_steps"], paper["finetune_steps"]) == (50_000, 100_000)


def test_divergence_is_said() -> None:
    with pytest.raises(DivergenceError, match="kl"):
        dec(lr=1e30, max_iter=5).fit(BLOBS)


def test_bf16_learns_as_fp32_does() -> None:
    """Autocast keeps weights that it has cast: entered once, every pass would have the first."""
    full, half = (
        dec(precision=precision, max_iter=0, finetune_steps=400).fit(BLOBS)
        for precision in ("fp32", "bf16")
    )
    assert full.reconstruction_error_ < 0.5
    assert half.reconstruction_error_ == pytest.approx(full.reconstruction_error_, rel=0.1)


def test_it_counts_encoder_and_centres() -> None:
    method = dec(max_iter=0).fit(BLOBS)
    layers = 3 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2
    assert isinstance(method, NeuralMethod)
    assert method.n_parameters() == layers + 3 * 2
