"""Rows that stand beside a method's own to show what a part of it adds."""

from __future__ import annotations

import pytest

from deep_em_bench import datasets
from deep_em_bench.benchmarks.plan import Cell, plan
from deep_em_bench.benchmarks.suite import PROFILES, Suite, suite_files

WITHOUT = "gan_em[no GAN]"
PAIRS = [("gan_em[stable]", WITHOUT), ("gan_em[2]", "gan_em[2 no GAN]")]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("suite", sorted(suite_files()))
def test_e_has_as_many_updates_without_the_gan(suite: str, profile: str) -> None:
    rows = {cell.label: cell for cell in plan(Suite.find(suite), profile)}
    pairs = [(rows[a], rows[b]) for a, b in PAIRS if b in rows]
    if not pairs:
        pytest.skip(f"{suite} has no such row")
    for whole, without in pairs:
        assert _updates(without) == _updates(whole)
        assert without.params["n_components"] == whole.params["n_components"]


def _updates(cell: Cell) -> int:
    """Of E, at most, those on labelled data alone left out."""
    params, rows = cell.params, cell.dataset.words.get("subset")
    rows = rows or datasets.registry.get(cell.dataset.name).attributes["n"]
    epochs = params["pretrain_epochs"] * (rows // params["e_batch_size"])
    return max(epochs, params["pretrain_steps"]) + params["max_iter"] * params["e_steps"]


def test_the_row_is_where_it_should_be() -> None:
    found = {name for name, file in suite_files().items() if WITHOUT in file.read_text()}
    assert found >= {"celeba", "digits_raw", "digits_semi", "mnist_raw", "mnist_semi", "svhn_semi"}
