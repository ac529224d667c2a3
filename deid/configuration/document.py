"""The de-identification configuration: the Cloud Healthcare API's `DeidentifyConfig` and our own fields.

v1 and v1beta1 in one. What each message may hold is data in `proto_json` beside this; here is what it means.
What Google does not document is decided for safety, and written down in ``docs/configuration-deid.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from deid.configuration.coverage import DICOM_SECTIONS, FHIR_SECTIONS, SHARED_SECTIONS, Coverage
from deid.configuration.fhir_section import read_fhir
from deid.configuration.image_section import SENSITIVE_MODES, read_image
from deid.configuration.json_text import loads
from deid.configuration.notes import Notes
from deid.configuration.own_section import (
    read_custom_info_types,
    read_options,
    read_policy,
    read_shared,
)
from deid.configuration.proto_json import (
    Reader,
    is_request,
    of_request,
)
from deid.configuration.tag_sections import PROFILES, Tags, read_tags
from deid.configuration.text_section import read_text, read_transformations
from deid.errors import ConfigurationInvalid
from deid.fhir.policy import TextLevel
from deid.pixels.policy import ImagePolicy, RedactionMode
from deid.text.policy import TextPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.fhir.policy import FhirPolicy
    from deid.tags.policy import TagPolicy

_REGIONAL: Final = ("LOCATION", "ORGANIZATION_NAME")
_STRAY: Final = ("tag_filter_profile", "tagFilterProfile")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A configuration as values.

    Attributes
    ----------
    covers
        The kinds of data that the configuration says something about.
    tags
        The Basic Profile where DICOM is not covered, which nobody should ask then.
    text
        None when nothing in the configuration cleans text of instances.
    fhir
        None where FHIR is not covered.
    date_shift_key
        The configuration's own key for date shifts; None: the deidentifier's.
    certificates
        PEM; whose keys may bring the originals back (Encrypted Attributes Sequence).
    warnings
        What was leniently understood: a code, a colon and the JSON path.
    """

    covers: frozenset[Coverage]
    tags: TagPolicy
    text: TextPolicy | None = None
    fhir: FhirPolicy | None = None
    date_shift_key: bytes | None = field(default=None, repr=False)
    image: ImagePolicy = field(default_factory=ImagePolicy)
    certificates: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def parse_configuration(configuration: Mapping[str, Any], version: str | None = None) -> Parsed:
    """Parse and check a configuration.

    Parameters
    ----------
    configuration
        A `DeidentifyConfig` as JSON gives it, or the body of a ``:deidentify`` request that holds one.
    version
        ``v1`` or ``v1beta1`` to refuse what that version does not have; None takes the fields of both.

    Raises
    ------
    ConfigurationInvalid
        With the problems, at most some dozens: the JSON path, what is wrong, and the nearest valid choice.
    """
    return _Parser(version).parse(dict(configuration))


def parse_configuration_text(text: str, version: str | None = None) -> Parsed:
    """Parse a configuration from JSON text; strings in single quotes are understood, with a warning.

    Raises
    ------
    ConfigurationInvalid
        As `parse_configuration`, and when the text is not JSON or no object.
    """
    try:
        configuration, was_single_quoted = loads(text)
    except ValueError as error:
        raise ConfigurationInvalid([f"the configuration {error}"]) from None
    parser = _Parser(version)
    if was_single_quoted:
        parser.notes.warn("single_quoted_json", "the configuration")
    return parser.parse(configuration)


class _Parser:
    def __init__(self, version: str | None) -> None:
        self.reader = Reader(version)
        self.problems = self.reader.problems
        self.notes = Notes(self.reader.problems)

    def parse(self, configuration: Any) -> Parsed:
        if is_request(configuration):
            configuration = self._of_request(configuration)
        stray = self._stray_profile(configuration)
        if stray:
            configuration = {k: v for k, v in configuration.items() if k not in _STRAY}
        given = self.reader.message("DeidentifyConfig", configuration)
        self._check_kms(given, "")
        covers = self._covers(given, stray)
        if Coverage.DICOM in covers:
            if "operationMetadata" in given:
                self.notes.warn("not_applied", "operationMetadata")
        else:
            self.notes.warn("dicom_not_covered", "the configuration")
        custom = read_custom_info_types(self.notes, given.get("dicomveil", {}))
        names = {each.info_type for each in custom}
        tags = read_tags(self.notes, given, stray)
        image = self._image_policy(given, tags)
        options = read_options(self.notes, given.get("dicomveil", {}), tags)
        said = read_transformations(self.notes, given, names)
        fhir, shift_key = read_fhir(self.notes, given, options, *said, custom)
        uses_text = fhir is not None and fhir.text_level is not TextLevel.REMOVE
        text = read_text(
            self.notes, given, tags, options, custom, said, is_used_elsewhere=uses_text
        )
        of_text = TextPolicy(said[0]).date_shift_key
        if text is None and Coverage.DICOM in covers:
            of_text = None  # instances did without it
        shift_key = self._shift_key(of_text, shift_key)
        for path in self.reader.numbered:
            self.notes.warn("enum_by_number", path)
        policy = read_policy(self.notes, given.get("dicomveil", {}), tags, options, image)
        if given.get("useRegionalDataProcessing"):
            self._check_regional(given, text, image)
        if self.problems:
            raise ConfigurationInvalid(self.problems)
        sealed = given.get("dicomveil", {}).get("encryptedAttributes", {})
        return Parsed(
            covers,
            policy or read_shared(given.get("dicomveil", {}), options),
            text,
            fhir,
            shift_key,
            image if policy else ImagePolicy(),
            tuple(sealed.get("certificates", ())),
            tuple(self.notes.warnings),
        )

    def _shift_key(self, of_text: bytes | None, of_resources: bytes | None) -> bytes | None:
        """Return the one key of date shifts: a patient's instances and resources move alike."""
        if of_text and of_resources and of_text != of_resources:
            self.problems.append(
                "text and fhirFieldConfig.options have date shifts with different keys; a patient has one"
                " shift, so keep one key"
            )
        return of_text or of_resources

    def _of_request(self, body: dict[str, Any]) -> Any:
        """Return the configuration in the body of a request, and say that only this is used."""
        configuration, limits = of_request(self.reader, body)
        self.notes.warn("request_body", "config")
        for name in limits:
            self.notes.warn("request_limits_not_applied", name)
        return configuration

    def _covers(self, given: dict[str, Any], stray: str) -> frozenset[Coverage]:
        """Return which kinds of data have a section; nothing at all is a problem, not a configuration."""
        covers = set()
        if stray or any(name in given for name in DICOM_SECTIONS):
            covers.add(Coverage.DICOM)
        if any(name in given for name in FHIR_SECTIONS):
            covers.add(Coverage.FHIR)
        if not self.problems and not covers and not any(name in given for name in SHARED_SECTIONS):
            self.problems.append(
                "the configuration names no profile for DICOM; set dicom.filterProfile or"
                f" dicomTagConfig.profileType to one of {', '.join(PROFILES)}"
            )
        return frozenset(covers)

    def _stray_profile(self, configuration: Any) -> str:
        """Return the value of a top-level ``tag_filter_profile``, which tutorials show."""
        if not isinstance(configuration, dict):
            return ""
        stray = ""
        for name in _STRAY:
            value = configuration.get(name)
            if value is None:
                continue
            read = self.reader.message("DicomConfig", {"filterProfile": value}, name)
            stray = read.get("filterProfile", "TAG_FILTER_PROFILE_UNSPECIFIED")
            self.notes.warn("stray_tag_filter_profile", name)
        return stray

    def _image_policy(self, given: dict[str, Any], tags: Tags | None) -> ImagePolicy:
        top = read_image(self.notes, given["image"], "image") if "image" in given else None
        within = tags.image if tags else None
        if top is not None and within is not None and tags is not None and top != within:
            self.problems.append(f"image and {tags.image_path} differ; keep the latter")
        likely = given.get("dicomveil", {}).get("pixels") == "likely"
        return within or top or ImagePolicy(RedactionMode.ALL if likely else RedactionMode.NONE)

    def _check_kms(self, given: Any, path: str) -> None:
        """Refuse keys wrapped by a key service: there is none here to unwrap them."""
        if isinstance(given, list):
            for index, each in enumerate(given):
                self._check_kms(each, f"{path}[{index}]")
        elif isinstance(given, dict):
            for name, value in given.items():
                inner = f"{path}.{name}" if path else name
                if name == "kmsWrapped":
                    self.problems.append(
                        f"{inner} needs Google's key service; give the key itself as cryptoKey, or"
                        " leave both out to use the site key"
                    )
                else:
                    self._check_kms(value, inner)

    def _check_regional(
        self, given: dict[str, Any], text: TextPolicy | None, image: ImagePolicy
    ) -> None:
        """Enforce what Google documents as incompatible; processing is local here in any case."""
        self.notes.warn("no_effect_here", "useRegionalDataProcessing")
        if text is not None:
            named = {name for each in text.transformations for name in each.info_types}
            for name in sorted(named.intersection(_REGIONAL)):
                self.problems.append(
                    f"useRegionalDataProcessing is incompatible with transforming {name} in text"
                )
            if "LOCATION" not in text.excluded:
                self.problems.append(
                    "useRegionalDataProcessing needs LOCATION in text.excludeInfoTypes"
                )
        if image.mode in SENSITIVE_MODES and self.reader.version != "v1":
            for name in sorted(image.additional_info_types.intersection(_REGIONAL)):
                self.problems.append(
                    f"useRegionalDataProcessing is incompatible with redacting {name} in pixels"
                )
            if "LOCATION" not in image.exclude_info_types:
                where = "dicomTagConfig" if "dicomTagConfig" in given else "image.excludeInfoTypes"
                self.problems.append(
                    f"useRegionalDataProcessing needs LOCATION among the image's excludeInfoTypes"
                    f" ({where})"
                )
