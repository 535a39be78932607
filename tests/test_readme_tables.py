"""The figures of README.md and docs/measured.md follow from the records, to the printed digit.

What does not is named with the printed and the recomputed figure, and the whole line is written
out as it has to stand there: a table after new measurements is pasted from what pytest says.
"""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import replace
from statistics import fmean

import pytest

from deep_em_bench.benchmarks.options import run_parser
from deep_em_bench.benchmarks.suite import Suite, suite_files
from deep_em_bench.reports.attributes import by_attribute
from deep_em_bench.reports.statistics_rows import ranked
from deep_em_bench.reports.summary import summarise
from deep_em_bench.reports.text import number
from tests.readme import (
    BUDGET,
    PRINTED,
    TABLES,
    Column,
    differences,
    heading,
    label_of,
    measured,
    printed_tables,
    records,
    rows,
    score,
    seeds_of,
)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_follows_from_the_records(name: str) -> None:
    if found := list(differences(TABLES[name])):
        pytest.fail("\n".join([f"the table of {name}:", *found]), pytrace=False)


def test_every_table_and_every_record_is_compared() -> None:
    assert [head for head, *_ in printed_tables()] == list(map(heading, TABLES.values()))
    every = list(itertools.chain(*TABLES.values()))
    told = [
        (r.suite, r.profile, r.dataset.title, any(c.holds(r) for c in every)) for r in records()
    ]
    left = {(suite, profile, title) for suite, profile, title, shown in told if not shown}
    assert not left, f"no table shows these; add a column: {sorted(left)}"


def test_budgets_in_the_names_of_rows_are_those_of_the_records() -> None:
    for table in TABLES.values():
        for name, *_ in rows(table):
            if said := BUDGET.search(name):
                held = itertools.chain(*(measured(c, label_of(name)).values() for c in table))
                for params in (record.method.params for record in itertools.chain(*held)):
                    passes = params["epochs"] if said[2] == "passes" else 1
                    assert params["max_iter"] * passes == int(said[1]), name


def test_the_commands_above_the_tables_are_those_of_the_records() -> None:
    told = {}
    for command in re.findall(r"`python -m benchmarks\.run (--suite \w[^`]*)`", PRINTED):
        chosen = run_parser().parse_args(shlex.split(command))
        suite = Suite.find(chosen.suite)
        seeds = chosen.seeds or suite.profiles[chosen.profile].seeds or suite.seeds
        told[suite.name, chosen.profile] = set(seeds)
    held: dict[tuple[str, str], set[int]] = {}
    for record in records():
        held.setdefault((record.suite, record.profile), set()).add(record.seed)
    assert told == held


def test_what_is_said_beside_the_tables() -> None:
    """A sentence each, with its figures recomputed."""
    text = " ".join(PRINTED.split())
    due = (nets(), order(), ablation(), ablation_of_ganmm(), ranks(), chance(), unmeasured())
    if missing := [sentence for sentence in due if sentence not in text]:
        pytest.fail("\n".join(["neither page says:", *missing]), pytrace=False)


def nets() -> str:
    """How good the nets are that score samples."""
    accuracy = {r.dataset.name: e["accuracy"] for r in records() for e in r.extractors}
    of = {name: number(accuracy[name], "purity") for name in accuracy}
    return (
        f"a LeNet (MNIST, of {of['mnist']} accuracy; Fashion-MNIST, {of['fashion_mnist']}) or "
        f"SqueezeNet (flowers, {of['flowers102']})"
    )


def order() -> str:
    """The nets alike, by the mean FID of their samples on MNIST."""
    fid = TABLES["samples"][0]
    names = {
        "shared": "responsibility_gan[shared]",
        "separate": "responsibility_gan[separate]",
        "vanilla": "vanilla_gan[default]",
        "static": "gm_gan[static]",
        "dynamic": "gm_gan[dynamic]",
    }
    ordered = sorted(names, key=lambda name: fmean(seeds_of(fid, names[name])))
    return f"By FID the order on MNIST is {', '.join(ordered)}."


def paired(one: str, other: str, column: Column) -> list[float]:
    """Differences of two rows' scores, by data set and seed."""
    held = {
        (r.dataset.title, r.seed, r.label): score(r, column, r.label)
        for r in records()
        if column.holds(r)
    }
    pairs = sorted({key[:2] for key in held if key[2] == one})
    return [held[*pair, one] - held[*pair, other] for pair in pairs]


def ablation() -> str:
    """In how many runs the E-net without the GAN has a lower error than with it."""

    def won(*columns: Column) -> str:
        found = [
            d for column in columns for d in paired("gan_em[no GAN]", "gan_em[stable]", column)
        ]
        return f"{sum(difference < 0 for difference in found)} of {len(found)}"

    semi_digits, *semi_mnist = TABLES["a few labels"][:3]
    purity, _, _, *semi_full = TABLES["full scale"][:5]
    full = won(replace(purity, score="test/error_rate"), *semi_full)
    return (
        f"On MNIST it has the lower error in {won(TABLES['MNIST'][0], *semi_mnist)} paired runs, "
        f"without and with labels, at full scale in {full}; on digits in "
        f"{won(TABLES['digits'][0], semi_digits)}."
    )


def ablation_of_ganmm() -> str:
    said = []
    for purity in (*TABLES["UCI"][::3], TABLES["MNIST"][1]):
        found = paired("ganmm[stable]", "ganmm[no GAN]", purity)
        mean = fmean(found)
        sign = "+" if mean > 0 else ""
        said += [f"{sum(d > 0 for d in found)} of {len(found)}", sign + number(mean, "purity")]
    return (
        "GANMM has a higher purity than its classifier without GANs in {} on Segmentation, {} in "
        "the mean, in {} on Characters, {}, and in {} on MNIST, {}.".format(*said)
    )


def ranks() -> str:
    """What the figure of ranks shows, by error."""
    (block,) = summarise(record for record in records() if record.suite == "digits_raw")
    ranking = ranked(block, "train", "error_rate")
    assert ranking is not None
    pairs = list(itertools.combinations(ranking.letters.values(), 2))
    apart = sum(not set(one) & set(other) for one, other in pairs)
    return (
        f"by error the first {ranking.groups[0][1] + 1} of {len(ranking.labels)} stand under one, "
        f"and {apart} of {len(pairs)} pairs are told apart, with {ranking.n} seeds."
    )


def chance() -> str:
    """The error of coin flips on faces."""
    sheets, _ = by_attribute(summarise(r for r in records() if r.suite == "celeba"))
    errors = (f"{100 * (sheet.chance(sheet.blocks) or 0):.1f}" for sheet in sheets)
    with_labels, without = sorted(errors, reverse=True)
    return (
        f"With labels chance is {with_labels}; without, the error is that of the better of the "
        f"two ways to name the clusters, and chance is {without}."
    )


def unmeasured() -> str:
    left = sorted(set(suite_files()) - {record.suite for record in records()} - {"tiny"})
    return f"No records yet: {', '.join(f'`{name}`' for name in left)}"
