import numpy as np
import pytest
from msgspec import structs

from deep_em_bench.reports.learning import PANELS, learning
from deep_em_bench.reports.style import look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import Store


@pytest.fixture
def put(tmp_path, make_record):
    """Writes a record with a history."""

    def put(label, seed, history=(), **words):
        record = make_record(label, seed, n_clusters=3, **words)
        record = structs.replace(record, history=tuple(history))
        return Store(tmp_path).write(record)

    return put


@pytest.fixture
def diagnostics(tmp_path):
    """The figures of what was put, laid out."""

    def diagnostics():
        store = Store(tmp_path)
        (block,) = summarise(store.load(history=False))
        with look():
            marks = {r.label: mark(i) for i, r in enumerate(block.rows)}
            figures = [figure for _, figure in learning(block, store, marks)]
            for figure in figures:
                figure.draw_without_rendering()
        return figures

    return diagnostics


def rows(n, **changes):
    shares = {"shares": [0.2, 0.3, 0.5]}
    return [{"iteration": i, "churn": 0.3 / i} | shares | changes for i in range(1, n + 1)]


def titles(figure):
    return [ax.get_title("left") for ax in figure.axes if ax.get_visible()]


def test_curves_are_means_with_a_band_and_pale_where_a_run_has_ended(put, diagnostics):
    put("gan_em", 0, rows(4, churn=0.1))
    put("gan_em", 1, rows(2, churn=0.3))
    put("gan_em", 2, rows(9), status="diverged")
    put("kmeans", 0, [{"iteration": 7, "inertia": 1.0}])
    (figure,) = diagnostics()
    assert titles(figure) == ["Share of labels changed", "gan_em"]
    pale, full = figure.axes[0].lines
    np.testing.assert_array_equal(pale.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(pale.get_ydata(), [0.2, 0.2, 0.1, 0.1])
    np.testing.assert_allclose(full.get_ydata(), [0.2, 0.2, np.nan, np.nan])
    assert pale.get_alpha() < 1
    (band,) = figure.axes[0].collections
    edges = band.get_paths()[0].vertices
    np.testing.assert_allclose(np.ptp(edges[edges[:, 0] == 1, 1]), 0.2 * np.sqrt(2))
    np.testing.assert_allclose(np.ptp(edges[edges[:, 0] == 4, 1]), 0)


def test_every_key_has_its_panel_and_none_that_no_record_fills(put, diagnostics):
    keys = dict.fromkeys([*PANELS, "reconstruction_loss"], 1.0)
    put("gan_em", 0, [{"iteration": i, **keys} for i in (1, 2)])
    put("other", 0, rows(2, unknown=1.0, shares=None))
    figures = diagnostics()
    assert [title for figure in figures for title in titles(figure)] == [
        *PANELS.values(),
        "Reconstruction loss",
    ]
    shown = [ax for figure in figures for ax in figure.axes if ax.get_visible()]
    assert [len(ax.lines) for ax in shown] == [2 + 2 * (key == "churn") for key in keys]


def test_runs_that_tell_only_their_end_are_points(put, diagnostics):
    for seed, (iteration, bound) in enumerate([(9, 1.5), (4, 1.0), (9, 2.0)]):
        put("gmm", seed, [{"iteration": iteration, "lower_bound": bound}])
    (figure,) = diagnostics()
    (points,) = figure.axes[0].lines
    assert sorted(points.get_xydata().tolist()) == [[4, 1.0], [9, 1.5], [9, 2.0]]
    assert points.get_linestyle() == "None"
    assert "the ends of runs" in " ".join(figure.get_suptitle().split())


def test_many_methods_take_several_figures_with_their_shares(put, diagnostics, legible):
    for i in range(10):
        put(
            f"gan_em[a rather long name of a preset, number {i}]",
            0,
            rows(9, m_seconds=3.0 + i),
        )
    figures = diagnostics()
    assert [titles(figure)[:2] for figure in figures] == [
        ["Share of labels changed", "M-step (s)"]
    ] * 2
    assert [len(titles(figure)) for figure in figures] == [2 + 8, 2 + 2]
    said = [" ".join(figure.get_suptitle().split()) for figure in figures]
    assert "Methods 1–8 of 10." in said[0]
    assert "Methods 9–10 of 10." in said[1]
    for figure in figures:
        legible(figure)
        assert figure.get_size_inches()[1] < 9.5


def test_shares_are_those_of_the_first_run_stacked_to_one_by_size(put, diagnostics):
    put("gan_em", 0, status="failed")
    put("gan_em", 1, [{"iteration": i, "shares": [0.1, 0.3, 0.6]} for i in (1, 2)])
    put("gan_em", 2, [{"iteration": i, "shares": [1, 0, 0]} for i in (1, 2)])
    (figure,) = diagnostics()
    tops = [band.get_paths()[0].vertices[:, 1].max() for band in figure.axes[0].collections]
    np.testing.assert_allclose(tops, [0.6, 0.9, 1.0])
    assert "(seed 1)" in figure.get_suptitle()


def test_a_single_iteration_shows_something(put, diagnostics):
    put("gan_em", 0, rows(1))
    (figure,) = diagnostics()
    curve, areas = (ax for ax in figure.axes if ax.get_visible())
    assert curve.lines[-1].get_marker() not in ("None", "")
    assert curve.lines[-1].get_xydata().tolist() == [[1, 0.3]]
    assert np.ptp(areas.get_xlim()) == 1


@pytest.mark.parametrize(
    "history",
    [
        [{"churn": 0.5}, {"iteration": "first", "churn": 0.5}, {"iteration": True, "churn": 0.5}],
        [{"iteration": 1, "churn": None, "d_loss": "low", "shares": [0.5, "half"]}],
        [{"iteration": 1, "shares": [0.5, 0.5]}, {"iteration": 2, "shares": [1.0]}],
        [{"iteration": 1, "shares": 3}, {"iteration": 2, "e_seconds": [1.0]}],
    ],
)
def test_histories_that_say_nothing_of_em_give_no_figure(put, diagnostics, history):
    put("other", 0, history)
    assert diagnostics() == []


def scored(n, fid, every=5):
    """A history whose rows hold scores of samples now and then."""
    return [
        {"iteration": i, "d_loss": 1.0}
        | ({"is_lenet": 1 + i / n, "fid_lenet": fid(i)} if i % every == 0 or i == n else {})
        for i in range(1, n + 1)
    ]


def test_scores_of_samples_have_figures_of_their_own(put, tmp_path, legible):
    for seed in range(3):
        put("responsibility_gan", seed, scored(12, lambda i, s=seed: 10.0 + s))
    put("vanilla_gan", 0, scored(10, lambda i: 20.0))
    put("kmeans", 0, [{"iteration": 7, "inertia": 1.0}])
    store = Store(tmp_path)
    (block,) = summarise(store.load(history=False))
    with look():
        marks = {r.label: mark(i) for i, r in enumerate(block.rows)}
        found = list(learning(block, store, marks))
        for _, figure in found:
            figure.draw_without_rendering()
    assert [(kind, titles(figure)) for kind, figure in found] == [
        ("em", ["Discriminator loss"]),
        ("scores", ["IS (LeNet) ↑", "FID (LeNet) ↓"]),
    ]
    figure = found[1][1]
    legible(figure)
    _, full, _, other = figure.axes[1].lines
    np.testing.assert_array_equal(full.get_xdata(), [5, 10, 12])  # rows without scores are skipped
    np.testing.assert_allclose(full.get_ydata(), 11.0)
    np.testing.assert_array_equal(other.get_xdata(), [5, 10])
    band = figure.axes[1].collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([band.min(), band.max()], [10.0, 12.0])
    assert figure.axes[1].get_yscale() == "linear"
    assert figure.axes[1].get_ylim()[0] == 0


def test_an_fid_over_decades_has_a_logarithmic_axis_and_no_band_to_nothing(put, diagnostics):
    for seed, scale in enumerate((1.0, 1.0, 40.0)):
        put("gm_gan", seed, scored(20, lambda i, s=scale: 1000 * s / i**2))
    _, figure = diagnostics()
    axis = figure.axes[1]
    assert axis.get_yscale() == "log"
    band = axis.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(1000 / 20**2)
    assert figure.axes[0].get_yscale() == "linear"
    said = " ".join(figure.get_suptitle().split())
    assert "On logarithmic axes no band goes below the lowest run." in said
    low, high = axis.get_ylim()
    labels = [t.get_text() for t in axis.get_yticklabels() if low <= t.get_position()[1] <= high]
    assert labels == ["10", "100", "1000"]
