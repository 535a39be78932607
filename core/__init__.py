"""What every package here stands on.

Here are errors for users, the registry and derived seeds. Modules of their own have plugins
(``plugins``), structured files (``schema``), files written whole (``files``), .npz files read
without trust (``npz``), the end of a command (``guard``) and a standard output whose reader may
leave (``output``).
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
