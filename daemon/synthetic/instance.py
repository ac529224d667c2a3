"""What every instance has, whatever made it: SOP Common, Patient, Study, Series, Equipment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from daemon.synthetic.elements import (
    as_ascii,
    make_code,
    make_item,
    original_uid,
    person_name,
    text_for,
    update,
)

if TYPE_CHECKING:
    from typing import Any

    from daemon.synthetic.patients import Patient


SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "enhanced MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "US": "1.2.840.10008.5.1.4.1.1.3.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
    "KO": "1.2.840.10008.5.1.4.1.1.88.59",
    "PR": "1.2.840.10008.5.1.4.1.1.11.1",
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "SEG": "1.2.840.10008.5.1.4.1.1.66.4",
    "DOC": "1.2.840.10008.5.1.4.1.1.104.1",
}


_FIRST_DAY = dt.date(2024, 2, 5)


def make_instance(
    kind: str, patient: Patient, *, seed: int, study: int, series: int, instance: int
) -> Dataset:
    """Make a dataset with what every instance has: SOP Common, Patient, Study, Series."""
    dataset = Dataset()
    day = (_FIRST_DAY + dt.timedelta(days=37 * study + 11 * seed)).strftime("%Y%m%d")
    modality = kind if kind in SOP_CLASSES and " " not in kind else kind.rsplit(maxsplit=1)[-1]
    uid = original_uid(patient.patient_id, seed, study, series, instance)
    if patient.character_set:
        sets = patient.character_set
        dataset.SpecificCharacterSet = list(sets) if len(sets) > 1 else sets[0]
    update(
        dataset,
        SOPClassUID=SOP_CLASSES[kind],
        SOPInstanceUID=uid,
        InstanceCreationDate=day,
        InstanceCreationTime="093015.125000",
        InstanceCreatorUID=original_uid(patient.institution, "creator"),
        TimezoneOffsetFromUTC="+0100",
        Modality=modality,
        StudyInstanceUID=original_uid(patient.patient_id, seed, study, "study"),
        SeriesInstanceUID=original_uid(patient.patient_id, seed, study, series, "series"),
        StudyID=f"S{seed}{study:04d}",
        SeriesNumber=series,
        InstanceNumber=instance,
        StudyDate=day,
        SeriesDate=day,
        StudyTime="090000",
        SeriesTime="091000",
        AccessionNumber=f"ACC{sum(map(ord, patient.patient_id)) % 900 + 100}{seed}{study:03d}",
        PatientBirthDate=patient.birth_date,
        PatientSex=patient.sex,
    )
    if kind != "RTSTRUCT":
        dataset.ContentDate = day
        dataset.ContentTime = "091122.500000"
    if kind not in {"SR", "KO", "PR", "RTSTRUCT", "DOC", "SEG"}:
        dataset.AcquisitionDate = day
        dataset.AcquisitionTime = "091121.750000"
    dataset.PatientName = person_name(patient, patient.name)
    dataset.PatientID = text_for(patient, patient.patient_id)
    if patient.issuer:
        dataset.IssuerOfPatientID = patient.issuer
    dataset.ReferringPhysicianName = person_name(patient, patient.referring_physician)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = original_uid("implementation")
    dataset.file_meta.ImplementationVersionName = "VEILDEMO_1"
    dataset.file_meta.SourceApplicationEntityTitle = "DEMO_" + dataset.Modality[:4]
    return dataset


def add_study_details(dataset: Dataset, patient: Patient, seed: int, study: int) -> None:
    """Add what a scheduled, performed and requested procedure leaves behind in a header."""
    surname = patient.name.split("^")[0].split("=")[0]
    update(
        dataset,
        StudyDescription="Chest " + dataset.Modality,
        PatientAge=patient.age,
        PatientSize="1.74",
        PatientWeight="78",
        EthnicGroup="UNKNOWN",
        Occupation="Teacher",
        SmokingStatus="NO",
        PregnancyStatus=4,
        MedicalAlerts="Contrast reaction 2019",
        Allergies="Penicillin",
        PatientState="awake",
    )
    for keyword, value in (
        ("InstitutionName", patient.institution),
        ("InstitutionAddress", patient.address),
        ("InstitutionalDepartmentName", patient.ward),
        ("PatientAddress", patient.address),
        ("PatientTelephoneNumbers", patient.telephone),
        ("CurrentPatientLocation", patient.ward),
        ("AdmissionID", f"ADM-{seed}{study:05d}"),
        ("PatientComments", patient.comment),
        ("AdditionalPatientHistory", patient.comment),
        ("RequestedProcedureDescription", f"Thorax {surname}"),
        ("StudyComments", patient.comment),
        ("PerformedProcedureStepDescription", "Chest routine"),
        ("PerformedProcedureStepID", f"PPS{seed}{study:05d}"),
        ("PerformedStationAETitle", "SCANNER1"),
        ("PerformedLocation", patient.ward[:4]),
    ):
        setattr(dataset, keyword, text_for(patient, value))
    for keyword, name in (
        ("PerformingPhysicianName", patient.operator),
        ("OperatorsName", patient.operator),
        ("NameOfPhysiciansReadingStudy", patient.referring_physician),
        ("PhysiciansOfRecord", patient.referring_physician),
        ("RequestingPhysician", patient.referring_physician),
        ("OtherPatientNames", patient.name),
        ("PatientMotherBirthName", patient.operator),
    ):
        setattr(dataset, keyword, person_name(patient, name))
    dataset.PerformedProcedureStepStartDate = dataset.StudyDate
    dataset.PerformedProcedureStepStartTime = "090500"
    dataset.PerformedProcedureStepEndDate = dataset.StudyDate
    dataset.PerformedProcedureStepEndTime = "093500"
    dataset.OtherPatientIDsSequence = [
        make_item(
            PatientID=text_for(patient, patient.patient_id + "-OLD"),
            IssuerOfPatientID="ARCHIVE",
            TypeOfPatientID="TEXT",
        )
    ]
    dataset.ReferencedStudySequence = [
        make_item(
            ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
            ReferencedSOPInstanceUID=dataset.StudyInstanceUID,
        )
    ]
    if dataset.Modality not in {"SR", "KO"}:
        dataset.ReferencedPerformedProcedureStepSequence = [
            make_item(
                ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.3",
                ReferencedSOPInstanceUID=original_uid(patient.patient_id, seed, study, "mpps"),
            )
        ]
    dataset.ProcedureCodeSequence = [make_code("THX1", "99VEILDEMO", "Thorax CT routine")]
    request = make_item(
        AccessionNumber=dataset.AccessionNumber,
        RequestedProcedureID=f"RP{seed}{study:05d}",
        RequestedProcedureDescription=text_for(patient, f"Thorax {surname}"),
        ScheduledProcedureStepID=f"SPS{seed}{study:05d}",
        ScheduledProcedureStepDescription="Chest routine",
        ReasonForTheRequestedProcedure=text_for(patient, patient.comment)[:64],
    )
    request.RequestingPhysician = person_name(patient, patient.referring_physician)
    request.ScheduledProtocolCodeSequence = [make_code("THX1", "99VEILDEMO", "Thorax CT routine")]
    dataset.RequestAttributesSequence = [request]
    physician = make_item(
        PersonIdentificationCodeSequence=[
            make_code("P-0711", "99VEILDEMO", as_ascii(patient.referring_physician))
        ],
        PersonTelephoneNumbers=text_for(patient, patient.telephone),
        InstitutionName=text_for(patient, patient.institution),
    )
    dataset.ReferringPhysicianIdentificationSequence = [physician]


def add_equipment(dataset: Dataset, patient: Patient, kind: str, model: str) -> None:
    """Add what made the instance, and what forwarded it."""
    update(
        dataset,
        Manufacturer="Veil Example Systems",
        ManufacturerModelName=model,
        StationName=f"{kind[:6]}STATION01",
        DeviceSerialNumber="SN" + original_uid(patient.institution, kind)[-6:],
        SoftwareVersions=["VA 4.2", "R17"],
        DeviceUID=original_uid(patient.institution, kind, "device"),
    )
    contributor = make_item(
        Manufacturer="Veil Example Systems",
        InstitutionName=text_for(patient, patient.institution),
        StationName="GATEWAY7",
        ContributionDateTime=dataset.StudyDate + "093000",
        ContributionDescription="Forwarded",
    )
    contributor.PurposeOfReferenceCodeSequence = [
        make_code("109101", "DCM", "Acquisition Equipment")
    ]
    contributor.OperatorsName = person_name(patient, patient.operator)
    dataset.ContributingEquipmentSequence = [contributor]


def make_reference(kind: str, uid: str) -> Dataset:
    """Make an item that refers to an instance (PS3.3 10.8)."""
    return make_item(ReferencedSOPClassUID=SOP_CLASSES[kind], ReferencedSOPInstanceUID=uid)


def make_content_item(
    value_type: str, relationship: str, concept: tuple[str, str, str] | None, **values: Any
) -> Dataset:
    """Make a content item (PS3.3 C.17.3)."""
    item = make_item(RelationshipType=relationship, ValueType=value_type)
    if concept:
        item.ConceptNameCodeSequence = [make_code(*concept)]
    update(item, **values)
    return item
