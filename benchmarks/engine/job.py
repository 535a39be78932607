"""A cell with everything that its own process needs, and the record of it."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from deep_em_bench import metrics
from deep_em_bench.benchmarks.engine.provenance import Code, Host
from deep_em_bench.benchmarks.plan import Cell
from deep_em_bench.results.record import (
    DatasetUsed,
    Failure,
    MethodUsed,
    Provenance,
    Record,
    Resources,
    Status,
)

if TYPE_CHECKING:  # which brings torch
    from deep_em_bench.methods.parameters import Precision

__all__ = ["Job", "Outcome", "Setting"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How cells are run. Nothing here is part of a cell's key."""

    suite: str
    folder: Path
    """Where the records of this suite go."""
    data_dir: Path | None = None
    device: str = "auto"
    precision: Precision | None = None
    """None: the method's own."""
    compile: bool = False
    threads: int | None = None
    """Of a cell; None: all cores for a cell at a time, else one."""
    jobs: int = 1
    """Cells at the same time."""
    timeout: float | None = None
    """Seconds a cell may take, its start included."""
    max_memory: float | None = None
    """MiB that a cell's process and those it starts may hold."""
    plugins: tuple[Path, ...] = ()
    preload: tuple[str, ...] = ()
    """Modules that the cells will import."""
    inception_weights: Path | None = None
    """Of the usual FID's net, where a user has them: see :mod:`metrics.inception`."""
    watch: bool = False
    """Whether history rows are sent to the supervisor as they come."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell to be run on data that have been looked at."""

    cell: Cell
    setting: Setting
    dataset: DatasetUsed
    n_clusters: int
    threads: int
    code: Code
    """As the command that started the cell has it; the cell's own process may have another."""
    takes_device: bool = False
    """Whether the method has the argument ``device``."""

    def record(
        self, host: Host, status: Status, error: Failure | None = None, **parts: Any
    ) -> Record:
        """The record of how the cell ended; ``parts`` are further fields of :class:`Record`.

        Besides fields there may be ``gpu``, the name of the one that was used, ``code``, what the
        cell's own process has loaded, and ``seeded``.
        """
        origin = {name: parts.pop(name) for name in ("gpu", "seeded") if name in parts}
        code = dataclasses.asdict(parts.pop("code", self.code))
        cell = self.cell
        filled: dict[str, Any] = {
            "resources": Resources(
                threads=self.threads, jobs=self.setting.jobs, device=self.setting.device
            ),
            "method": MethodUsed(name=cell.method, preset=cell.preset, params=cell.params),
            "generation": structs.asdict(cell.generation) if cell.generation else {},
            "dataset": self.dataset,
            **parts,
        }
        return Record(
            key=cell.key,
            suite=self.setting.suite,
            profile=cell.profile,
            label=cell.label,
            n_clusters=self.n_clusters,
            seed=cell.seed,
            status=status,
            error=error,
            provenance=Provenance(
                metrics_version=metrics.version(),
                **dataclasses.asdict(host),
                **code,
                **origin,
                utc=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            ),
            **filled,
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a cell ended, in brief."""

    cell: Cell
    status: Status
    message: str = ""
    """Of the error, one line."""
    error_rate: float | None = None
    """On the test split if there is one, else on the training data."""
    seconds: float = 0.0
    """Wall-clock, from the start of the cell's process to its record."""
