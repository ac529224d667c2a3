"""What ``config = ...`` of a deidentifier may say, and the JSON object that it stands for.

A shipped preset is a file in ``config/deidentifiers``; its name is the file's without ``.json``.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import ConfigInvalid, ConfigUnreadable, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import JsonValue

FOLDER = Path(__file__).parent / "deidentifiers"


def names() -> list[str]:
    """Return the names of the shipped presets."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def resolve(
    config: str | Mapping[str, JsonValue],
    *,
    folder: Path = Path(),
    source: str = "",
    key: str = "",
    loads: Callable[[str], object] = json.loads,
) -> dict[str, JsonValue]:
    """Return the de-identification configuration that `config` stands for.

    Whether it makes sense is not judged here but by `deid`, which knows what it can do.

    Parameters
    ----------
    config
        The name of a shipped preset, a path that ends in ``.json``, or the object itself.
    folder
        What a relative path is relative to.
    source, key
        Where `config` stands, for the error.
    loads
        Parses a file; raises `ValueError` with a text that says where and quotes nothing.

    Raises
    ------
    ConfigInvalid
        If there is no such preset.
    ConfigUnreadable
        If the file is missing, not UTF-8, not JSON (line and column are named), or not an object.
    """
    if not isinstance(config, str):
        return dict(config)
    if config.endswith(".json"):
        return _read(folder / config, loads)
    if config not in names():
        expected = f"expected a file ending in .json, a table, or a preset: {', '.join(names())}"
        nearest = next(iter(difflib.get_close_matches(config, names(), n=1)), "")
        raise ConfigInvalid([Problem(source, key, "a string", expected, nearest)])
    return _read(FOLDER / f"{config}.json", loads)


def _read(file: Path, loads: Callable[[str], object]) -> dict[str, JsonValue]:
    def unreadable(expected: str) -> ConfigUnreadable:
        return ConfigUnreadable([Problem(str(file), "", "", expected)])

    try:
        value = loads(file.read_text("utf-8"))
    except OSError as error:
        raise unreadable(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise unreadable(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise unreadable(
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise unreadable("is nested too deeply") from None
    except ValueError as error:
        raise unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise unreadable("expected a JSON object")
    return value
