"""What rewriting elements needs of a plan: rules, replacements, and the memory of earlier decisions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE
from deid.encoding.value_representations import BINARY
from deid.tables.dictionary import uids
from deid.tags.actions import KIND_MASK, Action
from deid.tags.repeated import RepeatedSequences

if TYPE_CHECKING:
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.facts import Person
    from deid.identity.keys import Replacements
    from deid.identity.labels import Label
    from deid.identity.shifts import Shift
    from deid.ports import TextCleaner
    from deid.tags.content import ContentRules
    from deid.tags.policy import TagPolicy
    from deid.tags.repeated import Key, Made
    from deid.tags.rules import Rules
    from deid.tags.table import Table

# DICOM's own arcs and HL7's code systems, NCI Thesaurus among them; a record number fits in none.
_REGISTERED: Final = re.compile(
    r"1\.2\.840\.10008\.(1|2|3\.1|4\.2|5\.1|6\.1|7\.1|8\.1|9|15|20)(\.\d{1,3}){0,7}(\.\d{1,4})?\Z"
    r"|2\.16\.840\.1\.113883\.(6|3\.26\.1)(\.\d{1,4}){1,3}\Z"
)
_TIME_OF_DAY: Final = re.compile(
    r"(?<![\d:])(?:[01]?\d|2[0-4])\s?(?:[:h]|hrs?)\s?[0-5]\d(?!\d)", re.IGNORECASE
)
_MAX_REMEMBERED_BYTES: Final = 1024
_MEMO_ENTRIES: Final = 20_000
_LARGE_MEMO_ENTRIES: Final = 50_000


class Memory:
    """Earlier decisions about elements of one encoding, each bounded.

    Attributes
    ----------
    stays, goes
        Encoded elements that no table names, which may stay, and which may not.
    natures, empties
        What `TagPlan.nature` says, and an encoded element without a value, by ``tag << 16 | VR word``.
    """

    __slots__ = ("empties", "goes", "natures", "stays")

    def __init__(self) -> None:
        self.stays: set[bytes] = set()
        self.goes: set[bytes] = set()
        self.natures: dict[int, tuple[str, str]] = {}
        self.empties: dict[int, bytes] = {}


@dataclass(slots=True)
class TagPlan:
    """What decides about elements, compiled. Holds caches, so one serves one thread.

    Attributes
    ----------
    policy, rules
        What decides about tags.
    replacements
        Where pseudonyms, UIDs and shifts come from.
    content
        What becomes of content items, where the configuration cleans structured content.
    text_cleaner
        The engine, where the configuration asks for one.
    uids, uids_of_patients
        Values of UIDs that were replaced before, and by what: bounded. The latter, by pseudonym too, are of
        what many patients share.
    """

    policy: TagPolicy
    rules: Rules
    replacements: Replacements
    content: ContentRules | None = None
    text_cleaner: TextCleaner | None = None
    uids: dict[bytes, bytes] = field(default_factory=dict)
    uids_of_patients: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    _repeated: RepeatedSequences = field(default_factory=RepeatedSequences)
    _memories: dict[Encoding, Memory] = field(default_factory=dict)
    _registered: dict[bytes, bool] = field(default_factory=dict)
    _uids: dict[str, str] = field(default_factory=dict)
    _patients: dict[str, tuple[str, Shift]] = field(default_factory=dict)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _primary: dict[int, bool] = field(default_factory=dict)

    def memory(self, encoding: Encoding) -> Memory:
        """Return what is remembered of elements in an encoding."""
        found = self._memories.get(encoding)
        if found is None:
            found = self._memories[encoding] = Memory()
        return found

    def repeated(self, person: Person, sop_class_uid: str, table: Table) -> dict[Key, Made] | None:
        """Return what became of sequences of a patient's instances; None where more decides than their bytes.

        Text is cleaned of what is known from elsewhere, and content items belong to the tree around them.
        """
        if self.text_cleaner is not None or self.content is not None:
            return None
        return self._repeated.of((person, sop_class_uid, table.sop_class_uid, table.encoding))

    def is_registered(self, raw: bytes) -> bool:
        """Whether every UID of a value is one that the standard or HL7 registers."""
        found = self._registered.get(raw)
        if found is None:
            found = all(
                uid in uids() or _REGISTERED.match(uid)
                for uid in raw.decode("latin-1").strip(" \x00").split("\\")
                if uid
            )
            if len(self._registered) < 10_000 and len(raw) <= _MAX_REMEMBERED_BYTES:
                self._registered[raw] = found
        return found

    def tells_time(self, vr: str, text: str) -> bool:
        """Whether a text that nobody cleans says a time of day, where those move."""
        if not self.policy.time_jitter_minutes or vr in BINARY or vr in ("DS", "IS"):
            return False
        return _TIME_OF_DAY.search(text) is not None

    def primary_uid(self, tag: int, original_uid: str) -> str:
        """Return what the rules make of a Study, Series or SOP Instance UID."""
        replaces = self._primary.get(tag)
        if replaces is None:
            kind = self.rules.action(tag, "UI", self.rules.root("", EXPLICIT_LITTLE)) & KIND_MASK
            replaces = self._primary[tag] = kind == Action.REPLACE_UID
        if not replaces:
            return original_uid
        found = self._uids.get(original_uid)
        if found is None:
            found = self.replacements.uid(original_uid)
            if len(self._uids) < _MEMO_ENTRIES:
                self._uids[original_uid] = found
        return found

    def token(self, label: Label, original: str) -> str:
        """Return what stands for an identifier other than the patient's."""
        found = self._tokens.get((label, original))
        if found is None:
            found = self.replacements.token(label, original)
            if len(self._tokens) < _MEMO_ENTRIES:
                self._tokens[label, original] = found
        return found

    def patient(self, identity: str) -> tuple[str, Shift]:
        """Return a patient's pseudonym and shift."""
        found = self._patients.get(identity)
        if found is None:
            made = self.replacements
            found = made.patient(identity), made.shift(identity)
            if len(self._patients) < _MEMO_ENTRIES:
                self._patients[identity] = found
        return found

    def nature(self, tag: int, word: int, encoding: Encoding) -> tuple[str, str]:
        """Return the VR an element is read as, and its infoType when its original identifies."""
        natures = self.memory(encoding).natures
        key = tag << 16 | word
        found = natures.get(key)
        if found is None:
            vr = encoding.vr_bytes(word).decode("latin-1") if encoding.explicit else ""
            vr = self.rules.vr_of(tag, vr).split(" ")[0]
            found = (vr, self.rules.info_type(tag, vr))
            if len(natures) < _MEMO_ENTRIES:
                natures[key] = found
        return found

    def is_binary(self, tag: int, word: int, encoding: Encoding) -> bool:
        """Whether an element's value holds binary numbers, or elements: no text of its own."""
        return self.nature(tag, word, encoding)[0] in BINARY

    def empty(self, tag: int, word: int, encoding: Encoding) -> bytes:
        """Return an encoded element without a value."""
        empties = self.memory(encoding).empties
        key = tag << 16 | word
        found = empties.get(key)
        if found is None:
            found = encoding.element(tag, encoding.vr_bytes(word), b"")
            if len(empties) < _LARGE_MEMO_ENTRIES:
                empties[key] = found
        return found

    def remember_uids(self, raw: bytes, replacement: bytes, *, of_patient: str = "") -> None:
        """Keep a value of UIDs and what replaces it (for one patient) in mind, where there is room."""
        if len(raw) > _MAX_REMEMBERED_BYTES:
            return
        if of_patient and len(self.uids_of_patients) < _LARGE_MEMO_ENTRIES:
            self.uids_of_patients[of_patient, raw] = replacement
        elif not of_patient and len(self.uids) < _LARGE_MEMO_ENTRIES:
            self.uids[raw] = replacement

    def remember_verdict(self, encoding: Encoding, element: bytes, verdict: bool) -> None:
        """Keep in mind whether an encoded element may stay, where there is room."""
        memory = self.memory(encoding)
        if len(memory.stays) + len(memory.goes) < _LARGE_MEMO_ENTRIES:
            (memory.stays if verdict else memory.goes).add(element)
