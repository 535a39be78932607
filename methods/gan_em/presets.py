"""Presets of GAN-EM: as printed, as released, and ours. Experiments: docs/lab_notebook.md.

``stable``, the defaults: Eq. (18) in place of (2), so that Eq. (15) holds, and an E-net that also
learns from real data by regularised information maximisation, before and in the EM iterations.
"""

from __future__ import annotations

from deep_em_bench.methods.base import Preset

__all__ = ["PRESETS"]

AS_PRINTED = {
    # Algorithm 1, sections 3 and 5.1, appendix B: the same on paper and in the released code.
    "tol": 0.0,
    "m_epochs": 5,
    "m_steps": 0,
    "e_steps": 1000,
    "batch_size": 70,
    "e_batch_size": 200,
    "lr_decay": 0.98,
    "fake_units": "all",
    "init_std": 0.02,
    "d_batch_norm": True,
    "e_activation": "leaky_relu",
    "labelled_weight": 0.0,  # section 5.3 supervises at the end of an E-step alone
    # What ours adds.
    "e_gain": 1.0,
    "e_last_std": None,
    "e_average": 0.0,
    "e_components": None,
    "d_noise": 0.0,
    "e_noise": 0.0,
    "pretrain_epochs": 0,
    "pretrain_steps": 0,
    "n_init": 1,
    "consistency": 0.0,
    "consistency_radius": 5.0,
    "marginal_entropy": 0.0,
    "conditional_entropy": 0.0,
}

PRESETS = {
    "paper": Preset(
        title="GAN-EM, as printed",
        source="Zhao et al., GAN-EM: GAN based EM learning framework: Eqs. 1, 2, 5, appendix B",
        params={
            **AS_PRINTED,
            "max_iter": 20,
            "optimizer": "rmsprop",
            "d_lr": 2e-4,
            "g_lr": 2e-4,
            "e_lr": 2e-4,
            "extra_unit": "weight_1",
            "generator_loss": "maximum_likelihood",
            "prior": "estimated",
            "prior_floor": 0.0,
            "component_sampling": "random",
            "generator_activation": "leaky_relu",
            "e_batch_norm": "train",
        },
        deviations=(
            "Eq. 2 is negated: it is printed as a loss and is a log-likelihood",
            "the logit of Eq. 1 is clamped at 5; unclamped its exponential overflows",
            "the decay rate .98 is read as a learning-rate decay an EM iteration",
            "batch 70 and 200 (appendix B), not 64 and 256 (section 5.1)",
            "20 EM iterations: the slides' figure, the paper names none",
            "no weight clipping on G: section 4.4 gives no value (generator_clip sets one)",
            "the extra unit of section 4.3.2 has weight 1: the paper gives none",
            "first weights N(0, .02^2), as in the released code, and RMSprop's decay .99: the "
            "paper gives neither",
            "D is updated before G; Algorithm 1 has G first (lines 7 and 8)",
            "noise is uniform (section 5.1), not Gaussian (Eq. 1)",
            "the fit ends early if three EM iterations in a row change no label",
            "with labels, E is supervised before the first M-step as well, up to an error of 5 % "
            "or 100 updates (section 5.3; appendix B goes on to 0), and what is known is certain",
        ),
    ),
    "official": Preset(
        title="GAN-EM, as released",
        source="the authors' released code (zhaowt61/GAN-EM, 2019)",
        params={
            **AS_PRINTED,
            "max_iter": 100,
            "optimizer": "adam",
            "reset_optimizers": True,
            "d_lr": 2e-4,
            "g_lr": 6e-4,
            "e_lr": 6e-5,
            "extra_unit": "official",
            "generator_loss": "official",
            "prior": "uniform",
            "component_sampling": "balanced",
            "generator_activation": "relu",
            "generator_hidden": (1024,),
            "e_batch_norm": "affine",
        },
        deviations=(
            "responsibilities are computed once an E-step, not again for every batch",
            "100 EM iterations as the budget; the code runs up to 1,000 until it is stopped",
            "the fit ends early if three EM iterations in a row change no label",
            "G learns from the images that D has just seen; the code draws others for it",
            "with labels, of which the released code says nothing, it is as the preset paper: "
            "supervision up to an error of 5 % or 100 updates, and what is known is certain",
        ),
    ),
    "stable": Preset(
        title="GAN-EM, E-net pretrained by information maximisation",
        source="ours: Eq. 18 in place of 2, fakes drawn by phi, and an E-net that sees the "
        "principal components of wide data and also learns from real data, by regularised "
        "information maximisation: first from these alone, the most informative of four starts",
    ),
}
