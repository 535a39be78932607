"""Where and how nets are trained: device, precision, compilation, streams of random numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from deep_em_bench.core import ConfigError, derive_seed
from deep_em_bench.methods.nets.cuda_graphs import GraphedUpdate
from deep_em_bench.methods.parameters import NeuralParameters, Precision

__all__ = ["Runtime", "resolve_device"]

PREDICT_BATCH = 2048
STATISTICS_BATCH = 1000


def resolve_device(device: str) -> torch.device:
    """``auto`` is CUDA, else MPS, else the CPU; any other name must be usable as it is.

    Raises :class:`ConfigError` for a device that is not there: never a silent CPU.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).tolist()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"device {device!r} cannot be used here ({reason}); use 'cpu' or 'auto'"
        ) from error
    return resolved


class Runtime:
    """What a method's nets and training steps need to know of the machine and of the seed.

    Arguments:
        settings: for ``device``, ``precision``, ``compile`` and ``random_state``. Raises
            :class:`ConfigError` for a device that is not there.
    """

    device: torch.device
    generator: torch.Generator
    """Source of every draw in training, on the device."""

    def __init__(self, settings: NeuralParameters) -> None:
        self.random_state = settings.random_state
        self.precision: Precision = settings.precision
        self.device = resolve_device(settings.device)
        self.graphs = settings.compile and self.device.type == "cuda"
        """Whether training updates become CUDA graphs."""
        self.compiles_nets = settings.compile and not self.graphs
        self.generator = self.stream("training")

    def seed(self, purpose: str) -> int:
        """A seed for one purpose."""
        return derive_seed(self.random_state, purpose)

    def stream(self, purpose: str, device: torch.device | None = None) -> torch.Generator:
        """A stream of random numbers for one purpose, so that no purpose shifts another."""
        return torch.Generator(device or self.device).manual_seed(self.seed(purpose))

    def weights_stream(self, name: str) -> torch.Generator:
        """For the first weights of a net: on the CPU, so that a seed means the same everywhere."""
        return self.stream(f"weights of {name}", torch.device("cpu"))

    def components(
        self, n: int, component: int | None, phi: np.ndarray, random_state: int
    ) -> tuple[Tensor, torch.Generator]:
        """Components of ``n`` samples, by phi or all of one, and the stream for their noise."""
        stream = torch.Generator(self.device).manual_seed(int(random_state))
        if component is not None:
            return torch.full((n,), component, device=self.device), stream
        weights = torch.from_numpy(phi).to(self.device)
        return torch.multinomial(weights, n, replacement=True, generator=stream), stream

    def compile_net(self, net: nn.Module) -> nn.Module:
        """The net, by torch.compile where that is asked for and updates are not CUDA graphs."""
        if self.compiles_nets:
            net.forward = torch.compile(net.forward)
        return net

    def compile_update(self, update: Callable[..., None]) -> Callable[..., None]:
        """A training update, backward passes in the precision too, as a CUDA graph if asked."""

        def within(*inputs: Tensor) -> None:
            with self.backends():
                update(*inputs)

        return GraphedUpdate(within, self.generator) if self.graphs else within

    @contextlib.contextmanager
    def backends(self) -> Iterator[None]:
        """fp32, or TF32 matrix products; convolutions that a seed repeats."""
        cudnn = torch.backends.cudnn
        before = torch.get_float32_matmul_precision()
        convolutions = cudnn.allow_tf32, cudnn.deterministic
        torch.set_float32_matmul_precision("highest" if self.precision == "fp32" else "high")
        cudnn.allow_tf32, cudnn.deterministic = self.precision != "fp32", True
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
            cudnn.allow_tf32, cudnn.deterministic = convolutions

    @contextlib.contextmanager
    def arithmetic(self) -> Iterator[None]:
        """For forward passes: :meth:`backends`, and bf16 autocast where that is asked for."""
        bf16 = self.precision == "bf16"
        with self.backends(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            yield

    def batches(self, n: int, size: int, epochs: int) -> Iterator[Tensor]:
        """Index batches of ``size``: a new order each epoch, the remainder left out.

        With fewer rows than a batch holds, each batch is ``size`` draws with replacement.
        """
        for _ in range(epochs):
            if n < size:
                yield torch.randint(n, (size,), generator=self.generator, device=self.device)
                continue
            order = torch.randperm(n, generator=self.generator, device=self.device)
            yield from order[: n - n % size].view(-1, size)

    def apply(self, net: nn.Module, x: Tensor) -> Tensor:
        """``net`` in evaluation mode on all rows, in batches, without a graph, float32."""
        net.eval()
        with torch.no_grad(), self.arithmetic():
            parts = [net(part).float() for part in x.split(PREDICT_BATCH)]
        return torch.cat(parts)

    def settle_batch_norm(self, net: nn.Module, data: Tensor) -> None:
        """Give batch norm in ``net`` the statistics of all of ``data``, seen in random batches."""
        if len(data) > 1:  # a single row has no variance
            order = torch.randperm(len(data), generator=self.generator, device=self.device)
            batches = order.tensor_split(-(-len(data) // STATISTICS_BATCH))
            with self.arithmetic():
                update_bn((data[rows] for rows in batches), net)
