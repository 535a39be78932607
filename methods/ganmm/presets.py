"""GANMM as printed, as released, and ours.

``stable`` replaces the random first division, lets the classifier learn from real data too, and
ends augmentation; docs/lab_notebook.md has the experiments behind it.
"""

from __future__ import annotations

from deep_em_bench.methods.base import Preset

__all__ = ["EM_PRESETS", "PRESETS"]

RELEASED = {
    "pretrain_steps": 500,
    "max_iter": 2000,
    "m_steps": 100,
    "critic_steps": 5,
    "batch_size": 50,
    "tol": 0.0,
    "patience": 3,
    "optimizer": "rmsprop",
    "g_lr": 5e-5,
    "d_lr": 5e-5,
    "network": "auto",
    "width": 1.0,
    "hidden": (64,),
    "noise_dim": None,
    "scaling": "max_abs",
}

CLASSIFIER = {
    "e_steps": 100,
    "e_batch_size": 50,
    "e_optimizer": "rmsprop",
    "e_lr": 5e-5,
    "e_hidden": (64,),
    "e_components": None,
    "e_batch_norm": False,
    "e_gain": 1.0,
    "e_last_std": None,
    "prior": "uniform",
    "label_smoothing": 0.0,
    "epsilon": (0.5, 0.2, 0.1, 0.04),
    "epsilon_ends": (5, 10, 20),
    "min_share": 0.0,
    "start": "random",
    "n_init": 1,
    "e_pretrain_steps": 0,
    "consistency": 0.0,
    "marginal_entropy": 0.0,
    "conditional_entropy": 0.0,
    "e_noise": 0.0,
}

UNPRINTED = (
    "convergence is three EM iterations in a row that change no label, within a budget of 2,000: "
    "the paper says only that the loop runs until convergence",
    "what the paper does not print is as in the released code: learning rates, batch size, "
    "pretraining, the amounts of augmentation and when they fall",
    "an EM iteration is 100 updates of the classifier and 100 of each generator: the paper leaves "
    "n_epoch open",
)

PAPER_WGAN = {
    "wgan": "gp",
    "gradient_penalty": 10.0,
    "penalty_unit": "fixed",
    "critic_norm": "none",
}

PRESETS = {
    "paper": Preset(
        title="GANMM, as printed",
        source="Yu and Zhou, Mixture of GANs for Clustering (IJCAI 2018): Algorithm 1, section 3",
        params={
            **RELEASED,
            **CLASSIFIER,
            **PAPER_WGAN,
            "classifier_batches": "mixed",
            "double_softmax": False,
            "e_conv_hidden": (1024,),
            "augment": "top",
        },
        deviations=(
            *UNPRINTED,
            "line 8 descends: it is printed as an ascent",
            "the same amount from each generator (section 3), not by cluster size (line 6)",
            "sigma_t is a share of N / K, the size of a cluster if all were equal",
            "the dense layer of the classifier for images has 1,024 units: the paper names none",
        ),
    ),
    "official": Preset(
        title="GANMM, as released",
        source="the authors' released code (eyounx/GANMM, 2018)",
        params={
            **RELEASED,
            **CLASSIFIER,
            "wgan": "clip",
            "clip": 0.01,
            "critic_norm": "batch",
            "classifier_batches": "single",
            "double_softmax": True,
            "e_conv_hidden": (),
            "augment": "sampled",
        },
        deviations=(
            "classifier and GANs take turns after 100 updates, not after one, and all data are "
            "assigned in between; the code assigns a batch of 50 at a time",
            "the fit ends early if three EM iterations in a row change no label; the code has no "
            "such rule",
            "batches are drawn with replacement",
            "all layers of the classifier of vectors learn; the code leaves out the last",
            "nets for SAE features have hidden layers of 64, as for all vectors; the code has 32",
            "RMSprop's mean square begins at 0, TensorFlow's at 1: the first 100 updates differ",
            "a cluster without data is refilled once an E-step; the code adds the most probable "
            "point to every batch that has none of its own",
        ),
    ),
    "stable": Preset(
        title="GANMM, classifier pretrained by information maximisation",
        source="ours: the first division is by a Gaussian mixture, or for images and wide data by "
        "the classifier itself, from the most informative of four starts; the classifier also "
        "learns from real data, by regularised information maximisation; augmentation ends",
    ),
}

EM_PRESETS = {
    "paper": Preset(
        title="GANMM (EM), as printed",
        source="Yu and Zhou, Mixture of GANs for Clustering (IJCAI 2018): section 4, GANMM (EM)",
        params={**RELEASED, **PAPER_WGAN},
        deviations=(
            *UNPRINTED[:2],
            "an EM iteration is 100 updates of each generator",
            "each critic is shifted to mean 0 on its own generator's data: a WGAN determines its "
            "critic up to a constant, and unshifted one critic takes all data",
        ),
    ),
}
