"""Everything that replaces an identity, derived from one site key.

Keys, not tables: the same patient gets the same pseudonym, date shift and UIDs on every machine that
holds the key, and nobody without it can guess back. Each use has its own domain label, and each
deidentifier its own derived key, so that the outputs of two projects cannot be joined.

A part of each replacement UID, pseudonym and token is a check over the rest, so that the holder of the key
tells his own replacements from originals and leaves them alone: de-identifying again changes nothing, and
what refers to a de-identified instance goes on pointing at it.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from deid.errors import KeyRefused
from deid.identity.labels import Label
from deid.identity.shifts import Shift

KEY_BYTES = 32
SHIFT_RANGE_DAYS = 100
"""How far dates move at most where a site does not say: as in the Healthcare API."""
_UID_PREFIX = "2.25."
_UID_CHECK_BITS = 48
_UUID_MASK = 0xF << 28 | 0x3 << 14
_UUID_MARKS = 0x4 << 28 | 0x2 << 14
"""Version 4, variant 1, where they lie in the first 80 bits."""
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{32}")
_LABEL_CHARACTERS = 5
_LABEL_CHECK = 2
_ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXZ"
"""Digits and consonants: nothing that is made of them reads as a name."""
_PAIRS: Final = tuple(first + second for second in _ALPHABET for first in _ALPHABET)
"""Two characters at a time, the first of them the less significant one."""
_PSEUDONYM_CHARACTERS = 20
_TOKEN_CHARACTERS = 16
_CHECK_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class SiteKey:
    """A 32-byte secret. `repr` shows its id only.

    Raises
    ------
    KeyRefused
        If it is not 32 bytes, or too regular to be random (fewer than 16 different byte values).
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise KeyRefused(
                f"the key must be exactly {KEY_BYTES} bytes, this one has {len(self.secret)}"
            )
        if len(set(self.secret)) < KEY_BYTES // 2:
            raise KeyRefused("the key is too regular to be random; make one with 32 random bytes")

    @property
    def id(self) -> str:
        """Eight hex digits that tell keys apart and reveal nothing of them."""
        return _key_id(self.secret)

    def derive(self, deidentifier: str) -> SiteKey:
        """Return the key of one deidentifier."""
        return SiteKey(_mac(self.secret, "deidentifier", deidentifier.encode()))

    def secret_for(self, purpose: str) -> bytes:
        """Return 32 bytes for a use outside of de-identification, from which nothing of the key follows."""
        return _mac(self.secret, "purpose", purpose.encode())


@dataclass(frozen=True, slots=True)
class Replacements:
    """The replacement values that follow from a key. Pure functions of their arguments.

    Attributes
    ----------
    date_shift_secret
        A configuration's own key for date shifts (`dateShiftConfig.cryptoKey`); empty: as everything else.
    shift_range_days
        How far dates move at most, either way.
    time_jitter_s
        How far times of day move at most, either way; 0: they stay.
    """

    key: SiteKey
    date_shift_secret: bytes = field(default=b"", repr=False)
    shift_range_days: int = SHIFT_RANGE_DAYS
    time_jitter_s: int = 0

    def uid(self, original_uid: str) -> str:
        """Return the replacement of a UID: ``2.25.`` and a 128-bit number (PS3.5 B.2).

        79 bits of it stand for the original, 48 are their check. A replacement stays as it is.
        """
        if self.is_own_uid(original_uid):
            return original_uid
        digest = _mac(self.key.secret, "uid", original_uid.encode("utf-8", "surrogateescape"))
        # The leading bit is set, so that every replacement has 38 or 39 digits and none starts with 0.
        head = int.from_bytes(digest[:10], "big") | 1 << 79
        return f"{_UID_PREFIX}{head << _UID_CHECK_BITS | self._uid_check(head)}"

    def uid_for_patient(self, original_uid: str, pseudonym: str) -> str:
        """Return the replacement of a UID that many patients share: one for each of them."""
        if self.is_own_uid(original_uid):
            return original_uid
        return self.uid(f"{pseudonym}|{original_uid}")

    def uuid(self, original_uuid: str) -> str:
        """Return the replacement of a UUID, random by its version (RFC 9562 5.4): 74 bits and their check.

        A replacement stays as it is.
        """
        if self.is_own_uuid(original_uuid):
            return original_uuid
        digest = _mac(self.key.secret, "uuid", original_uuid.encode("utf-8", "surrogateescape"))
        head = int.from_bytes(digest[:10], "big") & ~_UUID_MASK | _UUID_MARKS
        digits = f"{head << _UID_CHECK_BITS | self._uid_check(head):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def is_own_uuid(self, text: str) -> bool:
        """Whether a UUID is a replacement made with this key."""
        digits = text.replace("-", "")
        if _HEXADECIMAL.fullmatch(digits) is None:
            return False
        number = int(digits, 16)
        head = number >> _UID_CHECK_BITS
        is_marked = head & _UUID_MASK == _UUID_MARKS
        return is_marked and self._uid_check(head) == number & ((1 << _UID_CHECK_BITS) - 1)

    def is_own_uid(self, uid: str) -> bool:
        """Whether a UID is a replacement made with this key."""
        digits = uid.removeprefix(_UID_PREFIX)
        if digits == uid or len(digits) not in (38, 39) or not digits.isdecimal():
            return False
        number = int(digits)
        head = number >> _UID_CHECK_BITS
        return self._uid_check(head) == number & ((1 << _UID_CHECK_BITS) - 1)

    def _uid_check(self, head: int) -> int:
        digest = _mac(self.key.secret, "uid-check", str(head).encode())
        return int.from_bytes(digest[: _UID_CHECK_BITS // 8], "big")

    def patient(self, identity: str) -> str:
        """Return the pseudonym of a patient identity: 20 capitals and digits (fits LO and PN)."""
        digest = _mac(self.key.secret, Label.PATIENT, identity.encode("utf-8", "surrogateescape"))
        return self._checked(Label.PATIENT, digest, _PSEUDONYM_CHARACTERS)

    def token(self, of: Label, original: str) -> str:
        """Return 16 capitals and digits standing for some other identifier (fits SH and CS).

        A token of that kind stays as it is.
        """
        label = f"token:{of.value}"
        if self._is_checked(label, original, _TOKEN_CHARACTERS):
            return original
        digest = _mac(self.key.secret, label, original.encode("utf-8", "surrogateescape"))
        return self._checked(label, digest, _TOKEN_CHARACTERS)

    def is_own_token(self, of: Label, text: str) -> bool:
        """Whether an identifier of a kind is a token made with this key."""
        return self._is_checked(f"token:{of.value}", text, _TOKEN_CHARACTERS)

    def label(self, kind: str, patient: str, original: str, *, turn: int = 0) -> str:
        """Return what stands for a label of a patient's: ``ROI-7F3KQ2B`` (fits SH).

        Parameters
        ----------
        kind
            What it begins with, at most five characters.
        patient
            The pseudonym: two patients' equal labels do not join them.
        turn
            Counts the tries, should two labels get one replacement.
        """
        message = f"{len(patient)}|{patient}|{turn}|{original}"
        digest = _mac(self.key.secret, "label", message.encode("utf-8", "surrogateescape"))
        head = _spelled(digest, _LABEL_CHARACTERS)
        return f"{kind}-{head}{self._check('label', head)[:_LABEL_CHECK]}"

    def is_own_label(self, text: str) -> bool:
        """Whether a label is a replacement made with this key."""
        kind, _hyphen, rest = text.partition("-")
        head, check = rest[:_LABEL_CHARACTERS], rest[_LABEL_CHARACTERS:]
        is_formed = kind.isupper() and len(check) == _LABEL_CHECK
        return is_formed and self._check("label", head)[:_LABEL_CHECK] == check

    def is_own_pseudonym(self, patient_id: str) -> bool:
        """Whether a Patient ID is a pseudonym made with this key."""
        return self._is_checked(Label.PATIENT, patient_id, _PSEUDONYM_CHARACTERS)

    def _checked(self, label: str, digest: bytes, length: int) -> str:
        """Return so many characters of a digest, the last four a check of the others."""
        head = _spelled(digest, length - _CHECK_CHARACTERS)
        return head + self._check(label, head)

    def _is_checked(self, label: str, value: str, length: int) -> bool:
        head = value[:-_CHECK_CHARACTERS]
        return len(value) == length and self._check(label, head) == value[len(head) :]

    def _check(self, label: str, head: str) -> str:
        digest = _mac(self.key.secret, f"check:{label}", head.encode("utf-8", "surrogateescape"))
        return _spelled(digest, _CHECK_CHARACTERS)

    def shift(self, identity: str) -> Shift:
        """Return how far a patient's dates move, never 0 days, and times of day where they move at all."""
        days = self._within("date-shift", identity, self.shift_range_days)
        if not self.time_jitter_s:
            return Shift(days)
        return Shift(days, self._within("time-shift", identity, self.time_jitter_s))

    def _within(self, label: str, identity: str, most: int) -> int:
        """Return a number between -`most` and `most` that follows from an identity; never 0."""
        secret = self.date_shift_secret or self.key.secret
        digest = _mac(secret, label, identity.encode("utf-8", "surrogateescape"))
        step = int.from_bytes(digest[:8], "big") % (2 * most)
        return step - most if step < most else step - most + 1


def patient_identity(issuer: str, patient_id: str, study_uid: str) -> str:
    """Return what stands for the person: issuer and Patient ID, or the study when there is no ID.

    Issuers that differ in case or white space are one.
    """
    if not patient_id.strip():
        return f"study:{study_uid}"
    # The length keeps a stroke in an issuer from making two patients one.
    issuer, patient_id = _normal(issuer).casefold(), _normal(patient_id)
    return f"{len(issuer)}|{issuer}|{patient_id}"


def parts_of_identity(identity: str) -> tuple[str, str]:
    """Return issuer and Patient ID of a `patient_identity`; both empty where a study stands for it."""
    length, _, rest = identity.partition("|")
    if not length.isdecimal():
        return "", ""
    return rest[: int(length)], rest[int(length) + 1 :]


def _normal(identifier: str) -> str:
    """Return one spelling of an identifier: composed characters, white space folded. Case counts."""
    return " ".join(unicodedata.normalize("NFC", identifier).split())


@lru_cache(maxsize=64)
def _key_id(secret: bytes) -> str:
    return _mac(secret, "key-id", b"").hex()[:8]


def _spelled(digest: bytes, length: int) -> str:
    """Return so many characters of our alphabet for a digest (4.9 bits each)."""
    number = int.from_bytes(digest[: length * 5 // 8 + 4], "big")
    characters = []
    for _ in range(0, length, 2):
        number, at = divmod(number, len(_PAIRS))
        characters.append(_PAIRS[at])
    return "".join(characters)[:length]


def _mac(secret: bytes, label: str, message: bytes) -> bytes:
    """Return the HMAC-SHA-256 (RFC 2104) of a label and a message.

    One of the secret and the label is kept begun: setting it up takes longer than the rest of a short one.
    """
    mac = _begun(secret, label).copy()
    mac.update(message)
    return mac.digest()


@lru_cache(maxsize=256)
def _begun(secret: bytes, label: str) -> hmac.HMAC:
    return hmac.new(secret, label.encode() + b"\x00", "sha256")
