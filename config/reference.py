"""Every key with its type, default and description, as read from the settings classes.

The default file and the README's table are written from it (`config.documents`), and errors use the
same words for what is expected.
"""

from __future__ import annotations

import json
import types
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic_core import PydanticUndefined

from config.section import Section
from config.settings import Deidentifier, Route, Settings, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo

_TABLES: dict[str, type[Section]] = {"watch": Watch, "routes": Route, "deidentifiers": Deidentifier}
_HEADINGS = {"watch": "watch[]", "routes": "routes[]", "deidentifiers": "deidentifiers.NAME"}


@dataclass(frozen=True, slots=True)
class Key:
    """One documented setting.

    Attributes
    ----------
    path
        Dotted path; ``[]`` stands for a position in an array, ``NAME`` for a name the site gives.
    kind
        What a value must be, in words.
    default
        The default as TOML; empty where there is none.
    is_text
        Whether the value is text, so that an environment variable is taken as it stands.
    """

    path: str
    kind: str
    default: str
    description: str
    is_text: bool

    @property
    def name(self) -> str:
        """The last part of the path, as it stands in the file."""
        return self.path.rpartition(".")[2]


@cache
def all_keys() -> tuple[Key, ...]:
    """Return every setting, in the order of the classes."""
    return tuple(key for _, section_keys in sections() for key in section_keys)


def find(loc: Sequence[str | int]) -> Key | None:
    """Return the setting at a place in the settings, if there is one."""
    path = generalise(loc)
    return next((key for key in all_keys() if key.path == path), None)


def sections() -> Iterator[tuple[str, list[Key]]]:
    """Yield each section's heading (empty for the top level) with its keys."""
    top, below = [], []
    for name, field in Settings.model_fields.items():
        section = _TABLES.get(name) or field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            below.append((_HEADINGS.get(name, name), section))
        else:
            top.append(_key(name, field))
    yield "", top
    for heading, section in below:
        yield (
            heading,
            [_key(f"{heading}.{name}", field) for name, field in section.model_fields.items()],
        )


def generalise(loc: Sequence[str | int]) -> str:
    """Return the documented path of a place in the settings: positions and given names left out."""
    path = ""
    for depth, part in enumerate(loc):
        if isinstance(part, int):
            path += "[]"
        elif depth == 1 and loc[0] == "deidentifiers":
            path += ".NAME"
        else:
            path += f".{part}" if path else part
    return path


def _key(path: str, field: FieldInfo) -> Key:
    bare = _without_none(field.annotation)
    default = field.get_default(call_default_factory=True)
    return Key(
        path=path,
        kind=_kind(bare, field.metadata),
        default="" if default is None or default is PydanticUndefined else toml(default),
        description=field.description or "",
        is_text=bare in {str, Path} or get_origin(bare) is Literal,
    )


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        kept = [choice for choice in get_args(annotation) if choice is not type(None)]
        if len(kept) == 1:
            return get_args(kept[0])[0] if get_origin(kept[0]) is Annotated else kept[0]
    return annotation


def _kind(annotation: Any, metadata: Sequence[Any]) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return "one of " + ", ".join(json.dumps(choice) for choice in get_args(annotation))
    if origin is tuple:
        return "an array of strings"
    if origin is dict:
        return _table_kind(get_args(annotation)[1])
    if origin in {Union, types.UnionType}:
        return "a string or a table"
    if annotation in {int, float}:
        return ("an integer" if annotation is int else "a number") + _range(metadata)
    if annotation is str and any(isinstance(each, MinLen) for each in metadata):
        return "a string that is not empty"
    return {bool: "true or false", str: "a string", Path: "a path"}[annotation]


def _table_kind(values: Any) -> str:
    if get_origin(values) is Annotated and get_args(values)[0] is float:
        metadata = [
            each for given in get_args(values)[1:] for each in getattr(given, "metadata", (given,))
        ]
        return "a table of numbers" + _range(metadata)
    return "a table of strings or arrays of strings"


def _range(metadata: Sequence[Any]) -> str:
    least = next((each.ge for each in metadata if isinstance(each, Ge)), None)
    above = next((each.gt for each in metadata if isinstance(each, Gt)), None)
    most = next((each.le for each in metadata if isinstance(each, Le)), None)
    if least is not None and most is not None:
        return f" from {least} to {most}"
    lower = f" of at least {least}" if least is not None else f" above {above}"
    bounded = least is not None or above is not None
    return (lower if bounded else "") + (f" and at most {most}" if most is not None else "")


def toml(value: Any) -> str:
    """Return a default value as TOML."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, Path):
        return json.dumps(str(value))
    if isinstance(value, int) and not isinstance(value, bool) and value >= 100_000:
        return f"{value:_}"
    return json.dumps(value)


def about(heading: str) -> str:
    """Return what a section is for, by its heading as `sections` gives it."""
    name = heading.partition("[")[0].partition(".")[0]
    section = _TABLES.get(name) or Settings.model_fields[name].annotation
    assert section is not None
    return (section.__doc__ or "").strip()
