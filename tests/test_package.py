"""The wheel, installed into a fresh environment, works in any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]

SUITE = """
title = "a trial"
seeds = 1
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[methods]]
name = "kmeans"
"""

PLUGIN = """
import net

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.kmeans import KMeans


@register("mine", presets={"stable": Preset(source="a test")})
class Mine(KMeans):
    def fit(self, X, y=None):
        import net  # found in the cell's process, too

        assert net.HERE
        return super().fit(X)
"""


class Installed:
    """An environment with the wheel and, below it, the packages that the tests run with."""

    def __init__(self, folder: Path) -> None:
        sources = folder / "sources"  # a copy: building leaves files beside its sources
        for name in FOLDERS.values():
            ignored = shutil.ignore_patterns("__pycache__", "runs", "reference", "out")
            shutil.copytree(ROOT / name, sources / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, sources)
        pip = [sys.executable, "-m", "pip", "--quiet"]
        offline = ["--no-deps", "--no-index"]
        subprocess.run(
            [*pip, "wheel", *offline, "--no-build-isolation", "-w", folder, sources], check=True
        )
        (self.wheel,) = folder.glob("*.whl")
        home = folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
        self.python = home / "bin" / "python"
        subprocess.run(
            [*pip, "--python", self.python, "install", *offline, self.wheel], check=True
        )
        (self.site,) = home.glob("lib/python*/site-packages")
        # Only the folder itself: its own .pth files, the editable install's among them, are not
        # read from there.
        dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (self.site / "dependencies.pth").write_text("\n".join(dependencies), encoding="utf-8")
        self.command = home / "bin" / "deep-em-bench"

    def run(self, *arguments: str | Path, folder: Path, status: int = 0) -> str:
        """What the command prints in that folder, standard error first."""
        return self._run([self.command, *arguments], folder, status)

    def evaluate(self, code: str, folder: Path) -> str:
        """What Python code prints."""
        return self._run([self.python, "-c", code], folder, 0)

    def _run(self, command: list[str | Path], folder: Path, status: int) -> str:
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr + done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own."""
    return Installed(tmp_path_factory.mktemp("wheel"))


def test_every_folder_with_modules_is_a_listed_package() -> None:
    packages = set()
    for package, name in FOLDERS.items():
        for path in (ROOT / name).rglob("*.py"):
            packages.add(".".join([package, *path.relative_to(ROOT / name).parts[:-1]]))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


def test_the_wheel_holds_every_file_of_the_package(installed: Installed) -> None:
    package = installed.site / "deep_em_bench"
    for name in FOLDERS.values():
        home = package if name == "package" else package / name
        for path in (ROOT / name).rglob("*"):
            kind = path.suffix in (".py", ".toml", ".typed", ".jinja", ".css", ".js")
            if kind and not {"runs", "reference", "out"} & set(path.relative_to(ROOT).parts):
                assert (home / path.relative_to(ROOT / name)).is_file(), path


def test_a_suite_runs_in_an_empty_folder_twice(installed: Installed, tmp_path: Path) -> None:
    code = "import deep_em_bench; print(deep_em_bench.__file__)"
    assert str(installed.site) in installed.evaluate(code, tmp_path)
    (tmp_path / "trial.toml").write_text(SUITE, encoding="utf-8")
    run = ("run", "--suite", "trial.toml", "--threads", "1")
    assert "1 ok; 0 finished before" in installed.run(*run, folder=tmp_path)
    assert (tmp_path / "results" / "runs" / "trial").is_dir()
    assert "nothing to do; 1 finished before" in installed.run(*run, folder=tmp_path)
    assert "1 same" in installed.run("rescore", "--suite", "trial", folder=tmp_path)
    report = ("report", "--suite", "trial", "--format", "console", "page")
    assert "K-means" in installed.run(*report, folder=tmp_path)
    assert "<html" in (tmp_path / "reports/out/trial/index.html").read_text(encoding="utf-8")


def test_a_users_own_modules_are_left_to_the_user(installed: Installed, tmp_path: Path) -> None:
    """Names that this project's folders have, too, and a package of everybody's."""
    (installed.site / "datasets").mkdir(exist_ok=True)
    (installed.site / "datasets" / "__init__.py").write_text("HUGGING_FACE = True")
    for name in ("metrics.py", "core.py", "benchmarks.py", "datasets/__init__.py", "net.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("HERE = True", encoding="utf-8")
    (tmp_path / "trial.toml").write_text(SUITE + '[[methods]]\nname = "mine"\n', encoding="utf-8")
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    run = ("run", "--suite", "trial.toml", "--plugin", "plugin.py", "--jobs", "2")
    assert "2 ok; 0 finished before" in installed.run(*run, folder=tmp_path)
    code = "import datasets; print(datasets.__file__)"
    assert str(tmp_path) in installed.evaluate(code, tmp_path)
    assert str(installed.site) in installed.evaluate(code, installed.site.parent)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["run", "report", "check", "rescore", "speed", "prepare", "list"]),
        (["list"], ["suites", "digits_raw", "methods", "gan_em", "datasets", "metrics"]),
        (["run", "--help"], ["usage: deep-em-bench run", "--suite"]),
        (["check", "--help"], ["usage: deep-em-bench check", "--update-baseline"]),
        (["speed", "--help"], ["usage: deep-em-bench speed", "gan_em"]),
        (["prepare", "--help"], ["usage: deep-em-bench prepare", "flowers102"]),
        (["report", "--help"], ["usage: deep-em-bench report", "--suite"]),
    ],
)
def test_every_command_is_there(
    installed: Installed, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    text = installed.run(*arguments, folder=tmp_path, status=0 if arguments else 2)
    assert all(word in text for word in words), text
