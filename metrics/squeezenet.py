"""SqueezeNet 1.1 trained on ImageNet, with a linear head for each data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.nn import functional as F

from deep_em_bench.core import DataError
from deep_em_bench.metrics.labelled import Labelled
from deep_em_bench.metrics.weights import (
    Arrays,
    content_sha256,
    kept,
    read_weights,
    weights_sha256,
)

__all__ = ["FILE", "SqueezeNet", "pretrained", "with_head"]

FILE = "imagenet_squeezenet11_notop.npz"

SHA256 = "5396d5175a5519261cd09e0dc5e1a015fc0f9186b4b43a29835fb4992d0a0925"
"""Digest of the weights by :func:`weights_sha256`."""

SIDE = 128
"""Side of the images after resizing. The net was trained at 224."""

MEAN = (103.939, 116.779, 123.68)
"""Means of blue, green and red in 0..255, which the net's training subtracted."""

PENALTY = 0.01
"""Factor of half the squared weights, added to the mean cross entropy."""

HEAD_ROWS = 10_000
"""Largest number of training images of a head, drawn without their labels."""

RECIPE = (
    f"softmax regression on the standardised features of images at {SIDE}x{SIDE}, ridge "
    f"{PENALTY}, at most {HEAD_ROWS} rows; "
    f"features of root mean square 1 over those rows; form 2"
)

BATCH = 64


class Fire(nn.Module):
    """Squeeze to few maps, expand by 1x1 and by 3x3 (Iandola et al. 2016, section 3.2)."""

    def __init__(self, d_in: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(d_in, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze1x1(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], dim=1)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 (Iandola et al. 2016) up to fire9, averaged over positions.

    Input ``(B, 3, H, W)`` RGB in [0, 1]. Output are 512 features ``(B, 512)``, divided by the
    number ``scale``, and with a ``head`` logits ``(B, n_classes)``, else None.
    """

    d = 512

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2)
        self.fire2, self.fire3 = Fire(64, 16, 64), Fire(128, 16, 64)
        self.fire4, self.fire5 = Fire(128, 32, 128), Fire(256, 32, 128)
        self.fire6, self.fire7 = Fire(256, 48, 192), Fire(384, 48, 192)
        self.fire8, self.fire9 = Fire(384, 64, 256), Fire(512, 64, 256)
        self.head: nn.Linear | None = None
        self.scale = 1.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        if x.shape[2:] != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=max(x.shape[2:]) > SIDE)
        x = 255 * x.flip(1) - x.new_tensor(MEAN)[:, None, None]  # RGB -> BGR
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, 2)
        x = F.max_pool2d(self.fire3(self.fire2(x)), 3, 2)
        x = F.max_pool2d(self.fire5(self.fire4(x)), 3, 2)
        x = self.fire9(self.fire8(self.fire7(self.fire6(x))))
        features = x.mean(dim=(2, 3)) / self.scale
        return features, None if self.head is None else self.head(features)


def pretrained(folders: Sequence[Path]) -> tuple[SqueezeNet, Arrays]:
    """The net without a head, and its weights, from the first of ``folders`` that has its file.

    Raises ``DataError`` if none has it, and for other content.
    """
    paths = [folder / FILE for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(
            f"{paths[0]} is missing and cannot be downloaded; make it with numpy.savez from "
            f"squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 of "
            f"https://github.com/DeepCognition/keras-squeezenet: float32, fire2.squeeze1x1.weight "
            f"and so on, kernels as (out, in, height, width)"
        )
    with torch.device("meta"):
        net = SqueezeNet()
    arrays = read_weights(path, {k: tuple(v.shape) for k, v in net.state_dict().items()})
    if (digest := weights_sha256(arrays)) != SHA256:
        raise DataError(
            f"{path} has other weights: their digest is {digest}, expected {SHA256}; "
            f"get the file anew"
        )
    state = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False), arrays


def with_head(data: Labelled, folders: Sequence[Path]) -> tuple[SqueezeNet, Arrays, float]:
    """The net with a linear head for the classes of ``data``, all weights, held-out accuracy.

    The file lacks ImageNet's head, whose 1,000 classes are not those of the data. So the inception
    score is that of a head trained on the data set's labels, as a LeNet is for grey images. The
    features of FID and KID are the pretrained ones, scaled by one number so that their root mean
    square over training images is 1. The head is kept in ``folders``, see :func:`kept`. Raises
    ``DataError`` as :func:`pretrained`, and for images of other than three channels.
    """
    if data.X.ndim != 4 or data.X.shape[1] != 3:
        raise DataError(
            f"a SqueezeNet cannot take data of shape {data.X.shape}; expected colour images "
            f"(N, 3, H, W)"
        )
    net, arrays = pretrained(folders)
    key = content_sha256(RECIPE, SHA256, data.sha256())
    shapes = {"head.weight": (data.n_classes, net.d), "head.bias": (data.n_classes,)}
    shapes["scale"] = (1,)

    def make() -> tuple[Arrays, dict[str, float]]:
        weight, bias, scale = _fit_head(net, data)

        def classify(X: np.ndarray) -> np.ndarray:
            return (_features(net, X) / scale @ weight.T + bias).argmax(axis=1)

        made = {"head.weight": weight, "head.bias": bias, "scale": scale}
        return made, {"accuracy": data.accuracy(classify)}

    head, facts = kept("squeezenet-head", key, folders, shapes, make)
    net.scale = float(head["scale"][0])
    net.head = nn.Linear(net.d, data.n_classes, device="meta")
    state = {name: torch.from_numpy(np.array(head[f"head.{name}"])) for name in ("weight", "bias")}
    net.head.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False), {**arrays, **head}, facts["accuracy"]


def _fit_head(net: SqueezeNet, data: Labelled) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight ``(n_classes, 512)`` and bias ``(n_classes,)`` of a softmax regression on the
    features divided by ``scale`` ``(1,)``, and that scale; float32."""
    rows = np.random.default_rng(0).permutation(len(data.X))[:HEAD_ROWS]
    features = _features(net, data.X[rows]).astype(np.float64)
    scale = np.float32(np.sqrt(np.square(features).mean()) or 1)
    features /= scale
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread <= 1e-6 * np.abs(features).max(axis=0)] = 1  # only rounding errors
    design = np.column_stack([(features - centre) / spread, np.ones(len(rows))])  # (n, 513)
    targets = np.eye(data.n_classes)[data.y[rows]]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        W = flat.reshape(data.n_classes, -1)
        log_p = log_softmax(design @ W.T, axis=1)
        ridge = np.column_stack([PENALTY * W[:, :-1], np.zeros(len(W))])  # none on the bias
        gradient = (np.exp(log_p) - targets).T @ design / len(rows) + ridge
        return -(targets * log_p).sum() / len(rows) + (ridge * W).sum() / 2, gradient.ravel()

    start = np.zeros(targets.shape[1] * design.shape[1])
    minimum = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    W = minimum.x.reshape(data.n_classes, -1)
    weight = W[:, :-1] / spread
    bias = W[:, -1] - weight @ centre
    return weight.astype(np.float32), bias.astype(np.float32), np.array([scale])


@torch.no_grad()
def _features(net: SqueezeNet, X: np.ndarray) -> np.ndarray:
    return torch.cat([net(part)[0] for part in torch.from_numpy(X).split(BATCH)]).numpy()
