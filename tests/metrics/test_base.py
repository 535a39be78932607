import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deep_em_bench import metrics
from deep_em_bench.core import ConfigError
from deep_em_bench.metrics.base import registry

PLUGIN = """
from deep_em_bench.metrics.base import register

@register("largest_share", direction="none", bounds=(0.0, 1.0), source="a test")
def largest_share(table):
    return table.clusters.max() / table.total

@register("sharpness", direction="higher", bounds=(0.0, None), source="a test", kind="generation")
def sharpness(samples):
    raise AssertionError("clustering scores must not compute this")
"""


@pytest.fixture
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def test_every_metric_says_what_it_is():
    for name in metrics.names():
        metric = metrics.info(name)
        low, high = metric.bounds
        assert metric.name == name
        assert metric.source
        assert low is None or high is None or low < high


def test_directions():
    directions = {name: metrics.info(name).direction for name in metrics.names("clustering")}
    assert directions == {
        "accuracy": "higher",
        "error_rate": "lower",
        "error_rate_majority": "lower",
        "error_rate_class_mode": "lower",
        "purity": "higher",
        "ari": "higher",
        "rand_index": "higher",
        "nmi": "higher",
        "nmi_arithmetic": "higher",
        "active_clusters": "none",
        "min_cluster_share": "none",
    }


def test_an_unknown_metric_is_named_with_its_nearest():
    with pytest.raises(ConfigError, match=r"unknown metric 'puritiy'; did you mean 'purity'\?"):
        metrics.info("puritiy")


@pytest.mark.usefixtures("_own_registry")
def test_a_plugin_joins_the_scores_and_keeps_its_kind(tmp_path):
    path = tmp_path / "extra.py"
    path.write_text(PLUGIN)
    registry.load_plugin(path)
    scores = metrics.score_clustering(np.array([0, 0, 1]), np.array([0, 0, 1]), n_clusters=2)
    assert scores["largest_share"] == pytest.approx(2 / 3)
    assert metrics.info("sharpness").kind == "generation"
    assert "sharpness" not in scores
    assert "sharpness" in metrics.names("generation")


@pytest.mark.usefixtures("_own_registry")
@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"direction": "lower"}, "registered with direction; expected direction, bounds, source"),
        ({"direction": "down", "bounds": (0, 1), "source": "x"}, "has direction 'down'"),
        (
            {"direction": "none", "bounds": (0, 1), "source": "x", "needs": ("luck",)},
            r"needs \('luck',\); expected some of \('classes', 'components'\)",
        ),
    ],
)
def test_an_incomplete_metric_is_refused(attributes, says):
    registry.register("half_made", **attributes)(lambda table: 0.0)
    with pytest.raises(ConfigError, match=says):
        metrics.info("half_made")


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from deep_em_bench import metrics; metrics.names('clustering'); "
        "print({'scipy', 'sklearn', 'pandas', 'torch', 'numpy'} & set(sys.modules))"
    )
    root = Path(metrics.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "set()"


def test_an_edited_plugin_is_another_version_of_the_metrics(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    code = (
        "import sys; from pathlib import Path; from deep_em_bench import metrics\n"
        "metrics.registry.load_plugin(Path(sys.argv[1])); print(metrics.version())"
    )

    def version(factor: int) -> str:
        plugin.write_text(
            "from deep_em_bench.metrics import register\n"
            "@register('mine', direction='higher', bounds=(0, None), source='a test')\n"
            f"def mine(table): return {factor} * table.total\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-c", code, str(plugin)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert version(1).startswith(f"{metrics.VERSION}+sha:")
    assert version(1) == version(1) != version(2)
