"""A stacked denoising auto-encoder: features without labels, for DEC and for data sets."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from deep_em_bench.methods.base import DivergenceError

__all__ = ["RECIPES", "Recipe", "Report", "StackedAutoencoder"]

Report = Callable[[Mapping[str, Any]], None]
"""Called during training with ``stage`` (str), ``step``, ``steps`` and ``loss``."""

Arithmetic = Callable[[], AbstractContextManager[None]]
"""Makes the context of a forward pass."""

REPORT_EVERY = 100
ENCODE_BATCH = 2048
MOMENTUM = 0.9


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an auto-encoder is trained."""

    layer_steps: int
    """Updates of each layer alone as a denoising auto-encoder; 0: no layer-wise training."""
    finetune_steps: int
    """Updates of all layers together, without noise."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """``sgd`` has momentum .9."""
    lr: float = 0.1
    decay_every: int = 20_000
    """Updates after which the learning rate falls to a tenth; each stage starts from ``lr``."""
    batch_size: int = 256
    corruption: float = 0.2
    """Share of a layer's input, and of its output, that is set to zero."""

    def __post_init__(self) -> None:
        if not 0 <= self.corruption < 1:
            raise ValueError(
                f"corruption is {self.corruption}; expected at least 0 and under 1, the share of "
                f"a layer's input that is set to zero"
            )


RECIPES = {
    # Xie et al., section 4.3.
    "full": Recipe(layer_steps=50_000, finetune_steps=100_000),
    # Ours: minutes on two CPU cores for 60,000 images of 28x28.
    "quick": Recipe(
        layer_steps=600, finetune_steps=3000, optimizer="adam", lr=1e-3, decay_every=2000
    ),
}


class StackedAutoencoder:
    r"""The stacked auto-encoder of DEC (Xie, Girshick and Farhadi, 2016, section 3.2).

    First each layer learns to denoise the output of the layer before it, as a net of one hidden
    layer (Eqs. 6 to 9); then all layers together learn to reconstruct the data:

    .. math:: \tilde x = \mathrm{dropout}(x), \quad h = g_1(W_1 \tilde x + b_1), \quad
              \tilde h = \mathrm{dropout}(h), \quad y = g_2(W_2 \tilde h + b_2)

    with loss :math:`\|x - y\|^2`, here its mean over the D columns. g is the ReLU, but the
    identity for reconstructed data and for features. Data are multiplied by one number so that
    :math:`\|x\|^2 / D` is 1 on average (section 4.1). First weights are He's normal ones.

    Arguments:
        sizes: of the data, the hidden layers and the features; DEC: (784, 500, 500, 2000, 10).
        generator: draws the first weights on the CPU, so that a seed means the same everywhere.
        device: of the nets and of all data.

    Example:
        >>> x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
        >>> net = StackedAutoencoder((6, 16, 2), generator=torch.Generator().manual_seed(1))
        >>> recipe = Recipe(layer_steps=50, finetune_steps=50, optimizer="adam", lr=0.01)
        >>> stream = torch.Generator().manual_seed(2)
        >>> net.fit(x, recipe, generator=stream).encode(x).shape
        torch.Size([200, 2])
    """

    encoder: nn.Sequential
    """``(B, ...)`` to ``(B, sizes[-1])``; the scale of the data is its first layer."""
    decoder: nn.Sequential
    """``(B, sizes[-1])`` to ``(B, sizes[0])``, in the encoder's scale."""

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"sizes are {tuple(sizes)}; expected at least two positive numbers: the data's "
                f"columns, any hidden layers, and the features"
            )
        with torch.device("meta"):
            self._encoding = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
            self._decoding = [nn.Linear(b, a) for a, b in itertools.pairwise(sizes)]
        for layers, linear in ((self._encoding, -1), (self._decoding, 0)):
            for layer in layers:
                gain = 1 if layer is layers[linear] else 2  # 2: a ReLU follows and halves
                _initialise(layer, gain, generator)
                layer.to(device)
        self._scale = _Scale().to(device)
        self.encoder = nn.Sequential(nn.Flatten(), self._scale, *_with_relus(self._encoding))
        self.decoder = nn.Sequential(*_with_relus(self._decoding[::-1]))

    def fit(
        self,
        x: Tensor,
        recipe: Recipe,
        *,
        generator: torch.Generator,
        report: Report | None = None,
        arithmetic: Arithmetic = contextlib.nullcontext,
    ) -> Self:
        """Learn from data ``(N, ...)``, layer by layer, then all layers together.

        ``generator`` draws batches and noise, on the device of ``x``. ``arithmetic`` makes the
        context of each forward pass: autocast keeps the weights that it has cast until it is left,
        so it must be entered anew for each. Raises :class:`DivergenceError` if the loss is no
        longer finite.
        """
        self._scale.fit(x)
        depth = len(self._encoding)
        for i in range(depth):
            name = f"layer {i + 1} of {depth}"
            stage = _Stage(name, recipe.layer_steps, recipe, report, arithmetic)
            drop = _Dropout(recipe.corruption, generator)
            parameters = [*self._encoding[i].parameters(), *self._decoding[i].parameters()]
            stage.run(x, parameters, partial(self._denoising_error, i, drop), generator)
        stage = _Stage("fine-tuning", recipe.finetune_steps, recipe, report, arithmetic)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        stage.run(x, parameters, self._errors, generator)
        return self

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Features ``(N, sizes[-1])`` float32 of ``x``, computed in batches."""
        return torch.cat([self.encoder(part).float() for part in x.split(ENCODE_BATCH)])

    @torch.no_grad()
    def reconstruction_error(self, x: Tensor) -> float:
        """Mean squared error of ``decoder(encoder(x))``; a constant 0 has the error 1."""
        return sum(float(self._errors(part).sum()) for part in x.split(ENCODE_BATCH)) / len(x)

    def _denoising_error(self, i: int, drop: _Dropout, batch: Tensor) -> Tensor:
        """Squared errors ``(B, D_i)`` that train layer ``i`` alone, Eqs. (6) to (9)."""
        with torch.no_grad():
            h = self._scale(batch.flatten(1))
            for layer in self._encoding[:i]:
                h = layer(h).relu()
        code = self._encoding[i](drop(h))
        code = code if i == len(self._encoding) - 1 else code.relu()
        y = self._decoding[i](drop(code))
        y = y if i == 0 else y.relu()
        return (y.float() - h.float()).square()

    def _errors(self, batch: Tensor) -> Tensor:
        """Squared error of each row, a mean over columns, ``(B,)``."""
        y = self.decoder(self.encoder(batch)).float()
        return (y - self._scale(batch.flatten(1))).square().mean(dim=1)


class _Scale(nn.Module):
    """Multiplies by the number that brings the fitted data's mean square to 1."""

    factor: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.ones(1))

    def fit(self, x: Tensor) -> None:
        total = sum(float(part.square().sum()) for part in x.split(ENCODE_BATCH))
        self.factor.fill_(math.sqrt(x.numel() / total) if total else 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class _Dropout:
    """Sets a random share of the entries to zero and scales up the others."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        self._keep = 1 - share
        self._generator = generator

    def __call__(self, h: Tensor) -> Tensor:
        if self._keep == 1:
            return h
        draw = torch.rand(h.shape, generator=self._generator, device=h.device)
        return h * (draw < self._keep) / self._keep


@dataclass(frozen=True)
class _Stage:
    """One run of an optimiser."""

    name: str
    steps: int
    recipe: Recipe
    report: Report | None
    arithmetic: Arithmetic

    def run(
        self,
        x: Tensor,
        parameters: list[nn.Parameter],
        errors_of: Callable[[Tensor], Tensor],
        generator: torch.Generator,
    ) -> None:
        """``steps`` updates of ``parameters`` on the mean ``errors_of`` batches of ``x``."""
        lr = self.recipe.lr
        if self.recipe.optimizer == "sgd":
            optimizer = torch.optim.SGD(parameters, lr=lr, momentum=MOMENTUM)
        else:
            optimizer = torch.optim.Adam(parameters, lr=lr)
        batches = _batches(len(x), self.recipe.batch_size, generator)
        for step, rows in zip(range(1, self.steps + 1), batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = lr * 0.1 ** ((step - 1) // self.recipe.decay_every)
            with self.arithmetic():
                loss = errors_of(x[rows]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if step % REPORT_EVERY == 0 or step == self.steps:
                self._report(step, float(loss.detach()))

    def _report(self, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergenceError(
                f"the auto-encoder's loss became {loss} in {self.name}, update {step}; "
                f"lower its learning rate"
            )
        if self.report is not None:
            self.report({"stage": self.name, "step": step, "steps": self.steps, "loss": loss})


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless index batches: a new order each pass; with few rows, draws with replacement."""
    while True:
        if n < size:
            yield torch.randint(n, (size,), generator=generator, device=generator.device)
            continue
        order = torch.randperm(n, generator=generator, device=generator.device)
        yield from order[: n - n % size].view(-1, size)


def _initialise(layer: nn.Linear, gain: float, generator: torch.Generator) -> None:
    """Memory on the CPU, weights N(0, gain / fan-in), biases 0."""
    layer.to_empty(device="cpu")
    nn.init.normal_(layer.weight, 0.0, math.sqrt(gain / layer.in_features), generator=generator)
    nn.init.zeros_(layer.bias)


def _with_relus(layers: Sequence[nn.Linear]) -> Iterator[nn.Module]:
    """A ReLU after every layer but the last."""
    for layer in layers:
        yield layer
        if layer is not layers[-1]:
            yield nn.ReLU()
