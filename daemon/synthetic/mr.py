"""Magnetic resonance: classic slices, and enhanced multi-frame instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from daemon.synthetic.elements import make_code, make_item, original_uid, set_pixels, update
from daemon.synthetic.instance import add_equipment, add_study_details, make_instance
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.pictures import thorax_section

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    dataset = make_instance("MR", patient, seed=seed, study=study, series=series, instance=instance)
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "MR", "Veilton 1.5T")
    update(
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
    set_pixels(dataset, _mr_signal(rows, instance), bits=12)
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
    dataset = make_instance(
        "enhanced MR", patient, seed=seed, study=study, series=series, instance=instance
    )
    dataset.Modality = "MR"
    add_study_details(dataset, patient, seed, study)
    add_equipment(dataset, patient, "MR", "Veilton 3T")
    moment = dataset.StudyDate + "091500.000000"
    organisation = original_uid(patient.patient_id, seed, study, "dimensions")
    update(
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
    dataset.DimensionOrganizationSequence = [make_item(DimensionOrganizationUID=organisation)]
    dataset.DimensionIndexSequence = [
        make_item(
            DimensionIndexPointer=0x00209057,
            FunctionalGroupPointer=0x00209111,
            DimensionOrganizationUID=organisation,
        )
    ]
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        make_item(
            PixelSpacing=[f"{360 / rows:.6f}"[:8]] * 2, SliceThickness="5", SpacingBetweenSlices="6"
        )
    ]
    shared.PlaneOrientationSequence = [make_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.FrameAnatomySequence = [
        make_item(
            FrameLaterality="U", AnatomicRegionSequence=[make_code("51185008", "SCT", "Chest")]
        )
    ]
    shared.MRImageFrameTypeSequence = [
        make_item(
            FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"],
            PixelPresentation="MONOCHROME",
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique="NONE",
            ComplexImageComponent="MAGNITUDE",
            AcquisitionContrast="T1",
        )
    ]
    shared.PixelValueTransformationSequence = [
        make_item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")
    ]
    shared.FrameVOILUTSequence = [make_item(WindowCenter="600", WindowWidth="1200")]
    _mr_technique(shared)
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for frame in range(1, frames + 1):
        group = Dataset()
        group.FrameContentSequence = [
            make_item(
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
        group.PlanePositionSequence = [
            make_item(ImagePositionPatient=[-180.0, -180.0, 6.0 * frame])
        ]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    set_pixels(dataset, np.stack([_mr_signal(rows, frame) for frame in range(frames)]), bits=12)
    return dataset


def _mr_technique(shared: Dataset) -> None:
    """Add the macros that an original enhanced MR image must have (PS3.3 A.36.2.5)."""
    shared.MRTimingAndRelatedParametersSequence = [
        make_item(
            RepetitionTime="550",
            FlipAngle="90",
            EchoTrainLength="1",
            RFEchoTrainLength=1,
            GradientEchoTrainLength=0,
            GradientOutputType="ELECTRIC_FIELD",
            GradientOutput=1.0,
            SpecificAbsorptionRateSequence=[
                make_item(
                    SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY",
                    SpecificAbsorptionRateValue=0.4,
                )
            ],
            OperatingModeSequence=[
                make_item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL"),
            ],
        )
    ]
    shared.MRFOVGeometrySequence = [
        make_item(
            InPlanePhaseEncodingDirection="ROW",
            MRAcquisitionFrequencyEncodingSteps=256,
            MRAcquisitionPhaseEncodingStepsInPlane=240,
            PercentSampling="100",
            PercentPhaseFieldOfView="100",
        )
    ]
    shared.MREchoSequence = [make_item(EffectiveEchoTime=12.0)]
    shared.MRModifierSequence = [
        make_item(
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
        make_item(
            MagnetizationTransfer="NONE",
            BloodSignalNulling="NO",
            Tagging="NONE",
            TransmitterFrequency=[127.7],
            PixelBandwidth="130",
        )
    ]
    shared.MRReceiveCoilSequence = [
        make_item(
            ReceiveCoilName="BODY",
            ReceiveCoilManufacturerName="",
            ReceiveCoilType="BODY",
            QuadratureReceiveCoil="YES",
        )
    ]
    shared.MRTransmitCoilSequence = [
        make_item(TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
    ]
    shared.MRAveragesSequence = [make_item(NumberOfAverages="1")]


def _mr_signal(rows: int, level: int) -> NDArray[np.uint16]:
    units = thorax_section(rows, rows, level=(level % 20) / 20, texture=level)
    signal = np.where(units > 500, 120, np.where(units < -500, 25, 500 + units))
    return np.clip(signal, 0, 4095).astype("<u2")
