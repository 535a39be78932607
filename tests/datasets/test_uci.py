from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, confusion_matrix, normalized_mutual_info_score

from deep_em_bench import datasets
from deep_em_bench.core import DataError
from deep_em_bench.datasets import uci
from deep_em_bench.datasets.uci import ganmm_scale, standardise

SEGMENTATION = ("image_segmentation/segmentation.data", "image_segmentation/segmentation.test")
CHARACTERS = "artificial_characters/artificial_characters.npz"

HEADER = ";;; comment\n;;; another \n\nREGION-CENTROID-COL,REGION-CENTROID-ROW\n\n"


def segmentation_text(n: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    rows = (
        ",".join([uci.SURFACES[i % 7], *(f"{x:.4f}" for x in rng.normal(size=19))])
        for i in range(n)
    )
    return HEADER + "\n".join(rows) + "\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with made files, pinned as if they were the official ones."""
    for seed, (path, n) in enumerate(zip(SEGMENTATION, (210, 2100), strict=True)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(segmentation_text(n, seed))
    files = tuple(
        dataclasses.replace(
            file, sha256=file.digest(tmp_path / file.path), mirrors=("http://127.0.0.1:9/x",)
        )
        for file in uci.SEGMENTATION_FILES
    )
    monkeypatch.setattr(uci, "SEGMENTATION_FILES", files)
    (tmp_path / CHARACTERS).parent.mkdir()
    rng = np.random.default_rng(0)
    write_segments(tmp_path, rng.normal(size=(30_654, 6)), np.arange(30_654, dtype=np.uint8) % 10)
    sha256 = uci.CHARACTERS_FILE.digest(tmp_path / CHARACTERS)
    pinned = dataclasses.replace(uci.CHARACTERS_FILE, sha256=sha256)
    monkeypatch.setattr(uci, "CHARACTERS_FILE", pinned)
    return tmp_path


def write_segments(root: Path, raw: np.ndarray, y: np.ndarray) -> None:
    np.savez(root / CHARACTERS, raw=raw, y=y)


def test_scalings_by_hand() -> None:
    raw = np.array([[0.0, 9.0, 0.1], [2.0, 9.0, 0.1], [7.0, 9.0, 0.1]])
    # Mean 3: deviations -3, -1, 4; largest 4; variance (9 + 1 + 16) / 3.
    expected = np.array([-3, -1, 4])
    np.testing.assert_allclose(ganmm_scale(raw)[:, 0], expected / 4, rtol=1e-6)
    np.testing.assert_allclose(standardise(raw)[:, 0], expected / np.sqrt(26 / 3), rtol=1e-6)
    for scaled in (ganmm_scale(raw), standardise(raw)):
        assert scaled.dtype == np.float32
        assert (scaled[:, 1:] == 0).all()


def test_readings(root: Path) -> None:
    for name, n, n_ganmm, d in (
        ("image_segmentation", 2310, 2300, 19),
        ("artificial_characters", 30_654, 30_500, 6),
    ):
        whole = datasets.load(name, data_dir=root)
        assert whole.X.shape == (n, d)
        assert whole.X_test is None
        np.testing.assert_allclose(whole.X.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(whole.X.std(axis=0), 1, rtol=1e-4)
        theirs = datasets.load(name, data_dir=root, reading="ganmm")
        assert theirs.X.shape == (n_ganmm, d)
        np.testing.assert_array_equal(theirs.y, whole.y[:n_ganmm])
        assert np.abs(theirs.X).max() <= 1


def test_rows_come_in_the_order_of_the_files(root: Path) -> None:
    found = datasets.load("image_segmentation", data_dir=root)
    order = [i % 7 for i in range(210)] + [i % 7 for i in range(2100)]
    assert found.y.tolist() == order
    first = (root / SEGMENTATION[0]).read_text().splitlines()[5].split(",")
    assert found.class_names[found.y[0]] == first[0].lower()


def test_headers_blanks_and_line_ends_do_not_matter_but_rows_do(root: Path) -> None:
    path = root / SEGMENTATION[0]
    text = path.read_text()
    kept = datasets.load("image_segmentation", data_dir=root)
    rows = text.removeprefix(HEADER)
    path.write_bytes(("\n" + rows).replace("\n", " \r\n").encode())
    again = datasets.load("image_segmentation", data_dir=root)
    np.testing.assert_array_equal(kept.X, again.X)
    assert kept.source.sha256[SEGMENTATION[0]] != again.source.sha256[SEGMENTATION[0]]
    last = rows.rstrip()[-1]
    path.write_text(HEADER + rows.rstrip()[:-1] + ("1" if last != "1" else "2"))
    with pytest.raises(DataError, match=r"segmentation\.data is not the official file"):
        datasets.load("image_segmentation", data_dir=root)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("\nSKY,", "\nSEA,", "row 2 has 20 cells, the first 'SEA'; expected one of BRICKFACE"),
        ("\nSKY,", "\nSKY,1,", "row 2 has 21 cells"),
        ("\nSKY,", "\nSKY,x", "could not convert string to float"),
        ("\nSKY,", "\n;;; SKY,", "has 209 rows; expected 210"),
        ("\nSKY,", "\nSKÝ,", "row 2 has 20 cells, the first 'SK"),
        ("\nSKY,", "\n" * 2**22 + "SKY,", "expected at most 4,194,304"),
    ],
)
def test_damaged_rows_are_refused(root: Path, old: str, new: str, sentence: str) -> None:
    path = root / SEGMENTATION[0]
    path.write_text(path.read_text().replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=sentence) as caught:
        datasets.load("image_segmentation", data_dir=root)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_segments_may_be_written_again_but_not_changed(root: Path) -> None:
    path = root / CHARACTERS
    with np.load(path) as held:
        raw, y = held["raw"], held["y"]
    np.savez_compressed(path, y=y, raw=raw, char_id=np.arange(5))
    assert len(datasets.load("artificial_characters", data_dir=root).X) == 30_654
    raw[5, 5] += 1e-9
    write_segments(root, raw, y)
    with pytest.raises(DataError, match=r"not the official file.*make it with numpy\.savez"):
        datasets.load("artificial_characters", data_dir=root)


@pytest.mark.parametrize(
    ("raw", "y", "sentence"),
    [
        (np.zeros((30_654, 5)), np.zeros(30_654, np.uint8), r"raw is float64 \(30654, 5\)"),
        (np.zeros((30_654, 6)), np.zeros(30_653, np.uint8), r"y is uint8 \(30653,\)"),
        (np.array([{"a": "pickle"}], dtype=object), np.zeros(30_654, np.uint8), "raw is object"),
    ],
)
def test_other_arrays_are_refused(
    root: Path, raw: np.ndarray, y: np.ndarray, sentence: str
) -> None:
    write_segments(root, raw, y)
    with pytest.raises(DataError, match=sentence):
        datasets.load("artificial_characters", data_dir=root)


def test_missing_files_are_named(tmp_path: Path, root: Path) -> None:
    (root / SEGMENTATION[1]).unlink()
    with pytest.raises(DataError, match=r"segmentation\.test is missing and could not"):
        datasets.load("image_segmentation", data_dir=root)
    with pytest.raises(DataError) as caught:
        datasets.load("artificial_characters", data_dir=tmp_path / "empty")
    assert f"{tmp_path / 'empty' / CHARACTERS} is missing" in str(caught.value)
    assert "raw (30654, 6) float64" in str(caught.value)
    assert not (tmp_path / "empty").exists()


def kmeans_scores(X: np.ndarray, y: np.ndarray) -> list[float]:
    """Purity, NMI (geometric) and ARI of K-means with as many clusters as classes."""
    K = len(np.unique(y))
    labels = KMeans(K, n_init=10, random_state=0).fit_predict(X)
    return [
        confusion_matrix(y, labels).max(axis=0).sum() / len(y),
        normalized_mutual_info_score(y, labels, average_method="geometric"),
        adjusted_rand_score(y, labels),
    ]


def test_real_image_segmentation(data_root: Callable[..., Path]) -> None:
    root = data_root(*SEGMENTATION)
    whole = datasets.load("image_segmentation", data_dir=root)
    assert np.bincount(whole.y).tolist() == [330] * 7
    assert (whole.X[:, 2] == 0).all()  # the pixel count of a region is always 9
    theirs = datasets.load("image_segmentation", data_dir=root, reading="ganmm")
    assert len(theirs.X) == 2300
    # The known K-means scores of GANMM's scaling are those of all rows, before the cut.
    parts = [uci._regions(root / SEGMENTATION[0], 210), uci._regions(root / SEGMENTATION[1], 2100)]
    scaled = ganmm_scale(np.concatenate([numbers for numbers, _ in parts]))
    np.testing.assert_array_equal(scaled[:2300], theirs.X)
    assert kmeans_scores(scaled, whole.y) == pytest.approx([0.697, 0.634, 0.534], abs=2e-3)


def test_real_artificial_characters(data_root: Callable[..., Path]) -> None:
    root = data_root(CHARACTERS)
    theirs = datasets.load("artificial_characters", data_dir=root, reading="ganmm")
    assert kmeans_scores(theirs.X, theirs.y) == pytest.approx([0.228, 0.139, 0.053], abs=2e-3)
    whole = datasets.load("artificial_characters", data_dir=root)
    counts = [3630, 2403, 3013, 3000, 2400, 3612, 3000, 1800, 3585, 4211]
    assert np.bincount(whole.y).tolist() == counts
    said = datasets.registry.declarations()["artificial_characters"].attributes
    assert (len(whole.X), whole.shape) == (said["n"], said["shape"])


def test_a_tampered_real_file_is_refused(data_root: Callable[..., Path], tmp_path: Path) -> None:
    root = data_root(*SEGMENTATION)
    (tmp_path / "image_segmentation").mkdir()
    for file in SEGMENTATION:
        shutil.copyfile(root / file, tmp_path / file)
    assert len(datasets.load("image_segmentation", data_dir=tmp_path).X) == 2310
    path = tmp_path / SEGMENTATION[1]
    path.write_text(path.read_text().replace("BRICKFACE,", "SKY,", 1))
    with pytest.raises(DataError, match=f"expected {uci.SEGMENTATION_FILES[1].sha256}"):
        datasets.load("image_segmentation", data_dir=tmp_path)
