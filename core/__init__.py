"""What every package here stands on: errors for users, the registry, and derived seeds."""

from core.errors import ConfigError, DataError, UserError, unknown_name
from core.registry import Declaration, Registered, Registry
from core.seeds import derive_seed

__all__ = [
    "ConfigError",
    "DataError",
    "Declaration",
    "Registered",
    "Registry",
    "UserError",
    "derive_seed",
    "unknown_name",
]
