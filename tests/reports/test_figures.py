import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from msgspec import structs

from deep_em_bench.reports import figures as module
from deep_em_bench.reports.figures import Drawn, figures
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.style import WIDTH, look, mark, rendered
from deep_em_bench.reports.summary import summarise
from tests.reports.drawing import DIGITS, HOSTILE, images, only, rows, titles, words_of


def test_every_kind_is_a_picture_of_column_width_in_two_formats(store, put):
    for seed in range(2):
        put("kmeans", seed, 0.3)
        put("gan_em", seed, 0.1, history=rows(3), arrays={"samples": images(3)})
    files = figures(summarise(store), Stored(store)).files
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
    files = figures(blocks, Stored(store)).files
    assert mpl.rcParams.copy() == before
    own = {"text.usetex": True, "font.size": 30, "pdf.fonttype": 3, "axes.grid": True}
    with mpl.rc_context(own):
        inside = mpl.rcParams.copy()
        assert figures(blocks, Stored(store)).files == files
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


def test_figures_show_the_error_that_heads_the_tables(put, drawn):
    """With labels the components are the classes, and the error is of them as they are named."""
    known = structs.replace(DIGITS, words={"labelled": 9}, n_classes=3)
    scores = {"error_rate": 0.1, "error_rate_classes": 0.2, "ari": 0.5}
    for label in ("a", "b"):
        put(label, train=scores, dataset=known)
    found = drawn()
    for kind in ("points", "time"):
        heads = [ax.get_title() for ax in only(found, kind).axes if ax.get_title()]
        assert heads == ["Error (classes) ↓", "ARI ↑"]


def test_what_is_mixed_is_said_in_every_figure(store, put):
    put("gan_em", 0, history=rows(1), arrays={"samples": images(3)})
    put("gan_em", 1, version=2)
    blocks = summarise(store, mixed=True)
    with look():
        marks = {"gan_em": mark(0)}
        found = [figure for _, figure in module._figures(blocks[0], Stored(store), ["nmi"], marks)]
    assert len(found) == 4
    for figure in found:
        assert "MIXED: gan_em mixes code versions" in " ".join(words_of(figure).split())


def test_where_all_failed_there_is_nothing_to_show(put, drawn):
    put("kmeans", 0, status="failed")
    put("gan_em", 0, status="timeout")
    assert drawn() == {}


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
        said = structs.replace(DIGITS, n=n, words={"subset": n})
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
            put(label, 0, 0.1 + 0.1 * i, dataset=structs.replace(DIGITS, name=name))
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
        "import sys; from deep_em_bench.reports.__main__ import main;"
        f"main(['--suite', 'digits_raw', '--root', {str(store.folder.parent)!r}, "
        f"'--out', {str(tmp_path / 'out')!r}, '--format', 'csv']);"
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


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


def test_any_number_of_figures_may_be_asked_for(store):
    assert figures([], Stored(store), most=10**20) == Drawn(files={}, complete=True)
