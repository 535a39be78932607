from __future__ import annotations

import numpy as np
import pytest

from deep_em_bench.metrics.components import component_table, split_inception_score
from deep_em_bench.metrics.generation import Comparison, Summary, fid, score_generation
from deep_em_bench.metrics.predictions import Predictions, inception_score

SIDES = np.eye(4) * 10


def images(k: int, n: int, seed: int, *, classes: tuple[int, ...]) -> Summary:
    """Features around the corner k, sure predictions that go round ``classes``."""
    features = SIDES[k] + np.random.default_rng(seed).normal(size=(n, 4))
    return Summary(4, 4).add(features, np.eye(4)[np.resize(classes, n)])


def comparison(pairs: list[tuple[Summary, Summary]]) -> Comparison:
    sides = [Summary(4), Summary(4)]
    for pair in pairs:
        for whole, part in zip(sides, pair, strict=True):
            whole.add(part.rows)
    merged = Summary(4, 4).add(sides[1].rows, np.full((sides[1].n, 4), 0.25))
    return Comparison(extractor="lenet", real=sides[0], fake=merged, components=tuple(pairs))


def test_components_that_are_classes_and_components_that_are_mixtures() -> None:
    pure = [Predictions(4).add(np.eye(4)[[k] * 20]) for k in range(4)]
    assert split_inception_score(pure) == pytest.approx((4, 1))
    mixed = [Predictions(4).add(np.eye(4)[np.arange(20) % 4]) for _ in range(4)]
    assert split_inception_score(mixed) == pytest.approx((1, 4))
    paired = [Predictions(4).add(np.eye(4)[np.resize(pair, 20)]) for pair in ((0, 1), (2, 3))]
    assert split_inception_score(paired) == pytest.approx((2, 2))
    collapsed = [Predictions(4).add(np.eye(4)[[0] * 20]) for _ in range(4)]
    assert split_inception_score(collapsed) == pytest.approx((1, 1))


def test_the_two_factors_make_up_the_whole() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.dirichlet(rng.uniform(0.2, 2, 5), size=n) for n in (30, 7, 55)]
    between, within = split_inception_score([Predictions(5).add(p) for p in parts])
    whole = inception_score(np.concatenate(parts), splits=1)[0]
    assert between * within == pytest.approx(whole)
    assert split_inception_score(
        [*(Predictions(5).add(p) for p in parts), Predictions(5)]  # an empty one has no weight
    ) == pytest.approx((between, within))


def test_one_row_a_component() -> None:
    pairs = [
        (images(0, 300, 0, classes=(0,)), images(0, 200, 1, classes=(0,))),
        (images(1, 300, 2, classes=(1,)), images(2, 200, 3, classes=(1, 2))),
    ]
    found = comparison(pairs)
    rows = component_table(found)
    assert [row.component for row in rows] == [0, 1]
    assert [(row.n, row.n_real) for row in rows] == [(200, 300)] * 2
    assert [row.inception_score for row in rows] == pytest.approx([1, 2])
    assert rows[0].fid == pytest.approx(fid(pairs[0][0].rows, pairs[0][1].rows), rel=1e-5)
    assert rows[0].fid is not None
    assert rows[1].fid is not None
    assert rows[0].fid < 1 < 150 < rows[1].fid
    scores = score_generation(found)
    assert scores["fid_within_lenet"] == pytest.approx((rows[0].fid + rows[1].fid) / 2)
    assert scores["is_within_lenet"] == pytest.approx(2**0.5)
    assert scores["is_between_lenet"] == pytest.approx(
        inception_score(np.eye(4)[[0] * 200 + [1, 2] * 100], splits=1)[0] / 2**0.5
    )


def test_a_component_without_images_of_its_own_is_held_against_all() -> None:
    live, fake = images(0, 50, 0, classes=(0,)), images(0, 40, 1, classes=(0,))
    for n in (0, 1):
        dead = Summary(4, 4).add(live.rows[:n], np.eye(4)[[0] * n])
        found = comparison([(live, fake), (dead, images(3, 40, 2, classes=(3,)))])
        row = component_table(found)[1]
        assert row.n_real == n
        assert row.fid == pytest.approx(
            fid(found.real.rows, found.components[1][1].rows), rel=1e-5
        )


def test_a_component_that_is_never_sampled_has_no_weight() -> None:
    live = images(0, 50, 0, classes=(0,)), images(1, 40, 1, classes=(0,))
    for n in (0, 1):
        rare = Summary(4, 4).add(live[1].rows[:n], np.eye(4)[[1] * n])
        found = comparison([live, (live[0], rare)])
        rows = component_table(found)
        assert rows[1].fid is None
        assert rows[1].inception_score == (1 if n else None)
        assert score_generation(found)["fid_within_lenet"] == pytest.approx(rows[0].fid)
        with pytest.raises(ValueError, match="none of 1 components has two samples"):
            score_generation(comparison([(live[0], rare)]), ["fid_within_lenet"])


def test_components_count_by_their_samples() -> None:
    pairs = [
        (images(0, 50, 0, classes=(0,)), images(1, 30, 1, classes=(0,))),
        (images(1, 50, 2, classes=(1,)), images(1, 90, 3, classes=(1,))),
    ]
    found = comparison(pairs)
    fids = [row.fid for row in component_table(found)]
    assert fids[0] is not None
    assert fids[1] is not None
    expected = 0.25 * fids[0] + 0.75 * fids[1]
    assert score_generation(found)["fid_within_lenet"] == pytest.approx(expected)


def test_without_components_or_classes_there_are_no_such_scores() -> None:
    whole = images(0, 50, 0, classes=(0, 1))
    scores = score_generation(Comparison(extractor="lenet", real=whole, fake=whole))
    assert not any("within" in name or "between" in name for name in scores)
    plain = Summary(4).add(whole.rows)
    found = Comparison(extractor="lenet", real=plain, fake=plain, components=((plain, plain),))
    assert set(score_generation(found)) == {
        "fid_lenet",
        "fid_within_lenet",
        "kid_lenet",
        "kid_std_lenet",
    }
    assert component_table(found)[0].inception_score is None


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="2 components without a row"):
        split_inception_score([Predictions(3), Predictions(3)])
