"""Bytes to resources: one resource, a Bundle, or NDJSON; strictly, as what a reader guesses another may not.

Fast parsers keep the last of two equal names in silence, so that a filter judges one value and a viewer shows
the other. Such documents are refused before anything walks through them, as are nesting beyond 64, numbers that
are no decimals of FHIR, and texts that are no Unicode.
"""

from __future__ import annotations

import codecs
import gc
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import orjson

from deid.errors import Reason, Unsafe
from deid.fhir.decimals import has_refused, marked, marked_exactly, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterator

Resource = dict[str, Any]
"""A resource as JSON gives it, with decimals as `deid.fhir.decimals` says."""

DEEPEST: Final = 64
_DEEP: Final = b"\n" + b" " * (2 * DEEPEST)
"""How a line begins in a document of that depth, written with two spaces a level."""
_ODD_ESCAPE: Final = re.compile(rb"\\u00(?:[01][0-8bBcCeEfF]|3[aA]|7[fF])")
"""Control characters, which no string of FHIR may hold (R4 2.24.0.1); and the colon, which is counted."""
_LONG_NUMBER: Final = re.compile(rb'": -?(?:\d{18}|[\d.]+e)')
"""As a member's value is written; what is longer yet was read as a float, which no other value is then."""
_MOST_DIGITS: Final = 18
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS: Final = b"0" * _MOST_DIGITS
_VERY_LONG: Final = re.compile(rb"\d{300}")
"""More than a float holds."""
_HEAD: Final = 4096
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Kind(StrEnum):
    """How resources stand in a document."""

    RESOURCE = "resource"
    BUNDLE = "bundle"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read: one resource, one Bundle, or the resources of NDJSON in their order."""

    kind: Kind
    resources: tuple[Resource, ...]


def read(source: bytes) -> Document:
    """Read a document whole.

    Raises
    ------
    Unsafe
        NOT_FHIR, CHARACTER_ENCODING, MALFORMED, TRUNCATED, DUPLICATE_NAME, NESTING_TOO_DEEP or
        NUMBER_REFUSED; `where` is an offset, a line, or a name of FHIR's.
    """
    text = utf_8(source)
    if is_ndjson(text):
        lines = [line for line in text.splitlines() if line.strip()]
        return Document(
            Kind.NDJSON,
            tuple(read_resource(line, f"line {at}") for at, line in enumerate(lines, 1)),
        )
    resource = read_resource(text)
    kind = Kind.BUNDLE if resource["resourceType"] == "Bundle" else Kind.RESOURCE
    return Document(kind, (resource,))


def write(document: Document) -> bytes:
    """Return a document's bytes, in the form that it was read in."""
    lines = [write_resource(resource) for resource in document.resources]
    return b"".join(line + b"\n" for line in lines) if document.kind is Kind.NDJSON else lines[0]


def read_resource(text: bytes, where: str = "") -> Resource:
    """Read one resource or Bundle in UTF-8; see `read`."""
    with collector_at_rest():
        value = _loaded(text, where)
    if type(value) is not dict or type(value.get("resourceType")) is not str:
        raise Unsafe(Reason.NOT_FHIR, where)
    return value


def write_resource(resource: Resource) -> bytes:
    """Return a resource's JSON, compact, with its decimals as they came in."""
    return unmarked(orjson.dumps(resource))


def looks_like_fhir(head: bytes) -> bool:
    """Whether a file that begins like this (4 KiB are enough) is FHIR JSON, going by its content."""
    try:
        text = utf_8(head[: len(head) & ~1]).lstrip() if head[:2] in _UTF_16 else head
    except Unsafe:
        return False
    text = text.removeprefix(codecs.BOM_UTF8).lstrip()
    return text[:1] == b"{" and _RESOURCE_TYPE.search(text[:_HEAD]) is not None


_RESOURCE_TYPE: Final = re.compile(rb'"resourceType"\s*:\s*"[A-Z][A-Za-z]{1,63}"')


def is_ndjson(text: bytes) -> bool:
    """Whether a document has a resource to each line rather than one over all of them."""
    first, _newline, rest = text.lstrip().partition(b"\n")
    if not rest.strip() or not first.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def utf_8(source: bytes) -> bytes:
    """Return a document in UTF-8 without a byte order mark: from UTF-8, or UTF-16 with its mark, whole."""
    if source[:2] in _UTF_16:
        try:
            text = source.decode("utf-16")
        except UnicodeError:
            raise Unsafe(Reason.CHARACTER_ENCODING) from None
        if not text.lstrip(" \t\r\n").startswith("{"):  # the mark alone was UTF-16
            raise Unsafe(Reason.CHARACTER_ENCODING)
        return text.encode("utf-8")
    source = source.removeprefix(codecs.BOM_UTF8)
    if b"\x00" in source[:_HEAD] or codecs.BOM_UTF8 in source[:8]:
        raise Unsafe(Reason.CHARACTER_ENCODING)
    return source


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let the collector of cycles rest while many containers are made, none of them in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _loaded(text: bytes, where: str) -> Any:
    if _ODD_ESCAPE.search(text) is not None:
        _refuse_odd(text, where)
    numbered = marked(text)
    try:
        value = orjson.loads(numbered)
    except orjson.JSONDecodeError:
        numbered = marked_exactly(text)
        value = _loads(numbered, text, where)
    if has_refused(numbered):
        raise Unsafe(Reason.NUMBER_REFUSED, where)
    # A member that was dropped takes a colon with it; what is written has no escaped ones.
    try:
        again = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:  # it writes less deep than it reads
        raise Unsafe(Reason.NESTING_TOO_DEEP, where) from None
    is_long = _MANY_DIGITS in text.translate(_DIGITS) and _LONG_NUMBER.search(again) is not None
    if is_long or again.count(b":") != text.count(b":"):
        _refuse_odd(text, where)
    if _DEEP in again:
        raise Unsafe(Reason.NESTING_TOO_DEEP, where)
    return value


def _loads(text: bytes, original: bytes, where: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unsafe(_why_unreadable(original, str(error)), where) from None


def _why_unreadable(text: bytes, said: str) -> Reason:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        is_cut = error.end >= len(text) and "unexpected end" in error.reason
        return Reason.TRUNCATED if is_cut else Reason.CHARACTER_ENCODING
    if "surrogate" in said:
        return Reason.CHARACTER_ENCODING
    if "recursion" in said.lower() or "depth" in said.lower():
        return Reason.NESTING_TOO_DEEP
    try:
        json.loads(decoded, parse_constant=_constant, parse_int=str, parse_float=str)
    except RecursionError:
        return Reason.NESTING_TOO_DEEP
    except json.JSONDecodeError as error:
        rest = decoded[error.pos :]
        is_cut = not rest.strip() or error.msg.startswith("Unterminated string")
        return Reason.TRUNCATED if is_cut else Reason.MALFORMED
    except ValueError:
        return Reason.NUMBER_REFUSED
    return Reason.NUMBER_REFUSED if _VERY_LONG.search(text) else Reason.MALFORMED


def _constant(_name: str) -> None:
    raise ValueError


def _refuse_odd(text: bytes, where: str) -> None:
    """Refuse a name twice in one object, control characters, and whole numbers that readers round."""

    def once_each(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _value in pairs}) < len(pairs):
            raise Unsafe(Reason.DUPLICATE_NAME, where)
        for name, value in pairs:
            _refuse_value(name, where)
            for each in value if isinstance(value, list) else (value,):
                _refuse_value(each, where)

    def whole(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise Unsafe(Reason.NUMBER_REFUSED, where)
        return int(digits)

    try:
        json.loads(text, object_pairs_hook=once_each, parse_float=str, parse_int=whole)
    except RecursionError:
        raise Unsafe(Reason.NESTING_TOO_DEEP, where) from None
    except UnicodeDecodeError:
        raise Unsafe(Reason.CHARACTER_ENCODING, where) from None
    except ValueError as error:
        raise Unsafe(_why_unreadable(text, str(error)), where) from None


_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _refuse_value(value: Any, where: str) -> None:
    if isinstance(value, str) and _CONTROL.search(value):
        raise Unsafe(Reason.MALFORMED, where)
