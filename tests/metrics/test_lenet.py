from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from deep_em_bench.core import DataError
from deep_em_bench.metrics import lenet
from deep_em_bench.metrics.labelled import Labelled
from deep_em_bench.metrics.lenet import LeNet5, trained
from deep_em_bench.metrics.weights import read_weights, weights_sha256

PUBLISHED = "feature_nets/mnist_lenet5.npz"
TEST = ("mnist/t10k-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz")


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Labelled:
    monkeypatch.setattr(lenet, "STEPS", 120)
    found = load_digits()
    X = (found.images[:, None] / 16).astype(np.float32)
    return Labelled.of(X, found.target.astype(np.int64), n_classes=10)


def test_layers() -> None:
    with torch.device("meta"):
        net = LeNet5(10)
    # Counted by hand: 6 * 26, 16 * 151, 120 * 401, 84 * 121, 10 * 85.
    counts = [sum(p.numel() for p in layer.parameters()) for layer in net.children()]
    assert counts == [156, 2416, 48_120, 10_164, 850]
    for side in (8, 28, 32, 64):
        features, logits = net(torch.zeros(3, 1, side, side, device="meta"))
        assert (features.shape, logits.shape) == ((3, 84), (3, 10))


def test_published_weights_have_their_accuracy(data_root: Callable[..., Path]) -> None:
    """Somebody else's LeNet-5 in this very form: the layers are as they should be."""
    from deep_em_bench.datasets.idx import read_labelled_images

    root = data_root(PUBLISHED, *TEST)
    with torch.device("meta"):
        net = LeNet5(10)
    theirs = {
        name: ("fc." if name[0] == "f" else "convnet.") + name
        for name, _ in net.named_parameters()
    }
    shapes = {theirs[k]: tuple(v.shape) for k, v in net.named_parameters()}
    arrays = read_weights(root / PUBLISHED, shapes)
    state = {ours: torch.from_numpy(arrays[name].copy()) for ours, name in theirs.items()}
    net.load_state_dict(state | {"scale": torch.ones(1)}, assign=True)
    images, y = read_labelled_images(*(root / file for file in TEST), size=(28, 28), n_classes=10)
    with torch.no_grad():
        logits = net(torch.from_numpy(images[:2000, None] / np.float32(255)))[1]
    assert (logits.argmax(dim=1).numpy() == y[:2000]).mean() == pytest.approx(0.987, abs=0.006)


def test_training_is_good_kept_and_leaves_no_trace(digits: Labelled, tmp_path: Path) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    net, arrays, accuracy = trained(digits, [tmp_path / "a"])
    assert accuracy > 0.9
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    (path,) = (tmp_path / "a").iterdir()
    before = path.stat().st_mtime_ns
    found, stored, kept_accuracy = trained(digits, [tmp_path / "a"])
    assert path.stat().st_mtime_ns == before
    assert kept_accuracy == accuracy
    assert weights_sha256(stored) == weights_sha256(arrays)
    features = net(torch.from_numpy(digits.X))[0]
    assert float(features.square().mean()) == pytest.approx(1, rel=1e-4)
    x = torch.from_numpy(digits.X_test)
    assert torch.equal(found(x)[0], net(x)[0])
    assert (found(x)[1].argmax(dim=1).numpy() == digits.y_test).mean() == accuracy


def test_training_is_repeatable(
    digits: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lenet, "STEPS", 5)
    first, second = (trained(digits, [tmp_path / name])[1] for name in "ab")
    assert weights_sha256(first) == weights_sha256(second)


def test_other_labels_or_another_recipe_make_another_net(
    digits: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lenet, "STEPS", 2)
    trained(digits, [tmp_path])
    y = (digits.y + 1) % 10
    trained(Labelled.of(digits.X, y, digits.X_test, digits.y_test, n_classes=10), [tmp_path])
    monkeypatch.setattr(lenet, "RECIPE", "another one")
    trained(digits, [tmp_path])
    assert len(list(tmp_path.iterdir())) == 3


def test_few_images_are_one_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lenet, "STEPS", 3)
    X = np.random.default_rng(0).random((10, 1, 28, 28), np.float32)
    net, _, accuracy = trained(Labelled.of(X, np.arange(10) % 2, n_classes=2), [tmp_path])
    assert 0 <= accuracy <= 1
    assert net(torch.zeros(1, 1, 28, 28))[1].shape == (1, 2)


def test_colour_is_refused(tmp_path: Path) -> None:
    X = np.zeros((10, 3, 8, 8), np.float32)
    with pytest.raises(DataError, match=r"expected grey images \(N, 1, H, W\)"):
        trained(Labelled.of(X, np.zeros(10, np.int64), n_classes=2), [tmp_path])
    assert not list(tmp_path.iterdir())
