from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deep_em_bench.core import DataError
from deep_em_bench.metrics import inception, lenet
from deep_em_bench.metrics.components import component_table
from deep_em_bench.metrics.features import (
    Extractor,
    disjoint_draws,
    extractors,
    floor,
    net_folders,
)
from deep_em_bench.metrics.generation import Comparison, fid, score_generation
from deep_em_bench.metrics.labelled import Labelled

MNIST = (
    "mnist/train-images-idx3-ubyte.gz",
    "mnist/train-labels-idx1-ubyte.gz",
    "mnist/t10k-images-idx3-ubyte.gz",
    "mnist/t10k-labels-idx1-ubyte.gz",
)


class Pixels(nn.Module):
    """Four pixels are the features and, where there are classes, the logits."""

    def __init__(self, classes: bool) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        flat = x.flatten(1)
        return flat, 9 * flat if self.classes else None


def extractor(*, classes: bool = True, batch: int = 7) -> Extractor:
    return Extractor(
        name="lenet",
        d=4,
        n_classes=4 if classes else None,
        sha256="0" * 64,
        accuracy=0.5,
        channels=(1,),
        net=Pixels(classes),
        device=torch.device("cpu"),
        batch=batch,
    )


def images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 1, 2, 2), np.float32)


def test_features_and_probabilities() -> None:
    X = images(20)
    features, p = extractor().features(X)
    np.testing.assert_array_equal(features, X.reshape(20, 4))
    assert p is not None
    expected = np.exp(9.0 * X.reshape(20, 4))
    np.testing.assert_allclose(p, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)
    assert features.dtype == p.dtype == np.float32
    assert extractor(classes=False).features(X)[1] is None


def test_images_are_clipped_as_pictures_are() -> None:
    X = 3 * images(20) - 1
    features = extractor().features(X)[0]
    np.testing.assert_array_equal(features, X.clip(0, 1).reshape(20, 4))


@pytest.mark.parametrize("n", [0, 1, 7, 8])
def test_any_number_of_images(n: int) -> None:
    features, p = extractor().features(images(n))
    assert features.shape == (n, 4)
    assert p is not None
    assert p.shape == (n, 4)
    assert extractor().summarise(images(n))[0].n == n


def test_summaries_do_not_depend_on_the_batch() -> None:
    real, fake = images(50), images(40, 1)
    found = []
    for batch in (7, 100):
        net = extractor(batch=batch)
        sides = [net.summarise(X)[0] for X in (real, fake)]
        found.append(score_generation(Comparison(extractor="lenet", real=sides[0], fake=sides[1])))
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0]["fid_lenet"] == pytest.approx(fid(real.reshape(50, 4), fake.reshape(40, 4)))


def test_groups() -> None:
    X, groups = images(30), np.arange(30) % 3
    whole, parts = extractor().summarise(X, groups, n_groups=4)
    assert whole.n == 30
    assert [part.n for part in parts] == [10, 10, 10, 0]
    np.testing.assert_allclose(parts[1].moments.mean, X[1::3].reshape(10, 4).mean(axis=0))
    assert all(len(part.rows) == 0 for part in parts)
    real, real_parts = extractor().summarise(images(60, 1), np.arange(60) % 2, n_groups=3)
    fake, fake_parts = extractor().summarise(X, groups, n_groups=3)
    pairs = tuple(zip(real_parts, fake_parts, strict=True))
    rows = component_table(Comparison(extractor="lenet", real=real, fake=fake, components=pairs))
    assert [(row.n, row.n_real) for row in rows] == [(10, 30), (10, 30), (10, 0)]


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (np.arange(9), r"expected integers \(10,\)"),
        (np.arange(10) - 1, r"in \[0, 9\)"),
        (np.arange(10), r"in \[0, 9\)"),
        (np.zeros(10), "groups are float64"),
    ],
)
def test_other_groups_are_refused(groups: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        extractor().summarise(images(10), groups, n_groups=9)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros((3, 4)), r"images have shape \(3, 4\); lenet expects \(N, C, H, W\) with C in"),
        (np.zeros((3, 3, 2, 2)), r"shape \(3, 3, 2, 2\)"),
        (np.zeros((3, 1, 0, 2)), r"shape \(3, 1, 0, 2\)"),
        (np.full((3, 1, 2, 2), np.nan), "images have NaN or infinity"),
    ],
)
def test_other_images_are_refused(X: np.ndarray, says: str) -> None:
    for use in (extractor().features, extractor().summarise):
        with pytest.raises(ValueError, match=says):
            use(X)


def test_draws_are_disjoint_fixed_and_even() -> None:
    a, b = disjoint_draws(100, 30)
    assert (len(a), len(b)) == (30, 30)
    assert not set(a) & set(b)
    np.testing.assert_array_equal(a, disjoint_draws(100, 30)[0])
    assert list(a) != list(disjoint_draws(100, 30, seed=1)[0])
    assert [len(rows) for rows in disjoint_draws(41, 30)] == [20, 20]
    with pytest.raises(ValueError, match="two draws of 30 from 3 rows"):
        disjoint_draws(3, 30)


def test_the_floor_is_between_real_halves_and_falls_with_n() -> None:
    X = images(2000)
    small, n_small = floor(extractor(), X, n=100)
    large, n_large = floor(extractor(), X, n=5000)
    assert (n_small, n_large) == (100, 1000)
    assert 0 < large["fid_lenet"] < small["fid_lenet"] < 0.1
    assert abs(large["kid_lenet"]) < 0.1
    assert large["is_lenet"] > 1


def test_grey_images_get_a_lenet_and_inception_where_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lenet, "STEPS", 2)
    X = np.random.default_rng(0).random((20, 1, 28, 28), np.float32)
    data = Labelled.of(X, np.arange(20) % 3, n_classes=3)
    (found,) = extractors(data, folders=[tmp_path])
    said = found.describe()
    assert (said["name"], said["d"], said["n_classes"]) == ("lenet", 84, 3)
    assert len(said["sha256"]) == 64
    assert 0 <= said["accuracy"] <= 1
    features, p = found.features(X)
    assert p is not None
    assert (features.shape, p.shape) == ((20, 84), (20, 3))
    assert extractors(data, folders=[tmp_path])[0].sha256 == found.sha256
    path = tmp_path / "weights.pth"
    torch.save(inception.InceptionV3().state_dict(), path)
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    both = extractors(data, folders=[tmp_path], inception_weights=path)
    assert [one.name for one in both] == ["lenet", "inception"]
    assert both[1].describe() == {
        "name": "inception",
        "d": 2048,
        "n_classes": 1008,
        "sha256": inception.SHA256,
        "accuracy": None,
    }
    assert both[1].features(X[:1])[0].shape == (1, 2048)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="is not the Inception-v3"):
        extractors(data, folders=[tmp_path], inception_weights=path)


def test_images_of_two_channels_have_no_extractor(tmp_path: Path) -> None:
    X = np.zeros((10, 2, 8, 8), np.float32)
    data = Labelled.of(X, np.zeros(10, np.int64), n_classes=1)
    with pytest.raises(DataError, match="images of 2 channels have no extractor"):
        extractors(data, folders=[tmp_path])


def test_folders_of_nets(tmp_path: Path) -> None:
    below, cache = net_folders(tmp_path)
    assert below == tmp_path / "feature_nets"
    assert cache.name == "feature_nets"
    assert cache.is_absolute()


def test_real_digits_are_nearer_to_digits_than_noise_and_one_digit_are(
    data_root: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short training is enough for the order."""
    from deep_em_bench import datasets

    monkeypatch.setattr(lenet, "STEPS", 60)
    data = datasets.load("mnist", data_dir=data_root(*MNIST), subset=4000)
    assert data.X_test is not None
    assert data.y_test is not None
    labelled = Labelled.of(data.X, data.y, data.X_test[:500], data.y_test[:500], n_classes=10)
    (net,) = extractors(labelled, folders=[tmp_path])
    assert net.accuracy is not None
    assert net.accuracy > 0.85
    real = net.summarise(data.X[:800])[0]
    blurred = 0.5 * data.X[800:1600] + 0.5 * np.roll(data.X[800:1600], 3, axis=3)
    noise = np.random.default_rng(0).random((800, 1, 28, 28), np.float32)
    scores = [
        score_generation(Comparison(extractor="lenet", real=real, fake=net.summarise(fake)[0]))
        for fake in (data.X[800:1600], blurred, noise, data.X[data.y == 1][:400])
    ]
    fids, kids, inceptions = (
        [score[f"{name}_lenet"] for score in scores] for name in ("fid", "kid", "is")
    )
    assert fids[0] < fids[1] < fids[2]
    assert fids[0] < fids[3]
    assert kids[0] < kids[1] < kids[2]
    assert inceptions[0] == max(inceptions)
    assert inceptions[3] < 1.5  # one class
