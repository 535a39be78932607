"""Imported by the fork server alone: what every cell's process would otherwise do again.

This is the one module with work at import: that is its purpose. The modules of the cells' own
methods and data sets are added to it by name.
"""

import runpy  # with which multiprocessing looks at the main module in every process  # noqa: F401

import benchmarks.execute
import benchmarks.options  # what that main module imports  # noqa: F401
import metrics.clustering

__all__: list[str] = []

metrics.registry.declarations()  # reads the package's source files; the registry keeps it
