"""The nets of GAN-EM, Tables 4 to 6: generator G(z, c), discriminator D and E-net E."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.gan_em.parameters import GanEmParameters
from deep_em_bench.methods.nets.networks import encoder, generator, initialise, resolve_kind
from deep_em_bench.methods.nets.projection import Projection, components_for
from deep_em_bench.methods.nets.runtime import Runtime

__all__ = ["NetBuilder", "generator_input"]


def generator_input(settings: GanEmParameters, c: Tensor, stream: torch.Generator) -> Tensor:
    """The one-hot component c, ``(B,)``, joined with noise z: ``(B, K + noise_dim)``."""
    draw = torch.rand if settings.noise == "uniform" else torch.randn
    z = draw(len(c), settings.noise_dim, generator=stream, device=c.device)
    return torch.cat([F.one_hot(c, settings.n_clusters).to(z), z], dim=1)


class NetBuilder:
    """Makes nets for data of one shape, with first weights from the seed.

    Arguments:
        settings: hyper-parameters.
        runtime: for the device and the seed.
        shape: of one point, ``(C, H, W)`` or ``(D,)``.
        output: last layer of G.
        labelled: whether rows are labelled. E then sees the data and not their principal
            components: what labels tell apart need not be where the data vary most.
    """

    def __init__(
        self,
        settings: GanEmParameters,
        runtime: Runtime,
        shape: Sequence[int],
        *,
        output: nn.Module,
        labelled: bool,
    ) -> None:
        self.settings, self.runtime, self.shape, self.output = settings, runtime, shape, output
        self.kind: Literal["conv", "mlp"] = resolve_kind(settings.network, shape)
        self.columns = math.prod(shape)
        self.e_components = (
            None if labelled else components_for(self.columns, settings.e_components)
        )

    def generator(self) -> nn.Module:
        """G, ``(B, K + noise_dim)`` to ``(B, *shape)``."""
        settings = self.settings
        with torch.device("meta"):
            net = generator(
                self.kind,
                settings.n_clusters + settings.noise_dim,
                self.shape,
                hidden=settings.generator_hidden if self.kind == "conv" else settings.hidden,
                width=settings.width,
                activation=settings.generator_activation,
                output=self.output,
            )
        return self._initialised("G", net)

    def discriminator(self) -> nn.Module:
        """D, ``(B, *shape)`` to logits ``(B, K)``, or ``(B, K + 1)`` with the extra unit."""
        settings = self.settings
        with torch.device("meta"):
            net = encoder(
                self.kind,
                self.shape,
                settings.n_clusters + (settings.extra_unit != "none"),
                hidden=settings.hidden,
                width=settings.width,
                batch_norm=settings.d_batch_norm,
            )
        return self._initialised("D", net)

    def e_net(self, *, reduced: bool = True, start: int = 0) -> nn.Module:
        """E, ``(B, *shape)`` to logits ``(B, K)``, with the first weights of a start 0, 1, ...

        If not ``reduced``, it is without the layer of ``n_components`` units (section 5.4).
        """
        settings, k = self.settings, self.e_components
        with torch.device("meta"):
            net = encoder(
                self.kind if k is None else "mlp",
                self.shape if k is None else (k,),
                settings.n_clusters,
                hidden=settings.hidden,
                width=settings.width,
                batch_norm=settings.e_batch_norm != "none",
                bottleneck=settings.n_components if reduced else None,
                activation=settings.e_activation,
            )
        stream = "E" if reduced else "the unreduced E"
        stream += f", start {start}" if start > 0 else ""
        net = self._initialised(
            "E", net, stream, last_std=settings.e_last_std, hidden_gain=settings.e_gain
        )
        if k is None:
            return net
        return Projection(self.columns, k).to(self.runtime.device).before(net)

    def _initialised(
        self,
        name: str,
        net: nn.Module,
        stream: str | None = None,
        *,
        last_std: float | None = None,
        hidden_gain: float = 1.0,
    ) -> nn.Module:
        return initialise(
            net,
            self.runtime.weights_stream(stream or name),
            self.runtime.device,
            std=self.settings.init_std,
            last_std=last_std,
            hidden_gain=hidden_gain,
            spectral_norm=name in self.settings.spectral_norm,
        )
