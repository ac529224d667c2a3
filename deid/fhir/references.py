"""The forms in which a resource names another (R4 2.3): relative, absolute, by UUID or OID, conditional.

An *address* is how we name a resource wherever it stands: ``Patient/17``, ``urn:uuid:...``, ``urn:oid:...``.
The base of a server is no part of it: the same resource is named with and without one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from deid.tables.fhir import fhir_resources

_LITERAL: Final = re.compile(
    r"(?P<base>(?:https?|ftp)://[^\s?#]*?/|/)?(?P<type>[A-Z][A-Za-z]{2,63})/(?P<id>[^\s/?#]{1,128})"
    r"(?:/_history/(?P<version>[^\s/?#]{1,64}))?(?P<fragment>#[^\s]*)?\Z"
)
_CONDITIONAL: Final = re.compile(
    r"(?P<base>(?:https?|ftp)://[^\s?#]*?/|/)?(?P<type>[A-Z][A-Za-z]{2,63})/?\?(?P<query>[^\s]*)\Z"
)
_URN: Final = re.compile(
    r"urn:(?P<kind>uuid|oid):(?P<value>[0-9A-Za-z.\-]{1,128})\Z", re.IGNORECASE
)


class Literal(NamedTuple):
    """A reference to one resource of a server."""

    base: str
    type: str
    id: str
    version: str

    @property
    def address(self) -> str:
        """The address that it names."""
        return f"{self.type}/{self.id}"


class Conditional(NamedTuple):
    """A reference to the one resource that a search finds: type, and the search's parameters in order."""

    base: str
    type: str
    parameters: tuple[tuple[str, str], ...]

    def identifiers(self) -> list[tuple[str, str]]:
        """Return system and value of each identifier that the search names."""
        return [
            split_token(value)
            for name, value in self.parameters
            if name.split(":")[0] == "identifier"
        ]


class Urn(NamedTuple):
    """A reference by a name that the whole world has once: ``uuid`` or ``oid``, and the value."""

    kind: str
    value: str

    @property
    def address(self) -> str:
        """The address that it names."""
        return f"urn:{self.kind}:{self.value}"


class Fragment(NamedTuple):
    """A reference to a contained resource; an empty id is the container itself."""

    id: str


Reference = Literal | Conditional | Urn | Fragment


@lru_cache(maxsize=4096)
def parse_reference(text: str) -> Reference | None:
    """Return what a reference says, None when it has none of the forms."""
    if text[:1] == "#":
        return Fragment(text[1:])
    if text[:4].lower() == "urn:":
        urn = _URN.match(text)
        return Urn(urn["kind"].lower(), urn["value"].lower()) if urn else None
    literal = _LITERAL.match(text)
    if literal and literal["type"] in fhir_resources():
        return Literal(
            literal["base"] or "", literal["type"], unquote(literal["id"]), literal["version"] or ""
        )
    conditional = _CONDITIONAL.match(text)
    if conditional and conditional["type"] in fhir_resources():
        return Conditional(
            conditional["base"] or "", conditional["type"], parse_query(conditional["query"])
        )
    return None


def parse_query(query: str) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a search, unescaped, in their order."""
    pairs = (each.partition("=") for each in query.split("&") if each)
    return tuple((unquote(name), unquote(value.replace("+", " "))) for name, _is, value in pairs)


def split_token(value: str) -> tuple[str, str]:
    """Return system and value of a token parameter (R4 3.1.1.5.9): ``system|value``, or a value alone."""
    system, stroke, rest = value.partition("|")
    return (system, rest) if stroke else ("", value)


def address_of(text: str) -> str:
    """Return the address that a reference names, empty for one that names none by itself."""
    parsed = parse_reference(text)
    return parsed.address if isinstance(parsed, Literal | Urn) else ""
