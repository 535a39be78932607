"""The contract of every method, as checks that take a factory of unfitted methods.

``test_contract.py`` runs every check on every registered method and preset. A third-party method
joins through its entry point, or by its file's path in ``$DEEP_EM_BENCH_PLUGIN``.
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from safetensors.numpy import load_file, save
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from deep_em_bench import methods
from deep_em_bench.core import DataError, UserError
from deep_em_bench.methods import Generative, Reducer, SemiSupervised
from tests.methods.cases import (
    Factory,
    blobs,
    digest,
    few_labels,
    fit,
    global_random_state,
    images,
)

Check = Callable[[Factory, Path], None]
"""Takes a factory and an empty folder."""

CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


@check
def init_only_stores(make: Factory, folder: Path) -> None:
    method = make()
    params = method.get_params(deep=False)
    assert vars(method).keys() == params.keys()
    assert all(vars(method)[key] is value for key, value in params.items())
    assert clone(method).get_params() == params
    assert type(method)(**params).get_params() == params
    assert method.set_params(n_clusters=7) is method
    assert method.get_params() == {**params, "n_clusters": 7}
    with pytest.raises(ValueError, match="no_such_parameter"):
        method.set_params(no_such_parameter=1)


@check
def outputs_have_shapes_types_and_ranges(make: Factory, folder: Path) -> None:
    X = blobs()
    X.setflags(write=False)
    method = make()
    assert fit(method, X) is method
    new = blobs(50)[40:]
    for data in (X, new, new[:1]):
        p = method.predict_proba(data)
        assert p.shape == (len(data), 3)
        assert p.dtype == np.float32
        assert np.isfinite(p).all()
        assert p.min() >= 0
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
        labels = method.predict(data)
        assert labels.dtype == np.int64
        assert labels.tolist() == p.argmax(axis=1).tolist()
    assert method.labels_.dtype == np.int64
    assert method.labels_.tolist() == method.predict(X).tolist()
    assert type(method.n_iter_) is int
    assert type(method.converged_) is bool
    assert type(method.n_parameters()) is int
    assert method.n_parameters() > 0


@check
def a_row_is_judged_alone(make: Factory, folder: Path) -> None:
    X = blobs()
    method = fit(make(), X)
    together = method.predict_proba(X)
    np.testing.assert_allclose(method.predict_proba(X[7:8]), together[7:8], atol=1e-5)
    np.testing.assert_allclose(method.predict_proba(X[::-1]), together[::-1], atol=1e-5)


@check
def history_is_plain_and_the_callback_sees_it(make: Factory, folder: Path) -> None:
    seen: list[dict[str, Any]] = []
    method = fit(make(callback=lambda row: seen.append(dict(row))), blobs())
    assert method.history_
    assert seen == method.history_
    json.dumps(method.history_, allow_nan=False)
    _assert_plain(method.history_)
    counted = [row["iteration"] for row in method.history_]
    assert counted == sorted(set(counted))
    assert counted[-1] == method.n_iter_


def _assert_plain(value: Any) -> None:
    """Exact types: a numpy float is a float too, and json writes it."""
    assert type(value) in (dict, list, str, int, float, bool, type(None)), repr(value)
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _assert_plain(part)


@check
def a_seed_determines_everything(make: Factory, folder: Path) -> None:
    X = blobs()
    first = digest(fit(make(random_state=3), X), X)
    random.random()
    np.random.random(3)  # noqa: NPY002
    if torch := sys.modules.get("torch"):
        torch.rand(3)
    assert digest(fit(make(random_state=3), X), X) == first
    assert digest(fit(make(random_state=3, callback=[].append), X), X) == first


@check
def global_random_state_is_untouched(make: Factory, folder: Path) -> None:
    X = blobs()
    before = global_random_state()
    method = fit(make(random_state=3), X)
    digest(method, X)
    if isinstance(method, Reducer):
        method.transform(X)
    if isinstance(method, SemiSupervised):
        make().fit(X, np.where(np.arange(len(X)) < 6, np.arange(len(X)) % 3, -1))
    assert global_random_state() == before


@check
def one_cluster_or_fewer_rows_than_a_batch(make: Factory, folder: Path) -> None:
    X = blobs()
    method = fit(make(n_clusters=1), X)
    assert not method.labels_.any()
    assert method.predict_proba(X).tolist() == [[1.0]] * len(X)
    method = fit(make(), X[:5])
    assert method.labels_.shape == (5,)
    assert np.isfinite(method.predict_proba(X)).all()


@check
def clusters_may_stay_empty(make: Factory, folder: Path) -> None:
    X = np.repeat(np.array([[0, 0], [5, 1]], dtype=np.float32), 10, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # "2 distinct clusters found"
        method = fit(make(n_clusters=4), X)
    assert np.isfinite(method.predict_proba(X)).all()
    assert set(method.labels_.tolist()) <= set(range(4))
    assert len(set(method.labels_[:10].tolist())) == len(set(method.labels_[10:].tolist())) == 1


@check
def constant_columns(make: Factory, folder: Path) -> None:
    X = np.insert(blobs(), [1, 3], [0.0, 1e6], axis=1).astype(np.float32)
    method = fit(make(), X)
    assert np.isfinite(method.predict_proba(X)).all()
    if isinstance(method, Generative):
        assert np.isfinite(method.sample(10)[0]).all()


@check
def unusable_data_are_refused_with_a_sentence(make: Factory, folder: Path) -> None:
    X = blobs()
    holed, endless = X.copy(), X.copy()
    holed[3, 1], endless[0, 0] = np.nan, np.inf
    bright, dark = images() + 1.0, images() - 0.5
    refuse = partial(pytest.raises, (ValueError, UserError), match=r"\A[^\n]{20,}\Z")
    whole = images()
    for bad in (holed, endless, X[:2], X[:, 0], whole[:, 0], whole[None], bright, dark):
        with refuse():
            fit(make(), bad)
    with refuse():
        fit(make(n_clusters=0), X)
    method = fit(make(), X)
    for bad in (holed, endless, X[:, 0], X[:, :3]):
        with refuse():
            method.predict(bad)


@check
def what_is_not_fitted_or_not_there_is_refused(make: Factory, folder: Path) -> None:
    X, method = blobs(), make()
    asked = [partial(method.predict, X), partial(method.save, folder / "unfitted.safetensors")]
    asked += [partial(method.transform, X)] if isinstance(method, Reducer) else []
    if isinstance(method, Generative):
        own = type(method).can_sample is not Generative.can_sample
        asked += [partial(method.sample, 4), *([partial(method.can_sample)] if own else [])]
    for ask in asked:
        with pytest.raises(NotFittedError):
            ask()
    fit(method, X)
    with pytest.raises(ValueError, match="where the description goes"):
        method.save(folder / "fitted.json")
    if isinstance(method, Generative) and method.can_sample():
        for component in (-1, 3):
            with pytest.raises(ValueError, match="expected 0 to 2"):
                method.sample(4, component=component)
        with pytest.raises(ValueError, match="at least one"):
            method.sample(0)


@check
def parameters_of_another_kind_are_refused_at_fit(make: Factory, folder: Path) -> None:
    X = blobs()
    for params in ({"n_clusters": "3"}, {"n_clusters": True}, {"n_clusters": 2.5}):
        with pytest.raises(UserError, match=r"'n_clusters' of .* expected"):
            fit(make(**params), X)
    fitted = fit(make(n_clusters=np.int64(3), random_state=np.int64(1)), X)
    fitted.save(folder / "m.safetensors")
    assert methods.load(folder / "m.safetensors").n_clusters == 3


@check
def vectors_and_images_of_any_layout(make: Factory, folder: Path) -> None:
    for X in (blobs(), images(), images(channels=3)):
        method = fit(make(), X)
        assert method.labels_.shape == (len(X),)
        expected = digest(method, X)
        wide = np.repeat(X.astype(np.float64), 2, axis=-1)[..., ::2]
        assert digest(fit(make(), wide), X) == expected


@check
def saved_and_loaded_is_the_same(make: Factory, folder: Path) -> None:
    X = blobs()
    method = fit(make(random_state=2), X)
    path = folder / "fitted.safetensors"
    method.save(path)
    assert {p.name for p in folder.iterdir()} == {"fitted.safetensors", "fitted.json"}
    before = global_random_state()
    loaded = methods.load(path)
    assert global_random_state() == before
    assert type(loaded) is type(method)
    new = blobs(60)
    np.testing.assert_array_equal(loaded.predict_proba(new), method.predict_proba(new))
    np.testing.assert_array_equal(loaded.predict(new), method.predict(new))
    if isinstance(method, Generative) and isinstance(loaded, Generative):
        for drawn, again in zip(method.sample(8), loaded.sample(8), strict=True):
            np.testing.assert_array_equal(drawn, again)
    if isinstance(method, Reducer) and isinstance(loaded, Reducer):
        np.testing.assert_array_equal(loaded.transform(new), method.transform(new))
    assert loaded.get_params() == method.get_params()
    np.testing.assert_array_equal(loaded.labels_, method.labels_)
    assert loaded.n_parameters() == method.n_parameters()
    assert (loaded.n_iter_, loaded.history_) == (method.n_iter_, method.history_)
    loaded.save(folder / "again.safetensors")
    assert (folder / "again.safetensors").read_bytes() == path.read_bytes()


@check
def files_that_are_no_saved_method_are_refused(make: Factory, folder: Path) -> None:
    path = folder / "fitted.safetensors"
    with pytest.raises(DataError, match=r"fitted\.safetensors"):
        methods.load(path)
    fit(make(), blobs()[:, :3]).save(path)
    narrow = path.read_bytes()
    fit(make(), blobs()).save(path)
    whole, described, arrays = path.read_bytes(), path.with_suffix(".json"), load_file(path)
    del arrays[max(arrays)]
    for part in (whole[:20], whole[:-8], b"", b"\x80\x04N.", narrow, save(arrays)):
        path.write_bytes(part)
        with pytest.raises(DataError):
            methods.load(path)
    path.write_bytes(whole)
    later = json.dumps({**json.loads(described.read_text()), "format": 99})
    for text in ("", "{", "[]", "{}", "\x00", later):
        described.write_text(text)
        with pytest.raises(DataError):
            methods.load(path)


@check
def scikit_learns_tools_work_with_it(make: Factory, folder: Path) -> None:
    X = blobs()
    every_second = np.where(np.arange(len(X)) % 2 == 0, np.arange(len(X)) % 3, -1)
    y = every_second if isinstance(make(), SemiSupervised) else None
    expected = digest(make(random_state=3).fit(X, y), X)
    changed = clone(make()).set_params(random_state=3).fit(X, y)
    assert digest(changed, X) == expected
    joblib.dump(changed, folder / "fitted.joblib")
    assert digest(joblib.load(folder / "fitted.joblib"), X) == expected
    pipeline = Pipeline([("same", FunctionTransformer()), ("method", make(random_state=3))])
    assert digest(pipeline.fit(X, y)["method"], X) == expected
    assert pipeline.predict(X).tolist() == changed.predict(X).tolist()
    fewest = lambda method, X, y=None: -method.n_clusters  # noqa: E731
    search = GridSearchCV(make(), {"n_clusters": [3, 4]}, scoring=fewest, cv=2).fit(X, y)
    assert search.best_params_ == {"n_clusters": 3}
    assert search.predict_proba(X).shape == (len(X), 3)


@check
def fitting_again_starts_afresh(make: Factory, folder: Path) -> None:
    X, method = blobs(), make()
    once = digest(fit(method, X), X)
    rows = len(method.history_)
    assert digest(fit(method, X), X) == once
    assert digest(fit(fit(method, X[:20, :2]), X), X) == once
    assert len(method.history_) == rows


@check
def labels_are_seen_only_by_the_semi_supervised(make: Factory, folder: Path) -> None:
    X = blobs()
    without = digest(fit(make(), X), X)
    y = np.random.default_rng(0).permutation(np.arange(len(X)) % 3)
    if not isinstance(make(), SemiSupervised):
        assert digest(make().fit(X, y), X) == without
        return
    y[::4] = -1
    nobody = np.full(len(X), -1)
    if getattr(make(), "needs_labels", False):
        for absent in (None, nobody):
            with pytest.raises((ValueError, UserError), match=r"\A[^\n]*label[^\n]*\Z"):
                make().fit(X, absent)
        scored = make().fit(X, few_labels(len(X)))
        assert (scored.predict(X) == np.arange(len(X)) % 3).mean() > 0.9
    else:
        assert digest(make().fit(X, nobody), X) == without
    for bad in (y[1:], y.astype(float), np.where(y == -1, y, y + 1), y - 2):
        with pytest.raises((ValueError, UserError)):
            make().fit(X, bad)


@check
def samples_look_like_the_data(make: Factory, folder: Path) -> None:
    if not isinstance(make(), Generative):
        pytest.skip("not Generative")
    for X in (blobs(), images(), images(channels=3)):
        method = fit(make(), X)
        assert isinstance(method, Generative)
        drawn, components = method.sample(50)
        assert drawn.shape == (50, *X.shape[1:])
        assert drawn.dtype == np.float32
        assert components.shape == (50,)
        assert components.dtype == np.int64
        assert set(components.tolist()) <= {0, 1, 2}
        np.testing.assert_array_equal(method.sample(50, random_state=np.int64(0))[0], drawn)
        if X.ndim == 4:
            assert drawn.min() >= 0
            assert drawn.max() <= 1
        else:
            off = np.abs(np.median(drawn, axis=0) - X.mean(axis=0))
            assert (off <= 5 * X.std(axis=0)).all()
        np.testing.assert_array_equal(method.sample(50)[0], drawn)
        assert (method.sample(50, random_state=1)[0] != drawn).any()
        one, component = method.sample(1, component=2)
        assert (one.shape, component.tolist()) == ((1, *X.shape[1:]), [2])


@check
def a_callback_may_sample(make: Factory, folder: Path) -> None:
    if not isinstance(make(), Generative):
        pytest.skip("not Generative")
    drawn: list[np.ndarray] = []

    def draw(row: object = None) -> None:
        if method.can_sample():
            drawn[:] = [method.sample(20, random_state=4)[0], method.sample(2, component=1)[0]]

    for X in (blobs(), images()):
        drawn.clear()
        method = make(random_state=3, callback=draw)
        assert isinstance(method, Generative)
        fit(method, X)
        assert digest(method, X) == digest(fit(make(random_state=3), X), X)
        assert bool(drawn) == method.can_sample()
        last = list(drawn)
        draw()  # the samples at the last row are those of the fitted method
        for before, after in zip(last, drawn, strict=True):
            np.testing.assert_array_equal(before, after)


@check
def features_are_narrow_and_finite(make: Factory, folder: Path) -> None:
    if not isinstance(make(), Reducer):
        pytest.skip("not Reducer")
    X = blobs()
    width = {"n_components": 2} if "n_components" in make().get_params() else {}
    method = fit(make(**width), X)
    assert isinstance(method, Reducer)
    features = method.transform(X)
    assert features.shape == (len(X), *([2] if width else features.shape[1:]))
    assert features.ndim == 2
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
