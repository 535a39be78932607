"""GAN-EM's reduction: few units before E's output, and the output before them that it copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from methods.gan_em import GanEm
from tests.methods.small import BLOBS, IMAGES, INFORMED, KIND, SMALL, em, parameters, training

LEARNING = {**INFORMED, "pretrain_steps": 300, "e_lr": 5e-3, "e_batch_size": 60}


def test_the_auxiliary_output_is_that_of_e_without_the_few_units() -> None:
    run = training(n_components=2, **INFORMED)
    assert run.auxiliary is not None
    *before, output = run.auxiliary
    *layers, reduction, _ = run.E.children()
    assert all(own is shared for own, shared in zip(before, layers, strict=True))
    assert (output.in_features, output.out_features) == (reduction.in_features, 3)
    plain = training(**INFORMED)
    assert [type(part) for part in run.auxiliary] == [type(part) for part in plain.E.children()]


@pytest.mark.parametrize("params", [{"n_components": 2}, INFORMED])
def test_there_is_none_where_e_learns_from_generated_images_alone_or_is_whole(
    params: dict[str, float],
) -> None:
    assert training(**params).auxiliary is None


def test_it_is_no_part_of_what_is_fitted() -> None:
    method = em(n_components=2, **INFORMED).fit(BLOBS)
    bare = em(n_components=2).fit(BLOBS)
    assert method.n_parameters() == bare.n_parameters()


@pytest.mark.parametrize("k", [1, 2, 40])
def test_the_units_bear_the_clusters_that_it_finds(k: int) -> None:
    run = training(BLOBS, n_components=k, **LEARNING)
    assert run.auxiliary is not None
    run.pretrain()
    by_units = run.responsibilities().argmax(dim=1)
    by_auxiliary = run.em._apply(run.auxiliary, run.given).argmax(dim=1)
    assert (by_units == by_auxiliary).float().mean() > 0.97
    assert len(set(by_units.tolist())) == 3


def test_copying_moves_the_units_and_not_the_auxiliary_output() -> None:
    run = training(BLOBS, n_components=2, **INFORMED)
    assert run.auxiliary is not None
    loss = run._copying(run.given[:20])
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert all(p.grad is None for p in run.auxiliary[-1].parameters())
    reduction, output = list(run.E.children())[-2:]
    assert all(p.grad is not None for net in (reduction, output) for p in net.parameters())


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_every_step_of_e_trains_it(network: str) -> None:
    run = training(IMAGES, n_components=2, network=network, **INFORMED)
    assert isinstance(run.auxiliary, nn.Sequential)
    before = parameters(run.auxiliary[-1])
    for step in (run.pretrain, lambda: run.e_step(torch.full((3,), 1 / 3))):
        run.em.pretrain_steps = 2
        step()
        after = parameters(run.auxiliary[-1])
        assert not torch.equal(before, after)
        before = after


def test_labels_reach_both_outputs() -> None:
    """The one copies the other: with class ids of its own it would undo what labels teach."""
    for turned in (KIND, (KIND + 1) % 3):
        y = np.where(np.arange(len(KIND)) < 12, turned, -1)
        params = {**SMALL, **LEARNING, "n_components": 2, "m_steps": 20, "e_steps": 20}
        method = GanEm(3, **params).fit(BLOBS, y)
        assert (method.predict(BLOBS) == turned).mean() > 0.95
        assert method.transform(BLOBS).shape == (300, 2)
