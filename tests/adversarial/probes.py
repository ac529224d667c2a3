"""Probes: files with one identifier each, in disguise. What a reader or a program undoes, and where.

Each probe is the base of the corpus about an invented person (`tests.adversarial.people`) with one value put in
one place. It is left when the value, or what it reads as, is found in the output.
"""

from __future__ import annotations

import base64
import contextlib
import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import deid
from tests.adversarial.bases import base
from tests.adversarial.corpus import elements_of, encode, joined, relaxed
from tests.adversarial.people import listed, person
from tests.adversarial.running import result_of
from tests.adversarial.wire import element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.adversarial.people import Person

PEOPLE: Final = 20
"""How many people of each half are probed."""
_CIRCLED = {chr(97 + n): chr(0x24D0 + n) for n in range(26)} | {
    chr(65 + n): chr(0x24B6 + n) for n in range(26)
}
_BOLD = {chr(97 + n): chr(0x1D41A + n) for n in range(26)} | {
    chr(65 + n): chr(0x1D400 + n) for n in range(26)
}
_ENGLISH = listed("zero one two three four five six seven eight nine")
_GERMAN = listed("null eins zwei drei vier fünf sechs sieben acht neun")
_FRENCH = listed("zéro un deux trois quatre cinq six sept huit neuf")
_ROMAN = listed("I II III IV V VI VII VIII IX X XI XII")
_SPELT = listed(
    "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec"
    " romeo sierra tango uniform victor whiskey xray yankee zulu"
)


def _plain(text: str) -> str:
    """Return the letters of a name that ASCII has."""
    table = str.maketrans("ñÅåüöíáé", "nAauoiae")
    return text.translate(table)


def _up(who: Person) -> str:
    return _plain(who.letters).upper()


def _words(digits: str, language: tuple[str, ...]) -> str:
    return " ".join(language[int(digit)] for digit in digits)


def _day(who: Person, form: str) -> str:
    return who.studied.strftime(form)


# Each returns the disguised text, or nothing where the disguise does not fit the person.
NAMES: Final[dict[str, Callable[[Person], str]]] = {
    "letters apart": lambda who: " ".join(_up(who)),
    "letters hyphens": lambda who: "-".join(_up(who)),
    "letters underscores": lambda who: "_".join(_up(who)),
    "letters points": lambda who: ".".join(_up(who)),
    "letters small": lambda who: " ".join(_plain(who.letters).lower()),
    "letters strokes": lambda who: "/".join(_up(who)),
    "in threes": lambda who: (
        " ".join(_up(who)[n : n + 3] for n in range(0, len(_up(who)), 3))
        if len(_up(who)) > 5
        else ""
    ),
    "backwards apart": lambda who: " ".join(_up(who)[::-1]) if len(_up(who)) > 4 else "",
    "percent": lambda who: "".join(f"%{byte:02X}" for byte in who.letters.encode()),
    "percent some": lambda who: (
        f"{who.letters[0]}%{ord(_plain(who.letters)[1]):02x}{who.letters[2:]}"
    ),
    "percent twice": lambda who: quote(f"pt {who.letters},{who.given}"),
    "entities": lambda who: "".join(f"&#{ord(c)};" for c in who.letters),
    "entities hex": lambda who: "".join(f"&#x{ord(c):x};" for c in who.letters),
    "quoted printable": lambda who: "".join(f"={byte:02X}" for byte in who.letters.encode()),
    "base64": lambda who: base64.b64encode(who.letters.encode()).decode(),
    "base64 of all": lambda who: base64.b64encode(f"{who.family}^{who.given}".encode()).decode(),
    "hexadecimal": lambda who: who.letters.encode().hex(),
    "hexadecimal pairs": lambda who: " ".join(
        f"{byte:02x}" for byte in _plain(who.letters).encode()
    ),
    "decimal codes": lambda who: (
        " ".join(str(ord(c)) for c in _up(who)) if len(_up(who)) > 3 else ""
    ),
    "places in the alphabet": lambda who: (
        "-".join(str(ord(c) - 64) for c in _up(who)) if len(_up(who)) > 3 else ""
    ),
    "spelling alphabet": lambda who: " ".join(_SPELT[ord(c) - 65].capitalize() for c in _up(who)),
    "circled": lambda who: "".join(_CIRCLED.get(c, c) for c in _plain(who.letters)),
    "bold": lambda who: "".join(_BOLD.get(c, c) for c in _plain(who.letters)),
    "full width": lambda who: "".join(chr(ord(c) + 0xFEE0) for c in _plain(who.letters)),
    "stars": lambda who: f"{who.letters[:3]}***" if len(who.letters) > 3 else "",
    "stars exact": lambda who: (
        who.letters[:3] + "*" * (len(who.letters) - 3) if len(who.letters) > 3 else ""
    ),
    "ellipsis": lambda who: f"{who.letters[:4]}..." if len(who.letters) > 4 else "",
    "one ellipsis": lambda who: f"{who.letters[:3]}…" if len(who.letters) > 3 else "",
    "crosses": lambda who: f"{who.letters[:3].lower()}xxxx" if len(who.letters) > 3 else "",
    "leet": lambda who: (
        _plain(who.letters).translate(str.maketrans("aeio", "4310")) if len(who.letters) > 3 else ""
    ),
    "zero width": lambda who: "\u200b".join(who.letters),
    "combining": lambda who: "".join(f"{c}\u0332" for c in _plain(who.letters)),
    "initials and last digits": lambda who: f"pt {who.initials}{who.digits[-4:]} ok",
    "initials and first digits": lambda who: f"{who.initials}{who.digits[:4]}",
    "initials and year": lambda who: f"{who.initials}{who.born:%y}",
    "initials and long year": lambda who: f"{who.initials} {who.born:%Y}",
    "initials turned and year": lambda who: f"{who.initials[::-1]}{who.born:%y}",
    "initials and day": lambda who: f"{who.initials}{who.born:%d%m}",
    "dotted initials and digits": lambda who: (
        f"{who.initials[0]}.{who.initials[1]}. {who.digits[-4:]}"
    ),
    "digits and initials": lambda who: f"{who.digits[-4:]}{who.initials}",
    "beginnings": lambda who: (
        f"{_plain(who.letters)[:3]}{_plain(who.given)[:3]}{who.born:%y}".lower()
    ),
}
NUMBERS: Final[dict[str, Callable[[Person], str]]] = {
    "without first": lambda who: who.digits[1:] if len(who.digits) > 6 else "",
    "without last": lambda who: who.digits[:-1] if len(who.digits) > 6 else "",
    "with points": lambda who: ".".join((who.digits[:-6], who.digits[-6:-3], who.digits[-3:])),
    "with spaces": lambda who: f"{who.digits[:-4]} {who.digits[-4:]}",
    "with strokes": lambda who: "/".join(
        who.digits[n : n + 2] for n in range(0, len(who.digits), 2)
    ),
    "with hyphens": lambda who: "-".join(who.digits),
    "with letters": lambda who: "x".join(
        who.digits[n : n + 2] for n in range(0, len(who.digits), 2)
    ),
    "in words": lambda who: _words(who.digits, _ENGLISH),
    "in German words": lambda who: _words(who.digits, _GERMAN),
    "in French words": lambda who: _words(who.digits, _FRENCH),
    "without last, in words": lambda who: (
        _words(who.digits[:-1], _ENGLISH) if len(who.digits) > 6 else ""
    ),
    "circled digits": lambda who: "".join(
        chr(0x245F + int(c)) if c != "0" else "⓪" for c in who.digits
    ),
    "Arabic digits": lambda who: "".join(chr(0x660 + int(c)) for c in who.digits),
    "letters for digits": lambda who: who.digits.replace("0", "O").replace("1", "l"),
    "backwards": lambda who: who.digits[::-1],
    "hexadecimal": lambda who: (
        f"{int(who.digits):x}" if any(c.isalpha() for c in f"{int(who.digits):x}") else ""
    ),
    "base64": lambda who: base64.b64encode(who.digits.encode()).decode(),
    "masked": lambda who: f"****{who.digits[-4:]}",
    "percent": lambda who: "".join(f"%{ord(c):02X}" for c in who.digits),
}
DAYS: Final[dict[str, Callable[[Person], str]]] = {
    "pipes": lambda who: _day(who, "%d|%m|%Y"),
    "stars": lambda who: f"{who.studied.day}*{who.studied.month}*{who.studied.year}",
    "short": lambda who: f"{who.studied.day} {who.studied.month} {who.studied:%y}",
    "short points": lambda who: f"{who.studied.day}.{who.studied.month}.{who.studied:%y}",
    "ordinal": lambda who: _day(who, "%Y.%j"),
    "ordinal hyphen": lambda who: _day(who, "%Y-%j"),
    "ordinal compact": lambda who: _day(who, "%Y%j"),
    "week": lambda who: f"{who.studied.isocalendar().year} week {who.studied.isocalendar().week}",
    "week compact": lambda who: _day(who, "%G-W%V"),
    "week and day": lambda who: _day(who, "%G-W%V-%u"),
    "calendar week": lambda who: (
        f"KW {who.studied.isocalendar().week}/{who.studied.isocalendar().year}"
    ),
    "week first": lambda who: (
        f"wk {who.studied.isocalendar().week} {who.studied.isocalendar().year}"
    ),
    "semaine": lambda who: (
        f"semaine {who.studied.isocalendar().week} {who.studied.isocalendar().year}"
    ),
    "spaced": lambda who: _day(who, "%Y %m %d"),
    "underscores": lambda who: _day(who, "%Y_%m_%d"),
    "tildes": lambda who: _day(who, "%d~%m~%Y"),
    "American": lambda who: _day(who, "%m-%d-%Y"),
    "roman": lambda who: f"{who.studied.day}.{_ROMAN[who.studied.month - 1]}.{who.studied.year}",
    "month named": lambda who: _day(who, "%d %B %Y"),
    "month named short": lambda who: _day(who, "%b %d %y"),
    "Buddhist": lambda who: f"{who.studied.day}/{who.studied.month}/{who.studied.year + 543}",
    "Minguo": lambda who: (
        f"民國{who.studied.year - 1911}年{who.studied.month}月{who.studied.day}日"
    ),
    "Minguo digits": lambda who: (
        f"{who.studied.year - 1911}/{who.studied.month:02d}/{who.studied.day:02d}"
    ),
    "Heisei": lambda who: (
        f"H{who.studied.year - 1988}.{who.studied.month}.{who.studied.day}"
        if who.studied.year < 2019
        else ""
    ),
    "seconds": lambda who: str(
        int(
            datetime(
                who.studied.year, who.studied.month, who.studied.day, 12, tzinfo=UTC
            ).timestamp()
        )
    ),
    "Julian": lambda who: str(who.studied.toordinal() + 1_721_425),
    "in words": lambda who: f"{_words(f'{who.studied:%d%m}', _ENGLISH)} {who.studied.year}",
    "born stars": lambda who: f"{who.born.day}*{who.born.month}*{who.born.year}",
    "born short": lambda who: f"{who.born.day} {who.born.month} {who.born:%y}",
    "born ordinal": lambda who: who.born.strftime("%Y.%j"),
    "born digits": lambda who: who.born.strftime("%d%m%y"),
    "born backwards": lambda who: who.born.strftime("%Y%m%d")[::-1],
}
# Values of numeric attributes; the first witness has seven digits at least.
MEASURES: Final[dict[str, Callable[[Person], str]]] = {
    "record number": lambda who: who.digits,
    "without first": lambda who: who.digits[1:] if len(who.digits) > 7 else "",
    "without last": lambda who: who.digits[:-1] if len(who.digits) > 7 else "",
    "with point": lambda who: f"{who.digits[:4]}.{who.digits[4:]}" if len(who.digits) > 6 else "",
    "with exponent": lambda who: (
        f"{who.digits[0]}.{who.digits[1:]}E{len(who.digits) - 1}" if len(who.digits) > 6 else ""
    ),
    "negative": lambda who: f"-{who.digits}" if len(who.digits) > 6 else "",
    "day": lambda who: _day(who, "%Y%m%d"),
    "day with point": lambda who: _day(who, "%Y.%m%d"),
    "day turned": lambda who: _day(who, "%d%m%Y"),
    "day of birth": lambda who: who.born.strftime("%Y%m%d"),
    "ordinal": lambda who: _day(who, "%Y.%j"),
    "day in pieces": lambda who: _day(who, "%Y\\%m\\%d"),
}
TEXT_PLACES: Final = (
    (0x00620006, "ST"), (0x00209453, "LO"), (0x00283003, "LO"), (0x0008103E, "LO"), (0x00204000, "LT"),
    (0x0040A160, "UT"),
    (0x00081030, "LO"), (0x00281055, "LO"), (0x00181030, "LO"),
)  # fmt: skip
"""Segment Description, Frame Label, LUT Explanation, Series Description, Image Comments, Text Value, Study
Description, Window Explanation, Protocol Name."""
NUMBER_PLACES: Final = ((0x00181130, "DS"), (0x00200012, "IS"), (0x00180050, "DS"))
BINARY_PLACES: Final = (
    (0x00221642, "UL", "<I"), (0x00189305, "FD", "<d"), (0x0008040C, "UV", "<Q"), (0x00186016, "UL", "<I"),
    (0x00187026, "FL", "<f"), (0x00189073, "FD", "<d"),
)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """One file with one disguised identifier.

    Attributes
    ----------
    id
        What is disguised, how, where, and whose.
    made
        Returns the file; it is written when it is first asked for.
    traces
        What the output may not hold: bytes, letters in lower case.
    """

    id: str
    made: Callable[[], bytes]
    traces: tuple[bytes, ...]
    held_out: bool

    @cached_property
    def content(self) -> bytes:
        """The file."""
        with relaxed():
            return self.made()

    def is_left_in(self, output: bytes) -> bool:
        """Whether the identifier is still there."""
        low = output.lower()
        return any(trace in low for trace in self.traces)


def left(chosen: Iterable[Probe], plan: deid.Plan) -> list[Probe]:
    """Return the probes whose identifier the engine leaves; a refused file leaves nothing."""
    found = []
    for probe in chosen:
        with contextlib.suppress(deid.Unsafe):
            if probe.is_left_in(result_of(probe.content, plan)):
                found.append(probe)
    return found


@cache
def probes(people: int = PEOPLE) -> tuple[Probe, ...]:
    """Return the probes of so many people of each half, in a fixed order."""
    return tuple(probe for number in range(2 * people) for probe in probes_of(person(number)))


def probes_of(who: Person) -> Iterator[Probe]:
    """Yield the probes about somebody."""
    turn = who.number
    for family, disguises in (("name", NAMES), ("number", NUMBERS), ("day", DAYS)):
        for name, disguise in disguises.items():
            turn += 1
            text = disguise(who)
            tag, vr = TEXT_PLACES[turn % len(TEXT_PLACES)]
            if text and len(text) <= 64:
                yield _probe(who, f"{family}, {name}", tag, vr, text.encode())
    for name, disguise in MEASURES.items():
        turn += 1
        text = disguise(who)
        tag, vr = NUMBER_PLACES[turn % len(NUMBER_PLACES)]
        is_whole = vr == "DS" or text.lstrip("-").isdigit()
        if text and len(text) <= 12 and len(who.digits) > 6 and is_whole:
            yield _probe(who, f"measure, {name}", tag, vr, text.encode())
    for name, value in (
        ("record number", who.digits),
        ("day", _day(who, "%Y%m%d")),
        ("day of birth", who.born.strftime("%Y%m%d")),
    ):
        turn += 1
        tag, vr, code = BINARY_PLACES[turn % len(BINARY_PLACES)]
        number = int(value)
        if len(value) < 7 or (code == "<I" and number >= 1 << 32):
            continue
        raw = struct.pack(code, float(number) if code in ("<d", "<f") else number)
        if code == "<f" and math.log10(number) > 8.5:
            continue
        yield _probe(who, f"binary, {name}", tag, vr, raw)


def about(who: Person) -> dict[int, bytes]:
    """Return the header elements that say who it is, by tag."""
    day = f"{who.studied:%Y%m%d}".encode()
    return {
        0x00080012: element(0x00080012, "DA", day),
        0x00080020: element(0x00080020, "DA", day),
        0x00080021: element(0x00080021, "DA", day),
        0x00080023: element(0x00080023, "DA", day),
        0x00080050: element(0x00080050, "SH", who.accession.encode()),
        0x00100010: element(0x00100010, "PN", f"{who.family}^{who.given}".encode()),
        0x00100020: element(0x00100020, "LO", who.patient_id.encode()),
        0x00100030: element(0x00100030, "DA", f"{who.born:%Y%m%d}".encode()),
    }


def file_about(who: Person, planted: dict[int, bytes]) -> bytes:
    """Return a CT about somebody with some elements put in."""
    elements = {**about(who), **planted}
    header, others = _of_nobody()
    return header + joined(
        [each for each in others if each[0] not in elements] + [*elements.items()]
    )


@cache
def _of_nobody() -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return preamble and File Meta Information of a CT, and its elements encoded."""
    dataset = base("CT")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    elements = list(elements_of(dataset))
    return encode(dataset, []).removesuffix(joined(elements)), elements


def _probe(who: Person, name: str, tag: int, vr: str, value: bytes) -> Probe:
    return Probe(
        f"{name}, {tag:08X}, {who.number:02d}",
        partial(file_about, who, {tag: element(tag, vr, value)}),
        (value.lower().strip(),),
        who.is_held_out,
    )


# What a scanner writes of itself and of what it measured: it stays whoever the patient is.
STAYING_TEXTS: Final = (
    "T2 AX FS", "T1 MPRAGE SAG ISO", "VB20A", "syngo MR E11", "5.3.1.3", "1.5 x 1.5", "L4/L5", "AX 5.0 B31f",
    "Head^Routine",
    "WINDOW1", "ABDOMEN 3.0 WITH CONTRAST", "FSE T2 COR", "TE 52", "TR 500 TE 15", "B0 1000", "120 kV 80 mA",
    "SAG T1 3 mm",
    "64 slices", "FOV 240 mm", "A B C", "2 of 3", "PHASE 4", "MIP 10 mm", "R17", "SERIES 12", "CHEST PA",
    "0.625 mm",
    "10 x 10 x 20 mm", "5 4 3 2", "MR 3T", "CT 64", "T2*", "PELVIS...", "% of max", "a=50", "1/2/3",
)  # fmt: skip
STAYING_NUMBERS: Final = (
    ("DS", "120.5"), ("DS", "1.70617"), ("DS", "250"), ("DS", "0.97656"), ("DS", "63.8"), ("DS", "2017.5"),
    ("DS", "-1024"),
    ("DS", "1000000"), ("DS", "36.125"), ("IS", "617"), ("IS", "2017"), ("IS", "12"), ("IS", "1024"),
    ("DS", "1000.25"),
)  # fmt: skip
STAYING_BINARY: Final = (
    ("UL", struct.pack("<I", 65536)), ("UL", struct.pack("<I", 2017)), ("UL", struct.pack("<I", 123_456)),
    ("FD", struct.pack("<d", 1.5)), ("FD", struct.pack("<d", 0.123456789)), ("FD", struct.pack("<d", 1000.0)),
)  # fmt: skip
_OTHER_TEXTS: Final = (0x00620006, 0x00209453, 0x00283003, 0x0040A160, 0x00281055)
_OTHER_NUMBERS: Final = {"DS": (0x00181130, 0x00180050, 0x00180088), "IS": (0x00200012, 0x00181150)}
_OTHER_BINARY: Final = {"UL": (0x00221642, 0x00186016), "FD": (0x00189305, 0x00189073)}
STRANGER: Final = 999
"""Whose file shows what stays of a value when it is nobody's."""


def stays(who: Person) -> tuple[tuple[bytes, dict[int, bytes]], ...]:
    """Return files about somebody, each with values put in by tag, which a scanner writes about anybody."""
    texts = [("ST" if n % 2 else "LO", text.encode()) for n, text in enumerate(STAYING_TEXTS)]
    numbers = [(vr, text.encode()) for vr, text in STAYING_NUMBERS]
    return tuple(_files_with(who, texts, numbers, STAYING_BINARY))


def coinciding(who: Person) -> tuple[tuple[bytes, dict[int, bytes]], ...]:
    """Return files about somebody with measured values that have a few digits of the own number or day."""
    digits = who.digits
    numbers = [
        ("DS", f"{digits[:3]}.{digits[3:5]}".encode()), ("DS", digits[-4:].encode()),
        ("IS", digits[:4].encode()), ("DS", f"{who.studied:%d.%m}".encode()),
        ("DS", f"{who.studied.year}".encode()), ("IS", f"{who.born:%m%d}".encode()),
        ("DS", f"0.{digits[:5]}1".encode()), ("DS", f"{who.born:%y}.5".encode()),
    ]  # fmt: skip
    binary = [
        ("UL", struct.pack("<I", int(digits[:5]))),
        ("FD", struct.pack("<d", int(digits[:6]) / 1000)),
    ]
    return tuple(_files_with(who, [], numbers, binary))


def _files_with(
    who: Person,
    texts: list[tuple[str, bytes]],
    numbers: list[tuple[str, bytes]],
    binary: tuple[tuple[str, bytes], ...] | list[tuple[str, bytes]],
) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """Yield files, each with as many of the values as there are places for them."""
    left = [
        (tag, vr, value)
        for n, (vr, value) in enumerate(texts)
        for tag in [_OTHER_TEXTS[n % len(_OTHER_TEXTS)]]
    ]
    for vr, places in {**_OTHER_NUMBERS, **_OTHER_BINARY}.items():
        given = [value for kind, value in (*numbers, *binary) if kind == vr]
        left += [(places[n % len(places)], vr, value) for n, value in enumerate(given)]
    while left:
        planted: dict[int, bytes] = {}
        rest = []
        for tag, vr, value in left:
            if tag in planted:
                rest.append((tag, vr, value))
            else:
                planted[tag] = element(tag, vr, value)
        left = rest
        yield file_about(who, planted), planted
