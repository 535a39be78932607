import pytest

from deep_em_bench.reports.quality_time import quality_time
from deep_em_bench.reports.style import look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import Resources


@pytest.fixture
def drawn():
    def drawn(records, shown):
        (block,) = summarise(records)
        with look():
            marks = {row.label: mark(i) for i, row in enumerate(block.rows)}
            figure = next(quality_time(block, shown, marks), None)
            if figure is not None:
                figure.draw_without_rendering()
        return figure

    return drawn


def panels(figure):
    return [ax for ax in figure.axes if ax.get_title()]


def test_a_point_is_a_run(make_record, drawn):
    records = [
        make_record("kmeans", 0, test={"error_rate": 0.4}, fit_s=0.5),
        make_record("kmeans", 1, test={"error_rate": 0.5}, fit_s=0.25),
        make_record("kmeans", 2, status="failed"),
        make_record("gan_em", 0, test={"error_rate": 0.1, "ari": 0.8}, fit_s=300.0),
        make_record("gan_em", 1, test={"error_rate": None}, fit_s=200.0),
    ]
    figure = drawn(records, ["error_rate", "ari", "nmi"])
    error, ari = panels(figure)
    assert [line.get_xydata().tolist() for line in error.lines] == [
        [[0.5, 0.4], [0.25, 0.5]],
        [[300, 0.1]],
    ]
    assert [len(line.get_xdata()) for line in ari.lines] == [0, 1]
    assert error.get_xscale() == "log"
    markers = {line.get_marker() for line in error.lines}
    assert len(markers) == 2
    said = " ".join(figure.get_suptitle().split())
    assert "A point a run, on the held-out split, seeds 0–2. Wall time on cpu." in said
    assert "at a time" not in said


def test_runs_side_by_side_are_no_benchmark_and_said_to_be(make_record, drawn):
    crowd = Resources(jobs=4)
    records = [make_record(x, 0, {"ari": 0.5}, resources=crowd) for x in "ab"]
    said = " ".join(drawn(records, ["ari"]).get_suptitle().split())
    assert "Up to 4 cells ran at a time: times compare roughly." in said


def test_names_bear_the_letter_of_their_device_where_there_are_several(make_record, drawn):
    records = [
        make_record("a", 0, {"ari": 0.5}),
        make_record("b", 0, {"ari": 0.6}, resources=Resources(device="cuda")),
    ]
    figure = drawn(records, ["ari"])
    names = [
        text.get_text()
        for part in (figure, *figure.subfigs)
        for held in (part.legends, *(ax.get_children() for ax in part.axes))
        for legend in held
        if hasattr(legend, "get_texts")
        for text in legend.get_texts()
    ]
    assert names == ["a (a)", "b (b)"]
    assert "letter (a cpu, b cuda)" in " ".join(figure.get_suptitle().split())


@pytest.mark.parametrize("shown", [["ari"], ["nmi"], []])
def test_one_method_or_none_has_nothing_to_stand_against(make_record, drawn, shown):
    records = [make_record("a", 0, {"ari": 0.5}), make_record("b", 0, status="failed")]
    assert drawn(records, shown) is None


@pytest.mark.parametrize("seconds", [(2.0, 2.0), (0.02, 900.0), (1.5, 3.1), (3, 4)])
@pytest.mark.parametrize("n", [2, 12])
def test_axes_of_any_span_are_legible(make_record, drawn, legible, seconds, n):
    low, high = seconds
    scores = {"ari": 0.5, "nmi": 0.6, "error_rate": 0.4}
    records = [
        make_record(f"method {i}", 0, scores, fit_s=low + (high - low) * i / (n - 1))
        for i in range(n)
    ]
    figure = drawn(records, list(scores))
    legible(figure)
    for ax in panels(figure):
        left, right = ax.get_xlim()
        assert left < low <= high < right
        assert len([tick for tick in ax.get_xticks() if left <= tick <= right]) >= 2


def test_many_methods_take_several_figures(make_record):
    (block,) = summarise([make_record(f"m{i:02}", 0, {"ari": i / 100}) for i in range(30)])
    with look():
        marks = {row.label: mark(i) for i, row in enumerate(block.rows)}
        figures = list(quality_time(block, ["ari"], marks))
    told = ["".join(each.get_suptitle().split()) for each in figures]
    assert ["Methods1–24of30." in told[0], "Methods25–30of30." in told[1]] == [True, True]
    assert len(figures) == 2
