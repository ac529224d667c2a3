"""What a site decides: one TOML file, typed and frozen, and the shipped deidentifier presets.

`load` gives `Settings` or a `ConfigError` that lists everything wrong. This package knows nothing
of the parts that use the settings.
"""

from config.errors import ConfigError, ConfigInvalid, ConfigUnreadable, Problem
from config.loading import load, locate
from config.settings import Settings

__all__ = [
    "ConfigError",
    "ConfigInvalid",
    "ConfigUnreadable",
    "Problem",
    "Settings",
    "load",
    "locate",
]
