"""IMSAT: a classifier that is sure, balanced, and blind to the worst small perturbation."""

from __future__ import annotations

import math
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from deep_em_bench.core import derive_seed
from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.imsat_training import Training
from deep_em_bench.methods.nets.assignment import Standstill
from deep_em_bench.methods.nets.consistency import neighbour_distance
from deep_em_bench.methods.nets.networks import initialise
from deep_em_bench.methods.nets.projection import Projection
from deep_em_bench.methods.neural import NeuralMethod
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["Imsat"]

PRESETS = {
    "paper": Preset(
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
        source="ours: principal components and smaller nets, four starts of which the one of the "
        "largest mutual information goes on, a learning rate that falls to 0, and no bound on the "
        "marginal entropy"
    ),
}


@register("imsat", title="IMSAT", version=1, presets=PRESETS)
@hyperparameters
class Imsat(NeuralMethod):
    r"""Information maximising self-augmented training (Hu, Miyato, Tokui, Matsumoto and Sugiyama).

    A classifier :math:`p(y \mid x)` is trained on

    .. math::
        E_x KL(p(y \mid x) \,\|\, p(y \mid x + r)) - \lambda (\mu H(Y) - H(Y \mid X))

    r being the worst perturbation of a length that is each point's own (virtual adversarial
    training): the mutual information of points and clusters, and smoothness around each point.

    The defaults, the preset ``stable``, depart from the paper in this: the net sees 50 principal
    components and is smaller, its last layer starts from larger weights, and grey images stay in
    [0, 1]; of four starts the one of the largest mutual information goes on; batches have 200 rows
    in place of 250; the learning rate begins at 1e-3 in place of 2e-3 and falls to 0; r has one
    length for a coordinate, whatever their number, and its direction is sought at that length; the
    marginal entropy has no bound; a fit that stands still ends.
    """

    max_iter: Count = parameter(20, "budget of iterations, each a row of ``history_``")
    epochs: Count = parameter(1, "passes over the data in an iteration")
    steps: Count = parameter(
        100, "minimum number of updates in an iteration; passes are added until it is reached"
    )
    n_init: Positive = parameter(
        4, "number of starts, of which only the one of the largest mutual information goes on"
    )
    init_iter: Positive = parameter(3, "iterations after which that start is chosen")
    tol: Fraction = parameter(
        1e-3, "an iteration is stationary if at most this share of labels changes"
    )
    patience: Positive = parameter(
        3, "stationary iterations in a row after which the fit has converged"
    )
    batch_size: BatchSize = parameter(200, "of every update")
    lr: NonNegative = parameter(1e-3, "learning rate of Adam")
    lr_schedule: Literal["constant", "linear"] = parameter(
        "linear", "``linear``: falls to 0 at the end of the budget"
    )
    n_components: Positive | None = parameter(
        50,
        "principal components that the net is given in place of the data; None, or no fewer than "
        "there are columns: the data as they are",
    )
    hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes; batch norm after each")
    hidden_std: NonNegative = parameter(
        0.1, "standard deviation of the first weights times the root of fan-in"
    )
    last_std: NonNegative = parameter(
        1e-3, "standard deviation of the first weights times the root of fan-in"
    )
    information: NonNegative = parameter(0.1, "lambda")
    marginal_entropy: NonNegative = parameter(4.0, "mu")
    entropy_bound: Fraction = parameter(
        1.0, "share of log K above which H(Y) is not pushed further"
    )
    radius: NonNegative = parameter(3.5, "length of r in units of ``radius_unit``")
    radius_unit: Literal["distance", "coordinate"] = parameter(
        "coordinate",
        "``distance``, a point's distance to its 10th neighbour; ``coordinate``, that distance "
        "over the square root of D",
    )
    probe: NonNegative | None = parameter(
        None,
        "xi, the length of the random start of the power iteration that finds the direction of "
        "r; None: the length of r",
    )
    image_range: Literal["unit", "symmetric"] = parameter(
        "unit", "of one-channel images in the net: [0, 1], or symmetric, [-1, 1]"
    )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Minimise the loss on ``X``; ``y`` is ignored."""
        x = self._project(self._begin(X))
        radius = self.radius * neighbour_distance(x, self._generator)  # (N,)
        if self.radius_unit == "coordinate":
            radius /= x[0].numel() ** 0.5
        nets = [self.net_, *(self._compile(self._net(i)) for i in range(1, self.n_init))]
        starts = [Training(self, net, x, radius, self._generator) for net in nets]
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
            # The first iterations are done for every start, whether they stand still or not.
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
        return self._apply(whole, x).softmax(dim=1).cpu().numpy()

    def _project(self, x: Tensor) -> Tensor:
        """Find the principal components of ``x``, where they are asked for; x by them."""
        if isinstance(self.projection_, Projection):
            seed = derive_seed(self.random_state, "components")
            self.projection_.find(x, seed)
        return self._apply(self.projection_, x)

    def _on_net(self, X: np.ndarray) -> Tensor:
        data = super()._on_net(X)
        grey = len(self.shape_) == 3 and self.shape_[0] == 1
        return 2 * data - 1 if grey and self.image_range == "symmetric" else data

    def _nets(self) -> dict[str, nn.Module]:
        return {"projection": self.projection_, "net": self.net_}

    def _build(self) -> None:
        columns = math.prod(self.shape_)
        d_in = min(columns, self.n_components or columns)
        projected = d_in < columns
        self.projection_ = Projection(columns, d_in) if projected else nn.Flatten()
        self.projection_.to(self._device)
        self.net_ = self._net(0)

    def _net(self, start: int) -> nn.Module:
        """The classifier with its first weights."""
        columns = math.prod(self.shape_)
        d_in = min(columns, self.n_components or columns)
        layers: list[nn.Module] = []
        with torch.device("meta"):
            for size in self.hidden:
                layers += [nn.Linear(d_in, size), nn.BatchNorm1d(size), nn.ReLU()]
                d_in = size
            net = nn.Sequential(*layers, nn.Linear(d_in, self.n_clusters))
        stream = self._stream(f"weights of start {start}", torch.device("cpu"))
        net = initialise(net, stream, self._device, std=1.0)
        linear = [part for part in net.modules() if isinstance(part, nn.Linear)]
        with torch.no_grad():
            for layer in linear:
                std = self.last_std if layer is linear[-1] else self.hidden_std
                layer.weight.mul_(std / layer.in_features**0.5)
        return net
