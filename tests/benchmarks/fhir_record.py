"""A generated record as hospitals' systems export one: a patient's resources over years, linked."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any, Final

Resource = dict[str, Any]

_LOINC: Final = (
    ("8302-2", "Body height", "cm", 168.0),
    ("29463-7", "Body weight", "kg", 71.0),
    ("8310-5", "Body temperature", "Cel", 36.6),
    ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 187.0),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 5.4),
    ("33914-3", "Glomerular filtration rate/1.73 sq M.predicted", "mL/min", 74.3),
)
_CONDITIONS: Final = (
    ("38341003", "Hypertension"),
    ("44054006", "Diabetes"),
    ("195662009", "Acute viral pharyngitis"),
    ("49727002", "Cough"),
)
_PROCEDURES: Final = (
    ("77477000", "Computed tomography"),
    ("113091000", "Magnetic resonance imaging"),
    ("80146002", "Appendectomy"),
)
_DRUGS: Final = (("314076", "lisinopril 10 MG Oral Tablet"), ("860975", "metformin 500 MG"))
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"


def record(resources: int, *, seed: int = 1, kind: str = "transaction") -> Resource:
    """Return a Bundle of one patient's record with about so many resources.

    Each visit has an encounter, and observations, conditions, procedures, prescriptions, claims and
    explanations of benefits, immunisations, reports, care plans with goals, studies and documents.
    """
    made = _Record(random.Random(seed))
    made.start()
    while len(made.entries) < resources:
        made.visit()
    return {"resourceType": "Bundle", "type": kind, "entry": made.entries}


class _Record:
    def __init__(self, chance: random.Random) -> None:
        self.entries: list[Resource] = []
        self._chance = chance
        self._day = date(2009, 3, 2)
        self._patient = self._doctor = self._house = self._insurance = ""

    def _uuid(self) -> str:
        bits = f"{self._chance.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"

    def _add(self, kind: str, **elements: Any) -> str:
        name = self._uuid()
        self.entries.append(
            {
                "fullUrl": f"urn:uuid:{name}",
                "resource": {"resourceType": kind, "id": name, **elements},
                "request": {"method": "POST", "url": kind},
            }
        )
        return f"urn:uuid:{name}"

    def start(self) -> None:
        self._patient = self._add(
            "Patient",
            text={
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml">Mary Fictional</div>',
            },
            identifier=[
                {
                    "type": _concept(f"{_HL7}v2-0203", "MR", "Medical record number"),
                    "system": "http://hospital.example/mrn",
                    "value": "E0098123",
                }
            ],
            name=[
                {
                    "use": "official",
                    "family": "Fictional",
                    "given": ["Mary", "Ann"],
                    "prefix": ["Mrs."],
                }
            ],
            telecom=[{"system": "phone", "value": "+44 20 7946 0958", "use": "home"}],
            gender="female",
            birthDate="1951-12-31",
            address=[
                {
                    "line": ["12 Nowhere Lane"],
                    "city": "Exampleton",
                    "state": "MA",
                    "postalCode": "02139",
                    "country": "US",
                }
            ],
            maritalStatus=_concept(f"{_HL7}v3-MaritalStatus", "M", "Married", text="Married"),
            multipleBirthBoolean=False,
        )
        self._house = self._add(
            "Organization",
            identifier=[{"system": "http://hospital.example/house", "value": "7"}],
            active=True,
            name="Exampleton General Hospital",
            telecom=[{"system": "phone", "value": "555-0100"}],
        )
        self._doctor = self._add(
            "Practitioner",
            identifier=[{"system": "http://hl7.org/fhir/sid/us-npi", "value": "9999972794"}],
            active=True,
            name=[{"family": "Invented", "given": ["Thomas"], "prefix": ["Dr."]}],
        )
        self._insurance = self._add(
            "Coverage",
            status="active",
            beneficiary=self._to_patient(),
            payor=[{"display": "Medicare"}],
        )

    def _to_patient(self) -> Resource:
        return {"reference": self._patient, "display": "Mary Fictional"}

    def _to_doctor(self) -> Resource:
        return {"reference": self._doctor, "display": "Dr. Thomas Invented"}

    def _moment(self, hours: int = 0) -> str:
        return f"{self._day.isoformat()}T{8 + hours:02}:{self._chance.randrange(60):02}:11-05:00"

    def visit(self) -> None:
        self._day += timedelta(days=self._chance.randrange(5, 90))
        encounter = {"reference": self._encounter()}
        for _ in range(self._chance.randrange(5, 9)):
            self._observation(encounter)
        condition = self._condition(encounter)
        self._procedure(encounter, condition)
        drug = self._prescription(encounter, condition)
        self._claim(encounter, drug)
        self._report(encounter)
        if self._chance.random() < 0.3:
            self._plan(encounter, condition)
        if self._chance.random() < 0.3:
            self._study(encounter)

    def _encounter(self) -> str:
        return self._add(
            "Encounter",
            status="finished",
            **{"class": {"system": f"{_HL7}v3-ActCode", "code": "AMB"}},
            type=[
                _concept(
                    "http://snomed.info/sct",
                    "185345009",
                    "Encounter for symptom",
                    text="Encounter for symptom",
                )
            ],
            subject=self._to_patient(),
            participant=[{"individual": self._to_doctor()}],
            period={"start": self._moment(), "end": self._moment(1)},
            serviceProvider={"reference": self._house, "display": "Exampleton General Hospital"},
        )

    def _observation(self, encounter: Resource) -> None:
        code, display, unit, usual = self._chance.choice(_LOINC)
        value = round(usual * self._chance.uniform(0.8, 1.2), self._chance.randrange(1, 5))
        self._add(
            "Observation",
            meta={"profile": ["http://hl7.org/fhir/StructureDefinition/vitalsigns"]},
            status="final",
            category=[_concept(f"{_HL7}observation-category", "vital-signs", "Vital Signs")],
            code=_concept("http://loinc.org", code, display, text=display),
            subject=self._to_patient(),
            encounter=encounter,
            effectiveDateTime=self._moment(),
            issued=self._moment()[:-6] + ".123-05:00",
            valueQuantity={
                "value": value,
                "unit": unit,
                "system": "http://unitsofmeasure.org",
                "code": unit,
            },
        )

    def _condition(self, encounter: Resource) -> str:
        code, display = self._chance.choice(_CONDITIONS)
        return self._add(
            "Condition",
            clinicalStatus=_concept(f"{_HL7}condition-clinical", "resolved", "Resolved"),
            verificationStatus=_concept(f"{_HL7}condition-ver-status", "confirmed", "Confirmed"),
            code=_concept("http://snomed.info/sct", code, display, text=display),
            subject=self._to_patient(),
            encounter=encounter,
            onsetDateTime=self._moment(),
            recordedDate=self._moment(),
        )

    def _procedure(self, encounter: Resource, condition: str) -> None:
        code, display = self._chance.choice(_PROCEDURES)
        self._add(
            "Procedure",
            status="completed",
            code=_concept("http://snomed.info/sct", code, display, text=display),
            subject=self._to_patient(),
            encounter=encounter,
            performedPeriod={"start": self._moment(), "end": self._moment(1)},
            reasonReference=[{"reference": condition, "display": "see condition"}],
        )

    def _prescription(self, encounter: Resource, condition: str) -> str:
        code, display = self._chance.choice(_DRUGS)
        return self._add(
            "MedicationRequest",
            status="stopped",
            intent="order",
            medicationCodeableConcept=_concept(
                "http://www.nlm.nih.gov/research/umls/rxnorm", code, display, text=display
            ),
            subject=self._to_patient(),
            encounter=encounter,
            authoredOn=self._moment(),
            requester=self._to_doctor(),
            reasonReference=[{"reference": condition}],
            dosageInstruction=[
                {
                    "sequence": 1,
                    "text": "Take one daily, call Dr. Invented with questions.",
                    "timing": {"repeat": {"frequency": 1, "period": 1.0, "periodUnit": "d"}},
                    "asNeededBoolean": False,
                    "doseAndRate": [
                        {
                            "type": _concept(f"{_HL7}dose-rate-type", "ordered", "Ordered"),
                            "doseQuantity": {"value": 1.0},
                        }
                    ],
                }
            ],
        )

    def _claim(self, encounter: Resource, drug: str) -> None:
        period = {"start": self._moment(), "end": self._moment(1)}
        amount = {"value": round(self._chance.uniform(20, 900), 2), "currency": "USD"}
        claim = self._add(
            "Claim",
            status="active",
            type=_concept(f"{_HL7}claim-type", "pharmacy", "Pharmacy"),
            use="claim",
            patient=self._to_patient(),
            billablePeriod=period,
            created=self._moment(1),
            provider={"reference": self._house, "display": "Exampleton General Hospital"},
            priority=_concept(f"{_HL7}processpriority", "normal", "Normal"),
            prescription={"reference": drug},
            insurance=[{"sequence": 1, "focal": True, "coverage": {"display": "Medicare"}}],
            item=[
                {
                    "sequence": 1,
                    "productOrService": _concept(
                        "http://snomed.info/sct", "185345009", "Encounter for symptom"
                    ),
                    "encounter": [encounter],
                }
            ],
            total=amount,
        )
        self._add(
            "ExplanationOfBenefit",
            status="active",
            type=_concept(f"{_HL7}claim-type", "pharmacy", "Pharmacy"),
            use="claim",
            patient=self._to_patient(),
            billablePeriod=period,
            created=self._moment(1),
            insurer={"display": "Medicare"},
            provider=self._to_doctor(),
            claim={"reference": claim},
            outcome="complete",
            insurance=[
                {"focal": True, "coverage": {"reference": self._insurance, "display": "Medicare"}}
            ],
            total=[
                {
                    "category": _concept(f"{_HL7}adjudication", "submitted", "Submitted Amount"),
                    "amount": amount,
                }
            ],
            payment={"amount": amount},
        )

    def _report(self, encounter: Resource) -> None:
        self._add(
            "DiagnosticReport",
            status="final",
            category=[_concept(f"{_HL7}v2-0074", "LAB", "Laboratory")],
            code=_concept(
                "http://loinc.org",
                "18748-4",
                "Diagnostic imaging study",
                text="Diagnostic imaging study",
            ),
            subject=self._to_patient(),
            encounter=encounter,
            effectiveDateTime=self._moment(),
            issued=self._moment()[:-6] + ".500-05:00",
            performer=[{"reference": self._house, "display": "Exampleton General Hospital"}],
            conclusion="Mary Fictional is well; see her letter.",
        )
        self._add(
            "Immunization",
            status="completed",
            vaccineCode=_concept(
                "http://hl7.org/fhir/sid/cvx", "140", "Influenza, seasonal", text="Influenza"
            ),
            patient=self._to_patient(),
            encounter=encounter,
            occurrenceDateTime=self._moment(),
            primarySource=True,
            lotNumber="L-4711",
        )

    def _plan(self, encounter: Resource, condition: str) -> None:
        goal = self._add(
            "Goal",
            lifecycleStatus="active",
            description={"text": "Mary walks twice a day"},
            subject=self._to_patient(),
            addresses=[{"reference": condition}],
        )
        self._add(
            "CarePlan",
            status="active",
            intent="order",
            category=[
                _concept("http://snomed.info/sct", "736376001", "Infectious disease care plan")
            ],
            subject=self._to_patient(),
            encounter=encounter,
            period={"start": self._moment()},
            addresses=[{"reference": condition}],
            goal=[{"reference": goal}],
            activity=[
                {
                    "detail": {
                        "code": _concept("http://snomed.info/sct", "229065009", "Exercise therapy"),
                        "status": "in-progress",
                        "location": {"display": "Exampleton General Hospital"},
                    }
                }
            ],
        )

    def _study(self, encounter: Resource) -> None:
        root = f"1.2.826.0.1.3680043.8.498.{self._chance.getrandbits(90)}"
        study = self._add(
            "ImagingStudy",
            identifier=[{"system": "urn:dicom:uid", "value": f"urn:oid:{root}"}],
            status="available",
            subject=self._to_patient(),
            encounter=encounter,
            started=self._moment(),
            numberOfSeries=1,
            numberOfInstances=1,
            series=[
                {
                    "uid": f"{root}.1",
                    "number": 1,
                    "modality": {
                        "system": "http://dicom.nema.org/resources/ontology/DCM",
                        "code": "DX",
                    },
                    "instance": [
                        {
                            "uid": f"{root}.1.1",
                            "sopClass": {
                                "system": "urn:ietf:rfc:3986",
                                "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1.1",
                            },
                            "number": 1,
                            "title": "Image of chest",
                        }
                    ],
                }
            ],
        )
        self._add(
            "DocumentReference",
            status="current",
            type=_concept("http://loinc.org", "34117-2", "History and physical note"),
            subject=self._to_patient(),
            date=self._moment(1)[:-6] + ".000-05:00",
            author=[self._to_doctor()],
            content=[{"attachment": {"contentType": "text/plain", "data": "TWFyeSBGaWN0aW9uYWw="}}],
            context={"encounter": [encounter], "related": [{"reference": study}]},
        )


def _concept(system: str, code: str, display: str, *, text: str = "") -> Resource:
    made: Resource = {"coding": [{"system": system, "code": code, "display": display}]}
    return {**made, "text": text} if text else made
