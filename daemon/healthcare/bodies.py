"""Bodies of requests: JSON objects whose fields the API knows.

Which fields a message has, and of which kind, is Google's table (``messages.json``). What is false, 0, empty or
null is like what is not there, as in every message of Protocol Buffers; numbers of 64 bits may be strings.
"""

from __future__ import annotations

import asyncio
import difflib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.healthcare.errors import InvalidArgument, TooLarge, Unavailable
from daemon.web.bodies import HELD, NoRoom, chunks
from deid.configuration.json_text import loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from dicomweb.patience import Patience

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_VALUES: Final = 100_000
"""In all objects and lists of a body: of some millions nobody else is served for a second."""
_MOST_PROBLEMS: Final = 25
"""As many are looked into and told: a body may have a hundred thousand."""
_OWN: Final[Mapping[str, Mapping[str, str]]] = {
    # The API streams resources, not instances, into another store: this is ours.
    "GoogleCloudHealthcareV1DicomStreamConfig": {"dicomveil": "OwnStreamConfig"},
    "GoogleCloudHealthcareV1beta1DicomStreamConfig": {"dicomveil": "OwnStreamConfig"},
    "OwnStreamConfig": {"deidentifiedStoreDestination": "DeidentifiedStoreDestination"},
}
"""Fields beside Google's, by message."""


async def read(request: web.Request, patience: Patience) -> dict[str, Any]:
    """Return the object that a request's body is; an empty body is an empty object.

    Strings in single quotes are understood: tutorials print such commands.

    Raises
    ------
    InvalidArgument, TooLarge, TimeoutError
    """
    body = bytearray()
    async for chunk in chunks(request, patience):
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLarge(f"a request's body has at most {MOST_BYTES} bytes")
        try:
            HELD.note(request, len(body))
        except NoRoom:
            raise Unavailable("too many large bodies at the same time") from None
    if _has_many_values(body):
        raise TooLarge(f"a request's body has at most {MOST_VALUES} values")
    return await asyncio.to_thread(parsed, bytes(body))


def _has_many_values(body: bytearray) -> bool:
    """Tell by what stands before each value, and around each name and text in single quotes."""
    return (
        sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES or body.count(b"'") > 4 * MOST_VALUES
    )


def _why_not_read(body: bytes) -> str:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return "the request's body is not JSON in UTF-8"
    return "the request's body gives a name twice in one object, or is nested too deeply"


def parsed(body: bytes) -> dict[str, Any]:
    """Return the object in a body."""
    if not body.strip():
        return {}
    try:
        found, _was_single_quoted = loads(body.decode("utf-8"))
        # Halves of surrogate pairs are JSON, and no text: nothing could be told of them again.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise InvalidArgument(_why_not_read(body)) from None
    if not isinstance(found, dict):
        raise InvalidArgument("the request's body is not a JSON object")
    return found


def checked(version: str, message: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a body says, without fields that say nothing.

    Raises
    ------
    InvalidArgument
        With every field that is of another kind, or that the message does not have, and the nearest it has.
    """
    problems: list[tuple[str, str]] = []
    found = _message(version, message, body, "", problems)
    if problems:
        violations = [{"field": field, "description": text} for field, text in problems]
        raise InvalidArgument(
            "Invalid JSON payload received. " + " ".join(text for _, text in problems),
            [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}],
        )
    return found


def _message(
    version: str,
    message: str,
    given: Mapping[str, Any],
    path: str,
    problems: list[tuple[str, str]],
) -> dict[str, Any]:
    fields = messages(version)[message]
    found = {}
    for name, value in given.items():
        if len(problems) >= _MOST_PROBLEMS:
            break
        shown = _shown(name)
        at = f"{path}.{shown}" if path else shown
        kind = fields.get(_camel(name))
        if kind is None:
            problems.append((at, _unknown(shown, path, fields)))
        elif not _says_nothing(kind, value):
            found[_camel(name)] = _value(version, kind, value, at, problems)
    return {name: value for name, value in found.items() if value is not None}


_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "int32": (int, str),
    "int64": (int, str),
    "integer": (int, str),
    "object": (dict,),
    "any": (object,),
}


def _says_nothing(kind: str, value: Any) -> bool:
    """Tell whether a value is like none; what is empty is so only where it is of the field's kind."""
    if value in ("", [], {}):
        is_list = kind.startswith("[")
        kinds = (list,) if is_list else _SCALARS.get(kind, ())
        return isinstance(value, kinds)
    return value is None or value is False or value == 0


def _value(version: str, kind: str, value: Any, at: str, problems: list[tuple[str, str]]) -> Any:
    if kind.startswith("["):
        if isinstance(value, list):
            found = []
            for index, each in enumerate(value):
                if len(problems) >= _MOST_PROBLEMS:
                    break
                found.append(_value(version, kind[1:], each, f"{at}[{index}]", problems))
            return found
    elif kind in _SCALARS:
        if isinstance(value, _SCALARS[kind]) and (kind == "boolean" or not isinstance(value, bool)):
            return value
    elif kind == "DeidentifyConfig":
        # Judged as a whole by those who know what it means.
        if isinstance(value, dict):
            return value
    elif isinstance(value, dict):
        return _message(version, kind, value, at, problems)
    problems.append((at, f'Invalid value at "{at}".'))
    return None


def _unknown(shown: str, path: str, fields: Mapping[str, str]) -> str:
    nearest = difflib.get_close_matches(_camel(shown), fields, n=1)
    hint = f' Did you mean "{nearest[0]}"?' if nearest else ""
    where = f' at "{path}"' if path else ""
    return f'Unknown name "{shown}"{where}: Cannot find field.{hint}'


def _shown(name: str) -> str:
    """Return the name of a field as far as it looks like one: what is none may be anything."""
    return name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 64 else "?"


def _camel(name: str) -> str:
    plain = name.lstrip("_")  # `_type` and `_since` are called so
    first, *others = plain.split("_")
    leading = name[: len(name) - len(plain)]
    return leading + first + "".join(each[:1].upper() + each[1:] for each in others)


@cache
def messages(version: str) -> Mapping[str, Mapping[str, str]]:
    """Return the fields of every message that bodies may hold, with their kinds."""
    table = json.loads(files("daemon.healthcare").joinpath("messages.json").read_text("utf-8"))
    found: dict[str, dict[str, str]] = table[version]
    for message, fields in _OWN.items():
        if message in found or message == "OwnStreamConfig":
            found[message] = {**found.get(message, {}), **fields}
    return found
