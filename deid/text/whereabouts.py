"""Where somebody lies, and the accounts of people: numbers and names behind what says so.

A number of one or two digits is none: rooms of examinations, stations of a run and beds of a scan have those.
"""

# ruff: noqa: E501 - a pattern reads worse broken over lines

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.text import eponyms
from deid.text.findings import PATTERN, Finding
from deid.text.vocabulary import is_clinical_token, is_place, is_recognised

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO: Final = r"\.?\s{0,2}(?:(?:no|nr|number|nummer)\.?\s)?[:#]?\s?"
_ROOM: Final = r"(?:room|(?-i:[Rr]m)|zimmer|zi|chambre|ch(?=\.)|habitaci[oó]n|hab(?=\.)|stanza|kamer|quarto|pok[oó]j[ei]?|sala|rum|stue|v[æa]relse|huone|szoba|k[óo]rterem|oda)"
_WARD: Final = (
    r"(?:ward|station|stat(?=\.)|unit[àa]|afdeling|oddzia[lł]|avdelning|avd(?=\.)|afd(?=\.))"
)
_END: Final = r"(?![\w.,/-]*\w)"
_PLACES: Final = (
    # Room 412, Zi. 214, chambre 312; not RM 3T, which is Spanish
    rf"(?<![^\W_]){_ROOM}{_NO}(?P<at>\d{{3,4}}\s?[A-Za-z]?|\d{{1,2}}[A-Za-z]){_END}(?!\s?(?:m[mlgs]|cm|kv|ma|hz|fps)\b)",
    # ward C14, Station 4B; not Station L5, of a spine
    rf"(?<![^\W_]){_WARD}{_NO}(?P<at>\d{{1,2}}[A-Z]|(?<=ward\s)[A-Z]\d{{1,2}}){_END}",
    r"病室\s?(?P<at>\d{1,4})|(?P<bed>\d{3,4})\s?号?(?:床|病室|病房|호실)",
)
_BED: Final = re.compile(
    r"[\s,/]{1,3}(?:bed|bett|lit|cama|letto|łóżko|säng|seng)\.?\s?(?P<at>\d{1,3}[A-Za-z]?)(?!\w)",
    re.IGNORECASE,
)
"""A bed beside the room that it stands in."""
_NETWORK: Final = (
    r"(?:user(?:\s?name|\s?id)?|login|logon|uid|cn|account|benutzer|utilisateur|usuario|wechat|weixin|skype"
    r"|telegram|insta(?:gram)?|twitter|snap(?:chat)?|threema|facebook|tiktok|kakao(?:talk)?|viber)"
)
_ACCOUNTS: Final = (
    # login: jkosk, uid=jkosk, wechat: zhangw88, skype live:hmueller
    rf"(?<![^\W_]){_NETWORK}(?:\s?[:=]\s?@?|\s@|\s(?=live:|[\w.-]{{0,30}}[\d_]))(?P<at>(?:live:)?[A-Za-z][\w.-]{{2,40}})(?![\w@])",
    r"(?<![\w.@])@(?P<at>[A-Za-z]\w{0,20}_\w{1,20}|[A-Za-z]{4,30}\d{0,4})(?!\w)",
    # jkosk@RADPC12
    r"(?<![\w.@])(?P<at>[A-Za-z][\w.-]{2,30}@[A-Za-z][\w-]{2,30})(?![\w.@])",
)
_PLACED: Final = tuple(
    (re.compile(form, re.IGNORECASE), words)
    for form, words in zip(
        _PLACES,
        (
            (
                "room",
                "rm.",
                "rm ",
                "zimmer",
                "zi.",
                "zi ",
                "chambre",
                "ch.",
                "habitaci",
                "hab.",
                "stanza",
                "kamer",
                "quarto",
                "pok",
                "sala",
                "rum",
                "stue",
                "relse",
                "huone",
                "szoba",
                "rterem",
                "oda",
            ),
            ("ward", "station", "stat.", "unit", "afd", "oddzia", "avd"),
            ("病", "床", "호실"),
        ),
        strict=True,
    )
)
"""Patterns, each with words of which one is in a text that it finds anything in."""
_ACCOUNTED: Final = tuple(
    (re.compile(form, re.IGNORECASE), words)
    for form, words in zip(
        _ACCOUNTS,
        (
            ("user", "login", "logon", "uid", "cn", "account", "benutzer", "utilis", "usuario", "wechat", "weixin", "skype",
             "telegram", "insta", "twitter", "snap", "threema", "facebook", "tiktok", "kakao", "viber"),
            ("@",),
            ("@",),
        ),
        strict=True,
    )
)  # fmt: skip
_PART: Final = re.compile(r"[^\W_]+")


_TOWN: Final = re.compile(r"[^\W\d_]{3,}")
_MAY_BE_YEAR: Final = re.compile(r"(?:19|20)\d\d(?!\d)")


def is_town(text: str) -> bool:
    """Whether what stands behind a number is a town: units and scores are called by names, too.

    Behind what may be a year no town that is known is one: criteria are called by the cities they are of.
    """
    may_be_year = _MAY_BE_YEAR.match(text) is not None
    return any(
        not eponyms.is_in_use(text, *word.span())
        and (not may_be_year if is_place(word[0]) else not is_recognised(word[0]))
        for word in _TOWN.finditer(text)
    )


def find(text: str) -> Iterator[Finding]:
    """Yield rooms, wards and beds of patients, and accounts of people."""
    low = text.lower()
    for pattern, words in _PLACED:
        if any(word in low for word in words):
            for match in pattern.finditer(text):
                start, stop = match.span(match.lastgroup or 0)
                yield Finding(start, stop, "LOCATION", PATTERN)
                if bed := _BED.match(text, stop):
                    yield Finding(*bed.span("at"), "LOCATION", PATTERN)
    for pattern, words in _ACCOUNTED:
        if any(word in low for word in words):
            for match in pattern.finditer(text):
                if not all(map(is_clinical_token, _PART.findall(match["at"]))):
                    yield Finding(*match.span("at"), "GENERIC_ID", PATTERN)
