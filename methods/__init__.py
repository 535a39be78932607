"""What is compared: one file a method, found through the registry."""

from deep_em_bench.methods.base import (
    DivergenceError,
    Generative,
    Method,
    Preset,
    Reducer,
    SemiSupervised,
    create,
    load,
    register,
    registry,
)

__all__ = [
    "DivergenceError",
    "Generative",
    "Method",
    "Preset",
    "Reducer",
    "SemiSupervised",
    "create",
    "load",
    "register",
    "registry",
]
