"""Imported by the fork server alone: what every cell's process would otherwise do again.

This is the one module with work at import: that is its purpose. The modules of the cells' own
methods and data sets are added to it by name.
"""

import runpy  # with which multiprocessing looks at the main module in every process  # noqa: F401

import deep_em_bench.benchmarks.execute
import deep_em_bench.benchmarks.options  # what that main module imports
import deep_em_bench.metrics.clustering  # noqa: F401
from deep_em_bench import metrics

__all__: list[str] = []

metrics.registry.declarations()  # reads the package's source files; the registry keeps it
