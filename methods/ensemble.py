"""K nets of one layout as one: a loop over K plain nets, or all of them in one batched model.

Both map ``(K, B, *in)`` to ``(K, B, *out)``, have the same values in ``state_dict`` and give the
same gradients; they differ in speed alone. Which one is the faster depends on the layers and on
the device, see :func:`resolve_ensemble`.
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

    On a CPU a grouped convolution is slower than its groups one after the other.
    """
    if kind != "auto":
        return kind
    return "batched" if network == "mlp" or device.type == "cuda" else "loop"


def join(nets: Sequence[nn.Sequential], kind: Literal["loop", "batched"]) -> Ensemble:
    """The nets, which must be laid out alike, as one; they are not to be used alone any more."""
    return Loop(nets) if kind == "loop" else Batched(nets)


class Ensemble(nn.Module, ABC):
    """K nets of one layout, ``(K, B, *in)`` to ``(K, B, *out)``."""

    @abstractmethod
    def groups(self) -> list[nn.Module]:
        """What is trained together: one model of all K nets, or K models of one each.

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
    """All K nets as one model: ``baddbmm`` for linear layers, groups for convolutions.

    Between the layers vectors are ``(K, B, D)`` and images ``(B, K C, H, W)``, where the channels
    of a net are a group: so no layer needs to move memory.
    """

    def __init__(self, nets: Sequence[nn.Sequential]) -> None:
        super().__init__()
        for i, parts in enumerate(zip(*nets, strict=True)):
            self.add_module(str(i), _stacked(parts))

    def groups(self) -> list[nn.Module]:
        return [self]

    def forward(self, x: Tensor) -> Tensor:
        K = len(x)
        for layer in self.children():
            x = layer(x)
        if x.dim() == 4:  # (B, K C, H, W) -> (K, B, C, H, W)
            x = x.unflatten(1, (K, -1)).transpose(0, 1)
        return x


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
        for name, held in parts[0].named_parameters():
            values = [part.get_parameter(name).detach() for part in parts]
            self.register_parameter(name, nn.Parameter(torch.stack(values).to(held.device)))
        for name, _ in parts[0].named_buffers():
            self.register_buffer(name, torch.stack([part.get_buffer(name) for part in parts]))

    def _flat(self, name: str) -> Tensor | None:
        """A parameter or buffer ``(K, C, ...)`` as ``(K C, ...)``; None where there is none."""
        value = getattr(self, name, None)
        return None if value is None else value.flatten(0, 1)

    def _as_maps(self, x: Tensor) -> Tensor:
        """``(K, B, C, H, W)`` as ``(B, K C, H, W)``; the latter as they are."""
        return x.transpose(0, 1).flatten(1, 2) if x.dim() == 5 else x


class _Linear(_Stacked):
    weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        bias: Tensor | None = getattr(self, "bias", None)
        if bias is None:
            return torch.bmm(x, self.weight.mT)
        return torch.baddbmm(bias.unsqueeze(1), x, self.weight.mT)  # (K, B, D)


class _Convolution(_Stacked):
    def __init__(self, parts: Sequence[nn.Conv2d]) -> None:
        super().__init__(parts)
        self.stride, self.padding = parts[0].stride, parts[0].padding

    def forward(self, x: Tensor) -> Tensor:
        maps, weight = self._as_maps(x), self._flat("weight")
        assert weight is not None
        bias = self._flat("bias")
        return F.conv2d(maps, weight, bias, self.stride, self.padding, groups=self.K)


class _TransposedConvolution(_Stacked):
    def __init__(self, parts: Sequence[nn.ConvTranspose2d]) -> None:
        super().__init__(parts)
        self.how = (parts[0].stride, parts[0].padding, parts[0].output_padding)

    def forward(self, x: Tensor) -> Tensor:
        maps, weight = self._as_maps(x), self._flat("weight")
        assert weight is not None
        bias = self._flat("bias")
        return F.conv_transpose2d(maps, weight, bias, *self.how, groups=self.K)  # type: ignore[arg-type]


class _BatchNorm(_Stacked):
    num_batches_tracked: Tensor

    def __init__(self, parts: Sequence[nn.BatchNorm1d | nn.BatchNorm2d]) -> None:
        super().__init__(parts)
        self.momentum, self.eps = parts[0].momentum, parts[0].eps

    def forward(self, x: Tensor) -> Tensor:
        maps = self._as_maps(x)
        if x.dim() == 3:  # (K, B, D) -> (B, K D)
            maps = x.transpose(0, 1).flatten(1)
        if self.training:
            self.num_batches_tracked += 1
        y = F.batch_norm(
            maps,
            self._flat("running_mean"),
            self._flat("running_var"),
            self._flat("weight"),
            self._flat("bias"),
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        return y.unflatten(1, (self.K, -1)).transpose(0, 1) if x.dim() == 3 else y


class _GroupNorm(_Stacked):
    """Of one group a net, which is layer norm over C, H and W."""

    def __init__(self, parts: Sequence[nn.GroupNorm]) -> None:
        super().__init__(parts)
        self.groups, self.eps = len(parts) * parts[0].num_groups, parts[0].eps

    def forward(self, x: Tensor) -> Tensor:
        maps = self._as_maps(x)
        return F.group_norm(maps, self.groups, self._flat("weight"), self._flat("bias"), self.eps)


class _Flatten(nn.Module):
    """Images to vectors, ``(K, B, D)``."""

    def __init__(self, K: int) -> None:
        super().__init__()
        self.K = K

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:  # (B, K C, H, W) -> (K, B, C H W)
            return x.unflatten(1, (self.K, -1)).transpose(0, 1).flatten(2)
        return x.flatten(2)


class _Unflatten(nn.Module):
    """Vectors to images, ``(K, B, C, H, W)``."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(2, self.shape)


def _stacked(parts: Sequence[nn.Module]) -> nn.Module:
    first: Any = parts[0]
    if isinstance(first, nn.Flatten):
        return _Flatten(len(parts))
    if isinstance(first, nn.Unflatten):
        return _Unflatten(first.unflattened_size)  # type: ignore[arg-type]
    for kinds, stacked in _STACKED.items():
        if isinstance(first, kinds):
            return stacked(parts)
    held = [name for name, _ in [*first.named_parameters(), *first.named_buffers()]]
    if held:
        raise TypeError(
            f"layers of kind {type(first).__name__} hold {', '.join(held)} and have no batched "
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
