"""First division, reseeding and the batches of augmented clusters, by hand and by counting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from deep_em_bench.methods.ganmm.clusters import ClusterBatches, _exact, equal_division, reseed
from deep_em_bench.methods.ganmm.parameters import Augment


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def drawn(batches: ClusterBatches, cluster: int, n: int = 400, size: int = 50) -> Tensor:
    """Share of each row among many draws of one cluster, ``(N,)``."""
    rows = batches.draw(n, size)
    assert rows.shape[::2] == (n, size)
    return torch.bincount(rows[:, cluster].flatten(), minlength=10) / (n * size)


@pytest.mark.parametrize(("n", "K"), [(12, 3), (10, 4), (5, 5), (7, 1)])
def test_the_first_division_is_equal_and_random(n: int, K: int) -> None:
    labels = equal_division(n, K, stream())
    counts = torch.bincount(labels, minlength=K)
    assert len(counts) == K
    assert int(counts.max() - counts.min()) <= 1
    if K > 1:
        assert (labels != torch.arange(n) % K).any()


class TestReseed:
    W = torch.tensor(
        [[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.6, 0.4, 0.0], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0]]
    )

    def test_least_confident_rows_fill_what_is_too_small(self) -> None:
        labels, filled = reseed(self.W.argmax(dim=1), self.W, 1)
        assert labels.tolist() == [0, 2, 0, 0, 1]  # row 1 is the least sure of its cluster
        assert int(filled) == 1

    def test_givers_keep_the_least(self) -> None:
        w = torch.tensor([[0.51, 0.49, 0.0], [0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0]])
        labels, filled = reseed(w.argmax(dim=1), w, 1)
        assert labels.tolist() == [0, 1, 1, 2]  # row 0 is the least sure, but alone in its own
        assert int(filled) == 1

    def test_nothing_to_do(self) -> None:
        for least in (0, 1):
            labels, filled = reseed(torch.tensor([0, 0, 1, 2]), torch.eye(3)[[0, 0, 1, 2]], least)
            assert labels.tolist() == [0, 0, 1, 2]
            assert int(filled) == 0

    def test_all_clusters_but_one_are_empty(self) -> None:
        w = torch.zeros(100, 4)
        w[:, 1] = torch.linspace(0.9, 0.3, 100)
        labels, filled = reseed(torch.ones(100, dtype=torch.long), w, 10)
        assert torch.bincount(labels).tolist() == [10, 70, 10, 10]
        assert int(filled) == 3
        assert (labels[:70] == 1).all()  # the most confident stay
        assert set(labels[70:76].tolist()) == {0, 2, 3}  # all share the whole range of doubt


class TestBatches:
    LABELS = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1, 2, 2])
    W = torch.tensor(
        [[0.6, 0.3, 0.1]] * 3 + [[0.1, 0.9, 0.0]] * 4 + [[0.4, 0.5, 0.1], *[[0, 0, 1.0]] * 2]
    )

    def make(
        self, epsilon: float, augment: Augment, labels: Tensor | None = None
    ) -> ClusterBatches:
        held = self.LABELS if labels is None else labels
        return ClusterBatches(held, self.W, epsilon, augment, stream())

    @pytest.mark.parametrize("augment", ["sampled", "top"])
    def test_without_augmentation_rows_are_uniform_in_their_own_cluster(
        self, augment: Augment
    ) -> None:
        batches = self.make(0.0, augment)
        for i, own in enumerate(([0, 1, 2], [3, 4, 5, 6, 7], [8, 9])):
            shares = drawn(batches, i)
            assert shares.nonzero().flatten().tolist() == own
            assert shares[own].tolist() == pytest.approx([1 / len(own)] * len(own), abs=0.02)

    def test_top_adds_the_rows_of_highest_posterior(self) -> None:
        batches = self.make(0.3, "top")  # one row: .3 x 10 / 3
        assert drawn(batches, 0)[[0, 1, 2, 7]].tolist() == pytest.approx([0.25] * 4, abs=0.02)
        extra = set(drawn(batches, 1).nonzero().flatten().tolist()) - {3, 4, 5, 6, 7}
        assert len(extra) == 1
        assert extra <= {0, 1, 2}
        assert drawn(self.make(0.6, "top"), 2)[[8, 9]].sum() == pytest.approx(0.5, abs=0.02)

    def test_top_cannot_add_more_than_there_are(self) -> None:
        labels = torch.tensor([0] * 9 + [1])
        batches = ClusterBatches(labels, self.W[:, :2], 1.0, "top", stream())
        assert drawn(batches, 0).tolist() == pytest.approx([0.1] * 10, abs=0.02)

    def test_sampled_adds_a_share_of_each_batch_in_proportion(self) -> None:
        batches = self.make(0.4, "sampled")
        shares = drawn(batches, 0)
        assert shares[:3].sum() == pytest.approx(0.6)  # exactly 30 of each 50
        expected = [0.4 * p / 0.8 for p in [0.1] * 4 + [0.4]]  # rows 3..7; 8 and 9 have none
        assert shares[3:8].tolist() == pytest.approx(expected, abs=0.01)
        assert not shares[8:].any()

    @pytest.mark.parametrize("augment", ["sampled", "top"])
    @pytest.mark.parametrize("epsilon", [0.0, 0.5])
    def test_a_cluster_that_lost_all_has_its_most_probable_row(
        self, augment: Augment, epsilon: float
    ) -> None:
        labels = torch.where(self.LABELS == 2, 1, self.LABELS)
        rows = drawn(self.make(epsilon, augment, labels), 2)
        assert rows[8] >= 0.19 if epsilon else rows[8] == 1
        assert rows[[8, 9]].sum() > 0.5

    @pytest.mark.parametrize("augment", ["sampled", "top"])
    def test_one_cluster_has_no_others(self, augment: Augment) -> None:
        labels, w = torch.zeros(10, dtype=torch.long), torch.ones(10, 1)
        shares = drawn(ClusterBatches(labels, w, 0.5, augment, stream()), 0)
        assert shares.tolist() == pytest.approx([0.1] * 10, abs=0.02)


def test_where_there_is_no_float64_sums_are_made_on_the_cpu() -> None:
    there: Any = SimpleNamespace(device=torch.device("mps"), cpu=lambda: torch.full((2,), 0.1))
    assert _exact(there).dtype == torch.float64
