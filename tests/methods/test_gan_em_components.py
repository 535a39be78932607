"""GAN-EM's E-net on principal components."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deep_em_bench.core import DataError
from deep_em_bench.methods.base import load
from deep_em_bench.methods.nets.projection import Projection
from tests.methods.small import BLOBS, IMAGES, INFORMED, e_net, em, parameters, training

WIDE = np.random.default_rng(3).normal(size=(60, 20)).astype(np.float32)


def first_layer(net: nn.Module) -> nn.Linear:
    return next(part for part in net.modules() if isinstance(part, nn.Linear))


def convolutional(net: nn.Module) -> bool:
    return any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in net.modules())


def test_e_has_as_many_inputs_as_components_and_the_other_nets_have_all() -> None:
    method = em(e_components=5).fit(WIDE)
    assert first_layer(method.E_).in_features == 5
    assert first_layer(method.D_).in_features == 20
    assert method.predict_proba(WIDE).shape == (60, 3)
    assert method.transform(WIDE).shape == (60, 16)
    assert em(e_components=5, n_components=2).fit(WIDE).transform(WIDE).shape == (60, 2)


@pytest.mark.parametrize("k", [None, 10, 20, 50])
def test_components_of_half_the_columns_or_more_are_not_used(k: int | None) -> None:
    assert not isinstance(next(em(e_components=k).fit(WIDE).E_.children()), Projection)
    assert isinstance(next(em(e_components=9).fit(WIDE).E_.children()), Projection)


def test_e_is_dense_on_components_where_g_and_d_are_convolutional() -> None:
    method = em(network="conv", e_components=5, n_components=2).fit(IMAGES)
    assert first_layer(method.E_).in_features == 5
    assert convolutional(method.D_)
    assert convolutional(method.G_)
    assert not convolutional(method.E_)
    assert method.transform(IMAGES).shape == (len(IMAGES), 2)
    assert method.sample(3)[0].shape[1:] == IMAGES.shape[1:]


@pytest.mark.parametrize(("k", "labels"), [(None, 0), (5, 3)])
def test_a_convolutional_e_is_given_the_images(k: int | None, labels: int) -> None:
    """Where it is asked to be, and where rows are labelled."""
    y = np.full(len(IMAGES), -1)
    y[:labels] = np.arange(labels) % 3
    method = em(network="conv", e_components=k).fit(IMAGES, y)
    assert not isinstance(next(method.E_.children()), Projection)
    assert convolutional(method.E_)


def test_e_learns_behind_its_projection_which_stays() -> None:
    run = training(WIDE, e_components=5, **INFORMED)
    net = run.e_net
    assert isinstance(net.projection, Projection)
    assert torch.equal(net.inputs, net.projection(run.data))
    before, axes = parameters(net.average), net.projection.axes.clone()
    net.pretrain()
    run.e_step(torch.full((3,), 1 / 3))
    assert not torch.equal(before, parameters(net.average))
    assert torch.equal(net.projection.axes, axes)


def test_the_radius_is_that_of_the_components() -> None:
    """Columns of noise outside the components increase distances, but not these radii."""
    noise = np.random.default_rng(0).normal(size=(300, 30)).astype(np.float32)
    plane = np.repeat(BLOBS, 15, axis=1)
    radius = e_net(plane, e_components=2, **INFORMED).regulariser.radius
    noisy = e_net(np.hstack([plane, noise]), e_components=2, **INFORMED).regulariser.radius
    assert torch.median(noisy / radius) < 1.5
    whole = e_net(np.hstack([plane, noise]), e_components=None, **INFORMED)
    scale = 60**0.5 * whole.regulariser.radius  # distances
    assert torch.median(scale / (2**0.5 * radius)) > 5


@pytest.mark.parametrize("labels", [0, 6])
def test_the_projection_is_saved(tmp_path: Path, labels: int) -> None:
    y = np.where(np.arange(60) < labels, np.arange(60) % 3, -1)
    method = em(e_components=5).fit(WIDE, y)
    assert isinstance(next(method.E_.children()), Projection) == (labels == 0)
    method.save(tmp_path / "em.npz")
    again = load(tmp_path / "em.npz")
    assert np.array_equal(again.predict_proba(WIDE), method.predict_proba(WIDE))


def test_a_file_with_another_e_is_refused(tmp_path: Path) -> None:
    """As saved by versions whose convolutional E saw images whatever ``e_components`` was."""
    path = tmp_path / "em.npz"
    em(network="conv", e_components=None).fit(IMAGES).save(path)
    described = json.loads(path.with_suffix(".json").read_text())
    described["params"]["e_components"] = 5
    path.with_suffix(".json").write_text(json.dumps(described))
    with pytest.raises(DataError, match=r"em\.npz holds other nets than .*; refit"):
        load(path)
