"""Whether it is worth looking for a disguise: a quick look at encoded elements, on the safe side.

Judging every text that stays of every instance (`deid.identity.disguises`) would cost more than all the rest.
So encoded elements are squeezed (to letters, to digits) and searched for what each disguise squeezes to. What
comes up is judged text by text then; what does not come up is none that is known.
"""

from __future__ import annotations

import re
import struct
from base64 import b32encode, b64encode
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import normalize

from deid.identity import initials, serials, views
from deid.identity.forms import LEAST_BEGINNING, prepare
from deid.identity.initials import BEGINNINGS, Initials
from deid.identity.needles import Needles, Patterns, quoted
from deid.identity.serials import CountedDays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from deid.identity.disguises import Disguises

_LONG_COUNT: Final = re.compile(rb"[1-9](?<![\d.].)\d{9,13}(?!\d)")
_ALL: Final = bytes(range(256))
_LOWER: Final = b"abcdefghijklmnopqrstuvwxyz"
_NO_LETTERS: Final = _ALL.translate(None, _LOWER)
_NO_DIGITS: Final = _ALL.translate(None, b"0123456789")
_NO_ALNUM: Final = _ALL.translate(None, _LOWER + b"0123456789")
_ASCII: Final = bytes(range(128))
_SCRIPTS: Final = ("utf-8", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8")
"""How letters of scripts other than Latin are encoded."""
_LEET: Final = (
    bytes.maketrans(b"0134578$@!|", b"oleastbsail"),
    bytes.maketrans(b"01345689$@!|", b"oieasgbgsail"),
    bytes.maketrans(b"0134579$@!|", b"oieastgsail"),
)
_NUMBER_STRINGS: Final = frozenset((b"DS", b"IS"))
_OF_NUMBERS: Final = b"0123456789.+-eE\\ \0\n"
_APART: Final = b"\n" * 8
"""More than may stand between the digits of one number (`_in_a_row`): none goes on in the next text."""
_LEAST_LETTERS: Final = 4
_LEAST_DIGITS: Final = 5
_MEASURED_DIGITS: Final = 7
_MANY: Final = 3
_AROUND: Final = 6
RECORDS: Final = frozenset({"MEDICAL_RECORD_NUMBER", "ACCESSION", "GENERIC_ID"})

_ODD: Final = re.compile(
    rb"[%][0-9a-f][0-9a-f]|&(?:#|[a-z]{2,8};)|=[0-9a-f][0-9a-f]=|(?:\\u|u\+)[0-9a-f]{4}"
    rb"|\\u-?\d{3,5}\?|\\'[0-9a-f]{2}|\\(?:x[0-9a-f][0-9a-f]|[0-3]?[0-7][0-7]\\|0{2,4}[0-9a-f][0-9a-f])|</?[a-z]"
    rb"|(?:\.\.|\xe2\x80\xa6)[ :-]{0,2}\d{4}|(?:ends|ending|endet|last)[a-z4 ]{0,5}[ :-]{0,2}\d{4}"
    rb"|[a-z][a-z](?:\*\*|[a-z](?:\*|#|\.\.|__|--|~~|\?\?|xxx|\xe2\x80[\xa2\xa6]))|[a-z]\*[a-z]+\*|[*#x][*#x]-?\d{4}"
    rb"|\xe5(?:\xb9\xb3\xe6\x88\x90|\xa4\xa7\xe6\xad\xa3)|\xe6\x98\xad\xe5\x92\x8c|\xe4\xbb\xa4\xe5\x92\x8c"
    rb"|\xe2(?:[\x91-\x93]|\x80[\x8b-\xaf])|\xef(?:\xbc[\x90-\xba]|\xbd[\x81-\x9a]|\xbb\xbf)"
    rb"|\xf0(?:\x9d[\x90-\x9f]|\x9f[\x84\x85\x87])|\xe1\xb4|\xea\x9c|\xca[\x80-\x9f]|\xc9[\xa2\xaa]"
    rb"|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xe0[\xa5-\xb9][\x90-\xaf]|\xcc[\x80-\xbf]|\xc2\xad|[a-z][\xce-\xd1][\x80-\xbf]|[\xce-\xd1][\x80-\xbf][a-z]"
)
"""Escapes, masks, and characters that look like letters, in UTF-8."""
_LIKE_DIGITS: Final = re.compile(
    rb"(?<![a-z0-9])(?=\d*[oilsbz])(?=[oilsbz]*\d)[\doilsbz]{5,20}(?![a-z0-9])"
)
_AS_DIGITS: Final = bytes.maketrans(b"oilsbz", b"011582")
_MIXED: Final = re.compile(rb"[a-z][0134578$@!|6-9]|[0134578$@!|6-9][a-z]")
_DAY_MARKS: Final = rb" /.|*_,;~#+^=\\-"
_SHORT_DAY: Final = re.compile(rb"(?<![\d.])\d{1,2}([" + _DAY_MARKS + rb"])\d{1,2}\1\d{2}(?!\.?\d)")
_DAY_IN_NUMBERS: Final = re.compile(rb"\d(?:([ .-])\d{1,2}\1\d{2}|\d{9})")
"""What both kinds of day among numbers have, short ones and counts: a quick look, on the safe side."""
_SHORT_DAY_IN_NUMBERS: Final = re.compile(rb"(?<![\d.])\d{1,2}([ .-])\d{1,2}\1\d{2}(?!\.?\d)")
_ROMAN_DAY: Final = rb"\d[ ./-](?:xi{1,2}|i{1,3}|i[vx]|vi{0,3})[ ./-]{1,2}\d|\d[./-]x[./-]\d"
_OTHER_YEAR: Final = (
    rb"1[34]\d\d[^\d\x00-\x1f]{1,7}\d{1,2}[^\d\x00-\x1f]{1,7}\d"
    rb"|\d[^\d\x00-\x1f]{1,7}\d{1,2}[^\d\x00-\x1f]{1,7}1[34]\d\d"
)
"""Days of calendars that are now in their fourteenth and fifteenth centuries."""
_IN_PAIRS: Final = rb"(?:" + "|".join(views.PAIRS_IN_WORDS).encode() + rb")[ -]"
_UNUSUAL_DAY: Final = re.compile(_ROMAN_DAY + b"|" + _OTHER_YEAR)
_DICTATED: Final = re.compile(_IN_PAIRS)


_IS_ODD: Final = Patterns((_ODD.pattern,))
_PECULIAR: Final = Patterns(
    (
        _ODD.pattern,
        *initials.SHAPES,
        *serials.SHAPES,
        _ROMAN_DAY,
        _OTHER_YEAR,
        _IN_PAIRS,
        rb"[oilsbz]\d|\d[oilsbz]",  # letters like digits
        _MIXED.pattern,
        *(  # days
            rb"(?:^|[^\d.])\d{1,2}" + mark + rb"\d{1,2}" + mark + rb"\d\d(?:\.?$|\.?[^\d.]|\.\.)"
            for mark in (re.escape(bytes([mark])) for mark in dict.fromkeys(_DAY_MARKS))
        ),
    )
)


class Signs:
    """What the disguises of some people squeeze to.

    Parameters
    ----------
    known
        Their identifiers: decoded values and infoTypes.
    """

    def __init__(self, known: Iterable[tuple[str, str]]) -> None:
        each = [_signs_of(value, kind) for value, kind in known]
        self._letters = _united(one.letters for one in each)
        self._leet = _united(one.leet for one in each)
        self._digits = _united(one.digits for one in each)
        self._alnum = _united(one.alnum for one in each)
        self._beyond = _united(one.beyond for one in each)
        self._raw = _united(one.raw for one in each)
        self._short = Patterns(way for one in each for way in one.short)
        self._whole = _united(one.whole for one in each)
        self._initials = Initials(
            frozenset[str]().union(*(one.combinations for one in each)),
            frozenset[str]().union(*(one.words for one in each)),
            frozenset[str]().union(*(one.tails for one in each)),
        )
        self._days = CountedDays({day: "DATE" for one in each for day in one.days})
        self._has_days = any(one.days for one in each)

    def may_stand_in_any(self, texts: Iterable[bytes]) -> bool:
        """Whether a disguise seems to stand in one of some texts, or elements without VRs."""
        texts = list(texts)
        if not self.may_stand_in(_APART.join(texts)):
            return False
        # The letters and digits of two of them may have made it together.
        return len(texts) == 1 or any(map(self.may_stand_in, texts))

    def may_stand_in_elements(self, elements: Iterable[bytes]) -> bool:
        """Whether a disguise seems to stand in one of some elements encoded with their VRs.

        Numbers are all digits, which is soon looked through. None is looked for in UIDs: ours have the digits
        of chance.
        """
        numbers: list[bytes] = []
        others: list[bytes] = []
        for element in elements:
            vr = element[4:6]
            if vr in _NUMBER_STRINGS:
                numbers.append(element[8:])
            elif vr != b"UI":
                others.append(element)
        return bool(numbers and self._may_stand_in_numbers(_APART.join(numbers))) or bool(
            others and self.may_stand_in(_APART.join(others))
        )

    def _may_stand_in_numbers(self, data: bytes) -> bool:
        if data.translate(None, _OF_NUMBERS):
            return self.may_stand_in(data)
        if (
            self._has_days
            and _DAY_IN_NUMBERS.search(data) is not None
            and (
                _SHORT_DAY_IN_NUMBERS.search(data) is not None
                or any(self._days.counted(int(match[0])) for match in _LONG_COUNT.finditer(data))
            )
        ):
            return True
        return self._has_digits(data, measured=True)

    def _has_digits(self, data: bytes, *, measured: bool = False) -> bool:
        found = self._digits.found_in(data.translate(None, _NO_DIGITS))
        return any(_in_a_row(form, measured=measured).search(data) is not None for form in found)

    def may_stand_in(self, data: bytes) -> bool:
        """Whether a disguise seems to stand somewhere in encoded elements."""
        low = data.lower()
        if _PECULIAR.occur_in(low) and self._is_peculiar(data, low):
            return True
        if self._has_digits(data):
            return True
        return (
            self._letters.occur_in(low.translate(None, _NO_LETTERS))
            or self._alnum.occur_in(low.translate(None, _NO_ALNUM))
            or self._raw.occur_in(data)
            or self._whole.occur_in(data)
            or self._short.occur_in(low)
            or (not data.isascii() and self._beyond.occur_in(data.translate(None, _ASCII)))
        )

    def _is_peculiar(self, data: bytes, low: bytes) -> bool:
        """Whether what is written in a peculiar way may be somebody's."""
        if _IS_ODD.occur_in(low):
            return True
        if any(True for _ in self._initials.find(low.decode("latin-1"))):
            return True
        if any(
            self._digits.occur_in(each[0].translate(_AS_DIGITS))
            for each in _LIKE_DIGITS.finditer(low)
        ):
            return True
        if _MIXED.search(low) is not None and any(
            self._leet.occur_in(low.translate(table).translate(None, _NO_ALNUM)) for table in _LEET
        ):
            return True
        if self._has_days and self._has_days_in(data, low):
            return True
        if _DICTATED.search(low) is not None:
            read = views.in_digits(views.as_written(low.decode("latin-1"))).text
            return self._has_digits(read.encode("latin-1"))
        return False

    def _has_days_in(self, data: bytes, low: bytes) -> bool:
        """Whether days may stand there that are written shortly, or counted."""
        if _SHORT_DAY.search(data) is not None or _UNUSUAL_DAY.search(low) is not None:
            return True
        for match in serials.PLACES.finditer(low):
            around = low[max(0, match.start() - _AROUND) : match.end() + _AROUND].decode("latin-1")
            if self._days.are_written_in(around):
                return True
        return False


def _united(pieces: Iterable[frozenset[bytes]]) -> Needles:
    return Needles(frozenset[bytes]().union(*pieces))


class _SignsOfOne(NamedTuple):
    """What one identifier squeezes to, by how it is squeezed."""

    letters: frozenset[bytes]
    leet: frozenset[bytes]
    digits: frozenset[bytes]
    alnum: frozenset[bytes]
    beyond: frozenset[bytes]
    raw: frozenset[bytes]
    whole: frozenset[bytes]
    short: tuple[bytes, ...]
    combinations: frozenset[str]
    words: frozenset[str]
    tails: frozenset[str]
    days: tuple[date, ...]


@lru_cache(maxsize=4096)
def _signs_of(value: str, kind: str) -> _SignsOfOne:
    one = prepare(((value, kind),))
    words = [word for word in one.words if word.isascii()]
    long = [word for word in words if len(word) >= _LEAST_LETTERS]
    written = _beyond_ascii(value, one) if kind == "PERSON_NAME" else ()
    return _SignsOfOne(
        _pieces((*_of_letters(long, one), *map(_left_of, written)), _LEAST_LETTERS),
        _pieces(long, _LEAST_LETTERS),
        _pieces(_of_digits(long, one), _LEAST_DIGITS),
        _pieces(_of_both((*long, *written), one), _LEAST_DIGITS),
        frozenset(each for word in written for each in _without_ascii(word)),
        frozenset(
            (*_base64((*long, *written), one), *_base32((*long, *written), one), *_packed(one))
        ),
        _pieces(
            (
                *one.counted.counts,
                *(code.digits for code in one.codes.values() if code.is_part),
            ),
            1,
        ),
        tuple(_apart(word) for word in words if len(word) < _LEAST_LETTERS),
        one.combinations,
        one.words,
        one.tails,
        tuple(one.days),
    )


def _beyond_ascii(value: str, disguises: Disguises) -> tuple[str, ...]:
    """Return the parts of a name that have letters beyond ASCII, in small letters, as they are written."""
    found = re.findall(r"[^\W\d_]+", normalize("NFC", value.lower()))
    return tuple(
        dict.fromkeys(
            word for word in found if not word.isascii() and views.plain(word) in disguises.words
        )
    )


def _left_of(word: str) -> str:
    """Return what is left of a part of a name when letters beyond ASCII are taken out: ``mller``."""
    return "".join(letter for letter in word if letter.isascii())[:LEAST_BEGINNING]


def _without_ascii(word: str) -> Iterator[bytes]:
    """Yield how a part of a name begins that has no letter of ASCII: what is squeezed out between is ASCII."""
    beginning = word[:_LEAST_LETTERS]
    if any(letter.isascii() for letter in beginning):
        return
    for case in (beginning, beginning.upper(), beginning.capitalize()):
        for codec in _SCRIPTS:
            with suppress(UnicodeEncodeError):
                yield case.encode(codec)


def _pieces(texts: Iterable[str], least: int) -> frozenset[bytes]:
    return frozenset(text.encode() for text in texts if len(text) >= least)


@lru_cache(maxsize=2048)
def _in_a_row(digits: bytes, *, measured: bool) -> re.Pattern[bytes]:
    """Return a search for digits with little between them: the next element is further away.

    A short number is met by chance among measured ones, which have a length or a backslash between them.
    """
    few = rb"[^\d\x00-\x09\x0b-\x1f" + (rb"\\" if measured else b"") + rb"]{0,6}"
    few = few if len(digits) < _MEASURED_DIGITS else rb"\D{0,7}"
    gap = few + rb"[\x80-\xff]{0,9}"
    return re.compile(gap.join(bytes([digit]) for digit in digits))


def _apart(word: str) -> bytes:
    """Return a pattern for a short name in letters apart, or in numbers, or in words that spell it."""
    gap = rb"(?:[^a-z\x00-\x1f]{1,6}|\n)"
    ways = [gap.join(bytes([letter]) for letter in word.encode())]
    for case in (word, word.upper(), word.capitalize()):
        ways.append(rb"[\s:,-]?".join(f"{letter:02x}".encode() for letter in case.encode()))
        ways.append(quoted(b64encode(case.encode()).lower()))
    ways += [
        gap.join(alphabet.get(letter, letter).encode() for letter in word)
        for alphabet in views.ALPHABETS
    ]
    return b"|".join(ways)


def _of_letters(words: Iterable[str], disguises: Disguises) -> Iterator[str]:
    yield from (each for each in disguises.combinations if len(each) == BEGINNINGS)
    for word in words:
        yield word[:LEAST_BEGINNING]
        if len(word) > _LEAST_LETTERS:
            yield word[::-1]
        for alphabet in views.ALPHABETS:
            yield "".join(alphabet.get(letter, letter) for letter in word[:_MANY])
    inner = {
        code.digits[1 : 1 + _MANY]
        for code in disguises.codes.values()
        if code.least > _LEAST_DIGITS
    }
    for digits in inner:
        for language in views.DIGITS_BY_LANGUAGE:
            yield "".join(language[int(digit)] for digit in digits)


def _of_digits(words: Iterable[str], disguises: Disguises) -> Iterator[str]:
    for form, code in disguises.codes.items():
        if not code.is_part and len(form) >= _LEAST_DIGITS:
            yield form
    for word in words:
        yield "".join(str(ord(letter) - 96) for letter in word)
        for case in (word, word.upper(), word.capitalize()):
            yield "".join(str(ord(letter)) for letter in case)
    for day in disguises.days:
        for year in (day.year, day.year + 543, day.year - 1911):
            for parts in (
                (day.day, day.month, year), (day.month, day.day, year), (year, day.month, day.day),
                (year, day.day, day.month),
            ):  # fmt: skip
                if len(short := "".join(map(str, parts))) > _LEAST_DIGITS:
                    yield short
                yield "".join(f"{part:02d}" for part in parts)
        yield f"{day.year}{day.timetuple().tm_yday:03d}"
        yield str(day.toordinal() + 1_721_425)


def _of_both(words: Iterable[str], disguises: Disguises) -> Iterator[str]:
    for word in words:
        for case in (word, word.upper(), word.capitalize()):
            yield case.encode().hex()
    for code in disguises.codes:
        if len(code) > _LEAST_DIGITS and code.isdigit():
            for number in (f"{int(code):x}", views.in_base_36(int(code))):
                if len(number) >= _LEAST_DIGITS:
                    yield number
            yield code.encode().hex()


def _base64(words: Iterable[str], disguises: Disguises) -> Iterator[bytes]:
    """Yield what of a text's base64 does not depend on what stands before and after it."""
    texts = [case for word in words for case in (word, word.upper(), word.capitalize())]
    for text in (*texts, *(code for code in disguises.codes if len(code) > _LEAST_DIGITS)):
        for lead in range(3):
            raw = b64encode(b"\0" * lead + text.encode())
            inner = raw[(0, 2, 3)[lead] : len(raw) // 4 * 4 - 4]
            if len(inner) >= _LEAST_LETTERS:
                yield inner
                yield inner.replace(b"+", b"-").replace(b"/", b"_")


def _base32(words: Iterable[str], disguises: Disguises) -> Iterator[bytes]:
    """Yield how a text begins in base32, as far as that depends on nothing behind it."""
    texts = [case for word in words for case in (word, word.upper(), word.capitalize())]
    for text in (*texts, *(c.digits for c in disguises.codes.values() if c.least == len(c.digits))):
        if len(text) >= _LEAST_LETTERS:
            yield b32encode(text.encode())[: len(text.encode()) * 8 // 5]


def _packed(disguises: Disguises) -> Iterator[bytes]:
    """Yield numbers and days as binary numbers."""
    for form, code in disguises.codes.items():
        if code.least >= _MEASURED_DIGITS:
            yield from packed(int(form))
        if code.least == len(form) >= _MEASURED_DIGITS and code.info_type in RECORDS:
            for places in range(1, len(form)):
                for order in ("<", ">"):
                    yield struct.pack(f"{order}d", float(f"{form[:-places]}.{form[-places:]}"))
    for day in disguises.days:
        for order in ("<", ">"):
            yield struct.pack(f"{order}3H", day.year, day.month, day.day)
            yield struct.pack(f"{order}3H", day.day, day.month, day.year)


def packed(number: int) -> Iterator[bytes]:
    """Yield a number as binary numbers of four and eight bytes, in both orders."""
    for order in ("<", ">"):
        if number < 1 << 32:
            yield struct.pack(f"{order}I", number)
            yield struct.pack(f"{order}f", number)
        elif number < 1 << 64:
            yield struct.pack(f"{order}Q", number)
        if number < 1 << 64:
            yield struct.pack(f"{order}d", number)
