import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from deep_em_bench import results
from deep_em_bench.reports.cd_diagram import ACROSS, MOST, over_data, over_seeds
from deep_em_bench.reports.statistics_rows import ranked
from deep_em_bench.reports.style import INK, look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed
from deep_em_bench.results.store import Store


@pytest.fixture
def table(make_record):
    """One table of scores by label and seed."""

    def table(scores, split="train", **words):
        records = [
            make_record(label, seed, **{split: {"error_rate": value}}, **words)
            for label, values in scores.items()
            for seed, value in enumerate(values)
        ]
        (block,) = summarise(records)
        return block

    return table


def drawn(blocks, draw, *rest):
    labels = dict.fromkeys(row.label for block in blocks for row in block.rows)
    marks = {label: mark(i) for i, label in enumerate(labels)}
    with look():
        figures = list(draw(*rest, ["error_rate"], marks))
        for figure in figures:
            figure.draw_without_rendering()
    return figures


def bars(figure):
    """Ends of the group bars."""
    lines = [line for line in figure.axes[0].lines if line.get_linewidth() > 2]
    return [tuple(line.get_xdata()) for line in lines]


def words_of(figure):
    return " ".join(figure.get_suptitle().split())


def test_ranks_ruler_and_bars_are_to_scale(table):
    order = np.arange(10) % 2 / 100
    block = table({"a": 0.1 + order, "b": 0.11 - order, "c": [0.3] * 10, "d": [0.4] * 10})
    (figure,) = drawn([block], over_seeds, block)
    ax = figure.axes[0]
    texts = {text.get_text(): text for text in ax.texts}
    assert set(texts) == {
        *("Error ↓   (Friedman p < .001)", "CD 1.48", "1", "2", "3", "4"),
        *("a (1.50)", "b (1.50)", "c (3.00)", "d (4.00)"),
    }
    start, end = (texts[rank].get_position()[0] for rank in "14")
    unit = (end - start) / 3
    ruler = ax.lines[0].get_xdata()
    ranking = ranked(block, "train", "error_rate")
    assert ranking is not None
    assert np.ptp(ruler) == pytest.approx(unit * ranking.critical)
    elbows = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 3]
    np.testing.assert_allclose([x[2] for x in elbows], start + unit * np.array([0.5, 0.5, 2, 3]))
    (low, high), (low2, high2) = bars(figure)
    assert low < start + 0.5 * unit < high < start + unit
    assert low2 < start + 2 * unit < start + 3 * unit < high2
    assert "seeds 0–9 of one data set" in words_of(figure)
    assert "nothing here speaks of others" in words_of(figure)


def test_the_best_is_on_the_left_and_elbows_do_not_cross(table):
    block = table({f"m{i}": [0.1 * i + 0.01 * s for s in range(8)] for i in range(7)})
    (figure,) = drawn([block], over_seeds, block)
    elbows = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    places = np.array([line.get_xdata()[2] for line in elbows])
    heights = np.array([line.get_ydata()[0] for line in elbows])
    assert (np.diff(places) > 0).all()
    assert (np.diff(heights[:4]) > 0).all()  # left: further in, further down
    assert (np.diff(heights[4:]) < 0).all()
    assert (places[:4] > [line.get_xdata()[0] for line in elbows[:4]]).all()
    assert (places[4:] < [line.get_xdata()[0] for line in elbows[4:]]).all()


def test_black_alone_tells_the_groups(table):
    block = table({f"m{i}": [0.1 * i + 0.01 * s for s in range(8)] for i in range(7)})
    (figure,) = drawn([block], over_seeds, block)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]
    assert {to_hex(line.get_color()) for line in lines} == {INK}


def test_what_is_underpowered_has_no_diagram(table):
    block = table({label: [0.1 * i] * 2 for i, label in enumerate("abc")})
    assert drawn([block], over_seeds, block) == []


@pytest.mark.parametrize("n", [3, 20, 45, 70])
def test_many_methods_with_long_names_are_legible(table, legible, n):
    draw = np.random.default_rng(0)
    long = {
        f"method_{i}[with a preset, alpha = {i}]": draw.random(10) + 0.05 * i for i in range(n)
    }
    block = table(long)
    (figure,) = drawn([block], over_seeds, block)
    legible(figure)
    assert figure.get_size_inches()[1] < 9.5
    for line in figure.axes[0].lines:
        assert line.get_xdata().min() >= 0 if len(line.get_xdata()) > 1 else True
        assert max(line.get_xdata()) <= ACROSS
    assert (f"Of {n} ranked rows the best {MOST} are shown." in words_of(figure)) == (n > MOST)


def test_bars_of_one_level_are_not_taken_for_one():
    """By NMI on digits a bar ends a quarter of a rank before another begins."""
    store = Store(Path(results.__file__).parent / "reference" / "digits_raw")
    (block,) = summarise(store.load(history=False))
    marks = {row.label: mark(i) for i, row in enumerate(block.rows)}
    with look():
        (figure,) = over_seeds(block, ["nmi"], marks)
    held = [line for line in figure.axes[0].lines if line.get_linewidth() > 2]
    assert len(held) >= 5
    for one, other in itertools.combinations(held, 2):
        if one.get_ydata()[0] == other.get_ydata()[0]:
            first, second = sorted(tuple(line.get_xdata()) for line in (one, other))
            assert first[1] + 5 < second[0]


def test_several_metrics_are_panels_of_as_few_figures_as_they_fit_in(make_record):
    scores = [dict.fromkeys(("error_rate", "ari", "nmi", "purity"), 0.1 * i) for i in range(24)]
    records = [make_record(f"m{i}", s, scores[i]) for i in range(24) for s in range(5)]
    (block,) = summarise(records)
    with look():
        marks = {row.label: mark(i) for i, row in enumerate(block.rows)}
        figures = list(over_seeds(block, list(scores[0]), marks))
    titles = [
        [text.get_text() for text in figure.axes[0].texts if "Friedman" in text.get_text()]
        for figure in figures
    ]
    assert [len(each) for each in titles] == [2, 2]


def test_over_data_sets(table, legible):
    blocks = [
        table(
            {"a": [0.1, 0.2], "b": [0.2, 0.3], "c": [0.3, 0.4], "only digits": [0.0]}
            if name == "digits"
            else {"a": [0.1, 0.2], "b": [0.2, 0.3], "c": [0.3, 0.4]},
            "test",
            dataset=DatasetUsed(name=name, n=10, n_test=10),
        )
        for name in ("digits", "moons", "blobs", "iris")
    ]
    (figure,) = drawn(blocks, over_data, blocks)
    legible(figure)
    said = words_of(figure)
    assert "on the held-out split over data sets blobs, digits, iris, moons" in said
    assert "Not ranked: only digits." in said
    assert "reruns" not in said
    assert drawn(blocks[:1], over_data, blocks[:1]) == []
