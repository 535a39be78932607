"""Which runs form a row and a block, and their statistics."""

import pytest

from deep_em_bench.core import UserError
from deep_em_bench.reports.data.blocks import TIME, blocks_of
from deep_em_bench.reports.data.titles import row_title, slugs
from deep_em_bench.results import MethodUsed, Resources, frame_of


def blocks(records, **words):
    return blocks_of(records, frame_of(records), **words)


def test_rows_are_baselines_first_and_failures_are_counted_not_averaged(suite_records):
    (block,) = blocks(suite_records)
    assert [row.label for row in block.rows] == ["kmeans", "gan_em[stable]"]
    statistics = block.statistics("train/error_rate")
    assert statistics[0].mean == pytest.approx(0.21)
    assert statistics[0].std == pytest.approx(0.01)
    assert (statistics[1].n, statistics[1].mean) == (2, pytest.approx(0.12))
    assert block.scores("train/error_rate").shape == (2, 3)
    assert [len(row.ok) for row in block.rows] == [3, 2]
    (failed,) = block.failures
    assert (failed.row.label, failed.seeds, failed.status) == ("gan_em[stable]", (2,), "diverged")


def test_accuracy_of_old_records_is_one_minus_the_error(suite_records):
    (block,) = blocks(suite_records)
    assert block.statistics("train/accuracy")[0].mean == pytest.approx(0.79)
    assert "accuracy" in block.metrics["train"]


def test_a_mean_needs_a_value_of_every_run_that_ended_well(make_record):
    records = [make_record("a", s, {"ari": v}) for s, v in enumerate((0.5, None, 0.7))]
    (block,) = blocks(records)
    assert block.statistics("train/ari") == [None]
    assert block.statistics("train/nmi") == [None]


def test_one_label_with_several_settings_has_a_row_for_each(make_record):
    records = [make_record("a", s, {"ari": 0.5}, params={"k": k}) for k in (1, 2) for s in (0, 1)]
    (block,) = blocks(records)
    assert [row.label for row in block.rows] == ["a (k=1)", "a (k=2)"]


def test_profiles_data_and_numbers_of_clusters_are_never_in_one_block(make_record):
    records = [make_record("a", 0, {"ari": 0.5}, n_clusters=k, profile=p)
               for k in (5, 10) for p in ("tiny", "quick")]  # fmt: skip
    assert len(blocks(records)) == 4


def test_versions_are_not_mixed_unless_that_is_asked_for(make_record):
    records = [make_record("a", s, {"ari": 0.5}, version=c) for s, c in enumerate((1, 2))]
    with pytest.raises(UserError, match=r"a mixes code versions.*--mixed"):
        blocks(records)
    (block,) = blocks(records, mixed=True)
    assert "mixes code versions" in block.mixed[0]


def test_a_row_of_too_few_runs_is_not_rated(make_record):
    records = [make_record("a", s, {"ari": 0.5}) for s in range(4)]
    records += [make_record("b", 0, {"ari": 0.9})]
    records += [make_record("b", s, status="failed") for s in (1, 2, 3)]
    (block,) = blocks(records)
    assert block.rated == (True, False)


def test_seconds_on_several_devices_have_letters(make_record):
    gpu = Resources(device="cuda")
    records = [make_record("a", 0, {"ari": 0.5}), make_record("b", 0, {"ari": 0.5}, resources=gpu)]
    (block,) = blocks(records)
    assert [block.ran_on(row) for row in block.rows] == ["a", "b"]
    assert block.statistics(TIME)[0].mean == 2.0


@pytest.mark.parametrize(
    ("label", "method", "preset", "title"),
    [
        ("kmeans[default]", "kmeans", "default", "K-means"),
        ("gan_em[no GAN]", "gan_em", "stable", "GAN-EM (no GAN)"),
        ("mine", "gan_em", "stable", "mine"),
        ("other[p]", "other", "p", "other (p)"),
    ],
)
def test_rows_have_names_that_can_be_printed(label, method, preset, title):
    assert row_title(label, MethodUsed(name=method, preset=preset)) == title


def test_no_two_names_have_the_same_label():
    names = ["a_b", "a-b", "数字", "数据", "a b"]
    assert len(set(slugs(names).values())) == len(names)
    assert all(slug.isascii() and slug for slug in slugs(names).values())
