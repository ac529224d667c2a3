"""What the owner of a dataset or store may say of it, and what is refused because nothing would come of it.

A setting that Google's clients send and that means nothing here is kept and told again. One that would be a
promise (notifications, wrapped keys, consent) is refused: who sets it relies on it.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from daemon.healthcare.errors import InvalidArgument
from daemon.store.rows import StoreKind
from deid.configuration.proto_json import camel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_REFUSED: Final = {
    "consentConfig": "consent is not enforced here",
    "bulkExportGcsDestination": "there is no Google Cloud Storage here; export to a file:// folder",
}
_LABEL_KEY: Final = re.compile(r"[^\W\d_A-Z][\w-]{0,62}")
_LABEL_VALUE: Final = re.compile(r"[\w-]{0,63}")
_MOST_LABELS: Final = 64
_LABELS: Final = "labels"
_PARSING: Final = "complexDataTypeReferenceParsing"
_PARSINGS: Final = ("COMPLEX_DATA_TYPE_REFERENCE_PARSING_UNSPECIFIED", "DISABLED", "ENABLED")
_IMMUTABLE: Final = ("version", "disableReferentialIntegrity", "disableResourceVersioning")


def of_dataset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset is told with from now on; raises `InvalidArgument`."""
    if given.get("encryptionSpec"):
        raise InvalidArgument("encryptionSpec needs Google's key service; encrypt the disk instead")
    zone = given.get("timeZone")
    if zone and not _is_zone(zone):
        raise InvalidArgument("timeZone is a name of the IANA database, such as Europe/Vienna")
    return {"timeZone": zone} if zone else {}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return not available_timezones()  # a machine without the database cannot tell
    return True


def of_store(kind: StoreKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a store is told with from now on.

    Raises
    ------
    InvalidArgument
        Of what would be a promise that nobody keeps.
    """
    settings = {name: value for name, value in given.items() if name != "name"}
    for name, why in _REFUSED.items():
        if settings.get(name):
            raise InvalidArgument(f"{name}: {why}")
    _check_labels(settings.get(_LABELS, {}))
    notifications = [
        settings.get("notificationConfig", {}),
        *settings.get("notificationConfigs", ()),
    ]
    if any(each.get("pubsubTopic") for each in notifications):
        raise InvalidArgument("pubsubTopic: there is no Pub/Sub here; leave notifications out")
    if kind is StoreKind.FHIR:
        version = settings.get("version")
        if version is None:
            raise InvalidArgument("version is required: R4")
        if version != "R4":
            raise InvalidArgument("version: only R4 is implemented here")
        if settings.get(_PARSING, "ENABLED") not in _PARSINGS:
            raise InvalidArgument(f"{_PARSING} is one of {', '.join(_PARSINGS)}")
    return settings


def patched(
    kind: StoreKind,
    before: Mapping[str, Any],
    given: Mapping[str, Any],
    mask: Sequence[Sequence[str]],
) -> dict[str, Any]:
    """Return settings after a patch.

    Parameters
    ----------
    mask
        What takes the given value, or loses its own where none is given; empty is every field that is given.

    Raises
    ------
    InvalidArgument
    """
    changed = [each for each in mask or [(name,) for name in given] if each[0] != "name"]
    for name in _IMMUTABLE:
        is_changed = any(each[0] == name for each in changed)
        if is_changed and given.get(name) != before.get(name):
            raise InvalidArgument(f"{name} cannot be changed")
    merged = dict(before)
    for each in changed:
        _change(merged, given, each)
    return of_store(kind, merged)


def masked(mask: str, known: Collection[str]) -> list[tuple[str, ...]]:
    """Return the fields that an ``updateMask`` names, each as the path to it.

    Parameters
    ----------
    known
        Fields of the message. Of keys of a map (``labels.KEY``) nothing is known.

    Raises
    ------
    InvalidArgument
        Of a field that there is none of.
    """
    found = []
    for each in filter(None, (part.strip() for part in mask.split(","))):
        first, *rest = each.replace("`", "").split(".")
        name = camel(first)
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
            raise InvalidArgument(f"updateMask names a field that there is none of{hint}")
        found.append((name, *(rest if name == _LABELS else map(camel, rest))))
    return found


def _change(settings: dict[str, Any], given: Mapping[str, Any], path: Sequence[str]) -> None:
    """Have the field at a path be what is given, and those beside it what they are."""
    name, *rest = path
    value = given.get(name)
    if rest:
        before, value = settings.get(name, {}), value or {}
        if not isinstance(before, dict) or not isinstance(value, dict):
            raise InvalidArgument(f"updateMask: {name} has no fields that could be named")
        inside = dict(before)
        _change(inside, value, rest)
        value = inside or None
    if value is None:
        settings.pop(name, None)
    else:
        settings[name] = value


def _check_labels(labels: Mapping[str, Any]) -> None:
    is_well = len(labels) <= _MOST_LABELS and all(
        _LABEL_KEY.fullmatch(key) and isinstance(value, str) and _LABEL_VALUE.fullmatch(value)
        for key, value in labels.items()
    )
    if not is_well:
        raise InvalidArgument(
            "labels: at most 64; a key begins with a small letter, keys and values have up to 63 small letters,"
            " digits, dashes and underscores"
        )
