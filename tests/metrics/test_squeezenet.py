from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deep_em_bench.core import DataError
from deep_em_bench.metrics import squeezenet
from deep_em_bench.metrics.labelled import Labelled
from deep_em_bench.metrics.squeezenet import FILE, SqueezeNet, pretrained, with_head
from deep_em_bench.metrics.weights import weights_sha256

REAL = f"feature_nets/{FILE}"
FLOWERS = "flowers102/flowers10_64x64.npz"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a net of drawn weights, pinned as if they were the pretrained ones."""
    rng = np.random.default_rng(0)
    with torch.device("meta"):
        empty = SqueezeNet().state_dict()
    arrays = {
        name: rng.normal(0, (2 / max(1, value[0].numel())) ** 0.5, tuple(value.shape))
        for name, value in empty.items()
    }
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    arrays["conv1.weight"] /= 100  # the input spans 255
    np.savez(tmp_path / FILE, **arrays)  # type: ignore[arg-type]
    monkeypatch.setattr(squeezenet, "SHA256", weights_sha256(arrays))
    return tmp_path


def coloured(n: int, seed: int, n_classes: int = 3) -> Labelled:
    """Plain images with a little noise, of which the colour is the class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = np.full((n, 3, 16, 16), 0.2) + 0.05 * rng.random((n, 3, 16, 16))
    X[np.arange(n), y % 3] += 0.6
    return Labelled.of(X.astype(np.float32), y, n_classes=n_classes)


def test_layers() -> None:
    with torch.device("meta"):
        net = SqueezeNet()
    # SqueezeNet 1.1 has 1,235,496 parameters, 513,000 of them in the 1x1 convolution of its top.
    assert sum(p.numel() for p in net.parameters()) == 1_235_496 - 513_000
    for side in (32, 64, 224):
        features, logits = net(torch.zeros(2, 3, side, side, device="meta"))
        assert features.shape == (2, 512)
        assert logits is None


def test_input_is_bgr_less_the_mean() -> None:
    with torch.device("meta"):
        net = SqueezeNet()
    net.to_empty(device="cpu")
    seen = []

    class StopError(Exception):
        pass

    def look(_: object, inputs: tuple[torch.Tensor]) -> None:
        seen.append(inputs[0][0, :, 60, 60])
        raise StopError

    net.conv1.register_forward_pre_hook(look)
    x = torch.tensor([1.0, 0.5, 0.0])[None, :, None, None].expand(1, 3, 64, 64)  # RGB
    with pytest.raises(StopError):
        net(x)
    expected = torch.tensor([0 - 103.939, 127.5 - 116.779, 255 - 123.68])
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-3)


def test_a_fire_module_by_hand() -> None:
    fire = squeezenet.Fire(1, 1, 1)
    for p in fire.parameters():
        torch.nn.init.ones_(p)
    # Squeeze 1 * 2 + 1 = 3; the 1x1 gives 3 + 1, the 3x3 of a 2x2 map 4 * 3 + 1: in this order.
    out = fire(torch.full((1, 1, 2, 2), 2.0))
    assert out[0].detach().tolist() == [[[4.0, 4.0]] * 2, [[13.0, 13.0]] * 2]
    assert torch.equal(fire(torch.full((1, 1, 2, 2), -9.0)), F.relu(torch.ones(1, 2, 2, 2)))


def test_a_head_learns_the_classes_and_is_kept(folder: Path) -> None:
    data = coloured(40, 0)
    net, arrays, accuracy = with_head(data, [folder])
    assert accuracy == 1
    assert set(arrays) > {"head.weight", "head.bias", "scale", "conv1.weight"}
    features, logits = net(torch.from_numpy(data.X_test))
    assert logits is not None
    assert logits.shape == (8, 3)
    bare, own = pretrained([folder])
    assert weights_sha256(own) == squeezenet.SHA256
    scale = float(arrays["scale"][0])
    torch.testing.assert_close(bare(torch.from_numpy(data.X_test))[0] / scale, features)
    on_training = net(torch.from_numpy(data.X))[0]
    assert float(on_training.square().mean()) == pytest.approx(1, rel=1e-4)
    assert float((logits.argmax(dim=1).numpy() == data.y_test).mean()) == accuracy
    (path,) = folder.glob("squeezenet-head-*")
    before = path.stat().st_mtime_ns
    again = with_head(data, [folder])
    assert path.stat().st_mtime_ns == before
    assert again[2] == accuracy
    assert weights_sha256(again[1]) == weights_sha256(arrays)


def test_the_head_is_the_minimum_of_its_loss(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against scikit-learn's solver of the same problem, and with a class that never occurs."""
    from sklearn.linear_model import LogisticRegression

    data = coloured(50, 1)
    net, _ = pretrained([folder])
    features = squeezenet._features(net, data.X).astype(np.float64)
    spread = features.std(axis=0)
    design = (features - features.mean(axis=0)) / np.where(spread > 1e-6, spread, 1)
    oracle = LogisticRegression(C=1 / (squeezenet.PENALTY * len(design)), tol=1e-8, max_iter=5000)
    expected = oracle.fit(design, data.y).predict_proba(design)
    weight, bias, scale = squeezenet._fit_head(net, data)
    found = torch.from_numpy(features / scale @ weight.T + bias).softmax(dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)
    wider = Labelled.of(data.X, data.y, data.X_test, data.y_test, n_classes=5)
    weight, bias, scale = squeezenet._fit_head(net, wider)
    found = torch.from_numpy(features / scale @ weight.T + bias).softmax(dim=1).numpy()
    assert np.isfinite(found).all()
    assert found[:, 3:].max() < 0.05


def test_other_files_and_images_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="is missing and cannot be downloaded; make it with"):
        pretrained([tmp_path / "a", tmp_path / "b"])
    data = coloured(10, 0)
    grey = Labelled.of(data.X[:, :1], data.y, n_classes=3)
    with pytest.raises(DataError, match=r"expected colour images \(N, 3, H, W\)"):
        with_head(grey, [folder])
    monkeypatch.setattr(squeezenet, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="has other weights: their digest is"):
        pretrained([folder])


def test_real_weights_know_flowers(data_root: Callable[..., Path], tmp_path: Path) -> None:
    root = data_root(REAL, FLOWERS)
    with np.load(root / FLOWERS, allow_pickle=False) as held:
        rows = np.flatnonzero(held["y"] < 3)
        X, y = held["X"][rows], held["y"][rows].astype(np.int64)
    X = np.ascontiguousarray(X.transpose(0, 3, 1, 2) / np.float32(255))
    data = Labelled.of(X, y, n_classes=3)
    folders = [tmp_path, root / "feature_nets"]
    net, _, accuracy = with_head(data, folders)
    assert accuracy > 0.8
    # With red and blue exchanged flowers are harder to tell: the order of channels is right.
    found = net(torch.from_numpy(data.X_test))[1]
    other = net(torch.from_numpy(data.X_test).flip(1))[1]
    assert found is not None
    assert other is not None
    right = torch.from_numpy(data.y_test)
    assert F.cross_entropy(found, right) < F.cross_entropy(other, right)
