"""GANMM's M-step with all K GANs as one batched model, compared with the loop over K of them.

Both start from the same weights and see the same rows and noise, so that their parameters can be
compared after a number of updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch

from deep_em_bench import methods
from deep_em_bench.benchmarks.speed.timing import timed
from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.ganmm.estimator import Ganmm
from deep_em_bench.methods.ganmm.steps import Gans
from deep_em_bench.methods.parameters import Precision

__all__ = ["ON_A_CPU", "ON_A_GPU", "EnsembleComparison", "ganmm", "rendered"]


class Way(TypedDict):
    """How both are computed; ``compile`` is for the batched model alone."""

    precision: Precision
    compile: bool


ON_A_CPU: Sequence[Way] = ({"precision": "fp32", "compile": False},)
ON_A_GPU: Sequence[Way] = (
    {"precision": "fp32", "compile": False},
    {"precision": "fp32", "compile": True},
    {"precision": "tf32", "compile": False},
    {"precision": "tf32", "compile": True},
    {"precision": "bf16", "compile": False},
    {"precision": "bf16", "compile": True},
)


@dataclass(frozen=True, kw_only=True)
class EnsembleComparison:
    """The batched model against the loop."""

    network: str
    precision: Precision
    """Of both."""
    loop_ms: float
    """Of one update of all generators and five of all critics; the median over rounds."""
    path: str
    """What is compared with the loop: the batched model, or that as CUDA graphs."""
    batched_ms: float
    ratio: float
    """Loop over batched time; the median over rounds, each a pair run one after the other."""
    difference: float
    """Largest absolute difference of a parameter after ``steps`` updates of the generators."""
    steps: int


def ganmm(
    *,
    n_clusters: int = 10,
    network: str = "mlp",
    preset: str = "paper",
    optimizer: str = "adam",
    device: str = "cpu",
    width: float = 1.0,
    precision: Precision = "fp32",
    compile: bool = False,
    steps: int = 20,
    rounds: int = 5,
) -> EnsembleComparison:
    """M-steps on vectors of 19 columns (``mlp``) or images 28x28 (``conv``) in equal clusters.

    ``compile`` is for the batched model alone: the loop is the reference.
    """
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
            precision=precision,
            compile=compile and ensemble == "batched",
        )
        assert isinstance(method, Ganmm)
        data = method._begin(X)
        stream = method._runtime.generator
        gans = Gans(method, method.G_, method.D_, data, method._runtime)
        labels = torch.arange(len(data), device=data.device) % n_clusters
        w = torch.nn.functional.one_hot(labels, n_clusters).float()
        batches = ClusterBatches(labels, w, 0.0, "top", stream)
        _, seconds = timed(lambda: gans.train(batches, updates), data.device)
        parts = (("G", method.G_), ("D", method.D_))
        state = {f"{name}.{k}": v for name, net in parts for k, v in net.state_dict().items()}
        return seconds, state

    for ensemble in ("loop", "batched"):  # first calls allocate and choose algorithms
        m_step(ensemble, 2)
    # A graph is captured for a whole M-step, not for the few updates that are compared.
    timed_updates = {"loop": steps, "batched": 10 * steps if compile else steps}
    times: dict[str, list[float]] = {"loop": [], "batched": []}
    difference = 0.0
    for _ in range(rounds):
        states = {}
        for ensemble, milliseconds in times.items():
            seconds, states[ensemble] = m_step(ensemble, steps)
            if timed_updates[ensemble] != steps:
                seconds, _ = m_step(ensemble, timed_updates[ensemble])
            milliseconds.append(1000 * seconds / timed_updates[ensemble])
        gaps = [(states["loop"][k] - states["batched"][k]).abs().max() for k in states["loop"]]
        difference = max(difference, float(max(gaps)))
    loop, batched = np.array(times["loop"]), np.array(times["batched"])
    return EnsembleComparison(
        network=network,
        precision=precision,
        path="graphs" if compile else "batched",
        loop_ms=float(np.median(loop)),
        batched_ms=float(np.median(batched)),
        ratio=float(np.median(loop / batched)),
        difference=difference,
        steps=steps,
    )


def rendered(rows: Sequence[EnsembleComparison]) -> str:
    """The comparisons as a table of fixed width."""
    head = f"{'nets':5} {'precision':9} {'path':8} {'loop ms':>8} {'ms':>8} {'x loop':>7}"
    lines = [f"{head}  parameters differ by"]
    lines += [
        f"{row.network:5} {row.precision:9} {row.path:8} {row.loop_ms:8.2f} {row.batched_ms:8.2f} "
        f"{row.ratio:7.2f}  {row.difference:.1e} after {row.steps} updates"
        for row in rows
    ]
    return "\n".join(lines)
