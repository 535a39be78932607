"""LeNet-5, trained on the labels of a data set of grey images by one recipe for all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deep_em_bench.core import DataError
from deep_em_bench.metrics.labelled import Labelled
from deep_em_bench.metrics.weights import Arrays, content_sha256, kept

__all__ = ["LeNet5", "trained"]

SIDE = 32
"""Side of the images after resizing; LeCun et al. 1998 pad theirs from 28."""

STEPS = 3000
BATCH = 128
RATE = 2e-3
SEED = 0

RECIPE = (
    f"LeNet-5 at {SIDE}x{SIDE}, ReLU, max-pool; He's initial weights, seed {SEED}; "
    f"Adam (.9, .999), rate {RATE} falling linearly to 0 over {STEPS} steps of {BATCH}; "
    f"cross entropy; features of root mean square 1 over the training images; form 2"
)
"""A part of every net's key: another recipe has other nets."""


class LeNet5(nn.Module):
    """LeCun et al. 1998, section II-B, in the form used today: ReLU, max-pooling, full maps.

    Input ``(B, 1, H, W)`` in [0, 1]. Output are the 84 features of layer f6 after its ReLU,
    divided by the number ``scale``, ``(B, 84)``, and logits ``(B, n_classes)``.
    """

    d = 84

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, self.d)
        self.f7 = nn.Linear(self.d, n_classes)
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[2:] != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=max(x.shape[2:]) > SIDE)
        x = F.max_pool2d(F.relu(self.c1(x)), 2)  # (B, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.c3(x)), 2)  # (B, 16, 5, 5)
        x = F.relu(self.c5(x)).flatten(1)  # (B, 120)
        features = F.relu(self.f6(x))
        return features / self.scale, self.f7(features)


def trained(data: Labelled, folders: Sequence[Path]) -> tuple[LeNet5, Arrays, float]:
    """The net for ``data``, its weights, and its accuracy on held-out images.

    It is read from ``folders``, or trained in about a minute of one core and kept there. Training
    runs on the CPU in one thread, so that one machine always gives the same weights, whatever the
    device and threads of the run; another processor may give slightly different ones. Raises
    ``DataError`` for images of more than one channel.
    """
    if data.X.ndim != 4 or data.X.shape[1] != 1:
        raise DataError(
            f"a LeNet cannot take data of shape {data.X.shape}; expected grey images (N, 1, H, W)"
        )
    with torch.device("meta"):
        net = LeNet5(data.n_classes)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    key = content_sha256(RECIPE, data.sha256())

    def make() -> tuple[Arrays, dict[str, float]]:
        with _one_thread():
            _train(net.to_empty(device="cpu"), data)
            return _arrays(net), {"accuracy": data.accuracy(lambda x: _classes(net, x))}

    arrays, facts = kept("lenet", key, folders, shapes, make)
    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False), arrays, facts["accuracy"]


def _train(net: LeNet5, data: Labelled) -> None:
    stream = torch.Generator().manual_seed(SEED)
    for layer in (net.c1, net.c3, net.c5, net.f6, net.f7):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=stream)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    nn.init.ones_(net.scale)
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / STEPS)
    net.train()
    for rows in _batches(len(X), BATCH, STEPS, stream):
        loss = F.cross_entropy(net(X[rows])[1], y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    net.eval()
    # The scale of the features is an accident of training. A kernel of degree 3 depends on it, and
    # FIDs are easier to read in one unit.
    with torch.no_grad():
        squares = [net(part)[0].double().square().sum() for part in X.split(1000)]
        rms = (sum(squares) / (len(X) * net.d)) ** 0.5
        net.scale.fill_(float(rms) or 1.0)


def _batches(n: int, size: int, steps: int, stream: torch.Generator) -> Iterator[Tensor]:
    """``steps`` batches of indices, in a new order each epoch; few rows make one batch."""
    size, done = min(size, n), 0
    while done < steps:
        order = torch.randperm(n, generator=stream)
        for rows in order[: n - n % size].view(-1, size)[: steps - done]:
            done += 1
            yield rows


@torch.no_grad()
def _classes(net: LeNet5, X: np.ndarray) -> np.ndarray:
    parts = [net(part)[1].argmax(dim=1) for part in torch.from_numpy(X).split(1000)]
    return torch.cat(parts).numpy()


def _arrays(net: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in net.state_dict().items()}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
