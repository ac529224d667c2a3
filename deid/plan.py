"""A configuration compiled once, ready to run on any number of instances."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from deid.configuration.document import parse_configuration
from deid.identity.keys import Replacements, SiteKey
from deid.identity.residual import Forbidden
from deid.pixels.deferred import DeferredCleaner
from deid.tables.dictionary import attributes
from deid.tables.load import attribute_types, confidentiality_by_tag
from deid.tags import recognition as judge
from deid.tags.content import content_rules
from deid.tags.earlier_methods import METHOD, METHOD_CODES, NONE, EarlierMethods
from deid.tags.policy import Option, Profile
from deid.tags.rules import Rules
from deid.tags.tag_plan import TagPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cryptography.x509 import Certificate

    from deid.configuration.coverage import Coverage
    from deid.configuration.document import Parsed
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.fhir.plan import FhirPlan
    from deid.fhir.policy import FhirPolicy
    from deid.pixels.policy import ImagePolicy
    from deid.pixels.templates import RegionTemplate
    from deid.pixels.trust import Untrusted
    from deid.ports import Engines, PixelCleaner, TextCleaner
    from deid.text.policy import TextPolicy

_CT_IMAGE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
_TEMPORAL: Final = ("UNMODIFIED", "MODIFIED", "REMOVED")
"""Longitudinal Temporal Information Modified (PS3.3 C.12.1), the more changed the later."""
_SERIES: Final = 64
_IMPLEMENTATION_VERSION: Final = "dicomveil 0.1"

# CID 7050 De-identification Method (PS3.16).
CODES_OF_METHODS: Final[dict[str, tuple[str, str]]] = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "clean_pixels": ("113101", "Clean Pixel Data Option"),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "retain_full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "retain_modified_dates": (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_uids": ("113110", "Retain UIDs Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
}


@dataclass(slots=True)
class Plan:
    """One deidentifier, compiled. Holds caches, so one plan serves one thread.

    Attributes
    ----------
    covers
        The kinds of data that the configuration says something about.
    tags
        What decides about elements, text among them.
    pixel_cleaner
        The engine, where the configuration asks for it.
    fhir
        What decides about resources (`deid.fhir.deidentify`); None where they are not covered.
    cleans_text
        Whether the configuration looks into text, in elements or in pixels, and so asks what is known of
        people (`deid.engine.deidentify`).
    moves_dates
        Whether dates, of elements or in text, move by the patient's shift.
    warnings
        What the configuration leaves to leniency; each outcome record repeats it.
    recipients
        Whose private keys may bring the originals back; usually nobody's.
    """

    covers: frozenset[Coverage]
    tags: TagPlan
    pixel_cleaner: PixelCleaner | None = None
    fhir: FhirPlan | None = None
    cleans_text: bool = False
    moves_dates: bool = False
    recipients: tuple[Certificate, ...] = ()
    warnings: tuple[str, ...] = ()
    _forbidden: dict[tuple[tuple[tuple[bytes, str, str], ...], bytes], Forbidden] = field(
        default_factory=dict
    )
    _markers: dict[
        tuple[Encoding, bool, bool, str, EarlierMethods], tuple[tuple[int, bytes], ...]
    ] = field(default_factory=dict)

    def prepare(self) -> Self:
        """Load what the first instances would otherwise wait for; return self."""
        load_tables()
        return self

    def filling(self) -> Plan:
        """Return the plan, able to fill boxes that a person drew even if it leaves pixels alone itself."""
        if self.pixel_cleaner is not None:
            return self
        # As in `_pixel_cleaner`.
        from deid.pixels.cleaning import PixelCleaning  # noqa: PLC0415
        from deid.pixels.codecs.video import video_cleaner  # noqa: PLC0415

        return replace(self, pixel_cleaner=PixelCleaning.filling_only(video_cleaner()))

    def forbidden(self, originals: Iterable[tuple[bytes, str, str]], ours: bytes) -> Forbidden:
        """Return what to search the result for, but for what stands in `ours`.

        Where the institution may be known, its name is no secret wherever it stands.
        """
        if Option.RETAIN_INSTITUTION_IDENTITY in self.tags.policy.options:
            originals = [each for each in originals if each[1] != "ORGANIZATION_NAME"]
        key = (tuple(originals), ours)
        found = self._forbidden.get(key)
        if found is None:
            if len(self._forbidden) >= _SERIES:
                self._forbidden.clear()
            found = self._forbidden[key] = Forbidden(key[0]).without(ours)
        return found

    def markers(
        self,
        encoding: Encoding,
        *,
        pixels_cleaned: bool,
        by_hand: bool = False,
        temporal: str = "",
        earlier: EarlierMethods = NONE,
    ) -> tuple[tuple[int, bytes], ...]:
        """Return the attributes that say what was done, encoded, in tag order (PS3.15 E.1.1).

        (0012,0062), (0012,0063), (0012,0064) and (0028,0303); (0028,0301) when every frame was examined.

        Parameters
        ----------
        by_hand
            Whether a person said what is to be filled: (0012,0063) tells so.
        temporal
            What the source's (0028,0303) says: dates that an earlier step moved or removed stay so.
        earlier
            What earlier steps did; ours goes behind it, once.
        """
        said = temporal if temporal in _TEMPORAL else ""
        key = (encoding, pixels_cleaned, by_hand, said, earlier)
        found = self._markers.get(key)
        if found is None:
            if len(self._markers) >= _SERIES:
                self._markers.clear()
            found = self._markers[key] = self._build_markers(*key)
        return found

    def method_codes(self, *, pixels_cleaned: bool) -> list[tuple[str, str]]:
        """Return code value and meaning of what this plan does (CID 7050)."""
        names = ["basic"] if self.tags.policy.profile is Profile.BASIC else []
        names += ["clean_pixels"] if pixels_cleaned else []
        names += sorted(option.value for option in self.tags.policy.options)
        return [CODES_OF_METHODS[name] for name in names]

    def _build_markers(
        self,
        encoding: Encoding,
        pixels_cleaned: bool,
        by_hand: bool,
        temporal: str,
        earlier: EarlierMethods,
    ) -> tuple[tuple[int, bytes], ...]:
        ours = self.method_codes(pixels_cleaned=pixels_cleaned)
        codes = dict.fromkeys([*earlier.codes, *ours]) if ours else {}
        ours_said = [f"{_IMPLEMENTATION_VERSION} key {self.tags.replacements.key.id}"]
        ours_said += [f"{_IMPLEMENTATION_VERSION} regions by hand"] if by_hand else []
        methods = "\\".join(dict.fromkeys([*earlier.texts, *ours_said]))
        markers = [(METHOD, encoding.element(METHOD, b"LO", _text(methods)))]
        if self.tags.policy.profile is Profile.BASIC:
            markers.insert(0, (0x00120062, encoding.element(0x00120062, b"CS", b"YES ")))
        if codes:
            items = b"".join(_code_item(encoding, value, meaning) for value, meaning in codes)
            markers.append((METHOD_CODES, encoding.element(METHOD_CODES, b"SQ", items)))
        if pixels_cleaned:
            markers.append((0x00280301, encoding.element(0x00280301, b"CS", b"NO")))
        said = self._temporal()
        if said:
            said = max(said, temporal or said, key=_TEMPORAL.index)
            markers.append((0x00280303, encoding.element(0x00280303, b"CS", _text(said))))
        return tuple(markers)

    def _temporal(self) -> str:
        """Return Longitudinal Temporal Information Modified (PS3.3 C.12.1)."""
        if Option.RETAIN_FULL_DATES in self.tags.policy.options:
            return "UNMODIFIED"
        if Option.RETAIN_MODIFIED_DATES in self.tags.policy.options:
            return "MODIFIED"
        return "REMOVED" if self.tags.policy.profile is Profile.BASIC else ""


def load_tables() -> None:
    """Load the tables and words that any plan needs for its first instance."""
    confidentiality_by_tag()
    attribute_types(_CT_IMAGE_STORAGE)
    attributes()
    judge.load()


def compile_plan(
    configuration: Mapping[str, Any],
    key: SiteKey,
    *,
    engines: Engines | None = None,
    text_cleaner: TextCleaner | None = None,
    pixel_cleaner: PixelCleaner | None = None,
) -> Plan:
    """Compile a `DeidentifyConfig` (the Healthcare API's JSON, and our own fields).

    Parameters
    ----------
    engines
        Where a text detector comes from when the configuration asks for clean pixels. Without it such
        a configuration compiles, and refuses every instance that is likely to carry burned-in text.
    text_cleaner, pixel_cleaner
        Used instead of those that the configuration leads to.

    Raises
    ------
    ConfigurationInvalid
        With the problems found, not only the first.
    """
    parsed = parse_configuration(configuration)
    if pixel_cleaner is None and engines is not None:
        pixel_cleaner = _pixel_cleaner(parsed.image, engines)
    if text_cleaner is None and parsed.text is not None:
        text_cleaner = _text_cleaner(parsed.text, key)
    tags = TagPlan(
        parsed.tags,
        Rules(parsed.tags),
        Replacements(
            key,
            parsed.date_shift_key or b"",
            parsed.tags.shift_range_days,
            parsed.tags.time_jitter_minutes * 60,
        ),
        content=content_rules(parsed.tags),
        text_cleaner=text_cleaner,
    )
    return Plan(
        parsed.covers,
        tags,
        pixel_cleaner=pixel_cleaner,
        fhir=_fhir_plan(parsed.fhir, tags),
        cleans_text=text_cleaner is not None or pixel_cleaner is not None or parsed.image.looks,
        moves_dates=_moves_dates(parsed),
        recipients=_recipients(parsed.certificates),
        warnings=parsed.warnings,
    )


def _fhir_plan(policy: FhirPolicy | None, tags: TagPlan) -> FhirPlan | None:
    if policy is None:
        return None
    # Its tables are large, and most runs meet no resource.
    from deid.fhir.plan import FhirPlan  # noqa: PLC0415

    return FhirPlan(policy, tags.replacements, tags.primary_uid)


def _moves_dates(parsed: Parsed) -> bool:
    if Option.RETAIN_MODIFIED_DATES in parsed.tags.options:
        return True
    return parsed.text is not None and parsed.text.moves_dates


def _recipients(certificates: Sequence[str]) -> tuple[Certificate, ...]:
    if not certificates:
        return ()
    # As in `deid.engine`: slow to import, and seldom needed.
    from deid.tags.encrypted import load_certificates  # noqa: PLC0415

    return load_certificates(certificates)


def _text_cleaner(policy: TextPolicy, key: SiteKey) -> TextCleaner:
    # Its patterns take a moment to compile, and most plans do without them.
    from deid.text.cleaning import TextCleaning  # noqa: PLC0415

    return TextCleaning(policy, key)


def _pixel_cleaner(image: ImagePolicy, engines: Engines) -> PixelCleaner | None:
    if not image.looks:
        return None
    make = partial(_pixel_cleaning, image, engines, engines.templates(), engines.untrusted())
    # Where text is judged by what it says, that may be said wrongly, which is told at once.
    return DeferredCleaner(make, knows_phrases=False) if image.fills_all else make()


def _pixel_cleaning(
    image: ImagePolicy,
    engines: Engines,
    templates: Sequence[RegionTemplate],
    untrusted: Sequence[Untrusted] | None,
) -> PixelCleaner:
    # The picture libraries are large, and most plans do without them.
    from deid.pixels.cleaning import PixelCleaning  # noqa: PLC0415
    from deid.pixels.trust import UNTRUSTED  # noqa: PLC0415

    return PixelCleaning(
        image.mode.value,
        engines.detector(),
        additional_info_types=image.additional_info_types,
        exclude_info_types=image.exclude_info_types,
        custom_regexes=image.custom_regexes,
        templates=templates,
        video=engines.video(),
        untrusted=UNTRUSTED if untrusted is None else untrusted,
        blank_outside_ultrasound_regions=engines.blank_outside_ultrasound_regions,
        most_filled=engines.most_filled,
    )


def _text(value: str) -> bytes:
    raw = value.encode("ascii")
    return raw + b" " if len(raw) & 1 else raw


def _code_item(encoding: Encoding, value: str, meaning: str) -> bytes:
    content = (
        encoding.element(0x00080100, b"SH", _text(value))
        + encoding.element(0x00080102, b"SH", b"DCM ")
        + encoding.element(0x00080104, b"LO", _text(meaning))
    )
    return encoding.item_header(0xE000, len(content)) + content
