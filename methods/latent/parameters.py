"""The hyper-parameters of the GANs with a mixture prior."""

from __future__ import annotations

from typing import Literal

from deep_em_bench.methods.latent.losses import GeneratorLoss, MutualInformation
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NeuralParameters,
    NonNegative,
    Positive,
    PositiveReal,
    hyperparameters,
    parameter,
)

__all__ = ["GmGanParameters", "LatentParameters", "ResponsibilityGanParameters"]


@hyperparameters
class LatentParameters(NeuralParameters):
    """Of every GAN here. Optimisers are Adam with betas (.5, .999)."""

    epochs: Positive = parameter(200, "passes over the data")
    steps: Count = parameter(0, "minimum number of updates; passes are added")
    batch_size: BatchSize = parameter(64, "real points in an update")
    d_lr: NonNegative = parameter(2e-4, "learning rate of D")
    g_lr: NonNegative = parameter(2e-4, "learning rate of G and of a trained prior")

    # Nets, Tables 2 and 3
    noise_dim: Positive = parameter(100, "length of z, D_z")
    network: Kind = parameter(
        "auto", "convolutional nets or fully connected ones; auto: by the shape of the data"
    )
    width: NonNegative = parameter(1.0, "factor on the filters of convolutional nets")
    hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes of fully connected nets")
    d_batch_norm: bool = parameter(True, "whether the features of D have batch norm (Table 3)")
    init_std: NonNegative | None = parameter(
        0.02, "standard deviation of the first weights; None: He's"
    )


@hyperparameters
class GmGanParameters(LatentParameters):
    """Of GM-GAN."""

    prior: Literal["static", "dynamic"] = parameter(
        "dynamic", "means and covariances: static, as drawn first, or dynamic, trained with G"
    )
    mean_range: NonNegative = parameter(0.1, "first means are drawn from U(-c, c); c")
    prior_std: PositiveReal = parameter(0.15, "first covariances are sigma^2 I; sigma")

    # The classifier of the components of generated images
    classifier_steps: Count = parameter(500, "updates of the classifier after the last epoch")
    c_lr: NonNegative = parameter(1e-3, "learning rate of the classifier")
    label_smoothing: Fraction = parameter(0.0, "label smoothing of the classifier's targets")


@hyperparameters
class ResponsibilityGanParameters(LatentParameters):
    """Of the responsibility GAN; the defaults are the preset ``stable``.

    Local scales are distances to the 10th neighbour over the square root of the dimension.
    """

    # Other defaults than of the baselines
    epochs: Positive = parameter(20, "passes over the data")
    steps: Count = parameter(2000, "minimum number of updates; passes are added")
    d_lr: NonNegative = parameter(5e-4, "learning rate of D")
    g_lr: NonNegative = parameter(5e-4, "learning rate of G and of the prior")
    init_std: NonNegative | None = parameter(
        None, "standard deviation of the first weights; None: He's"
    )

    # The prior and the classifier C
    mean_range: NonNegative = parameter(0.3, "first means are drawn from U(-c, c); c")
    prior_std: PositiveReal = parameter(1.0, "first covariances are sigma^2 I; sigma")
    shared: bool = parameter(
        False, "whether C is a linear layer on the features of D, or a net of its own"
    )
    c_lr: NonNegative = parameter(1e-3, "learning rate of C")

    # Eqs. (3) and (4)
    components_per_image: Positive | None = parameter(
        1, "fakes of a real image: so many, drawn by alpha; None: all K, weighed by alpha"
    )
    generator_loss: GeneratorLoss = parameter(
        "non_saturating", "saturating: Eq. (3); non_saturating: -log D(x_k)"
    )
    adversarial_to_classifier: bool = parameter(
        False, "whether Eq. (3) trains C through alpha (Algorithm 1, line 12)"
    )
    mutual_information: MutualInformation = parameter(
        "recover", "literal: Eq. (4); recover: log C(x_k)_k"
    )
    information_weight: NonNegative = parameter(0.1, "weight of Eq. (4)")
    information_to_generator: bool = parameter(
        True, "whether Eq. (4) also trains G, mu and A (section 2.4; Algorithm 1: C alone)"
    )

    # What C learns from real data, by information_loss; with all three weights 0, nothing
    consistency: NonNegative = parameter(
        1.0, "C on real data: weight of the divergence under perturbation"
    )
    marginal_entropy: NonNegative = parameter(
        1.0, "C on real data: weight of the entropy of the mean responsibility"
    )
    conditional_entropy: NonNegative = parameter(
        0.25, "C on real data: weight of the mean entropy of responsibilities"
    )
    consistency_radius: NonNegative = parameter(
        5.0, "length of a point's perturbation, in units of its local scale"
    )
    d_noise: NonNegative = parameter(
        0.5, "standard deviation of noise on the points that D and C see, in median local scales"
    )
