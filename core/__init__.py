"""What every package here stands on.

Here are errors for users, the registry and derived seeds; in modules of their own, digests of
code (``code``), files written whole (``files``), .npz files read without trust (``npz``), how
commands end (``guard``) and standard output whose reader may leave (``output``).
"""

from deep_em_bench.core.errors import (
    ConfigError,
    DataError,
    UnreadableError,
    UserError,
    unknown_name,
)
from deep_em_bench.core.registry import Declaration, Registered, Registry
from deep_em_bench.core.seeds import derive_seed

__all__ = [
    "ConfigError",
    "DataError",
    "Declaration",
    "Registered",
    "Registry",
    "UnreadableError",
    "UserError",
    "derive_seed",
    "unknown_name",
]
