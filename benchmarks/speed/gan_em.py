"""GAN-EM's M-step, compared with a literal loop as in the released code.

Both start from the same weights and see the same batches, components and noise, so that their
losses can be compared: those of the first batch to the last digits of float32, later ones as far
as training does not amplify rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from deep_em_bench import methods
from deep_em_bench.benchmarks.speed.timing import timed
from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.gan_em.steps import Training, mixing_proportions

__all__ = ["Comparison", "gan_em", "rendered"]


Variants = Sequence[tuple[str, dict[str, object]]]

ON_A_CPU: Variants = (("fp32", {}), ("bf16", {"precision": "bf16"}))
ON_A_GPU: Variants = (
    ("fp32", {}),
    ("tf32", {"precision": "tf32"}),
    ("bf16", {"precision": "bf16"}),
    ("graph fp32", {"compile": True}),
    ("graph tf32", {"compile": True, "precision": "tf32"}),
    ("graph bf16", {"compile": True, "precision": "bf16"}),
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One path against the reference."""

    path: str
    images_per_s: float
    """Real images a second of the M-step."""
    ratio: float
    """Speed as a multiple of the reference's; the median over rounds of pairs run in turn."""
    first_difference: float
    """Largest relative difference of the first batch's D and G losses from the reference's."""
    mean_difference: float
    """The same of the means over all batches, where training has amplified rounding."""


def gan_em(
    *,
    n: int | None = None,
    network: str = "conv",
    device: str = "cpu",
    rounds: int = 3,
    variants: Variants | None = None,
) -> list[Comparison]:
    """M-steps of the released recipe (batch 70, MNIST nets) on ``n`` images a round.

    On a GPU there are more images by default, and CUDA graphs among the variants.
    """
    on_gpu = device.startswith("cuda")
    n = n or (14_000 if on_gpu else 2_100)
    variants = variants or (ON_A_GPU if on_gpu else ON_A_CPU)
    X = np.random.default_rng(0).random((n, 1, 28, 28), dtype=np.float32)
    fixed = {"device": device, "network": network, "m_epochs": 1, "hidden": (1024, 1024)}

    def make(**params: object) -> GanEm:
        method = methods.create("gan_em", "official", **{**fixed, **params})
        assert isinstance(method, GanEm)
        return method

    warm, results = make(), []
    _fast(warm, X[:140])
    _reference(warm, X[:140])
    for path, params in variants:
        ratios, fast_seconds, gaps = [], [], []
        one = X[: make().batch_size]
        first = _gap(_fast(make(**params), one)[1], _reference(make(), one)[1])
        for _ in range(rounds):
            reference_s, reference_loss = _reference(make(), X)
            fast_s, fast_loss = _fast(make(**params), X)
            ratios.append(reference_s / fast_s)
            fast_seconds.append(fast_s)
            gaps.append(_gap(fast_loss, reference_loss))
        results.append(
            Comparison(
                path=path,
                images_per_s=n / float(np.median(fast_seconds)),
                ratio=float(np.median(ratios)),
                first_difference=first,
                mean_difference=max(gaps),
            )
        )
    return results


def rendered(rows: Sequence[Comparison]) -> str:
    """The comparison as a table of fixed width."""
    lines = [f"{'path':10} {'images/s':>9} {'x reference':>12}  loss differs by: 1st batch, mean"]
    lines += [
        f"{row.path:10} {row.images_per_s:9.0f} {row.ratio:12.2f} "
        f"{row.first_difference:27.1e} {row.mean_difference:9.1e}"
        for row in rows
    ]
    return "\n".join(lines)


def _fast(method: GanEm, X: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds and mean (D, G) losses of one M-step as ``GanEm`` does it."""
    data = method._begin(X)
    runtime = method._runtime
    e_net = ENet(method, runtime, method._builder(), method.E_, data)
    training = Training(method, runtime, method.G_, method.D_, e_net, data)
    w = e_net.responsibilities()
    return _measured(method, lambda: training.m_step(w, mixing_proportions(method, w)))


def _reference(method: GanEm, X: np.ndarray) -> tuple[float, np.ndarray]:
    """The same by a literal loop: a DataLoader, E and a second pass of G for every batch, noise
    from the host, losses fetched at every step."""
    method._begin(X)
    device, K = method._runtime.device, method.n_clusters
    G, D, E = method.G_, method.D_, method.E_
    d_optimizer = torch.optim.Adam(D.parameters(), lr=method.d_lr, betas=(0.5, 0.999))
    g_optimizer = torch.optim.Adam(G.parameters(), lr=method.g_lr, betas=(0.5, 0.999))
    stream = method._runtime.generator
    B = method.batch_size
    order = torch.randperm(len(X), generator=stream, device=device).cpu()
    images = TensorDataset(torch.from_numpy(X)[order])
    bce = nn.BCEWithLogitsLoss(reduction="none")

    def epoch() -> dict[str, float]:
        G.train()
        D.train()
        E.eval()
        d_total, g_total, steps = 0.0, 0.0, 0
        for (batch,) in DataLoader(images, batch_size=B, drop_last=True):
            first = torch.randint(K, (1,), generator=stream, device=device)
            c = ((torch.arange(B) + first.cpu()) % K).numpy()
            z = torch.rand(B, method.noise_dim, generator=stream, device=device).cpu().numpy()
            onehot = np.eye(K, dtype=np.float32)[c]
            latent = torch.from_numpy(np.concatenate([onehot, z], axis=1)).to(device)
            x = batch.to(device)
            with torch.no_grad():
                w = E(x).softmax(dim=1).cpu().numpy()

            real_target = torch.cat([torch.ones(B, K), torch.zeros(B, 1)], dim=1).to(device)
            weight = np.concatenate([w, np.full((B, 1), 2.0, np.float32)], axis=1)
            real = bce(D(x), real_target) * torch.from_numpy(weight).to(device)
            fake_target = torch.cat([torch.zeros(B, K), torch.ones(B, 1)], dim=1).to(device)
            fake = bce(D(G(latent).detach()), fake_target)
            d_loss = real.mean() + fake.mean()
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            d_total += d_loss.item()

            target = np.concatenate([onehot, np.zeros((B, 1), np.float32)], axis=1)
            g_loss = bce(D(G(latent)), torch.from_numpy(target).to(device)).mean()
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            g_total += g_loss.item()
            steps += 1
        return {"d_loss": d_total / steps, "g_loss": g_total / steps}

    return _measured(method, epoch)


def _measured(method: GanEm, m_step: Callable[[], dict[str, float]]) -> tuple[float, np.ndarray]:
    row, seconds = timed(m_step, method._runtime.device)
    return seconds, np.array([row["d_loss"], row["g_loss"]])


def _gap(ours: np.ndarray, reference: np.ndarray) -> float:
    return float(np.abs(ours / reference - 1).max())
