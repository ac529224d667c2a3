"""Resources in resources: contained ones, those of parameters, and a Bundle's entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deid.fhir.entries import Entry
from deid.fhir.leaves import REMOVED, malformed
from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.leaves import Leaf
    from deid.fhir.plan import FhirPlan
    from deid.fhir.run import Run

    NodeFor = Callable[[str, FhirPlan], Leaf]

LISTED: Final = words(
    """
    Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse Basic Binary
    BiologicallyDerivedProduct BodyStructure Bundle CarePlan CareTeam ChargeItem Claim ClaimResponse
    ClinicalImpression Communication CommunicationRequest Composition Condition Consent Coverage
    CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition
    DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest
    DocumentReference Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare
    ExplanationOfBenefit FamilyMemberHistory Flag Goal Group GuidanceResponse HealthcareService
    ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation InsurancePlan
    Invoice Linkage List Location MeasureReport Media Medication MedicationAdministration
    MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MessageHeader
    MolecularSequence NutritionOrder Observation OperationOutcome Organization
    OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person
    Practitioner PractitionerRole Procedure Questionnaire QuestionnaireResponse RelatedPerson
    RequestGroup ResearchStudy ResearchSubject RiskAssessment Schedule ServiceRequest Slot Specimen
    Substance SupplyDelivery SupplyRequest Task VisionPrescription
    """
)
"""Types that tell of a patient's health and care, or are needed to understand what does. All others go: who did
what in which system (AuditEvent, Provenance), and definitions, which are of sites rather than of patients."""


def kind_of(value: Any) -> str:
    """Return a resource's type where it is listed, otherwise nothing."""
    kind = value.get("resourceType") if type(value) is dict else None
    return kind if type(kind) is str and kind in LISTED else ""


def contained(path: str, node_for: NodeFor) -> Leaf:
    """Walk a contained resource (R4 2.3.4) as one of its own; it belongs to whom its container belongs to."""

    def one(value: Any, run: Run) -> Any:
        kind = kind_of(value)
        if not kind:
            if type(value) is not dict:
                raise malformed(path)
            run.actions[path, REMOVED] += 1
            return None
        run.inside += 1
        try:
            return node_for(kind, run.plan)(value, run)
        finally:
            run.inside -= 1

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not list:
            raise malformed(path)
        return [new for each in value if (new := one(each, run)) is not None] or None

    return leaf


def resource(path: str, node_for: NodeFor) -> Leaf:
    """Walk the resource of an entry, which `entry` went on to, or of a parameter."""
    is_entered = path == "Bundle.entry.resource"

    def leaf(value: Any, run: Run) -> Any:
        kind = kind_of(value)
        if not kind:
            if type(value) is not dict:
                raise malformed(path)
            run.actions[path, REMOVED] += 1
            return None
        if not is_entered:
            run.enter(Entry("", value))
        return node_for(kind, run.plan)(value, run)

    return leaf


def entry(path: str, node: Callable[[], Leaf]) -> Leaf:
    """Walk a Bundle's entry; one whose resource may not pass goes as a whole."""
    made: list[Leaf] = []  # when the first comes, as it may be a Bundle's, too

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not dict:
            raise malformed(path)
        inner = value.get("resource")
        if inner is not None:
            if type(inner) is not dict:
                raise malformed(f"{path}.resource")
            if not kind_of(inner):
                run.actions[path, REMOVED] += 1
                return None
            full_url = value.get("fullUrl")
            run.enter(Entry(full_url if type(full_url) is str else "", inner))
        if not made:
            made.append(node())
        return made[0](value, run)

    return leaf
