"""Read the Healthcare API's messages from JSON as protocol buffers define it, collecting every problem.

Field names in lowerCamelCase or snake_case, null for unset, 64-bit and 32-bit integers as strings or
numbers, bytes in standard or URL-safe base64, enums by name or number. Which messages and fields there are is
data: `MESSAGES`, `ENUMS` and `UNIONS`, from the discovery documents v1 rev 20261013 and v1beta1 rev
20260924 (unions from their wording, as discovery does not show them).
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from typing import Any, Final

from deid.configuration.problems import Problems

# field -> type; "[]" repeated, "@" fields that v1 does not have. Fields of ours stand in `dicomveil`.
MESSAGES: Final[dict[str, dict[str, str]]] = {
    # The bodies of datasets.deidentify, dicomStores.deidentify and fhirStores.deidentify in one; the
    # source stands in the body where a client of the remote procedure calls printed its request.
    "DeidentifyRequest": {
        "sourceDataset": "string",
        "destinationDataset": "string",
        "sourceStore": "string",
        "destinationStore": "string",
        "config": "DeidentifyConfig",
        "gcsConfigUri": "string",
        "filterConfig": "DicomFilterConfig",
        "resourceFilter": "FhirFilter",
        "skipModifiedResources": "bool",
    },
    "DicomFilterConfig": {"resourcePathsGcsUri": "string"},
    "FhirFilter": {"resources": "Resources"},
    "Resources": {"resources": "[]string"},
    "DeidentifyConfig": {
        "dicom": "DicomConfig",
        "fhir": "FhirConfig",
        "image": "ImageConfig",
        "text": "TextConfig",
        "useRegionalDataProcessing": "bool",
        "dicomTagConfig": "@DicomTagConfig",
        "fhirFieldConfig": "@FhirFieldConfig",
        "operationMetadata": "@DeidentifyOperationMetadata",
        "dicomveil": "Dicomveil",
    },
    "DicomConfig": {
        "filterProfile": "enum TagFilterProfile",
        "keepList": "TagFilterList",
        "removeList": "TagFilterList",
        "skipIdRedaction": "bool",
    },
    "TagFilterList": {"tags": "[]string"},
    "DicomTagConfig": {
        "profileType": "enum ProfileType",
        "options": "Options",
        "actions": "[]Action",
    },
    "Options": {
        "primaryIds": "enum PrimaryIdsOption",
        "cleanImage": "ImageConfig",
        "cleanDescriptors": "Empty",
    },
    "Action": {
        "queries": "[]string",
        "keepTag": "Empty",
        "removeTag": "Empty",
        "deleteTag": "Empty",
        "resetTag": "Empty",
        "cleanTextTag": "Empty",
        "cleanImageTag": "ImageConfig",
        "recurseTag": "Empty",
        "regenUidTag": "Empty",
    },
    "ImageConfig": {
        "textRedactionMode": "enum TextRedactionMode",
        "customRegexes": "[]CustomRegex",
        "additionalInfoTypes": "@[]string",
        "excludeInfoTypes": "@[]string",
    },
    "CustomRegex": {"pattern": "string", "groupIndexes": "[]int32"},
    "TextConfig": {
        "transformations": "[]InfoTypeTransformation",
        "additionalTransformations": "[]InfoTypeTransformation",
        "excludeInfoTypes": "[]string",
        "profileType": "@enum TextProfileType",
    },
    "InfoTypeTransformation": {
        "infoTypes": "[]string",
        "redactConfig": "Empty",
        "characterMaskConfig": "CharacterMaskConfig",
        "dateShiftConfig": "KeyConfig",
        "cryptoHashConfig": "KeyConfig",
        "replaceWithInfoTypeConfig": "Empty",
    },
    "CharacterMaskConfig": {"maskingCharacter": "string"},
    "KeyConfig": {"cryptoKey": "bytes", "kmsWrapped": "KmsWrappedCryptoKey"},
    "KmsWrappedCryptoKey": {"cryptoKey": "string", "wrappedKey": "bytes"},
    "FhirConfig": {"fieldMetadataList": "[]FieldMetadata", "defaultKeepExtensions": "bool"},
    "FieldMetadata": {"paths": "[]string", "action": "enum FieldAction"},
    "FhirFieldConfig": {
        "profileType": "enum FhirProfileType",
        "options": "FhirOptions",
        "fieldMetadataList": "[]FhirFieldMetadata",
    },
    "FhirOptions": {
        "characterMaskConfig": "CharacterMaskConfig",
        "cryptoHashConfig": "KeyConfig",
        "dateShiftConfig": "KeyConfig",
        "contextualDeid": "Empty",
        "keepExtensions": "Empty",
    },
    "FhirFieldMetadata": {
        "paths": "[]string",
        "keepField": "Empty",
        "removeField": "Empty",
        "cleanTextField": "Empty",
        "cryptoHashField": "Empty",
        "characterMaskField": "Empty",
        "dateShiftField": "Empty",
    },
    "DeidentifyOperationMetadata": {"fhirOutput": "FhirOutput"},
    "FhirOutput": {"fhirStore": "string"},
    "Empty": {},
    "Dicomveil": {
        "options": "[]enum Option",
        "burnedIn": "enum BurnedIn",
        "pixels": "enum Pixels",
        "unknownSopClass": "enum UnknownSopClass",
        "safePrivate": "[]SafePrivate",
        "identityIssuer": "string",
        "identityIssuers": "map",
        "fhirText": "enum FhirText",
        "unmatched": "enum Unmatched",
        "shiftDaysRange": "int32",
        "timeJitterMinutes": "int32",
        "customInfoTypes": "[]CustomInfoType",
        "encryptedAttributes": "EncryptedAttributes",
    },
    "EncryptedAttributes": {"certificates": "[]string"},
    "SafePrivate": {"creator": "string", "group": "string", "element": "string", "vr": "string"},
    "CustomInfoType": {"name": "string", "pattern": "string", "groups": "[]int32"},
}

_PROFILES: Final = (
    "MINIMAL_KEEP_LIST_PROFILE",
    "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE",
    "KEEP_ALL_PROFILE",
    "DEIDENTIFY_TAG_CONTENTS",
)
ENUMS: Final[dict[str, tuple[str, ...]]] = {
    "TagFilterProfile": ("TAG_FILTER_PROFILE_UNSPECIFIED", *_PROFILES),
    "ProfileType": ("PROFILE_TYPE_UNSPECIFIED", *_PROFILES),
    "PrimaryIdsOption": ("PRIMARY_IDS_OPTION_UNSPECIFIED", "KEEP", "REGEN"),
    "TextRedactionMode": (
        "TEXT_REDACTION_MODE_UNSPECIFIED",
        "REDACT_ALL_TEXT",
        "REDACT_SENSITIVE_TEXT",
        "REDACT_NO_TEXT",
        "@REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS",
    ),
    "TextProfileType": ("PROFILE_TYPE_UNSPECIFIED", "EMPTY", "BASIC"),
    "FieldAction": (
        "ACTION_UNSPECIFIED",
        "TRANSFORM",
        "INSPECT_AND_TRANSFORM",
        "DO_NOT_TRANSFORM",
    ),
    "FhirProfileType": ("PROFILE_TYPE_UNSPECIFIED", "KEEP_ALL", "BASIC", "CLEAN_ALL"),
    # Ours, which have no numbers.
    "FhirText": ("remove", "inspect", "paranoid"),
    "Unmatched": ("remove", "keep"),
    "BurnedIn": ("quarantine", "pass", "clean"),
    "Pixels": ("all", "likely"),
    "UnknownSopClass": ("quarantine", "pass"),
    "Option": (
        "retain_safe_private",
        "retain_uids",
        "retain_device_identity",
        "retain_institution_identity",
        "retain_patient_characteristics",
        "retain_full_dates",
        "retain_modified_dates",
        "clean_descriptors",
        "clean_structured_content",
        "clean_graphics",
    ),
}

_NUMBERED: Final = frozenset(ENUMS) - {
    "BurnedIn",
    "FhirText",
    "Option",
    "Pixels",
    "UnknownSopClass",
    "Unmatched",
}

TAG_VERBS: Final = (
    "keepTag",
    "removeTag",
    "deleteTag",
    "resetTag",
    "cleanTextTag",
    "cleanImageTag",
    "recurseTag",
    "regenUidTag",
)
TRANSFORMATIONS: Final = (
    "redactConfig",
    "characterMaskConfig",
    "dateShiftConfig",
    "cryptoHashConfig",
    "replaceWithInfoTypeConfig",
)
# message -> (fields of which at most one may be set, whether one must be)
UNIONS: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "Action": (TAG_VERBS, True),
    "InfoTypeTransformation": (TRANSFORMATIONS, True),
    "KeyConfig": (("cryptoKey", "kmsWrapped"), False),
    "FhirFieldMetadata": (
        tuple(name for name in MESSAGES["FhirFieldMetadata"] if name != "paths"),
        True,
    ),
}

_INT32: Final = range(-(2**31), 2**31)
_KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_BROKEN: Final = object()
# What holds a configuration in a request or a store, each time under a field of this name.
_REQUEST: Final = "config"
_ELSEWHERE: Final = "gcsConfigUri"
# What a request leaves out of its work.
_LIMITS: Final = ("filterConfig", "resourceFilter", "skipModifiedResources")


class Reader:
    """Reads one configuration.

    Parameters
    ----------
    version
        ``v1``, ``v1beta1``, or None to accept the fields of both.

    Attributes
    ----------
    problems
        One sentence each: the JSON path, what is wrong, and the nearest valid choice.
    numbered
        The JSON paths of enums that were given by number.
    """

    def __init__(self, version: str | None = None) -> None:
        self.version = version
        self.problems = Problems()
        self.numbered: list[str] = []

    def message(self, kind: str, value: Any, path: str = "") -> dict[str, Any]:
        """Return a message's fields that are set, by their lowerCamelCase names, decoded."""
        if not isinstance(value, dict):
            self.problems.append(
                f"{path or 'the configuration'} must be an object, not {_is(value)}"
            )
            return {}
        fields = MESSAGES[kind]
        prefix = f"{path}." if path else ""
        read: dict[str, Any] = {}
        seen: dict[str, str] = {}
        broken: set[str] = set()
        for given, content in value.items():
            name = self._field(str(given), fields, prefix)
            if name is None:
                continue
            if name in seen:
                self.problems.append(f"{prefix}{given} is {prefix}{seen[name]} again; keep one")
                continue
            seen[name] = str(given)
            if content is None:
                continue
            decoded = self._value(fields[name].removeprefix("@"), content, prefix + name)
            if decoded is _BROKEN:
                broken.add(name)
            else:
                read[name] = decoded
        self._check_union(kind, read, broken, path)
        return read

    def _field(self, given: str, fields: dict[str, str], prefix: str) -> str | None:
        name = camel(given)
        if name not in fields:
            if name == _REQUEST and not prefix:
                self.problems.append("config is a field of a request; give what stands under it")
                return None
            near = difflib.get_close_matches(name, list(fields), 1, 0.5)
            valid = ", ".join(fields) or "no field at all"
            hint = f"did you mean {prefix}{near[0]}?" if near else f"valid here: {valid}"
            self.problems.append(f"{prefix}{given} is not a known field; {hint}")
            return None
        if fields[name].startswith("@") and self.version == "v1":
            self.problems.append(f"{prefix}{given} is a field of v1beta1, not of v1")
            return None
        return name

    def _check_union(self, kind: str, read: dict[str, Any], broken: set[str], path: str) -> None:
        members, required = UNIONS.get(kind, ((), False))
        chosen = [name for name in members if name in read]
        if len(chosen) > 1:
            self.problems.append(f"{path} sets {' and '.join(chosen)}; only one of them may be set")
        if required and not chosen and not broken.intersection(members):
            self.problems.append(f"{path} sets none of {', '.join(members)}; exactly one is needed")

    def _value(self, kind: str, value: Any, path: str) -> Any:
        if kind.startswith("[]"):
            if not isinstance(value, list):
                self.problems.append(f"{path} must be a list, not {_is(value)}")
                return _BROKEN
            items = [
                self._value(kind[2:], item, f"{path}[{index}]") for index, item in enumerate(value)
            ]
            return [item for item in items if item is not _BROKEN]
        if kind.startswith("enum "):
            return self._enum(kind[5:], value, path)
        match kind:
            case "bool":
                return (
                    value if isinstance(value, bool) else self._wrong(path, "true or false", value)
                )
            case "string":
                return value if isinstance(value, str) else self._wrong(path, "a string", value)
            case "int32":
                return self._integer(value, path)
            case "bytes":
                return self._bytes(value, path)
            case "map":
                return self._map(value, path)
            case _:
                return self.message(kind, value, path)

    def _enum(self, kind: str, value: Any, path: str) -> Any:
        names = [
            name.removeprefix("@")
            for name in ENUMS[kind]
            if not (self.version == "v1" and name.startswith("@"))
        ]
        if isinstance(value, str) and value in names:
            return value
        if kind in _NUMBERED and isinstance(value, int) and not isinstance(value, bool):
            # As printed by protocol buffers when asked for numbers: the order of the choices.
            if value in range(len(names)):
                self.numbered.append(path)
                return names[value]
            self.problems.append(f"{path} has no choice of that number; valid: {', '.join(names)}")
            return _BROKEN
        wanted = str(value)
        near = [name for name in names if wanted and wanted.upper() in name.upper()]
        near += difflib.get_close_matches(wanted, names, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(names)}"
        self.problems.append(f"{path} has no choice of that name; {hint}")
        return _BROKEN

    def _map(self, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, "an object of strings", value)
        for each in value.values():
            if not isinstance(each, str):
                return self._wrong(f"{path}'s values", "strings", each)
        return value

    def _integer(self, value: Any, path: str) -> Any:
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value not in _INT32:
            return self._wrong(path, "a 32-bit integer", value)
        return value

    def _bytes(self, value: Any, path: str) -> Any:
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            text = value.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
            try:
                return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
            except (binascii.Error, ValueError):
                pass
            self.problems.append(f"{path} is not valid base64")
            return _BROKEN
        return self._wrong(path, "bytes in base64", value)

    def _wrong(self, path: str, expected: str, value: Any) -> Any:
        self.problems.append(f"{path} must be {expected}, not {_is(value)}")
        return _BROKEN


def is_request(value: Any) -> bool:
    """Whether a document is the body of a ``:deidentify`` request rather than a configuration."""
    if not isinstance(value, dict):
        return False
    names = {camel(str(name)) for name in value}
    return not names.isdisjoint(MESSAGES["DeidentifyRequest"]) and names.isdisjoint(
        MESSAGES["DeidentifyConfig"]
    )


def of_request(reader: Reader, body: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Return the configuration that a request's body holds, and the fields that limit the request.

    The rest of the body is checked, and says where a request goes; nothing here depends on it.
    """
    configuration = body.get(_REQUEST)
    rest = {name: value for name, value in body.items() if name != _REQUEST}
    read = reader.message("DeidentifyRequest", rest)
    if _ELSEWHERE in read:
        reader.problems.append(
            f"{_ELSEWHERE} names a document that is not read from here; give it as {_REQUEST}"
        )
    elif configuration is None:
        reader.problems.append(f"the request has no {_REQUEST}; give a DeidentifyConfig there")
    limits = tuple(name for name in _LIMITS if read.get(name))
    return {} if configuration is None else configuration, limits


def camel(name: str) -> str:
    """Return a field's lowerCamelCase name."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _is(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)
