"""Which action an element gets: the profile, its options and the overrides, compiled lazily.

The engine looks actions up in plain dictionaries, one for each kind of place an element can stand in
(SOP class, enclosing sequence, dummy mode or not). What a dictionary does not hold yet, `Rules.decide`
works out from the tables and stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE, Encoding
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.identity.kinds import KINDS_BY_VR, KNOWN_KINDS
from deid.tables.dictionary import dictionary_vr
from deid.tables.load import attribute_types, confidentiality_by_tag
from deid.tags.actions import FALLBACK_SHIFT, KIND_MASK, KNOWN, LONG_FORM, Action
from deid.tags.content import MEASURED_VALUE, REFERENCED_INSTANCES, TEXT_VALUE, VALUES, Fate
from deid.tags.equipment import OF_PROTOCOLS, OF_VERSIONS
from deid.tags.labels import LABELS
from deid.tags.lookup_tables import DESCRIBING, DESCRIPTORS
from deid.tags.overrides import CONTENT_VRS, PRIMARY_UIDS, VERBS
from deid.tags.policy import Option, Profile, TagPolicy
from deid.tags.table import KEY_SHIFT, TAG_SHIFT, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MARKER_TAGS: Final = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
_METHOD: Final = 0x00120063
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
_IDENTITIES: Final = PRIMARY_UIDS | {0x00080016}

# UIDs that name kinds of things, not things: kept when registered (PS3.6 Annex A) or of a standards body.
_CLASS_UIDS: Final = frozenset(
    {
        0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x0008010D, 0x00080117,
        0x00080118, 0x0008040A, 0x00081150, 0x0008115A, 0x00083002, 0x00340007, 0x00400010,
        0x04000010, 0x04000510, 0x00041510, 0x00041512, 0x0004151A,
    }
)  # fmt: skip
_REFERENCED_IMAGES: Final = "X/Z/U*"
# Referenced SOP Instance UID, Failed SOP Instance UID List, UID of an SR reference: they point at primary
# UIDs, so they share their fate under every profile and references keep pointing where they pointed.
_INSTANCE_REFERENCES: Final = frozenset({0x00081155, 0x00080058, 0x0040A124})
_TEXT_VRS: Final = frozenset({"AE", "AS", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
_TEMPORAL_VRS: Final = frozenset({"DA", "DT", "TM"})
_BINARY_VRS: Final = frozenset({"OB", "UN", "OB or OW"})
_PLAIN_BINARY: Final = frozenset(
    {
        0x00282000, 0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203,
        0x00281221, 0x00281222, 0x00281223, 0x00283006, 0x00660023, 0x00660029,
        0x54001010, 0x54000110, 0x54000112, 0x7FE00010,
    }
)  # fmt: skip
# Pixels and waveforms: samples, not statements, and too many to be looked at in passing.
_SAMPLES: Final = frozenset({0x54001010, 0x56000020, 0x7FE00008, 0x7FE00009, 0x7FE00010})
_PIXEL_VALUES: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# Sequence contents that carry structure, not statements; they stay in dummied sequences.
_STRUCTURE: Final = frozenset(
    {
        0x0040A010, 0x0040A040, 0x0040A050, 0x0040A504, 0x00400440, 0x0040DB00, 0x00080105,
        0x0040B037, 0x004008EA, 0x00700022, 0x00700023, 0x0040A130,
    }
)  # fmt: skip
_CODE_SEQUENCE_TAGS: Final = frozenset(
    {0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119, 0x00080120}
)


ONLY_BESIDE: Final[dict[int, int]] = {0x00120081: 0x00120082, 0x00102298: 0x00102297}
"""Attributes that Table E.1-1 dummies, or does not name, although it removes what they may only stand beside
(Type 1C): the name of an ethics committee, and its approval number (PS3.3 C.7.1.3); what the person is to the
patient who is responsible for it, such as an animal's owner (C.7.1.1)."""

MAX_TABLES: Final = 4096
MAX_ENTRIES: Final = 20_000


def fallback_action(tag: int, parent: int, sop_class_uid: str) -> Action:
    """Return how an element goes by its type in the IOD: as a dummy (1), emptied (2) or removed (3)."""
    types = attribute_types(sop_class_uid) if sop_class_uid else None
    strength = 1 if types is None else types.get((parent, tag), 3)
    return {1: Action.DUMMY, 2: Action.EMPTY}.get(strength, Action.DROP)


class Rules:
    """One policy, ready to answer what happens to an element.

    Parameters
    ----------
    policy
        The profile, options and overrides.
    """

    def __init__(self, policy: TagPolicy) -> None:
        self.policy = policy
        self._roots: dict[tuple[str, Encoding], Table] = {}
        self._tables = 0
        self._uses_paths = any(override.paths for override in policy.overrides)

    def root(self, sop_class_uid: str, encoding: Encoding) -> Table:
        """Return the table of the top level of instances of a SOP class."""
        if attribute_types(sop_class_uid) is None:
            sop_class_uid = ""
        key = (sop_class_uid, encoding)
        table = self._roots.get(key)
        if table is None:
            table = Table({}, sop_class_uid, 0, (), dummy=False, encoding=encoding, children={})
            self._roots[key] = table
        return table

    def child(
        self,
        table: Table,
        sequence: int,
        *,
        dummy: bool,
        encoding: Encoding,
        fate: Fate = Fate.ORDINARY,
    ) -> Table:
        """Return the table of the items of a sequence."""
        key = (sequence, dummy, encoding, fate)
        child = table.children.get(key)
        if child is None:
            path = (*table.path, sequence) if self._uses_paths else ()
            child = Table({}, table.sop_class_uid, sequence, path, dummy, encoding, {}, fate)
            if self._tables < MAX_TABLES:
                self._tables += 1
                table.children[key] = child
        return child

    def decide(self, table: Table, head: bytes) -> int:
        """Work out the entry for an element's head in a place (`Table.known`), and remember it."""
        encoding = table.encoding
        tag, code = encoding.tag_of(head), head[4:]
        vr = code.decode("latin-1")
        action = self.action(tag, vr, table)
        if code in LONG_VRS:
            action |= LONG_FORM
        if self.info_type(tag, vr):
            action |= KNOWN
        entry = tag << TAG_SHIFT | encoding.vr_word(code) << KEY_SHIFT | action
        if len(table.known) < MAX_ENTRIES:
            table.known[head] = entry
        return entry

    def action(self, tag: int, vr: str, table: Table) -> int:
        """Return the action word (without `LONG_FORM`) for an element in a place.

        `vr` is the explicit VR as encoded, or empty for implicit VR.
        """
        group = tag >> 16
        if group == 0xFFFE:
            return Action.ITEM_END if tag == 0xFFFEE00D else Action.REFUSE
        if vr and vr.encode() not in LONG_VRS and vr.encode() not in SHORT_VRS:
            return Action.REFUSE
        if group in (0, 2, 4):
            return Action.REFUSE
        override = self._override(tag, vr, table)
        if override is not None:
            return override
        if tag in _INSTANCE_REFERENCES and self._keeps_instance_uids():
            return Action.KEEP
        if group & 1:
            return self._private(tag, vr)
        if not tag & 0xFFFF:
            return Action.DROP
        if tag in MARKER_TAGS and not table.parent and self._sets(tag):
            return Action.MARKER
        if table.parent and (tag in _PIXEL_VALUES or tag >> 24 == 0x60):
            return Action.PIXELS if tag in _PIXEL_VALUES else Action.DROP
        decided = (
            self._basic(tag, vr, table)
            if self.policy.profile is Profile.BASIC
            else self._other_profile(tag, vr)
        )
        if (tag in DESCRIPTORS or tag in DESCRIBING) and self._removes_identities(decided):
            kind = Action.TABLE if tag in DESCRIPTORS else Action.DESCRIBE
            fallback = decided >> FALLBACK_SHIFT or self._fallback_action(tag, table)
            return kind | fallback << FALLBACK_SHIFT
        return decided

    def _removes_identities(self, decided: int) -> bool:
        """Whether what stays, stays under a profile that removes identities."""
        profiles = (Profile.BASIC, Profile.MINIMAL)
        return self.policy.profile in profiles and decided & KIND_MASK in (
            Action.KEEP,
            Action.CHECK,
        )

    def left_alone(
        self, found: Collection[int], sop_class_uid: str, encoding: Encoding
    ) -> Iterator[int]:
        """Yield what would stand beside nothing: its condition goes (PS3.5 7.4.2), and so it does."""
        table = self.root(sop_class_uid, encoding)
        for tag, condition in ONLY_BESIDE.items():
            if tag in found and condition in found:
                kind, beside = (
                    self.action(each, "", table) & KIND_MASK for each in (tag, condition)
                )
                if kind in (Action.DUMMY, Action.CHECK) and beside in (Action.DROP, Action.EMPTY):
                    yield tag

    def info_type(self, tag: int, vr: str) -> str:
        """Return what the original of an element is when it identifies; empty when it does not."""
        actual = self.vr_of(tag, vr)
        if actual == "SQ":
            return ""
        return KNOWN_KINDS.get(tag, KINDS_BY_VR.get(actual, ""))

    def vr_of(self, tag: int, vr: str) -> str:
        """Return the VR that an element's value is to be read as."""
        if vr and vr != "UN":
            return vr
        return dictionary_vr(tag) or vr or "UN"

    # ------------------------------------------------------------------ the Basic Profile

    def _basic(self, tag: int, vr: str, table: Table) -> int:
        declared = dictionary_vr(tag)
        if table.dummy:
            return self._dummied(tag, vr)
        if tag == 0x00080005:
            return Action.CHARACTER_SET
        if table.fate is not Fate.ORDINARY and tag in VALUES:
            return self._content_value(tag, vr, table.fate)
        row = confidentiality_by_tag().get(tag)
        if row is not None:
            return self._listed(tag, vr, row.basic, row.options, table)
        if tag >> 24 == 0x50 or declared is None:
            return Action.DROP
        if tag >> 24 == 0x60:
            return self._overlay(tag, vr, declared, table)
        return self._unlisted(tag, vr, declared, table)

    def _overlay(self, tag: int, vr: str, declared: str, table: Table) -> int:
        """Keep overlay planes under Clean Graphics; `overlay_elements` has their text taken out."""
        if Option.CLEAN_GRAPHICS not in self.policy.options or table.parent:
            return Action.DROP
        if tag & 0xFFFF == 0x3000:
            return Action.KEEP if vr in ("", "OB", "OW", "UN") else Action.DROP
        if tag & 0xFFFF == 0x4000:
            return Action.DROP
        return self._unlisted(tag, vr, declared, table)

    def _listed(self, tag: int, vr: str, basic: str, options: dict[str, str], table: Table) -> int:
        chosen = {verb for name, verb in options.items() if Option(name) in self.policy.options}
        if self._is_of_device(tag, options):
            if tag in OF_VERSIONS:
                return Action.CHECK | self._fallback(basic, tag, table)
            return self._coded(self._resolve(basic, tag, table), self.vr_of(tag, vr))
        actual = self.vr_of(tag, vr)
        if tag in PRIMARY_UIDS and self.policy.regenerate_primary_ids is not None:
            return Action.REPLACE_UID if self.policy.regenerate_primary_ids else Action.KEEP
        if "C" in chosen:
            return self._cleaned(tag, actual, basic, table)
        if "K" in chosen:
            return self._kept(tag, vr, actual)
        if tag in (PATIENT_NAME, PATIENT_ID) and "Z" in basic:
            return Action.PSEUDONYM
        if tag == 0x00080050:
            return Action.TOKEN
        if tag == 0x00420011:
            return Action.DOCUMENT
        code = self._resolve(basic, tag, table)
        return self._coded(code, actual)

    def _is_of_device(self, tag: int, options: dict[str, str]) -> bool:
        """Whether this is a day or time of equipment or of a protocol while a patient's days move.

        It is the same for all patients of a scanner: moved by each one's shift it would tell how their
        shifts differ, and beside a time of day that stays it would tell which of them belong together.
        """
        if Option.RETAIN_MODIFIED_DATES not in self.policy.options:
            return False
        actual = dictionary_vr(tag)
        is_temporal = actual in _TEMPORAL_VRS
        return is_temporal and (
            options.get(Option.RETAIN_DEVICE_IDENTITY) == "K" or tag in OF_PROTOCOLS
        )

    def _coded(self, code: str, vr: str) -> int:
        match code:
            case "U" | "U*":
                return Action.RECURSE if vr == "SQ" else Action.REPLACE_UID
            case "D" if vr == "UI":
                return Action.REPLACE_UID
            case "D":
                return Action.RECURSE_DUMMY if vr == "SQ" else Action.DUMMY
            case "Z":
                return Action.EMPTY
            case _:
                return Action.DROP

    def _resolve(self, basic: str, tag: int, table: Table) -> str:
        """Choose among compound codes by the attribute's type in the IOD (PS3.15 E.3, Table E.1-1 key)."""
        if basic == _REFERENCED_IMAGES:
            return "U"
        codes = basic.split("/")
        types = attribute_types(table.sop_class_uid) if table.sop_class_uid else None
        if len(codes) == 1:
            # The table removes attributes that some IODs require, such as the label of a presentation
            # state (PS3.3 C.11.10) or the procedure's ID in a report's request (C.17.2).
            strength = types.get((table.parent, tag), 3) if types is not None else 3
            return {1: "D", 2: "Z"}.get(strength, basic) if basic == "X" else basic
        if types is None:
            return codes[-1]
        strength = types.get((table.parent, tag), 3)
        wanted = {1: ("D", "Z", "X"), 2: ("Z", "D", "X"), 3: ("X", "Z", "D")}[strength]
        return next(code for code in wanted if code in codes)

    def _cleaned(self, tag: int, vr: str, basic: str, table: Table) -> int:
        if vr in _TEMPORAL_VRS:
            return Action.SHIFT | self._fallback(basic, tag, table)
        if vr == "SQ":
            return Action.RECURSE
        if vr in _TEXT_VRS:
            return Action.CLEAN | self._fallback(basic, tag, table)
        return self._coded(self._resolve(basic, tag, table), vr)

    def _fallback(self, basic: str, tag: int, table: Table) -> int:
        code = self._resolve(basic, tag, table)
        action = {"D": Action.DUMMY, "Z": Action.EMPTY}.get(code, Action.DROP)
        return action << FALLBACK_SHIFT

    def _kept(self, tag: int, vr: str, actual: str) -> int:
        if actual == "SQ":
            return Action.RECURSE
        if actual == "AS":
            return Action.CAP_AGE
        declared = dictionary_vr(tag)
        if declared is not None and vr and vr not in declared and vr != "UN":
            return Action.DROP
        return Action.KEEP

    def _unlisted(self, tag: int, vr: str, declared: str, table: Table) -> int:
        """Decide about a known attribute that Table E.1-1 does not name."""
        actual = vr or declared
        if actual == "UN":
            actual = declared
        if actual == "SQ" or declared == "SQ":
            return Action.RECURSE if actual == "SQ" else Action.DROP
        if tag == 0x7FE00010:
            return Action.PIXELS
        if tag == 0x00282000:
            return Action.CHECK | self._fallback_action(tag, table) << FALLBACK_SHIFT
        if vr and vr != "UN" and vr not in declared:
            # Text where the standard has a number: an odd place, and a good one to hide in.
            return self._fallback_action(tag, table)
        if actual == "UI":
            return Action.KEEP_REGISTERED_UID
        if actual == "PN":
            return self._fallback_action(tag, table)
        if actual in _TEMPORAL_VRS:
            if Option.RETAIN_FULL_DATES in self.policy.options:
                return Action.KEEP
            if Option.RETAIN_MODIFIED_DATES in self.policy.options and tag not in OF_PROTOCOLS:
                return Action.SHIFT | self._fallback_action(tag, table) << FALLBACK_SHIFT
            return self._fallback_action(tag, table)
        if tag == TEXT_VALUE and Option.CLEAN_DESCRIPTORS in self.policy.options:
            return Action.CLEAN | self._fallback_action(tag, table) << FALLBACK_SHIFT
        if tag in LABELS:
            return Action.CHECK | Action.DUMMY << FALLBACK_SHIFT
        if actual in _TEXT_VRS:
            return Action.CHECK | self._fallback_action(tag, table) << FALLBACK_SHIFT
        if actual in ("IS", "DS"):
            return Action.CHECK | self._fallback_action(tag, table) << FALLBACK_SHIFT
        if actual in _BINARY_VRS and tag not in _PLAIN_BINARY:
            return self._fallback_action(tag, table)
        if tag in _SAMPLES:
            return Action.KEEP
        return Action.CHECK | self._fallback_action(tag, table) << FALLBACK_SHIFT

    def _content_value(self, tag: int, vr: str, fate: Fate) -> int:
        """Decide about the value of a content item that Table E.3.4-1 names."""
        actual = self.vr_of(tag, vr)
        if actual == "SQ":
            if fate is Fate.KEEP or tag == REFERENCED_INSTANCES:
                return Action.RECURSE
            # A measurement may lack its value (Type 2, PS3.3 C.18.1); any number would be a false one.
            return Action.EMPTY if tag == MEASURED_VALUE else Action.RECURSE_DUMMY
        if fate is Fate.KEEP:
            return Action.KEEP
        if fate is Fate.CLEAN and actual in _TEMPORAL_VRS:
            return Action.SHIFT | Action.DUMMY << FALLBACK_SHIFT
        if fate is Fate.CLEAN and actual in _TEXT_VRS:
            return Action.CLEAN | Action.DUMMY << FALLBACK_SHIFT
        return Action.REPLACE_UID if actual == "UI" else Action.DUMMY

    def _fallback_action(self, tag: int, table: Table) -> Action:
        return fallback_action(tag, table.parent, table.sop_class_uid)

    def _dummied(self, tag: int, vr: str) -> int:
        """Decide inside a sequence that gets the D action: its shape stays, its contents do not."""
        declared = dictionary_vr(tag)
        actual = self.vr_of(tag, vr)
        if declared is None or (vr and vr != "UN" and vr not in declared):
            return Action.DROP
        if actual == "SQ":
            return Action.RECURSE_DUMMY
        if actual == "UI":
            return Action.KEEP_REGISTERED_UID if tag in _CLASS_UIDS else Action.REPLACE_UID
        if tag in _STRUCTURE or actual == "CS":
            return Action.CHECK | Action.DUMMY << FALLBACK_SHIFT
        if tag in _CODE_SEQUENCE_TAGS or actual not in ("AT", "US", "SS", "UL", "SL"):
            return Action.DUMMY
        return Action.CHECK | Action.DUMMY << FALLBACK_SHIFT

    # ------------------------------------------------------------------ private elements and overrides

    def _private(self, tag: int, vr: str) -> int:
        if self.policy.profile is Profile.KEEP_ALL:
            return Action.RECURSE if vr == "SQ" else Action.KEEP
        if Option.RETAIN_SAFE_PRIVATE not in self.policy.options:
            return Action.DROP
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            return Action.PRIVATE_CREATOR
        return Action.PRIVATE

    def _override(self, tag: int, vr: str, table: Table) -> int | None:
        if not self.policy.overrides:
            return None
        if tag == 0x00080005 or not tag & 0xFFFF:
            return None
        actual = self.vr_of(tag, vr)
        path = (*table.path, tag)
        # A private creator gives a block its meaning: what is said of texts is not said of it.
        is_creator = bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF
        for override in self.policy.overrides:
            has_vr = actual in override.vrs and not is_creator
            if tag in override.tags or has_vr or path in override.paths:
                removes = override.verb in ("delete", "empty")
                if tag in _PIXEL_VALUES and not removes and (table.parent or tag == 0x7FE00010):
                    return Action.PIXELS
                if tag in _IDENTITIES and removes:
                    continue
                action = VERBS[override.verb](tag, actual)
                if action is not None:
                    return action
        return None

    def _sets(self, tag: int) -> bool:
        """Whether a marker is ours to set: other profiles than Basic only name the method."""
        return self.policy.profile in (Profile.BASIC, Profile.MINIMAL) or tag == _METHOD

    def _keeps_instance_uids(self) -> bool:
        if self.policy.profile is Profile.MINIMAL:
            return False
        return self.action(0x00080018, "UI", self.root("", EXPLICIT_LITTLE)) == Action.KEEP

    def _other_profile(self, tag: int, vr: str) -> int:
        actual = self.vr_of(tag, vr)
        if tag in PRIMARY_UIDS:
            regenerate = self.policy.regenerate_primary_ids
            return Action.KEEP if regenerate is False else Action.REPLACE_UID
        if tag == 0x00080005:
            return Action.CHARACTER_SET
        if tag == 0x7FE00010:
            return Action.PIXELS
        if self.policy.profile is Profile.MINIMAL:
            if tag not in MINIMAL_KEEP:
                return Action.DROP
            if tag in _IDENTITIES or tag in _SAMPLES:
                return Action.KEEP
            return Action.CHECK | Action.DUMMY << FALLBACK_SHIFT
        if actual == "SQ":
            return Action.RECURSE
        if tag in _INSTANCE_REFERENCES:
            return Action.KEEP_REGISTERED_UID
        if self.policy.profile is Profile.TAG_CONTENTS and (actual in CONTENT_VRS):
            return Action.CLEAN | Action.EMPTY << FALLBACK_SHIFT
        return Action.KEEP


MINIMAL_KEEP: Final = frozenset(
    {
        0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00280002, 0x00280004,
        0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280034, 0x00280100, 0x00280101,
        0x00280102, 0x00280103, 0x00280106, 0x00280107, 0x00281050, 0x00281051, 0x00281056,
        0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203, 0x00282000,
        0x00282002, 0x7FE00010, 0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009,
    }
)  # fmt: skip
