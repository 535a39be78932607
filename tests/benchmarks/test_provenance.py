"""A record says which checkout and machine it comes from."""

from __future__ import annotations

import re

import deep_em_bench
from deep_em_bench.benchmarks.engine.provenance import host, loaded


def test_the_host_names_versions_and_machine() -> None:
    code, here = loaded("kmeans"), host()
    assert (code.package, code.plugins) == (deep_em_bench.__version__, {})
    assert set(code.versions) == {"torch", "numpy", "scipy", "scikit-learn"}
    assert all(version[0].isdigit() for version in code.versions.values())
    assert code.python.startswith("3.")
    assert here.os
    assert here.cpu
    assert here.git_sha is None or re.fullmatch("[0-9a-f]{40}", here.git_sha)
    assert (here.dirty is None) == (here.git_sha is None)
