"""The FHIR resources that travel between the web services, the workers and the stores.

Only a worker parses what came from outside. What it hands on of a resource is its content in two parts and
what searches look it up by; nobody after it has to parse anything again.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from deid.fhir.ties import Ties

_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
HIGHEST_TIME_MS: Final = (1 << 53) - 1
"""Stands for an end that is open, in milliseconds since 1970."""


class Method(StrEnum):
    """What made a version of a resource."""

    CREATE = "POST"
    UPDATE = "PUT"
    DELETE = "DELETE"


class Token(NamedTuple):
    """A value that searches compare as it is: an identifier, a code, a reference.

    Attributes
    ----------
    name
        The search parameter.
    value
        The code, the identifier's value, or a reference as ``Type/id`` or an absolute address.
    system
        May be empty.
    """

    name: str
    value: str
    system: str = ""


class Span(NamedTuple):
    """When it is, in milliseconds since 1970: from the first to the last of what a date may mean."""

    first_ms: int
    last_ms: int


ANY_TIME: Final = Span(-HIGHEST_TIME_MS, HIGHEST_TIME_MS)
COMPARTMENT: Final = "_compartment"
"""In place of a search parameter: a patient in whose compartment a resource is (FHIR R4, 2.43.1).

Beside those whom `patient` and `subject` name."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a version of a resource says.

    Attributes
    ----------
    meta, rest
        The inside of the JSON object ``meta`` without ``versionId`` and ``lastUpdated``, and of that of the
        resource without ``resourceType``, ``id`` and ``meta``: members between commas, in their order, numbers
        as they were written. Either may be empty.
    tokens, dates
        What searches find it by.
    """

    type: str
    meta: bytes
    rest: bytes
    tokens: tuple[Token, ...] = ()
    dates: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceVersion:
    """A version of a resource as a store keeps it.

    Attributes
    ----------
    number
        Of its resource, which counts resources of a store in the order of storing.
    version
        Counted from 1.
    updated_ms
        When it was stored, in milliseconds since 1970.
    deidentifier
        Who made it; empty for what was received.
    """

    number: int
    type: str
    id: str
    version: int
    updated_ms: int
    method: Method
    meta: bytes = b""
    rest: bytes = b""
    deidentifier: str = ""

    @property
    def is_deleted(self) -> bool:
        """Whether this version says that there is no resource any more."""
        return self.method is Method.DELETE

    @property
    def size(self) -> int:
        """How many bytes of text it has."""
        return len(self.meta) + len(self.rest)


class DateTest(StrEnum):
    """How a date is compared (FHIR R4, 3.1.1.4.5); the first has no prefix in a search, either."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    GREATER = "gt"
    LESS = "lt"
    GREATER_OR_EQUAL = "ge"
    LESS_OR_EQUAL = "le"
    STARTS_AFTER = "sa"
    ENDS_BEFORE = "eb"
    APPROXIMATELY = "ap"


class TokenTest(NamedTuple):
    """One of the tokens that a search lets pass.

    Attributes
    ----------
    value
        None lets any value of the system pass.
    system
        None lets any system pass; empty, only a token without one.
    """

    value: str | None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """Passes resources that have one of these tokens under a name."""

    name: str
    any_of: tuple[TokenTest, ...]


@dataclass(frozen=True, slots=True)
class DateFilter:
    """Passes resources with a date for which one of these tests holds.

    Attributes
    ----------
    is_of_update
        Whether the time of the last update is meant, not a date that the resource tells.
    """

    any_of: tuple[tuple[DateTest, Span], ...]
    is_of_update: bool = False


@dataclass(frozen=True, slots=True)
class IdFilter:
    """Passes resources by their ids."""

    any_of: tuple[str, ...]


Filter = TokenFilter | DateFilter | IdFilter


class Order(StrEnum):
    """In which order a search answers."""

    STORED = ""
    UPDATED = "_lastUpdated"
    UPDATED_LAST_FIRST = "-_lastUpdated"


_MOST_NUMBER: Final = (1 << 63) - 1
"""Of a row: its store's number stands in the upper bits."""
_MOST_DIGITS: Final = len(str(_MOST_NUMBER))


def number_in(text: str) -> int | None:
    """Return a number that a row may have, None for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    number = int(text)
    return number if number <= _MOST_NUMBER else None


ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""What the id of a resource looks like (R4 2.24.0.1)."""
PAGE_BYTES: Final = 16 << 20
"""Of resources that are in memory together: each of a page of a thousand may be as long as any."""


class Place(NamedTuple):
    """Where a page of a search ended."""

    number: int
    updated_ms: int = 0


@dataclass(frozen=True, slots=True)
class ResourceQuery:
    """A search in one store; all filters have to hold.

    Attributes
    ----------
    after
        Where the page before ended; None is the first page.
    limit
        Most resources to answer; may be 0.
    """

    type: str
    filters: tuple[Filter, ...] = ()
    order: Order = Order.STORED
    after: Place | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Everything:
    """What is asked for of a patient: the patient, what refers to him, and what he refers to.

    Attributes
    ----------
    patient_id
        The patient's.
    referred
        Type and id of each resource that the patient refers to.
    types
        Of resources to answer; none is any.
    since_ms
        When they were updated at the earliest; 0 is any time.
    care
        When what they tell of has to have been, as far as they say when that was.
    after
        The number of the resource at which the page before ended; 0 is the first page.
    limit
        Most resources to answer.
    """

    patient_id: str
    referred: tuple[tuple[str, str], ...] = ()
    types: tuple[str, ...] = ()
    since_ms: int = 0
    care: Span = ANY_TIME
    after: int = 0
    limit: int = 100


PATCH_MALFORMED: Final = "patch_malformed"
PATCH_CONFLICT: Final = "patch_conflict"
"""Reasons of a `ReadDocument`: the body is no patch; the resource is not as the patch takes it to be."""
BY_ISSUE: Final = 10**15
"""Added to the time at which a version was issued, where nothing says when it was updated."""
BY_COUNT: Final = 2 * 10**15
"""Added to the number of a version, where no time stands beside it."""


def is_later(stated: int, than: int) -> bool | None:
    """Whether what a version says of its time is later than what another says; None where nobody knows.

    Each is a time in milliseconds since 1970, with `BY_ISSUE` or `BY_COUNT` for what is no time of an update:
    those are compared with their like only. 0 says nothing.
    """
    if not stated or not than or stated == than or stated // BY_ISSUE != than // BY_ISSUE:
        return None
    return stated > than


@dataclass(frozen=True, slots=True)
class ReadResource:
    """A resource of a document, as a worker read it.

    Attributes
    ----------
    id
        As the resource says; may be empty.
    unresolved
        References that only who stores it can resolve: to entries of its Bundle, and conditional ones.
    ties
        What it says of its place among others: original values.
    identifiers
        What it tells of people, infoType and value: original values.
    stated_ms
        When it was last updated, as it says itself (`is_later`); 0 where it does not.
    """

    id: str
    content: Content
    ties: Ties
    unresolved: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, str], ...] = ()
    stated_ms: int = 0


@dataclass(frozen=True, slots=True)
class ToRetell:
    """A resource with all that its results are made of.

    Attributes
    ----------
    wanted
        What its results are to be made of (`daemon.store.sidecar_rows.SidecarRow`).
    patient, addresses
        The identity of the patient, and what means him in references; empty where no study says.
    known
        What is known of people from the instances of its studies and from other resources of theirs.
    around
        The patients that it refers to, where no study says who they are.
    """

    number: int
    wanted: str
    deidentifiers: tuple[str, ...]
    patient: str
    addresses: tuple[str, ...]
    known: tuple[tuple[str, str], ...]
    around: tuple[bytes, ...]
    resource: bytes


@dataclass(frozen=True, slots=True)
class RetoldResource:
    """A result: what a deidentifier made of a resource, and the id that it has now.

    `outcome` says in JSON what was done to which element, without any original value.
    """

    deidentifier: str
    id: str
    content: Content
    outcome: bytes = b""


@dataclass(frozen=True, slots=True)
class Retold:
    """What became of a resource that was to be de-identified.

    Attributes
    ----------
    number, wanted
        Which one, and what it was to be made of (`daemon.store.sidecar_rows.SidecarRow`).
    reason
        Why nothing of it may pass, or empty.
    where
        The place in it, without a value.
    """

    number: int
    wanted: str
    outputs: tuple[RetoldResource, ...] = ()
    reason: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry of a Bundle that asks for something; all may be empty.

    Attributes
    ----------
    full_url
        What other entries call it.
    method, url, if_match, if_none_exist, if_none_match
        Of ``Bundle.entry.request``.
    """

    full_url: str = ""
    method: str = ""
    url: str = ""
    if_match: str = ""
    if_none_exist: str = ""
    if_none_match: str = ""
    resource: ReadResource | None = None


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a worker read of a request's body.

    Attributes
    ----------
    bundle_type
        Empty for a single resource, which is the only entry then.
    reason
        Why it cannot be read, and nothing else is told; or empty.
    where
        The place in it, without a value.
    pieces
        Of a file that is too large for one answer, and has no entries here: how many pieces of it the worker
        wrote (`daemon.pipeline.fhir_large`).
    total
        How many entries these have.
    """

    entries: tuple[ReadEntry, ...] = ()
    bundle_type: str = ""
    reason: str = ""
    where: str = ""
    pieces: int = 0
    total: int = 0


def span_of(text: str) -> Span | None:
    """Return what a date may mean, from year to fraction of a second; None if it is none.

    Without an offset it is taken as UTC.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        first = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            min(int(second or 0), 59),
            tzinfo=_zone(zone),
        )
    except ValueError:
        return None
    if fraction:
        digits = fraction[:3].ljust(3, "0")
        first_ms = _ms(first) + int(digits)
        return Span(first_ms, first_ms + 10 ** max(0, 3 - len(fraction)) - 1)
    if second:
        length = timedelta(seconds=1)
    elif hour:
        length = timedelta(minutes=1)
    elif day:
        length = timedelta(days=1)
    elif month:
        length = timedelta(days=calendar.monthrange(first.year, first.month)[1])
    else:
        length = timedelta(days=366 if calendar.isleap(first.year) else 365)
    return Span(_ms(first), _ms(first) + length // timedelta(milliseconds=1) - 1)


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
