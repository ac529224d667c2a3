"""A hospital of a hundred invented patients, three scanners of one model, and two years.

What a hostile researcher gets is what `research` makes of it; what he knows besides are the scanners' service
records and the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from typing import Final

from tests.adversarial.bases import uid
from tests.adversarial.people import Person, person
from tests.adversarial.probes import DAYS, NAMES, NUMBERS, file_about
from tests.adversarial.wire import element

PATIENTS: Final = 100
SCANNERS: Final = 3
_FIRST_DAY: Final = date(2021, 1, 4)
_DAYS: Final = 730


@dataclass(frozen=True, slots=True)
class Visit:
    """One study of one patient on one scanner, as it was."""

    who: Person
    scanner: int
    day: date
    original_uids: tuple[str, ...]
    content: bytes


@cache
def visits() -> tuple[Visit, ...]:
    """Return all studies, two for each patient."""
    return tuple(_visit(number, turn) for number in range(PATIENTS) for turn in range(2))


def calibrated(scanner: int, day: date) -> date:
    """Return when a scanner was last calibrated: each on a weekday of its own."""
    return day - timedelta(days=(day.weekday() - scanner) % 7)


def _visit(number: int, turn: int) -> Visit:
    raw = sha256(f"visit {number} {turn}".encode()).digest()
    scanner = number % SCANNERS
    day = _FIRST_DAY + timedelta(days=int.from_bytes(raw[:4], "big") % _DAYS)
    known = person(number)
    who = Person(
        known.number, known.family, known.given, known.patient_id, known.accession, known.born, day
    )
    last = calibrated(scanner, day)
    study, instance = uid("hospital", number, turn), uid("hospital", number, turn, "instance")
    creator, device, clock = (
        uid("scanner", scanner, part) for part in ("creator", "device", "clock")
    )
    texts = {**NAMES, **NUMBERS, **DAYS}
    disguise = [*texts.values()][(7 * number + turn) % len(texts)]
    remark = (disguise(who) or "axial").encode()[:64]
    time = f"{8 + raw[4] % 10:02d}{raw[5] % 60:02d}{raw[6] % 60:02d}"
    week = f"CT THORAX {day.isocalendar().year} week {day.isocalendar().week}"
    planted = {
        0x00080014: _ui(0x00080014, creator),
        0x00080018: _ui(0x00080018, instance),
        0x00080030: element(0x00080030, "TM", time.encode()),
        0x00081010: element(0x00081010, "SH", f"SCANROOM{scanner}".encode()),
        0x0008103E: element(0x0008103E, "LO", f"axial {day:%d|%m|%Y}".encode()),
        0x00081030: element(0x00081030, "LO", week.encode()),
        0x00181000: element(0x00181000, "LO", f"SN77{scanner}41".encode()),
        0x00181002: _ui(0x00181002, device),
        0x00181200: element(0x00181200, "DA", f"{last:%Y%m%d}".encode()),
        0x00181201: element(0x00181201, "TM", f"0{5 + scanner}15{10 + last.toordinal() % 50}".encode()),
        0x0020000D: _ui(0x0020000D, study),
        0x00200200: _ui(0x00200200, clock),
        0x00204000: element(0x00204000, "LT", remark),
        0x00290010: element(0x00290010, "LO", b"SIEMENS CSA HEADER"),
        0x00291010: element(0x00291010, "OB", b"SV10" + f"{day:%Y%m%d}".encode() + study.encode()),
    }  # fmt: skip
    return Visit(
        who, scanner, day, (study, instance, creator, device, clock), file_about(who, planted)
    )


def _ui(tag: int, value: str) -> bytes:
    return element(tag, "UI", value.encode())
