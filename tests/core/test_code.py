"""The code digest sees what can change a result, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deep_em_bench import methods
from deep_em_bench.core import code
from deep_em_bench.core.code import code_digest, source_of

MODULE = '''"""A docstring."""
from deep_em_bench.core import derive_seed
from deep_em_bench.methods.gmm import Gmm
import numpy

PRESETS = {"default": Preset(source="a paper", params={"rate": 2}, deviations=("one",))}


class A(Gmm):
    """Another docstring."""

    rate: float = 0.5
    """A third."""

    def fit(self):
        return derive_seed(1, "a")  # a comment
'''


@pytest.fixture
def digest_of(tmp_path: Path) -> Callable[[str], str]:
    def digest(text: str) -> str:
        path = tmp_path / f"module_{abs(hash(text))}.py"
        path.write_text(text, encoding="utf-8")
        return code_digest(path)

    return digest


def test_records_of_earlier_versions_keep_their_digest(
    digest_of: Callable[[str], str],
) -> None:
    """Of a module that imports nothing of the project, so that only the digest itself counts."""
    text = MODULE.replace("from deep_em_bench.core import derive_seed\n", "").replace(
        "from deep_em_bench.methods.gmm import Gmm\n", ""
    )
    assert digest_of(text) == "fdde231d255d2e3e70a2ad1906c9e8aea5d5ff9e20eb2c3c87335d9be2a5a66a"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A docstring.", "Changed."),
        ("Another docstring.", "Changed."),
        ("A third.", "Changed."),
        ("  # a comment", ""),
        ("a paper", "another"),
        ('("one",)', '("one", "two")'),
        ("(1, ", "( 1,\n"),
    ],
)
def test_documentation_and_layout_do_not_count(
    digest_of: Callable[[str], str], old: str, new: str
) -> None:
    assert old in MODULE
    assert digest_of(MODULE.replace(old, new)) == digest_of(MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.25"),
        ('"rate": 2', '"rate": 3'),
        ('"a"', '"b"'),
        ("(1, ", "(True, "),
        ("(1, ", "(1.0, "),
        ("class A", "class B"),
        ("import numpy\n", ""),
        ("from deep_em_bench.methods.gmm import Gmm", "from methods.kmeans import KMeans as Gmm"),
    ],
)
def test_code_counts(digest_of: Callable[[str], str], old: str, new: str) -> None:
    assert old in MODULE
    assert digest_of(MODULE.replace(old, new)) != digest_of(MODULE)


def test_neutral_modules_are_there_and_seeds_are_not_among_them() -> None:
    for module in code.NEUTRAL:
        assert importlib.util.find_spec(module) is not None
    kind = methods.registry.get("gan_em").value
    assert "deep_em_bench.core.seeds" in code._closure(source_of(kind))


def test_methods_have_digests_of_their_own() -> None:
    kinds = [methods.registry.get(name).value for name in ("kmeans", "gmm", "gan_em", "dec")]
    digests = {code_digest(source_of(kind)) for kind in kinds}
    assert len(digests) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
