"""Other people's implementations, where they can be imported."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from deep_em_bench.metrics.generation import fid
from deep_em_bench.metrics.kernel import kernel_distance
from deep_em_bench.metrics.predictions import inception_score


def test_torchmetrics_agrees() -> None:
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance
        from torchmetrics.image.inception import InceptionScore
        from torchmetrics.image.kid import KernelInceptionDistance
    except (ImportError, RuntimeError) as error:  # the latter for a torchvision of another torch
        pytest.skip(f"torchmetrics cannot be imported: {error}")
    import torch

    class Pixels(torch.nn.Module):
        """In place of the net: six pixels are six features, or six logits."""

        num_features = 6

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(len(x), -1).double() / 64

    images = np.random.default_rng(0).integers(0, [[[256]], [[200]]], (2, 250, 6), np.uint8)
    tensors = [torch.from_numpy(x).reshape(-1, 3, 1, 2) for x in images]
    real, fake = images / 64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that features are kept, that one split has no std
        fids = FrechetInceptionDistance(feature=Pixels(), input_img_size=(3, 1, 2))
        kids = KernelInceptionDistance(feature=Pixels(), subsets=2, subset_size=250)
        scores = InceptionScore(feature=Pixels(), splits=1)
        fids.set_dtype(torch.float64)
        for theirs in (fids, kids):
            for x, is_real in zip(tensors, (True, False), strict=True):
                theirs.update(x, real=is_real)
        scores.update(tensors[1])
        expected = [float(fids.compute())]
        expected += [float(theirs.compute()[0]) for theirs in (kids, scores)]
    p = np.exp(fake) / np.exp(fake).sum(axis=1, keepdims=True)
    assert fid(real, fake) == pytest.approx(expected[0], rel=1e-6)
    assert kernel_distance(real, fake) == pytest.approx(expected[1], rel=1e-5)
    assert inception_score(p, splits=1)[0] == pytest.approx(expected[2], rel=1e-5)


def test_torch_fidelity_agrees() -> None:
    try:
        from torch_fidelity.metric_fid import fid_statistics_to_metric
        from torch_fidelity.metric_isc import isc_features_to_metric
        from torch_fidelity.metric_kid import kernel_poly, mmd2
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torch-fidelity cannot be imported: {error}")
    import torch

    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(200, 5)), rng.normal(0.4, 1.5, size=(200, 5))
    stats = [{"mu": x.mean(axis=0), "sigma": np.cov(x, rowvar=False)} for x in (real, fake)]
    found = fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert fid(real, fake) == pytest.approx(found, rel=1e-6)
    chosen = {
        "kid_kernel_poly_degree": 3,
        "kid_kernel_poly_gamma": None,
        "kid_kernel_poly_coef0": 1,
    }
    kernels = [kernel_poly(*pair, **chosen) for pair in ((real, real), (real, fake), (fake, fake))]
    assert kernel_distance(real, fake) == pytest.approx(mmd2(*kernels), rel=1e-9)
    found = isc_features_to_metric(torch.from_numpy(fake), splits=1)["inception_score_mean"]
    p = np.exp(fake) / np.exp(fake).sum(axis=1, keepdims=True)
    assert inception_score(p, splits=1)[0] == pytest.approx(found, rel=1e-6)
