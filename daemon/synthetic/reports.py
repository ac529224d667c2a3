"""Structured reports and key object selections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.synthetic.elements import (
    make_code,
    make_item,
    original_uid,
    person_name,
    text_for,
    update,
)
from daemon.synthetic.instance import (
    add_equipment,
    add_study_details,
    make_content_item,
    make_instance,
    make_reference,
)
from daemon.synthetic.patients import PATIENTS, Patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_sr(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 10,
    instance: int = 1,
) -> Dataset:
    """Make a basic text report that names the patient in its sentences, three levels deep."""
    dataset = make_instance("SR", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "SR", "Veilreport")
    surname = patient.name.split("^")[0]
    update(
        dataset,
        SeriesDescription="Report",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        PreliminaryFlag="FINAL",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
    )
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.ConceptNameCodeSequence = [make_code("18748-4", "LN", "Diagnostic imaging report")]
    dataset.VerifyingObserverSequence = [
        make_item(
            VerifyingObserverName=person_name(patient, patient.referring_physician),
            VerifyingOrganization=text_for(patient, patient.institution),
            VerificationDateTime=dataset.StudyDate + "120000",
            VerifyingObserverIdentificationCodeSequence=[],
        )
    ]
    ct = original_uid(patient.patient_id, seed, study, 2, 1)
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        make_item(
            StudyInstanceUID=dataset.StudyInstanceUID,
            ReferencedSeriesSequence=[
                make_item(
                    SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
                    ReferencedSOPSequence=[make_reference("CT", ct)],
                )
            ],
        )
    ]
    dataset.ContentSequence = [
        make_content_item(
            "PNAME",
            "HAS OBS CONTEXT",
            ("121008", "DCM", "Person Observer Name"),
            PersonName=person_name(patient, patient.referring_physician),
        ),
        make_content_item(
            "DATE", "HAS OBS CONTEXT", ("111060", "DCM", "Study Date"), Date=dataset.StudyDate
        ),
        make_content_item(
            "UIDREF",
            "HAS OBS CONTEXT",
            ("121018", "DCM", "Procedure Study Instance UID"),
            UID=dataset.StudyInstanceUID,
        ),
        make_content_item(
            "CONTAINER",
            "CONTAINS",
            ("121070", "DCM", "Findings"),
            ContinuityOfContent="SEPARATE",
            ContentSequence=[
                make_content_item(
                    "TEXT",
                    "CONTAINS",
                    ("121071", "DCM", "Finding"),
                    TextValue=text_for(patient, f"{surname}: no focal lesion. {patient.comment}"),
                ),
                make_content_item(
                    "CODE",
                    "CONTAINS",
                    ("121071", "DCM", "Finding"),
                    ConceptCodeSequence=[make_code("17621005", "SCT", "Normal")],
                ),
                make_content_item(
                    "IMAGE",
                    "CONTAINS",
                    ("121180", "DCM", "Key Images"),
                    ReferencedSOPSequence=[make_reference("CT", ct)],
                ),
            ],
        ),
        make_content_item(
            "CONTAINER",
            "CONTAINS",
            ("121076", "DCM", "Conclusions"),
            ContinuityOfContent="SEPARATE",
            ContentSequence=[
                make_content_item(
                    "TEXT",
                    "CONTAINS",
                    ("121077", "DCM", "Conclusion"),
                    TextValue=text_for(
                        patient, f"Reported to {patient.referring_physician.split('^')[0]}"
                    ),
                )
            ],
        ),
    ]
    return dataset


def make_ko(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 11,
    instance: int = 1,
) -> Dataset:
    """Make a key object selection that points at the patient's first CT slices."""
    dataset = make_instance("KO", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "KO", "Veilreport")
    targets = [original_uid(patient.patient_id, seed, study, 2, n) for n in (1, 2)]
    update(
        dataset,
        SeriesDescription="Key images",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
    )
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.ConceptNameCodeSequence = [make_code("113000", "DCM", "Of Interest")]
    dataset.ContentTemplateSequence = [make_item(MappingResource="DCMR", TemplateIdentifier="2010")]
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        make_item(
            StudyInstanceUID=dataset.StudyInstanceUID,
            ReferencedSeriesSequence=[
                make_item(
                    SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
                    ReferencedSOPSequence=[make_reference("CT", uid) for uid in targets],
                )
            ],
        )
    ]
    dataset.ContentSequence = [
        make_content_item(
            "TEXT",
            "CONTAINS",
            ("113012", "DCM", "Key Object Description"),
            TextValue=text_for(patient, patient.comment),
        ),
        *(
            make_content_item(
                "IMAGE", "CONTAINS", None, ReferencedSOPSequence=[make_reference("CT", uid)]
            )
            for uid in targets
        ),
    ]
    return dataset
