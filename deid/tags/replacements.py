"""What stands instead of an original value: one function for each thing that can happen to it.

Each returns the new value, None to remove the element, or `UNCHANGED`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from deid.encoding.character_sets import decode, encode, is_defined, is_readable
from deid.errors import Reason, Unsafe
from deid.identity import shifts, values
from deid.identity.keys import patient_identity
from deid.identity.labels import LABELS_BY_TAG
from deid.tables.dictionary import uids
from deid.tags import lookup_tables
from deid.tags.actions import Action
from deid.tags.content import MEASURED_VALUE, NUMERIC_VALUE
from deid.tags.equipment import EQUIPMENT_UIDS, OF_MAKERS, OF_PATIENTS, OF_PROTOCOLS, OF_VERSIONS
from deid.tags.labels import LABELS, is_recognised_label, is_spelled_apart
from deid.tags.lookup_tables import DESCRIPTORS
from deid.tags.numbers import SAMPLES, is_number
from deid.tags.overrides import CONTENT_VRS
from deid.tags.policy import Option
from deid.tags.private import CREATOR_REFERENCE, described_creators
from deid.tags.recognition import is_standard, may_stay, recognised
from deid.tags.rules import PATIENT_ID, fallback_action
from deid.text.folding import ENCODED

if TYPE_CHECKING:
    from deid.identity.shifts import Shift
    from deid.ports import TextCleaner
    from deid.tags.passage import Original

UNCHANGED: Final = b"\xff unchanged \xff"
"""Compared by identity: the value stays as it is."""
_DUMMY: Final = int(Action.DUMMY)
_EMPTY: Final = int(Action.EMPTY)
_SOP_CLASS_UID: Final = 0x00080016
_WITHOUT_DUMMY: Final = frozenset(
    {
        0x00181164, 0x00200032, 0x00200037, 0x00280008, 0x00280030, 0x00281052, 0x00281053, 0x3004000C,
        0x3004000E, NUMERIC_VALUE,
    }
)  # fmt: skip
"""Where and how large samples are, and what was measured: a dummy would be taken for the truth."""
_MOST_MEASURED_DIGITS: Final = 8
_CLEANABLE: Final = CONTENT_VRS
_DUMMIED_BY_VALUE: Final = frozenset({"CS", "LO", "SH", "DS", "IS"})
CUT_AT_NUL: Final = frozenset({*_DUMMIED_BY_VALUE, "LT", "ST", "UC", "UT"})
"""VRs whose values end at a NUL for most readers."""


def removed(_original: Original) -> None:
    """Remove the element."""


def emptied(_original: Original) -> bytes:
    """Leave no value."""
    return b""


def dummied(original: Original) -> bytes:
    """Put a value there that is valid and says nothing."""
    return values.dummy(original.vr, original.raw)


def fallen_back(original: Original) -> bytes | None:
    """Do what is left where a value cannot be cleaned: dummy, empty or remove."""
    if original.fallback == _DUMMY:
        return values.dummy(original.vr, original.raw)
    return b"" if original.fallback == _EMPTY else None


def pseudonymised(original: Original) -> bytes:
    """Put the patient's pseudonym there; in an item, that of the patient whose ID stands there."""
    passage, given = original.passage, original.passage.given
    person, replacements = given.person, given.plan.replacements
    if not passage.path or not original.raw.strip(b" \x00"):
        return values.text(person.pseudonym)
    identifier = decode(original.raw, passage.charset).strip(" \x00")
    if replacements.is_own_pseudonym(identifier):
        return UNCHANGED
    if original.tag != PATIENT_ID or identifier == person.patient_id:
        return values.text(person.pseudonym)
    return values.text(replacements.patient(patient_identity(person.issuer, identifier, "")))


def tokenised(original: Original) -> bytes:
    """Put a keyed token there."""
    stripped = original.raw.strip(b" \x00")
    if not stripped:
        return b""
    identifier = decode(stripped, original.passage.charset)
    token = original.passage.given.plan.token(LABELS_BY_TAG[original.tag], identifier)
    return UNCHANGED if token == identifier else values.text(token)


def shifted(original: Original) -> bytes | None:
    """Move dates, and times of day where they move, by the patient's shift."""
    passage = original.passage
    carries = passage.carries.get(original.tag, ())
    moved = shifts.moved(original.vr, original.raw, passage.given.person.shift, carries)
    return fallen_back(original) if moved is None else moved


def aged(original: Original) -> bytes:
    """Cap ages."""
    return values.cap_age(original.raw) or b""


def blanked(original: Original) -> bytes:
    """Put an empty document there."""
    return values.blank_document(original.passage.given.sop_class_uid)


def uids_replaced(original: Original) -> bytes:
    """Put keyed UIDs there."""
    plan, raw = original.passage.given.plan, original.raw
    original.passage.known.uids.add(raw)
    if original.tag in EQUIPMENT_UIDS and Option.RETAIN_DEVICE_IDENTITY not in plan.policy.options:
        return _of_one_patient(original)
    found = plan.uids.get(raw)
    if found is None:
        texts = [part.decode("latin-1") for part in values.split(raw)]
        replace, registered = plan.replacements.uid, uids()
        # What the standard itself names is nobody's: a well-known frame of reference, a coding scheme.
        found = values.uid(
            "\\".join(text if not text or text in registered else replace(text) for text in texts)
        )
        plan.remember_uids(raw, found)
    return found


def _of_one_patient(original: Original) -> bytes:
    """Replace UIDs of equipment by ones of this patient's: the same in all patients, they would join them."""
    given = original.passage.given
    pseudonym, raw = given.person.pseudonym, original.raw
    found = given.plan.uids_of_patients.get((pseudonym, raw))
    if found is None:
        replace, registered = given.plan.replacements.uid_for_patient, uids()
        texts = [part.decode("latin-1") for part in values.split(raw)]
        found = values.uid(
            "\\".join(
                text if not text or text in registered else replace(text, pseudonym)
                for text in texts
            )
        )
        given.plan.remember_uids(raw, found, of_patient=pseudonym)
    return found


def registered_kept(original: Original) -> bytes:
    """Keep UIDs that the standard registers, and the SOP class; replace others."""
    given, raw = original.passage.given, original.raw
    is_own_class = raw.strip(b" \x00") == given.sop_class_uid.encode("latin-1", "replace")
    if (original.tag == _SOP_CLASS_UID and is_own_class) or given.plan.is_registered(raw):
        return UNCHANGED
    return uids_replaced(original)


def character_set_kept(original: Original) -> bytes | None:
    """Keep defined terms, and read by them from here on."""
    declared = original.raw.strip(b" \x00").decode("ascii", "replace")
    if not is_defined(declared):
        original.passage.charset = ""
        return None
    original.passage.charset = declared
    return UNCHANGED


def cleaned(original: Original) -> bytes | None:
    """Take out of a text what identifies."""
    passage, raw, vr = original.passage, original.raw, original.vr
    cleaner = passage.given.plan.text_cleaner
    if cleaner is None or vr not in _CLEANABLE:
        return fallen_back(original)
    if not is_readable(raw, passage.charset):
        return fallen_back(original)
    text = decode(raw, passage.charset).rstrip(" \x00")
    if original.tag in LABELS:
        return _label(original, text)
    if "\\" in text and ENCODED.search(text):
        return fallen_back(original)  # letters in numbers, which the values would be parted between
    if _says_nothing(original.tag, vr, text) and not passage.names_anybody(b"", text, vr):
        return UNCHANGED
    left = _left_of(original, text, cleaner)
    if passage.names_anybody(b"", left, "LO"):
        passage.residuals.append(passage.where(original.tag))
        return fallen_back(original)
    if left == text:
        return UNCHANGED
    if not left.strip():
        return fallen_back(original)
    return values.even(encode(values.fit(vr, left), passage.charset), b" ")


@lru_cache(maxsize=1024)
def _says_nothing(tag: int, vr: str, text: str) -> bool:
    """Whether a text is the standard's, or one that the Basic Profile keeps of the makers of devices."""
    of_many = tag in OF_MAKERS or tag in OF_VERSIONS
    return is_standard(tag, vr, text) or (of_many and recognised(tag, vr, text))


def _left_of(original: Original, text: str, cleaner: TextCleaner) -> str:
    """Return a text without what identifies."""
    given, tag, vr = original.passage.given, original.tag, original.vr
    shift = _shift_of(original, text)
    if tag not in OF_MAKERS:
        return cleaner.clean_value(vr, text, given.known, shift=shift).text
    parts = text.split("\\")
    stay = [recognised(tag, vr, part) for part in parts]
    if all(stay):  # only together do they say something: a date in pieces
        stay, parts = [False], [text]
    return "\\".join(
        part if stays else cleaner.clean_value(vr, part, given.known, shift=shift).text
        for part, stays in zip(parts, stay, strict=True)
    )


def _shift_of(original: Original, text: str) -> Shift:
    """Return how far the days of a text move: nowhere where it is written for many patients.

    What is the same for many, such as the day in a protocol's name, would tell by how much each of them moved
    (decision 0114).
    """
    given, tag = original.passage.given, original.tag
    own = given.person.shift
    if original.vr not in ("DA", "DT"):
        return own if tag in OF_PATIENTS else own.nowhere()
    if tag in OF_PROTOCOLS:
        return own.nowhere()
    # Nobody knows what a private day is of, but that the patient has it elsewhere, too.
    days = {each.value[:8] for each in given.known if each.info_type == "DATE"}
    is_own = not tag >> 16 & 1 or all(part[:8] in days for part in text.split("\\"))
    return own if is_own else own.nowhere()


def _label(original: Original, text: str) -> bytes:
    """Keep a label in which everything is recognised, and replace any other as a whole."""
    tag, vr, passage = original.tag, original.vr, original.passage
    if not text.strip():
        return UNCHANGED
    cleaner = passage.given.plan.text_cleaner
    stays = is_recognised_label(tag, text) or recognised(tag, vr, text)
    if not stays and cleaner is not None:
        found = cleaner.clean_value(vr, text, passage.given.known, shift=passage.given.person.shift)
        stays = found.text == text and not is_spelled_apart(text)
    if stays and not passage.names_anybody(b"", text, "LO"):
        return UNCHANGED
    label = _replaced_label(original, text)
    return UNCHANGED if label == text else values.text(label)


def _replaced_label(original: Original, text: str) -> str:
    """Return what stands for a label: unique in the instance, the same for one patient in all of them."""
    given = original.passage.given
    replacements, kind = given.plan.replacements, LABELS[original.tag]
    if replacements.is_own_label(text):
        return text
    turn = 0
    while True:
        label = replacements.label(kind, given.person.pseudonym, text, turn=turn)
        if original.passage.labels.setdefault(label, text) == text:
            return label
        turn += 1


def kept_unless_known(original: Original) -> bytes | None:
    """Decide on the second pass about a value that the first kept without looking."""
    passage, vr, raw = original.passage, original.vr, original.raw
    if passage.forbidden is None:
        return UNCHANGED
    if not passage.names_anybody(raw, decode(raw, passage.charset), vr):
        return UNCHANGED
    passage.residuals.append(passage.where(original.tag))
    action = fallback_action(original.tag, passage.parent, passage.given.sop_class_uid)
    return values.dummy(vr, raw) if action is Action.DUMMY else b""


def checked_unless_known(original: Original) -> bytes | None:
    """Decide on the second pass about a value that the first kept when it was recognised."""
    passage, raw = original.passage, original.raw
    if passage.forbidden is None:
        return UNCHANGED
    text = decode(raw, passage.charset)
    if not may_stay(original.tag, original.vr, raw, passage.charset):
        return unrecognised(original)
    if passage.given.plan.tells_time(original.vr, text):
        return unrecognised(original)
    if not passage.names_anybody(raw, text, original.vr):
        return UNCHANGED
    passage.residuals.append(passage.where(original.tag))
    return unrecognised(original)


def described(original: Original) -> bytes | None:
    """Keep what describes a lookup table, and remember it for the data behind it."""
    passage = original.passage
    passage.descriptors[tuple(passage.path), original.tag] = original.raw
    return _checked(original)


def trimmed(original: Original) -> bytes | None:
    """Keep the data of a lookup table up to its last entry."""
    passage, raw = original.passage, original.raw
    descriptor = passage.descriptors.get((tuple(passage.path), DESCRIPTORS[original.tag]), b"")
    original.raw = lookup_tables.trimmed(original.tag, raw, descriptor, passage.given.encoding)
    kept = _checked(original)
    return values.even(original.raw) if kept is UNCHANGED and original.raw != raw else kept


def _checked(original: Original) -> bytes | None:
    """Do as CHECK does, in one go."""
    passage, raw = original.passage, original.raw
    if passage.forbidden is not None:
        return checked_unless_known(original)
    if may_stay(original.tag, original.vr, raw, passage.charset):
        return UNCHANGED
    return unrecognised(original)


def unrecognised(original: Original) -> bytes | None:
    """Do what becomes of a value that is not recognised.

    What stands after a NUL was never part of it; of several required values, only some may go. The name
    of a creator whose elements may stay is kept, as the creator itself is.
    """
    tag, vr, raw, passage = original.tag, original.vr, original.raw, original.passage
    if tag == CREATOR_REFERENCE and _names_kept_block(original):
        return UNCHANGED
    visible, _nul, hidden = raw.partition(b"\x00")
    if hidden.strip(b" \x00") and visible.strip() and vr in CUT_AT_NUL:
        text = decode(visible, passage.charset).rstrip(" ")
        if passage.may_stay(tag, vr, text):
            return values.even(visible, b" ")
    if tag == NUMERIC_VALUE and _is_measured(original):
        return UNCHANGED
    if tag in LABELS and vr not in SAMPLES:
        return _label(original, decode(raw, passage.charset).rstrip(" \x00"))
    is_required = original.fallback == _DUMMY
    if is_required and tag in _WITHOUT_DUMMY:
        raise Unsafe(Reason.RESIDUAL_IDENTIFIER, passage.where(tag))
    if b"\\" not in raw or vr not in _DUMMIED_BY_VALUE:
        return fallen_back(original)
    if vr in ("DS", "IS") and not is_required:
        return fallen_back(original)
    parts = decode(raw, passage.charset).rstrip(" \x00").split("\\")
    stays = [passage.may_stay(tag, vr, part) for part in parts]
    if all(stays):  # only together do they say something: a date in pieces
        return fallen_back(original)
    # What goes leaves its place empty, so that the others keep theirs.
    instead = values.dummy(vr).decode("ascii").strip() if is_required else ""
    kept = [part if may else instead for part, may in zip(parts, stays, strict=True)]
    if not any(part.strip() for part in kept):
        return fallen_back(original)
    return values.even(encode("\\".join(kept), passage.charset), b" ")


def _is_measured(original: Original) -> bool:
    """Whether a number stands beside its unit and is not the patient's: volumes have many digits."""
    if original.passage.parent != MEASURED_VALUE:
        return False
    text = original.raw.strip(b" \x00").decode("ascii", "replace")
    # Volumes have many digits; whole numbers of nine are what records are numbered by.
    if text.isdigit() and len(text) > _MOST_MEASURED_DIGITS:
        return False
    return is_number(text) and not original.passage.names_anybody(original.raw, text, "DS")


def _names_kept_block(original: Original) -> bool:
    passage = original.passage
    text = decode(original.raw, passage.charset).strip(" \x00")
    if passage.names_anybody(original.raw, text, "LO"):
        return False
    return text in described_creators(passage.given.blocks)
