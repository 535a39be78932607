"""GAN-EM's reduction: an E with a narrow layer before its output copies a teacher without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.nets.projection import Projection
from tests.methods.small import (
    BLOBS,
    IMAGES,
    INFORMED,
    KIND,
    SMALL,
    e_net,
    em,
    parameters,
    training,
)

LEARNING = {**INFORMED, "pretrain_steps": 300, "e_lr": 5e-3, "e_batch_size": 60}
WIDE = np.random.default_rng(3).normal(size=(60, 20)).astype(np.float32)
CONV = {"network": "conv"}


@pytest.mark.parametrize("params", [{}, {"e_components": 5}, CONV, {**CONV, "e_components": 5}])
def test_the_teacher_is_e_without_the_narrow_layer(params: dict[str, Any]) -> None:
    X = IMAGES if params.get("network") == "conv" else WIDE
    whole = e_net(X, n_components=2, **params, **INFORMED).teacher
    plain = e_net(X, **params, **INFORMED).average
    shapes = [[p.shape for p in net.parameters()] for net in (whole, plain)]
    assert shapes[0] == shapes[1]
    assert not any(isinstance(part, Projection) for part in whole.modules())


@pytest.mark.parametrize("params", [{"n_components": 2}, INFORMED])
def test_e_that_learns_from_generated_images_alone_or_has_no_narrow_layer_has_no_teacher(
    params: dict[str, Any],
) -> None:
    run = e_net(**params)
    assert run.teacher is run.average
    assert run._copying_loss(run.inputs) == 0


def test_the_teacher_is_no_part_of_the_fitted_method() -> None:
    method = em(n_components=2, **INFORMED).fit(BLOBS)
    bare = em(n_components=2).fit(BLOBS)
    assert method.n_parameters() == bare.n_parameters()


@pytest.mark.parametrize("k", [1, 2, 40])
def test_e_copies_the_clusters_of_its_teacher(k: int) -> None:
    run = e_net(BLOBS, n_components=k, **LEARNING)
    run.pretrain()
    labels = run.runtime.apply(run.teacher, run.inputs).argmax(dim=1)
    assert len(set(labels.tolist())) == 3
    assert (run.responsibilities().argmax(dim=1) == labels).float().mean() > 0.97


def test_copying_moves_e_alone() -> None:
    run = e_net(BLOBS, n_components=2, **INFORMED)
    run.pretrain()
    loss = run._copying_loss(run.inputs[:20])
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert all(p.grad is None for p in run.teacher.parameters())
    assert all(p.grad is not None for p in run.average.parameters())


def test_real_data_move_the_teacher_alone() -> None:
    alone = e_net(BLOBS, n_components=2, **INFORMED)
    alone.information_loss()[0].backward()
    assert all(p.grad is None for p in alone.average.parameters())
    assert all(p.grad is not None for p in alone.teacher.parameters())


def test_e_begins_to_copy_with_the_layers_of_its_teacher() -> None:
    run = e_net(BLOBS, n_components=2, **INFORMED)
    run._find_clusters(20)
    run._restart_copy(0)
    own, copied = (list(net.parameters()) for net in (run.trained, run.teacher))
    assert all(map(torch.equal, own[:-4], copied[:-2]))
    assert len(own) > 4


@pytest.mark.parametrize(("k", "factor"), [(1, 10), (2, 10), (3, 1), (40, 1)])
def test_a_layer_of_fewer_units_than_clusters_learns_faster(k: int, factor: float) -> None:
    run = e_net(BLOBS, n_components=k, e_lr=1e-3, **INFORMED)
    groups = {id(p): g["lr"] for g in run.optimizer.param_groups for p in g["params"]}
    rates = [groups[id(p)] / 1e-3 for p in run.trained.parameters()]
    assert rates == pytest.approx([*[1] * (len(rates) - 4), *[factor] * 4])
    assert {groups[id(p)] for p in run.teacher.parameters()} == {1e-3}


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_every_step_of_e_trains_both(network: str) -> None:
    run = training(IMAGES, n_components=2, network=network, pretrain_steps=2, **INFORMED)
    both = run.e_net.average, run.e_net.teacher
    for step in (run.e_net.pretrain, lambda: run.e_step(torch.full((3,), 1 / 3))):
        before = [parameters(net) for net in both]
        step()
        after = [parameters(net) for net in both]
        assert not any(map(torch.equal, before, after))


def test_labels_reach_both() -> None:
    """A teacher with other class ids would have E undo what labels teach it."""
    for turned in (KIND, (KIND + 1) % 3):
        y = np.where(np.arange(len(KIND)) < 12, turned, -1)
        params = {**SMALL, **LEARNING, "n_components": 2, "m_steps": 20, "e_steps": 20}
        method = GanEm(3, **params).fit(BLOBS, y)
        assert (method.predict(BLOBS) == turned).mean() > 0.95
        assert method.transform(BLOBS).shape == (300, 2)
