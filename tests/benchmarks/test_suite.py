"""A suite file is read whole or refused with file, key and what was expected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deep_em_bench.benchmarks.suite import Suite, suite_files
from deep_em_bench.core import ConfigError

VALID = """
title = "A title"
reproduces = "Table 1"
seeds = 3
[[datasets]]
name = "moons"
n_clusters = [2, 3]
[[methods]]
name = "gan_em"
preset = "stable"
label = "no GAN"
params = { sizes = [1, 2], rate = 0.5 }
n_clusters = 4
[profiles.quick]
seeds = [5, 7]
datasets.moons = { subset = 10 }
methods."no GAN" = { rate = 1 }
drop = ["no GAN"]
"""


def read(tmp_path: Path, text: str | bytes) -> Suite:
    path = tmp_path / "trial.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Suite.read(path)


def test_every_key_is_read(tmp_path: Path) -> None:
    suite = read(tmp_path, VALID)
    assert (suite.name, suite.title, suite.reproduces) == ("trial", "A title", "Table 1")
    assert suite.seeds == (0, 1, 2)
    (dataset,), (method,) = suite.datasets, suite.methods
    assert (dataset.name, dataset.n_clusters, dataset.words) == ("moons", (2, 3), {})
    assert (method.name, method.preset, method.label) == ("gan_em", "stable", "no GAN")
    assert method.params == {"sizes": (1, 2), "rate": 0.5}
    assert method.n_clusters == (4,)
    quick = suite.profiles["quick"]
    assert quick.seeds == (5, 7)
    assert quick.datasets == {"moons": {"subset": 10}}
    assert quick.methods == {"no GAN": {"rate": 1}}
    assert quick.drop == ("no GAN",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "A title"', "", "key 'title' is missing"),
        ('title = "A title"', "title = 3", "`title` is 3; expected str"),
        ('title = "A title"', 'title = "a\\nb"', "expected a string of one line"),
        ('title = "A title"', 'title = "\\u001b[31m"', "expected a string of one line"),
        ("seeds = 3", "sedes = 3", "unknown key 'sedes'; did you mean 'seeds'?"),
        ("seeds = 3", "seeds = 0", "`seeds` is 0; expected int >= 1"),
        ("seeds = 3", "seeds = 99999999999", "seeds is 99999999999; expected at most 10000"),
        ("seeds = 3", f"seeds = 0x{'f' * 9999}", "`seeds` is a huge int; expected"),
        ("seeds = 3", "seeds = true", "`seeds` is True; expected"),
        ("seeds = 3", "seeds = [1, -1]", "`seeds[1]` is -1; expected int >= 0"),
        ("seeds = 3", "seeds = [1, 1]", "expected each seed once"),
        ("seeds = 3", "seeds = []", "`seeds` is []; expected array of length >= 1"),
        ("n_clusters = [2, 3]", "n_clusters = 0", "`datasets[0].n_clusters` is 0; expected int"),
        ("n_clusters = [2, 3]", "k = 2", "datasets[0]: unknown key 'k'"),
        ('preset = "stable"', "presets = 1", "unknown key 'presets'; did you mean 'preset'?"),
        ('"no GAN"', '"no, GAN"', "methods[0]: label is 'no, GAN'; expected one without a comma"),
        ("rate = 0.5", "rate = nan", "params.rate is nan; expected a finite number"),
        ("rate = 0.5", "rate = -inf", "expected a finite number"),
        ("rate = 0.5", f"rate = {10**30}", "expected a finite number of 64 bits"),
        ("rate = 0.5", "rate = 1979-05-27", "params.rate is datetime.date(1979, 5, 27); expected"),
        ("rate = 0.5", "rate = { a = 1 }", "params.rate is {'a': 1}; expected a finite number"),
        ("[[methods]]", "[methods]", "`methods` is {"),
        ("[profiles.quick]", "[profiles.quik]", "profiles: unknown key 'quik'; did you mean"),
        ("[profiles.quick]", "[profile.quick]", "key 'profile'; did you mean 'profiles'?"),
        ("drop =", "dorp =", "profiles.quick: unknown key 'dorp'; did you mean 'drop'?"),
        ('["no GAN"]', '"no GAN"', "`profiles.quick.drop` is 'no GAN'; expected array"),
        ("{ subset = 10 }", "10", "profiles.quick.datasets[...]`: expected object"),
        ('name = "moons"', "name = [", "is not TOML"),
        ('name = "moons"', 'name = "moons"\nname = "blobs"', "is not TOML"),
    ],
)
def test_hostile_text_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in VALID
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, VALID.replace(old, new, 1))
    message = str(caught.value)
    assert said in message
    assert "trial.toml" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"title = '" + b"x" * 10, b"a = " + b"[" * 100_000, b""]
)
def test_bytes_that_are_no_suite_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"trial\.toml"):
        read(tmp_path, content)


@pytest.mark.parametrize("name", ["...toml", "..toml", ".toml", "a\x1b[31m.toml"])
def test_names_that_no_folder_of_records_should_have_are_refused(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(VALID, encoding="utf-8")
    with pytest.raises(ConfigError, match="a printable name that begins with no dot"):
        Suite.find(str(tmp_path / name))


def test_a_byte_order_mark_and_other_line_ends_are_read(tmp_path: Path) -> None:
    text = VALID.replace("\n", "\r\n").encode("utf-8-sig")
    assert read(tmp_path, text) == read(tmp_path, VALID)


def test_a_pipe_is_no_suite(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ConfigError, match="not a regular file"):
        Suite.find(str(tmp_path / "pipe.toml"))


def test_missing_files_and_unknown_names_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read .*give the path"):
        Suite.find(str(tmp_path / "nowhere.toml"))
    with pytest.raises(ConfigError, match="unknown suite 'mnist_rwa'; did you mean 'mnist_raw'"):
        Suite.find("mnist_rwa")


@pytest.mark.parametrize("name", ["digits_raw", "mnist_raw", "mnist_k", "tiny"])
def test_the_suites_that_come_with_the_package_are_read(name: str) -> None:
    assert name in suite_files()
    assert Suite.find(name).name == name


def test_the_suite_of_several_k_has_them() -> None:
    assert Suite.find("mnist_k").datasets[0].n_clusters == (10, 20, 30)
