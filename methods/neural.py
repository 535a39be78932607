"""What every torch method shares: scaling, the runtime, the history, saved nets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deep_em_bench.methods.base import DivergenceError, Method
from deep_em_bench.methods.columns import column_scale
from deep_em_bench.methods.data import Units
from deep_em_bench.methods.nets.runtime import Runtime
from deep_em_bench.methods.parameters import NeuralParameters

__all__ = ["NeuralMethod", "Scaling"]


class Scaling:
    """The map between a user's data and the range of the nets, learnt from the fitted data.

    One-channel images stay in [0, 1] (a sigmoid's range). Images with more channels go to [-1, 1]
    (a tanh's), with ``symmetric`` all images. The columns of vectors get mean 0 and variance 1,
    constant columns become 0.
    """

    def __init__(self, shift: np.ndarray, scale: np.ndarray) -> None:
        self.shift, self.scale = shift, scale
        self.units = Units()
        """Those in which vectors came to float32."""

    @classmethod
    def of(cls, X: np.ndarray, *, symmetric: bool = False) -> Scaling:
        if X.ndim == 4:
            shift, scale = (0.5, 0.5) if symmetric or X.shape[1] > 1 else (0.0, 1.0)
            return cls(np.array(shift, np.float32), np.array(scale, np.float32))
        mean, spread = column_scale(X)
        return cls(mean.astype(np.float32), spread.astype(np.float32))

    def output(self, shape: tuple[int, ...]) -> nn.Module:
        """The last layer of a generator of such data."""
        if len(shape) == 1:
            return nn.Identity()
        return nn.Tanh() if self.shift.any() else nn.Sigmoid()

    def to_net(self, X: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray((X - self.shift) / self.scale))

    def from_net(self, x: Tensor) -> np.ndarray:
        return self.units.undo(x.float().cpu().numpy() * self.scale + self.shift)


class NeuralMethod(NeuralParameters, Method):
    """A method made of torch nets, which subclasses list in ``_nets`` and make in ``_build``.

    ``_begin`` checks and scales the data, makes the :class:`Runtime` and builds the nets.
    """

    @abstractmethod
    def _nets(self) -> dict[str, nn.Module]:
        """The fitted nets by name."""

    @abstractmethod
    def _build(self) -> None:
        """Make the nets for data of ``shape_``, on the runtime's device, with first weights."""

    def _scale(self, X: np.ndarray) -> Scaling:
        """The map into the nets' range that this method uses."""
        return Scaling.of(X)

    def _begin(self, X: np.ndarray) -> Tensor:
        """Check and scale ``X``, start the runtime, build the nets; the data on the device."""
        X = self._fitting(X)
        self._scaling = self._scale(X)
        self._scaling.units = Units(*self.units_)
        self._runtime = Runtime(self)
        self._build()
        for net in self._nets().values():
            self._compile(net)
        return self._on_net(X)

    def _compile(self, net: nn.Module) -> nn.Module:
        """Compile a net where that is asked for."""
        return self._runtime.compile_net(net)

    def _incoming(self, X: np.ndarray) -> Tensor:
        """New data, checked against the fitted ones, in the nets' range and on their device."""
        return self._on_net(self._checked(X))

    def _on_net(self, X: np.ndarray) -> Tensor:
        """In the nets' range, on their device, and for images in their memory layout."""
        data = self._scaling.to_net(X).to(self._runtime.device)
        return data.contiguous(memory_format=torch.channels_last) if data.dim() == 4 else data

    def _record(self, row: dict[str, Any]) -> None:
        """Add a row to ``history_`` and call the callback with it, which may use the model.

        Raises :class:`DivergenceError` if a number in the row is not finite; there is then no
        model.
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
        self._runtime = Runtime(self)
        self._scaling = Scaling(arrays["scaling.shift"], arrays["scaling.scale"])
        self._scaling.units = Units(*self.units_)
        self._build()
        for name, net in self._nets().items():
            state = {
                key.removeprefix(f"{name}."): torch.from_numpy(np.array(value))
                for key, value in arrays.items()
                if key.startswith(f"{name}.")
            }
            net.load_state_dict(state)
