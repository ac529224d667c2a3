"""Invented patients, each from a number: names of all shapes, record numbers of many formats, days.

Even numbers are looked at while rules are written; odd ones are only ever measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

_FAMILY = (
    "Tann", "Delacroux", "Roe", "Brandgrav", "Ostrolund", "Mole", "Szalai", "Fitzmond", "Kowalewska",
    "Lindqvist",
    "Quimbrecht", "Haverstock", "Nuñez-Arteta", "Grebe", "Åsmundsson", "Pruittcombe", "Yarmholt", "Voss",
    "Corvelli",
    "Thistleby", "Ferreira da Cunha", "Wrexham", "Müllerschön", "Dvorník", "Okonkwo", "Tambeau", "Eisenhold",
    "Bolingar",
    "Marlowe", "Hjortdal", "Sorrel", "Vanderquist", "Kestrelby", "Aldermoor", "Penhallow", "Rask", "Zwingli",
    "Ibáñez",
    "Castellane", "Norquay",
)  # fmt: skip
_GIVEN = (
    "Odile", "Marek", "Ines", "Tobias", "Anneke", "Yusuf", "Greta", "Silvio", "Pelle", "Noor", "Jürgen",
    "Mirela", "Abel",
    "Solveig", "Renzo", "Thora", "Emeka", "Linnea", "Cosmo", "Wanda",
)  # fmt: skip
_NUMBERS = (
    "K{0:08d}", "{0:08d}", "TQK-{0:07d}", "00{0:08d}", "{0:09d}", "PAT{0:06d}", "{0:07d}Z", "{0:010d}",
    "MR/{0:08d}",
    "X{0:07d}-1",
)  # fmt: skip


def listed(words: str) -> tuple[str, ...]:
    """Return words that are written as prose."""
    return tuple(words.split())


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented.

    Attributes
    ----------
    number
        What everything of the person follows from.
    family, given
        As written; the name is ``family^given``.
    """

    number: int
    family: str
    given: str
    patient_id: str
    accession: str
    born: date
    studied: date

    @property
    def is_held_out(self) -> bool:
        """Whether no rule was written with this person in sight."""
        return self.number % 2 == 1

    @property
    def digits(self) -> str:
        """The digits of the record number."""
        return "".join(c for c in self.patient_id if c.isdigit())

    @property
    def letters(self) -> str:
        """The letters of the longest part of the family name."""
        parts = self.family.replace("-", " ").split()
        return max(parts, key=len)

    @property
    def initials(self) -> str:
        """The first letters of given and family name."""
        return f"{self.given[0]}{self.family[0]}"


def person(number: int) -> Person:
    """Return the person of a number."""
    raw = sha256(f"person {number}".encode()).digest()
    pattern = _NUMBERS[number % len(_NUMBERS)]
    digits = int(pattern.partition("{0:0")[2].partition("d")[0])
    value = 10 ** (digits - 1) + int.from_bytes(raw[:8], "big") % (9 * 10 ** (digits - 1))
    value += 1 if value % 10 == 0 else 0
    born = date(1931, 1, 1) + timedelta(days=int.from_bytes(raw[8:12], "big") % 27_000)
    studied = date(2011, 1, 1) + timedelta(days=int.from_bytes(raw[12:16], "big") % 4_700)
    return Person(
        number,
        _FAMILY[number % len(_FAMILY)],
        _GIVEN[raw[16] % len(_GIVEN)],
        pattern.format(value),
        f"ACC{int.from_bytes(raw[17:20], 'big') % 10**7:07d}",
        born,
        studied,
    )
