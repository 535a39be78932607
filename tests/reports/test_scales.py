import numpy as np
import pytest

from deep_em_bench.reports.caption import data_and_profile
from deep_em_bench.reports.scales import _reading, grouped, scales
from deep_em_bench.reports.style import look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed


def mnist(n, subset, **words):
    said = {"split": "train", "subset": subset, **words}
    return DatasetUsed(name="mnist", n=n, n_test=100, words=said)


@pytest.fixture
def drawn():
    def drawn(records, shown):
        blocks = summarise(records)
        labels = dict.fromkeys(row.label for block in blocks for row in block.rows)
        with look():
            marks = {label: mark(i) for i, label in enumerate(labels)}
            figures = [f for group in grouped(blocks) for f in scales(group, shown, marks)]
            for figure in figures:
                figure.draw_without_rendering()
        return figures

    return drawn


def test_only_tables_that_differ_in_the_subset_alone_belong_together(make_record):
    data = [
        *(mnist(60, None), mnist(30, 0.5), mnist(6, 6)),
        *(mnist(60, None, features="sae10"), DatasetUsed(name="moons", n=60)),
    ]
    records = [make_record("a", 0, {"ari": 0.5}, dataset=each) for each in data]
    records += [make_record("a", 0, {"ari": 0.5}, dataset=mnist(30, 0.5), n_clusters=20)]
    (group,) = grouped(summarise(records))
    assert group.title == "mnist(split=train)"
    assert group.n == [6, 30, 60]
    assert grouped(summarise(records[3:])) == []


def test_lines_are_means_with_a_band_and_a_point_a_run(make_record, drawn):
    errors = {6: (0.5, 0.7), 30: (0.4, None), 60: (0.2, 0.3)}
    records = [
        make_record("a", seed, test={"error_rate": value}, dataset=mnist(n, n))
        if value is not None
        else make_record("a", seed, status="failed", dataset=mnist(n, n))
        for n, values in errors.items()
        for seed, value in enumerate(values)
    ]
    (figure,) = drawn(records, ["error_rate", "nmi"])
    (ax,) = [ax for ax in figure.axes if ax.get_title()]
    assert ax.get_title() == "Error ↓"
    points, line = ax.lines
    assert sorted(map(tuple, points.get_xydata())) == [
        *((6, 0.5), (6, 0.7)),
        (30, 0.4),
        *((60, 0.2), (60, 0.3)),
    ]
    np.testing.assert_allclose(line.get_xydata(), [[6, 0.6], [30, 0.4], [60, 0.25]])
    edges = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(np.ptp(edges[edges[:, 0] == 6, 1]), 0.2 * np.sqrt(2))
    np.testing.assert_allclose(np.ptp(edges[edges[:, 0] == 30, 1]), 0)
    said = " ".join(figure.get_suptitle().split())
    assert "mnist(split=train), K = 10, by points fitted." in said
    assert "On the held-out split, seeds 0, 1" in said


def test_a_size_that_a_method_lacks_is_a_gap_and_no_zero(make_record, drawn):
    records = [make_record("a", 0, {"ari": 0.5}, dataset=mnist(n, n)) for n in (10, 20, 30)]
    records += [make_record("b", 0, {"ari": 0.1}, dataset=mnist(n, n)) for n in (10, 30)]
    (figure,) = drawn(records, ["ari"])
    gap = next(ax for ax in figure.axes if ax.get_title()).lines[-1].get_ydata()
    np.testing.assert_array_equal(gap, [0.1, np.nan, 0.1])
    assert "Each size is scored on the points it was fitted to." in " ".join(
        figure.get_suptitle().split()
    )


@pytest.mark.parametrize(
    ("sizes", "scale"), [((6000, 30000, 60000), "linear"), ((100, 1000, 10000, 60000), "log")]
)
def test_sizes_stand_as_far_apart_as_they_can_and_are_named(
    make_record, drawn, legible, sizes, scale
):
    records = [
        make_record(f"{i}[a preset]", 0, {"ari": 0.1 * i}, dataset=mnist(n, n))
        for i in range(3)
        for n in sizes
    ]
    (figure,) = drawn(records, ["ari"])
    ax = next(ax for ax in figure.axes if ax.get_title())
    assert ax.get_xscale() == scale
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert names[0] in ("6,000", "100")
    assert names[-1] == "60,000"
    assert ax.get_xticks().tolist() == list(sizes)
    legible(figure)


def test_many_methods_take_several_figures(make_record, drawn, legible):
    records = [
        make_record(f"m{i}", 0, {"ari": 0.1, "nmi": 0.2, "error_rate": 0.3}, dataset=mnist(n, n))
        for i in range(10)
        for n in (10, 20)
    ]
    figures = drawn(records, ["ari", "nmi", "error_rate"])
    assert len(figures) == 2
    assert "Methods 9–10 of 10." in " ".join(figures[1].get_suptitle().split())
    for figure in figures:
        legible(figure)


def test_metrics_that_nobody_has_give_no_figure(make_record, drawn):
    records = [make_record("a", 0, {"ari": 0.5}, dataset=mnist(n, n)) for n in (10, 20)]
    assert drawn(records, ["nmi"]) == []


def test_fitted_points_that_are_scored_again_are_not_called_held_out(make_record):
    data = [mnist(n, n, assign="all") for n in (6, 30)]
    records = [make_record("a", 0, test={"ari": 0.5}, dataset=each) for each in data]
    (group,) = grouped(summarise(records))
    said = " ".join(_reading(group, "test"))
    assert "On all points, fitted ones among them, seed 0: one run each." in said
    assert "held-out" not in said
    first, *_ = data_and_profile(group.blocks[0])
    assert '6 training points, "held-out" being all 100, these among them' in first
