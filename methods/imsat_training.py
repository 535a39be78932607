"""One start of IMSAT: a net, what moves it, and the iterations it has been through."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from deep_em_bench.methods.nets.assignment import assignment_row
from deep_em_bench.methods.nets.consistency import InformationTerms, information_terms
from deep_em_bench.methods.nets.optimise import adam, descend
from deep_em_bench.methods.nets.starts import mutual_information

if TYPE_CHECKING:
    from deep_em_bench.methods.imsat import Imsat

__all__ = ["Training"]


class Training:
    """A net under training.

    Arguments:
        method: the estimator, for its hyper-parameters and batches.
        net: the classifier, ``(B, d)`` to logits ``(B, K)``.
        x: all points as the net is given them, ``(N, d)``.
        radius: length of each point's perturbation, ``(N,)``.
        stream: source of every draw, on the device of x.
    """

    rows: list[dict[str, Any]]
    """One an iteration, as in ``history_``."""
    labels: Tensor
    """Cluster of each point, ``(N,)``."""
    information: float
    """I(X; Y) = H(Y) - H(Y | X) on all points, in nats, as the net is now."""

    def __init__(
        self, method: Imsat, net: nn.Module, x: Tensor, radius: Tensor, stream: torch.Generator
    ) -> None:
        self.method, self.net, self.x, self.radius, self.stream = method, net, x, radius, stream
        # A CUDA graph reads its learning rate from memory.
        lr = torch.tensor(method.lr, device=x.device) if method._graphs else method.lr
        self.optimizer = adam(net.parameters(), lr, betas=(0.9, 0.999))
        a_pass = max(1, len(x) // method.batch_size)
        self.updates = a_pass * max(method.epochs, -(-method.steps // a_pass))
        self.batches = self._endless()
        self.rows = []
        self._look()

    def iterate(self) -> dict[str, Any]:
        """One iteration of updates; its row, which is also added to ``rows``."""
        started = time.perf_counter()
        means = torch.zeros(3, device=self.x.device)

        @self.method._compiled
        def update(rows: Tensor) -> None:
            terms = self.terms(self.x[rows], self.radius[rows])
            descend(self.optimizer, self.loss(terms))
            parts = (terms.divergence, terms.marginal_entropy, terms.conditional_entropy)
            means.add_(torch.stack(parts).detach() / self.updates)

        done = len(self.rows) * self.updates
        for step in range(done, done + self.updates):
            self._set_rate(self.rate(step))
            update(next(self.batches))
        previous = self.labels
        w = self._look()
        divergence, marginal, conditional = means.tolist()
        row = {
            "iteration": len(self.rows) + 1,
            "divergence": divergence,
            "marginal_entropy": marginal,
            "conditional_entropy": conditional,
            "mutual_information": self.information,
            **assignment_row(w, previous),
            "seconds": time.perf_counter() - started,
        }
        self.rows.append(row)
        return row

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def terms(self, x: Tensor, radius: Tensor) -> InformationTerms:
        """What the loss is made of, for a batch."""
        self.net.train()

        def perturbed(points: Tensor) -> Tensor:
            with _keeping_statistics(self.net):
                return self.net(points)

        with self.method._arithmetic():
            return information_terms(
                self.net, x, radius, self.stream, perturbed=perturbed, probe=self.method.probe
            )

    def loss(self, terms: InformationTerms) -> Tensor:
        """The divergence, less lambda (mu H(Y) - H(Y | X)) with H(Y) under its bound."""
        method = self.method
        bound = method.entropy_bound * math.log(method.n_clusters)
        marginal = terms.marginal_entropy.clamp_max(bound)
        return terms.divergence + method.information * (
            terms.conditional_entropy - method.marginal_entropy * marginal
        )

    def rate(self, step: int) -> float:
        """The learning rate of update ``step`` of all."""
        if self.method.lr_schedule == "constant":
            return self.method.lr
        return self.method.lr * (1 - step / (self.method.max_iter * self.updates))

    def _look(self) -> Tensor:
        """Responsibilities of all points, ``(N, K)``; what follows from them is kept."""
        w = self.method._apply(self.net, self.x).softmax(dim=1)
        self.labels = w.argmax(dim=1)
        self.information = mutual_information(w)
        return w

    def _endless(self) -> Iterator[Tensor]:
        for _ in itertools.count():
            yield from self.method._batches(len(self.x), self.method.batch_size, 1)


@contextlib.contextmanager
def _keeping_statistics(net: nn.Module) -> Iterator[None]:
    """Batch norm by the batch's own statistics, which do not enter the running ones."""
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm1d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
