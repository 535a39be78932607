"""What every torch method shares: device, precision, streams of randomness, scaling, batches."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from deep_em_bench.core import ConfigError, derive_seed
from deep_em_bench.methods.base import DivergenceError, Method
from deep_em_bench.methods.nets.cuda_graphs import GraphedUpdate
from deep_em_bench.methods.nets.projection import Projection
from deep_em_bench.methods.parameters import NeuralParameters

__all__ = ["NeuralMethod", "Scaling", "resolve_device"]


PREDICT_BATCH = 2048
STATISTICS_BATCH = 1000


def resolve_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU; any other name must be usable as it is.

    Raises :class:`ConfigError` for a device that is not there: never a silent CPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).tolist()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"device {device!r} cannot be used here ({reason}); use 'cpu' or 'auto'"
        ) from error
    return resolved


class Scaling:
    """The map between a user's data and a net's range, learnt from the fitted data.

    One-channel images stay in [0, 1] (a sigmoid's range), images with more channels, and all where
    ``symmetric``, go to [-1, 1] (a tanh's), vectors to mean 0 and variance 1 a column; constant
    columns to 0.
    """

    def __init__(self, shift: np.ndarray, scale: np.ndarray) -> None:
        self.shift, self.scale = shift, scale

    @classmethod
    def of(cls, X: np.ndarray, *, symmetric: bool = False) -> Scaling:
        if X.ndim == 4:
            shift, scale = (0.5, 0.5) if symmetric or X.shape[1] > 1 else (0.0, 1.0)
            return cls(np.array(shift, np.float32), np.array(scale, np.float32))
        spread = X.std(axis=0, dtype=np.float64)
        spread[spread <= np.abs(X).max(axis=0, initial=0) * 1e-6] = 1.0
        return cls(X.mean(axis=0, dtype=np.float64).astype(np.float32), spread.astype(np.float32))

    def output(self, shape: tuple[int, ...]) -> nn.Module:
        """The last layer of a generator of such data."""
        if len(shape) == 1:
            return nn.Identity()
        return nn.Tanh() if self.shift.any() else nn.Sigmoid()

    def to_net(self, X: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray((X - self.shift) / self.scale))

    def from_net(self, x: Tensor) -> np.ndarray:
        return x.float().cpu().numpy() * self.scale + self.shift


class NeuralMethod(NeuralParameters, Method):
    """A method made of torch nets, which subclasses list in ``_nets`` and make in ``_build``."""

    @abstractmethod
    def _nets(self) -> dict[str, nn.Module]:
        """The fitted nets by name."""

    @abstractmethod
    def _build(self) -> None:
        """Lay out the nets for data of ``shape_``, on ``_device``, first weights from the seed."""

    def _scale(self, X: np.ndarray) -> Scaling:
        """The map into the nets' range that this method uses."""
        return Scaling.of(X)

    def _begin(self, X: np.ndarray) -> Tensor:
        """Check and scale ``X``, choose the device, start the streams; the data on the device."""
        X = self._fitting(X)
        self._scaling = self._scale(X)
        self._device = resolve_device(self.device)
        self._generator = self._stream("training")
        self._build()
        for net in self._nets().values():
            self._compile(net)
        return self._on_net(X)

    def _compile(self, net: nn.Module) -> nn.Module:
        """The net, by torch.compile where that is asked for and updates are not CUDA graphs."""
        if self.compile and not self._graphs:
            net.forward = torch.compile(net.forward)
        return net

    @property
    def _graphs(self) -> bool:
        """Whether updates are compiled as CUDA graphs, and not nets by torch.compile."""
        return self.compile and self._device.type == "cuda"

    def _compiled(self, update: Callable[..., None]) -> Callable[..., None]:
        """A training update as the fit is to call it, backward passes in the precision too."""

        def within(*inputs: Tensor) -> None:
            with self._backends():
                update(*inputs)

        return GraphedUpdate(within, self._generator) if self._graphs else within

    def _stream(self, purpose: str, device: torch.device | None = None) -> torch.Generator:
        """An own stream of randomness for one purpose, so that no purpose shifts another."""
        generator = torch.Generator(device or self._device)
        return generator.manual_seed(derive_seed(self.random_state, purpose))

    @contextlib.contextmanager
    def _backends(self) -> Iterator[None]:
        """fp32 as it is, or TF32 matrix products; convolutions that a seed repeats."""
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
    def _arithmetic(self) -> Iterator[None]:
        """For forward passes: :meth:`_backends`, and bf16 autocast where that is asked for."""
        bf16 = self.precision == "bf16"
        with self._backends(), torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            yield

    def _batches(self, n: int, size: int, epochs: int) -> Iterator[Tensor]:
        """Index batches of ``size``: a new order each epoch, the remainder left out.

        With fewer rows than a batch holds, each batch is ``size`` draws with replacement.
        """
        for _ in range(epochs):
            if n < size:
                yield torch.randint(n, (size,), generator=self._generator, device=self._device)
                continue
            order = torch.randperm(n, generator=self._generator, device=self._device)
            yield from order[: n - n % size].view(-1, size)

    def _apply(self, net: nn.Module, x: Tensor) -> Tensor:
        """``net`` in evaluation mode over all rows, in batches, without a graph, float32."""
        net.eval()
        with torch.no_grad(), self._arithmetic():
            parts = [net(part).float() for part in x.split(PREDICT_BATCH)]
        return torch.cat(parts)

    def _settle(self, net: nn.Module, data: Tensor) -> None:
        """Give batch norm in ``net`` the statistics of all of ``data``, seen in random batches."""
        if len(data) > 1:  # a single row has no variance
            order = torch.randperm(len(data), generator=self._generator, device=self._device)
            batches = order.tensor_split(-(-len(data) // STATISTICS_BATCH))
            with self._arithmetic():
                update_bn((data[rows] for rows in batches), net)

    def _given(self, net: nn.Module, data: Tensor) -> tuple[nn.Module, nn.Module, Tensor]:
        """The projection that ``net`` begins with, found here; the rest of it; data in between.

        The identity, the net and the data as they are where it begins with none.
        """
        project, *rest = net.children()
        if not isinstance(project, Projection):
            return nn.Identity(), net, data
        seed = derive_seed(self.random_state, "components")
        project.find(data, seed)
        return project, self._compile(nn.Sequential(*rest)), self._apply(project, data)

    def _incoming(self, X: np.ndarray) -> Tensor:
        """New data, checked against the fitted ones, in the nets' range and on their device."""
        return self._on_net(self._checked(X))

    def _on_net(self, X: np.ndarray) -> Tensor:
        """In the nets' range, on their device, and for images in their memory layout."""
        data = self._scaling.to_net(X).to(self._device)
        return data.contiguous(memory_format=torch.channels_last) if data.dim() == 4 else data

    def _record(self, row: dict[str, Any]) -> None:
        """Add a row to ``history_`` and show it to the callback, which may use the model.

        Raises :class:`DivergenceError` where a number in it is not finite; there is
        no model then.
        """
        self.history_.append(row)
        self.n_iter_ = row["iteration"]
        if self.callback is not None:
            self.callback(row)
        bad = [k for k, v in row.items() if isinstance(v, float) and not np.isfinite(v)]
        if bad:
            del self.n_iter_
            raise DivergenceError(
                f"{' and '.join(bad)} became {row[bad[0]]} in EM iteration {row['iteration']}; "
                f"lower the learning rates, or fit with precision='fp32'"
            )

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a model: from the first row of ``history_`` on."""
        return hasattr(self, "n_iter_")

    def n_parameters(self) -> int:
        """Trainable numbers of all nets."""
        return sum(p.numel() for net in self._nets().values() for p in net.parameters())

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = super()._arrays()
        arrays |= {"scaling.shift": self._scaling.shift, "scaling.scale": self._scaling.scale}
        for name, net in self._nets().items():
            for key, value in net.state_dict().items():
                arrays[f"{name}.{key}"] = value.cpu().numpy()
        return arrays

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore({k: v for k, v in arrays.items() if "." not in k})
        self._device = resolve_device(self.device)
        self._scaling = Scaling(arrays["scaling.shift"], arrays["scaling.scale"])
        self._build()
        for name, net in self._nets().items():
            state = {
                key.removeprefix(f"{name}."): torch.from_numpy(np.array(value))
                for key, value in arrays.items()
                if key.startswith(f"{name}.")
            }
            net.load_state_dict(state)
