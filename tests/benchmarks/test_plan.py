"""A suite becomes cells: the right ones, with the right parameters, under stable keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.benchmarks.plan import (
    Cell,
    DatasetSpec,
    Override,
    Selection,
    parse_override,
    parse_seeds,
    parse_shard,
    plan,
)
from deep_em_bench.benchmarks.suite import DatasetRow, MethodRow, Suite, suite_files
from deep_em_bench.core import ConfigError

MakeSuite = Callable[..., Suite]

ROWS = """
[[methods]]
name = "steady"
[[methods]]
name = "steady"
label = "fewer steps"
params = { steps = 1 }
[[methods]]
name = "twin"
preset = "other"
n_clusters = [2, 5]
[profiles.quick]
datasets.moons = { noise = 0.1 }
methods.steady = { rate = 2, steps = 9, mode = "slow" }
methods."steady[stable]" = { rate = 3 }
[profiles.tiny]
seeds = [7]
drop = ["twin[other]"]
methods.steady = { rate = 2, steps = 9 }
methods."fewer steps" = { steps = 4 }
"""

GOLDEN = Cell(
    dataset=DatasetSpec(name="digits", words={"subset": 0.1}),
    n_clusters=10,
    method="gmm",
    preset="full",
    label="gmm[full]",
    params={"reg_covar": 1e-3, "n_pca": None, "sizes": (1, 2)},
    seed=3,
    profile="quick",
)


def test_the_key_is_what_it_was() -> None:
    # A change here orphans every record that anybody has: raise it with them first.
    assert GOLDEN.key == ("bd1e59c1fa185dff91aaab236c53909b4f17516e9bc0d874adbc1f5d80b2289b")


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": DatasetSpec(name="digits", words={"subset": 0.2})},
        {"dataset": DatasetSpec(name="moons", words={"subset": 0.1})},
        {"n_clusters": None},
        {"method": "kmeans"},
        {"preset": "pca_full"},
        {"params": {"reg_covar": 1e-3, "n_pca": 0, "sizes": (1, 2)}},
        {"seed": 4},
        {"profile": "tiny"},
    ],
)
def test_the_key_tells_everything_but_the_label_apart(change: dict[str, Any]) -> None:
    assert dataclasses.replace(GOLDEN, **change).key != GOLDEN.key
    assert dataclasses.replace(GOLDEN, label="another").key == GOLDEN.key


def test_a_parameter_that_came_later_is_in_the_key_where_it_changes_something() -> None:
    before = dataclasses.replace(GOLDEN, method="ganmm", params={"e_lr": 0.1})
    for value, same in ((None, True), (50, False)):
        now = dataclasses.replace(before, params={"e_lr": 0.1, "e_components": value})
        assert (now.key == before.key) == same
    other = dataclasses.replace(GOLDEN, params={**GOLDEN.params, "e_components": None})
    assert other.key != GOLDEN.key  # of another method it is another parameter


def test_the_key_does_not_see_the_order_of_parameters() -> None:
    turned = dict(reversed(list(GOLDEN.params.items())))
    assert dataclasses.replace(GOLDEN, params=turned).key == GOLDEN.key


def params_of(cells: tuple[Cell, ...], label: str) -> dict[str, Any]:
    return dict(next(cell.params for cell in cells if cell.label == label))


def test_each_layer_of_parameters_goes_over_the_one_below(suite: MakeSuite) -> None:
    made = suite(ROWS)
    paper = params_of(plan(made, "full"), "steady[stable]")
    assert (paper["rate"], paper["steps"], paper["mode"]) == (0.5, 3, "fast")  # preset, default
    quick = plan(made, "quick")
    by_label = params_of(quick, "steady[stable]")
    assert (by_label["rate"], by_label["steps"], by_label["mode"]) == (3.0, 9, "slow")
    own = params_of(quick, "fewer steps")
    assert (own["rate"], own["steps"], own["mode"]) == (2.0, 1, "slow")
    tiny = params_of(plan(made, "tiny"), "fewer steps")
    assert (tiny["rate"], tiny["steps"]) == (2.0, 4)  # by label, over the row's own
    aimed = Selection(overrides=(Override(target="steady", param="steps", value=2),))
    over = plan(made, "quick", aimed)
    assert {c.params["steps"] for c in over if c.method == "steady"} == {2}
    assert {c.params["steps"] for c in over if c.method == "twin"} == {3}


def test_an_override_makes_another_row(suite: MakeSuite) -> None:
    only_one = Override(target="fewer steps", param="steps", value=2)
    labels = {c.label for c in plan(suite(ROWS), "quick", Selection(overrides=(only_one,)))}
    assert labels == {"steady[stable]", "fewer steps steps=2", "twin[other]"}
    idle = Override(target="fewer steps", param="steps", value=1)
    assert "fewer steps" in {
        c.label for c in plan(suite(ROWS), "quick", Selection(overrides=(idle,)))
    }


def test_profiles_change_seeds_words_and_rows(suite: MakeSuite) -> None:
    made = suite(ROWS)
    tiny = plan(made, "tiny")
    assert {cell.seed for cell in tiny} == {7}
    assert {cell.label for cell in tiny} == {"steady[stable]", "fewer steps"}
    quick = plan(made, "quick")
    assert {cell.seed for cell in quick} == {0, 1}
    assert {tuple(cell.dataset.words.items()) for cell in quick} == {
        (("noise", 0.1), ("n_samples", 40))
    }
    assert dict(tiny[0].dataset.words) == {"n_samples": 40}


def test_a_profile_may_run_some_of_the_data_alone(suite: MakeSuite) -> None:
    head = 'title = "a"\nseeds = 1\ndatasets = [\n'
    head += "".join(
        f'{{ name = "moons", words = {{ n_samples = {n} }} }},\n' for n in (10, 20, 30)
    )
    row = ']\n[[methods]]\nname = "steady"\n'
    for only, expected in (("[10, 30]", {10, 30}), ("20", {20})):
        text = f"{row}[profiles.quick]\nonly.moons = {{ n_samples = {only} }}\n"
        cells = plan(suite(text, head=head))
        assert {cell.dataset.words["n_samples"] for cell in cells} == expected
        assert len(plan(suite(text, head=head), "full")) == 3
    with pytest.raises(ConfigError, match=r"profiles\.quick\.only: unknown data set 'moon'"):
        plan(suite(f"{row}[profiles.quick]\nonly.moon = {{ noise = 1 }}\n", head=head))


def test_k_comes_from_the_row_then_the_data_set_then_the_classes(suite: MakeSuite) -> None:
    cells = plan(suite(ROWS))
    assert {(cell.label, cell.n_clusters) for cell in cells} == {
        ("steady[stable]", None),
        ("fewer steps", None),
        ("twin[other]", 2),
        ("twin[other]", 5),
    }


@pytest.mark.parametrize(
    ("patterns", "labels"),
    [
        (("steady",), {"steady[stable]", "fewer steps"}),
        (("steady[stable]",), {"steady[stable]"}),
        (("*[o*",), {"twin[other]"}),
        (("tw*", "few*"), {"twin[other]", "fewer steps"}),
    ],
)
def test_globs_choose_rows(suite: MakeSuite, patterns: tuple[str, ...], labels: set[str]) -> None:
    cells = plan(suite(ROWS), "quick", Selection(methods=patterns))
    assert {cell.label for cell in cells} == labels


def test_seeds_of_the_command_replace_the_suites(suite: MakeSuite) -> None:
    cells = plan(suite(ROWS), "tiny", Selection(seeds=(4, 2)))
    assert [cell.seed for cell in cells] == [4, 4, 2, 2]


@pytest.mark.parametrize(
    ("text", "selection", "said"),
    [
        ("", Selection(methods=("steddy*",)), "unknown row 'steddy*'"),
        ("", Selection(datasets=("mons",)), "unknown data set 'mons'; did you mean 'moons'?"),
        (
            "",
            Selection(overrides=(Override(target="stedy", param="rate", value=1),)),
            "--set: unknown row 'stedy'; did you mean 'steady'?",
        ),
        (
            "",
            Selection(overrides=(Override(target="twin", param="rat", value=1),)),
            "row 'twin[other]': unknown parameter of twin 'rat'; did you mean 'rate'?",
        ),
        (
            "",
            Selection(
                methods=("steady",), overrides=(Override(target="twin", param="rate", value=1),)
            ),
            "--set twin.rate changes no row that is run; leave it out, or have twin run",
        ),
        (
            '[profiles.quick]\ndrop = ["steady[stable]", "twin[other]"]',
            None,
            "of what is asked for, profile quick runs nothing; see what its `drop` and `only`",
        ),
        (
            "[profiles.quick]\nmethods.stedy = { rate = 1 }",
            None,
            "quick.methods: unknown row 'stedy'",
        ),
        ('[profiles.quick]\ndrop = ["steady"]', None, "profiles.quick.drop: unknown row 'steady'"),
        (
            "[profiles.quick]\ndatasets.blobs = { subset = 1 }",
            None,
            "datasets: unknown data set 'blobs'",
        ),
        ('[[methods]]\nname = "steady"', None, "two rows are labelled 'steady[stable]'"),
        ('[[methods]]\nname = "steady"\nlabel = "b"', None, "are the same run on moons"),
        ('[[methods]]\nname = "steddy"', None, "unknown method 'steddy'"),
        (
            '[[datasets]]\nname = "mons"',
            None,
            "trial.toml: unknown data set 'mons'; did you mean 'moons'?",
        ),
        (
            '[[datasets]]\nname = "moons"\nwords = { seed = 1 }',
            None,
            "trial.toml: unknown word of data set moons 'seed'",
        ),
        (
            "[profiles.quick]\ndatasets.moons = { noize = 1 }",
            None,
            "trial.toml: unknown word of data set moons 'noize'; did you mean 'noise'?",
        ),
        ('[[methods]]\nname = "steady"\npreset = "othe"', None, "unknown preset of steady 'othe'"),
    ],
)
def test_names_of_nothing_are_refused(
    suite: MakeSuite, text: str, selection: Selection | None, said: str
) -> None:
    rows = '[[methods]]\nname = "steady"\n[[methods]]\nname = "twin"\npreset = "other"\n'
    with pytest.raises(ConfigError) as caught:
        plan(suite(rows + text), "quick", selection)
    assert said in str(caught.value)


@settings(max_examples=12, deadline=None)
@given(parts=st.integers(1, 12))
def test_shards_are_disjoint_and_complete(parts: int) -> None:
    made = Suite(
        name="made",
        path=Path("made.toml"),
        title="made",
        reproduces="-",
        seeds=tuple(range(5)),
        datasets=(DatasetRow(name="moons"),),
        methods=(MethodRow(name="steady"), MethodRow(name="twin")),
        profiles={},
    )
    whole = plan(made)
    shards = [plan(made, "quick", Selection(shard=(i, parts))) for i in range(1, parts + 1)]
    keys = [cell.key for shard in shards for cell in shard]
    assert sorted(keys) == sorted(cell.key for cell in whole)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("gan_em.max_iter=30", Override(target="gan_em", param="max_iter", value=30)),
        (
            "gan_em[official].lr = 1e-3",
            Override(target="gan_em[official]", param="lr", value=1e-3),
        ),
        ("a.sizes=[1, 2]", Override(target="a", param="sizes", value=(1, 2))),
        ("a.compile_it=true", Override(target="a", param="compile_it", value=True)),
        ('a.net="m.l=p"', Override(target="a", param="net", value="m.l=p")),
        ("a.net=mlp", Override(target="a", param="net", value="mlp")),
        ("no. of GANs.net=mlp", Override(target="no. of GANs", param="net", value="mlp")),
    ],
)
def test_overrides_have_toml_values(text: str, held: Override) -> None:
    assert parse_override(text) == held


@pytest.mark.parametrize(
    "text",
    ["", "a", "a=1", "a.b", "a.b=", ".b=1", "a.b=1 2", "a.b={c=1}", "a.b=nan", "a.b=1\nc=2"],
)
def test_overrides_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_override(text)


@pytest.mark.parametrize("value", ["[" * 3000, "[" * 3000 + "]" * 3000, "1" * 5000])
def test_an_override_beyond_all_measure_is_one_short_line(value: str) -> None:
    with pytest.raises(ConfigError, match=r"for a\.b is no TOML value") as caught:
        parse_override(f"a.b={value}")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-2", (0, 1, 2)), ("1,3,5", (1, 3, 5)), ("4-5, 0,4", (4, 5, 0))]
)
def test_seeds_are_parsed(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "3-1", "0-99999999", "1,,2", "1.5"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write 0-9 or 1,3,5"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "-1/2", "a/b"])
def test_shards_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="1 <= i <= n"):
        parse_shard(text)


@pytest.mark.parametrize("name", sorted(suite_files()))
@pytest.mark.parametrize("profile", ["tiny", "quick", "full"])
def test_the_suites_that_come_with_the_package_have_cells(name: str, profile: str) -> None:
    cells = plan(Suite.find(name), profile)
    assert len({cell.key for cell in cells}) == len(cells) > 0
    told = all(cell.dataset.words.get("labelled") for cell in cells)
    simplest = "logistic_regression[default]" if told else "kmeans[default]"
    assert simplest in {cell.label for cell in cells}
