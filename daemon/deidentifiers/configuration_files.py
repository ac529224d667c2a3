"""Reading what ``config = ...`` of a deidentifier names, as leniently as tutorials need.

`config` knows files and presets, `deid` knows how de-identification JSON may be written; here they meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from config import presets
from deid.configuration.json_text import loads
from deid.configuration.leniencies import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = structlog.get_logger(__name__)


def resolve(
    config: str | Mapping[str, Any], warn: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Return the JSON object; single-quoted JSON is understood, with a warning: told, or else logged.

    Raises
    ------
    ConfigError
        If there is no such preset, or the file cannot be read.
    """

    def lenient(text: str) -> object:
        value, was_single_quoted = loads(text)
        if was_single_quoted and warn is not None:
            warn(sentence("single_quoted_json: the configuration"))
        elif was_single_quoted:
            _log.warning("configuration_lenient", reason="single_quoted_json")
        return value

    return presets.resolve(config, loads=lenient)
