"""What is hidden: values that look like people, numbers, places and dates, and stand nowhere else.

Everything follows from the hiding place's name, so that the corpus is the same on every machine.
"""

from __future__ import annotations

from hashlib import sha256

# The person whom every file of the corpus is about, as its standard header elements say.
OWN_SURNAME = "Thistlemoor"
OWN_GIVEN = "Evander"
OWN_NAME = f"{OWN_SURNAME}^{OWN_GIVEN}^Quillon"
OWN_ID = "TQK-4471902"
OWN_BIRTH_DATE = "19530617"
OWN_PHYSICIAN = "Ravensbrook^Isolde"
OWN_OPERATOR = "Kestrelwood^Ambrose"
OWN_ACCESSION = "ACN5583019"
OWN_INSTITUTION = "Wendolenstift Klinikum"
OWN_PHONE = "+49 551 7730419"
OWN_ADDRESS = "Krautzbergengasse 14"

_FIRST = (
    "Brand", "Ostro", "Vander", "Quim", "Hjort", "Szal", "Marlo", "Fitz", "Grebe", "Kowal",
    "Lind", "Dvor", "Pruit", "Yarm", "Eisen", "Tamb", "Wrex", "Bolin", "Corv", "Haver",
)  # fmt: skip
_SECOND = (
    "grav", "chuk", "bury", "hausen", "ovic", "wick", "quist", "mond", "feld", "holm",
    "gard", "nell", "stock", "brecht", "lund", "combe", "thorpe", "mann", "dottir", "escu",
)  # fmt: skip
_THIRD = ("a", "er", "in", "ley", "o", "son", "ski", "en", "ova", "us")


class Values:
    """Makes the values of one hiding place, and keeps the answer key.

    Parameters
    ----------
    place
        The hiding place's id; other places get other values.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.planted: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.same: list[tuple[str, str]] = []
        self._count = 0
        self._years: set[int] = set()

    def surname(self, where: str) -> str:
        """Return a family name that no vocabulary has."""
        return self._plant(self._name(), where)

    def name(self, where: str) -> str:
        """Return a Person Name of two components; each is a marker."""
        return f"{self.surname(where)}^{self.surname(where)}"

    def capitals(self, where: str) -> str:
        """Return a family name as a CS or AE holds it."""
        return self._plant(self._name().upper()[:16], where)

    def sentence(self, where: str) -> str:
        """Return a remark that names somebody."""
        return f"discussed with Dr {self.surname(where)} by phone"

    def number(self, where: str, digits: int = 9) -> str:
        """Return a record number of digits only."""
        return self._plant(self._digits(digits), where)

    def record(self, where: str) -> str:
        """Return a record number with letters, within SH's limit."""
        return self._plant(f"MRN{self._digits(8)}", where)

    def phone(self, where: str) -> str:
        """Return a telephone number; its last part is the marker."""
        return f"0551 {self.number(where, 8)}"

    def address(self, where: str) -> str:
        """Return a postal address; its street is the marker."""
        return f"{self.surname(where)}strasse 47"

    def date(self, where: str) -> str:
        """Return a DA value of the last century, which no date of the base is."""
        # No two of a place are within a hundred days, so that none is another one shifted.
        raw = self._bytes()
        year = 1902 + raw[0] % 2 + 2 * len(self._years)
        self._years.add(year)
        return self._plant(f"{year}{raw[1] % 6 + 1:02d}{raw[2] % 28 + 1:02d}", where)

    def moment(self, where: str) -> str:
        """Return a DT value; its date is the marker."""
        return f"{self.date(where)}101112.131415"

    def time(self, where: str) -> str:
        """Return a TM value; its fraction is the marker."""
        return f"1{self._bytes()[0] % 10}1112.{self.number(where, 6)}"

    def uid(self, where: str) -> str:
        """Return a UID under a maker's root; its last component is the marker."""
        return f"1.2.826.0.1.3680043.9.7433.{self.number(where, 12)}"

    def own(self, value: str, where: str) -> str:
        """Plant one of the person's own values once more."""
        return self._plant(value, where)

    def keep(self, path: str, value: str) -> None:
        """Declare a value of this place that the Basic Profile keeps."""
        self.kept[path] = value

    def refer(self, path: str, other: str) -> None:
        """Declare that the values at two paths are the same UID and must stay so."""
        self.same.append((path, other))

    def _plant(self, marker: str, where: str) -> str:
        self.planted[marker] = where
        return marker

    def _bytes(self) -> bytes:
        self._count += 1
        return sha256(f"{self.place}|{self._count}".encode()).digest()

    def _name(self) -> str:
        raw = self._bytes()
        tail = chr(97 + raw[3] % 26) + "aeiou"[raw[4] % 5] + chr(97 + raw[5] % 26)
        stem = _FIRST[raw[0] % 20] + _SECOND[raw[1] % 20]
        return f"{stem}{tail}{_THIRD[raw[2] % 10]}"[:14]

    def _digits(self, count: int) -> str:
        number = int.from_bytes(self._bytes()[:12], "big")
        # No zero at the end: a round number looks measured, and no record number is this round.
        return f"{number % 9 * 10 ** (count - 1) + 10 ** (count - 1) + number % 10 ** (count - 1)}"[
            : count - 1
        ] + str(1 + number % 9)
