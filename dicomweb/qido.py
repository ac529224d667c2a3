"""Search (QIDO-RS): from a query string to a `Query`, from matches to a response (PS3.18 8.3.4, 10.6).

Decisions the standard leaves open:

* Nothing found is 200 with ``[]`` (PS3.18 2026a dropped 204).
* An attribute of a lower level matches what has it in a series or an instance below.
* A parameter that we cannot match on is ignored, as 8.3 wants, and named in a ``Warning: 299`` header; so is an
  includefield that is no attribute, or none that a study or series has; of instances all can be had.
  A value that is malformed for a parameter that we know is 400. Values are never repeated.
* ``limit``, ``offset`` and ``fuzzymatching`` that are given twice have to say the same; else it is 400, as
  nobody knows which of them is meant: servers take the first, or the last.
* Without ``sort``, an extension, the newest study comes first, and its instances as they were stored.
* More results than the service gives in one answer: the first page, and a ``Warning: 299``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

import orjson

from dicomweb.attributes import (
    COMPUTED,
    DEFAULTS,
    MATCHABLE,
    SEARCHABLE,
    SORTABLE,
    VR_OF_KEY,
    normalise,
    tag_of,
    tags_of,
    words_wanted,
)
from dicomweb.attributes import LEVELS as LEVEL_KEYWORDS
from dicomweb.dictionary import keyword_for_tag
from dicomweb.errors import BadRequest
from dicomweb.ports import Match, Query, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dicomweb.ports import Level

LEVELS: Final[tuple[Level, ...]] = ("study", "series", "instance")
MAX_SORT_KEYS: Final = 8
MAX_VALUES: Final = 512
"""Different values of one parameter, other than UIDs, of which lists are long: SQLite takes a thousand."""
MAX_UIDS: Final = 10_000
"""Different UIDs of all parameters: a search that is posted has room for more than SQLite takes."""
MAX_WORDS: Final = 64
"""Different words of one name in a fuzzy search: each is a condition of its own."""
_MOST_WARNINGS: Final = 20
MAX_OFFSET: Final = 2**31 - 1
_UID: Final = re.compile(r"[0-9.]{1,64}")
_UID_STARTS: Final = b':{"vr":"UI","Value":["'
_UID_ENDS: Final = b'"]}'
_OF_UIDS: Final = b"0123456789."
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_NAME: Final = re.compile(r"[0-9A-Za-z]{1,64}(?:\.[0-9A-Za-z]{1,64}){0,8}")
_DATE: Final = r"(?:[0-9]{8}|[0-9]{4}\.[0-9]{2}\.[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2})"
_TIME: Final = r"(?:[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,6})?)?)?)"
_PATTERNS: Final = {
    "DA": re.compile(rf"{_DATE}|{_DATE}-(?:{_DATE})?|-{_DATE}|\*"),
    "TM": re.compile(rf"{_TIME}|{_TIME}-(?:{_TIME})?|-{_TIME}|\*"),
    "IS": re.compile(r"[+-]?[0-9]{1,12}|\*"),
    "UI": re.compile(r"[0-9.]{1,64}|\*"),
}
_EXPECTED: Final = {
    "DA": "a date YYYYMMDD or a range of dates with a hyphen",
    "TM": "a time HHMMSS or a range of times with a hyphen",
    "IS": "an integer",
    "UI": "a UID or a list of UIDs",
}
_LISTS: Final = frozenset({"UI"})
_LIST_KEYWORDS: Final = frozenset({"ModalitiesInStudy", "Modality"})
# Not attributes: representation (PS3.18 8.3.3), and what Google's clients add to every request.
_OTHER_PARAMETERS: Final = frozenset(
    {
        *("accept", "charset", "alt", "prettyprint", "key", "fields", "quotauser", "callback"),
        *("access_token", "oauth_token", "uploadtype", "upload_protocol", "$.xgafv"),
    }
)
_UNSUPPORTED_SWITCHES: Final = ("emptyvaluematching", "multiplevaluematching")
_RETRIEVE_URL: Final = b'"00081190"'
_AVAILABILITY: Final = b'"00080056":{"vr":"CS","Value":["ONLINE"]}'
_UID_TAGS: Final[Mapping[Level, bytes]] = {
    "study": b'"0020000D"',
    "series": b'"0020000E"',
    "instance": b'"00080018"',
}
_COLLECTIONS: Final[Mapping[Level, str]] = {
    "study": "studies",
    "series": "series",
    "instance": "instances",
}


@dataclass(frozen=True, slots=True)
class Search:
    """A request for a search, understood.

    Attributes
    ----------
    query
        What to ask the store; its limit is one more than will be answered, to see whether there is more.
    limit
        How many matches to answer.
    wanted
        Tags to answer beyond what `Match.defaults` has, or None for all attributes.
    warnings
        What was not done as asked, for ``Warning: 299``.
    """

    query: Query
    limit: int
    capped: bool
    wanted: frozenset[bytes] | None
    warnings: tuple[str, ...] = field(default_factory=tuple)


def parse(
    level: Level,
    within: Resource | None,
    parameters: Iterable[tuple[str, str]],
    *,
    max_results: int,
) -> Search:
    """Understand a query string.

    Parameters
    ----------
    parameters
        Names and values, percent-decoded, in their order.

    Raises
    ------
    BadRequest
        If a known parameter has a malformed value.
    """
    matches: dict[str, list[str]] = {}
    include: set[str] = set()
    further: dict[str, str] = {}
    warnings: list[str] = []
    include_all = False
    once: dict[str, int] = {}
    sort: list[tuple[str, bool]] = []
    for name, value in parameters:
        lower = name.lower()
        if lower in _ONCE:
            meant = _ONCE[lower](name, value)
            if once.setdefault(lower, meant) != meant:
                raise BadRequest(f"{lower} is given twice, and not the same")
        elif lower == "sort":
            sort += _sort_keys(level, value)
        elif lower == "includefield":
            fields = [part.strip() for part in value.split(",")]
            include_all |= "all" in fields
            named = {tag: part for part in fields if (tag := _included_tag(part))}
            include.update(named)
            further |= {tag: part for tag, part in named.items() if tag not in _told_tags(level)}
            if any(part and part != "all" and _included_tag(part) is None for part in fields):
                warnings.append("An includefield is no attribute and was ignored.")
        elif lower in _UNSUPPORTED_SWITCHES:
            if _boolean(name, value):
                warnings.append(f"The {lower} parameter is not supported.")
        elif lower not in _OTHER_PARAMETERS:
            keyword = _keyword(name)
            if keyword in MATCHABLE:
                matches.setdefault(keyword, []).extend(_values(keyword, value))
                if keyword in SEARCHABLE[level]:
                    include.add(tag_of(keyword.partition(".")[0]))
            else:
                shown = name if _NAME.fullmatch(name) else "given"
                warnings.append(
                    f"The {shown} parameter is not supported for this search and was ignored."
                )
    if level != "instance":
        warnings += [
            f"The includefield {name} is no attribute of this level and was ignored."
            for name in further.values()
        ]
    is_fuzzy = bool(once.get("fuzzymatching"))
    if is_fuzzy:
        _refuse_many_words(matches)
    asked = once.get("limit", max_results + 1)
    capped = asked > max_results
    limit = min(asked, max_results)
    answered = _answered_tags(level, within)
    extra = frozenset(tag.encode() for tag in include) - answered
    wanted = None if include_all else answered | extra
    query = Query(
        level=level,
        matches=_different(matches),
        within=within,
        fuzzy=is_fuzzy,
        limit=limit + 1,
        offset=once.get("offset", 0),
        sort=tuple(sort[:MAX_SORT_KEYS]),
        with_attributes=include_all or bool(extra),
        also=frozenset(further) if level == "instance" else frozenset(),
    )
    told = tuple(dict.fromkeys(warnings))
    return Search(query, limit, capped, wanted, told[:_MOST_WARNINGS])


def _different(matches: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return each value once, of the parameters that have any."""
    found = {}
    for keyword, values in matches.items():
        if not any(values):
            continue
        found[keyword] = list(dict.fromkeys(values))
        if len(found[keyword]) > MAX_VALUES and VR_OF_KEY[keyword] not in _LISTS:
            raise BadRequest(f"more than {MAX_VALUES} values of {keyword}")
    uids = (values for keyword, values in found.items() if VR_OF_KEY[keyword] in _LISTS)
    _refuse_many_uids(sum(map(len, uids)))
    return found


def _refuse_many_uids(count: int) -> None:
    if count > MAX_UIDS:
        raise BadRequest(f"more than {MAX_UIDS} UIDs")


def _refuse_many_words(matches: Mapping[str, Sequence[str]]) -> None:
    """Raise `BadRequest` where a name has more words than any: SQLite takes no thousand conditions."""
    for keyword, values in matches.items():
        names = [normalise(keyword, value) for value in values]
        if VR_OF_KEY[keyword] == "PN" and len(words_wanted(names)) > MAX_WORDS:
            raise BadRequest(f"more than {MAX_WORDS} words of {keyword}")


def _answered_tags(level: Level, within: Resource | None) -> frozenset[bytes]:
    """Return the tags answered unasked: of the level, and of those above it that the path leaves open."""
    return _tags_below(level, 0 if within is None else 1 if within.series_uid is None else 2)


@cache
def _tags_below(level: Level, named: int) -> frozenset[bytes]:
    own = LEVELS.index(level)
    return frozenset(
        tag.encode()
        for answered in LEVELS[min(named, own) : own + 1]
        for tag in tags_of((*DEFAULTS[answered], *_COMPUTED_DEFAULTS[answered]))
    )


@cache
def _told_tags(level: Level) -> frozenset[str]:
    """Return the tags of what is prepared for a level and those above it."""
    levels = LEVELS[: LEVELS.index(level) + 1]
    return frozenset(
        tag for each in levels for tag in tags_of((*LEVEL_KEYWORDS[each], *COMPUTED[each]))
    )


_COMPUTED_DEFAULTS: Final[Mapping[Level, tuple[str, ...]]] = {
    level: tuple(keyword for keyword in COMPUTED[level] if keyword in DEFAULTS[level])
    for level in LEVELS
}


def _keyword(name: str) -> str:
    """Return a parameter's attribute as ``Keyword`` or ``Sequence.Keyword``; tags are looked up."""
    return ".".join(
        (keyword_for_tag(int(part, 16)) or part) if _TAG.fullmatch(part) else part
        for part in name.split(".")
    )


def _included_tag(name: str) -> str | None:
    """Return the tag of the attribute that has what is named; None where a part of that is no attribute."""
    tags = [_tag(part) for part in name.split(".")]
    return None if None in tags else tags[0]


def _tag(name: str) -> str | None:
    if _TAG.fullmatch(name):
        return name.upper()
    try:
        return tag_of(name)
    except KeyError:
        return None


def _values(keyword: str, value: str) -> list[str]:
    vr = VR_OF_KEY[keyword]
    value = value.strip()
    if vr in _LISTS or keyword in _LIST_KEYWORDS:
        values = [part for part in dict.fromkeys(re.split(r"[,\\]", value)) if part]
        if vr in _LISTS:  # before each is looked at
            _refuse_many_uids(len(values))
    else:
        values = [value]
    pattern = _PATTERNS.get(vr)
    for part in values:
        if part and pattern is not None and not pattern.fullmatch(part):
            raise BadRequest(f"the value of {keyword} is not {_EXPECTED[vr]}")
        if "\0" in part or len(part) > 1024:
            raise BadRequest(f"the value of {keyword} is not valid")
    if vr == "DA":
        return [_compact_dates(part) for part in values]
    return values


def _compact_dates(value: str) -> str:
    """Write ``2024-01-31`` as ``20240131``, keeping the hyphen of a range."""
    return re.sub(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", r"\1\2\3", value)


def _sort_keys(level: Level, value: str) -> Iterator[tuple[str, bool]]:
    """Yield the keys of ``-StudyDate,PatientName``, each with whether it descends."""
    for part in value.split(","):
        # A plus sign in a query string means a space.
        text = part.strip().removeprefix("+")
        keyword = _keyword(text.removeprefix("-"))
        if keyword not in SORTABLE[level]:
            raise BadRequest(
                "sort names something that results of this search cannot be sorted by: it takes attributes with"
                " one value that are searched by, such as -StudyDate,PatientName"
            )
        yield keyword, text.startswith("-")


def _unsigned(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > MAX_OFFSET:
        raise BadRequest(f"{name.lower()} is not an unsigned integer")
    return int(value)


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise BadRequest(f"{name.lower()} is neither true nor false")
    return value.lower() == "true"


_ONCE: Final[Mapping[str, Callable[[str, str], int]]] = {
    "limit": _unsigned,
    "offset": _unsigned,
    "fuzzymatching": _boolean,
}
"""Parameters of one value, which has no list (PS3.18 Table 8.3.4-1), and what reads them."""


def answer(search: Search, matches: Sequence[Match], root: str) -> bytes:
    """Return the response body.

    Parameters
    ----------
    root
        Address of the service, for Retrieve URL (0008,1190).
    """
    return b"[" + b",".join(objects(search, matches[: search.limit], root)) + b"]"


def objects(search: Search, matches: Sequence[Match], root: str) -> list[bytes]:
    """Return the answer's objects, one a match."""
    addresses = _Addresses(search.query, root)
    if search.query.with_attributes:
        return [_object(match.attributes, addresses, search.wanted) for match in matches]
    # What is answered unasked is what is wanted, where nothing more is.
    return [_object(match.defaults, addresses, None) for match in matches]


def _object(json_object: bytes, addresses: _Addresses, wanted: frozenset[bytes] | None) -> bytes:
    members = _members(json_object)
    url = addresses.of(members)
    if wanted is not None:
        members = [member for member in members if member[1:9] in wanted]
    _put(members, _AVAILABILITY)
    if url:
        _put(members, url)
    return b"{" + b",".join(members) + b"}"


def _members(json_object: bytes) -> list[bytes]:
    """Return the members of a DICOM JSON object in the order of their tags, which each begins with.

    Objects whose members a line feed separates are taken apart without parsing: no JSON string holds a
    raw one, so each line is a member, and they are in order.
    """
    if b"\n" in json_object:
        return json_object[1:-1].split(b",\n")
    return [
        b'"%b":%b' % (tag.encode(), orjson.dumps(element))
        for tag, element in sorted(orjson.loads(json_object).items())
    ]


def _put(members: list[bytes], member: bytes) -> None:
    tag = member[:10]
    place = bisect_left(members, tag)
    if place < len(members) and members[place].startswith(tag):
        members[place] = member
    else:
        members.insert(place, member)


class _Addresses:
    """Retrieve URL (0008,1190) of what is found: how all begin, and which UIDs each goes on with."""

    def __init__(self, query: Query, root: str) -> None:
        named = query.within
        given = (named.study_uid, named.series_uid, None) if named is not None else (None,) * 3
        start = root
        self._more: list[tuple[bytes, bytes]] = []
        for level, uid in zip(LEVELS, given, strict=True):
            if uid and not self._more:
                start += f"/{_COLLECTIONS[level]}/{uid}"
            else:
                self._more.append((f"/{_COLLECTIONS[level]}/".encode(), _UID_TAGS[level]))
            if level == query.level:
                break
        self._start = _RETRIEVE_URL + b':{"vr":"UR","Value":["' + start.encode()

    def of(self, members: Sequence[bytes]) -> bytes:
        """Return the member for a match, empty where a UID is missing."""
        address = self._start
        for collection, tag in self._more:
            place = bisect_left(members, tag)
            if place == len(members) or not members[place].startswith(tag):
                return b""
            uid = _uid(members[place])
            if not uid:
                return b""
            address += collection + uid
        return address + b'"]}'


def _uid(member: bytes) -> bytes:
    """Return the UID in ``"0020000D":{"vr":"UI","Value":["1.2"]}``."""
    if member.startswith(_UID_STARTS, 10) and member.endswith(_UID_ENDS):
        uid = member[10 + len(_UID_STARTS) : -len(_UID_ENDS)]
        # Without a pattern: this is asked of each match.
        if 0 < len(uid) <= 64 and not uid.translate(None, _OF_UIDS):
            return uid
    values = orjson.loads(member[11:]).get("Value", [""])
    is_uid = isinstance(values[0], str) and _UID.fullmatch(values[0])
    return values[0].encode("ascii") if is_uid else b""


def warning_header(service: str, text: str) -> str:
    """Return a Warning header field (PS3.18 8.3.4.2; RFC 7234 5.5)."""
    return f"299 {service}: {text}"
