"""GAN-EM's E as a running mean of the weights that its updates move."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.methods.small import BLOBS, FEW, IMAGES, INFORMED, KIND, e_net, em, parameters, training

LEARNING = {**INFORMED, "pretrain_steps": 300, "e_lr": 5e-3, "e_batch_size": 60}


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.9])
def test_the_mean_by_hand(decay: float) -> None:
    """It keeps (1 + n) / (10 + n) of itself at update n, and never more than the decay."""
    run = e_net(e_average=decay, **INFORMED)
    mean = parameters(run.average)
    assert torch.equal(mean, parameters(run.trained))
    for n in range(1, 6):
        run._find_clusters(1)
        kept = min(decay, (1 + n) / (10 + n))
        mean = kept * mean + (1 - kept) * parameters(run.trained)
        torch.testing.assert_close(parameters(run.average), mean)


def test_without_a_decay_there_is_no_mean() -> None:
    run = e_net(**INFORMED)
    assert run.trained is run.average


@pytest.mark.parametrize("params", [{}, {"network": "conv"}, {"e_components": 5}])
def test_the_mean_assigns_by_the_statistics_of_all_data(params: dict[str, Any]) -> None:
    X = IMAGES if params.get("network") == "conv" else IMAGES.reshape(len(IMAGES), -1)
    method = em(e_average=0.9, e_noise=5.0, pretrain_steps=20, **params, **INFORMED).fit(X)
    parts = list(method.E_.children())
    at = next(i for i, part in enumerate(parts) if isinstance(part, nn.Linear | nn.Conv2d))
    norm = parts[at + 1]
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    with torch.no_grad():
        seen = nn.Sequential(*parts[: at + 1])(method._incoming(X))
    over = [d for d in range(seen.dim()) if d != 1]
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=over), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(method.predict(X), method.labels_)


def test_affine_batch_norm_never_learns_statistics() -> None:
    method = em(e_average=0.9, e_batch_norm="affine", **INFORMED).fit(FEW)
    norms = [part for part in method.E_.modules() if isinstance(part, nn.BatchNorm1d)]
    assert norms
    for norm in norms:
        assert norm.running_mean is not None
        assert not norm.running_mean.any()


@pytest.mark.parametrize("params", [{}, {"n_components": 2}, {"n_init": 3, "init_steps": 100}])
def test_it_finds_the_clusters_and_learns_labels(params: dict[str, Any]) -> None:
    for turned in (KIND, (KIND + 1) % 3):
        y = np.where(np.arange(len(KIND)) < 12, turned, -1)
        method = em(e_average=0.9, **LEARNING, **params).fit(BLOBS, y)
        assert (method.predict(BLOBS) == turned).mean() > 0.95
    labels = em(e_average=0.9, **LEARNING, **params).fit(BLOBS).predict(BLOBS)
    assert len(set(zip(labels.tolist(), KIND.tolist(), strict=True))) == 3


def test_every_update_of_e_moves_it() -> None:
    run = training(e_average=0.9, pretrain_steps=2, labelled_error=0.0, **INFORMED)
    net = run.e_net
    net.labelled = torch.arange(9), torch.arange(9) % 3
    for step in (net.pretrain, lambda: run.e_step(torch.full((3,), 1 / 3)), net.supervise):
        before = parameters(net.average)
        step()
        assert not torch.equal(before, parameters(net.average))


def test_another_start_begins_its_mean_anew() -> None:
    run = e_net(e_average=0.99, **INFORMED)
    run._find_clusters(20)
    run._restart_teacher(1)
    assert torch.equal(parameters(run.average), parameters(run.trained))
    assert run.updates == 0
