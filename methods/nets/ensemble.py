"""K nets of one layout as one: a loop over K plain nets, or all of them in one batched model.

Both map ``(K, B, *in)`` to ``(K, B, *out)``, with the same values in ``state_dict`` and the same
gradients; only their speed differs, with the layers and the device (:func:`resolve_ensemble`).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Batched", "Crop", "Ensemble", "EnsembleKind", "Loop", "join", "resolve_ensemble"]

EnsembleKind = Literal["auto", "loop", "batched"]


def resolve_ensemble(
    kind: EnsembleKind, network: Literal["conv", "mlp"], device: torch.device
) -> Literal["loop", "batched"]:
    """``auto``: batched for fully connected nets everywhere, for convolutional ones on a GPU.

    On a CPU convolutional nets are slower as products of matrices than one after the other.
    """
    if kind != "auto":
        return kind
    return "batched" if network == "mlp" or device.type == "cuda" else "loop"


def join(nets: Sequence[nn.Sequential], kind: Literal["loop", "batched"]) -> Ensemble:
    """The nets, all of one layout, as one; they must not be used on their own any more."""
    return Loop(nets) if kind == "loop" else Batched(nets)


class Ensemble(nn.Module, ABC):
    """K nets of one layout, ``(K, B, *in)`` to ``(K, B, *out)``."""

    @abstractmethod
    def groups(self) -> list[nn.Module]:
        """The parts that are trained together: one model of all K nets, or K models of one.

        Each maps its own part of the first axis and has its own parameters.
        """


class Loop(Ensemble):
    """The reference: K plain nets, one after the other."""

    def __init__(self, nets: Sequence[nn.Sequential]) -> None:
        super().__init__()
        self.members = nn.ModuleList(_Single(net) for net in nets)

    def groups(self) -> list[nn.Module]:
        return list(self.members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([net(x[k : k + 1]) for k, net in enumerate(self.members)])

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """As :class:`Batched` has it: each value of shape ``(K, ...)``."""
        states = [net.net.state_dict() for net in self.members]  # type: ignore[union-attr]
        return {key: torch.stack([state[key] for state in states]) for key in states[0]}

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        for k, net in enumerate(self.members):
            state = {key: value[k] for key, value in state_dict.items()}
            net.net.load_state_dict(state)  # type: ignore[union-attr]


class Batched(Ensemble):
    """All K nets as one model, in which every layer with weights is a product of K matrices.

    Between the layers vectors are ``(K, B, D)`` and feature maps ``(K, C, B, H, W)``. Convolutions
    are products of their kernels and the patches of the maps (im2col): grouped convolutions
    compute the same, but with nets this small they leave most of a GPU idle.
    """

    def __init__(self, nets: Sequence[nn.Sequential]) -> None:
        super().__init__()
        for i, parts in enumerate(zip(*nets, strict=True)):
            self.add_module(str(i), _stacked(parts))

    def groups(self) -> list[nn.Module]:
        return [self]

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2) if x.dim() == 5 else x
        for layer in self.children():
            x = layer(x)
        return x.transpose(1, 2) if x.dim() == 5 else x


class Crop(nn.Module):
    """The upper left ``side`` x ``side`` of feature maps."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.side, : self.side]


class _Single(nn.Module):
    """A plain net with a first axis of length one before it and after it."""

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.squeeze(0)).unsqueeze(0)


class _Stacked(nn.Module):
    """K layers of one kind, their parameters and buffers stacked to ``(K, ...)``."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.K = len(parts)
        for name, first in parts[0].named_parameters():
            values = [part.get_parameter(name).detach() for part in parts]
            self.register_parameter(name, nn.Parameter(torch.stack(values).to(first.device)))
        for name, _ in parts[0].named_buffers():
            self.register_buffer(name, torch.stack([part.get_buffer(name) for part in parts]))

    def _flat(self, name: str) -> Tensor | None:
        """A parameter or buffer ``(K, C)`` as ``(K C,)``; None where there is none."""
        value = getattr(self, name, None)
        return None if value is None else value.flatten()


class _Linear(_Stacked):
    weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        bias: Tensor | None = getattr(self, "bias", None)
        if bias is None:
            return torch.bmm(x, self.weight.mT)
        return torch.baddbmm(bias.unsqueeze(1), x, self.weight.mT)  # (K, B, D)


class _Convolution(_Stacked):
    weight: Tensor  # (K, C_out, C, k, k)

    def __init__(self, parts: Sequence[nn.Conv2d]) -> None:
        super().__init__(parts)
        self.how: Any = (parts[0].kernel_size, 1, parts[0].padding, parts[0].stride)

    def forward(self, x: Tensor) -> Tensor:
        _, C, B, *sides = x.shape
        patches = F.unfold(x.flatten(1, 2), *self.how)  # (K, C B k k, places)
        patches = patches.unflatten(1, (C, B, -1)).transpose(2, 3).flatten(1, 2).flatten(2)
        bias: Tensor | None = getattr(self, "bias", None)
        weight = self.weight.flatten(2)
        if bias is None:
            y = torch.bmm(weight, patches)
        else:
            y = torch.baddbmm(bias.unsqueeze(2), weight, patches)
        kernel, _, padding, stride = self.how
        sides = [
            (n + 2 * p - k) // s + 1
            for n, k, p, s in zip(sides, kernel, padding, stride, strict=True)
        ]
        return y.unflatten(2, (B, *sides))


class _TransposedConvolution(_Stacked):
    weight: Tensor  # (K, C, C_out, k, k)

    def __init__(self, parts: Sequence[nn.ConvTranspose2d]) -> None:
        super().__init__(parts)
        self.how: Any = (parts[0].kernel_size, 1, parts[0].padding, parts[0].stride)
        self.output_padding: Any = parts[0].output_padding

    def forward(self, x: Tensor) -> Tensor:
        _, _, B, *sides = x.shape
        C = self.weight.shape[2]
        patches = torch.bmm(self.weight.flatten(2).mT, x.flatten(2))  # (K, C k k, B places)
        patches = patches.unflatten(2, (B, -1)).unflatten(1, (C, -1)).transpose(2, 3)
        kernel, _, padding, stride = self.how
        height, width = (
            (n - 1) * s - 2 * p + k + extra
            for n, k, p, s, extra in zip(
                sides, kernel, padding, stride, self.output_padding, strict=True
            )
        )
        y = F.fold(patches.flatten(1, 3), (height, width), *self.how).unflatten(1, (C, B))
        bias: Tensor | None = getattr(self, "bias", None)
        return y if bias is None else y + bias[:, :, None, None, None]


class _BatchNorm(_Stacked):
    num_batches_tracked: Tensor

    def __init__(self, parts: Sequence[nn.BatchNorm1d | nn.BatchNorm2d]) -> None:
        super().__init__(parts)
        self.momentum, self.eps = parts[0].momentum, parts[0].eps

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 5:  # (K, C, B, H, W) -> (1, K C, B H W)
            values = x.flatten(2).flatten(0, 1).unsqueeze(0)
        else:  # (K, B, D) -> (B, K D)
            values = x.transpose(0, 1).flatten(1)
        if self.training:
            self.num_batches_tracked += 1
        y = F.batch_norm(
            values,
            self._flat("running_mean"),
            self._flat("running_var"),
            self._flat("weight"),
            self._flat("bias"),
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        return y.view_as(x) if x.dim() == 5 else y.unflatten(1, (self.K, -1)).transpose(0, 1)


class _GroupNorm(_Stacked):
    """Of one group a net, which is layer norm over C, H and W."""

    def __init__(self, parts: Sequence[nn.GroupNorm]) -> None:
        super().__init__(parts)
        self.groups, self.eps = len(parts) * parts[0].num_groups, parts[0].eps

    def forward(self, x: Tensor) -> Tensor:
        maps = x.permute(2, 0, 1, 3, 4).flatten(1, 2)  # (B, K C, H, W)
        y = F.group_norm(maps, self.groups, self._flat("weight"), self._flat("bias"), self.eps)
        return y.unflatten(1, (self.K, -1)).permute(1, 2, 0, 3, 4)


class _Flatten(nn.Module):
    """Feature maps ``(K, C, B, H, W)`` to vectors ``(K, B, C H W)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class _Unflatten(nn.Module):
    """Vectors ``(K, B, C H W)`` to feature maps ``(K, C, B, H, W)``."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(2, self.shape).transpose(1, 2)


def _stacked(parts: Sequence[nn.Module]) -> nn.Module:
    first: Any = parts[0]
    if isinstance(first, nn.Flatten):
        return _Flatten()
    if isinstance(first, nn.Unflatten):
        return _Unflatten(first.unflattened_size)  # type: ignore[arg-type]
    for kinds, stacked in _STACKED.items():
        if isinstance(first, kinds):
            return stacked(parts)
    weights = [name for name, _ in [*first.named_parameters(), *first.named_buffers()]]
    if weights:
        raise TypeError(
            f"layers of kind {type(first).__name__} hold {', '.join(weights)} and have no batched "
            f"form; use the loop"
        )
    return copy.deepcopy(first)


_STACKED: dict[Any, Any] = {
    nn.Linear: _Linear,
    nn.Conv2d: _Convolution,
    nn.ConvTranspose2d: _TransposedConvolution,
    (nn.BatchNorm1d, nn.BatchNorm2d): _BatchNorm,
    nn.GroupNorm: _GroupNorm,
}
