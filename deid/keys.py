"""Everything that replaces an identity, derived from one site key.

Keys, not tables: the same patient gets the same pseudonym, date shift and UIDs on every machine that
holds the key, and nobody without it can guess back. Each use has its own domain label, and each
deidentifier its own derived key, so that the outputs of two projects cannot be joined.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from deid.errors import KeyRefused

KEY_BYTES = 32
_SHIFT_RANGE_DAYS = 100
_PSEUDONYM_HEX_DIGITS = 20


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
        return _mac(self.secret, "key-id", b"").hex()[:8]

    def derive(self, deidentifier: str) -> SiteKey:
        """Return the key of one deidentifier."""
        return SiteKey(_mac(self.secret, "deidentifier", deidentifier.encode()))


@dataclass(frozen=True, slots=True)
class Replacements:
    """The replacement values that follow from a key. Pure functions of their arguments.

    Attributes
    ----------
    date_shift_secret
        A configuration's own key for date shifts (`dateShiftConfig.cryptoKey`); empty: as everything else.
    """

    key: SiteKey
    date_shift_secret: bytes = field(default=b"", repr=False)

    def uid(self, original_uid: str) -> str:
        """Return the replacement of a UID: ``2.25.`` and a 128-bit number (PS3.5 B.2)."""
        digest = _mac(self.key.secret, "uid", original_uid.encode("utf-8", "surrogateescape"))
        # The leading bit is set, so that every replacement has 38 or 39 digits and none starts with 0.
        return f"2.25.{int.from_bytes(digest[:16], 'big') | 1 << 127}"

    def patient(self, identity: str) -> str:
        """Return the pseudonym of a patient identity: 20 upper-case hex digits (fits LO, SH-safe prefix)."""
        digest = _mac(self.key.secret, "patient", identity.encode("utf-8", "surrogateescape"))
        return digest.hex()[:_PSEUDONYM_HEX_DIGITS].upper()

    def token(self, label: str, original: str) -> str:
        """Return 16 upper-case hex digits standing for some other identifier (fits SH and CS)."""
        digest = _mac(
            self.key.secret, f"token:{label}", original.encode("utf-8", "surrogateescape")
        )
        return digest.hex()[:16].upper()

    def shift_days(self, identity: str) -> int:
        """Return a patient's date shift in whole days: -100..+100, never 0."""
        secret = self.date_shift_secret or self.key.secret
        digest = _mac(secret, "date-shift", identity.encode("utf-8", "surrogateescape"))
        step = int.from_bytes(digest[:8], "big") % (2 * _SHIFT_RANGE_DAYS)
        return (
            step - _SHIFT_RANGE_DAYS if step < _SHIFT_RANGE_DAYS else step - _SHIFT_RANGE_DAYS + 1
        )


def patient_identity(issuer: str, patient_id: str, study_uid: str) -> str:
    """Return what stands for the person: issuer and Patient ID, or the study when there is no ID."""
    if patient_id:
        return f"{issuer}|{patient_id}"
    return f"study:{study_uid}"


def _mac(secret: bytes, label: str, message: bytes) -> bytes:
    return hmac.digest(secret, label.encode() + b"\x00" + message, sha256().name)
