"""What an operation has to do, as its row keeps it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from daemon.records import OwnDeidentifier
from deid.configuration.proto_json import camel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daemon.store.rows import IndexedInstance
    from deid.identity.keys import SiteKey


_OF_REQUESTS: Final = frozenset({"operationMetadata", "useRegionalDataProcessing"})


@dataclass(frozen=True)
class Step:
    """One source and its destination, by the numbers of their stores.

    Attributes
    ----------
    kind
        ``dicom`` or ``fhir``, which de-identify; ``learn``, which tells instances what resources say;
        ``import`` or ``export`` of instances, ``import_fhir`` or ``export_fhir`` of resources;
        ``stream_dicom`` or ``stream_fhir``.
    last
        The highest number that the source had when the operation began: what came later is not its matter.
    only
        Paths (``studies/../series/..``) or resources (``Patient/1``) that are wanted, the files of an import,
        or the type of an export; None is everything.
    folder
        Where an export goes; of an import of resources, ``whole`` when a file is one document.
    unchanged_since_ms
        Resources that were updated later are passed over; 0 passes none over.
    changed_since_ms
        Resources that were updated before are passed over; 0 passes none over.
    beside
        DICOM stores whose studies resources may belong to.
    """

    kind: str
    source: int
    destination: int
    last: int
    only: tuple[str, ...] | None = None
    unchanged_since_ms: int = 0
    folder: str = ""
    changed_since_ms: int = 0
    beside: tuple[int, ...] = ()

    @cached_property
    def chosen(self) -> frozenset[str] | None:
        """What is wanted, to be looked up quickly."""
        return None if self.only is None else frozenset(self.only)

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "source": self.source,
            "destination": self.destination,
            "last": self.last,
        }
        if self.only is not None:
            document["only"] = list(self.only)
        if self.folder:
            document["folder"] = self.folder
        if self.unchanged_since_ms:
            document["unchanged_since_ms"] = self.unchanged_since_ms
        if self.beside:
            document["beside"] = list(self.beside)
        if self.changed_since_ms:
            document["changed_since_ms"] = self.changed_since_ms
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Step:
        """Return what `document` made."""
        only = document.get("only")
        beside = tuple(document.get("beside", ()))
        return cls(**{**document, "only": None if only is None else tuple(only), "beside": beside})


@dataclass(frozen=True)
class Work:
    """Everything that an operation needs to go on after a kill.

    Attributes
    ----------
    configuration
        DeidentifyConfig, as JSON text. It may hold a key: it is gone when the operation has ended.
    label
        What the key is derived for: the destination's dataset, so that what is made again is the same and the
        outputs of two datasets cannot be joined.
    summary
        The type of the response.
    note
        What is told in the operation's metadata.
    provenance
        The number of the FHIR store that is told what was done; 0 is none.
    """

    steps: tuple[Step, ...]
    configuration: str
    label: str
    summary: str
    note: str = ""
    provenance: int = 0

    def to_json(self) -> str:
        """Return it for the operation's row."""
        return json.dumps(
            {
                "steps": [each.document() for each in self.steps],
                "configuration": self.configuration,
                "label": self.label,
                "summary": self.summary,
                "note": self.note,
                "provenance": self.provenance,
            }
        )

    @staticmethod
    def over(text: str) -> str:
        """Return what is left to tell of what `to_json` made, of whatever version, once that is over."""
        document = json.loads(text)
        stores = [
            [each.get("source"), each.get("destination")] for each in document.get("steps", ())
        ]
        return json.dumps({"note": document.get("note", ""), "stores": stores})

    @classmethod
    def from_json(cls, text: str) -> Work:
        """Return what `to_json` made of one that is not over."""
        document = json.loads(text)
        steps = tuple(Step.from_document(each) for each in document.pop("steps"))
        return cls(steps=steps, **document)

    @staticmethod
    def destinations_of(text: str, source: int) -> list[int]:
        """Return into which stores an operation goes from a store, whether it is over or not."""
        document = json.loads(text)
        pairs = document.get("stores") or [
            (each["source"], each["destination"]) for each in document.get("steps", ())
        ]
        return [into for of, into in pairs if of == source]

    def deidentifier(self, key: SiteKey) -> OwnDeidentifier:
        """Return what jobs of this operation bring with them."""
        own = key.derive(f"healthcare:{self.label}").secret
        digest = hashlib.sha256(own + self.configuration.encode()).hexdigest()[:16]
        return OwnDeidentifier(f"operation:{digest}", self.configuration, own)


def without_requests(configuration: Mapping[str, Any]) -> str:
    """Return a configuration that was judged as JSON, without what its result does not depend on.

    Who is told of a result, and where it is processed: the latter is judged by the version of the request,
    and all fields of the former are of one version alone.
    """
    kept = {name: each for name, each in configuration.items() if camel(name) not in _OF_REQUESTS}
    return json.dumps(kept)


def field_of(message: Any, *path: str) -> Any:
    """Return a field of a JSON object by its name, in camelCase or snake_case; None when it is not there."""
    for name in path:
        if not isinstance(message, dict):
            return None
        message = next((each for key, each in message.items() if camel(key) == name), None)
    return message


def is_wanted(instance: IndexedInstance, only: Collection[str]) -> bool:
    """Tell whether an instance is below one of these paths."""
    path = f"studies/{instance.study_uid}"
    series = f"{path}/series/{instance.series_uid}"
    return any(
        each in only for each in (path, series, f"{series}/instances/{instance.sop_instance_uid}")
    )
