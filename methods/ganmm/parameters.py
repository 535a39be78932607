"""The hyper-parameters of GANMM and of its degraded EM version."""

from __future__ import annotations

from typing import Literal

from deep_em_bench.methods.nets.ensemble import EnsembleKind
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Decay,
    Fraction,
    NeuralParameters,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = [
    "Augment",
    "CriticNorm",
    "GanMixtureParameters",
    "GanmmEmParameters",
    "GanmmParameters",
    "Optimizer",
    "PenaltyUnit",
    "Start",
]

Augment = Literal["sampled", "top"]
CriticNorm = Literal["none", "layer", "batch"]
Optimizer = Literal["rmsprop", "adam"]
PenaltyUnit = Literal["fixed", "spread"]
Start = Literal["auto", "random", "kmeans", "gmm", "classifier"]


@hyperparameters
class GanMixtureParameters(NeuralParameters):
    """Of the K WGANs, a generator G and a critic D each."""

    max_iter: Count = parameter(12, "maximum number of EM iterations")
    pretrain_steps: Count = parameter(200, "updates of each G on the first division")
    m_steps: Count = parameter(60, "updates of each G in an M-step")
    critic_steps: Positive = parameter(5, "updates of each D after an update of its G")
    batch_size: BatchSize = parameter(50, "real and as many generated rows in an update of a GAN")
    tol: Fraction = parameter(1e-3, "largest share of labels that a stationary iteration changes")
    patience: Positive = parameter(3, "stationary iterations in a row that end the fit")
    wgan: Literal["gp", "clip"] = parameter(
        "gp", "gp: gradient penalty; clip: clipped weights, except in pretraining"
    )
    gradient_penalty: NonNegative = parameter(1.0, "weight lambda of the gradient penalty")
    penalty_unit: PenaltyUnit = parameter(
        "spread", "fixed: lambda as it is; spread: times the root mean square spread of the data"
    )
    clip: NonNegative = parameter(0.01, "bound on the weights of D with wgan = clip")
    optimizer: Optimizer = parameter("adam", "optimiser of the GANs; adam has betas (.5, .9)")
    g_lr: NonNegative = parameter(1e-3, "learning rate of G")
    d_lr: NonNegative = parameter(1e-3, "learning rate of D")
    network: Kind = parameter(
        "auto", "conv or mlp; auto: conv for square images of side 16 to 64, else mlp"
    )
    width: NonNegative = parameter(1.0, "factor on the number of filters of convolutional nets")
    hidden: tuple[Positive, ...] = parameter((64,), "layer sizes of a fully connected G and D")
    noise_dim: Positive | None = parameter(
        None, "length of the noise z; None: 128 for convolutional nets, else 64"
    )
    critic_norm: CriticNorm = parameter("none", "normalisation in a convolutional D")
    scaling: Literal["max_abs", "standard"] = parameter(
        "max_abs", "divisor of a centred column: largest absolute value or standard deviation"
    )
    ensemble: EnsembleKind = parameter(
        "auto", "K nets in a loop or batched as one; auto: a loop for conv on a CPU"
    )


@hyperparameters
class GanmmParameters(GanMixtureParameters):
    """Of the classifier h and of the data that each GAN is trained on."""

    start: Start = parameter(
        "auto", "first division; auto: by h for images and wide data it can learn from, else gmm"
    )
    n_init: Positive = parameter(
        4, "starts of h in its pretraining; the largest mutual information is kept", before=1
    )
    init_steps: Positive = parameter(
        1000, "pretraining updates of a start before the best one is chosen", before=1000
    )
    e_pretrain_steps: Count = parameter(
        3000, "updates of h on real data alone, if it makes the first division"
    )
    e_steps: Count = parameter(
        80, "updates of h in an E-step; with single batches, rounds of K updates"
    )
    e_batch_size: BatchSize = parameter(20, "rows of each generator in an update of h")
    real_batch_size: BatchSize = parameter(200, "real rows in an update of h on real data")
    e_optimizer: Optimizer = parameter("adam", "optimiser of h; adam has betas .5 and e_beta2")
    e_beta2: Decay = parameter(0.999, "decay of the mean square of h's gradients", before=0.9)
    e_lr: NonNegative = parameter(1e-3, "learning rate of h")
    classifier_data: Literal["generated", "clusters"] = parameter(
        "generated", "h learns from generated data, or (ablation) from the rows of the clusters"
    )
    classifier_batches: Literal["mixed", "single"] = parameter(
        "mixed", "an update of h sees all generators, or a single one as released"
    )
    prior: Literal["uniform", "estimated"] = parameter(
        "uniform", "weight of a component in h's loss: equal, or its cluster's size (line 6)"
    )
    label_smoothing: Fraction = parameter(0.0, "smoothing of h's targets, which weakens h")
    double_softmax: bool = parameter(
        False, "two softmaxes in h's loss, as released by oversight: at least ln(e + K - 1) - 1"
    )
    epsilon: tuple[Fraction, ...] = parameter(
        (0.2, 0.1, 0.0), "shares of augmentation sigma_t, first to last"
    )
    epsilon_ends: tuple[Count, ...] = parameter(
        (3, 6), "EM iteration after which each share of epsilon but the last ends"
    )
    augment: Augment = parameter(
        "sampled", "top: rows of highest posterior; sampled: drawn in proportion to it"
    )
    min_share: Fraction = parameter(
        0.1, "smaller clusters, in units of 1 / K, get the least confident rows of others"
    )
    e_hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes of a fully connected h")
    e_conv_hidden: tuple[Positive, ...] = parameter(
        (), "sizes of the dense layers of a convolutional h before its output"
    )
    e_components: Positive | None = parameter(
        50,
        "principal components that h sees if columns are more than twice as many; None: none",
        before=None,
    )
    e_batch_norm: bool = parameter(
        True, "batch norm in h; it assigns with the statistics of all real data"
    )
    e_gain: NonNegative = parameter(
        0.1, "factor on the first weights of h's hidden layers; small ones turn faster", before=1.0
    )
    e_last_std: NonNegative | None = parameter(
        1e-4, "standard deviation of the first weights of h's last layer; None: as the others"
    )
    e_noise: NonNegative = parameter(
        2.0, "noise on what h sees of generated data, in units of the median local scale"
    )
    consistency: NonNegative = parameter(
        1.0, "weight of the divergence under perturbation that h learns from real data"
    )
    marginal_entropy: NonNegative = parameter(
        1.0, "weight of the entropy of cluster sizes that h learns from real data"
    )
    conditional_entropy: NonNegative = parameter(
        0.25, "weight of the entropy of assignments that h learns from real data"
    )
    consistency_radius: NonNegative = parameter(
        3.5, "length of the perturbation, in units of a point's local scale"
    )


@hyperparameters
class GanmmEmParameters(GanMixtureParameters):
    """Of GANMM (EM); what the paper does not print is as in the released code."""

    max_iter = 20
    pretrain_steps = 500
    m_steps = 100
    tol = 0.0
    gradient_penalty = 10.0
    penalty_unit = "fixed"
    optimizer = "rmsprop"
    g_lr = 5e-5
    d_lr = 5e-5
    critic_offset: Literal["fakes", "as_trained"] = parameter(
        "fakes", "a critic's constant: mean 0 on its own fakes, or as it was trained"
    )
