"""The de-identification configuration: the Cloud Healthcare API's `DeidentifyConfig` and our own fields.

v1 and v1beta1 in one. What each message may hold is data in `proto_json` beside this; here is what it means.
What Google does not document is decided for safety, and written down in ``docs/configuration-deid.md``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from deid.configuration.coverage import DICOM_SECTIONS, FHIR_SECTIONS, SHARED_SECTIONS, Coverage
from deid.configuration.proto_json import (
    TAG_VERBS,
    TRANSFORMATIONS,
    Reader,
    is_request,
    loads,
    of_request,
)
from deid.encoding.header import tag_name
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.errors import ConfigurationInvalid
from deid.pixels.policy import CustomRegex, ImagePolicy, RedactionMode
from deid.tables.dictionary import attributes, repeating_attributes, tag_for_keyword
from deid.tables.load import confidentiality_by_tag
from deid.tags.policy import BurnedIn, Option, Profile, TagOverride, TagPolicy, UnknownSopClass
from deid.tags.rules import CONTENT_VRS, MINIMAL_KEEP, PRIMARY_UIDS, dictionary_vr
from deid.text.info_types import ALIASES, INFO_TYPES
from deid.text.policy import CustomInfoType, InfoTypeTransformation, TextPolicy, Transformation
from deid.text.site_patterns import PatternInvalid, compile_site_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PIXEL_DATA: Final = 0x7FE00010
_PROFILES: Final = {
    "MINIMAL_KEEP_LIST_PROFILE": Profile.MINIMAL,
    "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE": Profile.BASIC,
    "KEEP_ALL_PROFILE": Profile.KEEP_ALL,
    "DEIDENTIFY_TAG_CONTENTS": Profile.TAG_CONTENTS,
}
_VERBS: Final = {
    "keepTag": "keep",
    "removeTag": "empty",
    "deleteTag": "delete",
    "resetTag": "reset",
    "cleanTextTag": "clean_text",
    "cleanImageTag": "clean_image",
    "recurseTag": "recurse",
    "regenUidTag": "regen_uid",
}
_VERB_VRS: Final = {
    "clean_text": CONTENT_VRS,
    "recurse": frozenset({"SQ"}),
    "regen_uid": frozenset({"UI"}),
}
_TRANSFORMATIONS: Final = dict(
    zip(
        TRANSFORMATIONS,
        (
            Transformation.REDACT,
            Transformation.MASK,
            Transformation.DATE_SHIFT,
            Transformation.CRYPTO_HASH,
            Transformation.REPLACE_WITH_INFO_TYPE,
        ),
        strict=True,
    )
)
_VRS: Final = frozenset(vr.decode() for vr in LONG_VRS | SHORT_VRS)
_REMOVING_VERBS: Final = frozenset({"empty", "delete", "reset"})
_IDENTITIES: Final = frozenset({0x00080016, *PRIMARY_UIDS})
_OVERLAY_DATA: Final = "60xx3000"
# File Meta elements that always stand in the output; listing them to be kept changes nothing.
_META_KEPT: Final = frozenset({0x00020002, 0x00020003, 0x00020010})
_REGIONAL: Final = ("LOCATION", "ORGANIZATION_NAME")
_SENSITIVE_MODES: Final = frozenset(
    {RedactionMode.SENSITIVE, RedactionMode.SENSITIVE_CLEAN_DESCRIPTORS}
)
# (0010,0010), 0010,0010 and (60xx,3000), as the standard prints tags.
_PRINTED: Final = re.compile(
    r"\(?\s*(?P<group>[0-9a-fA-FxX]{4}),\s*(?P<element>[0-9a-fA-FxX]{4})\s*\)?"
)
# Options under which Table E.1-1 has texts cleaned.
_REPLACED_DAYS: Final = InfoTypeTransformation(
    Transformation.REPLACE_WITH_INFO_TYPE, frozenset({"DATE"})
)
_CLEANING: Final = frozenset({Option.CLEAN_DESCRIPTORS, Option.RETAIN_PATIENT_CHARACTERISTICS})
_STRAY: Final = ("tag_filter_profile", "tagFilterProfile")
_KEY_BYTES: Final = (16, 24, 32)


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
        None when nothing in the configuration cleans text.
    certificates
        PEM; whose keys may bring the originals back (Encrypted Attributes Sequence).
    warnings
        What was leniently understood: a code, a colon and the JSON path.
    """

    covers: frozenset[Coverage]
    tags: TagPolicy
    text: TextPolicy | None = None
    image: ImagePolicy = field(default_factory=ImagePolicy)
    certificates: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Tags:
    """The part of a configuration that is about tags, before ours is added."""

    profile: Profile
    overrides: tuple[TagOverride, ...] = ()
    regenerate_primary_ids: bool | None = None
    image: ImagePolicy | None = None
    image_path: str = ""
    clean_descriptors: bool = False
    cleans_listed: bool = False
    """Whether kept elements are cleaned of the infoTypes that `text` names."""


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
        With every problem: the JSON path, what is wrong, and the nearest valid choice.
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
        parser.warn("single_quoted_json", "the configuration")
    return parser.parse(configuration)


class _Parser:
    def __init__(self, version: str | None) -> None:
        self.reader = Reader(version)
        self.problems = self.reader.problems
        self.warnings: list[str] = []

    def warn(self, code: str, path: str) -> None:
        self.warnings.append(f"{code}: {path}")

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
            for name in (*FHIR_SECTIONS, "operationMetadata"):
                if name in given:
                    self.warn("not_applied_to_dicom", name)
        else:
            self.warn("dicom_not_covered", "the configuration")
        custom = self._custom_info_types(given.get("dicomveil", {}))
        names = {each.info_type for each in custom}
        tags = self._tags(given, stray)
        image = self._image_policy(given, tags)
        options = self._options(given.get("dicomveil", {}), tags)
        text = self._text(given, tags, options, custom, names)
        for path in self.reader.numbered:
            self.warn("enum_by_number", path)
        policy = self._policy(given.get("dicomveil", {}), tags, options, image)
        if given.get("useRegionalDataProcessing"):
            self._check_regional(given, text, image)
        if self.problems:
            raise ConfigurationInvalid(self.problems)
        sealed = given.get("dicomveil", {}).get("encryptedAttributes", {})
        return Parsed(
            covers,
            policy or TagPolicy(Profile.BASIC),
            text,
            image if policy else ImagePolicy(),
            tuple(sealed.get("certificates", ())),
            tuple(self.warnings),
        )

    def _of_request(self, body: dict[str, Any]) -> Any:
        """Return the configuration in the body of a request, and say that only this is used."""
        configuration, limits = of_request(self.reader, body)
        self.warn("request_body", "config")
        for name in limits:
            self.warn("request_limits_not_applied", name)
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
                f" dicomTagConfig.profileType to one of {', '.join(_PROFILES)}"
            )
        return frozenset(covers)

    # ------------------------------------------------------------------ tags

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
            self.warn("stray_tag_filter_profile", name)
        return stray

    def _tags(self, given: dict[str, Any], stray: str) -> _Tags | None:
        if "dicomTagConfig" in given and ("dicom" in given or stray):
            self.problems.append(
                "dicom (v1) and dicomTagConfig (v1beta1) say the same things differently; keep one"
            )
            return None
        if "dicomTagConfig" in given:
            return self._tag_config(given["dicomTagConfig"])
        if "dicom" in given or stray:
            return self._dicom(given.get("dicom", {}), stray, has_text="text" in given)
        return None

    def _dicom(self, dicom: dict[str, Any], stray: str, *, has_text: bool) -> _Tags | None:
        """Read v1's `DicomConfig` (and the deprecated one of v1beta1)."""
        named = _PROFILES.get(dicom.get("filterProfile", ""))
        misplaced = _PROFILES.get(stray)
        if "filterProfile" in dicom and stray and named is not misplaced:
            self.problems.append(
                "tag_filter_profile and dicom.filterProfile name different profiles; keep the latter"
            )
        profile = named or misplaced
        keep, remove = dicom.get("keepList"), dicom.get("removeList")
        if remove is not None and (keep is not None or profile is not None):
            self.problems.append(
                "dicom sets removeList and"
                f" {'keepList' if keep is not None else 'filterProfile'}; only one of"
                " filterProfile, keepList and removeList may be set"
            )
        regenerate = not dicom.get("skipIdRedaction", False)
        if keep is not None:
            if profile is not None:
                self.warn("filter_profile_with_keep_list", "dicom.keepList")
            return self._keep_list(keep, profile or Profile.MINIMAL, regenerate, has_text)
        if remove is not None:
            return self._remove_list(remove, regenerate, has_text)
        if profile is None:
            self.warn("keeps_all_tags_by_default", "dicom.filterProfile")
            profile = Profile.KEEP_ALL
        cleans = has_text and profile is Profile.KEEP_ALL
        return _Tags(
            profile,
            (TagOverride("clean_text", vrs=CONTENT_VRS),) if cleans else (),
            _primary_ids(profile, regenerate=regenerate),
            cleans_listed=cleans,
        )

    def _keep_list(
        self, keep: dict[str, Any], profile: Profile, regenerate: bool, has_text: bool
    ) -> _Tags:
        tags = self._tag_list("dicom.keepList.tags", keep)
        if not tags:
            self.warn("empty_list", "dicom.keepList")
        for tag in sorted(tags):
            if tag >> 16 in (0, 2, 4) and tag not in _META_KEPT:
                self.warn("file_meta_is_rebuilt", f"dicom.keepList.tags {tag_name(tag)}")
        if profile is Profile.MINIMAL:
            tags -= MINIMAL_KEEP
        # Pixel Data goes the way of pixels, Specific Character Set is checked, primary UIDs are regenerated.
        tags -= PRIMARY_UIDS | {PIXEL_DATA, 0x00080005}
        # Private elements are read through their creator.
        tags |= {tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in tags if _is_private_data(tag)}
        cleaned = {tag for tag in tags if has_text and dictionary_vr(tag) in CONTENT_VRS}
        overrides = [TagOverride("keep", tags=frozenset(tags - cleaned))]
        if cleaned:
            overrides.insert(0, TagOverride("clean_text", tags=frozenset(cleaned)))
        return _Tags(
            profile,
            tuple(each for each in overrides if each.tags),
            _primary_ids(profile, regenerate=regenerate),
            cleans_listed=bool(cleaned),
        )

    def _remove_list(self, remove: dict[str, Any], regenerate: bool, has_text: bool) -> _Tags:
        tags = self._tag_list("dicom.removeList.tags", remove)
        if not tags:
            self.warn("empty_list", "dicom.removeList")
        for tag in sorted(tags & (MINIMAL_KEEP | _META_KEPT)):
            self.problems.append(
                f"dicom.removeList.tags holds {tag_name(tag)}, which a valid instance needs; take it out"
            )
        tags |= _repeated(_OVERLAY_DATA)
        overrides = [TagOverride("delete", tags=frozenset(tags))]
        if has_text:
            overrides.append(TagOverride("clean_text", vrs=CONTENT_VRS))
        return _Tags(Profile.KEEP_ALL, tuple(overrides), regenerate, cleans_listed=has_text)

    def _tag_list(self, path: str, given: dict[str, Any]) -> set[int]:
        tags: set[int] = set()
        for index, name in enumerate(given.get("tags", [])):
            found = self._named(f"{path}[{index}]", name)
            if found is None:
                self._unknown_tag(f"{path}[{index}]", name)
            else:
                tags |= found
        return tags

    def _named(self, path: str, name: str) -> frozenset[int] | None:
        """Return the tags that a name stands for, also where it is written as the standard prints tags."""
        found = _tags_named(name)
        printed = _PRINTED.fullmatch(name) if found is None else None
        if printed is None:
            return found
        self.warn("tag_as_printed", path)
        return _tags_named(printed["group"] + printed["element"])

    def _unknown_tag(self, path: str, name: str) -> None:
        keywords = {
            each.keyword.lower(): each.keyword for each in attributes().values() if each.keyword
        }
        plain = re.sub(r"[\W_]|'s\b", "", name).lower()
        near = difflib.get_close_matches(plain, keywords, 1, 0.6)
        hint = "give a keyword or eight hex digits"
        if name.strip().upper() in _VRS and "queries" in path:
            hint = f"did you mean {name.strip().upper()}?"
        elif near:
            hint = f"did you mean {keywords[near[0]]}?"
        self.problems.append(f"{path} names no data element; {hint}")

    def _tag_config(self, given: dict[str, Any]) -> _Tags:
        """Read v1beta1's `DicomTagConfig`: actions go before options, options before the profile."""
        options = given.get("options", {})
        primary = {"KEEP": False, "REGEN": True}.get(options.get("primaryIds", ""))
        image: ImagePolicy | None = None
        image_path = ""
        if "cleanImage" in options:
            image_path = "dicomTagConfig.options.cleanImage"
            image = self._image(options["cleanImage"], image_path)
        overrides: list[TagOverride] = []
        decided = False
        for index, action in enumerate(given.get("actions", [])):
            path = f"dicomTagConfig.actions[{index}]"
            verb = next((name for name in TAG_VERBS if name in action), None)
            if verb is None:
                continue
            made = self._action(path, _VERBS[verb], action.get("queries", []))
            overrides += made
            if decided or not any(PIXEL_DATA in each.tags for each in made):
                continue
            if verb == "cleanImageTag":
                decided, image_path = True, f"{path}.cleanImageTag"
                image = self._image(action[verb], image_path)
            elif verb == "keepTag":
                decided, image_path = True, path
                image = ImagePolicy()
        return _Tags(
            _PROFILES.get(given.get("profileType", ""), Profile.BASIC),
            tuple(overrides),
            primary,
            image,
            image_path,
            clean_descriptors="cleanDescriptors" in options,
        )

    def _action(self, path: str, verb: str, queries: list[str]) -> list[TagOverride]:
        """Return one action's overrides: what it names, and the way to it for paths that keep something."""
        if not queries:
            self.problems.append(f"{path}.queries names nothing; list tags, keywords, VRs or paths")
        tags: set[int] = set()
        vrs: set[str] = set()
        paths: set[tuple[int, ...]] = set()
        for index, query in enumerate(queries):
            where = f"{path}.queries[{index}]"
            steps = [step for step in re.split(r"[./]", query) if step]
            if query in _VRS:
                vrs.add(query)
                self._check_verb(where, verb, query, None)
                continue
            found = [self._named(where, step) for step in steps]
            if not steps or None in found:
                bad = next((s for s, f in zip(steps, found, strict=True) if f is None), query)
                self._unknown_tag(where, bad)
                continue
            named = [each for each in found if each is not None]
            for tag in sorted(named[-1]):
                self._check_verb(where, verb, dictionary_vr(tag) or "", tag)
            if len(named) == 1:
                tags |= named[0]
            else:
                paths |= self._paths(where, named)
        if verb == "keep" and any(map(_is_private_data, tags)):
            tags |= {tag & 0xFFFF0000 | tag >> 8 & 0xFF for tag in tags if _is_private_data(tag)}
        made = [TagOverride(verb, frozenset(tags), frozenset(vrs), frozenset(paths))]
        ways = {way[:end] for way in paths for end in range(1, len(way))}
        if ways and verb not in ("empty", "delete"):
            made.append(TagOverride("recurse", paths=frozenset(ways)))
        return made

    def _paths(self, where: str, steps: list[frozenset[int]]) -> set[tuple[int, ...]]:
        for step in steps[:-1]:
            if not all(dictionary_vr(tag) in ("SQ", None) for tag in step):
                self.problems.append(f"{where} goes through an element that is no sequence")
                return set()
        if any(len(step) > 1 for step in steps):
            self.problems.append(
                f"{where} has a repeating group in a path; name the groups one by one"
            )
            return set()
        return {tuple(next(iter(step)) for step in steps)}

    def _check_verb(self, where: str, verb: str, vr: str, tag: int | None) -> None:
        allowed = _VERB_VRS.get(verb)
        name = vr if tag is None else tag_name(tag)
        if verb == "clean_image" and tag != PIXEL_DATA:
            self.problems.append(f"{where}: cleanImageTag is for PixelData alone")
        elif allowed is not None and vr and not allowed.intersection(vr.split(" or ")):
            self.problems.append(
                f"{where}: {name} has VR {vr}; this action is for {', '.join(sorted(allowed))}"
            )
        elif tag in _IDENTITIES and verb in _REMOVING_VERBS:
            self.problems.append(
                f"{where}: {name} identifies the instance and cannot be removed; use regenUidTag"
                " or keepTag"
            )
        elif tag == 0x00080016 and verb == "regen_uid":
            self.problems.append(
                f"{where}: {name} names a kind of object and cannot be regenerated"
            )
        elif tag == PIXEL_DATA and verb == "reset":
            self.problems.append(
                f"{where}: resetTag has no placeholder for PixelData; use deleteTag"
            )
        elif tag is not None and tag >> 16 in (0, 2, 4):
            self.warn("file_meta_is_rebuilt", f"{where} {name}")

    # ------------------------------------------------------------------ pixels

    def _image_policy(self, given: dict[str, Any], tags: _Tags | None) -> ImagePolicy:
        top = self._image(given["image"], "image") if "image" in given else None
        within = tags.image if tags else None
        if top is not None and within is not None and tags is not None and top != within:
            self.problems.append(f"image and {tags.image_path} differ; keep the latter")
        return within or top or ImagePolicy()

    def _image(self, given: dict[str, Any], path: str) -> ImagePolicy:
        named = given.get("textRedactionMode", "TEXT_REDACTION_MODE_UNSPECIFIED")
        unset = named == "TEXT_REDACTION_MODE_UNSPECIFIED"
        mode = RedactionMode.NONE if unset else RedactionMode(named)
        if unset and (given.get("additionalInfoTypes") or given.get("customRegexes")):
            self.warn("sensitive_text_assumed", f"{path}.textRedactionMode")
            mode = RedactionMode.SENSITIVE
        sensitive = mode in _SENSITIVE_MODES
        for name, allowed in (
            ("additionalInfoTypes", sensitive or unset),
            ("excludeInfoTypes", sensitive),
        ):
            if given.get(name) and not allowed:
                self.problems.append(
                    f"{path}.{name} needs a textRedactionMode of REDACT_SENSITIVE_TEXT or"
                    " REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"
                )
        regexes = []
        for index, each in enumerate(given.get("customRegexes", [])):
            where = f"{path}.customRegexes[{index}]"
            groups = tuple(each.get("groupIndexes", ()))
            if self._pattern(where, each.get("pattern", ""), groups, "groupIndexes"):
                regexes.append(CustomRegex(each["pattern"], groups))
        if regexes and mode is RedactionMode.NONE:
            self.warn("no_effect_without_redaction", path)
        return ImagePolicy(
            mode,
            self._info_types(f"{path}.additionalInfoTypes", given.get("additionalInfoTypes", [])),
            self._info_types(
                f"{path}.excludeInfoTypes", given.get("excludeInfoTypes", []), excluding=True
            ),
            tuple(regexes),
        )

    def _pattern(self, path: str, pattern: str, groups: tuple[int, ...], name: str) -> bool:
        try:
            compiled = compile_site_pattern(pattern)
        except PatternInvalid as error:
            self.problems.append(f"{path}.pattern is not a regular expression of RE2: {error}")
            return False
        if compiled.match(""):
            self.problems.append(f"{path}.pattern matches the empty text; make it match something")
            return False
        if any(not 0 <= group <= compiled.groups for group in groups):
            self.problems.append(f"{path}.{name} names a group that the pattern does not have")
            return False
        return True

    # ------------------------------------------------------------------ text

    def _text(
        self,
        given: dict[str, Any],
        tags: _Tags | None,
        options: frozenset[Option],
        custom: tuple[CustomInfoType, ...],
        names: set[str],
    ) -> TextPolicy | None:
        text = given.get("text", {})
        transformations = [
            made
            for name in ("additionalTransformations", "transformations")
            for index, each in enumerate(text.get(name, []))
            if (made := self._transformation(f"text.{name}[{index}]", each, names)) is not None
        ]
        for name in ("additionalTransformations", "transformations"):
            self._check_said_once(f"text.{name}", text.get(name, []))
        excluded = self._info_types(
            "text.excludeInfoTypes", text.get("excludeInfoTypes", []), names, excluding=True
        )
        if (
            len({t.key for t in transformations if t.transformation is Transformation.DATE_SHIFT})
            > 1
        ):
            self.problems.append(
                "text has date shifts with different keys; a patient has one shift, so keep one key"
            )
        if tags is None:
            return None
        strict = not _CLEANING.isdisjoint(options)
        used = (
            strict
            or tags.profile is Profile.TAG_CONTENTS
            or any(each.verb == "clean_text" for each in tags.overrides)
        )
        if not used:
            if "text" in given:
                self.warn("text_is_not_used", "text")
            return None
        empty = text.get("profileType") == "EMPTY" or tags.cleans_listed
        days_are_asked_for = any(
            not each.info_types or "DATE" in each.info_types for each in transformations
        )
        if strict and not (empty or tags.clean_descriptors or days_are_asked_for):
            # Clean Descriptors: what an option says of dates it says of those in text (PS3.15 E.3.5, E.3.6).
            if Option.RETAIN_FULL_DATES in options:
                excluded |= {"DATE"}
            elif Option.RETAIN_MODIFIED_DATES not in options:
                transformations.append(_REPLACED_DAYS)
        return TextPolicy(
            tuple(transformations),
            excluded,
            basic=not empty,
            contextual=tags.clean_descriptors,
            custom=custom,
            strict=strict,
        )

    def _check_said_once(self, path: str, given: list[dict[str, Any]]) -> None:
        """Refuse two transformations for one kind in one list: nothing says which of them is meant."""
        seen: dict[str, int] = {}
        for index, each in enumerate(given):
            for name in {ALIASES.get(name, name) for name in each.get("infoTypes", [])} or {""}:
                first = seen.setdefault(name, index)
                if first != index:
                    kind = name or "every kind not named otherwise"
                    self.problems.append(
                        f"{path}[{index}] is for {kind}, and so is {path}[{first}]; keep one"
                    )

    def _transformation(
        self, path: str, given: dict[str, Any], names: set[str]
    ) -> InfoTypeTransformation | None:
        info_types = self._info_types(f"{path}.infoTypes", given.get("infoTypes", []), names)
        chosen = next((name for name in TRANSFORMATIONS if name in given), None)
        if chosen is None:
            return None
        config = given[chosen]
        character = "*"
        if chosen == "characterMaskConfig" and "maskingCharacter" in config:
            character = config["maskingCharacter"]
            if not character:
                self.warn("empty_masking_character", f"{path}.{chosen}.maskingCharacter")
                character = "*"
            if len(character) != 1 or not character.isprintable() or character in "\\^=":
                self.problems.append(
                    f"{path}.{chosen}.maskingCharacter must be one printable character, and none of"
                    " \\ ^ = which separate values"
                )
        key = config.get("cryptoKey") if chosen in ("dateShiftConfig", "cryptoHashConfig") else None
        if key is not None and len(key) not in _KEY_BYTES:
            self.problems.append(
                f"{path}.{chosen}.cryptoKey has {len(key)} bytes; an AES key has 16, 24 or 32"
            )
        return InfoTypeTransformation(_TRANSFORMATIONS[chosen], info_types, key, character)

    def _info_types(
        self,
        path: str,
        given: list[str],
        names: Iterable[str] = (),
        *,
        excluding: bool = False,
    ) -> frozenset[str]:
        known = {*INFO_TYPES, *names}
        chosen: set[str] = set()
        for index, name in enumerate(given):
            if name in known:
                chosen.add(name)
            elif name in ALIASES and not excluding:
                chosen.add(ALIASES[name])
                self.warn("wider_info_type", f"{path}[{index}]")
            elif name in ALIASES:
                self.problems.append(
                    f"{path}[{index}]: what is found here is {ALIASES[name]}, which is wider; exclude"
                    " that to leave all of it"
                )
            else:
                near = difflib.get_close_matches(name.upper(), [*known, *ALIASES], 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(sorted(known))}"
                self.problems.append(
                    f"{path}[{index}] is no infoType that is detected here; {hint}"
                )
        return frozenset(chosen)

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
        self.warn("no_effect_here", "useRegionalDataProcessing")
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
        if image.mode in _SENSITIVE_MODES and self.reader.version != "v1":
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

    # ------------------------------------------------------------------ ours

    def _options(self, ours: dict[str, Any], tags: _Tags | None) -> frozenset[Option]:
        chosen = {Option(name) for name in ours.get("options", [])}
        if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= chosen:
            self.problems.append(
                "dicomveil.options holds retain_full_dates and retain_modified_dates, which exclude each"
                " other (PS3.15 E.3.6); keep one"
            )
        if tags is None:
            return frozenset(chosen)
        if chosen and tags.profile is not Profile.BASIC:
            self.problems.append(
                "dicomveil.options are options of the Basic Profile (PS3.15 E.3); set"
                " ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE or leave them out"
            )
        if Option.RETAIN_UIDS in chosen and tags.regenerate_primary_ids:
            self.problems.append(
                "dicomveil.options holds retain_uids while primaryIds is REGEN; keep one"
            )
        if tags.clean_descriptors:
            chosen.add(Option.CLEAN_DESCRIPTORS)
        return frozenset(chosen)

    def _policy(
        self,
        ours: dict[str, Any],
        tags: _Tags | None,
        options: frozenset[Option],
        image: ImagePolicy,
    ) -> TagPolicy | None:
        cleans = image.mode is not RedactionMode.NONE
        burned_in = BurnedIn.CLEAN if cleans else BurnedIn.QUARANTINE
        if "burnedIn" in ours:
            burned_in = BurnedIn(ours["burnedIn"])
            if burned_in is BurnedIn.CLEAN and not cleans:
                self.problems.append(
                    "dicomveil.burnedIn is clean but nothing says what to clean; set"
                    " image.textRedactionMode (REDACT_ALL_TEXT is the safest)"
                )
            if burned_in is BurnedIn.PASS and cleans:
                self.problems.append(
                    "dicomveil.burnedIn is pass while image asks for cleaning; keep one"
                )
        safe = self._safe_private(ours, options)
        if tags is None:
            return None
        overrides = tags.overrides
        if tags.clean_descriptors and tags.profile is Profile.KEEP_ALL:
            described = frozenset(
                tag
                for tag, row in confidentiality_by_tag().items()
                if row.options.get("clean_descriptors") == "C" and tag >> 16 > 4
            )
            overrides = (*overrides, TagOverride("clean_text", tags=described))
        policy = TagPolicy(
            tags.profile,
            options,
            overrides,
            tags.regenerate_primary_ids,
            burned_in,
            UnknownSopClass(ours.get("unknownSopClass", "quarantine")),
            safe,
        )
        return replace(policy, identity_issuer=ours.get("identityIssuer", "").strip())

    def _safe_private(
        self, ours: dict[str, Any], options: frozenset[Option]
    ) -> dict[tuple[str, int, int], str]:
        safe: dict[tuple[str, int, int], str] = {}
        listed = ours.get("safePrivate", [])
        if listed and Option.RETAIN_SAFE_PRIVATE not in options:
            self.problems.append(
                "dicomveil.safePrivate has no effect unless dicomveil.options holds retain_safe_private"
            )
        for index, each in enumerate(listed):
            path = f"dicomveil.safePrivate[{index}]"
            creator = each.get("creator", "").strip()
            group = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{4})", each.get("group", ""))
            element = re.fullmatch(r"(?:0x|xx)?([0-9a-fA-F]{2})", each.get("element", ""))
            vr = each.get("vr", "").upper()
            if not creator:
                self.problems.append(
                    f"{path}.creator is missing: private elements are named by creator"
                )
            elif group is None or not int(group[1], 16) & 1:
                self.problems.append(f"{path}.group must be four hex digits of an odd number")
            elif element is None:
                self.problems.append(
                    f"{path}.element must be two hex digits: the place in the block"
                )
            elif vr and vr.encode() not in LONG_VRS | SHORT_VRS:
                self.problems.append(f"{path}.vr must be a value representation, such as LO")
            else:
                safe[creator, int(group[1], 16), int(element[1], 16)] = vr
        return safe

    def _custom_info_types(self, ours: dict[str, Any]) -> tuple[CustomInfoType, ...]:
        made: list[CustomInfoType] = []
        for index, each in enumerate(ours.get("customInfoTypes", [])):
            path = f"dicomveil.customInfoTypes[{index}]"
            name, groups = each.get("name", ""), tuple(each.get("groups", ()))
            if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,31}", name) or name in ALIASES:
                self.problems.append(
                    f"{path}.name must be capitals, digits and _, such as STUDY_CODE"
                )
            elif self._pattern(path, each.get("pattern", ""), groups, "groups"):
                made.append(CustomInfoType(each["pattern"], groups, name))
        return tuple(made)


def _tags_named(name: str) -> frozenset[int] | None:
    """Return the tags that a keyword or eight hex digits name; None when there are none."""
    tag = tag_for_keyword(name) if name else None
    if tag is not None:
        return frozenset({tag})
    if re.fullmatch(r"[0-9a-fA-F]{8}", name):
        return frozenset({int(name, 16)})
    for mask, entry in repeating_attributes().items():
        if name and (entry.keyword == name or mask == name.lower()):
            return _repeated(mask)
    return None


def _repeated(mask: str) -> frozenset[int]:
    """Return the tags of a repeating group or element such as ``60xx3000`` (PS3.5 7.6)."""
    free = mask.count("x")
    step = 2 if mask[:4].endswith("x") else 1
    return frozenset(
        int(re.sub("x+", f"{number:0{free}x}", mask), 16) for number in range(0, 16**free, step)
    )


def _primary_ids(profile: Profile, *, regenerate: bool) -> bool | None:
    """Return what `skipIdRedaction` asks; the Basic Profile has its own rule unless it is set."""
    return None if regenerate and profile is Profile.BASIC else regenerate


def _is_private_data(tag: int) -> bool:
    return bool(tag >> 16 & 1) and tag & 0xFFFF > 0xFF
