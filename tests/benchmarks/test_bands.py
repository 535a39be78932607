"""Bands: how wide, how they are kept, and what falls out of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.benchmarks.bands import Band, Row, bands_of, outside, read, text, widened
from deep_em_bench.core import ConfigError

ROW = Row(dataset="digits(subset=600)", n_clusters=10, label='a "quoted" label')
OTHER = Row(dataset="moons", n_clusters=2, label="b")
ERROR = "train/error_rate"


@pytest.mark.parametrize(
    ("seeds", "low", "high"),
    [
        ([0.3, 0.3, 0.3], 0.25, 0.35),  # the least tolerance
        ([0.3, 0.4, 0.36], 0.24, 0.48),  # median 0.36, deviations 0.06, 0.04, 0
        ([0.0, 0.0, 0.4], 0.0, 0.05),  # one hard seed widens nothing
        ([0.0, 0.02, 0.0], 0.0, 0.05),
        ([0.9, 1.0, 1.0], 0.95, 1.0),  # cut at what an error can be
    ],
)
def test_a_band_lies_around_the_median(seeds: list[float], low: float, high: float) -> None:
    band = bands_of({ROW: {ERROR: seeds}})[ROW][ERROR]
    assert (band.low, band.high) == (pytest.approx(low), pytest.approx(high))


@settings(max_examples=30)
@given(seeds=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_what_made_a_band_is_inside_it(seeds: list[float]) -> None:
    values = {ROW: {ERROR: seeds}}
    assert outside(values, bands_of(values)) == []


def test_bands_are_widened_where_a_median_falls_out_and_nowhere_else() -> None:
    bands = {
        ROW: {ERROR: Band(low=0.1, high=0.2), "test/nmi": Band(low=0.5, high=0.9)},
        OTHER: {ERROR: Band(low=0.1, high=0.2)},
    }
    third = Row(dataset="new", n_clusters=2, label="c")
    values = {ROW: {ERROR: [0.3], "test/nmi": [0.85]}, third: {ERROR: [0.5]}}
    made = widened(bands, values)
    assert made[ROW][ERROR].low == 0.1
    assert made[ROW][ERROR].high == pytest.approx(0.35)
    assert made[ROW]["test/nmi"] == bands[ROW]["test/nmi"]
    assert made[OTHER] == bands[OTHER]
    assert (made[third][ERROR].low, made[third][ERROR].high) == (
        pytest.approx(0.45),
        pytest.approx(0.55),
    )
    assert outside(values, {row: made[row] for row in values}) == []
    assert bands[ROW][ERROR] == Band(low=0.1, high=0.2)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = {
        ROW: {ERROR: Band(low=0.125, high=0.25), "test/nmi": Band(low=0, high=1)},
        OTHER: {ERROR: Band(low=0, high=0.05)},
    }
    path = tmp_path / "bands.toml"
    path.write_text(text(made, "two\nlines"), encoding="utf-8")
    assert read(path) == made
    assert path.read_text(encoding="utf-8").startswith("# two\n# lines\n")


def test_each_value_off_is_named() -> None:
    bands = {
        ROW: {ERROR: Band(low=0.1, high=0.2), "train/nmi": Band(low=0.1, high=0.2)},
        OTHER: {ERROR: Band(low=0.1, high=0.2)},
    }
    third = Row(dataset="new", n_clusters=2, label="c")
    values = {ROW: {ERROR: [0.1, 0.3, 0.2], "train/nmi": [0.3]}, third: {ERROR: [0.1]}}
    assert outside(values, bands) == [
        'digits(subset=600) · K=10 · a "quoted" label: train/nmi has median 0.3000; '
        "expected 0.1000 to 0.2000",
        "moons · K=2 · b: train/error_rate is in the baseline and was not measured",
        "new · K=2 · c: train/error_rate was measured and is not in the baseline",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "rows = 3",
        "[[rows]]\ndataset = 'a'\nn_clusters = 1",
        "[[rows]]\ndataset = 'a'\nn_clusters = 1\nlabel = 'b'\nbands = 3",
        "[[rows]]\ndataset = 'a'\nn_clusters = 1\nlabel = 'b'\nbands.x = { low = 1, high = 0 }",
        "[[rows]]\ndataset = 'a'\nn_clusters = 1\nlabel = 'b'\nbands.x = { low = nan, high = 0 }",
        "[[rows",
    ],
)
def test_a_file_that_holds_no_bands_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bands.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bands\.toml cannot be used .* --update-baseline"):
        read(path)
    with pytest.raises(ConfigError, match="no baseline at"):
        read(tmp_path / "nowhere.toml")
