"""One cell to one record, in the cell's own process.

Load the data, fit on X alone (a semi-supervised method also gets the classes of labelled rows),
predict, check the results, score, draw samples. An error on the way ends in a record with the
error and all that was known before it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from deep_em_bench import methods
from deep_em_bench.benchmarks import contract, generation, pictures
from deep_em_bench.benchmarks.engine.job import Job
from deep_em_bench.benchmarks.engine.provenance import Host, loaded
from deep_em_bench.benchmarks.labelling import visible_labels
from deep_em_bench.benchmarks.pairing import data_digest, load_cell_data
from deep_em_bench.benchmarks.parameters import accepts
from deep_em_bench.benchmarks.scoring import score
from deep_em_bench.benchmarks.seeding import SEEDED, seed_globals
from deep_em_bench.benchmarks.usage import cpu_seconds, load_average, peak_rss_mb
from deep_em_bench.core import derive_seed
from deep_em_bench.datasets.base import Dataset
from deep_em_bench.methods.base import DivergenceError, Generative, Method, Reducer
from deep_em_bench.results.record import (
    DatasetUsed,
    Failure,
    MethodUsed,
    Record,
    Resources,
    Scores,
    Timing,
    replace,
)

__all__ = ["execute"]

FEATURES = 5000
"""Points whose features are stored, of a reduction."""

OnRow = Callable[[Mapping[str, Any]], None]


def execute(
    job: Job, host: Host, on_row: OnRow | None = None
) -> tuple[Record, dict[str, np.ndarray]]:
    """Run the cell; its record and the arrays to be stored with it.

    Never raises for what the method or the data do: a :class:`DivergenceError` gives a
    record ``diverged``, any other exception ``failed``. ``sys.exit`` and KeyboardInterrupt are no
    exceptions to that: no signal raises them here, for SIGINT is the supervisor's to act on.
    """
    run = _Run(job)
    try:
        run.all(on_row)
    except DivergenceError as error:
        return job.record(host, "diverged", _failure(error), **run.parts()), {}
    except BaseException as error:
        return job.record(host, "failed", _failure(error), **run.parts()), {}
    return job.record(host, "ok", **run.parts()), run.arrays


class _Run:
    """What is known of a cell so far."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.arrays: dict[str, np.ndarray] = {}
        self.dataset = job.dataset
        self.scores = Scores()
        self.device = "cpu"
        self.n_parameters: int | None = None
        self._method: Method | None = None
        self._judge: generation.Judge | None = None
        self._curve: generation.Curve | None = None
        self._seconds: dict[str, float] = {}
        self._load = load_average()
        self._cpu_started = cpu_seconds()

    def all(self, on_row: OnRow | None) -> None:
        cell = self.job.cell
        setting = self.job.setting
        data = load_cell_data(cell, device=setting.device, data_dir=setting.data_dir)
        self.dataset = DatasetUsed(**data.describe(), data_digest=data_digest(data))
        method = self._method = self._create(on_row)
        self._prepare_scores(method, data, on_row)
        y = visible_labels(method, data)
        seed_globals(cell.seed, "fit")
        started = cpu_seconds()
        with self._timed("fit_s"):
            method.fit(data.X) if y is None else method.fit(data.X, y)
        self._seconds["fit_cpu_s"] = cpu_seconds() - started
        self.n_parameters = int(method.n_parameters())
        with self._timed("predict_s"):
            self._predict(method, data.X, data.X_test)
        self.arrays["y_train"] = data.y
        if data.labelled is not None:
            self.arrays["labelled_rows"] = data.labelled
        if isinstance(method, Reducer) and getattr(method, "n_components", None) is not None:
            X = (data.X if data.X_test is None else data.X_test)[:FEATURES]
            self.arrays["features"] = contract.features(method, X)
        if data.y_test is not None:
            self.arrays["y_test"] = data.y_test
        with self._timed("evaluate_s"):
            self.scores = score(self.arrays, self.job.n_clusters)
            self._score_samples(method)
        if isinstance(method, Generative) and method.can_sample():
            self._draw(method, data.shape)

    def parts(self) -> dict[str, Any]:
        """The record's fields that a run fills, as far as it came."""
        job, method = self.job, self._method
        rows = getattr(method, "history_", None)
        kept = rows if isinstance(rows, list) else []
        history = [dict(row) for row in kept if isinstance(row, Mapping)]
        seconds = dict(self._seconds)
        if self._curve is not None:
            history = [self._curve.with_points(row) for row in history]
            if "fit_cpu_s" in seconds:
                seconds["fit_s"] -= self._curve.seconds
                seconds["fit_cpu_s"] -= self._curve.cpu_seconds
        seconds["cpu_s"] = cpu_seconds() - self._cpu_started
        timing = Timing(**seconds, m_step_s=_total(history, "m_"), e_step_s=_total(history, "e_"))
        on_gpu = self.device.startswith("cuda")
        return {
            "code": loaded(job.cell.method),
            "seeded": SEEDED,
            "dataset": self.dataset,
            "method": MethodUsed(
                name=job.cell.method,
                preset=job.cell.preset,
                params=job.cell.params,
                n_parameters=self.n_parameters,
            ),
            "metrics": self.scores,
            "timing": timing,
            "resources": Resources(
                peak_rss_mb=peak_rss_mb(),
                peak_gpu_mb=_torch().cuda.max_memory_allocated(self.device) / 2**20
                if on_gpu
                else None,
                threads=job.threads,
                jobs=job.setting.jobs,
                load=self._load,
                device=self.device,
                precision=getattr(method, "precision", None),
                compile=getattr(method, "compile", None),
            ),
            "gpu": _torch().cuda.get_device_name(self.device) if on_gpu else None,
            "extractors": self._judge.described() if self._judge is not None else (),
            "history": tuple(history),
        }

    def _create(self, on_row: OnRow | None) -> Method:
        cell, setting = self.job.cell, self.job.setting
        accepted = accepts(cell.method)
        if "device" in accepted:
            self.device = _resolved_device(setting.device)
        wanted = {
            "n_clusters": self.job.n_clusters,
            "random_state": derive_seed(cell.seed, "fit"),
            "device": self.device,
            "callback": on_row,
            **({"precision": setting.precision} if setting.precision else {}),
            **({"compile": True} if setting.compile else {}),
            # Also where every row is labelled: the suite asked for it.
            "semi_supervised": cell.dataset.words.get("labelled") is not None,
        }
        chosen = {name: value for name, value in wanted.items() if name in accepted}
        return methods.create(cell.method, cell.preset, **cell.params, **chosen)

    def _prepare_scores(self, method: Method, data: Dataset, on_row: OnRow | None) -> None:
        """Everything that scores of samples need and that is no part of the fit."""
        if not isinstance(method, Generative):
            return
        self._judge = generation.judge(self.job, data, self.device)
        plan = self.job.cell.generation
        if self._judge is not None and plan is not None and plan.every:
            self._curve = generation.Curve(method, self._judge, plan.every, on_row)
            if "callback" in accepts(self.job.cell.method):
                method.callback = self._curve

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            if self.device.startswith("cuda"):
                _torch().cuda.synchronize(self.device)
            self._seconds[name] = time.perf_counter() - started

    def _predict(self, method: Method, X: np.ndarray, X_test: np.ndarray | None) -> None:
        K = self.job.n_clusters
        self.arrays["labels_train"] = contract.labels("labels_", method.labels_, len(X), K)
        proba = contract.responsibilities("X", method.predict_proba(X), len(X), K)
        self.arrays["responsibilities_train"] = proba.astype(np.float16)
        if X_test is None:
            return
        proba = contract.responsibilities("X_test", method.predict_proba(X_test), len(X_test), K)
        self.arrays["responsibilities_test"] = proba.astype(np.float16)
        # The base class's predict is this very argmax; asking it would compute all of it again.
        inherited = type(method).predict is Method.predict
        labels = proba.argmax(axis=1) if inherited else method.predict(X_test)
        self.arrays["labels_test"] = contract.labels("predict(X_test)", labels, len(X_test), K)

    def _score_samples(self, method: Method) -> None:
        if self._judge is None or not isinstance(method, Generative) or not method.can_sample():
            return
        test = self.arrays.get("labels_test")
        groups = self.arrays["labels_train"] if test is None else test
        scores = self._judge.scores(method, groups)
        self.scores = replace(self.scores, generation=scores, real=self._judge.floor)
        if self._curve is not None:
            self._curve.finish()

    def _draw(self, method: Generative, shape: tuple[int, ...]) -> None:
        K, seed = self.job.n_clusters, derive_seed(self.job.cell.seed, "samples")
        self.arrays["samples"] = pictures.grid(method, shape, K, seed)
        if self._judge is not None and isinstance(method, pictures.Interpolating):
            self.arrays |= pictures.ways(method, shape, K, seed)


def _failure(error: BaseException) -> Failure:
    try:
        message = str(error)
    except BaseException as problem:  # the error's own code
        message = f"its text cannot be had: {type(problem).__name__}"
    text = "".join(traceback.format_exception(error))
    return Failure(type=type(error).__name__, message=_utf8(message), traceback=_utf8(text))


def _utf8(text: str) -> str:
    """Without halves of characters, as names of files may have."""
    return text.encode("utf-8", "backslashreplace").decode()


def _total(history: list[dict[str, Any]], step: str) -> float | None:
    """The seconds that the rows give for one step; None where they give none."""
    values = [row.get(f"{step}seconds") for row in history]
    seconds = [value for value in values if isinstance(value, int | float)]
    return float(sum(seconds)) if seconds else None


def _resolved_device(device: str) -> str:
    if device == "cpu":
        return device
    # Imports torch, which not every method needs.
    from deep_em_bench.methods.nets.runtime import resolve_device

    return str(resolve_device(device))


def _torch() -> Any:
    """torch, asked for only where a method has brought it to a GPU."""
    import torch

    return torch
