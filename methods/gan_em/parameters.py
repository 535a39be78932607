"""The hyper-parameters of GAN-EM; the defaults are the preset ``stable``."""

from __future__ import annotations

from typing import Literal

from deep_em_bench.methods.gan_em.losses import ExtraUnit, FakeUnits, GeneratorLoss
from deep_em_bench.methods.nets.networks import Activation, Kind
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NeuralParameters,
    NonNegative,
    Positive,
    SemiSupervisedParameters,
    hyperparameters,
    parameter,
)

__all__ = ["GanEmParameters"]


@hyperparameters
class GanEmParameters(NeuralParameters, SemiSupervisedParameters):
    """Local scales are distances to the 10th neighbour over the square root of the dimension."""

    # The EM loop, Algorithm 1
    max_iter: Count = parameter(15, "maximum number of EM iterations")
    tol: Fraction = parameter(
        1e-3, "an EM iteration is still if it changes at most this share of labels"
    )
    patience: Positive = parameter(3, "number of still EM iterations in a row that ends the fit")
    prior: Literal["uniform", "estimated"] = parameter(
        "estimated", "phi of the generated components: 1/K each, or the mean responsibilities"
    )
    prior_floor: Fraction = parameter(
        0.5, "lower bound on an estimated phi_i, in units of 1/K, before phi is normalised"
    )

    # The M-step: G and D
    m_epochs: Count = parameter(5, "passes over the data in an M-step")
    m_steps: Count = parameter(300, "minimum number of updates in an M-step; passes are added")
    batch_size: BatchSize = parameter(
        64, "real points, and as many generated ones, in an update of D and G"
    )
    generator_loss: GeneratorLoss = parameter(
        "maximum_likelihood", "loss of G: Eq. (1), the released code's, or -log D_c"
    )
    logit_clamp: float = parameter(5.0, "upper bound on the logit in Eq. (1)")
    fake_units: FakeUnits = parameter(
        "own", "units of D that see a generated point: all (Eq. 2) or its own (Eq. 18)"
    )
    extra_unit: ExtraUnit = parameter(
        "weight_1", "D's unit K+1, 'is fake' (4.3.2): none, or its weight on real data, 1 or 2"
    )
    component_sampling: Literal["balanced", "random"] = parameter(
        "balanced", "components of a batch under a uniform phi: equal counts, or at random"
    )
    generator_clip: NonNegative | None = parameter(
        None, "bound on the weights of G after each update (4.4)"
    )
    d_noise: NonNegative = parameter(
        1.5, "standard deviation of noise on the points that D sees, in median local scales"
    )

    # The E-step: E
    e_steps: Count = parameter(120, "updates of E in an E-step")
    e_batch_size: BatchSize = parameter(
        200, "generated points, and as many real ones, in an update of E"
    )
    e_noise: NonNegative = parameter(
        2.0, "standard deviation of noise on generated points that E sees, in median local scales"
    )
    e_average: Fraction = parameter(
        0.99,
        "decay of the running mean of E's weights that assigns the data; 0: no mean",
        before=0.0,
    )

    # Optimisers
    optimizer: Literal["adam", "rmsprop"] = parameter(
        "adam", "Adam with betas (.5, .999), or RMSprop"
    )
    d_lr: NonNegative = parameter(1e-3, "learning rate of D")
    g_lr: NonNegative = parameter(1e-3, "learning rate of G")
    e_lr: NonNegative = parameter(1e-3, "learning rate of E")
    lr_decay: NonNegative = parameter(1.0, "factor on all learning rates after each EM iteration")
    reset_optimizers: bool = parameter(
        False, "whether each EM iteration begins with new optimisers"
    )

    # What E learns from real data, by information_loss; with all three weights 0, nothing
    consistency: NonNegative = parameter(
        1.0, "E on real data: weight of the divergence under perturbation"
    )
    marginal_entropy: NonNegative = parameter(
        0.4, "E on real data: weight of the entropy of the mean responsibility"
    )
    conditional_entropy: NonNegative = parameter(
        0.1, "E on real data: weight of the mean entropy of responsibilities"
    )
    consistency_radius: NonNegative = parameter(
        3.5, "length of a point's perturbation, in units of its local scale"
    )
    pretrain_epochs: Count = parameter(50, "passes of E over real data before the first M-step")
    pretrain_steps: Count = parameter(
        1000, "minimum number of pretraining updates; passes are added"
    )
    n_init: Positive = parameter(
        4,
        "starts of the pretraining, of which the most informative goes on; 1 with labels",
        before=1,
    )
    init_steps: Positive = parameter(
        1000, "pretraining updates after which this start is chosen", before=1000
    )

    # Nets, Tables 4 to 6
    network: Kind = parameter(
        "auto", "convolutional nets or fully connected ones; auto: by the shape of the data"
    )
    width: NonNegative = parameter(1.0, "factor on the filters of convolutional nets")
    hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes of fully connected nets")
    generator_hidden: tuple[Positive, ...] = parameter(
        (), "layer sizes before the feature maps of a convolutional G"
    )
    generator_activation: Activation = parameter("relu", "activation of G")
    noise: Literal["uniform", "gaussian"] = parameter(
        "uniform", "z is drawn from U[0, 1] or N(0, 1)"
    )
    noise_dim: Count = parameter(62, "length of z")
    d_batch_norm: bool = parameter(False, "whether D has batch norm")
    spectral_norm: tuple[Literal["G", "D", "E"], ...] = parameter(
        (), "nets whose weights are spectrally normalised"
    )
    init_std: NonNegative | None = parameter(
        None, "standard deviation of the first weights; None: He's"
    )
    e_components: Positive | None = parameter(
        50, "principal components that E sees of wide data without labels; None: the data"
    )
    e_batch_norm: Literal["train", "affine", "none"] = parameter(
        "train", "batch norm of E; affine: always in evaluation mode, as in the released code"
    )
    e_activation: Activation = parameter("relu", "activation of E", before="leaky_relu")
    e_gain: NonNegative = parameter(
        0.1, "factor on the first weights of E's hidden layers", before=1.0
    )
    e_last_std: NonNegative | None = parameter(
        1e-4,
        "standard deviation of the first weights of E's last layer; None: as elsewhere",
        before=None,
    )
    n_components: Positive | None = parameter(
        None, "size of the layer before E's output, which transform returns (5.4); None: no layer"
    )

    # Labels, section 5.3
    labelled_weight: NonNegative = parameter(
        1.0, "weight of the cross-entropy of labelled rows in the updates of E"
    )
    labelled_error: Fraction = parameter(
        0.05, "error rate on labelled rows below which the supervision after an E-step ends"
    )
    labelled_steps: Count = parameter(
        100, "maximum number of updates in the supervision after an E-step"
    )
