"""GANMM's M-step with all K GANs as one batched model, held against the loop over K of them.

Both start from the same weights and see the same rows and noise, so that their parameters can be
compared after a number of updates.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

import methods
from methods.ganmm import Ganmm
from methods.ganmm_clusters import ClusterBatches
from methods.ganmm_steps import Gans

__all__ = ["EnsembleComparison", "ganmm", "rendered"]


@dataclass(frozen=True, kw_only=True)
class EnsembleComparison:
    """The batched model against the loop."""

    network: str
    loop_ms: float
    """Of one update of all generators and its five of all critics; the median over rounds."""
    batched_ms: float
    ratio: float
    """Times the loop's speed; the median over rounds of pairs run one after the other."""
    difference: float
    """Largest absolute difference of a parameter after as many updates of the generators."""
    steps: int


def ganmm(
    *,
    n_clusters: int = 10,
    network: str = "mlp",
    preset: str = "paper",
    optimizer: str = "adam",
    device: str = "cpu",
    width: float = 1.0,
    steps: int = 20,
    rounds: int = 5,
) -> EnsembleComparison:
    """M-steps on vectors of 19 columns (``mlp``) or images 28x28 (``conv``) in equal clusters."""
    rng = np.random.default_rng(0)
    shape = (600, 1, 28, 28) if network == "conv" else (600, 19)
    X = rng.random(shape, dtype=np.float32)

    def m_step(ensemble: str, updates: int) -> tuple[float, dict[str, torch.Tensor]]:
        method = methods.create(
            "ganmm",
            preset,
            n_clusters=n_clusters,
            network=network,
            optimizer=optimizer,
            device=device,
            width=width,
            ensemble=ensemble,
        )
        assert isinstance(method, Ganmm)
        data = method._begin(X)
        gans = Gans(method, data, method._generator)
        labels = torch.arange(len(data), device=data.device) % n_clusters
        w = torch.nn.functional.one_hot(labels, n_clusters).float()
        batches = ClusterBatches(labels, w, 0.0, "top", method._generator)
        _synchronise(data.device)
        started = time.perf_counter()
        gans.train(batches, updates)
        _synchronise(data.device)
        seconds = time.perf_counter() - started
        parts = (("G", method.G_), ("D", method.D_))
        state = {f"{name}.{k}": v for name, net in parts for k, v in net.state_dict().items()}
        return seconds, state

    for ensemble in ("loop", "batched"):  # first calls allocate and choose algorithms
        m_step(ensemble, 2)
    times: dict[str, list[float]] = {"loop": [], "batched": []}
    difference = 0.0
    for _ in range(rounds):
        states = {}
        for ensemble, held in times.items():
            seconds, states[ensemble] = m_step(ensemble, steps)
            held.append(1000 * seconds / steps)
        gaps = [(states["loop"][k] - states["batched"][k]).abs().max() for k in states["loop"]]
        difference = max(difference, float(max(gaps)))
    loop, batched = np.array(times["loop"]), np.array(times["batched"])
    return EnsembleComparison(
        network=network,
        loop_ms=float(np.median(loop)),
        batched_ms=float(np.median(batched)),
        ratio=float(np.median(loop / batched)),
        difference=difference,
        steps=steps,
    )


def rendered(row: EnsembleComparison) -> str:
    """The comparison as a table of fixed width."""
    return (
        f"{'nets':5} {'loop ms':>8} {'batched ms':>11} {'x loop':>7}  parameters differ by\n"
        f"{row.network:5} {row.loop_ms:8.2f} {row.batched_ms:11.2f} {row.ratio:7.2f}  "
        f"{row.difference:.1e} after {row.steps} updates"
    )


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
