from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from deep_em_bench.core import DataError
from deep_em_bench.metrics import inception
from deep_em_bench.metrics.inception import InceptionV3, from_file


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Weights of the right shapes that keep the activations' size; variances are positive."""
    stream = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        empty = InceptionV3().state_dict()
    found = {}
    for name, value in empty.items():
        if name.endswith("num_batches_tracked"):
            continue  # files of old torch versions lack it
        drawn = torch.randn(value.shape, generator=stream)
        if value.dim() > 1:
            found[name] = drawn * (2 / value[0].numel()) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            found[name] = 1 + 0.1 * drawn.abs()
        else:
            found[name] = 0.1 * drawn
    return found


@pytest.fixture
def written(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    path = tmp_path / inception.FILE
    torch.save(state, path)
    pin(path, monkeypatch)
    return path


def pin(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())


def test_layers() -> None:
    with torch.device("meta"):
        net = InceptionV3()
    # The published net of 1,000 classes without its side branch has 23,834,568 parameters.
    assert sum(p.numel() for p in net.parameters()) == 23_834_568 + 8 * (2048 + 1)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_6b.branch7x7_2.conv.weight"] == (128, 128, 1, 7)
    assert shapes["Mixed_7c.branch_pool.bn.running_mean"] == (192,)
    assert shapes["fc.weight"] == (1008, 2048)
    maps = {}
    for name in ("Conv2d_4a_3x3", "Mixed_5b", "Mixed_5d", "Mixed_6a", "Mixed_7a", "Mixed_7c"):
        getattr(net, name).register_forward_hook(
            lambda _, __, out, name=name: maps.update({name: tuple(out.shape[1:])})
        )
    features, logits = net(torch.zeros(2, 3, 64, 64, device="meta"))
    assert (features.shape, logits.shape) == ((2, 2048), (2, 1008))
    # Table 1 of the paper: 71x71 before the second pool, then 35x35, 17x17 and 8x8.
    assert maps == {
        "Conv2d_4a_3x3": (192, 71, 71),
        "Mixed_5b": (256, 35, 35),
        "Mixed_5d": (288, 35, 35),
        "Mixed_6a": (768, 17, 17),
        "Mixed_7a": (1280, 8, 8),
        "Mixed_7c": (2048, 8, 8),
    }


def test_mean_pools_leave_the_padding_out() -> None:
    assert torch.equal(inception._mean_pool(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))


def test_a_pinned_file_is_read_and_gives_finite_features(
    written: Path, state: dict[str, torch.Tensor]
) -> None:
    net = from_file(written)
    assert not net.training
    for name, value in state.items():
        assert torch.equal(net.state_dict()[name], value)
    with torch.no_grad():
        x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        features, logits = net(x)
        assert torch.isfinite(features).all()
        torch.testing.assert_close(logits, features @ state["fc.weight"].T)
        grey = net(x[:, :1])[0]
        torch.testing.assert_close(grey, net(x[:, :1].repeat(1, 3, 1, 1))[0])
        assert not torch.allclose(grey, features)


def test_torch_fidelity_has_the_same_net(written: Path, state: dict[str, torch.Tensor]) -> None:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torch-fidelity cannot be imported: {error}")
    theirs = FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(written)
    )
    stream = torch.Generator().manual_seed(1)
    images = torch.randint(256, (1, 3, 299, 299), generator=stream, dtype=torch.uint8)
    with torch.no_grad():
        expected = theirs(images)
        # They map 0..255 to (u - 128) / 128, as TensorFlow's graph does.
        found = from_file(written)(images / 256)
    for ours, other in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-4)


def test_any_other_file_is_refused_unopened(tmp_path: Path, written: Path) -> None:
    path = tmp_path / "trap.pth"
    path.write_bytes(trap(tmp_path / "sprung"))
    with pytest.raises(DataError, match="is not the Inception-v3 of the usual FID") as caught:
        from_file(path)
    assert inception.SHA256 in str(caught.value)
    content = bytearray(written.read_bytes())
    content[-1] ^= 1
    written.write_bytes(content)
    with pytest.raises(DataError, match="its sha256 is"):
        from_file(written)
    assert not (tmp_path / "sprung").exists()


def test_even_with_the_right_digest_nothing_in_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trap.pth"
    path.write_bytes(trap(tmp_path / "sprung"))
    pin(path, monkeypatch)
    with pytest.raises(Exception, match="Weights only load failed"):
        from_file(path)
    assert not (tmp_path / "sprung").exists()


def trap(path: Path) -> bytes:
    """What a careless reader runs: os.mkdir of ``path``."""
    return b"\x80\x02cposix\nmkdir\n(S'" + str(path).encode() + b"'\ntR."


def test_missing_and_huge_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"absent\.pth cannot be read \(No such file"):
        from_file(tmp_path / "absent.pth")
    (tmp_path / "huge.pth").write_bytes(b"0" * 100)
    monkeypatch.setattr(inception, "MOST_BYTES", 99)
    with pytest.raises(DataError, match="has 100 bytes; expected at most 99"):
        from_file(tmp_path / "huge.pth")
