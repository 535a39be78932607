import hashlib
import itertools
import shutil
import subprocess

import numpy as np
import pytest
from msgspec import structs

from deep_em_bench.reports.data.gathered import Choice, gathered
from deep_em_bench.results import (
    DatasetUsed,
    Failure,
    MethodUsed,
    Provenance,
    Record,
    Resources,
    Scores,
    Store,
    Timing,
)
from tests.reports.drawing import DIGITS


@pytest.fixture
def make_record():
    """A record by label and seed; ``train`` and ``test`` are its metrics, the rest is optional."""

    def make(label, seed=0, train=None, test=None, *, status="ok", error="E: why\nmore", **words):
        values = {
            "suite": "digits_raw",
            "profile": "quick",
            "n_clusters": 10,
            "dataset": DatasetUsed(name="digits", n=1797, n_test=0, sha256={"digits": "0" * 64}),
            "method": label.partition("[")[0],
            "params": {},
            "fit_s": 2.0,
            "version": 1,
            "metrics_version": "1",
            "resources": Resources(),
        } | words
        unique = repr((label, seed, sorted((name, repr(v)) for name, v in values.items())))
        kind, _, message = error.partition(": ")
        return Record(
            key=hashlib.sha256(unique.encode()).hexdigest(),
            suite=values["suite"],
            profile=values["profile"],
            label=label,
            dataset=values["dataset"],
            n_clusters=values["n_clusters"],
            method=MethodUsed(name=values["method"], preset="default", params=values["params"]),
            seed=seed,
            status=status,
            error=None if status == "ok" else Failure(type=kind, message=message),
            metrics=Scores(train=train or {}, test=test or {}),
            timing=Timing(fit_s=values["fit_s"] if status == "ok" else None),
            resources=values["resources"],
            provenance=Provenance(
                method_version=values["version"], metrics_version=values["metrics_version"]
            ),
        )

    return make


@pytest.fixture
def suite_records(make_record):
    """Two methods over three seeds, one run of which diverged."""
    errors = {"kmeans": (0.20, 0.22, 0.21), "gan_em[stable]": (0.10, 0.14, None)}
    return [
        make_record(
            label,
            seed,
            train={"error_rate": value, "purity": 1 - value, "active_clusters": 10.0},
            test={"error_rate": value + 0.01, "rand_index": 0.9},
        )
        if value is not None
        else make_record(label, seed, status="diverged", error="DivergenceError: loss is nan")
        for label, values in errors.items()
        for seed, value in enumerate(values)
    ]


@pytest.fixture
def extents(monkeypatch):
    """The text that a figure really draws, and where: its bounding boxes in pixels."""
    from matplotlib.text import Text  # tables are tested without it

    from deep_em_bench.reports.figures.style import look

    def extents(figure):
        boxes = []
        draw = Text.draw

        def noted(text, renderer):
            if text.get_visible() and text.get_text().strip():
                boxes.append((text.get_text(), text.get_window_extent(renderer)))
            draw(text, renderer)

        with monkeypatch.context() as patched, look():
            patched.setattr(Text, "draw", noted)
            figure.set_layout_engine("none")  # the layout is fixed
            figure.draw_without_rendering()
        return boxes

    return extents


@pytest.fixture
def legible(extents):
    """Asserts that all text of a figure lies within it, and none upon another."""

    def legible(figure, stem=""):
        boxes = extents(figure)
        assert len(boxes) > 2
        for name, box in boxes:
            assert box.x0 > -1, (stem, name)
            assert box.y0 > -1, (stem, name)
            assert box.x1 < figure.bbox.x1 + 1, (stem, name)
            assert box.y1 < figure.bbox.y1 + 1, (stem, name)
        for (name, box), (other, second) in itertools.combinations(boxes, 2):
            apart = (
                min(box.x1, second.x1) - max(box.x0, second.x0) < 1
                or min(box.y1, second.y1) - max(box.y0, second.y0) < 1
            )
            assert apart, (stem, name, other)

    return legible


@pytest.fixture
def make_samples(make_record):
    """A record with scores of samples, by ``fid``; ``real`` and ``net`` change the rest."""

    def make(label, seed=0, fid=20.0, *, real=None, net=None, n_parameters=1000, **words):
        described = {
            "name": "lenet",
            "d": 84,
            "n_classes": 10,
            "sha256": "ab" * 32,
            "accuracy": 0.991,
            "n_real": 10_000,
            "n_fake": 5000,
            "n_floor": 5000,
            "n_curve": 1000,
        } | (net or {})
        name, options = described["name"], {"train": {"nmi": 0.5}, "suite": "generation"} | words
        record = make_record(label, seed, options.pop("train"), **options)
        if record.status != "ok":
            return record
        scores = {f"is_{name}": 9.5 - fid / 100, f"fid_{name}": fid, f"kid_{name}": fid / 1000}
        floor = {f"is_{name}": 9.93, f"fid_{name}": 0.873, f"kid_{name}": -0.0000123}
        return structs.replace(
            record,
            method=structs.replace(record.method, n_parameters=n_parameters),
            metrics=structs.replace(record.metrics, generation=scores, real=floor | (real or {})),
            extractors=(described,),
        )

    return make


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "digits_raw")


@pytest.fixture
def put(store, make_record):
    """Writes a record whose scores are ``error``, with labels, and samples and history at will."""

    def put(label, seed=0, error=0.2, *, K=3, C=3, history=(), arrays=None, **words):
        draw = np.random.default_rng([seed, K])
        y = np.arange(60) % C
        labels = np.where(draw.random(60) < error, draw.integers(K, size=60), y % K)
        scores = {"error_rate": error, "ari": 1 - 1.5 * error, "nmi": 1 - error}
        options = {"n_clusters": K, "dataset": structs.replace(DIGITS, n_classes=C)} | words
        record = make_record(label, seed, options.pop("train", scores), **options)
        record = structs.replace(record, history=tuple(history))
        stored = {"y_train": y, "labels_train": labels} | (arrays or {})
        return store.write(record, stored if record.status == "ok" else None)

    return put


@pytest.fixture
def gather(tmp_path):
    """Records written to a store and gathered; ``arrays`` go with each that succeeded."""

    def gather(records, *, arrays=None, rows=None, folder=None, **choice):
        store = Store(folder or tmp_path / records[0].suite)
        for record in records:
            store.write(record, arrays if record.status == "ok" else None)
        return gathered(store, Choice(**choice), rows=rows)

    return gather


@pytest.fixture
def drawn(store):
    """The drawings of what was put into the store, laid out, by kind."""
    from deep_em_bench.reports.figures.style import look
    from deep_em_bench.reports.figures.suite import drawings

    def drawn(**choice):
        by_kind = {}
        with look():
            for each in drawings(gathered(store, Choice(**choice))):
                each.figure.draw_without_rendering()
                by_kind.setdefault(each.kind, []).append(each)
        return by_kind

    return drawn


@pytest.fixture
def latex_log(tmp_path):
    """Compiles a document and gives back the log; any error fails."""
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed")

    def run(document, **files):
        (tmp_path / "main.tex").write_text(document, encoding="utf-8")
        for name, text in files.items():
            (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
        command = [compiler, "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
        log = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, log[-2000:]
        return log

    return run
