"""Encapsulated documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.synthetic.elements import as_ascii, make_code, text_for, update
from daemon.synthetic.instance import add_equipment, add_study_details, make_instance
from daemon.synthetic.patients import PATIENTS, Patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def make_document(
    patient: Patient = PATIENTS[4],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 30,
    instance: int = 1,
) -> Dataset:
    """Make an encapsulated PDF whose page names the patient."""
    dataset = make_instance(
        "DOC", patient, seed=seed, study=study, series=series, instance=instance
    )
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "DOC", "Veilscanner")
    update(
        dataset,
        SeriesDescription="Referral letter",
        ConversionType="SD",
        BurnedInAnnotation="YES",
        DocumentTitle=text_for(patient, "Referral letter " + patient.name.split("=")[0]),
        MIMETypeOfEncapsulatedDocument="application/pdf",
        AcquisitionDateTime=dataset.StudyDate + "080000",
    )
    dataset.ConceptNameCodeSequence = [make_code("57133-1", "LN", "Referral note")]
    page = _pdf(f"Patient {as_ascii(patient.name)} ID {as_ascii(patient.patient_id)}")
    dataset.EncapsulatedDocument = page + b"\x00" * (len(page) % 2)
    dataset.EncapsulatedDocumentLength = len(page)
    return dataset


def _pdf(text: str) -> bytes:
    """Write a one-page PDF."""
    words = text.replace("\\", "").replace("(", "").replace(")", "")
    stream = f"BT /F1 14 Tf 72 720 Td ({words}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        body + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n"
        b"<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            size,
            table,
            size,
            len(body),
        )
    )
