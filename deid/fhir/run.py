"""The passage through one document: whose resource it is at, what was met, what was done."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.references import Fragment, Literal, Urn, parse_reference
from deid.identity.shifts import UNMOVED
from deid.tables.fhir import fhir_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.fhir.context import Context
    from deid.fhir.entries import Entry
    from deid.fhir.plan import FhirPlan
    from deid.fhir.reading import Resource
    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.residual import Forbidden
    from deid.identity.shifts import Shift

_OWNERS: Final = ("patient", "subject", "beneficiary", "individual", "for")
"""Elements that say whose a resource is, the surest first."""
_ADDRESSED: Final = (Literal, Urn)


class Run:
    """See above. Original values: never for logs.

    Attributes
    ----------
    forbidden
        On the second pass, what may not be left; None on the first.
    open
        Strings that were kept because their words are recognised or their shape is usual: all that may
        hold a name after the first pass, as everything else is replaced, computed, or from closed lists.
    met
        Originals that identify, with their infoTypes.
    """

    __slots__ = (
        "actions",
        "contained",
        "context",
        "dates",
        "displays",
        "forbidden",
        "found",
        "identities",
        "identity",
        "inside",
        "kind",
        "known",
        "met",
        "numbers",
        "open",
        "patients",
        "plan",
        "pseudonym",
        "pseudonyms",
        "references",
        "residuals",
        "shift",
        "shifts",
        "sole",
        "warnings",
    )

    def __init__(
        self,
        plan: FhirPlan,
        context: Context,
        known: tuple[KnownIdentifier, ...],
        forbidden: Forbidden | None = None,
    ) -> None:
        self.plan = plan
        self.context = context
        self.forbidden = forbidden
        self.known = known
        self.inside = 0
        self.numbers: dict[tuple[str, str], str] = dict(context.numbers)
        self.found: set[str] = set()
        self.displays: set[str] = set()
        self.pseudonyms: set[str] = set()
        self.actions: Counter[tuple[str, str]] = Counter()
        self.open: set[str] = set()
        self.met: set[tuple[str, str]] = set()
        self.residuals: list[str] = []
        self.warnings: set[str] = set()
        self.references: dict[str, str | None] = {}
        self.identities: dict[str, str] = {}
        self.patients: frozenset[str] = frozenset()
        self.sole = ""
        self.kind = ""
        self.identity = ""
        self.pseudonym = ""
        self.shift: Shift = UNMOVED
        self.contained: dict[str, Resource] = {}
        self.dates: dict[str, str | None] = {}
        self.shifts: dict[Shift, dict[str, str | None]] = {}

    def survey(self, entries: Iterable[Entry]) -> None:
        """Learn who the patients of the document are."""
        for entry in entries:
            self.learn(entry)
        self.conclude()

    def learn(self, entry: Entry) -> None:
        """Learn of one resource whether it is a patient, and who."""
        resource, known = entry.resource, self.context.identities
        if resource.get("resourceType") != "Patient":
            return
        addresses = entry.addresses()
        identity = next((known[each] for each in addresses if each in known), "")
        identity = identity or self._identity_of(resource, addresses)
        self.found.add(identity)
        self._learn_numbers(resource, identity)
        for each in addresses:
            self.identities[each] = identity

    def conclude(self) -> None:
        """Put what was learnt to what was known."""
        self.identities.update(self.context.identities)
        self.patients = frozenset({*self.identities.values(), self.context.identity} - {""})
        self.sole = self.context.identity or (
            next(iter(self.found)) if len(self.found) == 1 else ""
        )

    def _learn_numbers(self, patient: Resource, identity: str) -> None:
        given = patient.get("identifier")
        for each in given if isinstance(given, list) else ():
            value = each.get("value") if isinstance(each, dict) else None
            if isinstance(value, str):
                system = each.get("system")
                self.numbers[system if isinstance(system, str) else "", value.strip()] = identity

    def _identity_of(self, patient: Resource, addresses: tuple[str, ...]) -> str:
        """Return a patient's identity: by an identifier that the site maps, else by the address."""
        issuers = self.plan.policy.issuers
        given = patient.get("identifier")
        for each in given if isinstance(given, list) else ():
            if not isinstance(each, dict):
                continue
            system, value = each.get("system"), each.get("value")
            if (
                isinstance(system, str)
                and system in issuers
                and isinstance(value, str)
                and value.strip()
            ):
                return self.plan.identity(system, value)
        return named(addresses[0]) if addresses else self.context.identity

    def enter(self, entry: Entry) -> None:
        """Go on to a resource: from here on, its patient's shift."""
        resource = entry.resource
        self.kind = str(resource.get("resourceType", ""))
        given = resource.get("contained")
        self.contained = {
            each["id"]: each
            for each in (given if isinstance(given, list) else ())
            if isinstance(each, dict) and isinstance(each.get("id"), str)
        }
        identity = self._owner(entry)
        if identity == self.identity and self.pseudonym:
            return
        self.identity = identity
        self.pseudonym, self.shift = self.plan.patient(identity)
        if identity in self.patients:
            self.pseudonyms.add(self.pseudonym)
        self.dates = self.shifts.setdefault(self.shift, {})

    def _owner(self, entry: Entry) -> str:
        identities = self.identities
        if self.kind == "Patient" or self.context.identities:
            for address in entry.addresses():
                if address in identities:
                    return identities[address]
        is_told = self.kind == "Bundle"  # its entries are entered one by one
        for name in owner_elements(self.kind):
            value = entry.resource.get(name)
            is_told = is_told or value is not None
            for each in value if isinstance(value, list) else (value,):
                owner = self._referred(each)
                if owner:
                    return owner
        alone = set() if is_told else set(self._patients_in(entry.resource))
        if len(alone) == 1:
            return alone.pop()
        return self.sole or next(map(named, entry.addresses()), "resource")

    def _patients_in(self, value: Any) -> Iterator[str]:
        """Yield the identities of the patients to whom references refer, wherever they stand."""
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, dict):
                reference = each.get("reference")
                if isinstance(reference, str):
                    parsed = parse_reference(reference)
                    if isinstance(parsed, _ADDRESSED) and (found := self._addressed(parsed)):
                        yield found
                yield from self._patients_in(each)
            elif isinstance(each, list):
                yield from self._patients_in(each)

    def _addressed(self, parsed: Literal | Urn) -> str:
        """Return the identity of the patient that an address names; empty when it names no patient."""
        found = self.identities.get(parsed.address, "")
        if found or not (isinstance(parsed, Literal) and parsed.type == "Patient"):
            return found
        return named(parsed.address)

    def _referred(self, value: Any) -> str:
        if not isinstance(value, dict):
            return ""
        reference = value.get("reference")
        if isinstance(reference, str):
            parsed = parse_reference(reference)
            if isinstance(parsed, Fragment):
                inner = self.contained.get(parsed.id, {})
                if inner.get("resourceType") == "Patient":
                    return self._identity_of(inner, ()) or self.sole
                return ""
            if isinstance(parsed, _ADDRESSED):
                return self._addressed(parsed)
            if parsed is not None and parsed.type == "Patient":
                for system, each in parsed.identifiers():
                    return self._numbered(system, each)
        identifier = value.get("identifier")
        is_patients = value.get("type", "Patient") == "Patient"
        if (
            is_patients
            and isinstance(identifier, dict)
            and isinstance(identifier.get("value"), str)
        ):
            issued_by = identifier.get("system")
            return self._numbered(
                issued_by if isinstance(issued_by, str) else "", identifier["value"]
            )
        return ""

    def _numbered(self, system: str, value: str) -> str:
        """Return the identity of a patient of whom a number is known: the document's, where one has it."""
        return self.numbers.get((system, value.strip())) or self._identity_by(system, value)

    def _identity_by(self, system: str, value: str) -> str:
        """Return the identity that a number alone gives: a mapped one's, a known patient's, or its own."""
        identity = self.plan.identity(system, value.strip())
        if system in self.plan.policy.issuers or identity in self.patients:
            return identity
        return f"number|{len(system)}|{system}|{value.strip()}"

    def patient_label(self, system: str, value: str) -> str:
        """Return the pseudonym for one of the numbers by which a patient is known."""
        if self.plan.replacements.is_own_pseudonym(value):
            return value
        return self.plan.patient(self._identity_by(system, value))[0]

    def meets(self, value: Any, info_type: str) -> None:
        """Remember an original that must not be left anywhere."""
        if isinstance(value, str) and value:
            self.met.add((value, info_type))

    def keeps(self, path: str, text: str) -> bool:
        """Whether a string that was judged harmless may stay; on the second pass, unless it names somebody."""
        if self.forbidden is None:
            self.open.add(text)
            return True
        if self.finds(text):
            self.residuals.append(path)
            return False
        return True

    def finds(self, text: str) -> bool:
        """Whether the last search finds somebody in a string, once it is made."""
        raw = text.encode("utf-8", "replace")
        return self.forbidden is not None and self.forbidden.occurs_in(raw, text, vr="LO")


def named(address: str) -> str:
    """Return the identity of a patient of whom only an address is known."""
    return f"fhir|{address}"


def owner_elements(kind: str) -> tuple[str, ...]:
    """Return the elements of a type of resource that say whose it is."""
    found = _owner_elements.get(kind)
    if found is None:
        elements = fhir_types().get(kind, {})
        found = tuple(
            name
            for name in _OWNERS
            if name in elements
            and elements[name].type == "Reference"
            and not {"Patient", "Resource"}.isdisjoint(elements[name].targets)
        )
        _owner_elements[kind] = found
    return found


_owner_elements: dict[str, tuple[str, ...]] = {}
