"""Demonstration instances: whole, plausible datasets of many kinds, the same for the same seed.

Every function returns a dataset with its `file_meta` in Explicit VR Little Endian; `encode_as` in
`daemon.demo.encodings` puts it into another transfer syntax. Identifying attributes are filled as
hospitals fill them, so that de-identification has something to do.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import PYDICOM_ROOT_UID, UID, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import PersonName

from daemon.demo.patients import PATIENTS, Patient
from daemon.demo.pictures import fan, projection, thorax_section, tracer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

_SOP_CLASSES = {
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


def original_uid(*parts: object) -> UID:
    """Return the UID that stands for `parts` in every demonstration instance."""
    return generate_uid(
        prefix=PYDICOM_ROOT_UID, entropy_srcs=["|".join(map(str, ("dicomveil demo", *parts)))]
    )


def make_ct(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 2,
    instance: int = 1,
    rows: int = 512,
    columns: int | None = None,
) -> Dataset:
    """Make one axial CT slice: 12 bits stored, and some 180 elements as scanners write them."""
    columns = columns or rows
    dataset = _instance("CT", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "CT", "Veilscan 64")
    position = -250.0 + 5.0 * instance
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        LossyImageCompression="00",
        SeriesDescription="Thorax 5.0 B31f " + patient.name.split("^")[0].split("=")[0],
        ProtocolName="ThoraxRoutine",
        BodyPartExamined="CHEST",
        PatientPosition="HFS",
        ScanOptions="HELIX",
        SliceThickness="5",
        KVP="120",
        DataCollectionDiameter="500",
        ReconstructionDiameter="360",
        DistanceSourceToDetector="1040",
        DistanceSourceToPatient="570",
        GantryDetectorTilt="0",
        TableHeight="151",
        RotationDirection="CW",
        ExposureTime="500",
        XRayTubeCurrent="180",
        Exposure="90",
        FilterType="WEDGE_3",
        GeneratorPower="26",
        FocalSpots=[1.2],
        DateOfLastCalibration=dataset.StudyDate,
        TimeOfLastCalibration="061500",
        ConvolutionKernel="B31f",
        SingleCollimationWidth=0.6,
        TotalCollimationWidth=28.8,
        TableSpeed=40.0,
        TableFeedPerRotation=20.0,
        SpiralPitchFactor=0.7,
        CTDIvol=6.1,
        ExposureModulationType="XYZ_EC",
        EstimatedDoseSaving=22.5,
        AcquisitionType="SPIRAL",
        ImageComments=patient.comment,
        ContrastBolusAgent="Iomeprol 350",
        ContrastBolusRoute="IV",
        ContrastBolusVolume="90",
        ContrastBolusStartTime="091200",
        ContrastBolusStopTime="091230",
        ContrastBolusTotalDose="90",
        ContrastFlowRate=["3"],
        ContrastFlowDuration=["30"],
        ContrastBolusIngredient="IODINE",
        ContrastBolusIngredientConcentration="350",
        FrameOfReferenceUID=original_uid(patient.patient_id, seed, study, "frame of reference"),
        PositionReferenceIndicator="",
        ImagePositionPatient=[-180.0, -180.0, position],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SliceLocation=f"{position:g}",
        TemporalPositionIdentifier="1",
        NumberOfTemporalPositions="1",
        AcquisitionNumber="2",
        ImagesInAcquisition="60",
        WindowCenter=["40", "-600"],
        WindowWidth=["400", "1200"],
        WindowCenterWidthExplanation=["WINDOW1", "WINDOW2"],
        RescaleIntercept="-1024",
        RescaleSlope="1",
        RescaleType="HU",
    )
    dataset.PixelSpacing = [f"{360 / rows:.6f}"[:8], f"{360 / columns:.6f}"[:8]]
    dataset.IrradiationEventUID = original_uid(patient.patient_id, seed, study, "irradiation")
    dataset.ReferencedImageSequence = [
        _reference("CT", original_uid(patient.patient_id, seed, study, 1, n)) for n in (1, 2)
    ]
    dataset.SourceImageSequence = [
        _reference("CT", original_uid(patient.patient_id, seed, study, 99, 1))
    ]
    dataset.SourceImageSequence[0].PurposeOfReferenceCodeSequence = [
        _code("121322", "DCM", "Source image for image processing operation")
    ]
    _ct_private_blocks(dataset, patient)
    units = thorax_section(
        rows, columns, level=(instance % 60) / 60, texture=seed * 1000 + instance
    )
    _pixels(dataset, np.clip(units + 1024, 0, 4095).astype("<u2"), bits=12)
    dataset.SmallestImagePixelValue = int(np.frombuffer(dataset.PixelData, "<u2").min())
    dataset.LargestImagePixelValue = int(np.frombuffer(dataset.PixelData, "<u2").max())
    dataset.PixelPaddingValue = 0
    return dataset


def make_mr(
    patient: Patient = PATIENTS[1],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 3,
    instance: int = 1,
    rows: int = 256,
) -> Dataset:
    """Make one MR slice with 12 bits stored."""
    dataset = _instance("MR", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "MR", "Veilton 1.5T")
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "M", "ND"],
        SeriesDescription="t1_se_tra",
        ProtocolName="t1_se_tra " + dataset.StudyDate,
        BodyPartExamined="CHEST",
        PatientPosition="HFS",
        ScanningSequence="SE",
        SequenceVariant="SP",
        ScanOptions="PFP",
        MRAcquisitionType="2D",
        SequenceName="se2d1",
        AngioFlag="N",
        SliceThickness="5",
        RepetitionTime="550",
        EchoTime="12",
        NumberOfAverages="1",
        ImagingFrequency="63.642",
        ImagedNucleus="1H",
        EchoNumbers="1",
        MagneticFieldStrength="1.5",
        SpacingBetweenSlices="6",
        NumberOfPhaseEncodingSteps="240",
        EchoTrainLength="1",
        PercentSampling="100",
        PercentPhaseFieldOfView="100",
        PixelBandwidth="130",
        TransmitCoilName="Body",
        AcquisitionMatrix=[0, 256, 240, 0],
        InPlanePhaseEncodingDirection="ROW",
        FlipAngle="90",
        VariableFlipAngleFlag="N",
        SAR="0.4",
        dBdt="0",
        FrameOfReferenceUID=original_uid(patient.patient_id, seed, study, "frame of reference"),
        PositionReferenceIndicator="",
        ImagePositionPatient=[-180.0, -180.0, 6.0 * instance],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SliceLocation=f"{6 * instance}",
        WindowCenter="600",
        WindowWidth="1200",
    )
    dataset.PixelSpacing = [f"{360 / rows:.6f}"[:8]] * 2
    _pixels(dataset, _mr_signal(rows, instance), bits=12)
    return dataset


def make_enhanced_mr(
    patient: Patient = PATIENTS[2],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 4,
    instance: int = 1,
    rows: int = 128,
    frames: int = 12,
) -> Dataset:
    """Make an enhanced multi-frame MR: functional groups, dimensions, frame-level dates."""
    dataset = _instance(
        "enhanced MR", patient, seed=seed, study=study, series=series, instance=instance
    )
    dataset.Modality = "MR"
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "MR", "Veilton 3T")
    moment = dataset.StudyDate + "091500.000000"
    organisation = original_uid(patient.patient_id, seed, study, "dimensions")
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "T1", "NONE"],
        SeriesDescription="eT1 multi-frame",
        AcquisitionDateTime=moment,
        AcquisitionDuration=96.5,
        AcquisitionContrast="T1",
        AcquisitionNumber="1",
        BodyPartExamined="CHEST",
        BurnedInAnnotation="NO",
        ComplexImageComponent="MAGNITUDE",
        ContentQualification="PRODUCT",
        LossyImageCompression="00",
        MagneticFieldStrength="3",
        PatientPosition="HFS",
        PixelPresentation="MONOCHROME",
        PresentationLUTShape="IDENTITY",
        ResonantNucleus="1H",
        VolumeBasedCalculationTechnique="NONE",
        VolumetricProperties="VOLUME",
        KSpaceFiltering="NONE",
        MRAcquisitionType="2D",
        EchoPulseSequence="SPIN",
        MultipleSpinEcho="NO",
        MultiPlanarExcitation="NO",
        PhaseContrast="NO",
        TimeOfFlightContrast="NO",
        SteadyStatePulseSequence="NONE",
        EchoPlanarPulseSequence="NO",
        SaturationRecovery="NO",
        SpectrallySelectedSuppression="NONE",
        OversamplingPhase="NONE",
        GeometryOfKSpaceTraversal="RECTILINEAR",
        RectilinearPhaseEncodeReordering="LINEAR",
        SegmentedKSpaceTraversal="SINGLE",
        NumberOfKSpaceTrajectories=1,
        PulseSequenceName="se2d",
        ImageComments=patient.comment,
        FrameOfReferenceUID=original_uid(patient.patient_id, seed, study, "frame of reference"),
        PositionReferenceIndicator="",
        AcquisitionProtocolName="chest routine",
        ApplicableSafetyStandardAgency="IEC",
    )
    dataset.AcquisitionContextSequence = []
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionIndexPointer=0x00209057,
            FunctionalGroupPointer=0x00209111,
            DimensionOrganizationUID=organisation,
        )
    ]
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        _item(
            PixelSpacing=[f"{360 / rows:.6f}"[:8]] * 2, SliceThickness="5", SpacingBetweenSlices="6"
        )
    ]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.FrameAnatomySequence = [
        _item(FrameLaterality="U", AnatomicRegionSequence=[_code("51185008", "SCT", "Chest")])
    ]
    shared.MRImageFrameTypeSequence = [
        _item(
            FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"],
            PixelPresentation="MONOCHROME",
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique="NONE",
            ComplexImageComponent="MAGNITUDE",
            AcquisitionContrast="T1",
        )
    ]
    shared.PixelValueTransformationSequence = [
        _item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")
    ]
    shared.FrameVOILUTSequence = [_item(WindowCenter="600", WindowWidth="1200")]
    _mr_technique(shared)
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for frame in range(1, frames + 1):
        group = Dataset()
        group.FrameContentSequence = [
            _item(
                FrameAcquisitionNumber=1,
                FrameReferenceDateTime=moment,
                FrameAcquisitionDateTime=moment,
                FrameAcquisitionDuration=8000.0,
                StackID="1",
                InStackPositionNumber=frame,
                DimensionIndexValues=[frame],
                FrameComments=f"{patient.name.split('=')[0]} frame {frame}"
                if frame == 2
                else "none",
            )
        ]
        group.PlanePositionSequence = [_item(ImagePositionPatient=[-180.0, -180.0, 6.0 * frame])]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    _pixels(dataset, np.stack([_mr_signal(rows, frame) for frame in range(frames)]), bits=12)
    return dataset


def make_cr(
    patient: Patient = PATIENTS[3],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 640,
) -> Dataset:
    """Make a computed radiograph of a chest, 10 bits stored."""
    dataset = _instance("CR", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "CR", "Veilplate CR")
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY"],
        SeriesDescription="Thorax p.a.",
        BodyPartExamined="CHEST",
        ViewPosition="PA",
        KVP="125",
        PlateID="CR-PLATE-00817",
        CassetteOrientation="PORTRAIT",
        Sensitivity="210",
        ImagerPixelSpacing=["0.5", "0.5"],
        PatientOrientation=["L", "F"],
        WindowCenter="512",
        WindowWidth="1024",
    )
    film = projection(rows, rows * 5 // 6)
    _pixels(dataset, np.clip(film * 1023, 0, 1023).astype("<u2"), bits=10)
    return dataset


def make_dx(
    patient: Patient = PATIENTS[4],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 768,
) -> Dataset:
    """Make a digital radiograph for presentation, 12 bits stored, declared free of annotation."""
    dataset = _instance("DX", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "DX", "Veilpanel DR")
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", ""],
        SeriesDescription="Chest AP",
        PresentationIntentType="FOR PRESENTATION",
        BodyPartExamined="CHEST",
        ViewPosition="AP",
        ImageLaterality="U",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        KVP="110",
        DistanceSourceToDetector="1800",
        ExposureTime="8",
        Exposure="3",
        DetectorType="SCINTILLATOR",
        DetectorID="DET-99812-SN",
        DetectorDescription="CsI panel",
        DateOfLastDetectorCalibration=dataset.StudyDate,
        TimeOfLastDetectorCalibration="070000",
        ImagerPixelSpacing=["0.4", "0.4"],
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=-1,
        RescaleIntercept="0",
        RescaleSlope="1",
        RescaleType="US",
        PresentationLUTShape="IDENTITY",
        PatientOrientation=["L", "F"],
        WindowCenter="2048",
        WindowWidth="4096",
        AcquisitionDeviceProcessingDescription="",
        PositionerType="",
    )
    dataset.AcquisitionContextSequence = []
    dataset.AnatomicRegionSequence = [_code("51185008", "SCT", "Chest")]
    dataset.ViewCodeSequence = [_code("399348003", "SCT", "antero-posterior")]
    film = projection(rows, rows)
    _pixels(dataset, np.clip(film * 4095, 0, 4095).astype("<u2"), bits=12)
    return dataset


def make_us(
    patient: Patient = PATIENTS[5],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 240,
    frames: int = 8,
) -> Dataset:
    """Make a colour ultrasound cine."""
    dataset = _instance("US", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "US", "Veilsono 9")
    columns = rows * 4 // 3
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "", "0011"],
        SeriesDescription="Echo 4CH",
        Laterality="",
        LossyImageCompression="00",
        FrameTime="40",
        FrameIncrementPointer=0x00181063,
        CineRate="25",
        HeartRate="71",
        TransducerData=["S5-1", "", ""],
        PatientOrientation="",
    )
    dataset.SequenceOfUltrasoundRegions = [
        _item(
            RegionSpatialFormat=1,
            RegionDataType=1,
            RegionFlags=2,
            RegionLocationMinX0=0,
            RegionLocationMinY0=0,
            RegionLocationMaxX1=columns - 1,
            RegionLocationMaxY1=rows - 1,
            PhysicalUnitsXDirection=3,
            PhysicalUnitsYDirection=3,
            PhysicalDeltaX=0.05,
            PhysicalDeltaY=0.05,
        )
    ]
    cine = np.stack([fan(rows, columns, phase=n / frames) for n in range(frames)])
    _pixels(dataset, cine, bits=8)
    dataset.UltrasoundColorDataPresent = 1
    return dataset


def make_nm(
    patient: Patient = PATIENTS[6],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    rows: int = 128,
    frames: int = 4,
) -> Dataset:
    """Make a static scintigram of several views."""
    dataset = _instance("NM", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "NM", "Veilgamma")
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        SeriesDescription="Bone static",
        Laterality="",
        FrameIncrementPointer=[0x00540010, 0x00540020],
        NumberOfEnergyWindows=1,
        NumberOfDetectors=frames,
        EnergyWindowVector=[1] * frames,
        DetectorVector=list(range(1, frames + 1)),
        CountsAccumulated="812345",
        ActualFrameDuration="60000",
        PixelSpacing=["3.3", "3.3"],
        PatientOrientation="",
    )
    dataset.PatientOrientationCodeSequence = [_code("102538003", "SCT", "recumbent")]
    dataset.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [
        _code("40199007", "SCT", "supine")
    ]
    dataset.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    dataset.EnergyWindowInformationSequence = [
        _item(
            EnergyWindowName="Tc99m",
            EnergyWindowRangeSequence=[
                _item(EnergyWindowLowerLimit="126", EnergyWindowUpperLimit="154")
            ],
        )
    ]
    radionuclide = _code("72454006", "SCT", "^99m^Technetium")
    dataset.RadiopharmaceuticalInformationSequence = [
        _item(
            Radiopharmaceutical="MDP " + patient.patient_id.encode("ascii", "ignore").decode(),
            RadiopharmaceuticalStartTime="081500",
            RadionuclideTotalDose="600",
            RadionuclideCodeSequence=[radionuclide],
        )
    ]
    dataset.DetectorInformationSequence = [
        _item(
            CollimatorType="PARA",
            CollimatorGridName="LEHR",
            ImagePositionPatient=[-200.0, -200.0, 0.0],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ViewCodeSequence=[_code("399348003", "SCT", "antero-posterior")],
        )
        for _ in range(frames)
    ]
    views = np.stack([tracer(rows, rows, angle=360 * n / frames) for n in range(frames)])
    _pixels(dataset, views.astype("<u2"), bits=16)
    return dataset


def make_sc(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 900,
    instance: int = 1,
    rows: int = 256,
) -> Dataset:
    """Make a colour secondary capture, as a workstation stores a rendering."""
    dataset = _instance("SC", patient, seed=seed, study=study, series=series, instance=instance)
    dataset.Modality = "OT"
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "SC", "Veilstation")
    _update(
        dataset,
        ImageType=["DERIVED", "SECONDARY"],
        ConversionType="WSD",
        Laterality="",
        SeriesDescription="Rendering " + patient.patient_id.encode("ascii", "ignore").decode(),
        SecondaryCaptureDeviceID="WS-RAD-04",
        SecondaryCaptureDeviceManufacturer="Veil Example Systems",
        SecondaryCaptureDeviceManufacturerModelName="Veilstation",
        DateOfSecondaryCapture=dataset.StudyDate,
        TimeOfSecondaryCapture="101500",
        PatientOrientation="",
        DerivationDescription="Volume rendering made by " + _ascii(patient.operator),
    )
    grey = np.clip((thorax_section(rows, rows, level=0.6, texture=None) + 1000) / 8, 0, 255)
    tint = np.stack([grey, grey * 0.8, grey * 0.6], axis=-1).astype(np.uint8)
    _pixels(dataset, tint, bits=8)
    return dataset


def make_xa(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 2,
    series: int = 1,
    instance: int = 1,
    rows: int = 256,
    frames: int = 10,
) -> Dataset:
    """Make an angiographic cine in which contrast fills a vessel."""
    dataset = _instance("XA", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "XA", "Veilangio")
    _update(
        dataset,
        ImageType=["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        SeriesDescription="LCA LAO 30",
        BodyPartExamined="HEART",
        LossyImageCompression="00",
        RadiationSetting="GR",
        KVP="80",
        XRayTubeCurrent="400",
        ExposureTime="6",
        PositionerMotion="STATIC",
        PositionerPrimaryAngle="30",
        PositionerSecondaryAngle="0",
        FrameTime="66.7",
        FrameIncrementPointer=0x00181063,
        CineRate="15",
        PixelIntensityRelationship="DISP",
        PatientOrientation="",
        WindowCenter="128",
        WindowWidth="256",
    )
    cine = np.stack([projection(rows, rows, contrast=(n + 1) / frames) for n in range(frames)])
    _pixels(dataset, np.clip(cine * 255, 0, 255).astype(np.uint8), bits=8)
    return dataset


def make_sr(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 10,
    instance: int = 1,
) -> Dataset:
    """Make a basic text report that names the patient in its sentences, three levels deep."""
    dataset = _instance("SR", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "SR", "Veilreport")
    surname = patient.name.split("^")[0]
    _update(
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
    dataset.ConceptNameCodeSequence = [_code("18748-4", "LN", "Diagnostic imaging report")]
    dataset.VerifyingObserverSequence = [
        _item(
            VerifyingObserverName=_person(patient, patient.referring_physician),
            VerifyingOrganization=_text(patient, patient.institution),
            VerificationDateTime=dataset.StudyDate + "120000",
            VerifyingObserverIdentificationCodeSequence=[],
        )
    ]
    ct = original_uid(patient.patient_id, seed, study, 2, 1)
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        _item(
            StudyInstanceUID=dataset.StudyInstanceUID,
            ReferencedSeriesSequence=[
                _item(
                    SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
                    ReferencedSOPSequence=[_reference("CT", ct)],
                )
            ],
        )
    ]
    dataset.ContentSequence = [
        _content(
            "PNAME",
            "HAS OBS CONTEXT",
            ("121008", "DCM", "Person Observer Name"),
            PersonName=_person(patient, patient.referring_physician),
        ),
        _content(
            "DATE", "HAS OBS CONTEXT", ("111060", "DCM", "Study Date"), Date=dataset.StudyDate
        ),
        _content(
            "UIDREF",
            "HAS OBS CONTEXT",
            ("121018", "DCM", "Procedure Study Instance UID"),
            UID=dataset.StudyInstanceUID,
        ),
        _content(
            "CONTAINER",
            "CONTAINS",
            ("121070", "DCM", "Findings"),
            ContinuityOfContent="SEPARATE",
            ContentSequence=[
                _content(
                    "TEXT",
                    "CONTAINS",
                    ("121071", "DCM", "Finding"),
                    TextValue=_text(patient, f"{surname}: no focal lesion. {patient.comment}"),
                ),
                _content(
                    "CODE",
                    "CONTAINS",
                    ("121071", "DCM", "Finding"),
                    ConceptCodeSequence=[_code("17621005", "SCT", "Normal")],
                ),
                _content(
                    "IMAGE",
                    "CONTAINS",
                    ("121180", "DCM", "Key Images"),
                    ReferencedSOPSequence=[_reference("CT", ct)],
                ),
            ],
        ),
        _content(
            "CONTAINER",
            "CONTAINS",
            ("121076", "DCM", "Conclusions"),
            ContinuityOfContent="SEPARATE",
            ContentSequence=[
                _content(
                    "TEXT",
                    "CONTAINS",
                    ("121077", "DCM", "Conclusion"),
                    TextValue=_text(
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
    dataset = _instance("KO", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "KO", "Veilreport")
    targets = [original_uid(patient.patient_id, seed, study, 2, n) for n in (1, 2)]
    _update(
        dataset,
        SeriesDescription="Key images",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
    )
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.ConceptNameCodeSequence = [_code("113000", "DCM", "Of Interest")]
    dataset.ContentTemplateSequence = [_item(MappingResource="DCMR", TemplateIdentifier="2010")]
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        _item(
            StudyInstanceUID=dataset.StudyInstanceUID,
            ReferencedSeriesSequence=[
                _item(
                    SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
                    ReferencedSOPSequence=[_reference("CT", uid) for uid in targets],
                )
            ],
        )
    ]
    dataset.ContentSequence = [
        _content(
            "TEXT",
            "CONTAINS",
            ("113012", "DCM", "Key Object Description"),
            TextValue=_text(patient, patient.comment),
        ),
        *(
            _content("IMAGE", "CONTAINS", None, ReferencedSOPSequence=[_reference("CT", uid)])
            for uid in targets
        ),
    ]
    return dataset


def make_pr(
    patient: Patient = PATIENTS[0],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 12,
    instance: int = 1,
) -> Dataset:
    """Make a grayscale presentation state whose text annotation names the patient."""
    dataset = _instance("PR", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "PR", "Veilstation")
    target = _reference("CT", original_uid(patient.patient_id, seed, study, 2, 1))
    _update(
        dataset,
        SeriesDescription="Presentation state",
        Laterality="",
        PresentationCreationDate=dataset.StudyDate,
        PresentationCreationTime="103000",
        ContentLabel="ARROWS",
        ContentDescription=_text(patient, patient.comment)[:64],
        PresentationLUTShape="IDENTITY",
    )
    dataset.ContentCreatorName = _person(patient, patient.operator)
    dataset.ReferencedSeriesSequence = [
        _item(
            SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
            ReferencedImageSequence=[target],
        )
    ]
    dataset.DisplayedAreaSelectionSequence = [
        _item(
            DisplayedAreaTopLeftHandCorner=[1, 1],
            DisplayedAreaBottomRightHandCorner=[512, 512],
            PresentationSizeMode="SCALE TO FIT",
            PresentationPixelAspectRatio=[1, 1],
            ReferencedImageSequence=[target],
        )
    ]
    dataset.SoftcopyVOILUTSequence = [
        _item(WindowCenter="40", WindowWidth="400", ReferencedImageSequence=[target])
    ]
    dataset.GraphicLayerSequence = [
        _item(
            GraphicLayer="NOTES",
            GraphicLayerOrder="1",
            GraphicLayerDescription=_text(patient, patient.operator.split("=")[0]),
        )
    ]
    dataset.GraphicAnnotationSequence = [
        _item(
            GraphicLayer="NOTES",
            ReferencedImageSequence=[target],
            TextObjectSequence=[
                _item(
                    AnchorPointAnnotationUnits="PIXEL",
                    UnformattedTextValue=_text(patient, patient.name.split("=")[0]),
                    AnchorPoint=[100.0, 120.0],
                    AnchorPointVisibility="Y",
                )
            ],
        )
    ]
    return dataset


def make_rtstruct(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 20,
    instance: int = 1,
) -> Dataset:
    """Make a structure set over the CT series of the same study."""
    dataset = _instance(
        "RTSTRUCT", patient, seed=seed, study=study, series=series, instance=instance
    )
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "RTSTRUCT", "Veilplan")
    slices = [original_uid(patient.patient_id, seed, study, 2, n) for n in (1, 2, 3)]
    frame_of_reference = original_uid(patient.patient_id, seed, study, "frame of reference")
    _update(
        dataset,
        SeriesDescription="RT structures",
        StructureSetLabel=_ascii(patient.name.split("^")[0])[:16],
        StructureSetName="Plan A",
        StructureSetDescription="Contoured by " + _ascii(patient.operator),
        StructureSetDate=dataset.StudyDate,
        StructureSetTime="111500",
        ApprovalStatus="UNAPPROVED",
        FrameOfReferenceUID=frame_of_reference,
        PositionReferenceIndicator="",
    )
    dataset.ReferencedFrameOfReferenceSequence = [
        _item(
            FrameOfReferenceUID=frame_of_reference,
            RTReferencedStudySequence=[
                _item(
                    ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
                    ReferencedSOPInstanceUID=dataset.StudyInstanceUID,
                    RTReferencedSeriesSequence=[
                        _item(
                            SeriesInstanceUID=original_uid(
                                patient.patient_id, seed, study, 2, "series"
                            ),
                            ContourImageSequence=[_reference("CT", uid) for uid in slices],
                        )
                    ],
                )
            ],
        )
    ]
    rois = (
        ("HEART", (30.0, 40.0)),
        ("GTV " + _ascii(patient.operator.split("^")[0]), (60.0, 15.0)),
    )
    dataset.StructureSetROISequence = [
        _item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=frame_of_reference,
            ROIName=name,
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, (name, _) in enumerate(rois, 1)
    ]
    dataset.ROIContourSequence = [
        _item(
            ReferencedROINumber=number,
            ROIDisplayColor=[255, 80 * number, 0],
            ContourSequence=[
                _item(
                    ContourImageSequence=[_reference("CT", uid)],
                    ContourGeometricType="CLOSED_PLANAR",
                    NumberOfContourPoints=12,
                    ContourData=_circle(radii, -250.0 + 5.0 * n),
                )
                for n, uid in enumerate(slices, 1)
            ],
        )
        for number, (_, radii) in enumerate(rois, 1)
    ]
    dataset.RTROIObservationsSequence = [
        _item(
            ObservationNumber=number,
            ReferencedROINumber=number,
            RTROIInterpretedType="ORGAN" if number == 1 else "GTV",
            ROIInterpreter=_person(patient, patient.operator),
        )
        for number in (1, 2)
    ]
    return dataset


def make_seg(
    patient: Patient = PATIENTS[7],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 21,
    instance: int = 1,
    rows: int = 128,
    frames: int = 3,
) -> Dataset:
    """Make a binary segmentation (one bit per pixel) of the lungs over CT slices."""
    dataset = _instance("SEG", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "SEG", "Veilstation")
    organisation = original_uid(patient.patient_id, seed, study, "segment dimensions")
    slices = [original_uid(patient.patient_id, seed, study, 2, n) for n in range(1, frames + 1)]
    _update(
        dataset,
        ImageType=["DERIVED", "PRIMARY"],
        SeriesDescription="Lung segmentation",
        ContentLabel="LUNGS",
        ContentDescription=_text(patient, patient.comment)[:64],
        LossyImageCompression="00",
        SegmentationType="BINARY",
        FrameOfReferenceUID=original_uid(patient.patient_id, seed, study, "frame of reference"),
        PositionReferenceIndicator="",
    )
    dataset.ContentCreatorName = _person(patient, patient.operator)
    dataset.ReferencedSeriesSequence = [
        _item(
            SeriesInstanceUID=original_uid(patient.patient_id, seed, study, 2, "series"),
            ReferencedInstanceSequence=[_reference("CT", uid) for uid in slices],
        )
    ]
    dataset.SegmentSequence = [
        _item(
            SegmentNumber=1,
            SegmentLabel="Lung " + _ascii(patient.operator.split("^")[0]),
            SegmentAlgorithmType="MANUAL",
            SegmentedPropertyCategoryCodeSequence=[
                _code("123037004", "SCT", "Anatomical Structure")
            ],
            SegmentedPropertyTypeCodeSequence=[_code("39607008", "SCT", "Lung")],
        )
    ]
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionIndexPointer=0x0062000B,
            FunctionalGroupPointer=0x0062000A,
            DimensionOrganizationUID=organisation,
        ),
        _item(
            DimensionIndexPointer=0x00200032,
            FunctionalGroupPointer=0x00209113,
            DimensionOrganizationUID=organisation,
        ),
    ]
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        _item(
            PixelSpacing=[f"{360 / rows:.6f}"[:8]] * 2, SliceThickness="5", SpacingBetweenSlices="5"
        )
    ]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for frame, uid in enumerate(slices, 1):
        group = Dataset()
        source = _reference("CT", uid)
        source.PurposeOfReferenceCodeSequence = [
            _code("121322", "DCM", "Source image for image processing operation")
        ]
        derivation = _item(SourceImageSequence=[source])
        derivation.DerivationCodeSequence = [_code("113076", "DCM", "Segmentation")]
        group.DerivationImageSequence = [derivation]
        group.FrameContentSequence = [_item(DimensionIndexValues=[1, frame])]
        group.PlanePositionSequence = [
            _item(ImagePositionPatient=[-180.0, -180.0, -250.0 + 5.0 * frame])
        ]
        group.SegmentIdentificationSequence = [_item(ReferencedSegmentNumber=1)]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    sections = [
        thorax_section(rows, rows, level=n / 60, texture=None) for n in range(1, frames + 1)
    ]
    mask = np.stack([(section < -600) & (section > -900) for section in sections])
    _update(
        dataset,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        NumberOfFrames=frames,
        Rows=rows,
        Columns=rows,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelRepresentation=0,
    )
    packed = np.packbits(mask.ravel(), bitorder="little").tobytes()
    dataset.add_new(0x7FE00010, "OB", packed + b"\x00" * (len(packed) % 2))
    return dataset


def make_document(
    patient: Patient = PATIENTS[4],
    *,
    seed: int = 1,
    study: int = 1,
    series: int = 30,
    instance: int = 1,
) -> Dataset:
    """Make an encapsulated PDF whose page names the patient."""
    dataset = _instance("DOC", patient, seed=seed, study=study, series=series, instance=instance)
    _study_details(dataset, patient, seed, study)
    _equipment(dataset, patient, "DOC", "Veilscanner")
    _update(
        dataset,
        SeriesDescription="Referral letter",
        ConversionType="SD",
        BurnedInAnnotation="YES",
        DocumentTitle=_text(patient, "Referral letter " + patient.name.split("=")[0]),
        MIMETypeOfEncapsulatedDocument="application/pdf",
        AcquisitionDateTime=dataset.StudyDate + "080000",
    )
    dataset.ConceptNameCodeSequence = [_code("57133-1", "LN", "Referral note")]
    page = _pdf(f"Patient {_ascii(patient.name)} ID {_ascii(patient.patient_id)}")
    dataset.EncapsulatedDocument = page + b"\x00" * (len(page) % 2)
    dataset.EncapsulatedDocumentLength = len(page)
    return dataset


def _instance(
    kind: str, patient: Patient, *, seed: int, study: int, series: int, instance: int
) -> Dataset:
    """Make a dataset with what every instance has: SOP Common, Patient, Study, Series."""
    dataset = Dataset()
    day = (_FIRST_DAY + dt.timedelta(days=37 * study + 11 * seed)).strftime("%Y%m%d")
    modality = kind if kind in _SOP_CLASSES and " " not in kind else kind.rsplit(maxsplit=1)[-1]
    uid = original_uid(patient.patient_id, seed, study, series, instance)
    if patient.character_set:
        sets = patient.character_set
        dataset.SpecificCharacterSet = list(sets) if len(sets) > 1 else sets[0]
    _update(
        dataset,
        SOPClassUID=_SOP_CLASSES[kind],
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
    dataset.PatientName = _person(patient, patient.name)
    dataset.PatientID = _text(patient, patient.patient_id)
    if patient.issuer:
        dataset.IssuerOfPatientID = patient.issuer
    dataset.ReferringPhysicianName = _person(patient, patient.referring_physician)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = original_uid("implementation")
    dataset.file_meta.ImplementationVersionName = "VEILDEMO_1"
    dataset.file_meta.SourceApplicationEntityTitle = "DEMO_" + dataset.Modality[:4]
    return dataset


def _study_details(dataset: Dataset, patient: Patient, seed: int, study: int) -> None:
    """Add what a scheduled, performed and requested procedure leaves behind in a header."""
    surname = patient.name.split("^")[0].split("=")[0]
    _update(
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
        setattr(dataset, keyword, _text(patient, value))
    for keyword, name in (
        ("PerformingPhysicianName", patient.operator),
        ("OperatorsName", patient.operator),
        ("NameOfPhysiciansReadingStudy", patient.referring_physician),
        ("PhysiciansOfRecord", patient.referring_physician),
        ("RequestingPhysician", patient.referring_physician),
        ("OtherPatientNames", patient.name),
        ("PatientMotherBirthName", patient.operator),
    ):
        setattr(dataset, keyword, _person(patient, name))
    dataset.PerformedProcedureStepStartDate = dataset.StudyDate
    dataset.PerformedProcedureStepStartTime = "090500"
    dataset.PerformedProcedureStepEndDate = dataset.StudyDate
    dataset.PerformedProcedureStepEndTime = "093500"
    dataset.OtherPatientIDsSequence = [
        _item(
            PatientID=_text(patient, patient.patient_id + "-OLD"),
            IssuerOfPatientID="ARCHIVE",
            TypeOfPatientID="TEXT",
        )
    ]
    dataset.ReferencedStudySequence = [
        _item(
            ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
            ReferencedSOPInstanceUID=dataset.StudyInstanceUID,
        )
    ]
    if dataset.Modality not in {"SR", "KO"}:
        dataset.ReferencedPerformedProcedureStepSequence = [
            _item(
                ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.3",
                ReferencedSOPInstanceUID=original_uid(patient.patient_id, seed, study, "mpps"),
            )
        ]
    dataset.ProcedureCodeSequence = [_code("THX1", "99VEILDEMO", "Thorax CT routine")]
    request = _item(
        AccessionNumber=dataset.AccessionNumber,
        RequestedProcedureID=f"RP{seed}{study:05d}",
        RequestedProcedureDescription=_text(patient, f"Thorax {surname}"),
        ScheduledProcedureStepID=f"SPS{seed}{study:05d}",
        ScheduledProcedureStepDescription="Chest routine",
        ReasonForTheRequestedProcedure=_text(patient, patient.comment)[:64],
    )
    request.RequestingPhysician = _person(patient, patient.referring_physician)
    request.ScheduledProtocolCodeSequence = [_code("THX1", "99VEILDEMO", "Thorax CT routine")]
    dataset.RequestAttributesSequence = [request]
    physician = _item(
        PersonIdentificationCodeSequence=[
            _code("P-0711", "99VEILDEMO", _ascii(patient.referring_physician))
        ],
        PersonTelephoneNumbers=_text(patient, patient.telephone),
        InstitutionName=_text(patient, patient.institution),
    )
    dataset.ReferringPhysicianIdentificationSequence = [physician]


def _equipment(dataset: Dataset, patient: Patient, kind: str, model: str) -> None:
    _update(
        dataset,
        Manufacturer="Veil Example Systems",
        ManufacturerModelName=model,
        StationName=f"{kind[:6]}STATION01",
        DeviceSerialNumber="SN" + original_uid(patient.institution, kind)[-6:],
        SoftwareVersions=["VA 4.2", "R17"],
        DeviceUID=original_uid(patient.institution, kind, "device"),
    )
    contributor = _item(
        Manufacturer="Veil Example Systems",
        InstitutionName=_text(patient, patient.institution),
        StationName="GATEWAY7",
        ContributionDateTime=dataset.StudyDate + "093000",
        ContributionDescription="Forwarded",
    )
    contributor.PurposeOfReferenceCodeSequence = [_code("109101", "DCM", "Acquisition Equipment")]
    contributor.OperatorsName = _person(patient, patient.operator)
    dataset.ContributingEquipmentSequence = [contributor]


def _mr_technique(shared: Dataset) -> None:
    """Add the macros that an original enhanced MR image must have (PS3.3 A.36.2.5)."""
    shared.MRTimingAndRelatedParametersSequence = [
        _item(
            RepetitionTime="550",
            FlipAngle="90",
            EchoTrainLength="1",
            RFEchoTrainLength=1,
            GradientEchoTrainLength=0,
            GradientOutputType="ELECTRIC_FIELD",
            GradientOutput=1.0,
            SpecificAbsorptionRateSequence=[
                _item(
                    SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY",
                    SpecificAbsorptionRateValue=0.4,
                )
            ],
            OperatingModeSequence=[
                _item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL"),
            ],
        )
    ]
    shared.MRFOVGeometrySequence = [
        _item(
            InPlanePhaseEncodingDirection="ROW",
            MRAcquisitionFrequencyEncodingSteps=256,
            MRAcquisitionPhaseEncodingStepsInPlane=240,
            PercentSampling="100",
            PercentPhaseFieldOfView="100",
        )
    ]
    shared.MREchoSequence = [_item(EffectiveEchoTime=12.0)]
    shared.MRModifierSequence = [
        _item(
            InversionRecovery="NO",
            FlowCompensation="NONE",
            Spoiling="NONE",
            T2Preparation="NO",
            SpectrallySelectedExcitation="NONE",
            SpatialPresaturation="NONE",
            PartialFourier="NO",
            ParallelAcquisition="NO",
        )
    ]
    shared.MRImagingModifierSequence = [
        _item(
            MagnetizationTransfer="NONE",
            BloodSignalNulling="NO",
            Tagging="NONE",
            TransmitterFrequency=[127.7],
            PixelBandwidth="130",
        )
    ]
    shared.MRReceiveCoilSequence = [
        _item(
            ReceiveCoilName="BODY",
            ReceiveCoilManufacturerName="",
            ReceiveCoilType="BODY",
            QuadratureReceiveCoil="YES",
        )
    ]
    shared.MRTransmitCoilSequence = [
        _item(TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
    ]
    shared.MRAveragesSequence = [_item(NumberOfAverages="1")]


def _ct_private_blocks(dataset: Dataset, patient: Patient) -> None:
    """Add private blocks as CT scanners write them; two elements repeat who the patient is."""
    block = dataset.private_block(0x0009, "VEIL EXAMPLE IDEN 01", create=True)
    block.add_new(0x01, "LO", "VEIL_GENESIS_FF")
    block.add_new(0x02, "SH", "CT01")
    block.add_new(0x04, "SH", "HiSpeed CT/i")
    block.add_new(0x27, "SL", 1707120000)
    block.add_new(0x30, "PN", _person(patient, patient.name))
    acquisition = dataset.private_block(0x0019, "VEIL EXAMPLE ACQU 01", create=True)
    for offset, vr, value in (
        (0x02, "SL", 912),
        (0x03, "DS", "373.75"),
        (0x04, "DS", "1.0166"),
        (0x0F, "DS", "75.5"),
        (0x11, "SS", 4),
        (0x18, "LO", "S"),
        (0x1A, "LO", "I"),
        (0x23, "DS", "18.5"),
        (0x24, "DS", "11.36"),
        (0x25, "SS", 1),
        (0x26, "SL", 120),
        (0x27, "DS", "0.8"),
        (0x2C, "SL", 1968),
        (0x2E, "DS", "-720.5"),
        (0x39, "SS", 8),
        (0x42, "SS", 0),
        (0x43, "SS", 0),
        (0x47, "SS", 1),
        (0x52, "SS", 1),
        (0x5E, "SL", 852),
    ):
        acquisition.add_new(offset, vr, value)
    order = dataset.private_block(0x0029, "VEIL EXAMPLE ORDER", create=True)
    order.add_new(0x08, "CS", "IMAGE NUM 4")
    order.add_new(0x10, "OB", b"VEIL" + bytes(range(252)))
    nested = _item(StudyInstanceUID=dataset.StudyInstanceUID)
    nested.PatientName = _person(patient, patient.name)
    nested.PatientID = _text(patient, patient.patient_id)
    order.add_new(0x40, "SQ", Sequence([nested]))


def _mr_signal(rows: int, level: int) -> NDArray[np.uint16]:
    units = thorax_section(rows, rows, level=(level % 20) / 20, texture=level)
    signal = np.where(units > 500, 120, np.where(units < -500, 25, 500 + units))
    return np.clip(signal, 0, 4095).astype("<u2")


def _pixels(dataset: Dataset, pixels: NDArray[Any], *, bits: int) -> None:
    """Set the Image Pixel module (PS3.3 C.7.6.3) for samples of (frames,) rows, columns (, 3)."""
    colour = pixels.shape[-1] == 3 and pixels.ndim > 2
    frames, rows, columns = {
        (2, False): (0, *pixels.shape),
        (3, True): (0, *pixels.shape[:2]),
        (3, False): pixels.shape,
        (4, True): pixels.shape[:3],
    }[pixels.ndim, colour]
    allocated = pixels.dtype.itemsize * 8
    _update(
        dataset,
        SamplesPerPixel=3 if colour else 1,
        PhotometricInterpretation="RGB" if colour else "MONOCHROME2",
        Rows=rows,
        Columns=columns,
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    if colour:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = frames
    value = pixels.tobytes()
    vr = "OW" if allocated == 16 else "OB"
    dataset.add(DataElement(0x7FE00010, vr, value + b"\x00" * (len(value) % 2)))


def _update(dataset: Dataset, **values: Any) -> None:
    """Set attributes by keyword; None means leave it out."""
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)


def _item(**values: Any) -> Dataset:
    item = Dataset()
    _update(item, **values)
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _reference(kind: str, uid: str) -> Dataset:
    return _item(ReferencedSOPClassUID=_SOP_CLASSES[kind], ReferencedSOPInstanceUID=uid)


def _content(
    value_type: str, relationship: str, concept: tuple[str, str, str] | None, **values: Any
) -> Dataset:
    """Make a content item (PS3.3 C.17.3)."""
    item = _item(RelationshipType=relationship, ValueType=value_type)
    if concept:
        item.ConceptNameCodeSequence = [_code(*concept)]
    _update(item, **values)
    return item


def _person(patient: Patient, name: str) -> PersonName | str:
    """Return a Person Name; with no character set declared, as Latin-1 bytes."""
    if patient.character_set or name.isascii():
        return name
    return PersonName(name.encode("latin-1"))


def _text(patient: Patient, text: str) -> str:
    """Return text that the declared character set can hold."""
    return text if patient.character_set else _ascii(text)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode().replace("=", " ")


def _circle(radii: tuple[float, float], z: float) -> list[str]:
    points = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return [
        f"{value:.3f}"
        for angle in points
        for value in (radii[0] * np.cos(angle), radii[1] * np.sin(angle), z)
    ]


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
