"""What is asked for by ``$export``: which resources, changed since when (Bulk Data Access 2.0.0, 2.1).

A parameter that would let less pass and is not known is refused, as in a search; a client that says
``Prefer: handling=lenient`` rather gets all than nothing, as the guide has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.fhir.bodies import NDJSON
from daemon.fhir.errors import BadRequest
from daemon.resources import span_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_FORMATS: Final = frozenset({NDJSON, "application/ndjson", "ndjson"})
_IGNORED: Final = frozenset({"_format", "_pretty"})
_LENIENT: Final = re.compile(r"(?:^|[,;])\s*handling\s*=\s*\"?lenient\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Export:
    """What is asked for.

    Attributes
    ----------
    types
        Of resources; none is any.
    since_ms
        They were changed after this.
    """

    types: tuple[str, ...] = ()
    since_ms: int = -1


def parse(pairs: Iterable[tuple[str, str]], prefer: str, known_types: Collection[str]) -> Export:
    """Return what parameters ask for.

    Parameters
    ----------
    prefer
        The header fields ``Prefer``, with commas between.

    Raises
    ------
    BadRequest
        Naming the parameter.
    """
    types: dict[str, None] = {}
    since: str | None = None
    for name, value in pairs:
        if name == "_type":
            types |= dict.fromkeys(each for each in value.split(",") if each)
        elif name == "_since":
            if since not in (None, value):
                raise BadRequest("_since stands twice")
            since = value
        elif name == "_outputFormat":
            # A plus sign in a query string means a space; no media type has one.
            if value.replace(" ", "+") not in _FORMATS:
                raise BadRequest(f"_outputFormat is {NDJSON} only")
        elif name not in _IGNORED and not _LENIENT.search(prefer):
            raise BadRequest("only _type, _since and _outputFormat are supported by $export")
    if not set(known_types).issuperset(types):
        raise BadRequest("_type names a type that R4 does not have")
    return Export(tuple(types), _moment(since) if since else -1)


def _moment(text: str) -> int:
    span = span_of(text.replace(" ", "+"))
    if span is None:
        raise BadRequest("_since is a time, as in 2020-01-31T23:59:59Z")
    return span.first_ms
