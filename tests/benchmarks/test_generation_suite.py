"""How samples are scored is said in the suite's table, and is part of a cell's key."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from deep_em_bench.benchmarks.options import run_parser, setting_from
from deep_em_bench.benchmarks.parameters import identity
from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.suite import Generation, Suite, suite_files
from deep_em_bench.core import ConfigError
from tests.benchmarks.samplers import PLAN, job

ROWS = """
[[methods]]
name = "steady"
"""


def test_a_suite_says_how_samples_are_scored(suite: Callable[..., Suite]) -> None:
    assert suite(ROWS).generation is None
    assert suite(ROWS + "[generation]").generation == Generation(n=5000, every=5, n_curve=1000)
    text = ROWS + "[generation]\nn = 400\nevery = 0\n[profiles.quick.generation]\nn_curve = 50\n"
    made = suite(text)
    assert made.generation == Generation(n=400, every=0, n_curve=1000)
    (cell, *_), (tiny, *_) = plan(made, "quick"), plan(made, "tiny")
    assert cell.generation == Generation(n=400, every=0, n_curve=50)
    assert tiny.generation == made.generation


def test_a_data_set_may_have_counts_of_its_own(suite: Callable[..., Suite]) -> None:
    head = """
title = "a test"
seeds = 1
[generation]
[[datasets]]
name = "moons"
generation = { every = 250, n = 300 }
[[datasets]]
name = "iris"
"""
    made = suite(ROWS + "[profiles.quick.generation]\nevery = 2\n", head=head)
    found = {c.dataset.name: c.generation for c in plan(made, "full")}
    assert found == {"moons": Generation(n=300, every=250), "iris": Generation()}
    found = {c.dataset.name: c.generation for c in plan(made, "quick")}
    assert found == {"moons": Generation(n=300, every=2), "iris": Generation(every=2)}
    with pytest.raises(ConfigError, match="a data set changes the table"):
        suite(ROWS, head=head.replace("[generation]", ""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[generation]\nn_curves = 5", "'n_curves'; did you mean 'n_curve'"),
        ("[generation]\nn = 0", "`generation.n` is 0; expected int >= 10"),
        ("[generation]\nn_curve = 9", "`generation.n_curve` is 9; expected int >= 10"),
        ("[generation]\nevery = -1", "`generation.every` is -1; expected int >= 0"),
        ("[generation]\nn = true", "`generation.n` is True; expected int"),
        ("generation = 5", "`generation` is 5; expected object"),
        (
            "[profiles.quick.generation]\nn = 50",
            "a profile changes the table [generation]",
        ),
        ("[generation]\n[profiles.quick.generation]\nm = 50", "profiles.quick.generation"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    suite: Callable[..., Suite], text: str, said: str
) -> None:
    head = 'title = "a test"\nseeds = 1\n'
    rows = '[[datasets]]\nname = "moons"\n' + ROWS
    with pytest.raises(ConfigError) as caught:
        suite(text + "\n" + rows, head=head)
    assert said in str(caught.value)


def test_keys_of_suites_without_it_are_what_they_were() -> None:
    with_table = []
    for name, path in suite_files().items():
        for cell in plan(Suite.read(path), "quick"):
            if cell.generation is not None:
                with_table.append(name)
                assert cell.key != dataclasses.replace(cell, generation=None).key
                continue
            told = {
                "dataset": {"name": cell.dataset.name, "words": dict(cell.dataset.words)},
                "method": cell.method,
                "n_clusters": cell.n_clusters,
                "params": identity(cell.method, cell.params),
                "preset": cell.preset,
                "profile": cell.profile,
                "seed": cell.seed,
            }
            text = json.dumps(told, sort_keys=True, separators=(",", ":"))
            assert cell.key == hashlib.sha256(text.encode()).hexdigest()
    assert set(with_table) == {"generation"}


@pytest.mark.usefixtures("registered")
def test_every_count_is_part_of_the_key(tmp_path: Path) -> None:
    cell = job(tmp_path).cell
    for change in ({"n": 61}, {"every": 3}, {"n_curve": 41}):
        other = structs.replace(PLAN, **change)
        assert dataclasses.replace(cell, generation=other).key != cell.key


def test_the_users_weights_reach_the_cells(tmp_path: Path) -> None:
    weights = tmp_path / "some.pth"
    weights.touch()
    said = ["--suite", "generation", "--inception-weights", str(weights)]
    setting = setting_from(run_parser().parse_args(said), "generation", tmp_path)
    assert setting.inception_weights == weights
    setting = setting_from(run_parser().parse_args(said[:2]), "generation", tmp_path)
    assert setting.inception_weights is None
