"""The pixels of one instance: cleaned where the plan asks for it, refused where they may carry text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.header import tag_name
from deid.encoding.part10 import materialised
from deid.encoding.transfer_syntaxes import is_encapsulated
from deid.errors import Reason, Unsafe
from deid.pixels.beside.overlay_elements import refuse_embedded
from deid.pixels.beside.scrub import SCRUBBING
from deid.pixels.image_elements import (
    DOCUMENT,
    FLOATS,
    PIXEL_DATA,
    encoded_changes,
    known_phrases,
    pixel_instance,
)
from deid.ports import CleanedPixels
from deid.tables.load import burned_in_likely
from deid.tags.actions import KIND_MASK, Action
from deid.tags.policy import BurnedIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.encoding.top_level import TopLevel
    from deid.identity.facts import Facts
    from deid.identity.identifiers import KnownIdentifier
    from deid.ports import DrawnBox, PixelCleaner
    from deid.tags.policy import TagPolicy
    from deid.tags.tag_plan import TagPlan
    from deid.tags.walk import Walk

WANTED: Final = frozenset({DOCUMENT, PIXEL_DATA, *FLOATS})
"""The elements whose places have to be known where pixels are cleaned."""
_WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_LABEL_IMAGES: Final = frozenset({"LABEL", "OVERVIEW"})
_NOTHING: Final = CleanedPixels(None, (), {}, examined_all=False)


class Cleaned(NamedTuple):
    """What pixel cleaning gave, and its changed attributes as encoded elements."""

    pixels: CleanedPixels
    elements: list[tuple[int, bytes]]


def cleaner_for(
    facts: Facts, policy: TagPolicy, cleaner: PixelCleaner | None
) -> PixelCleaner | None:
    """Return the cleaner for an instance: none where only what is likely to carry text is looked at."""
    if policy.burned_in is BurnedIn.CLEAN_LIKELY and not _likely_by(facts):
        return None
    return cleaner


def clean_or_refuse(
    top: TopLevel,
    facts: Facts,
    known: tuple[KnownIdentifier, ...],
    plan: TagPlan,
    cleaner: PixelCleaner | None,
    drawn: Sequence[DrawnBox] = (),
) -> Cleaned:
    """Clean pixels where the plan asks for it, else refuse what may carry text.

    Parameters
    ----------
    drawn
        Boxes that a person drew, who has judged the picture; then `cleaner` is one.

    Raises
    ------
    Unsafe
        `PIXELS_NOT_CLEANED`, and what cleaning raises.
    """
    kinds = [each for each in (PIXEL_DATA, *FLOATS) if each in top.found]
    if cleaner is None or not kinds:
        _refuse_likely(facts, plan.policy)
        if cleaner is not None and DOCUMENT in top.found and _keeps_document(top, facts, plan):
            cleaner.check({"SOPClassUID": facts.sop_class_uid, "Modality": facts.modality})
        return Cleaned(_NOTHING, [])
    if len(kinds) > 1:  # PS3.3 C.7.6.3, C.7.6.24: one excludes the others
        raise Unsafe(Reason.PIXELS_UNDECODABLE, tag_name(kinds[1]))
    (tag,) = kinds
    if cleaner.knows_phrases:
        known = (*known, *known_phrases(top, facts.charset))
    instance = replace(pixel_instance(top, tag, known), drawn=drawn)
    cleaned = cleaner.clean(instance)
    changes = encoded_changes(cleaned.changes, instance.attributes, top.encoding)
    if tag in FLOATS and cleaned.segments is not None:
        value = materialised(cleaned.segments, top.data)
        changes.append((tag, top.encoding.element(tag, FLOATS[tag].encode(), value)))
        cleaned = replace(cleaned, segments=None)
    return Cleaned(cleaned, changes)


def _keeps_document(top: TopLevel, facts: Facts, plan: TagPlan) -> bool:
    table = plan.rules.root(facts.sop_class_uid, top.encoding)
    action = plan.rules.action(DOCUMENT, "OB", table)
    return action & KIND_MASK in (Action.KEEP, Action.CHECK)


def refuse_unexamined(
    walk: Walk, cleaned: CleanedPixels, transfer_syntax_uid: str, cleaner: PixelCleaner | None
) -> None:
    """Refuse Pixel Data that stayed without having been examined, where the plan asks for it.

    It stands behind a higher tag then, where nobody looks for it; or it holds an overlay plane.

    Raises
    ------
    Unsafe
        `PIXELS_NOT_CLEANED`.
    """
    policy = walk.given.plan.policy
    if not walk.samples.seen or cleaned.examined_all:
        return
    if cleaner is not None and cleaned is _NOTHING:
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, "(7FE0,0010)")
    if policy.profile not in SCRUBBING or is_encapsulated(transfer_syntax_uid):
        refuse_embedded(walk.passage.actions, policy)


def _refuse_likely(facts: Facts, policy: TagPolicy) -> None:
    """Refuse what is likely to carry burned-in text, unless the configuration says otherwise."""
    if policy.burned_in is BurnedIn.PASS:
        return
    tag = _likely_by(facts)
    if tag:
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, tag)


def _likely_by(facts: Facts) -> str:
    """Return the tag of the element by which burned-in text is likely, empty where none says so."""
    classes, modalities = burned_in_likely()
    if facts.burned_in == "YES":
        return "(0028,0301)"
    if facts.sop_class_uid in classes:
        return "(0008,0016)"
    if facts.modality in modalities and facts.has_pixels:
        return "(0008,0060)"
    labels = _LABEL_IMAGES.intersection(facts.image_type.split("\\"))
    return "(0008,0008)" if facts.sop_class_uid == _WHOLE_SLIDE and labels else ""
