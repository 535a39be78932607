"""IMSAT: a classifier trained to be sure, balanced, and stable under small perturbations."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row
from deep_em_bench.methods.nets.consistency import (
    InformationTerms,
    information_terms,
    neighbour_distance,
)
from deep_em_bench.methods.nets.networks import initialise
from deep_em_bench.methods.nets.optimise import adam, descend
from deep_em_bench.methods.nets.projection import Projection
from deep_em_bench.methods.nets.runtime import Runtime
from deep_em_bench.methods.nets.starts import mutual_information
from deep_em_bench.methods.neural import NeuralMethod
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NeuralParameters,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["Imsat", "ImsatParameters", "Training"]

PRESETS = {
    "paper": Preset(
        title="IMSAT, as printed",
        source="Hu et al., Learning discrete representations via information maximizing "
        "self-augmented training, sections 3, 4.1 and the released code",
        params={
            "max_iter": 50,
            "epochs": 1,
            "steps": 0,
            "n_init": 1,
            "batch_size": 250,
            "lr": 2e-3,
            "lr_schedule": "constant",
            "hidden": (1200, 1200),
            "information": 0.1,
            "marginal_entropy": 4.0,
            "entropy_bound": 0.99,
            "radius": 0.25,
            "radius_unit": "distance",
            "probe": 10.0,
            "n_components": None,
            "image_range": "symmetric",
            "hidden_std": 0.1,
            "last_std": 1e-4,
            "tol": 0.0,
        },
        deviations=(
            "the bound on the marginal entropy is a hinge, under which its weight stays 4",
            "the fit ends early if three passes in a row change no label",
            "above 10,000 rows the neighbours are sought among 10,000 of them",
        ),
    ),
    "stable": Preset(
        title="IMSAT, most informative of four starts",
        source="ours: principal components and smaller nets, four starts of which the one of the "
        "largest mutual information goes on, a learning rate that falls to 0, and no bound on the "
        "marginal entropy",
    ),
}


@hyperparameters
class ImsatParameters(NeuralParameters):
    """The hyper-parameters of IMSAT."""

    max_iter: Count = parameter(20, "maximum number of iterations, each a row of the history")
    epochs: Count = parameter(1, "passes over the data in an iteration")
    steps: Count = parameter(100, "least updates of an iteration; passes are added to reach it")
    n_init: Positive = parameter(4, "starts; only that of the largest mutual information goes on")
    init_iter: Positive = parameter(3, "iterations of each start before one is chosen")
    tol: Fraction = parameter(1e-3, "largest share of labels that a stationary iteration changes")
    patience: Positive = parameter(3, "stationary iterations in a row that end the fit")
    batch_size: BatchSize = parameter(200, "rows of every update")
    lr: NonNegative = parameter(1e-3, "learning rate of Adam")
    lr_schedule: Literal["constant", "linear"] = parameter(
        "linear", "linear: the learning rate falls to 0 at the end of max_iter"
    )
    n_components: Positive | None = parameter(
        50, "principal components that the net sees; None or too many: the data as they are"
    )
    hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes; batch norm after each")
    hidden_std: NonNegative = parameter(
        0.1, "standard deviation of first hidden weights, times the root of fan-in"
    )
    last_std: NonNegative = parameter(
        1e-3, "standard deviation of the last layer's first weights, times the root of fan-in"
    )
    information: NonNegative = parameter(0.1, "weight lambda of the mutual information")
    marginal_entropy: NonNegative = parameter(4.0, "weight mu of H(Y) in it")
    entropy_bound: Fraction = parameter(1.0, "share of log K above which H(Y) has no gradient")
    radius: NonNegative = parameter(3.5, "length of the perturbation r, in units of radius_unit")
    radius_unit: Literal["distance", "coordinate"] = parameter(
        "coordinate", "distance: to a point's 10th neighbour; coordinate: that over sqrt(D)"
    )
    probe: NonNegative | None = parameter(
        None, "length xi of the random start in the search for r's direction; None: that of r"
    )
    image_range: Literal["unit", "symmetric"] = parameter(
        "unit", "grey images as the net sees them: unit: [0, 1]; symmetric: [-1, 1]"
    )


@register("imsat", title="IMSAT", version=1, presets=PRESETS)
@hyperparameters
class Imsat(ImsatParameters, NeuralMethod):
    r"""Information maximising self-augmented training (Hu, Miyato, Tokui, Matsumoto and Sugiyama).

    A classifier :math:`p(y \mid x)` is trained on

    .. math::
        E_x KL(p(y \mid x) \,\|\, p(y \mid x + r)) - \lambda (\mu H(Y) - H(Y \mid X))

    where r is the worst perturbation of a length that is each point's own (virtual adversarial
    training). The first term asks for smoothness around each point, the second is the mutual
    information of points and clusters. The defaults are the preset ``stable``.
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Minimise the loss on ``X``; ``y`` is ignored."""
        x = self._project(self._begin(X))
        runtime = self._runtime
        radius = self.radius * neighbour_distance(x, runtime.generator)  # (N,)
        if self.radius_unit == "coordinate":
            radius /= x[0].numel() ** 0.5
        nets = [self.net_, *(runtime.compile_net(self._net(i)) for i in range(1, self.n_init))]
        starts = [Training(self, net, x, radius, runtime) for net in nets]
        if self.n_init > 1:
            for start in starts:
                for _ in range(min(self.init_iter, self.max_iter)):
                    start.iterate()
        self.start_information_ = [start.information for start in starts]
        best = max(starts, key=lambda start: np.nan_to_num(start.information, nan=-np.inf))
        self.net_ = best.net

        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)
        for iteration in range(self.max_iter):
            if iteration == len(best.rows):
                best.iterate()
            row = best.rows[iteration]
            self._record(row)
            # The iterations of the choice are done for every start, stationary or not.
            self.converged_ = standstill.reached(row) and iteration + 1 == len(best.rows)
            if self.converged_:
                break
        self.n_iter_ = len(self.history_)
        self.labels_ = best.labels.cpu().numpy()
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities, ``(N, K)`` float32."""
        x = self._incoming(X)
        whole = nn.Sequential(self.projection_, self.net_)
        return self._runtime.apply(whole, x).softmax(dim=1).cpu().numpy()

    def _project(self, x: Tensor) -> Tensor:
        """``x`` on its principal components, fitted here, or as it is."""
        if isinstance(self.projection_, Projection):
            self.projection_.find(x, self._runtime.seed("components"))
        return self._runtime.apply(self.projection_, x)

    def _on_net(self, X: np.ndarray) -> Tensor:
        data = super()._on_net(X)
        grey = len(self.shape_) == 3 and self.shape_[0] == 1
        return 2 * data - 1 if grey and self.image_range == "symmetric" else data

    def _nets(self) -> dict[str, nn.Module]:
        return {"projection": self.projection_, "net": self.net_}

    def _build(self) -> None:
        columns, d_in = self._columns()
        self.projection_ = Projection(columns, d_in) if d_in < columns else nn.Flatten()
        self.projection_.to(self._runtime.device)
        self.net_ = self._net(0)

    def _columns(self) -> tuple[int, int]:
        """Columns of the data, and of what the net sees."""
        columns = math.prod(self.shape_)
        return columns, min(columns, self.n_components or columns)

    def _net(self, start: int) -> nn.Module:
        """The classifier with the first weights of a start."""
        _, d_in = self._columns()
        layers: list[nn.Module] = []
        with torch.device("meta"):
            for size in self.hidden:
                layers += [nn.Linear(d_in, size), nn.BatchNorm1d(size), nn.ReLU()]
                d_in = size
            net = nn.Sequential(*layers, nn.Linear(d_in, self.n_clusters))
        stream = self._runtime.weights_stream(f"start {start}")
        net = initialise(net, stream, self._runtime.device, std=1.0)
        linear = [part for part in net.modules() if isinstance(part, nn.Linear)]
        with torch.no_grad():
            for layer in linear:
                std = self.last_std if layer is linear[-1] else self.hidden_std
                layer.weight.mul_(std / layer.in_features**0.5)
        return net


class Training:
    """One start of IMSAT: a net under training.

    Arguments:
        settings: the hyper-parameters.
        net: the classifier, ``(B, d)`` to logits ``(B, K)``.
        x: all points as the net sees them, ``(N, d)``.
        radius: length of each point's perturbation, ``(N,)``.
        runtime: where and how the net is trained.
    """

    rows: list[dict[str, Any]]
    """Its history, a row for each iteration."""
    labels: Tensor
    """Cluster of each point, ``(N,)``."""
    information: float
    """I(X; Y) = H(Y) - H(Y | X) of all points, in nats, as the net is now."""

    def __init__(
        self,
        settings: ImsatParameters,
        net: nn.Module,
        x: Tensor,
        radius: Tensor,
        runtime: Runtime,
    ) -> None:
        self.settings, self.net, self.x, self.radius = settings, net, x, radius
        self.runtime = runtime
        # A CUDA graph reads its learning rate from memory.
        lr = torch.tensor(settings.lr, device=x.device) if runtime.graphs else settings.lr
        self.optimizer = adam(net.parameters(), lr, betas=(0.9, 0.999))
        a_pass = max(1, len(x) // settings.batch_size)
        self.updates = a_pass * max(settings.epochs, -(-settings.steps // a_pass))
        self.batches = self._endless()
        self.rows = []
        self._assign()

    def iterate(self) -> dict[str, Any]:
        """One iteration of updates; its row, which is also added to ``rows``."""
        started = time.perf_counter()
        means = torch.zeros(3, device=self.x.device)

        @self.runtime.compile_update
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
        w = self._assign()
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

    def terms(self, x: Tensor, radius: Tensor) -> InformationTerms:
        """The terms of the loss, for a batch."""
        self.net.train()

        def perturbed(points: Tensor) -> Tensor:
            with _keeping_statistics(self.net):
                return self.net(points)

        with self.runtime.arithmetic():
            return information_terms(
                self.net,
                x,
                radius,
                self.runtime.generator,
                perturbed=perturbed,
                probe=self.settings.probe,
            )

    def loss(self, terms: InformationTerms) -> Tensor:
        """The divergence, less lambda (mu H(Y) - H(Y | X)) with H(Y) under its bound."""
        settings = self.settings
        bound = settings.entropy_bound * math.log(settings.n_clusters)
        marginal = terms.marginal_entropy.clamp_max(bound)
        return terms.divergence + settings.information * (
            terms.conditional_entropy - settings.marginal_entropy * marginal
        )

    def rate(self, step: int) -> float:
        """The learning rate of update ``step``, counted over all iterations."""
        if self.settings.lr_schedule == "constant":
            return self.settings.lr
        return self.settings.lr * (1 - step / (self.settings.max_iter * self.updates))

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _assign(self) -> Tensor:
        """Responsibilities of all points, ``(N, K)``; labels and information follow from them."""
        w = self.runtime.apply(self.net, self.x).softmax(dim=1)
        self.labels = w.argmax(dim=1)
        self.information = mutual_information(w)
        return w

    def _endless(self) -> Iterator[Tensor]:
        while True:
            yield from self.runtime.batches(len(self.x), self.settings.batch_size, 1)


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
