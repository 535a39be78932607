"""A GAN whose prior is a mixture of Gaussians: what the four rows of Table 6 have in common."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from deep_em_bench.methods.base import Generative, check_draw
from deep_em_bench.methods.latent.nets import Design, LatentNets, build_nets
from deep_em_bench.methods.latent.parameters import LatentParameters
from deep_em_bench.methods.latent.steps import GanTraining
from deep_em_bench.methods.neural import NeuralMethod, Scaling

__all__ = ["LatentGan"]


class LatentGan(LatentParameters, NeuralMethod, Generative):
    """Generator, discriminator, prior over z, and a classifier of components."""

    phi_: np.ndarray
    """Probability of each component in :meth:`sample`, ``(K,)``."""
    nets_: LatentNets

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``n`` draws from G, components by ``phi_`` (or all of one); scaled back to X's scale."""
        check_is_fitted(self)
        check_draw(n, component, self.n_clusters)
        k, stream = self._runtime.components(n, component, self.phi_, random_state)
        epsilon = torch.randn(n, self.noise_dim, generator=stream, device=k.device)
        with torch.no_grad():
            z = self.nets_.prior(epsilon, k)
        return self._scaling.from_net(self._runtime.apply(self.nets_.G, z)), k.cpu().numpy()

    def interpolate(
        self,
        components: Sequence[int],
        weights: np.ndarray,
        *,
        epsilon: np.ndarray | None = None,
        random_state: int = 0,
    ) -> np.ndarray:
        """Images between components (section 3.2, Figures 2 and 3).

        z is the weighted mean of :math:`A_k \\epsilon + \\mu_k` over ``components``, with the same
        epsilon for all.

        Arguments:
            components: two or more of 0..K-1.
            weights: a row for each image, a column for each component; rows sum to one.
            epsilon: ``(noise_dim,)``; None: drawn by ``random_state``.

        Returns ``(len(weights), *shape)`` float32 in X's own scale. Raises ``ValueError`` for
        arguments of other shapes or ranges, ``NotFittedError`` before a fit.
        """
        check_is_fitted(self)
        weights, device = np.asarray(weights, dtype=np.float32), self._runtime.device
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
            stream = torch.Generator(device).manual_seed(int(random_state))
            noise = torch.randn(self.noise_dim, generator=stream, device=device)
        else:
            noise = torch.from_numpy(np.asarray(epsilon, dtype=np.float32)).to(device)
        if noise.shape != (self.noise_dim,):
            raise ValueError(
                f"epsilon has shape {tuple(noise.shape)}; expected ({self.noise_dim},): noise_dim "
                f"numbers, or None to draw them"
            )
        with torch.no_grad():
            z = self.nets_.prior.blend(
                noise,
                torch.tensor(list(components), device=device),
                torch.from_numpy(weights).to(device),
            )
        return self._scaling.from_net(self._runtime.apply(self.nets_.G, z))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities p(k | x) of the classifier, ``(N, K)`` float32."""
        x = self._incoming(X)
        return self._runtime.apply(self.nets_.classifier, x).softmax(dim=1).cpu().numpy()

    @property
    @abstractmethod
    def _design(self) -> Design:
        """In what this GAN differs from the others."""

    def _train_gan(self, data: Tensor) -> GanTraining:
        """Train a GAN of equal components for the whole budget, a row of history an epoch."""
        self.history_, self.converged_ = [], False
        self.phi_ = np.full(self.n_clusters, 1 / self.n_clusters, dtype=np.float32)
        training = GanTraining(self, self._runtime, self.nets_, data)
        for epoch in range(self._passes(len(data))):
            started = time.perf_counter()
            losses = training.epoch()
            seconds = time.perf_counter() - started
            self._record({"iteration": epoch + 1, **losses, "seconds": seconds})
        return training

    def _passes(self, n: int) -> int:
        """Epochs, and further ones until there are ``steps`` updates."""
        a_pass = max(1, n // self.batch_size)
        return max(self.epochs, -(-self.steps // a_pass))

    def _scale(self, X: np.ndarray) -> Scaling:
        return Scaling.of(X, symmetric=True)  # Table 2 ends in a tanh, for grey images too

    def _nets(self) -> dict[str, nn.Module]:
        return self.nets_.named()

    def _build(self) -> None:
        shape = tuple(self.shape_)
        output = self._scaling.output(shape)
        self.nets_ = build_nets(self, self._runtime, shape, self._design, output=output)
