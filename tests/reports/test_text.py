import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from deep_em_bench.reports.text import PIECES, device_of, named_seeds, number, seconds
from deep_em_bench.results import Provenance, Resources


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.0463, "error_rate", ".046"),
        (1.0, "purity", "1.000"),
        (0.0, "error_rate", ".000"),
        (0.9996, "nmi", "1.000"),
        (-0.0001, "ari", ".000"),
        (-0.25, "ari", "-.250"),
        (9.96, "active_clusters", "10.0"),
        (0.5, "active_clusters", "0.5"),
        (0.125, "of_a_plugin_not_loaded", ".125"),
        (12.5, "of_a_plugin_not_loaded", "12.500"),
        (231.0577, "fid_squeezenet", "231"),
        (23.105, "fid_squeezenet", "23.1"),
        (9.996, "is_lenet", "10.0"),
        (0.5, "is_lenet", "0.500"),
        (1234.5, "fid_lenet", "1234"),
        (0.01234, "kid_lenet", "0.0123"),
        (-0.001236, "kid_lenet", "-0.00124"),
        (0.0000123, "kid_lenet", "0.000012"),
        (-1e-9, "kid_lenet", "0.000000"),
        (0.0, "fid_lenet", "0.00"),
    ],
)
def test_number(value, metric, text):
    assert number(value, metric) == text


@pytest.mark.parametrize(
    ("std", "mean", "text"),
    [(7.5371, 231.0, "8"), (0.2188, 2.9664, "0.22"), (0.2, 0.00123, "0.20000")],
)
def test_a_spread_of_samples_has_the_decimals_of_its_mean(std, mean, text):
    assert number(std, "fid_lenet", mean) == text
    assert number(std, "nmi", mean) == number(std, "nmi")


@given(st.floats(-1e9, 1e9))
def test_scores_of_samples_are_printed_to_three_figures(value):
    text = number(value, "kid_lenet")
    assert "e" not in text
    assert not text.startswith((".", "-."))
    assert abs(float(text) - value) <= max(0.005 * abs(value), 5e-7) * 1.0001


def test_seconds_have_about_three_figures():
    assert [seconds(s) for s in (0.034, 1.234, 12.34, 123.4, 4321.0)] == [
        *("0.03", "1.23", "12.3", "123", "4321")
    ]


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ([5], "seed 5"),
        ([1, 0], "seeds 0, 1"),
        ([2, 0, 1], "seeds 0–2"),
        ([0, 1, 2, 3, 7, 9, 8, 12], "seeds 0–3, 7–9, 12"),
        ([4, 4], "seed 4"),
    ],
)
def test_named_seeds(seeds, text):
    assert named_seeds(seeds) == text


@given(st.text(st.sampled_from("aZ9é_-.,=()[]{} \n$\\漢"), max_size=60))
def test_the_pieces_of_a_name_are_all_of_it(name):
    pieces = PIECES.findall(name)
    assert "".join(pieces) == name
    assert not any(piece[-1] in "([{" and piece.strip("([{") for piece in pieces)


def test_devices_by_their_names_where_these_are_known(make_record):
    records = [make_record("a", s, resources=Resources(device=d)) for s, d in enumerate(DEVICES)]
    assert [device_of(record) for record in records] == list(DEVICES)
    made = Provenance(metrics_version="1", gpu="NVIDIA H100")
    records = [structs.replace(record, provenance=made) for record in records]
    assert [device_of(record) for record in records] == ["NVIDIA H100", "cpu", "NVIDIA H100"]


DEVICES = ("cuda:0", "cpu", "cuda:1")
