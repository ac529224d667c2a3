"""What the first look finds out about FHIR resources: whose they are, what else is known of those people.

All headers and all resources are looked at before anything is written, so that the order of files changes
nothing. The ties are decided as in the service (`daemon.pipeline.ties`); there is one deidentifier, so what
belongs to no study is de-identified all the same.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from daemon.batch.crowds import CROWD
from daemon.pipeline.fhir_messages import ties_from
from daemon.pipeline.ties import (
    CONFLICTING_TIES,
    CONFLICTING_VERSIONS,
    SHARED,
    Conflict,
    Issuers,
    Sidecar,
    Study,
    Tied,
    folded,
    plain,
    tie,
)
from daemon.resources import is_later
from deid.identity.keys import patient_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daemon.batch.inputs import Input
    from deid.fhir.ties import Ties

CONTEXT: Final = "FHIR_CONTEXT"
"""In place of an infoType among what is known of an input: its value is a `Context` in JSON."""

Identifier = tuple[str, str]
_Key = tuple[str, int | None]


@dataclass(slots=True)
class _Document:
    """A file with resources.

    Attributes
    ----------
    ties, identifiers
        Of each resource, or of some that are told together.
    crowd
        Of the very many people that they tell of, if they do.
    is_large
        Whether they may be: then there are too many people in it for all of them to be of any one's study.
    """

    folder: str
    name: str
    ties: list[Ties]
    identifiers: list[set[Identifier]]
    is_large: bool
    versions: list[tuple[int, str]]
    crowd: str = ""

    def is_alone(self) -> bool:
        """Whether it is one resource with an id, which another file may have another version of."""
        return len(self.ties) == 1 and bool(self.ties[0].addresses)

    def known_of(self, place: int) -> set[Identifier]:
        """Return what is known of people where the study of the resource in this place is."""
        if not self.is_large:
            return {one for each in self.identifiers for one in each}
        shared = [
            known
            for ties, known in zip(self.ties, self.identifiers, strict=True)
            if ties.type in SHARED and not ties.addresses
        ]
        crowd = {(CROWD, self.crowd)} if self.crowd else set()
        return self.identifiers[place].union(*shared, crowd)


@dataclass(slots=True)
class _Facts:
    """What headers of one study tell."""

    patient_ids: set[tuple[str, str]] = field(default_factory=set)
    accessions: set[tuple[str, str]] = field(default_factory=set)
    birth_dates: set[str] = field(default_factory=set)
    families: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    drops: set[tuple[str, str]] = field(default_factory=set)


class Associations:
    """Collects what inputs say, and then knows whose each file of resources is.

    Parameters
    ----------
    issuers
        Issuer by Identifier.system, as the configuration says.
    """

    def __init__(self, issuers: Mapping[str, str]) -> None:
        self._issuers = Issuers(issuers)
        self._documents: dict[_Key, _Document] = {}
        self._facts: dict[str, _Facts] = {}
        self._contexts: dict[_Key, tuple[Identifier, ...]] = {}

    def add_instance(self, source: Input, study_uid: str, facts: Mapping[str, Any]) -> None:
        """Take note of what a header tells."""
        of_study = self._facts.setdefault(study_uid, _Facts())
        patient_id = _text(facts, "patient_id")
        if patient_id:
            of_study.patient_ids.add((_text(facts, "issuer"), patient_id))
        for name, values in (
            ("birth_date", of_study.birth_dates),
            ("family", of_study.families),
        ):
            if value := _text(facts, name):
                values.add(folded(value) if name == "family" else value)
        if accession := _text(facts, "accession"):
            named = facts.get("accession_issuers")
            issuers = {plain(str(each)) for each in named} if isinstance(named, list) else set()
            of_study.accessions |= {(issuer, accession) for issuer in issuers or {""}}
        uids = facts.get("uids")
        of_study.uids.update(str(each) for each in (uids if isinstance(uids, list) else ()))
        of_study.uids.add(study_uid)
        of_study.drops.add(_place(source))

    def add_resources(self, source: Input, resources: list[Any], crowd: str = "") -> None:
        """Take note of what the resources of a file tell; raises what a wrong type raises.

        Parameters
        ----------
        crowd
            The digest of the crowd that it tells of, if it does.
        """
        folder, name = _place(source)
        self._documents[_key(source)] = _Document(
            folder,
            name,
            [ties_from(each["ties"]) for each in resources],
            [
                {(str(kind), str(value)) for kind, value in each["identifiers"]}
                for each in resources
            ],
            any("is_part" in each for each in resources),
            [(int(each["stated_ms"]), str(each["digest"])) for each in resources],
            crowd,
        )

    def associate(self, known: dict[str, set[Identifier]]) -> None:
        """Find out whose each file is, and let what it tells of people be known of its studies.

        Parameters
        ----------
        known
            By study, what its headers tell of people; what resources tell is added.
        """
        if not self._documents:
            return
        sidecars: list[Sidecar] = []
        owners: dict[int, tuple[_Key, int]] = {}
        for key, document in sorted(self._documents.items(), key=lambda item: _sortable(item[0])):
            for place, ties in enumerate(document.ties):
                owners[len(sidecars)] = key, place
                sidecars.append(Sidecar(len(sidecars), ties, document.folder, document.name))
        found = tie(sidecars, self._studies(), self._issuers)
        of_file: dict[_Key, list[tuple[Sidecar, Tied | Conflict | None]]] = {}
        for sidecar in sidecars:
            key, place = owners[sidecar.number]
            its = found.get(sidecar.number)
            of_file.setdefault(key, []).append((sidecar, its))
            for study in its.studies if isinstance(its, Tied) else ():
                known.setdefault(study, set()).update(self._documents[key].known_of(place))
        everybody = self._everybody(sidecars, found)
        versions = self._versions(of_file)
        for key, tied in of_file.items():
            self._contexts[key] = _context(tied, known, everybody, versions.get(key))

    def _versions(
        self, of_file: Mapping[_Key, list[tuple[Sidecar, Tied | Conflict | None]]]
    ) -> dict[_Key, bool]:
        """Return the files that hold a version of a resource which does not count.

        With whether another says that it is later; where none does, no version of it counts. Two resources of
        different patients are none of one another's versions.
        """
        groups: dict[tuple[str, str], dict[str, tuple[int, list[_Key]]]] = {}
        for key, ((sidecar, found), *_) in of_file.items():
            document = self._documents[key]
            if not document.is_alone() or isinstance(found, Conflict):
                continue
            patient = found.patient if found is not None else ""
            group = groups.setdefault((sidecar.ties.addresses[0], patient), {})
            stated, digest = document.versions[0]
            before, keys = group.get(digest, (0, []))
            group[digest] = max(before, stated), [*keys, key]
        outcome: dict[_Key, bool] = {}
        for group in groups.values():
            latest = [
                digest
                for digest, (stated, _) in group.items()
                if all(
                    is_later(stated, than) for other, (than, _) in group.items() if other != digest
                )
            ]
            for digest, (_, keys) in group.items():
                if digest not in latest:
                    outcome |= dict.fromkeys(keys, bool(latest))
        return outcome

    def known(self, source: Input) -> tuple[Identifier, ...]:
        """Return what is known for a file of resources, its context among it; empty for any other input."""
        return self._contexts.get(_key(source), ())

    def _studies(self) -> list[Study]:
        found = []
        for uid, facts in sorted(self._facts.items()):
            issuers = {issuer for issuer, _ in facts.patient_ids} - {""}
            issuer, patient_id = min(facts.patient_ids, default=("", ""))
            if len(issuers) == 1:
                issuer = next(iter(issuers))
            found.append(
                Study(
                    uid,
                    patient_identity(issuer, patient_id, uid),
                    frozenset(facts.patient_ids),
                    frozenset(facts.accessions),
                    frozenset(facts.birth_dates),
                    frozenset(facts.families - {""}),
                    frozenset(facts.uids),
                    frozenset(facts.drops),
                )
            )
        return found

    def _everybody(
        self, sidecars: Iterable[Sidecar], found: Mapping[int, Tied | Conflict]
    ) -> dict[str, str]:
        """Return the patients of all files by their addresses: resources refer to them across files."""
        identities: dict[str, str] = {}
        for sidecar in sidecars:
            if sidecar.ties.type != "Patient":
                continue
            tied = found.get(sidecar.number)
            identity = tied.patient if isinstance(tied, Tied) else self._identity(sidecar.ties)
            if identity:
                identities |= dict.fromkeys(sidecar.ties.addresses, identity)
        return identities

    def _identity(self, patient: Ties) -> str:
        """Return whom a patient's own numbers mean, where the configuration says who issued them."""
        for issued in patient.identifiers:
            issuer = self._issuers.of.get(issued.system)
            if issuer is not None and issued.value:
                return patient_identity(issuer, issued.value, "")
        return ""


def _context(
    tied: list[tuple[Sidecar, Tied | Conflict | None]],
    known: Mapping[str, set[Identifier]],
    everybody: Mapping[str, str],
    is_earlier: bool | None,
) -> tuple[Identifier, ...]:
    identities: dict[str, str] = {}
    for sidecar, found in tied:
        named = [*sidecar.ties.patients, *sidecar.ties.addresses]
        identities |= {each: everybody[each] for each in named if each in everybody}
        if isinstance(found, Tied) and found.patient:
            identities |= dict.fromkeys(named, found.patient)
    patients = {found.patient for _, found in tied if isinstance(found, Tied)} - {""}
    refuse = CONFLICTING_TIES if any(isinstance(each, Conflict) for _, each in tied) else ""
    if not refuse and is_earlier is not None:
        refuse = CONFLICTING_VERSIONS
    document = {
        "refuse": refuse,
        "is_earlier": is_earlier is True,
        "patient": next(iter(patients)) if len(patients) == 1 else "",
        "identities": dict(sorted(identities.items())),
    }
    told = {each for study in _studies_of(tied) for each in known.get(study, ())}
    return (*sorted(told), (CONTEXT, json.dumps(document)))


def _studies_of(tied: Iterable[tuple[Sidecar, Tied | Conflict | None]]) -> set[str]:
    return {uid for _, found in tied if isinstance(found, Tied) for uid in found.studies}


def _key(source: Input) -> _Key:
    return source.path, source.member


def _sortable(key: _Key) -> tuple[str, int]:
    return key[0], -1 if key[1] is None else key[1]


def _place(source: Input) -> tuple[str, str]:
    """Return the folder that an input lay in, and its name up to the first full stop of its suffixes."""
    name = source.path if source.member is None else f"{source.path}/{source.member_name}"
    folder, _, last = name.rpartition("/")
    return folder, os.path.splitext(last.removesuffix(".gz"))[0]  # noqa: PTH122 - no path of a file


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value.strip() if isinstance(value, str) else ""
