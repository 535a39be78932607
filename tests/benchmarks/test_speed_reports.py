"""The reports of a suite are made and timed; how long they take is not asked here."""

from __future__ import annotations

from deep_em_bench.benchmarks.speed.reports import rendered, reports


def test_all_records_are_reported() -> None:
    measured = reports(rounds=1, n_datasets=1, n_methods=2, n_seeds=2)
    assert measured.n_records == 4
    assert measured.seconds > 0
    said = f"4 records reported in all formats: {measured.seconds:.1f} s (target for 10,000: 20 s)"
    assert rendered(measured) == said
