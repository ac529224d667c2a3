"""Texts read as somebody would who knows what to look for, each character with where it stands.

An identifier that is escaped, spelt letter by letter, or written in circled letters or in words is none to a
plain search. A `View` is such a text read otherwise; what is found in it is found in the text itself.
"""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from base64 import b32decode, b64decode
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def words(listed: str) -> tuple[str, ...]:
    """Return words that are written as prose."""
    return tuple(listed.split())


class View(NamedTuple):
    """A text read otherwise.

    Attributes
    ----------
    text
        What is read.
    starts, stops
        Where the character at an index begins and ends in the text that was looked at.
    """

    text: str
    starts: tuple[int, ...] | range
    stops: tuple[int, ...] | range

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Return where a stretch of the view stands in the text."""
        return self.starts[start], self.stops[stop - 1]


def as_written(text: str) -> View:
    """Return a text as it is."""
    return View(text, range(len(text)), range(1, len(text) + 1))


def mapped(view: View, pattern: re.Pattern[str], read: Callable[[re.Match[str]], str]) -> View:
    """Return a view in which what a pattern matches is read as something else; "" leaves it out."""
    pieces: list[str] = []
    starts: list[int] = []
    stops: list[int] = []
    at = 0
    for match in pattern.finditer(view.text):
        pieces.append(view.text[at : match.start()])
        starts += view.starts[at : match.start()]
        stops += view.stops[at : match.start()]
        new = read(match)
        start, stop = view.span(match.start(), match.end())
        pieces.append(new)
        starts += [start] * len(new)
        stops += [stop] * len(new)
        at = match.end()
    if not at:
        return view
    pieces.append(view.text[at:])
    starts += view.starts[at:]
    stops += view.stops[at:]
    return View("".join(pieces), tuple(starts), tuple(stops))


# ---------------------------------------------------------------------- escapes

_ESCAPE: Final = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|(?:=[0-9A-Fa-f]{2})+|(?:\\x[0-9A-Fa-f]{2})+"
    r"|\\u-?\d{3,5}\?|(?:\\'[0-9A-Fa-f]{2})+|(?:\\u|U\+)[0-9A-Fa-f]{4}[ ,]?"
    r"|&#[0-9]{1,7};?|&#[xX][0-9A-Fa-f]{1,6};?|&[A-Za-z]{2,8};|=\r?\n"
    r"|\\0{2,4}[0-9A-Fa-f]{2}[ ]?|(?:\\[0-3]?[0-7]{2})+|\\X(?:[0-9A-Fa-f]{2})+\\"
)
_MOST_OFTEN_ESCAPED: Final = 3
_HEX: Final = re.compile(r"[0-9A-Fa-f]{2}")


def _unescape(match: re.Match[str]) -> str:
    written = match[0]
    if written.startswith("&"):
        read = html.unescape(written)
        return read if read != written else written
    if written.endswith("?"):  # of RTF
        return chr(int(written[2:-1]) % 65536)
    if written[1] in "u+" or written.startswith(
        "\\00"
    ):  # of JSON, of Unicode's charts, of style sheets
        return chr(int(re.sub(r"[^0-9A-Fa-f]", "", written), base=16))
    if written.startswith("\\") and written[1].isdigit():
        octal = re.findall(r"[0-7]+", written)
        return decoded(bytes(int(each, base=8) & 255 for each in octal)) or written
    if written.startswith("=") and not written[1:2].isalnum():
        return ""
    raw = bytes.fromhex("".join(_HEX.findall(re.sub(r"\\[xX']", " ", written))))
    return decoded(raw) or written


def decoded(raw: bytes) -> str:
    """Return bytes as text where they are one, else nothing."""
    for codec in ("utf-8", "latin-1"):
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        return text if all(c.isprintable() or c in "\r\n\t" for c in text) else ""
    return ""


def unescaped(view: View) -> View:
    """Return a view in which %41, =41, &#65;, &Auml; and their like are the characters they stand for.

    What was escaped twice or three times, as on its way through several programs, is read all the way.
    """
    for _ in range(_MOST_OFTEN_ESCAPED):
        read = mapped(view, _ESCAPE, _unescape)
        if read.text == view.text:
            break
        view = read
    return view


_MARKUP: Final = re.compile(r"</?[A-Za-z][^<>]{0,80}>")


def without_markup(view: View) -> View:
    """Return a view with a space for each tag of HTML or XML; the same view where there is none."""
    return mapped(view, _MARKUP, lambda _: " ") if "<" in view.text else view


def in_base_36(number: int) -> str:
    """Return a number in digits and small letters, as short names of files and addresses are made."""
    written = ""
    while number:
        number, rest = divmod(number, 36)
        written = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + written
    return written


# ---------------------------------------------------------------------- letters that look like others

_SMALL_CAPITALS: Final = dict(
    zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True)
)
_ALIKE: Final = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0410\u0412\u0415\u041a\u041c\u041d\u041e"
        "\u0420\u0421\u0422\u0425\u0456\u0406\u0455\u0405\u0458\u0501\u04bb\u0391\u0392\u0395"
        "\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03b1\u03bd",
        "aeopcyxABEKMHOPCTXiIsSjdhABEZHIKMNOPTYXoav",
        strict=True,
    )
)
"""Cyrillic and Greek letters that look like Latin ones."""
_MIXED_SCRIPTS: Final = re.compile(r"[A-Za-z]")


@lru_cache(maxsize=4096)
def _look(character: str) -> str:
    """Return the plain letters and digits that a character looks like, in lower case without marks."""
    code = ord(character)
    if 0x1F150 <= code <= 0x1F169 or 0x1F170 <= code <= 0x1F189:
        return chr(97 + (code - 0x1F150) % 32)
    if 0x1F1E6 <= code <= 0x1F1FF:
        return chr(97 + code - 0x1F1E6)
    if character in _SMALL_CAPITALS:
        return _SMALL_CAPITALS[character]
    if unicodedata.category(character) in ("Cf", "Mn", "Me", "Co", "Cc"):
        return ""
    plain = unicodedata.normalize("NFKD", character)
    kept = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    return _SPELT.get(kept, kept)


_SPELT: Final = {
    "ß": "ss", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "æ": "ae", "œ": "oe", "\u0131": "i",
    "\u03c2": "\u03c3",
}  # fmt: skip


def plain(text: str) -> str:
    """Return a text in lower case, without marks, each letter as the plain one that it looks like."""
    return text.lower() if text.isascii() else "".join(map(_look, text))


def looked_at(view: View) -> View:
    """Return a view in lower case with plain letters: circled, full-width, accented ones among them.

    Cyrillic and Greek letters stand for Latin ones where Latin letters stand beside them.
    """
    if view.text.isascii():
        return View(view.text.lower(), view.starts, view.stops)
    mixed = _MIXED_SCRIPTS.search(view.text) is not None

    pieces: list[str] = []
    starts: list[int] = []
    stops: list[int] = []
    for index, character in enumerate(view.text):
        if character.isascii():
            new = character.lower()
        else:
            new = _look(_ALIKE.get(character, character) if mixed else character)
        pieces.append(new)
        starts += [view.starts[index]] * len(new)
        stops += [view.stops[index]] * len(new)
    return View("".join(pieces), tuple(starts), tuple(stops))


# ---------------------------------------------------------------------- numbers and letters in words

DIGITS_BY_LANGUAGE: Final = tuple(
    words(each)
    for each in (
        "zero one two three four five six seven eight nine",
        "oh one two three four five six seven eight niner",
        "null eins zwei drei vier fuenf sechs sieben acht neun",
        "null eins zwo drei vier funf sechs sieben acht neun",
        "zero un deux trois quatre cinq six sept huit neuf",
        "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "zero uno due tre quattro cinque sei sette otto nove",
        "zero um dois tres quatro cinco seis sete oito nove",
        "nul een twee drie vier vijf zes zeven acht negen",
        "noll ett tva tre fyra fem sex sju atta nio",
    )
)
"""The digits from 0 to 9 in words, without marks."""
_DIGIT_OF: Final = {
    word: str(digit) for words in DIGITS_BY_LANGUAGE for digit, word in enumerate(words)
}
_DIGIT_WORDS: Final = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(_DIGIT_OF, key=len, reverse=True))})(?![^\W_])"
)
_RADIO: Final = words(
    "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa"
    " quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
)
_TELEPHONE: Final = words(
    "anton berta caesar dora emil friedrich gustav heinrich ida julius konrad ludwig martha nordpol otto"
    " paula quelle richard samuel theodor ulrich viktor wilhelm xanthippe ypsilon zeppelin"
)
ALPHABETS: Final = tuple({word[0]: word for word in words} for words in (_RADIO, _TELEPHONE))
"""Spelling alphabets of radio operators, and of German telephones."""
_VARIANTS: Final = words("alfa juliet whisky casar cesar kaufmann siegfried zacharias")
_LETTER_OF: Final = {word: word[0] for word in (*_RADIO, *_TELEPHONE, *_VARIANTS)}
_LETTER_WORDS: Final = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(_LETTER_OF, key=len, reverse=True))})(?![^\W_])"
)


_TENS: Final = {
    word: str(tens)
    for tens, word in enumerate(
        words("twenty thirty forty fifty sixty seventy eighty ninety"), start=2
    )
}
_TEENS: Final = {
    word: str(number)
    for number, word in enumerate(
        words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
        start=10,
    )
}
_UNITS: Final = "|".join(DIGITS_BY_LANGUAGE[0][1:])
_PAIRS: Final = re.compile(
    rf"(?<![^\W_])(?:(?P<teen>{'|'.join(_TEENS)})|(?P<tens>{'|'.join(_TENS)})(?:[\s-](?P<unit>{_UNITS}))?"
    rf"|(?P<times>double|triple)[\s-](?P<digit>{'|'.join(DIGITS_BY_LANGUAGE[0])}|oh|\d))(?![^\W_])"
)


def _pair(match: re.Match[str]) -> str:
    if match["teen"]:
        return _TEENS[match["teen"]]
    if match["tens"]:
        return _TENS[match["tens"]] + (_DIGIT_OF[match["unit"]] if match["unit"] else "0")
    digit = _DIGIT_OF.get(match["digit"], match["digit"])
    return digit * (2 if match["times"] == "double" else 3)


PAIRS_IN_WORDS: Final = (*_TENS, *_TEENS, "double", "triple")
"""What stands in numbers that are dictated in pairs: seventy sixty-one, double seven."""


def in_digits(view: View) -> View:
    """Return a view (in lower case) in which digits that are written as words are digits.

    In English two at a time, too, as they are dictated: ``seventy sixty-one``, ``double seven``.
    """
    view = mapped(view, _PAIRS, _pair)
    return mapped(view, _DIGIT_WORDS, lambda match: _DIGIT_OF[match[0]])


_ROMAN: Final = {
    word: str(number)
    for number, word in enumerate(words("i ii iii iv v vi vii viii ix x xi xii"), start=1)
}
_ROMAN_MONTH: Final = re.compile(
    r"(?<=\d[ ./-])(?:xi{1,2}|i{1,3}|i[vx]|vi{0,3})(?=[ ./-]{1,2}\d)|(?<=\d[./-])x(?=[./-]\d)"
)


def in_months(view: View) -> View:
    """Return a view (in lower case) in which a month in Roman numbers between others is in ours."""
    return mapped(view, _ROMAN_MONTH, lambda match: _ROMAN[match[0]])


def in_letters(view: View) -> View:
    """Return a view (in lower case) in which the words of a spelling alphabet are letters."""
    return mapped(view, _LETTER_WORDS, lambda match: _LETTER_OF[match[0]])


_NUMBERS: Final = re.compile(r"(?<![\w.])\d{1,3}(?:[^\w.]{1,3}\d{1,3}){3,80}(?![\w.])")


def from_numbers(view: View) -> Iterator[View]:
    """Yield views of lists of numbers that may be letters: character codes, or places in the alphabet."""
    for match in _NUMBERS.finditer(view.text):
        numbers = list(re.finditer(r"\d+", match[0]))
        values = [int(each[0]) for each in numbers]
        if all(1 <= value <= 26 for value in values):
            letters = "".join(chr(96 + value) for value in values)
        elif all(32 <= value <= 122 for value in values):
            letters = "".join(map(chr, values)).lower()
        else:
            continue
        at = match.start()
        yield View(
            letters,
            tuple(view.starts[at + each.start()] for each in numbers),
            tuple(view.stops[at + each.end() - 1] for each in numbers),
        )


_HEX_PAIRS: Final = re.compile(
    r"(?<![^\W_])(?:0[xX])?[0-9A-Fa-f]{2}(?:[\s:,-]?(?:0[xX])?[0-9A-Fa-f]{2}){2,200}(?![^\W_])"
)
_BASE64: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{4,4000}={0,2}(?![A-Za-z0-9+/=_-])"
)


_BASE32: Final = re.compile(r"(?<![^\W_])[A-Za-z2-7]{7,400}={0,6}(?![^\W_])")


def encoded_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield texts that stand in a text as hexadecimal numbers or in base64, and where."""
    for match in _HEX_PAIRS.finditer(text):
        digits = "".join(re.findall(r"[0-9A-Fa-f]{2}", re.sub(r"0[xX]", "", match[0])))
        read = decoded(bytes.fromhex(digits))
        if read:
            yield read, *match.span()
    for match in _BASE64.finditer(text):
        written = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        if len(written) % 4 == 1:
            continue
        try:
            raw = b64decode(written + "=" * (-len(written) % 4))
        except binascii.Error:
            continue
        read = decoded(raw)
        if read:
            yield read, *match.span()
    for match in _BASE32.finditer(text):
        written = match[0].rstrip("=").upper()
        with suppress(binascii.Error):
            if read := decoded(b32decode(written + "=" * (-len(written) % 8))):
                yield read, *match.span()
