"""What a configuration does, in sentences by subject: its profile, identity, private elements, text, pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.configuration.explain_elements import CT_IMAGE, SAYINGS
from deid.encoding.header import tag_name
from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE
from deid.pixels.policy import RedactionMode
from deid.tables.dictionary import attributes
from deid.tables.load import (
    EDITION,
    burned_in_likely,
    content_items,
)
from deid.tags.actions import KIND_MASK, Action
from deid.tags.content import Fate, fate_of
from deid.tags.policy import BurnedIn, Option, Profile, TagOverride, TagPolicy, UnknownSopClass
from deid.tags.rules import MINIMAL_KEEP, Rules
from deid.text.info_types import INFO_TYPES
from deid.text.policy import TextPolicy, Transformation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.configuration.document import Parsed

_PRIMARY: Final = {0x0020000D: "study", 0x0020000E: "series", 0x00080018: "instance"}
_PROFILES: Final = {
    Profile.BASIC: (
        f"Starts from the Basic Application Level Confidentiality Profile (DICOM PS3.15 Annex E, edition"
        f" {EDITION})."
    ),
    Profile.MINIMAL: "Keeps only what a valid image needs, and what is listed below; all else is removed.",
    Profile.KEEP_ALL: (
        "Keeps every element that is not named below. The result still identifies the patient; it is not"
        " marked as de-identified."
    ),
    Profile.TAG_CONTENTS: (
        "Keeps the elements and cleans what is written in them (AE, AS, DA, DT, LO, LT, PN, SH, ST, UC and"
        " UT). What stands in other value representations stays; the result is not marked as de-identified."
    ),
}
_OPTIONS: Final = {
    Option.RETAIN_SAFE_PRIVATE: "private elements that are listed as safe stay (E.3.10)",
    Option.RETAIN_UIDS: "UIDs stay, so the result can be joined with the source (E.3.9)",
    Option.RETAIN_DEVICE_IDENTITY: "names and numbers of devices stay (E.3.8)",
    Option.RETAIN_INSTITUTION_IDENTITY: "names and addresses of institutions stay (E.3.11)",
    Option.RETAIN_PATIENT_CHARACTERISTICS: "age, sex, size and weight stay, ages over 89 capped (E.3.7)",
    Option.RETAIN_FULL_DATES: "dates and times stay as they are (E.3.6)",
    Option.RETAIN_MODIFIED_DATES: "dates move by the patient's shift; intervals and times stay (E.3.6)",
    Option.CLEAN_DESCRIPTORS: "descriptions stay as far as every word is recognised (E.3.5)",
    Option.CLEAN_STRUCTURED_CONTENT: "content items of reports are cleaned one by one (E.3.4)",
    Option.CLEAN_GRAPHICS: "graphics and overlays are cleaned (E.3.3)",
}
_VERBS: Final = {
    "keep": "kept",
    "empty": "emptied",
    "delete": "removed",
    "reset": "replaced by a placeholder",
    "clean_text": "cleaned as text",
    "recurse": "gone through item by item",
    "regen_uid": "replaced by keyed UIDs (registered ones stay)",
    "clean_image": "cleaned of burned-in text",
}
_TRANSFORMATIONS: Final = {
    Transformation.REDACT: "taken out",
    Transformation.MASK: "masked character by character",
    Transformation.DATE_SHIFT: "moved by the patient's date shift (what is no date: replaced by its kind)",
    Transformation.CRYPTO_HASH: (
        "replaced by a keyed hash (44 characters; in short elements its first ones)"
    ),
    Transformation.REPLACE_WITH_INFO_TYPE: "replaced by its kind in brackets",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its sentences."""

    title: str
    sentences: tuple[str, ...]


def sections_for_dicom(parsed: Parsed, rules: Rules) -> list[Section]:
    """Return what happens to DICOM instances, section by section."""
    sections = [
        Section("What it starts from", tuple(_start(parsed.tags))),
        Section("The patient, dates and UIDs", tuple(_identity(parsed, rules))),
        Section("Elements that no table names", tuple(_unlisted(parsed.tags))),
        Section("Private elements", tuple(_private(parsed.tags, rules))),
        *_content(parsed.tags),
        Section("Text", tuple(_text(parsed.text))),
        Section("Pixels", tuple(_pixels(parsed))),
        Section("Put aside instead of passed on", tuple(_quarantine(parsed))),
        Section("In every result", tuple(_always(parsed))),
    ]
    if parsed.tags.overrides:
        named = tuple(_override(each) for each in parsed.tags.overrides)
        sections.insert(1, Section("Before anything else, by your own list", named))
    return sections


def _start(policy: TagPolicy) -> Iterator[str]:
    yield _PROFILES[policy.profile]
    for option in sorted(policy.options):
        yield f"Option {option.value}: {_said_of(option, policy)}."
    yield "The rules hold at every depth: in sequences, in sequences encoded as UN, in functional groups."


def _said_of(option: Option, policy: TagPolicy) -> str:
    if option is Option.RETAIN_MODIFIED_DATES and policy.time_jitter_minutes:
        return "dates and times move by the patient's shift; intervals stay (E.3.6)"
    return _OPTIONS[option]


def _override(override: TagOverride) -> str:
    names = [_named(tag) for tag in sorted(override.tags)]
    if len(names) > 40:
        names = [*names[:20], f"and {len(names) - 20} more"]
    names += [f"every {vr}" for vr in sorted(override.vrs)]
    names += [" in ".join(_named(tag) for tag in reversed(path)) for path in sorted(override.paths)]
    return f"{_VERBS[override.verb].capitalize()}: {', '.join(names)}."


def _named(tag: int) -> str:
    entry = attributes().get(tag)
    return f"{tag_name(tag)} {entry.name}" if entry else tag_name(tag)


def _identity(parsed: Parsed, rules: Rules) -> Iterator[str]:
    policy = parsed.tags
    root = rules.root(CT_IMAGE, EXPLICIT_LITTLE)
    pseudonyms = [
        name
        for tag, vr, name in (
            (0x00100020, "LO", "Patient ID"),
            (0x00100010, "PN", "Patient's Name"),
        )
        if rules.action(tag, vr, root) & KIND_MASK == Action.PSEUDONYM
    ]
    if pseudonyms:
        yield (
            f"{' and '.join(pseudonyms)} become{'' if len(pseudonyms) > 1 else 's'} a pseudonym of 20"
            " characters, the same for the same patient in every instance; without the key"
            " nobody can go back or link it with another deidentifier's."
        )
    if policy.identity_issuer:
        yield f"Where no issuer is given, Patient IDs are taken as issued by {policy.identity_issuer}."
    elif pseudonyms:
        yield "Issuers do not count: equal Patient IDs are one patient's, whoever gave them."
    kept = [
        name
        for tag, name in _PRIMARY.items()
        if rules.action(tag, "UI", root) & KIND_MASK == Action.KEEP
    ]
    replaced = [name for name in _PRIMARY.values() if name not in kept]
    if kept:
        yield f"{_listed(kept)} UIDs stay, and so do references to them."
    if replaced:
        yield (
            f"{_listed(replaced)} UIDs are replaced by keyed ones; references to instances point at the"
            " replacements."
        )
    shifts = rules.action(0x00080020, "DA", root) & KIND_MASK == Action.SHIFT
    if shifts or _shifts_in_text(parsed.text):
        own = parsed.text is not None and parsed.text.date_shift_key is not None
        yield (
            f"Dates move by whole days, between {policy.shift_range_days} back and {policy.shift_range_days}"
            " ahead and never 0, the same for a patient"
            f" everywhere, derived from {'the configured key' if own else 'the key'} and the Patient ID (or"
            " the study, where there is none). Holidays and clock changes may still give a hint."
        )
    if policy.time_jitter_minutes:
        yield (
            f"Times of day move too, by up to {policy.time_jitter_minutes} minutes either way, by whole seconds"
            " that are the same for a patient everywhere, in elements and in text. What passes midnight takes"
            " its date along, where the date stands beside it; a time alone does not tell that it did."
        )


def _listed(names: Sequence[str]) -> str:
    """Return names as the beginning of a sentence."""
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return text[0].upper() + text[1:]


def _shifts_in_text(text: TextPolicy | None) -> bool:
    """Whether dates in text, or in elements that are cleaned as text, move."""
    if text is None:
        return False
    for kind in ("DATE", "DATE_OF_BIRTH"):
        asked = text.transformation_for(kind)
        if asked is not None and asked.transformation is Transformation.DATE_SHIFT:
            return True
    return text.basic and "DATE" not in text.excluded and text.transformation_for("DATE") is None


def _unlisted(policy: TagPolicy) -> Iterator[str]:
    if policy.profile is Profile.MINIMAL:
        yield f"Removed, except the {len(MINIMAL_KEEP)} elements that describe the pixels and the instance."
        return
    if policy.profile is not Profile.BASIC:
        yield "Kept, or cleaned where text is cleaned."
        return
    yield "Text, codes and numbers in strings stay only where every word of them is recognised."
    full, moved = Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES
    dates = "stay" if full in policy.options else "move" if moved in policy.options else "go"
    yield f"Names of people and unreadable binary values go. Dates and times {dates}."
    yield (
        "Elements that no edition of the standard knows, group lengths, curves (50xx) and overlays (60xx)"
        " are removed."
    )


def _private(policy: TagPolicy, rules: Rules) -> Iterator[str]:
    if policy.profile is Profile.KEEP_ALL:
        yield "Kept, whatever they hold."
        return
    if Option.RETAIN_SAFE_PRIVATE in policy.options:
        yield (
            "Kept where PS3.15 Table E.3.10-1 lists creator, group and element as safe; else removed, and"
            " unused creators with them."
        )
        yield (
            "Where an instance describes its own private blocks (0008,0300), what it calls safe stays too, and"
            " what it says to identify is treated as it asks, or removed, whatever the lists say."
        )
        for creator, group, element in sorted(policy.safe_private):
            yield f"Also safe by your list: ({group:04X},xx{element:02X}) of {creator}."
        return
    word = rules.action(0x00091001, "LO", rules.root(CT_IMAGE, EXPLICIT_LITTLE))
    yield f"{SAYINGS[Action(word & KIND_MASK)].capitalize()}, except those you name yourself."


_FATES: Final = {
    Fate.DROP: "removed with what it contains",
    Fate.DUMMY: "its value is replaced by a dummy",
    Fate.KEEP: "kept",
    Fate.CLEAN: "a text is cleaned as said under Text, a date is moved",
}


def _content(policy: TagPolicy) -> Iterator[Section]:
    """Yield what becomes of content items, where they are looked at one by one."""
    if Option.CLEAN_STRUCTURED_CONTENT not in policy.options:
        return
    lines = [
        (
            "Content items of reports, acquisition context, specimen preparation and waveform annotations go"
            f" by their names (PS3.15 Table E.3.4-1, {EDITION}, and its retired codes); those that it does not"
            " name are treated by the rules for elements. Where a report refers to its items by position, an"
            " item that would be removed stays with dummies inside."
        )
    ]
    lines += [
        f"{row.meaning} ({row.scheme} {row.code}, {row.value_type}): {_FATES[fate_of(row, policy)]}."
        for row in content_items()
    ]
    yield Section("Structured content", tuple(lines))


def _text(text: TextPolicy | None) -> Iterator[str]:
    if text is None:
        yield "No text is cleaned: descriptions and comments go or stay as the table below says."
        return
    yield (
        "What identifies is looked for in this order: the patient's own identifiers from the header, however"
        " written; patterns; names and places; capitalised words that no vocabulary explains."
    )
    if text.strict:
        yield "Every word that no clinical or common vocabulary knows is dropped as well."
    if text.contextual:
        yield "What the header knows of the patient becomes [CTX]."
    covered = False
    for each in text.transformations:
        # As they are looked up: the first that names a kind, what is excluded by none.
        named = [name for name in sorted(each.info_types) if text.transformation_for(name) is each]
        if each.info_types and not named:
            continue
        if not each.info_types:
            if covered:
                continue
            covered = True
        said = ", ".join(named) or "Every kind that is not named otherwise"
        yield f"{said}: {_TRANSFORMATIONS[each.transformation]}."
    if not covered and text.basic:
        yield from _as_basic(text)
    elif not covered:
        yield "Findings of any other kind stay."
    if text.excluded:
        yield f"Never touched: {', '.join(sorted(text.excluded))}."
    for custom in text.custom:
        yield f"Your own kind {custom.info_type} is looked for by its pattern."
    kinds = ", ".join(INFO_TYPES.values())
    yield f"Kinds that are looked for: {kinds}."
    yield "No method finds everything: docs/text.md gives the measured shares."


def _as_basic(text: TextPolicy) -> Iterator[str]:
    """Yield what becomes of kinds that no transformation names."""
    free = [
        kind
        for kind in INFO_TYPES
        if kind not in text.excluded and text.transformation_for(kind) is None
    ]
    parts = ["dates move by the patient's shift"] if "DATE" in free else []
    parts += ["ages over 89 become 90+"] if "AGE" in free else []
    if set(free) - {"DATE", "AGE"}:
        parts.append("every other finding is replaced by its kind in brackets")
    if parts:
        yield f"Otherwise {', and '.join(parts)}."
    if "DATE_OF_BIRTH" in free:
        yield (
            "Dates of birth do not move with other dates: in text they are replaced by their kind, an element"
            " that holds one is emptied."
        )


def _pixels(parsed: Parsed) -> Iterator[str]:
    image = parsed.image
    match image.mode:
        case RedactionMode.NONE:
            yield "Pixels are not looked at and stay bit by bit."
        case RedactionMode.ALL:
            yield "All text that is found in pixels is filled, in every frame."
        case RedactionMode.SENSITIVE | RedactionMode.SENSITIVE_CLEAN_DESCRIPTORS:
            yield (
                "Text that is found in pixels is filled where it identifies, cannot be read, or holds words"
                " that are not known."
            )
    if parsed.tags.burned_in is BurnedIn.CLEAN_LIKELY:
        classes, modalities = burned_in_likely()
        yield (
            "Only pixels that are likely to carry burned-in text are looked at: Burned In Annotation YES, one"
            f" of {len(classes)} SOP classes, or modality {', '.join(sorted(modalities))}."
            " Others stay bit by bit."
        )
    if image.mode is not RedactionMode.NONE:
        yield "An instance whose pixels cannot be decoded is put aside."
    if image.additional_info_types:
        yield f"Also filled: {', '.join(sorted(image.additional_info_types))}."
    if image.exclude_info_types:
        yield f"Not filled: {', '.join(sorted(image.exclude_info_types))}."
    if image.custom_regexes:
        yield f"{len(image.custom_regexes)} patterns of your own are filled as well."


def _quarantine(parsed: Parsed) -> Iterator[str]:
    policy = parsed.tags
    classes, modalities = burned_in_likely()
    match policy.burned_in:
        case BurnedIn.PASS:
            yield "Instances whose pixels are likely to carry text are passed on all the same, by your choice."
        case BurnedIn.QUARANTINE | BurnedIn.CLEAN | BurnedIn.CLEAN_LIKELY:
            lead = (
                "Instances"
                if policy.burned_in is BurnedIn.QUARANTINE
                else "Where pixels cannot be cleaned, instances"
            )
            yield (
                f"{lead} likely to carry burned-in text: Burned In Annotation YES, one of {len(classes)} SOP"
                f" classes, or pixels of modality {', '.join(sorted(modalities))}."
            )
    if policy.unknown_sop_class is UnknownSopClass.QUARANTINE:
        yield "Instances of SOP classes that the standard does not register."
    else:
        yield "Instances of SOP classes that the standard does not register are passed on, by your choice."
    yield "Instances in which an identifier that these rules remove is still found after writing."
    yield (
        "Whatever is malformed, truncated, nested deeper than 32, not encoded as it says, or without SOP class"
        " and UIDs."
    )


def _always(parsed: Parsed) -> Iterator[str]:
    if parsed.tags.profile is Profile.BASIC:
        yield "Patient Identity Removed is YES; De-identification Method and its codes say what ran."
    else:
        yield (
            "De-identification Method names this program and the key's id; Patient Identity Removed is not"
            " set."
        )
    yield (
        "The preamble is zeroed, file meta information is made anew, bytes after the data set are dropped. The"
        " source is not altered."
    )
    if parsed.certificates:
        yield "The originals of what changed are sealed in it for the holders of the configured certificates."
