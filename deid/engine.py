"""De-identify one instance: bytes in, segments and an outcome out, or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.configuration.coverage import Coverage
from deid.encoding.header import Buffer, tag_name
from deid.encoding.instance import open_instance
from deid.encoding.part10 import part10
from deid.encoding.top_level import TopLevel
from deid.errors import Reason, Unsafe
from deid.identity import values
from deid.identity.facts import FACTS, person_of, read_facts
from deid.identity.identifiers import MOST_OF_ONE, known_identifiers, united
from deid.identity.kinds import KNOWN_KINDS
from deid.outcome import Outcome
from deid.pixels import of_instance
from deid.pixels.beside import scrub
from deid.pixels.beside.overlay_elements import overlay_elements
from deid.pixels.beside.scrub import names_anybody, scrub_of
from deid.pixels.beside.thumbnails import thumbnail_elements
from deid.pixels.image_elements import PIXEL_DATA
from deid.pixels.of_instance import clean_or_refuse, cleaner_for, refuse_unexamined
from deid.pixels.shape import FACTS as SHAPE_FACTS
from deid.pixels.shape import check_shape
from deid.tags.admission import check_class, check_identity
from deid.tags.earlier_methods import METHOD, METHOD_CODES, NONE, earlier_methods
from deid.tags.passage import Given
from deid.tags.policy import Option, UnknownSopClass
from deid.tags.private import CHARACTERISTICS, declared_blocks
from deid.tags.rules import ONLY_BESIDE
from deid.tags.searchable import kept_texts, searchable, where_left, without_samples
from deid.tags.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deid.encoding.instance import Instance
    from deid.encoding.segments import Segment
    from deid.identity.facts import Facts, Person
    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.residual import Forbidden
    from deid.identity.shifts import Shift
    from deid.pixels.of_instance import Cleaned
    from deid.plan import Plan
    from deid.ports import DrawnBox, PixelCleaner
    from deid.tags.earlier_methods import EarlierMethods
    from deid.text.crowd import Crowd

_FACTS: Final = frozenset(
    {
        METHOD,
        METHOD_CODES,
        CHARACTERISTICS,
        *FACTS,
        *SHAPE_FACTS,
        *scrub.FACTS,
        *chain.from_iterable(ONLY_BESIDE.items()),
    }
)
_KNOWN_FACTS: Final = _FACTS | frozenset(KNOWN_KINDS)
_PIXEL_FACTS: Final = _KNOWN_FACTS | of_instance.WANTED
_METHODS: Final = frozenset({METHOD, METHOD_CODES})
_OVERLAYS: Final = 0x60000000
_Inserts = list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Deidentified:
    """The result.

    Attributes
    ----------
    segments
        The new Part 10 file: bytes, and spans of the source that stay as they are.
    outcome
        What was done.
    patient_id, study_uid, series_uid, sop_instance_uid
        Replacement values, for names and indexes.
    """

    segments: list[Segment]
    outcome: Outcome
    patient_id: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str


def deidentify(
    source: Buffer,
    plan: Plan,
    known: Iterable[KnownIdentifier] = (),
    drawn: Sequence[DrawnBox] = (),
    crowds: Sequence[Crowd] = (),
) -> Deidentified:
    """De-identify a Part 10 file by a plan.

    Parameters
    ----------
    source
        The whole file; `bytes` or a read-only `mmap`. Only headers are touched, unless pixels are cleaned.
    plan
        The compiled configuration.
    known
        Identifiers from elsewhere, such as the study's other instances: text and pixels are cleaned of
        them as of the instance's own. Only plans that look into text ask (`Plan.cleans_text`).
    drawn
        Boxes that a person drew over the picture: filled beside whatever the plan fills. That person's
        judgement of the pixels stands for the automatic one, and for nothing else.
    crowds
        Very many more identifiers; those that stand plainly in texts that would stay are known, too.

    Raises
    ------
    Unsafe
        With the reason why this instance must not be passed on.
    """
    if plan.tags.text_cleaner is None:  # nobody looks into the texts
        return _with_crowds(source, plan, known, drawn, ())
    known = tuple(known)
    if len(known) > MOST_OF_ONE:
        # Few studies have so many, and what looks them up is slow to import.
        from deid.text.crowd import parted  # noqa: PLC0415

        known, more = parted(known, MOST_OF_ONE)
        crowds = (*crowds, *more)
    return _with_crowds(source, plan, known, drawn, crowds)


def _with_crowds(
    source: Buffer,
    plan: Plan,
    known: Iterable[KnownIdentifier],
    drawn: Sequence[DrawnBox],
    crowds: Sequence[Crowd],
) -> Deidentified:
    """De-identify by a plan, and once more where some of a crowd would stay, who are known then."""
    asked = plan
    instance = open_instance(source)
    if Coverage.DICOM not in plan.covers:
        raise Unsafe(Reason.NOT_CONFIGURED)
    looks_itself = plan.pixel_cleaner is not None
    plan = plan.filling() if drawn else plan
    top = _indexed(instance, plan)
    facts = read_facts(top.data, top.found)
    check_identity(facts)
    unknown = plan.tags.policy.unknown_sop_class
    check_class(facts.sop_class_uid, may_be_unknown=unknown is UnknownSopClass.PASS)
    check_shape(top.data, top.found, top.encoding, top.meta.transfer_syntax_uid)
    person = person_of(
        facts,
        plan.tags.replacements,
        plan.tags.patient,
        default_issuer=plan.tags.policy.identity_issuer,
    )
    everybody = _everybody(top, facts, known, plan)
    cleaner = plan.pixel_cleaner
    if not drawn:
        cleaner = cleaner_for(facts, plan.tags.policy, cleaner)
    cleaned = clean_or_refuse(top, facts, everybody, plan.tags, cleaner, drawn)
    graphics = overlay_elements(
        top,
        facts.sop_class_uid,
        plan.tags,
        # Who fills boxes only looks at no plane.
        cleaner if looks_itself else None,
        everybody,
        drawn,
    )
    inserts = _inserts(top, facts, cleaned, plan, cleaner, graphics)
    given = Given(
        top.data,
        plan.tags,
        facts.sop_class_uid,
        person,
        facts.charset,
        everybody,
        cleaned.pixels.segments,
        declared_blocks(top, plan.tags.policy, facts.charset),
        scrub_of(top, plan.tags.policy.profile),
        top.encoding,
    )
    result = _rewritten(top, given, facts, inserts, cleaned, plan, cleaner)
    if crowds:
        texts = kept_texts(result.walk, result.dataset, top.encoding)
        more = {each for crowd in crowds for each in crowd.those_in(texts)}
        if more:
            return _with_crowds(source, asked, [*known, *more], drawn, ())
    left_out: tuple[int, ...] = ()
    if plan.recipients:
        result, left_out = _sealed(top, given, result, plan)
    return _deidentified(top, facts, person, cleaned, result, left_out, plan)


def shift_of(source: Buffer, plan: Plan) -> Shift | None:
    """Return how far the dates of an instance's patient move; None where the plan moves none.

    Raises
    ------
    Unsafe
        When it is no instance.
    """
    if not plan.moves_dates:
        return None
    instance = open_instance(source)
    facts = read_facts(instance.data, instance.places(FACTS))
    person = person_of(
        facts,
        plan.tags.replacements,
        plan.tags.patient,
        default_issuer=plan.tags.policy.identity_issuer,
    )
    return person.shift


class _Rewritten(NamedTuple):
    """A data set that nothing forbidden remains in, and the pass that made it."""

    walk: Walk
    dataset: list[Segment]
    inserts: _Inserts
    strictly: Forbidden | None
    residuals: tuple[str, ...]


def _indexed(instance: Instance, plan: Plan) -> TopLevel:
    """Find what has to be looked at before rewriting."""
    if plan.pixel_cleaner is not None:
        return TopLevel(instance, _PIXEL_FACTS, lists_all=True)
    wanted = _FACTS if plan.tags.text_cleaner is None else _KNOWN_FACTS
    lists_all = Option.CLEAN_GRAPHICS in plan.tags.policy.options
    return TopLevel(instance, wanted, lists_all=lists_all)


def _everybody(
    top: TopLevel, facts: Facts, known: Iterable[KnownIdentifier], plan: Plan
) -> tuple[KnownIdentifier, ...]:
    """Return what is known of people, here and elsewhere, where somebody looks into text."""
    if not plan.cleans_text:
        return ()
    return united(known_identifiers(top.data, top.found, facts.charset), known)


def _inserts(
    top: TopLevel,
    facts: Facts,
    cleaned: Cleaned,
    plan: Plan,
    cleaner: PixelCleaner | None,
    graphics: _Inserts,
) -> _Inserts:
    """Return what stands in the place of elements, in tag order: what was done, pixels, graphics, pictures."""
    earlier = earlier_methods(top.data, top.found, top.encoding, facts.charset)
    markers = _markers(top, facts, cleaned, plan, earlier)
    pictures = thumbnail_elements(top) if cleaner is not None else []
    alone = plan.tags.rules.left_alone(top.found, facts.sop_class_uid, top.encoding)
    return sorted(
        [
            *markers,
            *cleaned.elements,
            *graphics,
            *pictures,
            *((tag, b"") for tag in alone),
        ]
    )


def _markers(
    top: TopLevel, facts: Facts, cleaned: Cleaned, plan: Plan, earlier: EarlierMethods = NONE
) -> tuple[tuple[int, bytes], ...]:
    return plan.markers(
        top.encoding,
        pixels_cleaned=cleaned.pixels.examined_all,
        by_hand=cleaned.pixels.by_hand,
        temporal=facts.temporal,
        earlier=earlier,
    )


def _rewritten(
    top: TopLevel,
    given: Given,
    facts: Facts,
    inserts: _Inserts,
    cleaned: Cleaned,
    plan: Plan,
    cleaner: PixelCleaner | None,
) -> _Rewritten:
    """Rewrite the data set; where an identifier that went may still stand, once more and strictly."""
    walk = Walk(given)
    dataset = walk.rewrite(top.offset, top.encoding, inserts)
    markers = _markers(top, facts, cleaned, plan)
    has_earlier = not _METHODS.isdisjoint(top.found)
    # What others wrote into the markers is searched as all else is.
    texts = [
        element
        for tag, element in inserts
        if tag < _OVERLAYS and not (has_earlier and tag in _METHODS)
    ]
    if has_earlier:
        texts += [element for _tag, element in markers]
    document = values.blank_document(given.sop_class_uid)
    ours = b"\n".join([given.person.pseudonym.encode(), document, *texts])
    forbidden = plan.forbidden(walk.passage.known.found, ours)
    if has_earlier and forbidden.remains_in(
        b"".join(each for tag, each in inserts if tag in _METHODS)
    ):
        kept = (each for each in inserts if each[0] not in _METHODS)
        inserts = sorted([*kept, *(each for each in markers if each[0] in _METHODS)])
        walk = Walk(given)
        dataset = walk.rewrite(top.offset, top.encoding, inserts)
    refuse_unexamined(walk, cleaned.pixels, top.meta.transfer_syntax_uid, cleaner)
    if names_anybody(top.data, walk.samples.opaque, forbidden):
        raise Unsafe(Reason.RESIDUAL_IDENTIFIER, tag_name(PIXEL_DATA))
    # Planes of bits may look like letters; what they show was looked at in another way.
    planes = frozenset(id(element) for tag, element in inserts if tag >= _OVERLAYS)
    looked_into = partial(searchable, encoding=top.encoding, without=planes)
    stretches, uids = looked_into(walk, dataset), walk.passage.known.uids
    if not forbidden.may_occur_in(stretches, uids, top.encoding):
        return _Rewritten(walk, dataset, inserts, None, ())
    strictly = forbidden.of_instance(uids)
    again = Walk(given, strictly)
    rewritten = again.rewrite(top.offset, top.encoding, inserts)
    residuals = tuple(again.passage.residuals)
    left = looked_into(again, rewritten)
    if forbidden.remains_in(b"\n".join(left)):
        where = residuals[0] if residuals else where_left(again, rewritten, top.encoding, forbidden)
        raise Unsafe(Reason.RESIDUAL_IDENTIFIER, where)
    if not residuals and b"".join(left) == b"".join(stretches):
        forbidden.learn(stretches)  # it only looked like one
        return _Rewritten(walk, dataset, inserts, strictly, ())
    return _Rewritten(again, rewritten, inserts, strictly, residuals)


def _sealed(
    top: TopLevel, given: Given, result: _Rewritten, plan: Plan
) -> tuple[_Rewritten, tuple[int, ...]]:
    """Add the originals of what was changed, encrypted for the plan's recipients; say what was too large."""
    # Few sites use this, and the cryptography it needs is slow to import.
    from deid.tags import encrypted  # noqa: PLC0415

    originals, left_out = encrypted.changed_elements(
        top.data, top.offset, without_samples(result.walk, result.dataset), top.encoding
    )
    element = encrypted.encrypted_attributes(originals, top.encoding, plan.recipients)
    walk = Walk(given, result.strictly)
    inserts = sorted([*result.inserts, (encrypted.ENCRYPTED_ATTRIBUTES, element)])
    dataset = walk.rewrite(top.offset, top.encoding, inserts)
    return result._replace(walk=walk, dataset=dataset), left_out


def _deidentified(
    top: TopLevel,
    facts: Facts,
    person: Person,
    cleaned: Cleaned,
    result: _Rewritten,
    left_out: tuple[int, ...],
    plan: Plan,
) -> Deidentified:
    sop_instance_uid = plan.tags.primary_uid(0x00080018, facts.sop_instance_uid)
    segments = part10(
        result.dataset,
        top.data,
        sop_class_uid=facts.sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=top.meta.transfer_syntax_uid,
    )
    outcome = Outcome(
        plan.tags.replacements.key.id,
        result.walk.passage.actions,
        regions=tuple(cleaned.pixels.regions),
        residuals=result.residuals,
        warnings=(*plan.warnings, *(f"not_sealed: {tag_name(tag)}" for tag in left_out)),
        pixels_examined=cleaned.pixels.examined_all,
    )
    return Deidentified(
        segments,
        outcome,
        person.pseudonym,
        facts.study_uid and plan.tags.primary_uid(0x0020000D, facts.study_uid),
        facts.series_uid and plan.tags.primary_uid(0x0020000E, facts.series_uid),
        sop_instance_uid,
        facts.sop_class_uid,
        top.meta.transfer_syntax_uid,
    )
