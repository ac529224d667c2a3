"""What the owner of a dataset or store may say of it, and what is refused because nothing would come of it.

A setting that Google's clients send and that means nothing here is kept and told again. One that would be a
promise (notifications, wrapped keys, consent) is refused: who sets it relies on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare.errors import InvalidArgument
from daemon.store.rows import StoreKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFUSED: Final = {
    "consentConfig": "consent is not enforced here",
    "bulkExportGcsDestination": "there is no Google Cloud Storage here; export to a file:// folder",
}
_LABEL_KEY: Final = re.compile(r"[^\W\d_A-Z][\w-]{0,62}")
_LABEL_VALUE: Final = re.compile(r"[\w-]{0,63}")
_MOST_LABELS: Final = 64
_IMMUTABLE: Final = ("version", "disableReferentialIntegrity", "disableResourceVersioning")


def of_dataset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset is told with from now on; raises `InvalidArgument`."""
    if given.get("encryptionSpec"):
        raise InvalidArgument("encryptionSpec needs Google's key service; encrypt the disk instead")
    return {name: value for name, value in given.items() if name == "timeZone"}


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
    _check_labels(settings.get("labels", {}))
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
    return settings


def patched(
    kind: StoreKind, before: Mapping[str, Any], given: Mapping[str, Any], mask: str
) -> dict[str, Any]:
    """Return settings after a patch.

    Parameters
    ----------
    mask
        ``updateMask``: fields that take the given value, or lose theirs where none is given.

    Raises
    ------
    InvalidArgument
    """
    changed = fields(mask) or [name for name in given if name != "name"]
    for name in _IMMUTABLE:
        if name in changed and given.get(name) != before.get(name):
            raise InvalidArgument(f"{name} cannot be changed")
    merged = dict(before)
    for name in changed:
        if name in given:
            merged[name] = given[name]
        else:
            merged.pop(name, None)
    return of_store(kind, merged)


def fields(mask: str) -> list[str]:
    """Return the fields that an ``updateMask`` names, whole fields only."""
    named = [each.strip().partition(".")[0] for each in mask.split(",")]
    return [re.sub(r"_([a-z])", lambda found: found[1].upper(), each) for each in named if each]


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
