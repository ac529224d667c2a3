"""Which studies a FHIR resource belongs to. Pure: what resources and studies say in, ties out.

In this order, and what comes first is not overruled by what comes later:

1. a DICOM UID of a study, series or instance;
2. an accession number: of the issuer that its system or assigner means; without a map from systems to issuers
   only when one patient alone has that number and nothing contradicts it;
3. a patient's identifier, in the same way: without a map only when birth date or family name agree;
4. references within what was dropped together, in both directions, nearest first;
5. what only tied resources refer to.

Where 1 to 3 name different patients, it is a conflict: nobody knows which of them is wrong. Where 2 or 3 alone
leave several patients, those stay whose files lay beside the resource: with the same name before the full stop,
or else in the same folder. The outcome is the same for every order in which resources and studies came.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from deid.identity.keys import patient_identity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from deid.fhir.ties import Issued, Ties

CONFLICTING_TIES: Final = "sidecar_conflict"
"""The reason code of a `Conflict`."""
CONFLICTING_VERSIONS: Final = "sidecar_versions"
"""The reason code of what came twice, where nobody knows which of the two holds."""
SHARED: Final = frozenset(
    {
        "Binary",
        "CodeSystem",
        "Device",
        "DeviceDefinition",
        "Endpoint",
        "HealthcareService",
        "Library",
        "Location",
        "Medication",
        "Organization",
        "OrganizationAffiliation",
        "PlanDefinition",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "Substance",
        "ValueSet",
    }
)
"""Types that several patients' resources refer to; a reference to one ties nobody to anybody."""


class By(StrEnum):
    """What tied a resource."""

    UID = "uid"
    ACCESSION = "accession"
    PATIENT = "patient"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A resource as far as ties ask.

    Attributes
    ----------
    number
        What it is called here.
    drop_folder, drop_name
        Keyed hashes of where it lay (`daemon.records.Origin`); empty for what was posted.
    """

    number: int
    ties: Ties
    drop_folder: str = ""
    drop_name: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """A study as far as ties ask.

    Attributes
    ----------
    patient
        The identity of its patient (`deid.identity.keys.patient_identity`).
    accessions
        Issuer and number; an empty issuer is one that nobody named.
    uids
        Those of its series and instances that a resource names, and its own.
    drops
        Folder and name of files that its instances came in.
    """

    uid: str
    patient: str
    patient_ids: frozenset[tuple[str, str]] = frozenset()
    accessions: frozenset[tuple[str, str]] = frozenset()
    birth_dates: frozenset[str] = frozenset()
    family_names: frozenset[str] = frozenset()
    uids: frozenset[str] = frozenset()
    drops: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Tied:
    """It belongs to these studies.

    Attributes
    ----------
    patient
        Theirs; empty for what several patients share.
    """

    studies: frozenset[str]
    patient: str
    by: By


@dataclass(frozen=True, slots=True)
class Conflict:
    """It belongs to one by this, to another by that.

    Attributes
    ----------
    sides
        What tied it, and a study of that side (empty when it was another resource).
    """

    sides: tuple[tuple[By, str], ...]


@dataclass(frozen=True, slots=True)
class Issuers:
    """Issuer by Identifier.system or assigner."""

    of: Mapping[str, str] = field(default_factory=dict)

    def mapped(self, issued: Issued) -> str | None:
        """Return the issuer that an identifier's system or assigner means; None where nobody says."""
        for name in (issued.system, issued.assigner):
            if name and name in self.of:
                return plain(self.of[name])
        return None


def tie(
    sidecars: Sequence[Sidecar], studies: Sequence[Study], issuers: Issuers
) -> dict[int, Tied | Conflict]:
    """Return what each resource belongs to; those that belong to nobody are left out."""
    return _Tying(sidecars, studies, issuers).result()


class _Tying:
    def __init__(
        self, sidecars: Sequence[Sidecar], studies: Sequence[Study], issuers: Issuers
    ) -> None:
        self._sidecars = {each.number: each for each in sidecars}
        self._studies = {each.uid: each for each in studies}
        self._issuers = issuers
        self._at: dict[str, list[int]] = {}
        for each in sidecars:
            for address in each.ties.addresses:
                self._at.setdefault(address, []).append(each.number)
        self._by_search: dict[tuple[str, str, str], list[int]] = {}
        for each in sidecars:
            for issued in each.ties.identifiers:
                for system in (issued.system, ""):
                    key = (each.ties.type, system, issued.value)
                    self._by_search.setdefault(key, []).append(each.number)
        self._found: dict[int, Tied | Conflict] = {}

    def result(self) -> dict[int, Tied | Conflict]:
        for number in sorted(self._sidecars):
            direct = self._direct(self._sidecars[number])
            if direct is not None:
                self._found[number] = direct
        self._spread()
        self._refuse_contradictory_references()
        self._share()
        return self._found

    # -- by what a resource itself says --

    def _direct(self, sidecar: Sidecar) -> Tied | Conflict | None:
        if sidecar.ties.type in SHARED:
            return None
        sides = [
            (By.UID, self._of_uids(sidecar)),
            (By.ACCESSION, self._of_accessions(sidecar)),
            (By.PATIENT, self._of_patient(sidecar)),
        ]
        named = [(by, studies) for by, studies in sides if studies]
        if not named:
            return None
        patients = self._patients(uid for _, studies in named for uid in studies)
        if len(patients) > 1:
            return _conflict((by, uid) for by, studies in named for uid in studies)
        by, studies = named[0]
        return Tied(frozenset(studies), patients.pop(), by)

    def _of_uids(self, sidecar: Sidecar) -> set[str]:
        uids = sidecar.ties.uids
        return {each.uid for each in self._studies.values() if uids & each.uids}

    def _of_accessions(self, sidecar: Sidecar) -> set[str]:
        found: set[str] = set()
        for issued in sidecar.ties.accessions:
            having = {
                each.uid: {issuer for issuer, number in each.accessions if number == issued.value}
                for each in self._studies.values()
            }
            having = {uid: issuers for uid, issuers in having.items() if issuers}
            issuer = self._issuers.mapped(issued)
            if issuer is not None:
                of_issuer = {uid for uid, issuers in having.items() if issuer in issuers}
                # Many systems number orders and name no issuer: then nothing is known of it.
                unnamed = {uid for uid, issuers in having.items() if "" in issuers}
                found |= of_issuer or self._only(sidecar, unnamed)
            else:
                found |= self._only(sidecar, set(having))
        return found

    def _only(self, sidecar: Sidecar, studies: set[str]) -> set[str]:
        """Return studies of a number whose issuer nobody knows: of one patient, and not contradicted."""
        fitting = {uid for uid in studies if not self._is_contradicted(sidecar, uid)}
        if len(self._patients(studies)) > 1:
            told = self._patients_of(sidecar)
            agreeing = {
                uid for uid in fitting if any(_agree(each, self._studies[uid]) for each in told)
            }
            fitting = self._beside(sidecar, agreeing or fitting)
        return fitting if len(self._patients(fitting)) == 1 else set()

    def _patients(self, studies: Iterable[str]) -> set[str]:
        return {self._studies[uid].patient for uid in studies}

    def _of_patient(self, sidecar: Sidecar) -> set[str]:
        found: set[str] = set()
        told = self._patients_of(sidecar)
        for issued in sidecar.ties.patient_identifiers:
            issuer = self._issuers.mapped(issued)
            mapped = "" if issuer is None else patient_identity(issuer, issued.value, "")
            fitting = set()
            for study in self._studies.values():
                if mapped and any(
                    patient_identity(*each, "") == mapped for each in study.patient_ids
                ):
                    found.add(study.uid)
                elif self._may_be(issued, issuer, study) and any(
                    _agree(each, study) for each in told
                ):
                    fitting.add(study.uid)
            if len(self._patients(fitting)) > 1:
                fitting = self._beside(sidecar, fitting)
            if len(self._patients(fitting)) == 1 and not (mapped and found):
                found |= fitting
        return found

    def _may_be(self, issued: Issued, issuer: str | None, study: Study) -> bool:
        """Whether a patient's number is a study's, whose issuer one of the two does not name."""
        return any(
            number == issued.value and (issuer is None or not known)
            for known, number in study.patient_ids
        )

    def _patients_of(self, sidecar: Sidecar) -> list[Ties]:
        """Return what is known of the patient whom a resource tells of, itself included."""
        around = [
            self._sidecars[number].ties
            for number in self._referred(sidecar)
            if self._sidecars[number].ties.type == "Patient"
        ]
        return [sidecar.ties, *around] if sidecar.ties.type == "Patient" else around

    def _is_contradicted(self, sidecar: Sidecar, study_uid: str) -> bool:
        study = self._studies[study_uid]
        return any(_disagree(each, study) for each in self._patients_of(sidecar))

    def _beside(self, sidecar: Sidecar, studies: set[str]) -> set[str]:
        """Return those of several studies whose files lay beside the resource; all, if none did."""
        if not sidecar.drop_folder:
            return studies
        place = (sidecar.drop_folder, sidecar.drop_name)
        named = {uid for uid in studies if place in self._studies[uid].drops}
        if named:
            return named
        folder = sidecar.drop_folder
        return {
            uid for uid in studies if any(each == folder for each, _ in self._studies[uid].drops)
        } or studies

    # -- by references --

    def _referred(self, sidecar: Sidecar) -> list[int]:
        """Return the resources that one refers to, those of its own drop before others'."""
        found: dict[int, None] = {}
        for address in sidecar.ties.references:
            found |= dict.fromkeys(self._nearest(sidecar, self._at.get(address, ())))
        for search in sidecar.ties.searches:
            found |= dict.fromkeys(self._nearest(sidecar, self._by_search.get(search, ())))
        return [number for number in found if number != sidecar.number]

    def _nearest(self, sidecar: Sidecar, numbers: Iterable[int]) -> list[int]:
        found = list(numbers)
        own = [n for n in found if self._sidecars[n].drop_folder == sidecar.drop_folder]
        return own or found

    def _edges(self) -> dict[int, set[int]]:
        """Return who is joined by a reference, in both directions; nobody through what many share."""
        edges: dict[int, set[int]] = {number: set() for number in self._sidecars}
        for number, sidecar in self._sidecars.items():
            if sidecar.ties.type in SHARED:
                continue
            for other in self._referred(sidecar):
                if self._sidecars[other].ties.type not in SHARED:
                    edges[number].add(other)
                    edges[other].add(number)
        return edges

    def _spread(self) -> None:
        """Let ties reach what is joined to a tied resource, level by level, nearest first."""
        edges = self._edges()
        level = {number for number, found in self._found.items() if isinstance(found, Tied)}
        while level:
            reached: dict[int, list[Tied]] = {}
            for number in sorted(level):
                found = self._found[number]
                assert isinstance(found, Tied)
                for other in edges[number]:
                    if other not in self._found:
                        reached.setdefault(other, []).append(found)
            level = set()
            for number in sorted(reached):
                joined = _joined(reached[number])
                self._found[number] = joined
                if isinstance(joined, Tied):
                    level.add(number)

    def _refuse_contradictory_references(self) -> None:
        """Refuse what refers to resources of two patients: one of the references is wrong."""
        wrong: dict[int, Conflict] = {}
        for number, found in self._found.items():
            sidecar = self._sidecars[number]
            if isinstance(found, Conflict) or sidecar.ties.type in SHARED:
                continue
            for other in self._referred(sidecar):
                theirs = self._found.get(other)
                if isinstance(theirs, Tied) and theirs.patient not in {"", found.patient}:
                    wrong[number] = _conflict(
                        [*((found.by, uid) for uid in found.studies)]
                        + [(By.REFERENCE, uid) for uid in theirs.studies]
                    )
        self._found |= wrong

    def _share(self) -> None:
        """Let what is shared go with everybody tied who refers to it, directly or through another."""
        level = [number for number, found in self._found.items() if isinstance(found, Tied)]
        while level:
            reached: dict[int, set[str]] = {}
            for number in sorted(level):
                found = self._found[number]
                assert isinstance(found, Tied)
                for other in self._referred(self._sidecars[number]):
                    if self._sidecars[other].ties.type in SHARED:
                        reached.setdefault(other, set()).update(found.studies)
            level = []
            for number, studies in sorted(reached.items()):
                before = self._found.get(number)
                known = before.studies if isinstance(before, Tied) else frozenset()
                if not studies <= known:
                    self._found[number] = Tied(known | studies, "", By.REFERENCE)
                    level.append(number)


def _joined(ties: Collection[Tied]) -> Tied | Conflict:
    studies = frozenset(uid for each in ties for uid in each.studies)
    patients = {each.patient for each in ties}
    if len(patients) > 1:
        return _conflict((By.REFERENCE, uid) for uid in studies)
    return Tied(studies, patients.pop(), By.REFERENCE)


def _conflict(sides: Iterable[tuple[By, str]]) -> Conflict:
    return Conflict(tuple(sorted(set(sides))))


def _agree(patient: Ties, study: Study) -> bool:
    return _verdict(patient, study) is True


def _disagree(patient: Ties, study: Study) -> bool:
    return _verdict(patient, study) is False


def _verdict(patient: Ties, study: Study) -> bool | None:
    """Return whether birth dates are the same, or else family names; None where both sides have neither.

    A name may have changed, or be written in characters that its instance does not declare; a date of birth
    that differs is somebody else's, whatever he is called.
    """
    birth_date = patient.birth_date.replace("-", "")
    if birth_date and study.birth_dates:
        return any(_is_prefix(birth_date, each) for each in study.birth_dates)
    names = {folded(each) for each in patient.family_names} - {""}
    if names and study.family_names:
        return not names.isdisjoint(study.family_names)
    return None


def is_of_another(one: Ties, other: Ties) -> bool:
    """Whether two resources of one type and id cannot be versions of one: they tell of others.

    Two hospitals count their resources alike, so that each has a ``Patient/1``. A number that changed while
    birth date or family name stayed the same is a patient who was merged, or got another.
    """
    for name in ("uids", "accessions"):
        mine, theirs = _values(getattr(one, name)), _values(getattr(other, name))
        if mine and theirs and mine.isdisjoint(theirs):
            return True
    numbers, others = set(one.patient_identifiers), set(other.patient_identifiers)
    if not numbers.isdisjoint(others):
        return False
    births = one.birth_date.replace("-", ""), other.birth_date.replace("-", "")
    if all(births):
        return not _is_prefix(*births)
    families = [{folded(each) for each in ties.family_names} - {""} for ties in (one, other)]
    if all(families):
        return families[0].isdisjoint(families[1])
    return not {each.system for each in numbers}.isdisjoint(each.system for each in others)


def _values(given: Iterable[str | Issued]) -> set[str]:
    return {each if isinstance(each, str) else each.value for each in given}


def _is_prefix(one: str, other: str) -> bool:
    length = min(len(one), len(other))
    return length >= 4 and one[:length] == other[:length]


def folded(name: str) -> str:
    """Return one spelling of a family name: without accents, marks and case."""
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(each for each in decomposed if each.isalnum()).casefold()


def plain(issuer: str) -> str:
    """Return one spelling of an issuer: without case and doubled spaces."""
    return " ".join(issuer.split()).casefold()
