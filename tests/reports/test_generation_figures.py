import logging

import numpy as np
import pytest

from tests.reports.drawing import images, only, words_of


def test_samples_are_ordered_by_class_and_say_so(put, drawn):
    y, labels = np.repeat([0, 1, 2], 20), np.repeat([2, 0, 3], 20)
    arrays = {"y_train": y, "labels_train": labels, "samples": images(4)}
    put("gan_em", 0, K=4, arrays=arrays)
    figure = only(drawn(), "samples")
    (ax,) = figure.axes
    canvas = np.asarray(ax.images[0].get_array())
    np.testing.assert_array_equal(canvas[len(canvas) // 8 :: len(canvas) // 4, 0], [40, 0, 60, 20])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1", "2", "–"]
    assert "for display alone: majority class on the training split" in " ".join(
        words_of(figure).split()
    )


def test_samples_in_colour_stay_in_colour(put, drawn):
    samples = np.zeros((3, 10, 3, 4, 6), dtype=np.uint8)
    samples[:, :, 1] = 200
    put("gan_em", 0, arrays={"samples": samples})
    canvas = np.asarray(only(drawn(), "samples").axes[0].images[0].get_array())
    assert canvas[0, 0].tolist() == [0, 200, 0]
    assert canvas.shape[1] > canvas.shape[0]


def test_samples_of_the_plane_are_points_and_other_vectors_are_left_out(put, drawn):
    plane = np.random.default_rng(0).normal(size=(3, 10, 2)).astype(np.float32)
    put("gmm", 0, arrays={"samples": plane})
    put("gan_em", 0, arrays={"samples": np.zeros((3, 10, 5), dtype=np.float32)})
    found = {stem: figure for stem, figure in drawn().items() if stem.startswith("samples")}
    assert list(found) == ["samples-digits-raw-digits-3-quick-gmm"]
    lines = only(found, "samples").axes[0].lines
    assert len({line.get_marker() for line in lines}) == 3
    points = np.stack([line.get_xydata() for line in lines])
    np.testing.assert_array_equal(np.sort(points, axis=None), np.sort(plane, axis=None))


def test_without_a_generative_method_there_are_no_samples(put, drawn):
    put("kmeans")
    assert [stem.partition("-")[0] for stem in drawn()] == ["points", "confusion"]


def between(K, shape, S=9):
    """Ways and triangle whose entries are as bright as they are far from component 0."""
    steps = np.arange(S, dtype=np.uint8)
    ways = np.broadcast_to(20 * steps.reshape(1, S, 1, 1, 1), (K - 1, S, *shape)).copy()
    far = np.add.outer(steps, steps)
    triangle = np.where(far < S, 20 * far, 0).astype(np.uint8)
    return {
        "interpolation": ways,
        "triangle": np.broadcast_to(triangle.reshape(S, S, 1, 1, 1), (S, S, *shape)).copy(),
    }


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64)], ids=["grey", "colour"])
def test_images_between_components_are_named_and_legible(put, drawn, legible, shape):
    y, labels = np.repeat([0, 1, 2], 20), np.repeat([2, 0, 1], 20)
    put("a", arrays={"y_train": y, "labels_train": labels} | between(3, shape))
    found = drawn()
    rows, corner = only(found, "interpolation"), only(found, "triangle")
    for figure in (rows, corner):
        legible(figure)
        assert "In brackets, for display alone" in " ".join(words_of(figure).split())
    canvas = np.asarray(rows.axes[0].images[0].get_array())
    assert canvas.ndim == (2 if shape[0] == 1 else 3)
    width = (canvas.shape[1] + 2) / 9
    for step in range(9):
        assert np.all(canvas[0, int((step + 0.4) * width)] == 20 * step)
    names = [label.get_text() for label in rows.axes[0].get_yticklabels()]
    assert names == ["0 (1)", "1 (2)"]
    (right,) = rows.axes[0].child_axes
    assert [label.get_text() for label in right.get_yticklabels()] == ["1 (2)", "2 (0)"]
    canvas = np.asarray(corner.axes[0].images[0].get_array())
    side = (len(canvas) + 2) / 9
    for i, j in np.ndindex(9, 9):
        shown = canvas[int((i + 0.4) * side), int((j + 0.4) * side)]
        assert np.all(shown == (20 * (i + j) if i + j < 9 else 255))
    names = [label.get_text() for label in corner.axes[0].get_yticklabels()]
    assert names == ["0 (1)", "1 (2)"]


def test_ways_that_are_no_pictures_or_not_of_these_components_are_left_out(put, drawn, caplog):
    put("vectors", arrays={"interpolation": np.zeros((2, 9, 5), np.float32)})
    put("wide", arrays=between(5, (1, 8, 8)))
    put("oblong", arrays={"triangle": np.zeros((9, 8, 1, 8, 8), np.uint8)})
    with caplog.at_level(logging.WARNING):
        stems = [stem for stem in drawn() if stem.startswith(("interpolation", "triangle"))]
    assert stems == ["triangle-digits-raw-digits-3-quick-wide"]
    assert "no interpolation of wide: the record stores (4, 9, 1, 8, 8) at K = 3" in caplog.text
    assert "no triangle of oblong: the record stores (9, 8, 1, 8, 8) at K = 3" in caplog.text
    assert "vectors" not in caplog.text
