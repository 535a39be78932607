"""What GANMM and its degraded EM version share: the nets of K WGANs, and samples from them."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import Generative, check_draw
from deep_em_bench.methods.ganmm.networks import generate, length_of_noise, make_gans
from deep_em_bench.methods.ganmm.parameters import GanMixtureParameters
from deep_em_bench.methods.nets.ensemble import Ensemble
from deep_em_bench.methods.nets.runtime import resolve_device
from deep_em_bench.methods.neural import NeuralMethod, Scaling

__all__ = ["GanMixture"]


class GanMixture(GanMixtureParameters, NeuralMethod, Generative):
    """K WGANs, a generator and a critic each, on scaled data."""

    G_: Ensemble
    D_: Ensemble
    trained_: bool
    """Whether the generators were ever updated."""
    phi_: np.ndarray
    """Mixing proportions |D_i| / |D|, ``(K,)`` float32."""

    @abstractmethod
    def _responsibilities(self, data: Tensor) -> Tensor:
        """Of rows in the range of the nets, ``(N, K)``."""

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
        """``n`` draws, components by phi (or all of one), in the scale of X."""
        check_draw(n, component, self.n_clusters)
        if not self.can_sample():
            raise ValueError(
                "the generators are untrained; fit with max_iter or pretrain_steps of 1 or more"
            )
        c, stream = self._runtime.components(n, component, self.phi_, random_state)
        z_size = length_of_noise(self, self.shape_)
        z = torch.randn((n, z_size), generator=stream, device=c.device)
        order = c.argsort(stable=True)
        counts = torch.bincount(c, minlength=self.n_clusters)
        # (K, most, noise_dim): the draws of each component, filled up with zeros.
        padded = nn.utils.rnn.pad_sequence(list(z[order].split(counts.tolist())), batch_first=True)
        x = generate(self.G_, padded, self._runtime)
        drawn = torch.empty((n, *self.shape_), device=c.device)
        drawn[order] = torch.cat([x[i, :count] for i, count in enumerate(counts.tolist())])
        return self._scaling.from_net(drawn), c.cpu().numpy()

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
                "torch.compile does not give; use compile=False or a CUDA device"
            )

    def _scale(self, X: np.ndarray) -> Scaling:
        return _max_abs(X) if self.scaling == "max_abs" and X.ndim == 2 else super()._scale(X)

    def _compile(self, net: nn.Module) -> nn.Module:
        """Compile a net; of an ensemble the parts that are trained, in a loop its members."""
        for part in net.groups() if isinstance(net, Ensemble) else (net,):
            super()._compile(part)
        return net

    def _nets(self) -> dict[str, nn.Module]:
        return {"G": self.G_, "D": self.D_}

    def _build(self) -> None:
        output = self._scaling.output(tuple(self.shape_))
        self.G_, self.D_ = make_gans(self, self.shape_, output, self._runtime)


def _max_abs(X: np.ndarray) -> Scaling:
    """(x - column mean) / largest absolute value of that, as released; constant columns to 0."""
    mean = X.mean(axis=0, dtype=np.float64)
    largest = np.abs(X - mean).max(axis=0)
    largest[largest <= np.abs(X).max(axis=0, initial=0) * 1e-6] = 1.0
    return Scaling(mean.astype(np.float32), largest.astype(np.float32))
