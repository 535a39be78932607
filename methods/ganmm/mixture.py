"""What GANMM and its degraded EM version share: K WGANs, their nets, their samples."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import Generative, check_draw
from deep_em_bench.methods.ganmm.networks import CriticNorm, critic, generator, initialise
from deep_em_bench.methods.ganmm.steps import PenaltyUnit
from deep_em_bench.methods.nets.ensemble import Ensemble, EnsembleKind, join, resolve_ensemble
from deep_em_bench.methods.nets.networks import Kind, resolve_kind
from deep_em_bench.methods.nets.runtime import resolve_device
from deep_em_bench.methods.neural import NeuralMethod, Scaling

__all__ = ["GanMixture"]


class GanMixture(NeuralMethod, Generative):
    """K WGANs, a generator and a critic each, on scaled data."""

    wgan: Literal["gp", "clip"]
    gradient_penalty: float
    penalty_unit: PenaltyUnit
    clip: float
    optimizer: Literal["rmsprop", "adam"]
    g_lr: float
    d_lr: float
    critic_steps: int
    batch_size: int
    network: Kind
    width: float
    hidden: tuple[int, ...]
    noise_dim: int | None
    critic_norm: CriticNorm
    scaling: Literal["max_abs", "standard"]
    ensemble: EnsembleKind

    G_: Ensemble
    D_: Ensemble
    trained_: bool
    """Whether the generators were ever updated."""
    phi_: np.ndarray
    """Mixing proportions |D_i| / |D|, ``(K,)`` float32."""

    @abstractmethod
    def _responsibilities(self, data: Tensor) -> Tensor:
        """Of rows in the nets' range, ``(N, K)``."""

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities, ``(N, K)`` float32."""
        return self._responsibilities(self._incoming(X)).cpu().numpy()

    def can_sample(self) -> bool:
        """Whether the generators were ever trained."""
        check_is_fitted(self)
        return self.trained_

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``n`` draws, components by phi (or all of one); scaled back to X's own scale."""
        check_draw(n, component, self.n_clusters)
        if not self.can_sample():
            raise ValueError(
                "the generators are untrained; fit with max_iter or pretrain_steps of 1 or more"
            )
        stream = torch.Generator(self._device).manual_seed(int(random_state))
        if component is None:
            phi = torch.from_numpy(self.phi_).to(self._device)
            c = torch.multinomial(phi, n, replacement=True, generator=stream)
        else:
            c = torch.full((n,), component, device=self._device)
        z = torch.randn((n, self._noise_dim()), generator=stream, device=self._device)
        place = c.argsort(stable=True)
        counts = torch.bincount(c, minlength=self.n_clusters)
        # (K, most, noise_dim): the draws of each component, filled up with zeros.
        padded = nn.utils.rnn.pad_sequence(list(z[place].split(counts.tolist())), batch_first=True)
        x = self._generate(padded)
        drawn = torch.empty((n, *self.shape_), device=self._device)
        drawn[place] = torch.cat([x[i, :count] for i, count in enumerate(counts.tolist())])
        return self._scaling.from_net(drawn), c.cpu().numpy()

    def _generate(self, z: Tensor) -> Tensor:
        """Every generator's output for its part of z, ``(K, B, noise_dim)``, without a graph."""
        self.G_.eval()
        with torch.no_grad(), self._arithmetic():
            size = max(1, GENERATED // len(z))
            return torch.cat([self.G_(part).float() for part in z.split(size, dim=1)], dim=1)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.critic_norm == "batch" and self.wgan == "gp":
            raise ConfigError(
                "critic_norm='batch' was asked for with wgan='gp', a penalty of each row by "
                "itself, which batch norm mixes with others; use critic_norm='layer' or 'none'"
            )
        if self.compile and self.wgan == "gp" and resolve_device(self.device).type != "cuda":
            raise ConfigError(
                "compile=True was asked for with wgan='gp', which needs second derivatives that "
                "torch.compile's nets have not; use compile=False or a CUDA device"
            )

    def _scale(self, X: np.ndarray) -> Scaling:
        return _max_abs(X) if self.scaling == "max_abs" and X.ndim == 2 else super()._scale(X)

    def _compile(self, net: nn.Module) -> nn.Module:
        """As of any net; of an ensemble what is trained, which in a loop are its members."""
        for part in net.groups() if isinstance(net, Ensemble) else (net,):
            super()._compile(part)
        return net

    def _network(self) -> Literal["conv", "mlp"]:
        return resolve_kind(self.network, self.shape_)

    def _noise_dim(self) -> int:
        """As released where it is not given: 128 for images, 64 for vectors."""
        if self.noise_dim is not None:
            return self.noise_dim
        return 128 if self._network() == "conv" else 64

    def _nets(self) -> dict[str, nn.Module]:
        return {"G": self.G_, "D": self.D_}

    def _build(self) -> None:
        kind, shape = self._network(), tuple(self.shape_)
        how = resolve_ensemble(self.ensemble, kind, self._device)
        output = self._scaling.output(shape)
        fixed = {"hidden": self.hidden, "width": self.width}
        with torch.device("meta"):
            G = generator(kind, self._noise_dim(), shape, **fixed, output=output)
            D = critic(kind, shape, **fixed, norm=self.critic_norm)
        self.G_ = join(self._copies(G, "G"), how).to(self._device)
        self.D_ = join(self._copies(D, "D"), how).to(self._device)

    def _copies(self, net: nn.Sequential, name: str) -> list[nn.Sequential]:
        """K nets of this layout, each with its own first weights."""
        cpu = torch.device("cpu")
        streams = (self._stream(f"weights of {name} {i}", cpu) for i in range(self.n_clusters))
        return [initialise(copy.deepcopy(net), stream, cpu) for stream in streams]


GENERATED = 2048
"""Images that are generated at a time, by all K generators together."""


def _max_abs(X: np.ndarray) -> Scaling:
    """GANMM's: (x - column mean) / largest absolute value that is left; constant columns to 0."""
    mean = X.mean(axis=0, dtype=np.float64)
    largest = np.abs(X - mean).max(axis=0)
    largest[largest <= np.abs(X).max(axis=0, initial=0) * 1e-6] = 1.0
    return Scaling(mean.astype(np.float32), largest.astype(np.float32))
