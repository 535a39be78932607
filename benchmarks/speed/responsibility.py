"""The responsibility GAN's update with all K fakes of an image against one drawn by alpha.

Both start from the same weights and see the same images. The losses are compared on nets in
evaluation mode: in training, batch norm gives fakes of all components other statistics than drawn
ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deep_em_bench import methods
from deep_em_bench.benchmarks.speed.timing import timed
from deep_em_bench.methods.latent.losses import adversarial_losses
from deep_em_bench.methods.latent.responsibility_gan import ResponsibilityGan
from deep_em_bench.methods.latent.steps import ResponsibilityGanTraining

__all__ = ["ComponentsComparison", "rendered", "responsibility_gan"]


@dataclass(frozen=True, kw_only=True)
class ComponentsComparison:
    """Fakes of all components against some drawn by their responsibilities."""

    network: str
    n_clusters: int
    drawn: int
    """Fakes of a real image, of K."""
    all_per_s: float
    """Real images a second, all K fakes each; the median over rounds."""
    drawn_per_s: float
    ratio: float
    """Times the speed of all K; the median over rounds of pairs run one after the other."""
    all_loss: float
    """Of D, Eq. (3), the mean over passes with noise of their own."""
    drawn_loss: float
    standard_error: float
    """Of the difference of the two."""
    passes: int


def responsibility_gan(
    *,
    n_clusters: int = 10,
    drawn: int = 1,
    network: str = "conv",
    device: str = "cpu",
    width: float = 0.5,
    steps: int = 5,
    rounds: int = 5,
    passes: int = 20,
) -> ComponentsComparison:
    """Updates of batches of 64 images 28x28 of K kinds; half of the paper's filters."""
    rng = np.random.default_rng(0)
    kinds = rng.random((n_clusters, 1, 28, 28), dtype=np.float32)
    noise = rng.random((640, 1, 28, 28), dtype=np.float32)
    X = 0.7 * kinds[np.arange(640) % n_clusters] + 0.3 * noise

    def trained(components: int | None, updates: int) -> tuple[float, ResponsibilityGanTraining]:
        gan = methods.create(
            "responsibility_gan",
            "stable",
            n_clusters=n_clusters,
            components_per_image=components,
            network=network,
            device=device,
            width=width,
        )
        assert isinstance(gan, ResponsibilityGan)
        data = gan._begin(X)
        training = ResponsibilityGanTraining(gan, gan._runtime, gan.nets_, data)
        for net in gan.nets_.named().values():
            net.train()
        passes_over = -(-updates * gan.batch_size // len(X))
        batches = list(gan._runtime.batches(len(X), gan.batch_size, passes_over))[:updates]

        def update() -> None:
            for rows in batches:
                training._update(rows)

        return timed(update, training.data.device)[1], training

    for components in (None, drawn):  # first calls allocate and choose algorithms
        _, training = trained(components, 2)
    times: dict[int | None, list[float]] = {None: [], drawn: []}
    for _ in range(rounds):
        for components, seconds_of in times.items():
            seconds, training = trained(components, steps)
            seconds_of.append(seconds)
    losses = {components: _losses(training, components, passes) for components in times}
    n_images = steps * training.settings.batch_size
    each, some = np.array(times[None]), np.array(times[drawn])
    spread = sum(np.var(values, ddof=1) / passes for values in losses.values())
    return ComponentsComparison(
        network=network,
        n_clusters=n_clusters,
        drawn=drawn,
        all_per_s=float(np.median(n_images / each)),
        drawn_per_s=float(np.median(n_images / some)),
        ratio=float(np.median(each / some)),
        all_loss=float(losses[None].mean()),
        drawn_loss=float(losses[drawn].mean()),
        standard_error=float(np.sqrt(spread)),
        passes=passes,
    )


def rendered(row: ComponentsComparison) -> str:
    """The comparison as a table of fixed width, in real images a second."""
    gap = row.drawn_loss - row.all_loss
    return (
        f"{'nets':5} {f'all {row.n_clusters}/s':>9} {f'drawn {row.drawn}/s':>10} {'x all':>6}  "
        f"D's loss: all, drawn, difference\n"
        f"{row.network:5} {row.all_per_s:9.0f} {row.drawn_per_s:10.0f} {row.ratio:6.2f}  "
        f"{row.all_loss:.4f}, {row.drawn_loss:.4f}, {gap:+.4f} (standard error "
        f"{row.standard_error:.4f}, {row.passes} passes)"
    )


@torch.no_grad()
def _losses(
    training: ResponsibilityGanTraining, components: int | None, passes: int
) -> np.ndarray:
    """D's loss on one batch of real images with other fakes each time, ``(passes,)``."""
    settings = training.settings
    settings.components_per_image = components
    for net in training.nets.named().values():
        net.eval()
    x = training.data[: settings.batch_size]
    alpha = training.C(x).float().softmax(dim=1)
    real = training.D(x).float().squeeze(1)
    losses = []
    for _ in range(passes):
        weight, k = training._fakes_of(alpha)
        fake = training.D(training._noisy(training._generate(k))).float().view(k.shape)
        d_loss, _ = adversarial_losses(real, fake, weight, settings.generator_loss)
        losses.append(float(d_loss))
    return np.array(losses)
