import pytest

from reports.text import named_seeds, number, seconds


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
    ],
)
def test_number(value, metric, text):
    assert number(value, metric) == text


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
