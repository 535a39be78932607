"""The contract every compared method keeps, and the registry that finds it.

A method is a scikit-learn clusterer. ``__init__`` stores its keyword arguments; ``fit(X)`` learns
from data alone; fitted names end in an underscore. Abilities beyond clustering are mixins that
the harness asks for with ``isinstance``: :class:`Generative`, :class:`Reducer`,
:class:`SemiSupervised`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from deep_em_bench.core import ConfigError, DataError, Registered, Registry, unknown_name
from deep_em_bench.methods.data import (
    Units,
    as_array,
    check_data,
    check_draw,
    check_labels,
    check_names,
)
from deep_em_bench.methods.parameters import (
    Callback,
    MethodParameters,
    SemiSupervisedParameters,
    check_parameters,
    earlier_values,
)

__all__ = [
    "Callback",
    "DivergenceError",
    "Generative",
    "Method",
    "Preset",
    "Reducer",
    "SemiSupervised",
    "check_draw",
    "check_labels",
    "create",
    "default_preset",
    "load",
    "register",
    "registry",
]

SAVE_FORMAT = 1


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the harness records the cell as ``diverged``."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of hyper-parameters with its source.

    Parameters that a preset does not name keep the method's defaults.
    """

    source: str
    title: str = ""
    """The row's name in tables; empty: the method's title and the preset's name."""
    params: Mapping[str, Any] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    """Where the preset departs from its source, a sentence each."""


registry: Registry[type[Method]] = Registry("method", "deep_em_bench.methods")
register = registry.register


class Method(MethodParameters, ClusterMixin, BaseEstimator, ABC):
    """A clustering method under comparison.

    Data are float32 images ``(N, C, H, W)`` in [0, 1] or float32 vectors ``(N, D)`` of any scale;
    a method scales them as it needs. Hyper-parameters are declared as in
    :mod:`methods.parameters`.
    """

    labels_: np.ndarray
    """Cluster of each fitted point, ``(N,)`` int64 in [0, K)."""
    n_iter_: int
    """EM (or other outer) iterations done."""
    history_: list[dict[str, Any]]
    """One row an iteration; the keys are the method's own, plain Python numbers and lists."""
    converged_: bool
    """Whether the method's own stopping rule was met within its budget."""
    shape_: list[int]
    """Shape of one fitted point: ``[C, H, W]`` or ``[D]``."""
    units_: tuple[list[float] | None, float] = (None, 1.0)
    """Shift of each column and common scale by which vectors came to float32: see ``Units``."""

    @abstractmethod
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Learn from ``X``. ``y`` is ignored unless the method is :class:`SemiSupervised`."""

    @abstractmethod
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities ``(N, K)`` float32; rows sum to one."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Cluster of each row, ``(N,)`` int64: the largest responsibility, the first of equals."""
        return self.predict_proba(X).argmax(axis=1).astype(np.int64)

    def _fitting(self, X: np.ndarray) -> np.ndarray:
        """What every ``fit`` begins with: parameters and data checked, ``shape_`` kept; the data.

        These are in units of the fit's own. :meth:`predict` takes the user's ``X``, not them.

        Raises what :meth:`_check_parameters` and :func:`check_data` raise.
        """
        self._check_parameters()
        check_names(self, X, reset=True)
        points = as_array(X)
        units = Units.of(points)
        points = check_data(points, units, self.n_clusters)
        if hasattr(self, "n_iter_"):
            del self.n_iter_
        self.shape_, self.units_ = list(points.shape[1:]), units.plain()
        return points

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a model: no failed fit leaves one, nor data that were only checked."""
        learnt = {name for name in vars(self) if name.endswith("_") and not name.endswith("__")}
        return bool(learnt - {"shape_", "units_", "feature_names_in_", "n_features_in_"})

    def _check_parameters(self) -> None:
        """Raise :class:`ConfigError` for parameters that no fit can have."""
        check_parameters(type(self).__name__, type(self), self.get_params(deep=False))

    def _checked(self, X: np.ndarray) -> np.ndarray:
        """New data, checked against the fitted ones.

        Raises scikit-learn's ``NotFittedError`` before a fit, ``ValueError`` for another shape.
        """
        check_is_fitted(self)
        check_names(self, X, reset=False)
        points = as_array(X)
        if list(points.shape[1:]) != self.shape_:
            raise ValueError(
                f"X has rows of shape {points.shape[1:]}; this was fitted to {tuple(self.shape_)}"
            )
        return check_data(points, Units(*self.units_))

    def _outgoing(self, points: np.ndarray) -> np.ndarray:
        """Points in the units of :meth:`_fitting` back in the user's own."""
        return Units(*self.units_).undo(points)

    def n_parameters(self) -> int:
        """How many numbers the fitted model consists of, the scale of its columns aside."""
        arrays = self._arrays().items()
        return sum(array.size for name, array in arrays if not name.startswith("column_"))

    def save(self, path: str | Path) -> None:
        """Write the fitted method to ``path`` (.safetensors) and a .json beside it.

        Raises scikit-learn's ``NotFittedError`` before a fit.
        """
        check_is_fitted(self)
        path = Path(path)
        if path.suffix == ".json":
            raise ValueError(f"{path} is where the description goes; give a .safetensors path")
        arrays = {**self._arrays(), "labels_": self.labels_}
        fitted = {
            name: value
            for name, value in vars(self).items()
            if name.endswith("_") and isinstance(value, int | float | str | list | tuple | None)
        }
        params = {k: v for k, v in self.get_params(deep=False).items() if k != "callback"}
        described = {
            "format": SAVE_FORMAT,
            "method": registry.name_of(type(self)),
            "params": params,
            "fitted": fitted,
            "arrays": {k: list(np.ascontiguousarray(v).shape) for k, v in arrays.items()},
        }
        if hasattr(self, "feature_names_in_"):
            fitted["feature_names_in_"] = self.feature_names_in_.tolist()
        text = json.dumps(described, indent=1, default=_plain)
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, str(path))
        path.with_suffix(".json").write_text(text, encoding="utf-8")

    def _arrays(self) -> dict[str, np.ndarray]:
        """The learnt arrays by name; what :meth:`_restore` needs to rebuild the fitted state."""
        return {
            name: value
            for name, value in vars(self).items()
            if name.endswith("_")
            and isinstance(value, np.ndarray)
            and name not in ("labels_", "feature_names_in_")
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Rebuild the fitted state from :meth:`_arrays`; the JSON attributes are already set."""
        for name, value in arrays.items():
            setattr(self, name, value)


class Generative(ABC):
    """A method that can draw new data from its components."""

    def can_sample(self) -> bool:
        """Whether the fit has trained what draws: an ablation may leave it out."""
        return True

    @abstractmethod
    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``n`` samples in the shape and scale of the fitted X, with the component of each.

        ``component=None`` draws components from the fitted mixing proportions. Returns X
        ``(n, *shape)`` float32 and components ``(n,)`` int64.
        """


class Reducer(ABC):
    """A method that learns low-dimensional features."""

    @abstractmethod
    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features ``(N, n_components)`` float32."""


class SemiSupervised(SemiSupervisedParameters):
    """A method whose ``fit`` reads y: class ids, with -1 where unlabelled (as in scikit-learn).

    With labels, components carry the class ids: ``predict`` gives classes.
    """

    needs_labels: ClassVar[bool] = False
    """Whether ``fit`` refuses data of which no row is labelled."""


def create(name: str, preset: str | None = None, **params: Any) -> Method:
    """A method by its registered name and preset, with single parameters on top.

    >>> create("kmeans", n_clusters=3).n_clusters
    3
    """
    entry = registry.get(name)
    presets: Mapping[str, Preset] = entry.attributes["presets"]
    preset = preset or default_preset(entry)
    if preset not in presets:
        raise ConfigError(unknown_name(f"preset of {name}", preset, presets))
    accepted = entry.value._get_param_names()  # scikit-learn's own list of what __init__ takes
    for key in params:
        if key not in accepted:
            raise ConfigError(unknown_name(f"parameter of {name}", key, accepted))
    return entry.value(**{**presets[preset].params, **params})


def default_preset(entry: Registered[type[Method]]) -> str:
    """``stable`` where there is one, else the first."""
    presets = entry.attributes["presets"]
    return "stable" if "stable" in presets else next(iter(presets))


def load(path: str | Path, *, device: str | None = None) -> Method:
    """A fitted method from what :meth:`Method.save` wrote.

    ``device`` is where a method on torch comes to, in place of where it was fitted.
    """
    path = Path(path)
    try:
        described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        arrays = load_file(str(path))
        form, name = described["format"], described["method"]
        params, fitted = described["params"], described["fitted"]
        expected = described["arrays"]
    except Exception as error:
        raise DataError(
            f"{path} and its .json are not a saved method ({type(error).__name__}: {error}); "
            f"give the path that save() was given"
        ) from error
    if form != SAVE_FORMAT:
        raise DataError(f"{path} has save format {form}, this version reads {SAVE_FORMAT}; refit")
    if expected != {key: list(value.shape) for key, value in arrays.items()}:
        raise DataError(
            f"{path} does not hold the arrays that its .json names; restore both from one save()"
        )
    if device is not None and "device" in params:
        params["device"] = device
    # JSON has lists where constructors take tuples.
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in params.items()}
    method = create(name, **{**earlier_values(registry.get(name).value), **params})
    if "feature_names_in_" in fitted:
        fitted["feature_names_in_"] = np.array(fitted["feature_names_in_"], dtype=object)
    for key, value in fitted.items():
        setattr(method, key, value)
    try:
        method._restore(arrays)
    except RuntimeError as error:  # torch's, where names or shapes of weights differ
        raise DataError(
            f"{path} holds other nets than this version builds from its parameters; refit"
        ) from error
    return method


def _plain(value: object) -> Any:
    """A number of numpy as one of Python, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}, which JSON cannot hold")
