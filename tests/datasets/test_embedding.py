"""Learnt features in place of points: whose they are, where they are kept, what goes wrong."""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_em_bench import datasets
from deep_em_bench.core import ConfigError
from deep_em_bench.datasets import Dataset, Request, embedding
from deep_em_bench.datasets.download import file_sha256
from deep_em_bench.datasets.embedding import Embedding, Points, Report, register_embedding
from deep_em_bench.datasets.load import draw_subset

ROOT_OF_PROJECT = Path(__file__).parents[2]


class Sums:
    """A made-up embedding, the sum and the mean of each row, that remembers its fits."""

    def __init__(self) -> None:
        self.fits: list[tuple[str, int]] = []
        self.devices: list[str] = []

    def __call__(
        self, points: Points, recipe: str, seed: int, device: str, report: Report
    ) -> Points:
        self.fits.append((recipe, seed))
        self.devices.append(device)
        report({"stage": "summing", "step": 1, "steps": 2, "loss": 2.0})
        report({"stage": "summing", "step": 2, "steps": 2, "loss": 1.0})
        report({"stage": "polishing", "step": 5, "steps": 5, "loss": 0.5})
        X, X_test = points
        return self._of(X), None if X_test is None else self._of(X_test)

    def _of(self, X: np.ndarray) -> np.ndarray:
        flat = X.reshape(len(X), -1)
        return np.stack([flat.sum(axis=1), flat.mean(axis=1)], axis=1)


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> Sums:
    made = Sums()
    known = Embedding(name="sums", recipes=("quick", "full"), fit=made, version=1)
    monkeypatch.setitem(embedding._embeddings, "sums", known)
    return made


def raise_version(version: int) -> None:
    known = embedding._embeddings["sums"]
    embedding._embeddings["sums"] = dataclasses.replace(known, version=version)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, in place of the real one."""
    monkeypatch.setattr(embedding, "user_cache", lambda: tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def load(tmp_path: Path, home: Path) -> Callable[..., Dataset]:
    """``datasets.load`` with a data root of the test's own."""

    def load(name: str = "iris", **words: Any) -> Dataset:
        return datasets.load(name, data_dir=tmp_path / "root", **words)

    return load


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def tiny_autoencoder(monkeypatch: pytest.MonkeyPatch) -> None:
    from deep_em_bench.methods.nets import autoencoder

    tiny = autoencoder.Recipe(layer_steps=2, finetune_steps=3, optimizer="adam", lr=1e-3)
    monkeypatch.setitem(autoencoder.RECIPES, "quick", tiny)


@pytest.mark.usefixtures("tiny_autoencoder")
@pytest.mark.parametrize("name", ["digits", "blobs"])
def test_ten_features_stand_for_any_points(load: Callable[..., Dataset], name: str) -> None:
    raw, data = load(name), load(name, features="sae10")
    assert data.X.shape == (len(raw.X), 10)
    assert data.X.dtype == np.float32
    assert np.isfinite(data.X).all()
    assert (data.X.std(axis=0) > 0).all()
    np.testing.assert_array_equal(data.y, raw.y)
    assert (data.X_test is None) == (raw.X_test is None)
    if data.X_test is not None and raw.X_test is not None:
        assert data.X_test.shape == (len(raw.X_test), 10)
    said = {"features": "sae10", "recipe": "quick", "features_seed": 0}
    assert dict(data.words) == {**raw.words, **said}
    (file,) = set(data.source.sha256) - set(raw.source.sha256)
    assert file.startswith(f"features/{name}-sae10-quick-")
    assert file.endswith(".npz")


@pytest.mark.usefixtures("tiny_autoencoder")
def test_both_splits_go_through_one_net(home: Path, tmp_path: Path) -> None:
    X = datasets.load("blobs", n_samples=300).X
    Z, Z_test = embedding.sae10((X, X[40:50].copy()), "quick", 1, "cpu", lambda _: None)
    assert Z_test is not None
    np.testing.assert_allclose(Z_test, Z[40:50], atol=1e-5)
    again, _ = embedding.sae10((X, None), "quick", 1, "cpu", lambda _: None)
    np.testing.assert_array_equal(again, Z)
    other, _ = embedding.sae10((X, None), "quick", 2, "cpu", lambda _: None)
    assert (other != Z).any()


def test_features_are_of_the_whole_split_and_kept(
    sums: Sums, load: Callable[..., Dataset], tmp_path: Path
) -> None:
    raw = load()
    whole = load(features="sums")
    np.testing.assert_allclose(whole.X[:, 0], raw.X.sum(axis=1), rtol=1e-6)
    for seed in (0, 7):
        part = load(features="sums", subset=20, seed=seed)
        np.testing.assert_array_equal(part.X, whole.X[draw_subset(150, 20, seed=seed)])
        np.testing.assert_array_equal(part.y, raw.y[draw_subset(150, 20, seed=seed)])
    assert len(sums.fits) == 1
    (file,) = files_below(tmp_path)
    assert file.parent == tmp_path / "root" / "features"
    assert whole.source.sha256[f"features/{file.name}"] == file_sha256(file)


def test_what_determines_features_gives_others(
    sums: Sums, load: Callable[..., Dataset], tmp_path: Path
) -> None:
    load(features="sums")
    load(features="sums", recipe="full")
    load(features="sums", features_seed=3)
    load("moons", features="sums", n_samples=30)
    load("moons", features="sums", n_samples=30, seed=1)
    raise_version(2)
    load(features="sums")
    assert [recipe for recipe, _ in sums.fits] == ["quick", "full", *["quick"] * 4]
    assert len({seed for _, seed in sums.fits}) == 2
    assert len(files_below(tmp_path)) == 6
    raise_version(1)
    load("moons", features="sums", n_samples=30)
    assert len(sums.fits) == 6


def test_labels_change_nothing(
    sums: Sums, load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(features="sums")
    entry = datasets.registry.get("iris")

    def relabelled(request: Request) -> Dataset:
        found = entry.value(request)
        return dataclasses.replace(found, y=found.y[::-1].copy())

    monkeypatch.setitem(
        datasets.registry._registered, "iris", dataclasses.replace(entry, value=relabelled)
    )
    after = load(features="sums")
    assert len(sums.fits) == 1
    np.testing.assert_array_equal(after.X, before.X)
    assert after.source.sha256 == before.source.sha256


def test_features_of_processors_and_gpus_are_kept_apart(
    sums: Sums, load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [load(features="sums", device=device) for device in ("cpu", "cuda", "cuda:1")]
    assert sums.devices == ["cpu", "cuda"]
    hashes = [list(data.source.sha256) for data in found]
    assert hashes[0] != hashes[1] == hashes[2]
    for there, expected in ((False, hashes[0]), (True, hashes[1])):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert list(load(features="sums").source.sha256) == expected
    assert len(sums.fits) == 2
    assert all(dict(data.words) == dict(found[0].words) for data in found)
    assert "device" not in found[0].words


def test_a_device_that_is_not_there_is_refused(load: Callable[..., Dataset]) -> None:
    with pytest.raises(ConfigError, match="device 'cuda:99' cannot be used here"):
        load(features="sae10", device="cuda:99")


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other rows", "pickle", "nan", "keys"])
def test_a_damaged_file_is_computed_again_with_a_warning(
    sums: Sums,
    load: Callable[..., Dataset],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    whole = load(features="sums")
    (file,) = files_below(tmp_path)
    good = file.read_bytes()
    file.write_bytes(damaged(good, whole.X, damage))
    again = load(features="sums")
    np.testing.assert_array_equal(again.X, whole.X)
    assert again.source.sha256 == whole.source.sha256
    assert file.read_bytes() == good
    assert len(sums.fits) == 2
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert str(file) in warning
    assert "its features are computed again" in warning
    assert "\n" not in warning


def damaged(good: bytes, X: np.ndarray, damage: str) -> bytes:
    stream = io.BytesIO()
    match damage:
        case "cut":
            return good[:-30]
        case "empty":
            return b""
        case "text":
            return b"<html>"
        case "other rows":
            np.savez(stream, X=X[1:])
        case "pickle":
            np.savez(stream, X=np.array([{}, []], dtype=object))
        case "nan":
            np.savez(stream, X=np.full_like(X, np.nan))
        case _:
            np.savez(stream, Y=X)
    return stream.getvalue()


def test_a_read_only_root_sends_features_to_the_users_cache(
    sums: Sums, load: Callable[..., Dataset], tmp_path: Path, home: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o555)
    try:
        first, second = load(features="sums"), load(features="sums")
    finally:
        root.chmod(0o755)
    assert files_below(root) == []
    assert [file.parent for file in files_below(home)] == [home / "features"]
    assert len(sums.fits) == 1
    np.testing.assert_array_equal(first.X, second.X)


def test_a_read_only_root_that_has_them_is_read(
    sums: Sums, load: Callable[..., Dataset], tmp_path: Path, home: Path
) -> None:
    load(features="sums")
    for folder in (tmp_path / "root" / "features", tmp_path / "root"):
        folder.chmod(0o555)
    try:
        load(features="sums")
    finally:
        for folder in (tmp_path / "root", tmp_path / "root" / "features"):
            folder.chmod(0o755)
    assert len(sums.fits) == 1
    assert files_below(home) == []


def test_where_nothing_can_be_written_it_is_said(
    sums: Sums,
    load: Callable[..., Dataset],
    tmp_path: Path,
    home: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "root").write_text("a file where a folder should be")
    home.write_text("another")
    assert load(features="sums").X.shape == (150, 2)
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warning.startswith("features are not kept and will be computed again (")
    assert str(tmp_path / "root") in warning
    assert str(home) in warning


def test_a_broken_write_leaves_nothing(
    sums: Sums, load: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(features="sums")
    assert files_below(tmp_path) == []


def test_unknown_words_are_refused_with_the_nearest(
    sums: Sums, load: Callable[..., Dataset]
) -> None:
    with pytest.raises(ConfigError, match=r"unknown features 'sae1'; did you mean 'sae10'"):
        load(features="sae1")
    with pytest.raises(ConfigError, match=r"unknown value of recipe 'quik'; did you mean 'quick'"):
        load(features="sums", recipe="quik")
    with pytest.raises(ConfigError, match="recipe is given for raw points"):
        load(recipe="quick")
    with pytest.raises(ConfigError, match="features_seed is given for raw points"):
        load(features_seed=1)
    for seed in (True, 1.5, "1"):
        with pytest.raises(ConfigError, match=r"features_seed is .*; expected a whole"):
            load(features="sums", features_seed=seed)
    assert sums.fits == []


def test_raw_points_have_no_words_of_features(load: Callable[..., Dataset]) -> None:
    assert load(features="raw").describe() == load().describe()
    assert load().describe()["words"] == {}


def test_a_name_is_registered_once(sums: Sums) -> None:
    for name in ("sae10", "raw"):
        with pytest.raises(ConfigError, match="registered twice"):
            register_embedding(name, recipes=("quick",), version=1)(sums)


def test_an_embedding_that_gives_something_else_is_named(
    sums: Sums, load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Sums, "_of", lambda self, X: X.reshape(len(X), -1)[:, :2] / np.float32(0))
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="embedding 'sums' gave"):
        load(features="sums")
    assert files_below(tmp_path) == []


def test_progress_is_lines_in_the_log(
    sums: Sums,
    load: Callable[..., Dataset],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lines() -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="deep_em_bench.datasets.embedding"):
            load(features="sums")
        said = [record.getMessage() for record in caplog.records]
        assert said[0] == "computing sums of iris"
        assert said[-1].startswith("computed sums of iris in ")
        return [line.rpartition(" · ")[0] for line in said[1:-1]]  # without the seconds

    ends = [
        "sums of iris · summing · update 2 of 2 · loss 1",
        "sums of iris · polishing · update 5 of 5 · loss 0.5",
    ]
    assert lines() == ends
    raise_version(2)
    monkeypatch.setattr(embedding, "LINE_EVERY", 0.0)
    assert lines() == ["sums of iris · summing · update 1 of 2 · loss 2", *ends]


def test_a_terminal_is_shown_a_bar(
    sums: Sums, load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    load(features="sums")
    shown = terminal.getvalue()
    assert "sums of iris · summing" in shown
    assert "sums of iris · polishing" in shown
