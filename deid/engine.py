"""De-identify one instance: bytes in, segments and an outcome out, or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.configuration.coverage import Coverage
from deid.encoding import implementation
from deid.encoding.character_sets import decode
from deid.encoding.header import (
    Buffer,
    Element,
    each_top_level,
    tag_name,
    text_of,
)
from deid.encoding.inflate import deflate
from deid.encoding.instance import open_instance
from deid.encoding.segments import Segment, Span
from deid.encoding.transfer_syntaxes import DEFLATED, EXPLICIT_LITTLE, is_encapsulated
from deid.errors import Reason, Unsafe
from deid.identity import values
from deid.identity.identifiers import known_identifiers, united
from deid.identity.keys import patient_identity
from deid.identity.kinds import KNOWN_KINDS
from deid.outcome import Outcome
from deid.pixels.beside.overlay_elements import overlay_elements, refuse_embedded
from deid.pixels.beside.scrub import FACTS as SAMPLE_FACTS
from deid.pixels.beside.scrub import names_anybody, scrub_encapsulated, scrub_native
from deid.pixels.beside.thumbnails import thumbnail_elements
from deid.pixels.image_elements import (
    DOCUMENT,
    FLOATS,
    PIXEL_DATA,
    encoded_changes,
    known_phrases,
    pixel_instance,
)
from deid.pixels.shape import FACTS as SHAPE_FACTS
from deid.pixels.shape import check_shape
from deid.ports import CleanedPixels
from deid.tables.load import burned_in_likely
from deid.tags.actions import KIND_MASK, Action
from deid.tags.admission import check_class, check_identity
from deid.tags.earlier_methods import METHOD, METHOD_CODES, earlier_methods
from deid.tags.passage import Given, Person
from deid.tags.policy import BurnedIn, Option, Profile, UnknownSopClass
from deid.tags.private import CHARACTERISTICS, declared_blocks
from deid.tags.rules import ONLY_BESIDE
from deid.tags.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.encoding.header import FileMeta
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.residual import Forbidden
    from deid.plan import Plan
    from deid.tags.private import Blocks
    from deid.tags.samples import Scrub, Scrubbed

_LARGE: Final = 1 << 20
_WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_LABEL_IMAGES: Final = frozenset({"LABEL", "OVERVIEW"})
_FACTS: Final = frozenset(
    {
        0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00100010, 0x00100020, 0x00100021,
        METHOD, METHOD_CODES, 0x0020000D, 0x0020000E, 0x00280010, 0x00280301, 0x00280303, CHARACTERISTICS,
        *SAMPLE_FACTS, *SHAPE_FACTS,
        *chain.from_iterable(ONLY_BESIDE.items()),
    }
)  # fmt: skip
_KNOWN_FACTS: Final = _FACTS | frozenset(KNOWN_KINDS)
_PIXEL_FACTS: Final = _KNOWN_FACTS | {DOCUMENT, PIXEL_DATA, *FLOATS}
_SCRUBBING: Final = frozenset({Profile.BASIC, Profile.MINIMAL})
_DATES_GONE: Final = frozenset({"MODIFIED", "REMOVED"})
"""Values of (0028,0303) Longitudinal Temporal Information Modified."""
_METHODS: Final = frozenset({METHOD, METHOD_CODES})
_OVERLAYS: Final = 0x60000000
_NOTHING: Final = CleanedPixels(None, (), {}, examined_all=False)
_PREFIX: Final = bytes(128) + b"DICM"


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


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the header says before it is rewritten. Original values: never for logs."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    patient_name: str
    issuer: str
    charset: str
    modality: str
    burned_in: str
    image_type: str
    temporal: str
    has_pixels: bool


def deidentify(source: Buffer, plan: Plan, known: Iterable[KnownIdentifier] = ()) -> Deidentified:
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

    Raises
    ------
    Unsafe
        With the reason why this instance must not be passed on.
    """
    instance = open_instance(source)
    if Coverage.DICOM not in plan.covers:
        raise Unsafe(Reason.NOT_CONFIGURED)
    meta, data, offset, encoding = instance
    found = instance.places(_wanted(plan))
    facts = _facts(data, found)
    check_identity(facts)
    unknown = plan.tags.policy.unknown_sop_class
    check_class(facts.sop_class_uid, may_be_unknown=unknown is UnknownSopClass.PASS)
    check_shape(data, found, encoding, meta.transfer_syntax_uid)
    person = _person(facts, plan)
    everybody = (
        united(known_identifiers(data, found, facts.charset), known) if plan.cleans_text else ()
    )
    cleaned = _clean_pixels(data, offset, encoding, meta, found, facts, everybody, plan)
    markers = partial(
        plan.markers,
        encoding,
        pixels_cleaned=cleaned.pixels.examined_all,
        temporal=facts.temporal,
    )
    earlier = earlier_methods(data, found, encoding, facts.charset)
    inserts = [*markers(earlier=earlier)]
    graphics = overlay_elements(
        data, offset, encoding, facts.sop_class_uid, plan.tags, plan.pixel_cleaner, everybody
    )
    pictures = thumbnail_elements(data, offset, encoding) if plan.pixel_cleaner else []
    alone = _left_alone(found, encoding, facts, plan)
    inserts = sorted([*inserts, *cleaned.elements, *graphics, *pictures, *alone])
    given = Given(
        data,
        plan.tags,
        facts.sop_class_uid,
        person,
        charset=facts.charset,
        known=everybody,
        pixels=cleaned.pixels.segments,
        blocks=_private_blocks(data, found, encoding, facts, plan),
        scrub=_scrubbing(data, encoding, meta, found, plan),
    )
    walk = Walk(given)
    dataset = walk.rewrite(offset, encoding, inserts)
    # What others wrote into the markers is searched as all else is.
    texts = [element for tag, element in inserts if tag < _OVERLAYS and tag not in _METHODS]
    texts += [element for _tag, element in markers()]
    ours = [person.pseudonym.encode(), values.blank_document(facts.sop_class_uid), *texts]
    forbidden = plan.forbidden(walk.passage.known.found, b"\n".join(ours))
    if forbidden.remains_in(b"".join(each for tag, each in inserts if tag in _METHODS)):
        kept = (each for each in inserts if each[0] not in _METHODS)
        inserts = sorted([*kept, *(each for each in markers() if each[0] in _METHODS)])
        walk = Walk(given)
        dataset = walk.rewrite(offset, encoding, inserts)
    _check_unexamined(walk, cleaned.pixels, meta, plan)
    if names_anybody(data, walk.samples.opaque, forbidden):
        raise Unsafe(Reason.RESIDUAL_IDENTIFIER, tag_name(PIXEL_DATA))
    # Planes of bits may look like letters; what they show was looked at in another way.
    planes = frozenset(id(element) for tag, element in inserts if tag >= _OVERLAYS)
    searchable = partial(_searchable, encoding=encoding, without=planes)
    strictly: Forbidden | None = None
    residuals: tuple[str, ...] = ()
    if forbidden.may_occur_in(searchable(walk, dataset)):
        strictly = forbidden
        walk = Walk(given, strictly)
        dataset = walk.rewrite(offset, encoding, inserts)
        residuals = tuple(walk.passage.residuals)
        if forbidden.remains_in(b"\n".join(searchable(walk, dataset))):
            raise Unsafe(Reason.RESIDUAL_IDENTIFIER, residuals[0] if residuals else "")
    left_out: tuple[int, ...] = ()
    if plan.recipients:
        sealed, left_out = _sealed_originals(
            data, offset, encoding, _without_samples(walk, dataset), plan
        )
        walk = Walk(given, strictly)
        dataset = walk.rewrite(offset, encoding, sorted([*inserts, sealed]))
    sop_instance_uid = plan.tags.primary_uid(0x00080018, facts.sop_instance_uid)
    head = _file_meta(facts.sop_class_uid, sop_instance_uid, meta.transfer_syntax_uid)
    if meta.transfer_syntax_uid in DEFLATED:
        segments: list[Segment] = [head, deflate(_materialise(dataset, data))]
    else:
        segments = _joined([head, *dataset])
    return Deidentified(
        segments,
        Outcome(
            plan.tags.replacements.key.id,
            walk.passage.actions,
            regions=tuple(cleaned.pixels.regions),
            residuals=residuals,
            warnings=(*plan.warnings, *(f"not_sealed: {tag_name(tag)}" for tag in left_out)),
            pixels_examined=cleaned.pixels.examined_all,
        ),
        person.pseudonym,
        facts.study_uid and plan.tags.primary_uid(0x0020000D, facts.study_uid),
        facts.series_uid and plan.tags.primary_uid(0x0020000E, facts.series_uid),
        sop_instance_uid,
        facts.sop_class_uid,
        meta.transfer_syntax_uid,
    )


def _person(facts: _Facts, plan: Plan) -> Person:
    """Return what stands for the patient.

    A pseudonym of ours stays, so that what was derived from de-identified instances stays with them. The
    dates of an instance that is itself ours and says so have been moved or removed already; those of a derived
    one have not, nor those of one that was de-identified with full dates.
    """
    issuer = facts.issuer or plan.tags.policy.identity_issuer
    identity = patient_identity(issuer, facts.patient_id, facts.study_uid or facts.sop_instance_uid)
    pseudonym, shift_days = plan.tags.patient(identity)
    given = facts.patient_id or facts.patient_name
    is_own = plan.tags.replacements.is_own_pseudonym(given)
    if is_own:
        pseudonym = given
    has_no_dates = facts.temporal in _DATES_GONE
    if (
        (is_own or not given)
        and has_no_dates
        and plan.tags.replacements.is_own_uid(facts.sop_instance_uid)
    ):
        shift_days = 0
    return Person(facts.patient_id, issuer, pseudonym, shift_days)


def _sealed_originals(
    data: Buffer, offset: int, encoding: Encoding, result: bytes, plan: Plan
) -> tuple[tuple[int, bytes], tuple[int, ...]]:
    """Return the originals of what was changed, encrypted for the plan's recipients, and what was too large."""
    # Few sites use this, and the cryptography it needs is slow to import.
    from deid.tags import encrypted  # noqa: PLC0415

    originals, left_out = encrypted.changed_elements(data, offset, result, encoding)
    element = encrypted.encrypted_attributes(originals, encoding, plan.recipients)
    return (encrypted.ENCRYPTED_ATTRIBUTES, element), left_out


def _scrubbing(
    data: Buffer, encoding: Encoding, meta: FileMeta, found: dict[int, Element], plan: Plan
) -> Scrub | None:
    """Return what takes away what hides beside samples, where the profile removes identities."""
    if plan.tags.policy.profile not in _SCRUBBING:
        return None

    def scrub(start: int, stop: int, is_encapsulated: bool) -> Scrubbed:
        if is_encapsulated:
            return scrub_encapsulated(data, start, stop - 8, meta.transfer_syntax_uid)
        return scrub_native(data, start, stop, found, encoding)

    return scrub


def _left_alone(
    found: dict[int, Element], encoding: Encoding, facts: _Facts, plan: Plan
) -> Iterator[tuple[int, bytes]]:
    """Yield, to be removed, what would be a dummy beside nothing: its condition goes (PS3.5 7.4.2)."""
    table = plan.tags.rules.root(facts.sop_class_uid, encoding)
    for tag, condition in ONLY_BESIDE.items():
        if tag in found and condition in found:
            kinds = [
                plan.tags.rules.action(each, "", table) & KIND_MASK for each in (tag, condition)
            ]
            if kinds == [Action.DUMMY, Action.DROP]:
                yield tag, b""


def _private_blocks(
    data: Buffer, found: dict[int, Element], encoding: Encoding, facts: _Facts, plan: Plan
) -> Blocks:
    if Option.RETAIN_SAFE_PRIVATE not in plan.tags.policy.options:
        return {}
    return declared_blocks(data, found.get(CHARACTERISTICS), encoding, facts.charset)


def _wanted(plan: Plan) -> frozenset[int]:
    """Return the tags that have to be looked at before rewriting."""
    if plan.pixel_cleaner is not None:
        return _PIXEL_FACTS
    return _FACTS if plan.tags.text_cleaner is None else _KNOWN_FACTS


def _facts(data: Buffer, found: dict[int, Element]) -> _Facts:
    def text(tag: int) -> str:
        return text_of(data, found.get(tag)).decode("latin-1")

    charset = text(0x00080005)
    return _Facts(
        text(0x00080016),
        text(0x00080018),
        text(0x0020000D),
        text(0x0020000E),
        decode(text_of(data, found.get(0x00100020)), charset),
        decode(text_of(data, found.get(0x00100010)), charset),
        decode(text_of(data, found.get(0x00100021)), charset),
        charset,
        text(0x00080060).upper(),
        text(0x00280301).upper(),
        text(0x00080008).upper(),
        text(0x00280303),
        0x00280010 in found,
    )


class _Cleaned(NamedTuple):
    """What pixel cleaning gave, and its changed attributes as encoded elements."""

    pixels: CleanedPixels
    elements: list[tuple[int, bytes]]


def _clean_pixels(
    data: Buffer,
    offset: int,
    encoding: Encoding,
    meta: FileMeta,
    found: dict[int, Element],
    facts: _Facts,
    known: tuple[KnownIdentifier, ...],
    plan: Plan,
) -> _Cleaned:
    """Clean pixels where the plan asks for it, else refuse what may carry text."""
    cleaner = plan.pixel_cleaner
    kinds = [each for each in (PIXEL_DATA, *FLOATS) if each in found]
    if cleaner is None or not kinds:
        _check_pixels(facts, plan)
        if cleaner is not None and DOCUMENT in found and _keeps_document(facts, encoding, plan):
            cleaner.check({"SOPClassUID": facts.sop_class_uid, "Modality": facts.modality})
        return _Cleaned(_NOTHING, [])
    if len(kinds) > 1:  # PS3.3 C.7.6.3, C.7.6.24: one excludes the others
        raise Unsafe(Reason.PIXELS_UNDECODABLE, tag_name(kinds[1]))
    (tag,) = kinds
    if cleaner.knows_phrases:
        known = (*known, *known_phrases(data, offset, encoding, facts.charset))
    instance = pixel_instance(data, offset, encoding, meta.transfer_syntax_uid, found[tag], known)
    cleaned = cleaner.clean(instance)
    changes = encoded_changes(cleaned.changes, instance.attributes, encoding)
    if tag in FLOATS and cleaned.segments is not None:
        value = _materialise(list(cleaned.segments), data)
        changes.append((tag, encoding.element(tag, FLOATS[tag].encode(), value)))
        cleaned = replace(cleaned, segments=None)
    return _Cleaned(cleaned, changes)


def _keeps_document(facts: _Facts, encoding: Encoding, plan: Plan) -> bool:
    action = plan.tags.rules.action(
        DOCUMENT, "OB", plan.tags.rules.root(facts.sop_class_uid, encoding)
    )
    return action & KIND_MASK in (Action.KEEP, Action.CHECK)


def _check_unexamined(walk: Walk, cleaned: CleanedPixels, meta: FileMeta, plan: Plan) -> None:
    """Refuse Pixel Data that stayed without having been examined, where the plan asks for it.

    It stands behind a higher tag then, where nobody looks for it; or it holds an overlay plane.
    """
    if not walk.samples.seen or cleaned.examined_all:
        return
    if plan.pixel_cleaner is not None and cleaned is _NOTHING:
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, "(7FE0,0010)")
    if plan.tags.policy.profile not in _SCRUBBING or is_encapsulated(meta.transfer_syntax_uid):
        refuse_embedded(walk.passage.actions, plan.tags.policy)


def _check_pixels(facts: _Facts, plan: Plan) -> None:
    """Refuse what is likely to carry burned-in text, unless the configuration says otherwise."""
    if plan.tags.policy.burned_in is BurnedIn.PASS:
        return
    classes, modalities = burned_in_likely()
    if facts.burned_in == "YES":
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, "(0028,0301)")
    if facts.sop_class_uid in classes:
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, "(0008,0016)")
    if facts.modality in modalities and facts.has_pixels:
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, "(0008,0060)")
    if facts.sop_class_uid == _WHOLE_SLIDE and _LABEL_IMAGES.intersection(
        facts.image_type.split("\\")
    ):
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, "(0008,0008)")


def _file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and a File Meta Information of our own (PS3.10 7.1)."""
    element = EXPLICIT_LITTLE.element
    body = b"".join(
        (
            element(0x00020001, b"OB", b"\x00\x01"),
            element(0x00020002, b"UI", values.uid(sop_class_uid)),
            element(0x00020003, b"UI", values.uid(sop_instance_uid)),
            element(0x00020010, b"UI", values.uid(transfer_syntax_uid)),
            element(0x00020012, b"UI", values.uid(implementation.CLASS_UID)),
            element(0x00020013, b"SH", values.text(implementation.VERSION_NAME)),
        )
    )
    return _PREFIX + element(0x00020000, b"UL", EXPLICIT_LITTLE.long.pack(len(body))) + body


def _searchable(
    walk: Walk, dataset: list[Segment], encoding: Encoding, *, without: frozenset[int]
) -> list[bytes]:
    """Return what may hold text: all but samples, large binary values, and segments of those identities."""
    parts: list[bytes] = []
    for number, part in enumerate(dataset):
        if number in walk.samples.places or id(part) in without:
            continue
        if isinstance(part, bytes):
            parts.append(part)
        else:
            parts.extend(_readable(walk, part, encoding))
    return parts


def _readable(walk: Walk, span: Span, encoding: Encoding) -> Iterator[bytes]:
    """Yield the elements of a kept stretch that may hold text."""
    source, run = walk.given.source, span.start
    for tag, start, stop in each_top_level(source, span.start, encoding, 1 << 32, end=span.stop):
        word = encoding.header.unpack_from(source, start)[2]
        if stop - start > _LARGE and walk.given.plan.is_binary(tag, word, encoding):
            yield source[run:start]
            run = stop
    yield source[run : span.stop]


def _without_samples(walk: Walk, dataset: list[Segment]) -> bytes:
    return _materialise(
        [part for number, part in enumerate(dataset) if number not in walk.samples.places],
        walk.given.source,
    )


def _materialise(dataset: list[Segment], data: Buffer) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else data[part.start : part.stop] for part in dataset
    )


def _joined(segments: list[Segment]) -> list[Segment]:
    """Join neighbouring bytes, so that few segments have to be written."""
    joined: list[Segment] = []
    parts: list[bytes] = []
    for segment in segments:
        if isinstance(segment, Span):
            joined.append(b"".join(parts))
            parts = []
            joined.append(segment)
        else:
            parts.append(segment)
    if parts:
        joined.append(b"".join(parts))
    return joined
