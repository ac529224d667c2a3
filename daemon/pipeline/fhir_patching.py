"""A resource changed by a JSON Patch (RFC 6902), as strictly read as one that is sent whole.

All operations of a patch are done, or none. What it makes is written and read again, so that it is refused for
whatever a resource is refused for.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from daemon.pipeline.fhir_reading import read_document
from daemon.resources import PATCH_CONFLICT, PATCH_MALFORMED, ReadDocument
from deid.errors import Reason, Unsafe
from deid.fhir.decimals import MARK, is_decimal
from deid.fhir.reading import DEEPEST, read_resource, utf_8, write_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ENVELOPE: Final = b'{"resourceType":"Parameters","patch":'
_MOST_OPERATIONS: Final = 1000
_MOST_COPIED: Final = 1_000_000
"""Values that a patch copies in all: each copy may be of all that there is."""
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_ODD_TILDE: Final = re.compile(r"~(?![01])")
_OURS: Final = ("versionId", "lastUpdated")


class _Malformed(Exception):
    """It is no patch."""


class _Conflict(Exception):
    """The resource is not as the patch takes it to be."""


def read_patched(resource: bytes, patch: bytes) -> ReadDocument:
    """Return what a resource of a store says after a patch.

    The reason of what cannot be read is `PATCH_MALFORMED` (it is no patch), `PATCH_CONFLICT` (an operation's
    place is not there, or its test fails), or one of `deid.fhir.reading`; where, the number of the operation.
    """
    try:
        operations = _operations(patch)
    except Unsafe as unsafe:
        return ReadDocument(reason=PATCH_MALFORMED, where=unsafe.reason.value)
    except _Malformed:
        return ReadDocument(reason=PATCH_MALFORMED)
    value: Any = read_resource(resource)
    patching = _Patching()
    for number, operation in enumerate(operations, 1):
        where = f"operation {number}"
        try:
            value = patching.done(value, operation)
        except _Malformed:
            return ReadDocument(reason=PATCH_MALFORMED, where=where)
        except _Conflict:
            return ReadDocument(reason=PATCH_CONFLICT, where=where)
        except Unsafe as unsafe:
            return ReadDocument(reason=unsafe.reason.value, where=where)
    if not isinstance(value, dict):
        return ReadDocument(reason=Reason.NOT_FHIR.value)
    if isinstance(meta := value.get("meta"), dict):
        # They are of the version that was; what the new one has is not for a patch to say.
        value["meta"] = {name: each for name, each in meta.items() if name not in _OURS}
    return read_document(write_resource(value), {})


def _operations(patch: bytes) -> Sequence[Mapping[str, Any]]:
    envelope = read_resource(_ENVELOPE + utf_8(patch) + b"}")
    found = envelope.get("patch")
    if len(envelope) != 2 or not isinstance(found, list) or len(found) > _MOST_OPERATIONS:
        raise _Malformed
    if not all(isinstance(each, dict) for each in found):
        raise _Malformed
    return found


class _Patching:
    """Does operations, and counts what they copy."""

    def __init__(self) -> None:
        self._left = _MOST_COPIED
        self._by_name: dict[str, Callable[[Any, Sequence[str], Mapping[str, Any]], Any]] = {
            "add": lambda value, path, said: _added(value, path, self._given(said)),
            "remove": lambda value, path, _said: _removed(value, path)[0],
            "replace": self._replace,
            "move": self._move,
            "copy": self._copy,
            "test": self._test,
        }

    def done(self, value: Any, operation: Mapping[str, Any]) -> Any:
        """Return a document after an operation."""
        name = operation.get("op")
        do = self._by_name.get(name) if isinstance(name, str) else None
        if do is None:
            raise _Malformed
        return do(value, _pointer(operation, "path"), operation)

    def _given(self, operation: Mapping[str, Any]) -> Any:
        if "value" not in operation:
            raise _Malformed
        return self._copied(operation["value"], 0)

    def _replace(self, value: Any, path: Sequence[str], operation: Mapping[str, Any]) -> Any:
        given = self._given(operation)
        _at(value, path)
        if path and isinstance(parent := _at(value, path[:-1]), list):
            parent[_place(path[-1], len(parent) - 1)] = given
            return value
        return _added(value, path, given)

    def _move(self, value: Any, path: Sequence[str], operation: Mapping[str, Any]) -> Any:
        start = _pointer(operation, "from")
        if len(start) < len(path) and list(path[: len(start)]) == list(start):
            raise _Malformed  # into itself
        value, moved = _removed(value, start)
        return _added(value, path, self._copied(moved, len(path)))

    def _copy(self, value: Any, path: Sequence[str], operation: Mapping[str, Any]) -> Any:
        found = _at(value, _pointer(operation, "from"))
        return _added(value, path, self._copied(found, len(path)))

    def _test(self, value: Any, path: Sequence[str], operation: Mapping[str, Any]) -> Any:
        if "value" not in operation:
            raise _Malformed
        if not _are_equal(_at(value, path), operation["value"]):
            raise _Conflict
        return value

    def _copied(self, value: Any, depth: int) -> Any:
        """Return a copy; the same thing must not stand twice in what later operations change."""
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise Unsafe(Reason.NESTING_TOO_DEEP)
        if isinstance(value, dict):
            return {name: self._copied(each, depth + 1) for name, each in value.items()}
        if isinstance(value, list):
            return [self._copied(each, depth + 1) for each in value]
        return value


def _pointer(operation: Mapping[str, Any], name: str) -> list[str]:
    """Return the parts of a JSON Pointer (RFC 6901)."""
    text = operation.get(name)
    if not isinstance(text, str) or (text and text[0] != "/") or _ODD_TILDE.search(text):
        raise _Malformed
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list):
            value = value[_place(part, len(value) - 1)]
        else:
            raise _Conflict
    return value


def _place(part: str, last: int) -> int:
    if not _INDEX.fullmatch(part) or int(part) > last:
        raise _Conflict
    return int(part)


def _added(value: Any, path: Sequence[str], new: Any) -> Any:
    if not path:
        return new
    parent, name = _at(value, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[name] = new
    elif isinstance(parent, list):
        parent.insert(len(parent) if name == "-" else _place(name, len(parent)), new)
    else:
        raise _Conflict
    return value


def _removed(value: Any, path: Sequence[str]) -> tuple[Any, Any]:
    """Return a document without what stands at a place, and that."""
    found = _at(value, path)
    if not path:
        return None, found
    parent = _at(value, path[:-1])
    del parent[path[-1] if isinstance(parent, dict) else int(path[-1])]
    return value, found


def _are_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same (RFC 6902, 4.6): numbers by what they are, however written."""
    if is_decimal(one) and is_decimal(other):
        return _number(one) == _number(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _are_equal(each, other[name]) for name, each in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_are_equal, one, other))
    return type(one) is type(other) and bool(one == other)


def _number(value: int | str) -> Decimal:
    return Decimal(str(value).removeprefix(MARK))
