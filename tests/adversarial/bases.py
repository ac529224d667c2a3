"""A plausible instance of each kind, about one invented person: the haystack of each needle."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid

from tests import factories
from tests.adversarial import values

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = "20190423"
_PATIENT = factories.Patient(
    name="Baseperson^Only",
    patient_id="BASE-1",
    issuer="",
    birth_date="19600101",
    sex="F",
    age="059Y",
    character_set=(),
    address="Base street 1",
    telephone="1",
    referring_physician="Basedoctor^One",
    operator="Baseoperator^Two",
    institution="Base hospital",
    ward="BASEWARD",
    comment="none",
)


def uid(*parts: object) -> UID:
    """Return the UID that stands for `parts` in the corpus."""
    return generate_uid("1.2.826.0.1.3680043.9.7433.", ["|".join(map(str, parts))])


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of a code sequence (PS3.3 Table 8.8-1)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def item(**elements: object) -> Dataset:
    """Return an item with attributes by keyword."""
    result = Dataset()
    for keyword, value in elements.items():
        assert tag_for_keyword(keyword) is not None, keyword
        setattr(result, keyword, value)
    return result


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Return a SOP Instance Reference (PS3.3 Table 10-11)."""
    return item(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)


CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
CT_UID = uid("CT", 1)


def base(kind: str) -> Dataset:
    """Return a fresh instance of a kind, in Explicit VR Little Endian.

    It is read from bytes: what a hiding place does not touch stays undecoded, which is quick.
    """
    return dcmread(io.BytesIO(_encoded(kind)))


@cache
def _encoded(kind: str) -> bytes:
    return factories.encoded(_base(kind))


@cache
def _base(kind: str) -> Dataset:
    dataset = KINDS[kind]()
    dataset.PatientName = values.OWN_NAME
    dataset.PatientID = values.OWN_ID
    dataset.PatientBirthDate = values.OWN_BIRTH_DATE
    dataset.PatientTelephoneNumbers = values.OWN_PHONE
    dataset.PatientAddress = values.OWN_ADDRESS
    dataset.ReferringPhysicianName = values.OWN_PHYSICIAN
    dataset.OperatorsName = values.OWN_OPERATOR
    dataset.AccessionNumber = values.OWN_ACCESSION
    dataset.InstitutionName = values.OWN_INSTITUTION
    return dataset


def _dressed(sop_class_uid: str, modality: str, model: str) -> Dataset:
    """Return the patient, study, series and equipment of a CT, as another kind of instance."""
    dataset = factories.make_ct(_PATIENT)
    keep = {
        "SpecificCharacterSet", "InstanceCreationDate", "StudyDate", "SeriesDate", "ContentDate",
        "StudyTime", "SeriesTime", "ContentTime", "AccessionNumber", "Manufacturer",
        "ReferringPhysicianName", "StudyDescription", "OperatorsName", "ManufacturerModelName",
        "DeviceSerialNumber", "SoftwareVersions", "InstitutionName", "StationName", "PatientName",
        "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyID",
        "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "RequestAttributesSequence",
        "ContributingEquipmentSequence", "OtherPatientIDsSequence",
    }  # fmt: skip
    for element in list(dataset):
        if element.keyword not in keep:
            del dataset[element.tag]
    instance = uid(modality, model)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
    dataset.SeriesInstanceUID = uid(modality, "series")
    dataset.Modality = modality
    dataset.ManufacturerModelName = model
    return dataset


def _pixels(dataset: Dataset, *, rows: int = 4, samples: int = 1, bits: int = 16) -> None:
    dataset.SamplesPerPixel = samples
    dataset.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    if samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.Rows = dataset.Columns = rows
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    count = rows * rows * samples * bits // 8
    value = bytes(n % 200 + 10 for n in range(count))
    dataset.add_new(0x7FE00010, "OW" if bits > 8 else "OB", value)


def _pet() -> Dataset:
    dataset = _dressed("1.2.840.10008.5.1.4.1.1.128", "PT", "Veilscan PET")
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.update(
        item(
            SeriesType=["STATIC", "IMAGE"], Units="BQML", CountsSource="EMISSION",
            NumberOfSlices=1, CorrectedImage=["DECY", "ATTN"], DecayCorrection="START",
            CollimatorType="NONE", FrameReferenceTime="0", ActualFrameDuration="120000",
            ImageIndex=1, RescaleIntercept="0", RescaleSlope="1.5", PixelSpacing=["4", "4"],
            SliceThickness="5", ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, 0], FrameOfReferenceUID=uid("PT", "frame"),
            PositionReferenceIndicator="", AcquisitionDate=DAY, AcquisitionTime="091122",
        )
    )  # fmt: skip
    dataset.RadiopharmaceuticalInformationSequence = [
        item(
            Radiopharmaceutical="FDG",
            RadionuclideTotalDose="350000000",
            RadionuclideHalfLife="6586.2",
            RadionuclideCodeSequence=[code("77004003", "SCT", "^18^Fluorine")],
        )
    ]
    _pixels(dataset)
    return dataset


def _ecg() -> Dataset:
    dataset = _dressed("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", "Veilcardio 12")
    dataset.AcquisitionDateTime = DAY + "091122"
    dataset.AcquisitionContextSequence = []
    channels = []
    for label, value in (("I", "5.6.3-9-1"), ("II", "5.6.3-9-2")):
        channels.append(
            item(
                ChannelSampleSkew="0",
                WaveformBitsStored=16,
                ChannelSensitivity="1.25",
                ChannelSensitivityUnitsSequence=[code("uV", "UCUM", "microvolt")],
                ChannelSensitivityCorrectionFactor="1",
                ChannelBaseline="0",
                ChannelSourceSequence=[code(value, "SCPECG", f"Lead {label}")],
            )
        )
    group = item(
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=2,
        NumberOfWaveformSamples=8,
        SamplingFrequency="500",
        ChannelDefinitionSequence=channels,
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
    )
    group.add_new(0x54001010, "OW", bytes(range(32)))
    dataset.WaveformSequence = [group]
    return dataset


def _cda() -> Dataset:
    dataset = _dressed("1.2.840.10008.5.1.4.1.1.104.2", "DOC", "Veilreport")
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "NO"
    dataset.AcquisitionDateTime = DAY + "080000"
    dataset.DocumentTitle = "Report"
    dataset.ConceptNameCodeSequence = [code("11528-7", "LN", "Radiology Report")]
    dataset.HL7InstanceIdentifier = f"{uid('CDA')}^1"
    dataset.MIMETypeOfEncapsulatedDocument = "text/xml"
    dataset.EncapsulatedDocument = b"<ClinicalDocument xmlns='urn:hl7-org:v3'/> "
    return dataset


def _rtplan() -> Dataset:
    dataset = _dressed("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", "Veilplan")
    dataset.update(
        item(
            RTPlanLabel="PLAN1", RTPlanDate=DAY, RTPlanTime="101500", RTPlanGeometry="PATIENT",
            PlanIntent="CURATIVE", ApprovalStatus="UNAPPROVED", FrameOfReferenceUID=uid("RT", "frame"),
            PositionReferenceIndicator="",
        )
    )  # fmt: skip
    dataset.ReferencedStructureSetSequence = [
        reference("1.2.840.10008.5.1.4.1.1.481.3", uid("RTSTRUCT", 1))
    ]
    dataset.FractionGroupSequence = [
        item(
            FractionGroupNumber=1,
            NumberOfFractionsPlanned=20,
            NumberOfBeams=1,
            NumberOfBrachyApplicationSetups=0,
            ReferencedBeamSequence=[item(ReferencedBeamNumber=1, BeamDose="2", BeamMeterset="100")],
        )
    ]
    dataset.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition="HFS")]
    control = [
        item(
            ControlPointIndex=0,
            NominalBeamEnergy="6",
            GantryAngle="0",
            CumulativeMetersetWeight="0",
        ),
        item(ControlPointIndex=1, CumulativeMetersetWeight="1"),
    ]
    dataset.BeamSequence = [
        item(
            TreatmentMachineName="LINAC1",
            BeamNumber=1,
            BeamName="AP",
            BeamType="STATIC",
            RadiationType="PHOTON",
            TreatmentDeliveryType="TREATMENT",
            NumberOfWedges=0,
            NumberOfCompensators=0,
            NumberOfBoli=0,
            NumberOfBlocks=0,
            FinalCumulativeMetersetWeight="1",
            NumberOfControlPoints=2,
            BeamLimitingDeviceSequence=[
                item(RTBeamLimitingDeviceType="ASYMX", NumberOfLeafJawPairs=1)
            ],
            ControlPointSequence=control,
        )
    ]
    return dataset


def _slide() -> Dataset:
    dataset = _dressed("1.2.840.10008.5.1.4.1.1.77.1.6", "SM", "Veilslide")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.update(
        item(
            ContainerIdentifier="SLIDE1", IssuerOfTheContainerIdentifierSequence=[],
            ContainerTypeCodeSequence=[code("433466003", "SCT", "Microscope slide")],
            AcquisitionContextSequence=[], AcquisitionDateTime=DAY + "091122",
            FrameOfReferenceUID=uid("SM", "frame"), PositionReferenceIndicator="SLIDE_CORNER",
            BurnedInAnnotation="NO", LossyImageCompression="00", SpecimenLabelInImage="NO",
            FocusMethod="AUTO", ExtendedDepthOfField="NO", VolumetricProperties="VOLUME",
            ImagedVolumeWidth=10.0, ImagedVolumeHeight=10.0, ImagedVolumeDepth=1.0,
            TotalPixelMatrixColumns=4, TotalPixelMatrixRows=4, NumberOfFrames=1,
            NumberOfOpticalPaths=1, TotalPixelMatrixFocalPlanes=1,
            ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
        )
    )  # fmt: skip
    dataset.TotalPixelMatrixOriginSequence = [
        item(XOffsetInSlideCoordinateSystem="20", YOffsetInSlideCoordinateSystem="40")
    ]
    dataset.SpecimenDescriptionSequence = [
        item(
            SpecimenIdentifier="SPEC1",
            SpecimenUID=uid("SM", "specimen"),
            IssuerOfTheSpecimenIdentifierSequence=[],
            SpecimenPreparationSequence=[],
        )
    ]
    dataset.OpticalPathSequence = [
        item(
            OpticalPathIdentifier="1",
            IlluminationTypeCodeSequence=[code("111744", "DCM", "Brightfield illumination")],
            IlluminationColorCodeSequence=[code("414298005", "SCT", "Full Spectrum")],
        )
    ]
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(SliceThickness="1", PixelSpacing=["0.01", "0.01"])],
            OpticalPathIdentificationSequence=[item(OpticalPathIdentifier="1")],
        )
    ]
    _pixels(dataset, samples=3, bits=8)
    return dataset


KINDS: dict[str, Callable[[], Dataset]] = {
    "CT": lambda: factories.make_ct(_PATIENT),
    "MR": lambda: factories.make_mr(_PATIENT, rows=4),
    "enhanced MR": lambda: factories.make_enhanced_mr(_PATIENT, rows=4, frames=3),
    "CR": lambda: factories.make_cr(_PATIENT, rows=12),
    "DX": lambda: factories.make_dx(_PATIENT, rows=12),
    "US": lambda: factories.make_us(_PATIENT),
    "NM": lambda: factories.make_nm(_PATIENT, rows=4, frames=2),
    "PET": _pet,
    "SC": lambda: factories.make_sc(_PATIENT, rows=4),
    "XA": lambda: factories.make_xa(_PATIENT, rows=8, frames=2),
    "SR": lambda: factories.make_sr(_PATIENT),
    "KO": lambda: factories.make_ko(_PATIENT),
    "PR": lambda: factories.make_pr(_PATIENT),
    "RTSTRUCT": lambda: factories.make_rtstruct(_PATIENT),
    "RTPLAN": _rtplan,
    "SEG": lambda: factories.make_seg(_PATIENT, rows=8),
    "ECG": _ecg,
    "PDF": lambda: factories.make_document(_PATIENT),
    "CDA": _cda,
    "WSI": _slide,
}
"""How to make an instance of each kind."""
