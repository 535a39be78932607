import dataclasses
import io
import logging
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.image import imread
from matplotlib.text import Text

import metrics
from reports import figures as module
from reports.figures import figures
from reports.style import WIDTH, look, mark, rendered
from reports.summary import summarise
from results import DatasetUsed, Store

DIGITS = DatasetUsed(name="digits", n=60, n_test=0, n_classes=3)
HOSTILE = (
    "$x_y\\frac{1}{0}$",
    "\\<b>&%#~^{}",
    "$",
    "[a](b)\n\x07漢字🙂é́",
    "gan_em[stable] " + "alpha=0.1, beta=[1, 2, 3], " * 9 + "end=1",
    "gan_em[stable] " + "alpha=0.1, beta=[1, 2, 3], " * 9 + "end=2",
    "W" * 200,
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "digits_raw")


@pytest.fixture
def put(store, make_record):
    """Writes a record whose scores are ``error``, with labels, and samples and history at will."""

    def put(label, seed=0, error=0.2, *, K=3, C=3, history=(), arrays=None, **words):
        draw = np.random.default_rng([seed, K])
        y = np.arange(60) % C
        labels = np.where(draw.random(60) < error, draw.integers(K, size=60), y % K)
        scores = {"error_rate": error, "ari": 1 - 1.5 * error, "nmi": 1 - error}
        said = {"n_clusters": K, "dataset": dataclasses.replace(DIGITS, n_classes=C)} | words
        record = make_record(label, seed, said.pop("train", scores), **said)
        record = dataclasses.replace(record, history=tuple(history))
        held = {"y_train": y, "labels_train": labels} | (arrays or {})
        return store.write(record, held if record.status == "ok" else None)

    return put


@pytest.fixture
def drawn(store, monkeypatch):
    """The figures themselves, by stem, laid out but not rendered."""

    def drawn(**words):
        found = []

        def kept(figure):
            figure.draw_without_rendering()
            found.append(figure)
            return {"pdf": b""}

        with monkeypatch.context() as patched:
            patched.setattr(module, "rendered", kept)
            names = figures(summarise(store.load(history=False)), store, **words)
        return dict(zip((name.removesuffix(".pdf") for name in names), found, strict=True))

    return drawn


def rows(n, K=3, **changes):
    """A history as GAN-EM writes it."""
    return [
        {
            "iteration": i,
            "d_loss": 2 / i,
            "g_loss": -1 / i,
            "cross_entropy": 1 / i,
            "responsibility_entropy": 0.5 / i,
            "churn": 0.3 / i,
            "shares": [1 / K] * K,
            "m_seconds": 3.0,
            "e_seconds": 1.0,
        }
        | changes
        for i in range(1, n + 1)
    ]


def images(K, shape=(1, 8, 8)):
    """All of component i as bright as 20 i."""
    levels = 20 * np.arange(K, dtype=np.uint8)
    return np.broadcast_to(levels.reshape(K, 1, 1, 1, 1), (K, 10, *shape)).copy()


def words_of(figure):
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def titles(figure):
    axes = [ax for ax in figure.axes if ax.get_visible()]
    return [title for ax in axes if (title := ax.get_title("left") or ax.get_title())]


def only(found, kind):
    (figure,) = [figure for stem, figure in found.items() if stem.startswith(kind)]
    return figure


def test_every_kind_is_a_picture_of_column_width_in_two_formats(store, put):
    for seed in range(2):
        put("kmeans", seed, 0.3)
        put("gan_em", seed, 0.1, history=rows(3), arrays={"samples": images(3)})
    files = figures(summarise(store), store)
    kinds = ("points", "time", "em", "confusion")
    stems = {f"{kind}-digits-raw-digits-3-quick" for kind in kinds}
    stems.add("samples-digits-raw-digits-3-quick-gan-em")
    assert set(files) == {f"{stem}.{suffix}" for stem in stems for suffix in ("pdf", "png")}
    for stem in stems:
        picture = imread(io.BytesIO(files[f"{stem}.png"]))[..., :3]
        assert picture.shape[1] == round(300 * WIDTH)
        ink = (picture.min(axis=2) < 0.9).mean()
        assert 0.01 < ink < 0.95
        document = files[f"{stem}.pdf"]
        assert document.startswith(b"%PDF")
        assert b"/CIDFontType2" in document  # TrueType, embedded
        assert b"/Type3" not in document
        assert b"/CreationDate" not in document


def test_the_users_settings_neither_matter_nor_change(store, put):
    put("kmeans", 0, 0.3)
    put("kmeans", 1, 0.2)
    blocks = summarise(store)
    before = mpl.rcParams.copy()
    files = figures(blocks, store)
    assert mpl.rcParams.copy() == before
    own = {"text.usetex": True, "font.size": 30, "pdf.fonttype": 3, "axes.grid": True}
    with mpl.rc_context(own):
        inside = mpl.rcParams.copy()
        assert figures(blocks, store) == files
        assert mpl.rcParams.copy() == inside


def test_points_are_the_runs_and_bars_their_mean_and_spread(put, drawn):
    for seed, error in enumerate([0.1, 0.2, 0.6]):
        put("kmeans", seed, error)
    put("gan_em", 0, 0.05)
    put("gan_em", 1, status="diverged")
    figure = only(drawn(), "points")
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["kmeans (3/3)", "gan_em (1/2)"]
    assert titles(figure) == ["Error ↓", "ARI ↑", "NMI ↑"]
    runs, spread, mean, single = ax.lines
    np.testing.assert_allclose(np.sort(runs.get_xdata()), [0.1, 0.2, 0.6])
    assert len(set(runs.get_ydata())) == 3
    np.testing.assert_allclose(mean.get_xdata(), 0.3)
    np.testing.assert_allclose(spread.get_xdata(), 0.3 + np.sqrt(0.07) * np.array([-1, 1]))
    np.testing.assert_allclose(single.get_xdata(), 0.05)
    assert single.get_ydata()[0] - 1 == pytest.approx(min(runs.get_ydata()))  # both are seed 0
    assert single.get_marker() != runs.get_marker()


def test_points_are_of_the_held_out_split_where_there_is_one(put, drawn):
    put("kmeans", 0, 0.3, test={"error_rate": 0.4})
    figure = only(drawn(), "points")
    assert [line.get_xdata().tolist() for ax in figure.axes for line in ax.lines] == [[0.4]]
    assert "On the held-out split, seed 0: one run each." in " ".join(words_of(figure).split())


def test_no_mean_over_the_runs_that_happen_to_have_a_value(put, drawn):
    put("kmeans", 0, train={"error_rate": 0.1})
    put("kmeans", 1, train={"error_rate": 0.2})
    put("kmeans", 2, train={"error_rate": None})
    (runs,) = only(drawn(), "points").axes[0].lines
    assert sorted(runs.get_xdata()) == [0.1, 0.2]


def test_points_of_the_metrics_that_were_asked_for(put, drawn):
    names = ["error_rate", "purity", "ari", "nmi"]
    put("kmeans", 0, train=dict.fromkeys(names, 0.5))
    assert titles(only(drawn(shown=["purity"]), "points")) == ["Purity ↑"]
    assert titles(only(drawn(shown=names), "points")) == ["Error ↓", "Purity ↑", "ARI ↑", "NMI ↑"]


def test_what_is_mixed_is_said_in_every_figure(store, put):
    put("gan_em", 0, history=rows(1), arrays={"samples": images(3)})
    put("gan_em", 1, code="d" * 64)
    blocks = summarise(store, mixed=True)
    with look():
        marks = {"gan_em": mark(0)}
        found = [figure for _, figure in module._figures(blocks[0], store, ["nmi"], marks)]
    assert len(found) == 4
    for figure in found:
        assert "MIXED: gan_em mixes code versions" in " ".join(words_of(figure).split())


def test_where_all_failed_there_is_nothing_to_show(put, drawn):
    put("kmeans", 0, status="failed")
    put("gan_em", 0, status="timeout")
    assert drawn() == {}


def test_confusion_is_of_the_matched_clusters_and_names_the_error_rate(put, drawn):
    y, labels = np.repeat([0, 1, 2], 20), np.repeat([3, 1, 1, 0, 2, 0], 10)
    put("kmeans", 0, status="failed")
    put("kmeans", 1, K=4, arrays={"y_train": y, "labels_train": labels})
    figure = only(drawn(), "confusion")
    (mesh,) = figure.axes[0].findobj(QuadMesh)
    # Cluster 1 may stand for class 0 or 1; either way one cluster is left over.
    shares = np.asarray(mesh.get_array()).reshape(3, 4)
    assert shares.sum() == 3
    assert np.trace(shares) == 1.5
    error = metrics.score_clustering(y, labels, n_clusters=4)["error_rate"]
    assert error == 0.5
    assert titles(figure)[0] == "kmeans (error .500)"
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ["0", "1", "2", "unmatched"]
    assert "On the train split, seed 1;" in " ".join(words_of(figure).split())


def test_confusion_is_of_the_held_out_split_where_there_is_one(put, drawn):
    held = {"y_test": np.array([0, 1, 2, 2]), "labels_test": np.array([2, 0, 1, 1])}
    put("kmeans", 0, 0.5, arrays=held)
    put("gmm", 1, 0.5, arrays=held)
    figure = only(drawn(), "confusion")
    assert titles(figure) == ["kmeans (seed 0, error .000)", "gmm (seed 1, error .000)"]
    for ax in figure.axes[:2]:
        (mesh,) = ax.findobj(QuadMesh)
        np.testing.assert_array_equal(np.reshape(mesh.get_array(), (3, 3)), np.eye(3))


def test_many_matrices_take_several_figures(put, drawn):
    for i in range(9):
        put(f"m{i}")
    stems = [stem for stem in drawn() if stem.startswith("confusion")]
    assert stems == [
        "confusion-digits-raw-digits-3-quick",
        "confusion-digits-raw-digits-3-quick-1",
    ]


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


def test_arrays_that_cannot_be_read_are_warned_of(store, put, drawn, caplog):
    damaged = put("damaged", 0, arrays={"samples": images(3)})
    (store.folder / f"{damaged.key}.npz").write_bytes(b"")
    put("wrong", 0, arrays={"samples": images(5)})
    put("unlabelled", 0, arrays={"labels_train": np.full(60, 9), "samples": images(3)})
    with caplog.at_level(logging.WARNING):
        assert [stem.partition("-")[0] for stem in drawn()] == ["points", "time", "confusion"]
    assert "no pictures of the clusters of damaged: " in caplog.text
    assert "no samples of wrong: 5 components, not 3" in caplog.text
    assert "no confusion matrix of unlabelled: labels run from 9" in caplog.text


def test_names_that_give_one_stem_give_two_files(put, drawn):
    for label in ("gan_em", "gan-em", "x" * 300, "y" + "x" * 300):
        put(label, arrays={"samples": images(3)})
    stems = [stem for stem in drawn() if stem.startswith("samples")]
    assert len(stems) == 4
    assert max(map(len, stems)) < 150


@pytest.mark.parametrize(
    ("labels", "K", "C", "kinds"),
    [
        pytest.param(
            ("kmeans[default]", "gmm[pca_full]", "gan_em[stable] max_iter=3 pretrain=100"),
            *(3, 3, {"points", "time", "em", "confusion", "samples"}),
            id="usual",
        ),
        pytest.param(
            HOSTILE, 3, 5, {"points", "time", "em", "confusion", "samples"}, id="hostile"
        ),
        pytest.param(("gan_em[stable]",), 30, 10, {"points", "confusion", "samples"}, id="K = 30"),
        pytest.param(("kmeans[default]",), 50, 50, {"points", "confusion"}, id="50 classes"),
    ],
)
def test_labels_lie_within_the_figure_and_off_each_other(put, drawn, legible, labels, K, C, kinds):
    for i, label in enumerate(labels):
        arrays = {"samples": images(K)} if "samples" in kinds and i == 0 else {}
        history = rows(12, K) if "em" in kinds else ()
        put(label, 0, 0.1 * i, K=K, C=C, history=history, arrays=arrays)
    found = drawn()
    assert {stem.partition("-")[0] for stem in found} == kinds
    for stem, figure in found.items():
        legible(figure, stem)


@pytest.mark.parametrize(
    "labels", [("kmeans", "gmm", "gan_em[stable]"), HOSTILE], ids=["usual", "hostile"]
)
def test_figures_of_several_seeds_and_sizes_are_legible(put, drawn, legible, labels):
    for n in (100, 60000):
        said = dataclasses.replace(DIGITS, n=n, words={"subset": n})
        for i, label in enumerate(labels):
            for seed in range(6):
                put(label, seed, 0.1 * i + 0.01 * seed, dataset=said, fit_s=1.7 * (i + 1) ** 3)
    found = {stem: figure for stem, figure in drawn().items() if not stem.startswith("confusion")}
    kinds = [stem.partition("-")[0] for stem in found]
    assert kinds == ["scales"] + ["points", "ranks", "time"] * 2
    for stem, figure in found.items():
        legible(figure, stem)


def test_data_sets_that_differ_are_ranked_together(store, put):
    for name in ("digits", "moons", "blobs", "iris"):
        for i, label in enumerate(("a", "b", "c")):
            put(label, 0, 0.1 + 0.1 * i, dataset=dataclasses.replace(DIGITS, name=name))
    with look():
        marks = {label: mark(i) for i, label in enumerate("abc")}
        ((name, figure),) = module._together(summarise(store), ["ari"], marks)
    assert name.strip() == "ranks digits_raw data sets quick"
    said = " ".join(words_of(figure).split())
    assert "over data sets blobs, digits, iris, moons; 1 is best" in said


def test_hostile_names_are_drawn_as_they_are(put, drawn):
    for label in HOSTILE:
        put(label, train={"error_rate": 0.2})
    figure = only(drawn(), "points")
    with look():
        assert rendered(figure)["pdf"].startswith(b"%PDF")
    names = words_of(figure)
    assert "$x_y\\frac{1}{0}$ (1/1)" in names
    assert "[U+6F22]" in names


def test_matplotlib_is_only_imported_for_figures(store, put, tmp_path):
    put("kmeans")
    command = (
        "import sys; from reports.__main__ import main;"
        f"main(['--suite', 'digits_raw', '--root', {str(store.folder.parent)!r}, "
        f"'--out', {str(tmp_path / 'out')!r}, '--format', 'csv']);"
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


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


def test_points_of_samples_have_a_figure_of_their_own(store, make_samples, put, drawn, legible):
    put("kmeans", suite="generation")
    for seed in range(2):
        store.write(
            make_samples("gan_em", seed, 20.0, n_clusters=3, dataset=DIGITS),
            {"y_train": np.arange(60) % 3, "labels_train": np.arange(60) % 3},
        )
    found = drawn()
    labels, samples = [figure for stem, figure in found.items() if stem.startswith("points")]
    assert "FID" not in "".join(titles(labels))
    assert titles(samples) == ["IS ↑\n(LeNet)", "FID ↓\n(LeNet)", "KID ↓\n(LeNet)"]
    ax = samples.axes[1]
    assert [label.get_text() for label in samples.axes[0].get_yticklabels()] == ["gan_em (2/2)"]
    assert any(line.get_linestyle() == ":" and line.get_xdata()[0] == 0.873 for line in ax.lines)
    assert "Dotted: real images in their place." in " ".join(words_of(samples).split())
    legible(samples)
