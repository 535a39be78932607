"""Both ways to the Fréchet distance give one number; how fast is not asked here."""

from __future__ import annotations

from deep_em_bench.benchmarks.speed.fid import fid, rendered


def test_both_ways_agree_with_more_and_with_fewer_images_than_features() -> None:
    rows = fid(d=40, sizes=(90, 20), rounds=2)
    assert [(row.n, row.d) for row in rows] == [(90, 40), (20, 40)]
    for row in rows:
        assert row.difference < 1e-6
        assert row.ratio > 0
        assert row.seconds > 0
        assert row.reference_seconds > 0
    lines = rendered(rows).splitlines()
    assert len(lines) == 3
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[1].split()[:2] == ["90", "40"]
