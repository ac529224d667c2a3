"""What exporters, archives, consoles and people write of somebody in other words, and what must stay beside it.

Each line of ``exports.txt`` is a kind and a template; what tells of the person stands between « and ». Those of
``exports_judged.txt`` were only ever measured. ``exports_staying.txt`` holds what scanners and people write of
nobody, in the same shapes.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime, time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.adversarial import calendars
from tests.adversarial.corpus import relaxed
from tests.adversarial.people import Person, listed, person
from tests.adversarial.probes import Probe, file_about
from tests.adversarial.wire import element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEOPLE: Final = (402, 405, 407, 411, 414, 418, 423, 429)
EACH: Final = 3
"""How many of the people a template is tried with."""
_SHORT_PLACES: Final = (
    (0x00209453, "LO"), (0x00283003, "LO"), (0x00281055, "LO"), (0x0008103E, "LO"), (0x00181030, "LO"),
    (0x00189005, "SH"), (0x00181020, "LO"), (0x00081030, "LO"),
)  # fmt: skip
"""Frame Label, LUT Explanation, Window Explanation, Series Description, Protocol Name, Pulse Sequence Name,
Software Versions, Study Description."""
_LONG_PLACES: Final = ((0x00620006, "ST"), (0x0040A160, "UT"), (0x00204000, "LT"))
"""Segment Description, Text Value, Image Comments."""
_LO, _SH = 64, 16
_FOLDER: Final = Path(__file__).parent
_UNITS: Final = listed("zero one two three four five six seven eight nine")
_TENS: Final = listed("- ten twenty thirty forty fifty sixty seventy eighty ninety")
_TEENS: Final = listed(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)


class Template(NamedTuple):
    """One way of writing."""

    kind: str
    text: str


@cache
def templates(name: str = "exports") -> tuple[Template, ...]:
    """Return the templates of a file."""
    lines = (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    return tuple(
        Template(*line.split("\t", 1)) for line in lines if line and not line.startswith("#")
    )


@cache
def staying() -> tuple[str, ...]:
    """Return what has to stay, whoever the patient is."""
    lines = (_FOLDER / "exports_staying.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@cache
def exports(name: str = "exports") -> tuple[Probe, ...]:
    """Return a file for each template and some of the people."""
    with relaxed():
        return tuple(_probes(name))


def _probes(name: str) -> Iterator[Probe]:
    people = [(person(number), fields(person(number))) for number in PEOPLE]
    for index, template in enumerate(templates(name)):
        for turn in range(EACH):
            who, known = people[(index * EACH + turn) % len(people)]
            text, told = filled(template, known)
            if not told:
                continue
            tag, vr = _place(text, index + turn * 5)
            raw = text.encode()
            made = partial(file_about, who, {tag: element(tag, vr, raw)})
            traces = tuple(each.lower().encode() for each in told)
            where = f"{template.kind}, {template.text}, {tag:08X}, {who.number}"
            yield Probe(where, made, traces, held_out=name != "exports")


def filled(template: Template, known: dict[str, object]) -> tuple[str, list[str]]:
    """Return a template's text about somebody, and what of it tells; nothing does where it does not fit."""
    marked = template.text.format(**known)
    return re.sub("[«»]", "", marked), re.findall("«([^»]+)»", marked)


def _place(text: str, turn: int) -> tuple[int, str]:
    if len(text) > _LO or "\\" in text or "\n" in text or turn % 4 == 0:
        return _LONG_PLACES[turn // 4 % len(_LONG_PLACES)]
    tag, vr = _SHORT_PLACES[turn % len(_SHORT_PLACES)]
    return (0x00209453, "LO") if vr == "SH" and len(text) > _SH else (tag, vr)


def staying_files(who: Person) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """Yield files about somebody with a few each of the texts that have to stay, by tag."""
    places = (0x00209453, 0x00283003, 0x00281055, 0x0040A160, 0x0008103E, 0x00181030)
    texts = staying()
    for first in range(0, len(texts), len(places)):
        planted = {
            tag: element(tag, "UT" if tag == 0x0040A160 else "LO", text.encode())
            for tag, text in zip(places, texts[first : first + len(places)], strict=False)
        }
        with relaxed():
            yield file_about(who, planted), planted


# ---------------------------------------------------------------------- what the templates are filled with


def fields(who: Person) -> dict[str, object]:
    """Return what a template may name."""
    fam = _plain(who.letters).lower()
    giv = _plain(who.given).lower()
    digits = who.digits
    accession = who.accession.removeprefix("ACC")
    known: dict[str, object] = {
        "fam": fam, "Fam": fam.capitalize(), "FAM": fam.upper(), "f": fam[0], "F": fam[0].upper(),
        "giv": giv, "Giv": giv.capitalize(), "GIV": giv.upper(), "g": giv[0], "G": giv[0].upper(),
        "i": giv[0] + fam[0], "I": (giv[0] + fam[0]).upper(), "sex": "FM"[who.number % 2],
        "fem": "fem", "age": who.studied.year - who.born.year, "id": who.patient_id, "digits": digits,
        "acc": who.accession, "accdigits": accession, "S": who.studied, "B": who.born,
        **{f"last{n}": digits[-n:] for n in (3, 4, 5)},
    }  # fmt: skip
    return known | _names(fam, giv, who) | _encoded(fam) | _numbers(digits, accession) | _days(who)


def _plain(text: str) -> str:
    return text.translate(str.maketrans("ñÅåüöíáéř", "nAauoiaer"))


def _names(fam: str, giv: str, who: Person) -> dict[str, object]:
    bare = re.sub("[aeiouy]", "", fam)
    cyrillic = dict(zip("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопкрстуввхйз", strict=True))
    greek = dict(zip("abcdefghijklmnopqrstuvwxyz", "αβκδεφγηιικλμνοπκρστυββξυζ", strict=True))
    number = who.digits * 3
    return {
        "fam_rev": fam[::-1],
        "giv_rev": giv[::-1],
        "FAM_REV": fam[::-1].upper(),
        "FAM_NOVOWEL": bare.upper() if len(bare) > 3 else "",
        "fam_novowel": bare if len(bare) > 3 else "",
        "fam_double": "".join(c * 2 for c in fam),
        "fam_stutter": f"{fam[:2]}{fam}",
        "FAM_DIGITS": "".join(f"{c}{n % 10}" for n, c in enumerate(fam.upper(), 1)),
        "FAM_NUMBER": "".join(f"{c}{number[n]}" for n, c in enumerate(fam.upper())),
        "fam_camel": "".join(c.upper() if n % 2 else c for n, c in enumerate(fam)),
        "fam_alt": " ".join(c.upper() if n % 2 else c for n, c in enumerate(fam)),
        "fam_lines": "\n".join(fam.upper()),
        "fam_commas": ", ".join(fam.upper()),
        "fam_quoted": " ".join(f"'{c}'" for c in fam.upper()),
        "fam_brackets": "".join(f"[{c}]" for c in fam.upper()),
        "fam_arrows": "->".join(fam.upper()),
        "fam_json": ", ".join(f'"{c}"' for c in fam.upper()),
        "fam_xml": "".join(f"<c>{c}</c>" for c in fam),
        "fam_cyr": "".join(cyrillic[c] for c in fam).capitalize(),
        "fam_greek": "".join(greek[c] for c in fam).capitalize(),
        "fam_tele": " ".join(_TELEPHONE[c] for c in fam),
        "fam_missing": fam[:2] + fam[3:] if len(fam) > 6 else "",
        "fam_swapped": fam[:2] + fam[3] + fam[2] + fam[4:] if len(fam) > 6 else "",
    }


_TELEPHONE: Final = {
    word[0]: word.capitalize()
    for word in listed(
        "anton berta caesar dora emil friedrich gustav heinrich ida julius konrad ludwig martha nordpol otto"
        " paula quelle richard samuel theodor ulrich viktor wilhelm xanthippe ypsilon zeppelin"
    )
}


def _encoded(fam: str) -> dict[str, object]:
    name = fam.capitalize()
    raw = name.encode()
    return {
        "famhex": raw.hex(),
        "FAMHEX": fam.upper().encode().hex().upper(),
        "fam_u": "".join(f"\\u{ord(c):04x}" for c in name),
        "fam_u_some": f"{name[0]}\\u{ord(name[1]):04x}{name[2:]}",
        "fam_ent": "".join(f"&#x{ord(c):X};" for c in name),
        "fam_qp": "".join(f"={c:02X}" for c in raw),
        "fam_b64": base64.b64encode(raw).decode(),
        "fam_b64url": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "fam_pct": "".join(f"%{c:02X}" for c in raw),
        "fam_pct2": "".join(f"%25{c:02X}" for c in raw),
        "fam_utf7": f"+{base64.b64encode(name.encode('utf-16-be')).decode().rstrip('=')}-",
        "fam_b32": base64.b32encode(raw).decode(),
        "fam_a85": base64.a85encode(raw).decode().replace("\\", "/"),
        "fam_b85": base64.b85encode(raw).decode(),
        "fam_oct": " ".join(f"{c:o}" for c in raw),
        "fam_octal_c": "".join(f"\\{c:o}" for c in raw),
        "fam_rot13": "".join(_rot13(c) for c in name),
        "fam_uu": binascii.b2a_uu(raw).decode().strip().replace("\\", "/"),
        "fam_bin": " ".join(f"{c:08b}" for c in raw[:5]),
        "fam_css": "".join(f"\\{c:04x}" for c in raw),
        "fam_uplus": " U+".join(f"{c:04X}" for c in raw),
        "famhex_colons": ":".join(f"{c:02x}" for c in raw),
    }


def _rot13(letter: str) -> str:
    first = ord("a" if letter.islower() else "A")
    return chr(first + (ord(letter) - first + 13) % 26)


def _numbers(digits: str, accession: str) -> dict[str, object]:
    number = int(digits)
    half = len(digits) // 2
    pairs = [digits[n : n + 2] for n in range(0, len(digits), 2)]
    groups = f"{number:,}"
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
    return {
        "b36": _based(number, alphabet),
        "B36": _based(number, alphabet).upper(),
        "digits_b32": base64.b32encode(digits.encode()).decode(),
        "digits_hex": f"{number:x}",
        "digits_oct": f"{number:o}",
        "digits_bin": f"{number:b}",
        "digits_bcd": " ".join(f"{int(c):04b}" for c in digits),
        "luhn": _luhn(digits),
        "digits_apos": groups.replace(",", "'"),
        "digits_comma": groups,
        "digits_thin": groups.replace(",", "\u2009"),
        "digits_dictated": " ".join(map(_pair_in_words, pairs)),
        "digits_double": _with_doubles(digits),
        "digits_cjk": "".join("〇一二三四五六七八九"[int(c)] for c in digits),
        "digits_half1": digits[:half],
        "digits_half2": digits[half:],
        "digits_swapped": digits[half:] + digits[:half],
        "digits_lines": "\n".join(digits),
        "digits_us": "_".join(pairs),
        "digits_spaced2": "  ".join(pairs),
        "digits_star": "*".join(digits),
        "digits_minus2": "--".join(pairs),
        "digits_list": ", ".join(digits),
        "digits_hyph3": "-".join(digits[n : n + 3] for n in range(0, len(digits), 3)),
        "acc_rev": accession[::-1],
        "accwords": " ".join(_UNITS[int(c)] for c in accession),
        "digits_phone": f"({digits[:3]}) {digits[3:]}",
        "digits_greek": "".join(chr(0x966 + int(c)) for c in digits),
        "digits_brackets": "".join(f"[{c}]" for c in digits),
        "digits_keypad": "".join(f"{c}\ufe0f\u20e3" for c in digits),
    }


def _based(number: int, alphabet: str) -> str:
    written = ""
    while number:
        number, rest = divmod(number, len(alphabet))
        written = alphabet[rest] + written
    return written


def _luhn(digits: str) -> str:
    total = sum(sum(divmod(int(c) * (2 - n % 2), 10)) for n, c in enumerate(reversed(digits)))
    return str(-total % 10)


def _pair_in_words(pair: str) -> str:
    if len(pair) == 1 or pair[0] == "0":
        return " ".join(_UNITS[int(c)] for c in pair)
    if pair[0] == "1":
        return _TEENS[int(pair[1])]
    return _TENS[int(pair[0])] + (f"-{_UNITS[int(pair[1])]}" if pair[1] != "0" else "")


def _with_doubles(digits: str) -> str:
    if not re.search(r"(\d)\1", digits):
        return ""
    spoken = re.findall(r"(\d)(\1)?", digits)
    return " ".join(f"double {_UNITS[int(c)]}" if twice else _UNITS[int(c)] for c, twice in spoken)


def _days(who: Person) -> dict[str, object]:
    known: dict[str, object] = {}
    for name, day in (("s", who.studied), ("b", who.born)):
        made = {form: write(day) for form, write in _SERIALS.items()}
        known |= {f"{form}_{name}": text for form, text in made.items()}
    known["S_rev"] = who.studied.strftime("%d%m%Y")[::-1]
    fam, giv = (
        re.sub("[aeiouy]", "", _plain(each).upper()) + "XXX" for each in (who.letters, who.given)
    )
    born = who.born
    known["cf"] = f"{fam[:3]}{giv[:3]}{born:%y}{'ABCDEHLMPRST'[born.month - 1]}{born:%d}F205X"
    known["nir"] = f"1{born:%y%m}75108064"
    known["curp"] = f"{_plain(who.letters)[:2].upper()}XX{born:%y%m%d}HDFXXX09"
    known["sndl"] = (
        f"{_plain(who.letters).upper():9<5.5}{born.year % 100 // 10}{born:%m%d}{born.year % 10}99"
    )
    return known


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def _since(year: int, month: int, day: int) -> Callable[[date], str]:
    return lambda when: str((when - date(year, month, day)).days)


def _seconds_since(year: int, factor: int = 1, form: str = "d") -> Callable[[date], str]:
    def write(day: date) -> str:
        seconds = int((_noon(day) - datetime(year, 1, 1, tzinfo=UTC)).total_seconds()) * factor
        return format(seconds, form) if seconds > 0 else ""

    return write


_MONTHS_DE: Final = listed(
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
)
_MONTHS_FR: Final = listed(
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
)
_THAI: Final = listed("ม.ค. ก.พ. มี.ค. เม.ย. พ.ค. มิ.ย. ก.ค. ส.ค. ก.ย. ต.ค. พ.ย. ธ.ค.")
_ROMAN: Final = listed("I II III IV V VI VII VIII IX X XI XII")
_SERIALS: Final[dict[str, Callable[[date], str]]] = {
    "excel": _since(1899, 12, 30),
    "mac_excel": _since(1904, 1, 1),
    "mjd": _since(1858, 11, 17),
    "jd": lambda day: f"{day.toordinal() + 1_721_424}.5",
    "unixdays": lambda day: str(abs((day - date(1970, 1, 1)).days)),
    "sas": lambda day: str(abs((day - date(1960, 1, 1)).days)),
    "horolog": _since(1840, 12, 31),
    "lilian": _since(1582, 10, 14),
    "fileman": lambda day: f"{day.year - 1700}{day:%m%d}",
    "cyymmdd": lambda day: (
        f"{(day.year - 1900) // 100}{day:%y%m%d}" if day.year >= 2000 else f"0{day:%y%m%d}"
    ),
    "matlab": lambda day: str(day.toordinal() + 366),
    "ordinal": lambda day: str(day.toordinal()),
    "ticks": lambda day: str((day.toordinal() - 1) * 864_000_000_000 + 432_000_000_000),
    "filetime": lambda day: str((day - date(1601, 1, 1)).days * 864_000_000_000 + 432_000_000_000),
    "cocoa": _seconds_since(2001),
    "mac1904": _seconds_since(1904),
    "unixhex": _seconds_since(1970, 1, "x"),
    "unixms": _seconds_since(1970, 1000),
    "unixus": _seconds_since(1970, 1_000_000),
    "unixns": _seconds_since(1970, 1_000_000_000),
    "gps": lambda day: f"{(day - date(1980, 1, 6)).days // 7}:{(day - date(1980, 1, 6)).days % 7}",
    "yyww": lambda day: f"{day:%g%V}.{day:%u}",
    "dtg": lambda day: f"{day:%d}1422Z{day:%b%y}".upper(),
    "rom": lambda day: _ROMAN[day.month - 1],
    "romfull": lambda day: f"{_roman(day.day)}.{_roman(day.month)}.{_roman(day.year)}",
    "heisei": lambda day: (
        f"H{day.year - 1988}.{day.month}.{day.day}" if 1989 < day.year < 2019 else ""
    ),
    "showa": lambda day: f"{day.year - 1925}年{day.month}月{day.day}日" if day.year < 1989 else "",
    "showa_dots": lambda day: f"{day.year - 1925}.{day.month}.{day.day}" if day.year < 1989 else "",
    "cjk": lambda day: f"{_cjk(str(day.year))}年{_cjk_number(day.month)}月{_cjk_number(day.day)}日",
    "jalali": lambda day: "{}/{:02d}/{:02d}".format(*calendars.jalali(day)),
    "hijri": lambda day: "{}-{:02d}-{:02d}".format(*calendars.hijri(day)),
    "thai": lambda day: f"{day.day} {_THAI[day.month - 1]} {day.year + 543}",
    "words": lambda day: (
        f"{_ordinal(day.day)} of {day:%B} "
        + " ".join(map(_pair_in_words, (f"{day:%Y}"[:2], f"{day:%y}")))
    ),
    "words_de": lambda day: f"{day.day}. {_MONTHS_DE[day.month - 1]} {day.year}",
    "words_fr": lambda day: f"le {day.day} {_MONTHS_FR[day.month - 1]} {day:%y}",
    "czech": lambda day: f"{day:%y}{day.month + 50}{day:%d}",
    "pesel": lambda day: f"{day:%y}{day.month + (20 if day.year >= 2000 else 0):02d}{day:%d}12345",
    "chi": lambda day: f"{day:%d%m%y}1234",
}
_ORDINALS: Final = listed(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)


def _ordinal(day: int) -> str:
    if day <= 20:
        return _ORDINALS[day - 1]
    if day == 30:
        return "thirtieth"
    return f"{_TENS[day // 10]}-{_ORDINALS[day % 10 - 1]}"


def _roman(number: int) -> str:
    written = ""
    for value, letters in (
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ):
        written += letters * (number // value)
        number %= value
    return written


def _cjk(digits: str) -> str:
    return "".join("〇一二三四五六七八九"[int(c)] for c in digits)


def _cjk_number(number: int) -> str:
    tens, units = divmod(number, 10)
    return ("" if not tens else "十" if tens == 1 else f"{_cjk(str(tens))}十") + (
        _cjk(str(units)) if units else ""
    )
