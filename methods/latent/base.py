"""A GAN whose prior is a mixture of Gaussians: what Table 6's four rows have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from deep_em_bench.methods.base import Generative, check_draw
from deep_em_bench.methods.latent.networks import (
    classifier_net,
    features_net,
    features_size,
    latent_generator,
)
from deep_em_bench.methods.latent.prior import GaussianMixturePrior
from deep_em_bench.methods.nets.networks import Kind, initialise, resolve_kind
from deep_em_bench.methods.neural import NeuralMethod, Scaling

__all__ = ["LatentGan"]


class LatentGan(NeuralMethod, Generative):
    """Generator G, discriminator D, prior over z, and a classifier C over components.

    D is ``features`` and a linear layer; C stands on the same features (``shared``) or alone. What
    subclasses add is how an epoch trains them, and the components' probabilities ``phi_``.
    """

    epochs: int
    steps: int
    batch_size: int
    noise_dim: int
    mean_range: float
    prior_std: float
    network: Kind
    width: float
    hidden: tuple[int, ...]
    d_batch_norm: bool
    init_std: float | None
    d_lr: float
    g_lr: float

    phi_: np.ndarray
    """Probability of each component when drawing, ``(K,)``."""

    features_: nn.Module
    D_: nn.Module
    """On the features: one logit, "is real"."""
    C_: nn.Module
    """On the features where shared, else on the data: ``(B, K)`` logits."""
    G_: nn.Module
    prior_: GaussianMixturePrior

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``n`` draws from G, components by ``phi_`` (or all of one); scaled back to X's scale."""
        check_is_fitted(self)
        check_draw(n, component, self.n_clusters)
        stream = torch.Generator(self._device).manual_seed(int(random_state))
        if component is None:
            phi = torch.from_numpy(self.phi_).to(self._device)
            k = torch.multinomial(phi, n, replacement=True, generator=stream)
        else:
            k = torch.full((n,), component, device=self._device)
        epsilon = torch.randn(n, self.noise_dim, generator=stream, device=self._device)
        with torch.no_grad():
            z = self.prior_(epsilon, k)
        return self._scaling.from_net(self._apply(self.G_, z)), k.cpu().numpy()

    def interpolate(
        self,
        components: Sequence[int],
        weights: np.ndarray,
        *,
        epsilon: np.ndarray | None = None,
        random_state: int = 0,
    ) -> np.ndarray:
        """Images on the way between components (section 3.2, Figures 2 and 3).

        z is the weighted mean of :math:`A_k \\epsilon + \\mu_k` over ``components``, the same
        epsilon for all.

        Arguments:
            components: two or more of 0..K-1.
            weights: a row an image, a column a component; rows sum to one.
            epsilon: ``(noise_dim,)``; None: drawn by ``random_state``.

        Returns ``(len(weights), *shape)`` float32 in X's own scale. Raises ``ValueError`` for
        arguments of other shapes or ranges, ``NotFittedError`` before a fit.
        """
        check_is_fitted(self)
        weights = np.asarray(weights, dtype=np.float32)
        J = len(components)
        for k in components:
            check_draw(1, k, self.n_clusters)
        if J < 2 or weights.ndim != 2 or weights.shape[1] != J:
            raise ValueError(
                f"weights have shape {weights.shape} for components {tuple(components)}; expected "
                f"(n, {max(J, 2)}), a column for each of at least two components"
            )
        if not np.allclose(weights.sum(axis=1), 1, atol=1e-5):
            raise ValueError("rows of weights do not sum to one; divide them by their sums")
        if epsilon is None:
            stream = torch.Generator(self._device).manual_seed(int(random_state))
            noise = torch.randn(self.noise_dim, generator=stream, device=self._device)
        else:
            noise = torch.from_numpy(np.asarray(epsilon, dtype=np.float32)).to(self._device)
        if noise.shape != (self.noise_dim,):
            raise ValueError(
                f"epsilon has shape {tuple(noise.shape)}; expected ({self.noise_dim},): noise_dim "
                f"numbers, or None to draw them"
            )
        with torch.no_grad():
            z = self.prior_.blend(
                noise,
                torch.tensor(list(components), device=self._device),
                torch.from_numpy(weights).to(self._device),
            )
        return self._scaling.from_net(self._apply(self.G_, z))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities p(k | x) of the classifier, ``(N, K)`` float32."""
        x = self._incoming(X)
        return self._apply(self._classifier(), x).softmax(dim=1).cpu().numpy()

    @property
    @abstractmethod
    def _shares_features(self) -> bool:
        """Whether C stands on D's features."""

    @property
    @abstractmethod
    def _trains_prior(self) -> bool:
        """Whether means and covariances of the prior are trained."""

    def _classifier(self) -> nn.Module:
        """Data to logits ``(B, K)``."""
        return nn.Sequential(self.features_, self.C_) if self._shares_features else self.C_

    def _discriminator(self) -> nn.Module:
        """Data to logits ``(B, 1)``."""
        return nn.Sequential(self.features_, self.D_)

    def _passes(self, n: int) -> int:
        """Epochs, and further ones until there are ``steps`` updates."""
        a_pass = max(1, n // self.batch_size)
        return max(self.epochs, -(-self.steps // a_pass))

    def _scale(self, X: np.ndarray) -> Scaling:
        return Scaling.of(X, symmetric=True)  # Table 2 ends in a tanh, for grey images too

    def _nets(self) -> dict[str, nn.Module]:
        return {
            "G": self.G_,
            "features": self.features_,
            "D": self.D_,
            "C": self.C_,
            "prior": self.prior_,
        }

    def _build(self) -> None:
        shape, K = tuple(self.shape_), self.n_clusters
        kind: Literal["conv", "mlp"] = resolve_kind(self.network, shape)
        hidden, width = self.hidden, self.width
        size = features_size(kind, shape, hidden=hidden, width=width)
        with torch.device("meta"):
            output = self._scaling.output(shape)
            G = latent_generator(
                kind, self.noise_dim, shape, hidden=hidden, width=width, output=output
            )
            features = features_net(
                kind, shape, hidden=hidden, width=width, batch_norm=self.d_batch_norm
            )
            D = nn.Sequential(nn.Linear(size, 1))
            C = self._classifier_net(kind, size)
        self.G_, self.D_, self.C_ = (
            self._filled(name, net) for name, net in (("G", G), ("D", D), ("C", C))
        )
        self.features_ = self._filled("features", features, last=False)
        prior = GaussianMixturePrior(K, self.noise_dim, trainable=self._trains_prior)
        prior.initialise(self.mean_range, self.prior_std, self._stream("prior", _CPU))
        self.prior_ = prior.to(self._device)

    def _classifier_net(self, kind: Literal["conv", "mlp"], size: int) -> nn.Module:
        """C: a linear layer on features of that ``size`` where shared, else a net of its own."""
        K = self.n_clusters
        if self._shares_features:
            return nn.Sequential(nn.Linear(size, K))
        return classifier_net(kind, tuple(self.shape_), K, hidden=self.hidden, width=self.width)

    def _filled(self, name: str, net: nn.Module, *, last: bool = True) -> nn.Module:
        stream = self._stream(f"weights of {name}", _CPU)
        return initialise(net, stream, self._device, std=self.init_std, small_last=last)


_CPU = torch.device("cpu")
