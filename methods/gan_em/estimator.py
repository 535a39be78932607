"""GAN-EM: a conditional GAN is the M-step, a net trained on its samples is the E-step."""

from __future__ import annotations

import math
import time
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from deep_em_bench.methods.base import (
    Generative,
    Reducer,
    SemiSupervised,
    check_draw,
    check_labels,
    register,
)
from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.losses import ExtraUnit, FakeUnits, GeneratorLoss
from deep_em_bench.methods.gan_em.presets import PRESETS
from deep_em_bench.methods.gan_em.steps import Training
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row
from deep_em_bench.methods.nets.networks import (
    Activation,
    Kind,
    encoder,
    generator,
    initialise,
    resolve_kind,
)
from deep_em_bench.methods.nets.projection import Projection, components_for
from deep_em_bench.methods.neural import NeuralMethod
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["GanEm"]


@register("gan_em", title="GAN-EM", version=1, presets=PRESETS)
@hyperparameters
class GanEm(NeuralMethod, Generative, Reducer, SemiSupervised):
    r"""GAN-EM (Zhao, Wang, Xie, Shi and Xu), the symbols as in the paper.

    A generator G(z, c) stands for K generators, a discriminator D has K units (and one that says
    "is fake"), and an E-net E gives :math:`w = P(c \mid x)`. An EM iteration (Algorithm 1): with w
    fixed, train G and D on Eqs. (1) and (2) (M-step); with G fixed, train E to tell components of
    generated images apart, Eq. (5), and assign the data, Eq. (4) (E-step).

    The defaults are the preset ``stable``; :mod:`methods.gan_em.presets` says what it adds and
    what was learnt in making it.
    """

    max_iter: Count = parameter(15, "budget of EM iterations")
    m_epochs: Count = parameter(5, "passes over the data in an M-step")
    m_steps: Count = parameter(
        300, "minimum number of updates in an M-step; passes are added until it is reached"
    )
    e_steps: Count = parameter(120, "updates of E in an E-step")
    batch_size: BatchSize = parameter(64, "of real and of generated images in an M-step")
    e_batch_size: BatchSize = parameter(200, "of generated (and of real) images in an E-step")
    tol: Fraction = parameter(
        1e-3, "an EM iteration is stationary if at most this share of labels changes"
    )
    patience: Positive = parameter(
        3, "stationary iterations in a row after which the fit has converged"
    )
    optimizer: Literal["adam", "rmsprop"] = parameter("adam", "``adam`` has betas (.5, .999)")
    d_lr: NonNegative = parameter(1e-3, "learning rates")
    g_lr: NonNegative = parameter(1e-3, "learning rates")
    e_lr: NonNegative = parameter(1e-3, "learning rates")
    lr_decay: NonNegative = parameter(1.0, "factor on all learning rates, an EM iteration")
    reset_optimizers: bool = parameter(
        False, "forget the optimisers' moments at each EM iteration"
    )
    extra_unit: ExtraUnit = parameter("weight_1", "see :func:`discriminator_loss`")
    fake_units: FakeUnits = parameter("own", "see :func:`discriminator_loss`")
    generator_loss: GeneratorLoss = parameter("maximum_likelihood", "see :func:`generator_loss`")
    logit_clamp: float = parameter(5.0, "see :func:`generator_loss`")
    prior: Literal["uniform", "estimated"] = parameter(
        "estimated",
        "phi of the generated components: 1/K each, or the mean responsibilities",
    )
    prior_floor: Fraction = parameter(
        0.5,
        "lower bound on phi_i, in units of 1/K, before they are scaled to sum to one; without it "
        "large components grow at the cost of small ones",
    )
    component_sampling: Literal["balanced", "random"] = parameter(
        "balanced",
        "how a uniform prior is drawn: equal counts in every batch, or at random",
    )
    network: Kind = parameter(
        "auto",
        "the papers' convolutional nets, or fully connected ones; ``auto``: convolutional for "
        "square images of side 16 to 64",
    )
    width: NonNegative = parameter(1.0, "factor on the filters of the convolutional nets")
    hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes of the fully connected nets")
    generator_hidden: tuple[Positive, ...] = parameter(
        (), "layers between the input and the feature maps of a convolutional G"
    )
    generator_activation: Activation = parameter(
        "relu", "of G and of E; D has leaky ReLUs of slope .2"
    )
    noise: Literal["uniform", "gaussian"] = parameter(
        "uniform", "distribution of z: U[0, 1] or N(0, 1)"
    )
    noise_dim: Count = parameter(62, "length of z")
    init_std: NonNegative | None = parameter(None, "of the first weights; None: He's")
    d_batch_norm: bool = parameter(False, "whether D has batch norm")
    e_components: Positive | None = parameter(
        50,
        "number of principal components that E, which is then fully connected, is given in place "
        "of data with more than twice as many columns. Not where rows are labelled: what labels "
        "tell apart need not be where the data vary most. None: E is given the data as they are",
    )
    e_batch_norm: Literal["train", "affine", "none"] = parameter(
        "train",
        "``train``: as usual; ``affine``: never leaves evaluation mode, as in the released code, "
        "so that only its factor and offset learn; ``none``",
    )
    e_activation: Activation = parameter(
        "relu", "of G and of E; D has leaky ReLUs of slope .2", before="leaky_relu"
    )
    e_gain: NonNegative = parameter(
        0.1,
        "factor on the first weights of E's hidden layers. Where batch norm follows, which takes "
        "their scale out again, small weights learn the faster",
        before=1.0,
    )
    e_last_std: NonNegative | None = parameter(
        1e-4,
        "standard deviation of the first weights of E's last layer; None: as of the other nets",
        before=None,
    )
    e_average: Fraction = parameter(
        0.99,
        "decay, an update, of a running mean of E's weights, which assigns the data, with the "
        "batch norm statistics of all of them; 0: E's last weights assign, with running "
        "statistics of all that E has seen",
        before=0.0,
    )
    generator_clip: NonNegative | None = parameter(
        None, "bound on G's weights after each update (section 4.4); None: none"
    )
    spectral_norm: tuple[Literal["G", "D", "E"], ...] = parameter(
        (),
        "nets whose weights are spectrally normalised; else a convolutional D wins at once",
    )
    n_components: Positive | None = parameter(
        None,
        "size of the layer put before E's output, whose values ``transform`` returns (5.4). "
        "Where E learns from real data, a second E without this layer learns in its place; E "
        "then begins with the layers of this one, and is distilled from it",
    )
    labelled_error: Fraction = parameter(
        0.05,
        "supervision at the end of an E-step stops below this error rate on the labelled rows "
        "(5.3); at 0 it uses all its updates",
    )
    labelled_steps: Count = parameter(100, "the maximum number of updates of such supervision")
    labelled_weight: NonNegative = parameter(
        1.0, "of the labelled rows' cross-entropy in every other update of E"
    )
    n_init: Positive = parameter(
        4,
        "number of first weights of E that pretraining (and distillation) begins with; the one "
        "of the largest mutual information between data and clusters goes on. With labels it is "
        "always one",
        before=1,
    )
    init_steps: Positive = parameter(
        1000,
        "pretraining updates after which that one is chosen, at most all of them",
        before=1000,
    )
    pretrain_epochs: Count = parameter(
        50, "passes of E over the real data alone, before the first M-step"
    )
    pretrain_steps: Count = parameter(
        1000, "minimum number of such updates; passes are added until it is reached"
    )
    consistency: NonNegative = parameter(
        1.0,
        "weights of the terms that E learns from real data, see :func:`information_loss`; all 0: "
        "it learns nothing from them",
    )
    marginal_entropy: NonNegative = parameter(
        0.4,
        "weights of the terms that E learns from real data, see :func:`information_loss`; all 0: "
        "it learns nothing from them",
    )
    conditional_entropy: NonNegative = parameter(
        0.1,
        "weights of the terms that E learns from real data, see :func:`information_loss`; all 0: "
        "it learns nothing from them",
    )
    consistency_radius: NonNegative = parameter(
        3.5,
        "length of the perturbation as a multiple of each point's local scale, which is the "
        "distance to its 10th neighbour over the square root of D, among what E is given",
    )
    d_noise: NonNegative = parameter(
        1.5,
        "standard deviation of Gaussian noise on what D sees, and on the generated images that E "
        "sees, in units of the median local scale of the data",
    )
    e_noise: NonNegative = parameter(
        2.0,
        "standard deviation of Gaussian noise on what D sees, and on the generated images that E "
        "sees, in units of the median local scale of the data",
    )

    labelled_ = False
    """Whether the fit knew any labels."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X``; ``y`` holds class ids of labelled rows and -1 elsewhere, or None.

        With labels the components carry the class ids: ``predict`` gives classes. ``labels_`` of
        labelled rows are the given ones.
        """
        known = check_labels(y, len(self._fitting(X)), self.n_clusters)
        self.labelled_ = known is not None
        data = self._begin(X)
        N, K = len(data), self.n_clusters
        e_net = ENet(self, data, self._generator, self._on_device(known))
        training = Training(self, data, self._generator, e_net)
        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)
        w = torch.full((N, K), 1 / K, device=self._device)  # Algorithm 1, line 1
        labels = None
        pretrained = e_net.pretrain()
        if pretrained or known is not None or self.max_iter == 0:
            w = self._e_assign(e_net)[0]
            labels = w.argmax(dim=1)
        self.phi_, self.n_iter_ = self._mixing(w).cpu().numpy(), 0

        for iteration in range(self.max_iter):
            training.begin(iteration)
            started = time.perf_counter()
            phi = self._mixing(w)  # phi_i = N_i / N, lines 3-4
            m_row = training.m_step(w, phi)  # lines 5-9
            between = time.perf_counter()
            e_row = training.e_step(phi)  # lines 10-13
            w, supervision = self._e_assign(e_net)  # Eq. (4)
            previous, labels = labels, w.argmax(dim=1)
            row = {
                "iteration": iteration + 1,
                **m_row,
                **e_row,
                **supervision,
                **assignment_row(w, previous),
                "m_seconds": between - started,
                "e_seconds": time.perf_counter() - between,
            }
            self.phi_, self.n_iter_ = self._mixing(w).cpu().numpy(), iteration + 1
            self._record(row)  # whose callback may sample
            self.converged_ = standstill.reached(row)
            if self.converged_:
                break
        self.labels_ = w.argmax(dim=1).cpu().numpy()
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities of the E-net, ``(N, K)`` float32."""
        x = self._incoming(X)
        return self._apply(self.E_, x).softmax(dim=1).cpu().numpy()

    def can_sample(self) -> bool:
        """Whether an EM iteration has trained G."""
        check_is_fitted(self)
        return self.n_iter_ > 0

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``n`` draws from G, components by phi (or all of one); scaled back to X's own scale."""
        check_draw(n, component, self.n_clusters)
        if not self.can_sample():
            raise ValueError("G is untrained: no EM iteration was run; fit with max_iter >= 1")
        stream = torch.Generator(self._device).manual_seed(int(random_state))
        if component is None:
            phi = torch.from_numpy(self.phi_).to(self._device)
            c = torch.multinomial(phi, n, replacement=True, generator=stream)
        else:
            c = torch.full((n,), component, device=self._device)
        x = self._apply(self.G_, self._latent(c, stream))
        return self._scaling.from_net(x), c.cpu().numpy()

    def transform(self, X: np.ndarray) -> np.ndarray:
        """What E's output layer is given; with ``n_components=k``, section 5.4's k features."""
        x = self._incoming(X)
        features = nn.Sequential(*list(self.E_.children())[:-1])
        return self._apply(features, x).cpu().numpy()

    def _e_assign(self, e_net: ENet) -> tuple[Tensor, dict[str, float]]:
        """Responsibilities of all data, and of labelled rows their labels, after supervision."""
        row = {} if e_net.labelled is None else {"labelled_error": e_net.supervise()}
        w = e_net.responsibilities()
        if e_net.labelled is not None:
            rows, y = e_net.labelled
            w[rows] = F.one_hot(y, self.n_clusters).to(w)
        return w, row

    def _on_device(
        self, labelled: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[Tensor, Tensor] | None:
        if labelled is None:
            return None
        rows, y = (torch.from_numpy(part).to(self._device) for part in labelled)
        return rows, y

    def _mixing(self, w: Tensor) -> Tensor:
        """phi, ``(K,)``: uniform, or the mean responsibilities with a floor."""
        if self.prior == "uniform":
            return torch.full_like(w[0], 1 / self.n_clusters)
        phi = w.mean(dim=0).clamp_min(self.prior_floor / self.n_clusters)
        return phi / phi.sum()

    def _latent(self, c: Tensor, stream: torch.Generator) -> Tensor:
        """G's input: the one-hot component joined with noise z, ``(B, K + noise_dim)``."""
        draw = torch.rand if self.noise == "uniform" else torch.randn
        z = draw(len(c), self.noise_dim, generator=stream, device=c.device)
        return torch.cat([F.one_hot(c, self.n_clusters).to(z), z], dim=1)

    def _nets(self) -> dict[str, nn.Module]:
        return {"G": self.G_, "D": self.D_, "E": self.E_}

    def _build(self) -> None:
        self.G_, self.D_, self.E_ = (self._net(name) for name in ("G", "D", "E"))

    def _net(
        self, name: Literal["G", "D", "E"], *, reduced: bool = True, start: int = 0
    ) -> nn.Module:
        """A net with its first weights; E with the layer of section 5.4 or not ``reduced``."""
        shape, K = tuple(self.shape_), self.n_clusters
        kind = resolve_kind(self.network, shape)
        columns, k = math.prod(shape), None
        if name == "E" and not self.labelled_:
            k = components_for(columns, self.e_components)
        if k is not None:
            kind = "mlp"
        with torch.device("meta"):
            if name == "G":
                net = generator(
                    kind,
                    K + self.noise_dim,
                    shape,
                    hidden=self.generator_hidden if kind == "conv" else self.hidden,
                    width=self.width,
                    activation=self.generator_activation,
                    output=self._scaling.output(shape),
                )
            else:
                net = encoder(
                    kind,
                    shape if k is None else (k,),
                    K if name == "E" else K + (self.extra_unit != "none"),
                    hidden=self.hidden,
                    width=self.width,
                    batch_norm=self.d_batch_norm if name == "D" else self.e_batch_norm != "none",
                    bottleneck=self.n_components if name == "E" and reduced else None,
                    activation=self.e_activation if name == "E" else "leaky_relu",
                )
        purpose = f"weights of {name}" if reduced else f"weights of the unreduced {name}"
        purpose += f", start {start}" if start > 0 else ""
        stream = self._stream(purpose, torch.device("cpu"))
        net = initialise(
            net,
            stream,
            self._device,
            std=self.init_std,
            last_std=self.e_last_std if name == "E" else None,
            hidden_gain=self.e_gain if name == "E" else 1.0,
            spectral_norm=name in self.spectral_norm,
        )
        return net if k is None else Projection(columns, k).to(self._device).before(net)
