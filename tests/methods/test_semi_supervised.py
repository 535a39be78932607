"""GAN-EM with labels: components carry class ids, and labels alone train the net they should."""

from __future__ import annotations

from typing import Any

import numpy as np

from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.suite import Suite
from deep_em_bench.methods.gan_em.estimator import GanEm
from tests.methods.cases import images
from tests.methods.small import BLOBS, INFORMED, KIND, em

FEW_LABELS = np.where(np.arange(len(KIND)) < 12, KIND, -1)


def labels_only() -> dict[str, Any]:
    """The parameters of the suites' row, with small nets."""
    for name in ("digits_semi", "mnist_semi", "svhn_semi", "celeba"):
        cells = [c for c in plan(Suite.find(name), "quick") if c.label == "gan_em[labels only]"]
        assert cells
        params = dict(cells[0].params)
        assert params["max_iter"] == params["pretrain_steps"] == 0
        assert all(params[k] == 0 for k in ("consistency", "marginal_entropy", "d_noise"))
    small = {"hidden": (16, 16), "network": "mlp", "labelled_steps": 60, "e_batch_size": 15}
    return {**params, **small, "device": "cpu"}


def test_components_are_classes() -> None:
    for turned in (KIND, (KIND + 1) % 3):
        y = np.where(FEW_LABELS >= 0, turned, -1)
        method = em(**INFORMED, pretrain_steps=40, max_iter=1, m_steps=20, e_steps=20).fit(
            BLOBS, y
        )
        assert (method.predict(BLOBS) == turned).mean() > 0.95
        assert "labelled_error" in method.history_[0]


def test_labels_alone_train_the_net_without_a_look_at_other_rows() -> None:
    X, y = images(30), np.where(np.arange(30) < 12, np.arange(30) % 3, -1)
    other = X.copy()
    other[12:] = np.random.default_rng(5).random(other[12:].shape, dtype=np.float32)
    params = labels_only()
    fits = [GanEm(3, **params).fit(data, y) for data in (X, other)]
    np.testing.assert_array_equal(fits[0].predict_proba(X), fits[1].predict_proba(X))
    assert (fits[0].predict(X) == np.arange(30) % 3).mean() > 0.9
    assert not fits[0].can_sample()
    assert fits[0].n_iter_ == 0


def test_one_label_is_enough_for_nets_with_batch_norm() -> None:
    y = np.where(np.arange(len(KIND)) == 0, KIND, -1)
    method = em(**INFORMED, pretrain_steps=4, max_iter=1, m_steps=4, e_steps=4).fit(BLOBS, y)
    assert method.labels_[0] == KIND[0]
