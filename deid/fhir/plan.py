"""A configuration's FHIR part, compiled: what replaces and judges, with a memory of earlier decisions."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.forms import is_standard_url
from deid.fhir.policy import FhirProfile, TextLevel, Verb
from deid.identity.keys import patient_identity
from deid.identity.labels import Label
from deid.identity.shifts import UNMOVED, Shift
from deid.text.policy import TextPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.fhir.policy import FhirPolicy
    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.keys import Replacements
    from deid.text.cleaning import TextCleaning

_MEMO_ENTRIES: Final = 50_000
_LONGEST_TERM: Final = 200
_ANY_SHIFT: Final = Shift(401)
"""So that a date in a text makes it another text."""
_URN_OID: Final = "urn:oid:"
_OURS: Final = "https://"
_BELOW: Final = ".invalid/fhir/"


@dataclass(slots=True)
class FhirPlan:
    """What decides about resources. Holds caches, so one serves one thread.

    Attributes
    ----------
    replacements
        Where pseudonyms, UIDs, tokens and shifts come from: those that instances get.
    primary_uid
        What becomes of a UID of an instance that stands in the element of a tag (`TagPlan.primary_uid`).
    """

    policy: FhirPolicy
    replacements: Replacements
    primary_uid: Callable[[int, str], str]
    nodes: dict[Any, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    _patients: dict[str, tuple[str, Shift]] = field(default_factory=dict)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _terms: dict[str, bool] = field(default_factory=dict)
    _definitions: dict[str, bool] = field(default_factory=dict)
    codings: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    concepts: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    _strict: TextCleaning | None = None
    _cleaner: TextCleaning | None = None

    def patient(self, identity: str) -> tuple[str, Shift]:
        """Return a patient's pseudonym and shift."""
        found = self._patients.get(identity)
        if found is None:
            shift = UNMOVED if self.policy.keeps_dates else self.replacements.shift(identity)
            found = self.replacements.patient(identity), shift
            if len(self._patients) < _MEMO_ENTRIES:
                self._patients[identity] = found
        return found

    def identity(self, system: str, value: str) -> str:
        """Return a patient's identity by an identifier, as an instance with that Patient ID has it."""
        issuer = ""
        if self.policy.default_issuer:
            issuer = self.policy.issuers.get(system) or self.policy.default_issuer
        return patient_identity(issuer, value, "")

    def token(self, label: Label, original: str) -> str:
        """Return what stands for an identifier other than the patient's."""
        key = (label.value, original)
        found = self._tokens.get(key)
        if found is None:
            found = self.replacements.token(label, original)
            if len(self._tokens) < _MEMO_ENTRIES:
                self._tokens[key] = found
        return found

    def resource_id(self, kind: str, original: str) -> str:
        """Return what stands for a resource's id, the same wherever the resource is named."""
        key = f"{kind}/{original}"
        found = self._ids.get(key)
        if found is None:
            is_own = self.replacements.is_own_token(Label.RESOURCE, original)
            found = original if is_own else self.replacements.token(Label.RESOURCE, key)
            if len(self._ids) < _MEMO_ENTRIES:
                self._ids[key] = found
        return found

    def uuid(self, original: str) -> str:
        """Return what stands for a UUID."""
        return self.replacements.uuid(original.lower())

    def oid_urn(self, original: str) -> str:
        """Return what stands for ``urn:oid:`` and an OID."""
        return _URN_OID + self.replacements.uid(original.removeprefix(_URN_OID))

    def base(self, original: str) -> str:
        """Return what stands for a server's address: another for each server, and none that exists."""
        known = original.removeprefix(_OURS).removesuffix(_BELOW)
        if f"{_OURS}{known}{_BELOW}" == original and self.replacements.is_own_token(
            Label.ORGANIZATION, known.upper()
        ):
            return original
        name = self.token(Label.ORGANIZATION, original.rstrip("/").lower()).lower()
        return f"{_OURS}{name}{_BELOW}"

    def is_term(self, text: str) -> bool:
        """Whether every word of a text is recognised, as those of codes' displays and units are."""
        found = self._terms.get(text)
        if found is None:
            found = 0 < len(text) <= _LONGEST_TERM and self._judged(text)
            if len(self._terms) < _MEMO_ENTRIES and len(text) <= _LONGEST_TERM:
                self._terms[text] = found
        return found

    def is_definition(self, text: str) -> bool:
        """Whether a text is the address of a definition at a standards body."""
        found = self._definitions.get(text)
        if found is None:
            found = is_standard_url(text, self.is_term)
            if len(self._definitions) < _MEMO_ENTRIES:
                self._definitions[text] = found
        return found

    def _judged(self, text: str) -> bool:
        if self._strict is None:
            self._strict = self._made(TextPolicy(strict=True))
        return self._strict.clean(text, (), shift=_ANY_SHIFT).text == text

    def cleaned(self, text: str, known: Sequence[KnownIdentifier], shift: Shift) -> str:
        """Return free text without what identifies, by the level that the configuration asks for."""
        if self._cleaner is None:
            self._cleaner = self._made(self.policy.text)
        return self._cleaner.clean(text, known, shift=shift).text

    def _made(self, policy: TextPolicy) -> TextCleaning:
        # Its patterns take a moment to compile, and many resources do without them.
        from deid.text.cleaning import TextCleaning  # noqa: PLC0415

        return TextCleaning(policy, self.replacements.key)

    @property
    def inspects(self) -> bool:
        """Whether free text is looked into rather than removed."""
        return self.policy.text_level is not TextLevel.REMOVE

    @property
    def cleans(self) -> bool:
        """Whether some text is cleaned: by its level, or because a path or the profile says so."""
        policy = self.policy
        return (
            self.inspects
            or policy.profile is FhirProfile.CLEAN_ALL
            or any(rule.verb is Verb.CLEAN for rule in policy.rules)
        )

    def hashed(self, text: str) -> str:
        """Return the keyed hash of a value: HMAC-SHA-256 in base64, 44 characters."""
        key = self.policy.hash_key or hmac.digest(
            self.replacements.key.secret, b"fhir-hash\x00", "sha256"
        )
        return base64.b64encode(hmac.digest(key, text.encode(), sha256().name)).decode("ascii")
