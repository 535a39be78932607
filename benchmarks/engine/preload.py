"""Imported by the fork server alone, so that cells' processes need not do it again.

This is the one module that works at import. The modules of the cells' own methods and data sets
are added to it by name.
"""

import runpy  # with which multiprocessing looks at the main module in every process  # noqa: F401
import warnings

import deep_em_bench.benchmarks.execute
import deep_em_bench.benchmarks.options  # what that main module imports
import deep_em_bench.metrics.clustering  # noqa: F401
from deep_em_bench import metrics
from deep_em_bench.benchmarks.engine.cell import adopt_orphans

__all__: list[str] = []

metrics.registry.declarations()  # reads the package's source files; the registry keeps it
adopt_orphans()
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")  # an orphan's
