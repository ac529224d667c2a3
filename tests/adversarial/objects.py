"""Places that only some kinds of instances have: trees, graphics, structures, documents, frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.adversarial import values
from tests.adversarial.bases import (
    CT_CLASS,
    CT_UID,
    KINDS,
    code,
    item,
    reference,
    uid,
)
from tests.adversarial.corpus import Draft, HidingPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    yield from _headers()
    yield from _reports()
    yield from _presentations()
    yield from _radiotherapy()
    yield from _segmentations()
    yield from _waveforms()
    yield from _documents()
    yield from _frames()
    yield from _other_images()


def _headers() -> Iterator[HidingPlace]:
    """Yield one file of every kind with a whole person in its header."""
    for kind in KINDS:
        draft = Draft(f"header/{kind.replace(' ', '-')}", kind)
        dataset = draft.dataset
        dataset.PatientName = draft.name("PatientName")
        dataset.PatientID = draft.record("PatientID")
        dataset.PatientBirthDate = draft.date("PatientBirthDate")
        dataset.PatientAddress = draft.address("PatientAddress")
        dataset.PatientTelephoneNumbers = draft.phone("PatientTelephoneNumbers")
        dataset.OtherPatientNames = draft.name("OtherPatientNames")
        dataset.ReferringPhysicianName = draft.name("ReferringPhysicianName")
        dataset.AccessionNumber = draft.record("AccessionNumber")
        dataset.StudyID = draft.record("StudyID")
        dataset.InstitutionName = draft.surname("InstitutionName")
        dataset.StationName = draft.surname("StationName")[:16]
        dataset.StudyDescription = draft.sentence("StudyDescription")
        dataset.SeriesDescription = draft.sentence("SeriesDescription")
        dataset.StudyDate = draft.date("StudyDate")
        dataset.StudyInstanceUID = draft.uid("StudyInstanceUID")
        dataset.OtherPatientIDsSequence = [
            item(
                PatientID=draft.record("OtherPatientIDsSequence"), IssuerOfPatientID="X",
                TypeOfPatientID="TEXT",
            )
        ]  # fmt: skip
        yield draft.finish()


def _content(value_type: str, concept: Dataset, **elements: object) -> Dataset:
    return item(
        RelationshipType="CONTAINS",
        ValueType=value_type,
        ConceptNameCodeSequence=[concept],
        **elements,
    )


def _reports() -> Iterator[HidingPlace]:
    finding = code("121071", "DCM", "Finding")
    for depth in (1, 4, 12):
        for value_type in ("PNAME", "TEXT", "DATE", "DATETIME", "TIME", "UIDREF", "CODE", "NUM"):
            draft = Draft(f"sr/{value_type}-depth-{depth:02d}", "SR")
            where = f"{value_type} at depth {depth}"
            elements: dict[str, object] = {}
            if value_type == "PNAME":
                elements["PersonName"] = draft.name(where)
            elif value_type == "TEXT":
                elements["TextValue"] = draft.sentence(where)
            elif value_type == "DATE":
                elements["Date"] = draft.date(where)
            elif value_type == "DATETIME":
                elements["DateTime"] = draft.moment(where)
            elif value_type == "TIME":
                elements["Time"] = draft.time(where)
                draft.research_keeps(*draft.planted)
            elif value_type == "UIDREF":
                elements["UID"] = draft.uid(where)
            elif value_type == "CODE":
                elements["ConceptCodeSequence"] = [
                    code("77", "99KLINIK", draft.name(where).replace("^", " "))
                ]
            else:
                elements["MeasuredValueSequence"] = [
                    item(
                        NumericValue=draft.number(where),
                        MeasurementUnitsCodeSequence=[code("1", "UCUM", "no units")],
                    )
                ]
            leaf = _content(value_type, finding, **elements)
            for _ in range(depth - 1):
                leaf = _content(
                    "CONTAINER", finding, ContinuityOfContent="SEPARATE", ContentSequence=[leaf]
                )
            draft.dataset.ContentSequence = [*draft.dataset.ContentSequence, leaf]
            yield draft.finish()
    draft = Draft("sr/local-concept-name", "SR")
    local = code("9", "99KLINIK", f"Opinion of {draft.surname('ConceptNameCodeSequence')}")
    draft.dataset.ContentSequence = [_content("TEXT", local, TextValue=draft.sentence("TextValue"))]
    yield draft.finish()
    draft = Draft("sr/document-title-code", "SR")
    draft.dataset.ConceptNameCodeSequence = [
        code("9", "99KLINIK", f"Report by {draft.surname('ConceptNameCodeSequence')}")
    ]
    yield draft.finish()
    draft = Draft("sr/observers", "SR")
    draft.dataset.VerifyingObserverSequence = [
        item(
            VerifyingObserverName=draft.name("VerifyingObserverName"),
            VerifyingOrganization=draft.surname("VerifyingOrganization"),
            VerificationDateTime=draft.moment("VerificationDateTime"),
            VerifyingObserverIdentificationCodeSequence=[
                code(draft.record("identification code"), "99STAFF", draft.surname("meaning"))
            ],
        )
    ]
    draft.dataset.AuthorObserverSequence = [
        item(
            ObserverType="PSN",
            PersonName=draft.name("AuthorObserverSequence"),
            InstitutionName=draft.surname("AuthorObserverSequence"),
            PersonIdentificationCodeSequence=[code(draft.record("person code"), "99STAFF", "x")],
        )
    ]
    draft.dataset.ParticipantSequence = [
        item(
            ParticipationType="ENT", ObserverType="PSN", PersonName=draft.name("ParticipantSequence"),
            ParticipationDateTime=draft.moment("ParticipationDateTime"),
        )
    ]  # fmt: skip
    draft.dataset.CustodialOrganizationSequence = [
        item(InstitutionName=draft.surname("CustodialOrganizationSequence"))
    ]
    yield draft.finish()
    draft = Draft("sr/image-reference-stays", "SR")
    target = uid("SR", "target")
    draft.dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[
        0
    ].ReferencedSOPSequence = [reference(CT_CLASS, target)]
    draft.dataset.ContentSequence = [
        _content("TEXT", finding, TextValue=draft.sentence("TextValue")),
        _content("IMAGE", finding, ReferencedSOPSequence=[reference(CT_CLASS, target)]),
    ]
    draft.own(target, "ReferencedSOPInstanceUID")
    yield draft.finish()
    draft = Draft("sr/coordinates", "SR")
    draft.dataset.ContentSequence = [
        _content(
            "SCOORD", finding, GraphicType="POINT", GraphicData=[1.0, 2.0],
            FiducialUID=draft.uid("FiducialUID"),
        ),
        _content(
            "TCOORD", finding, TemporalRangeType="POINT",
            ReferencedDateTime=draft.moment("ReferencedDateTime"),
        ),
    ]  # fmt: skip
    yield draft.finish()
    draft = Draft("sr/observation-dates", "SR")
    node = _content("TEXT", finding, TextValue="Normal")
    node.ObservationDateTime = draft.moment("ObservationDateTime")
    node.ObservationUID = draft.uid("ObservationUID")
    draft.dataset.ContentSequence = [node]
    yield draft.finish()
    draft = Draft("sr/predecessor-and-request", "SR")
    draft.dataset.PredecessorDocumentsSequence = [
        item(
            StudyInstanceUID=draft.uid("predecessor"),
            ReferencedSeriesSequence=[
                item(
                    SeriesInstanceUID=draft.uid("predecessor series"),
                    ReferencedSOPSequence=[reference(CT_CLASS, draft.uid("predecessor instance"))],
                )
            ],
        )
    ]
    draft.dataset.ReferencedRequestSequence = [
        item(
            StudyInstanceUID=draft.uid("request"),
            AccessionNumber=draft.record("request"),
            PlacerOrderNumberImagingServiceRequest=draft.record("placer"),
            FillerOrderNumberImagingServiceRequest=draft.record("filler"),
            RequestedProcedureID=draft.record("procedure"),
            RequestedProcedureDescription=draft.sentence("description"),
            RequestedProcedureCodeSequence=[code("1", "99X", draft.surname("procedure code"))],
        )
    ]
    yield draft.finish()
    for concept in ("121008", "121022", "121030", "121035"):
        draft = Draft(f"sr/context-{concept}", "SR")
        draft.dataset.ContentSequence = [
            _content(
                "PNAME" if concept == "121008" else "TEXT",
                code(concept, "DCM", "Observer"),
                **(
                    {"PersonName": draft.name(concept)}
                    if concept == "121008"
                    else {"TextValue": draft.name(concept)}
                ),
            )
        ]
        yield draft.finish()
    draft = Draft("ko/description", "KO")
    draft.dataset.ContentSequence[0].TextValue = draft.sentence("Key Object Description")
    draft.refer(
        "ContentSequence[1].ReferencedSOPSequence[0].ReferencedSOPInstanceUID",
        "CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]"
        ".ReferencedSOPSequence[0].ReferencedSOPInstanceUID",
    )
    draft.same.clear()  # the content tree is removed by the Basic Profile; only evidence stays
    yield draft.finish()
    draft = Draft("ko/identical-documents", "KO")
    draft.dataset.IdenticalDocumentsSequence = [
        item(
            StudyInstanceUID=draft.uid("identical"),
            ReferencedSeriesSequence=[
                item(
                    SeriesInstanceUID=draft.uid("identical series"),
                    RetrieveLocationUID=draft.uid("RetrieveLocationUID"),
                    RetrieveAETitle=draft.capitals("RetrieveAETitle"),
                    StorageMediaFileSetID=draft.capitals("StorageMediaFileSetID"),
                    ReferencedSOPSequence=[reference(CT_CLASS, draft.uid("identical instance"))],
                )
            ],
        )
    ]
    yield draft.finish()


def _presentations() -> Iterator[HidingPlace]:
    draft = Draft("pr/text-object", "PR")
    text = draft.dataset.GraphicAnnotationSequence[0].TextObjectSequence[0]
    text.UnformattedTextValue = draft.sentence("UnformattedTextValue")
    yield draft.finish()
    draft = Draft("pr/graphic-layer", "PR")
    layer = draft.dataset.GraphicLayerSequence[0]
    layer.GraphicLayer = draft.capitals("GraphicLayer")
    layer.GraphicLayerDescription = draft.sentence("GraphicLayerDescription")
    draft.dataset.GraphicAnnotationSequence[0].GraphicLayer = layer.GraphicLayer
    yield draft.finish()
    draft = Draft("pr/content", "PR")
    draft.dataset.ContentLabel = draft.capitals("ContentLabel")
    draft.dataset.ContentDescription = draft.sentence("ContentDescription")
    draft.dataset.ContentCreatorName = draft.name("ContentCreatorName")
    draft.dataset.ContentCreatorIdentificationCodeSequence = [
        code(draft.record("creator code"), "99STAFF", draft.surname("creator code"))
    ]
    draft.dataset.AlternateContentDescriptionSequence = [
        item(
            ContentDescription=draft.sentence("alternate"),
            LanguageCodeSequence=[code("de", "RFC5646", "German")],
        )
    ]
    yield draft.finish()
    draft = Draft("pr/compound-graphic", "PR")
    draft.dataset.GraphicAnnotationSequence[0].CompoundGraphicSequence = [
        item(
            CompoundGraphicInstanceID=1,
            CompoundGraphicUnits="PIXEL",
            CompoundGraphicType="RULER",
            MajorTicksSequence=[item(TickPosition=0.5, TickLabel=draft.surname("TickLabel"))],
            TickAlignment="TOP",
        )
    ]
    draft.dataset.GraphicGroupSequence = [
        item(
            GraphicGroupID=1,
            GraphicGroupLabel=draft.surname("GraphicGroupLabel"),
            GraphicGroupDescription=draft.sentence("GraphicGroupDescription"),
        )
    ]
    yield draft.finish()
    draft = Draft("pr/lut-explanations", "PR")
    draft.dataset.SoftcopyVOILUTSequence[0].WindowCenterWidthExplanation = draft.surname("VOI")
    draft.dataset.ModalityLUTSequence = [
        item(
            LUTDescriptor=[2, 0, 16],
            LUTExplanation=draft.sentence("ModalityLUTSequence"),
            ModalityLUTType="US",
            LUTData=[1, 2],
        )
    ]
    draft.dataset.ModalityLUTSequence[0]["LUTDescriptor"].VR = "US"
    draft.dataset.ModalityLUTSequence[0]["LUTData"].VR = "US"
    yield draft.finish()
    draft = Draft("pr/overlay-and-curve", "PR")
    draft.add(0x60000022, "LO", draft.sentence("OverlayDescription"))
    draft.add(0x60001500, "LO", draft.surname("OverlayLabel"))
    draft.add(0x60003000, "OB", draft.surname("OverlayData").encode().ljust(16))
    draft.add(0x50000022, "LO", draft.sentence("CurveDescription"))
    draft.add(0x50002500, "LO", draft.surname("CurveLabel"))
    draft.add(0x50003000, "OW", draft.surname("CurveData").encode().ljust(16))
    yield draft.finish()
    draft = Draft("pr/references-stay", "PR")
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    first = "ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID"
    for other in ("DisplayedAreaSelectionSequence", "SoftcopyVOILUTSequence"):
        draft.refer(first, f"{other}[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID")
    yield draft.finish()


def _radiotherapy() -> Iterator[HidingPlace]:
    for keyword, make in (
        ("StructureSetLabel", Draft.surname), ("StructureSetName", Draft.name),
        ("StructureSetDescription", Draft.sentence), ("InstitutionalDepartmentName", Draft.surname),
        ("ApprovalStatus", Draft.capitals), ("ReviewerName", Draft.name), ("ReviewDate", Draft.date),
        ("TreatmentSites", Draft.surname),
    ):  # fmt: skip
        draft = Draft(f"rtstruct/{keyword}", "RTSTRUCT")
        value = make(draft, keyword)
        draft.add(keyword, {"ReviewerName": "PN", "ReviewDate": "DA", "ApprovalStatus": "CS"}.get(
            keyword, "LO" if keyword != "StructureSetLabel" else "SH"), value)  # fmt: skip
        yield draft.finish()
    draft = Draft("rtstruct/rois", "RTSTRUCT")
    roi = draft.dataset.StructureSetROISequence[1]
    roi.ROIName = draft.surname("ROIName")
    roi.ROIDescription = draft.sentence("ROIDescription")
    roi.ROIGenerationDescription = draft.sentence("ROIGenerationDescription")
    observation = draft.dataset.RTROIObservationsSequence[1]
    observation.ROIObservationLabel = draft.surname("ROIObservationLabel")
    observation.ROIObservationDescription = draft.sentence("ROIObservationDescription")
    observation.ROIInterpreter = draft.name("ROIInterpreter")
    observation.RTROIIdentificationCodeSequence = [code("1", "99X", draft.surname("code"))]
    observation.MaterialID = draft.surname("MaterialID")
    yield draft.finish()
    draft = Draft("rtstruct/references-stay", "RTSTRUCT")
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    for number in range(2):
        draft.refer(
            "FrameOfReferenceUID",
            f"StructureSetROISequence[{number}].ReferencedFrameOfReferenceUID",
        )
    draft.refer(
        "StudyInstanceUID",
        "ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].ReferencedSOPInstanceUID",
    )
    series = "ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]"
    for number in range(3):
        draft.refer(
            f"{series}.ContourImageSequence[{number}].ReferencedSOPInstanceUID",
            f"ROIContourSequence[0].ContourSequence[{number}].ContourImageSequence[0].ReferencedSOPInstanceUID",
        )
    yield draft.finish()
    draft = Draft("rtplan/header", "RTPLAN")
    dataset = draft.dataset
    dataset.RTPlanLabel = draft.surname("RTPlanLabel")
    dataset.RTPlanName = draft.name("RTPlanName")
    dataset.RTPlanDescription = draft.sentence("RTPlanDescription")
    dataset.PrescriptionDescription = draft.sentence("PrescriptionDescription")
    dataset.TreatmentProtocols = draft.surname("TreatmentProtocols")
    dataset.TreatmentSites = draft.surname("TreatmentSites")
    dataset.ReviewerName = draft.name("ReviewerName")
    dataset.RTPlanDate = draft.date("RTPlanDate")
    yield draft.finish()
    draft = Draft("rtplan/beams", "RTPLAN")
    beam = draft.dataset.BeamSequence[0]
    beam.BeamName = draft.surname("BeamName")
    beam.BeamDescription = draft.sentence("BeamDescription")
    beam.TreatmentMachineName = draft.surname("TreatmentMachineName")
    beam.InstitutionName = draft.surname("InstitutionName")
    beam.DeviceSerialNumber = draft.record("DeviceSerialNumber")
    beam.ManufacturerModelName = "Veillinac"
    beam.BlockSequence = [
        item(BlockTrayID=draft.surname("BlockTrayID"), BlockName=draft.surname("BlockName"))
    ]
    beam.ApplicatorSequence = [
        item(
            ApplicatorID=draft.surname("ApplicatorID"), ApplicatorType="STEREOTACTIC",
            ApplicatorDescription=draft.sentence("ApplicatorDescription"),
        )
    ]  # fmt: skip
    yield draft.finish()
    draft = Draft("rtplan/setup-and-dose", "RTPLAN")
    setup = draft.dataset.PatientSetupSequence[0]
    setup.SetupTechniqueDescription = draft.sentence("SetupTechniqueDescription")
    setup.PatientAdditionalPosition = draft.sentence("PatientAdditionalPosition")
    setup.FixationDeviceSequence = [
        item(
            FixationDeviceType="MASK",
            FixationDeviceLabel=draft.surname("FixationDeviceLabel"),
            FixationDeviceDescription=draft.sentence("FixationDeviceDescription"),
        )
    ]
    draft.dataset.DoseReferenceSequence = [
        item(
            DoseReferenceNumber=1, DoseReferenceUID=draft.uid("DoseReferenceUID"),
            DoseReferenceStructureType="VOLUME",
            DoseReferenceDescription=draft.sentence("DoseReferenceDescription"),
            DoseReferenceType="TARGET",
        )
    ]  # fmt: skip
    draft.dataset.ToleranceTableSequence = [
        item(ToleranceTableNumber=1, ToleranceTableLabel=draft.surname("ToleranceTableLabel"))
    ]
    draft.dataset.FractionGroupSequence[0].FractionGroupDescription = draft.sentence("fractions")
    yield draft.finish()


def _segmentations() -> Iterator[HidingPlace]:
    draft = Draft("seg/labels", "SEG")
    segment = draft.dataset.SegmentSequence[0]
    segment.SegmentLabel = draft.surname("SegmentLabel")
    segment.SegmentDescription = draft.sentence("SegmentDescription")
    segment.SegmentAlgorithmName = draft.surname("SegmentAlgorithmName")
    segment.TrackingID = draft.record("TrackingID")
    segment.TrackingUID = draft.uid("TrackingUID")
    yield draft.finish()
    draft = Draft("seg/own-name-as-label", "SEG")
    draft.dataset.SegmentSequence[0].SegmentLabel = draft.own(values.OWN_SURNAME, "SegmentLabel")
    yield draft.finish()
    draft = Draft("seg/local-property-code", "SEG")
    draft.dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence = [
        code("9", "99X", draft.sentence("SegmentedPropertyTypeCodeSequence"))
    ]
    yield draft.finish()
    draft = Draft("seg/frames", "SEG")
    group = draft.dataset.PerFrameFunctionalGroupsSequence[1]
    group.FrameContentSequence[0].FrameComments = draft.sentence("FrameComments")
    group.FrameContentSequence[0].FrameLabel = draft.surname("FrameLabel")
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    source.PatientName = draft.name("SourceImageSequence")
    group.DerivationImageSequence[0].DerivationDescription = draft.sentence("DerivationDescription")
    draft.refer(
        "DimensionOrganizationSequence[0].DimensionOrganizationUID",
        "DimensionIndexSequence[0].DimensionOrganizationUID",
    )
    yield draft.finish()


def _waveforms() -> Iterator[HidingPlace]:
    draft = Draft("ecg/annotations", "ECG")
    draft.dataset.WaveformAnnotationSequence = [
        item(
            UnformattedTextValue=draft.sentence("UnformattedTextValue"),
            ReferencedWaveformChannels=[1, 0],
            AnnotationGroupNumber=1,
        ),
        item(
            ConceptNameCodeSequence=[code("1", "99X", draft.surname("annotation concept"))],
            NumericValue=draft.number("NumericValue"),
            ReferencedWaveformChannels=[1, 1],
        ),
    ]
    yield draft.finish()
    draft = Draft("ecg/channels", "ECG")
    group = draft.dataset.WaveformSequence[0]
    group.MultiplexGroupLabel = draft.surname("MultiplexGroupLabel")
    channel = group.ChannelDefinitionSequence[0]
    channel.ChannelLabel = draft.surname("ChannelLabel")[:16]
    channel.ChannelSourceSequence = [code("9", "99X", draft.surname("ChannelSourceSequence"))]
    channel.ChannelDerivationDescription = draft.sentence("ChannelDerivationDescription")
    channel.ChannelStatus = draft.capitals("ChannelStatus")
    yield draft.finish()
    draft = Draft("ecg/acquisition-context", "ECG")
    draft.dataset.AcquisitionContextSequence = [
        item(
            ValueType="PNAME",
            ConceptNameCodeSequence=[code("121008", "DCM", "Person Observer Name")],
            PersonName=draft.name("AcquisitionContextSequence"),
        ),
        item(
            ValueType="TEXT",
            ConceptNameCodeSequence=[code("109054", "DCM", "Patient State")],
            TextValue=draft.sentence("AcquisitionContextSequence"),
        ),
        item(
            ValueType="DATE",
            ConceptNameCodeSequence=[code("109054", "DCM", "Patient State")],
            Date=draft.date("AcquisitionContextSequence"),
        ),
    ]
    yield draft.finish()
    draft = Draft("ecg/bytes-after-samples", "ECG")
    group = draft.dataset.WaveformSequence[0]
    group.add_new(0x54001010, "OW", bytes(range(32)))
    group.WaveformPaddingValue = draft.surname("WaveformPaddingValue").encode().ljust(16)[:2]
    draft.planted.clear()
    draft.dataset.WaveformSequence[0].TriggerSamplePosition = 1
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    yield draft.finish()


def _documents() -> Iterator[HidingPlace]:
    draft = Draft("pdf/page", "PDF")
    text = draft.name("page").encode()
    draft.dataset.EncapsulatedDocument = _padded(
        draft.dataset.EncapsulatedDocument.replace(b"Baseperson", text)
    )
    yield draft.finish()
    draft = Draft("pdf/metadata", "PDF")
    body = draft.dataset.EncapsulatedDocument.rstrip(b"\x00") + (
        b"% /Author (" + draft.name("Author").encode() + b") /Title (x)\n"
    )
    draft.dataset.EncapsulatedDocument = _padded(body)
    yield draft.finish()
    draft = Draft("pdf/title-and-source", "PDF")
    draft.dataset.DocumentTitle = draft.sentence("DocumentTitle")
    draft.dataset.ConceptNameCodeSequence = [code("1", "99X", draft.sentence("title code"))]
    draft.dataset.SourceInstanceSequence = [reference(CT_CLASS, draft.uid("SourceInstance"))]
    draft.dataset.ListOfMIMETypes = draft.surname("ListOfMIMETypes")
    yield draft.finish()
    draft = Draft("pdf/mime-type", "PDF")
    draft.dataset.MIMETypeOfEncapsulatedDocument = f"application/{draft.surname('MIME type')}"
    yield draft.finish()
    draft = Draft("cda/patient-role", "CDA")
    xml = (
        "<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'><recordTarget><patientRole>"
        f"<id extension='{draft.record('id')}'/><patient><name><given>{draft.surname('given')}</given>"
        f"<family>{draft.surname('family')}</family></name><birthTime value='{draft.date('birthTime')}'/>"
        "</patient></patientRole></recordTarget></ClinicalDocument>"
    )
    draft.dataset.EncapsulatedDocument = _padded(xml.encode())
    yield draft.finish()
    draft = Draft("cda/utf-16", "CDA")
    xml = f"<?xml version='1.0' encoding='utf-16'?><a>{draft.name('utf-16').replace('^', ' ')}</a>"
    draft.dataset.EncapsulatedDocument = _padded(xml.encode("utf-16"))
    yield draft.finish()
    draft = Draft("cda/instance-identifier", "CDA")
    draft.dataset.HL7InstanceIdentifier = f"1.2.3^{draft.record('HL7InstanceIdentifier')}"
    draft.dataset.DocumentTitle = draft.sentence("DocumentTitle")
    yield draft.finish()


def _padded(content: bytes) -> bytes:
    return content + b"\x00" * (len(content) % 2)


def _frames() -> Iterator[HidingPlace]:
    for number in (0, 2):
        draft = Draft(f"enhanced/frame-{number + 1}", "enhanced MR")
        group = draft.dataset.PerFrameFunctionalGroupsSequence[number]
        content = group.FrameContentSequence[0]
        content.FrameComments = draft.sentence("FrameComments")
        content.FrameLabel = draft.surname("FrameLabel")
        content.FrameAcquisitionDateTime = draft.moment("FrameAcquisitionDateTime")
        content.FrameReferenceDateTime = draft.moment("FrameReferenceDateTime")
        content.StackID = draft.surname("StackID")[:16]
        group.FrameAnatomySequence = [
            item(
                FrameLaterality="R",
                AnatomicRegionSequence=[code("9", "99X", draft.surname("FrameAnatomySequence"))],
            )
        ]
        group.PatientOrientationInFrameSequence = [item(PatientOrientation=["L", "P"])]
        yield draft.finish()
    draft = Draft("enhanced/shared", "enhanced MR")
    shared = draft.dataset.SharedFunctionalGroupsSequence[0]
    shared.MRReceiveCoilSequence[0].ReceiveCoilName = draft.surname("ReceiveCoilName")[:16]
    shared.MRReceiveCoilSequence[0].ReceiveCoilManufacturerName = draft.surname("coil manufacturer")
    shared.MRTransmitCoilSequence[0].TransmitCoilName = draft.surname("TransmitCoilName")[:16]
    shared.ReferencedImageSequence = [
        item(
            ReferencedSOPClassUID=CT_CLASS, ReferencedSOPInstanceUID=CT_UID,
            PurposeOfReferenceCodeSequence=[code("9", "99X", draft.surname("purpose"))],
        )
    ]  # fmt: skip
    shared.RealWorldValueMappingSequence = [
        item(
            LUTLabel=draft.surname("LUTLabel")[:16], LUTExplanation=draft.sentence("LUTExplanation"),
            RealWorldValueIntercept=0.0, RealWorldValueSlope=1.0,
        )
    ]  # fmt: skip
    yield draft.finish()
    draft = Draft("enhanced/acquisition-context", "enhanced MR")
    draft.dataset.AcquisitionContextSequence = [
        item(
            ValueType="TEXT",
            ConceptNameCodeSequence=[code("9", "99X", draft.surname("concept"))],
            TextValue=draft.sentence("TextValue"),
        )
    ]
    draft.dataset.AcquisitionProtocolName = draft.sentence("AcquisitionProtocolName")
    draft.dataset.DimensionIndexSequence[0].DimensionDescriptionLabel = draft.sentence("dimension")
    yield draft.finish()
    draft = Draft("enhanced/dimensions-stay", "enhanced MR")
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    draft.refer(
        "DimensionOrganizationSequence[0].DimensionOrganizationUID",
        "DimensionIndexSequence[0].DimensionOrganizationUID",
    )
    yield draft.finish()


def _other_images() -> Iterator[HidingPlace]:
    draft = Draft("us/regions-and-stages", "US")
    draft.dataset.StageName = draft.surname("StageName")
    draft.dataset.StageCodeSequence = [code("1", "99X", draft.surname("StageCodeSequence"))]
    draft.dataset.ViewName = draft.surname("ViewName")
    draft.dataset.EventTimerNames = [draft.surname("EventTimerNames")]
    draft.dataset.TransducerData = [draft.surname("TransducerData"), "", ""]
    draft.dataset.ProcessingFunction = draft.surname("ProcessingFunction")
    yield draft.finish()
    draft = Draft("us/image-type", "US")
    draft.dataset.ImageType = ["ORIGINAL", "PRIMARY", "", draft.capitals("ImageType")]
    yield draft.finish()
    draft = Draft("pet/radiopharmaceutical", "PET")
    information = draft.dataset.RadiopharmaceuticalInformationSequence[0]
    information.Radiopharmaceutical = f"FDG for {draft.surname('Radiopharmaceutical')}"
    information.RadiopharmaceuticalStartDateTime = draft.moment("start")
    information.RadionuclideCodeSequence = [code("9", "99X", draft.surname("RadionuclideCode"))]
    yield draft.finish()
    draft = Draft("pet/methods", "PET")
    for keyword in (
        "RandomsCorrectionMethod", "AttenuationCorrectionMethod", "ReconstructionMethod",
        "DetectorLinesOfResponseUsed", "ScatterCorrectionMethod",
    ):  # fmt: skip
        draft.add(keyword, "LO", draft.sentence(keyword))
    yield draft.finish()
    draft = Draft("sc/capture-device", "SC")
    draft.dataset.SecondaryCaptureDeviceID = draft.surname("SecondaryCaptureDeviceID")
    draft.dataset.HardcopyCreationDeviceID = draft.surname("HardcopyCreationDeviceID")
    draft.dataset.SecondaryCaptureDeviceSoftwareVersions = draft.surname("software")
    draft.dataset.SecondaryCaptureDeviceManufacturerModelName = draft.surname("model")
    draft.dataset.DerivationDescription = draft.sentence("DerivationDescription")
    draft.dataset.PageNumberVector = [1]
    yield draft.finish()
    draft = Draft("wsi/specimen", "WSI")
    dataset = draft.dataset
    dataset.ContainerIdentifier = draft.record("ContainerIdentifier")
    dataset.BarcodeValue = draft.record("BarcodeValue")
    dataset.LabelText = draft.sentence("LabelText")
    dataset.ContainerDescription = draft.sentence("ContainerDescription")
    specimen = dataset.SpecimenDescriptionSequence[0]
    specimen.SpecimenIdentifier = draft.record("SpecimenIdentifier")
    specimen.SpecimenShortDescription = draft.sentence("SpecimenShortDescription")
    specimen.SpecimenDetailedDescription = draft.sentence("SpecimenDetailedDescription")
    specimen.SpecimenPreparationSequence = [
        item(
            SpecimenPreparationStepContentItemSequence=[
                item(
                    ValueType="TEXT",
                    ConceptNameCodeSequence=[code("121041", "DCM", "Specimen Identifier")],
                    TextValue=draft.record("preparation"),
                ),
                item(
                    ValueType="PNAME",
                    ConceptNameCodeSequence=[code("121008", "DCM", "Person Observer Name")],
                    PersonName=draft.name("preparation"),
                ),
            ]
        )
    ]
    yield draft.finish()
    draft = Draft("wsi/optical-path", "WSI")
    path = draft.dataset.OpticalPathSequence[0]
    path.OpticalPathDescription = draft.sentence("OpticalPathDescription")
    path.ICCProfile = draft.surname("ICCProfile").encode().ljust(128, b"\x00")
    yield draft.finish()
    draft = Draft("wsi/icc-profile-with-text", "WSI")
    text = draft.surname("text in an ICC profile").encode()
    body = b"\x00" * 32 + b"acsp" + b"\x00" * 88 + b"\x00" * 4 + b"\x00" * 4 + b"text" + text
    body = body.ljust(192, b"\x00")
    profile = len(body).to_bytes(4, "big") + body[:-4]
    draft.dataset.OpticalPathSequence[0].ICCProfile = (
        len(profile).to_bytes(4, "big") + profile[4:36] + b"acsp" + profile[40:]
    )
    yield draft.finish()
    draft = Draft("nm/names", "NM")
    draft.dataset.EnergyWindowInformationSequence[0].EnergyWindowName = draft.surname(
        "EnergyWindow"
    )
    draft.dataset.DetectorInformationSequence[0].CollimatorGridName = draft.surname("Collimator")
    draft.dataset.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = draft.sentence(
        "r"
    )
    draft.add("TypeOfDetectorMotion", "CS", draft.capitals("TypeOfDetectorMotion"))
    yield draft.finish()
    draft = Draft("dx/detector", "DX")
    draft.dataset.DetectorID = draft.surname("DetectorID")
    draft.dataset.DetectorDescription = draft.sentence("DetectorDescription")
    draft.dataset.DateOfLastDetectorCalibration = draft.date("DateOfLastDetectorCalibration")
    draft.dataset.ExposureControlModeDescription = draft.sentence("ExposureControlModeDescription")
    draft.dataset.GridID = draft.surname("GridID")
    draft.dataset.FilterMaterial = draft.capitals("FilterMaterial")
    yield draft.finish()
    draft = Draft("cr/plate-and-cassette", "CR")
    draft.dataset.PlateID = draft.surname("PlateID")
    draft.dataset.CassetteID = draft.surname("CassetteID")
    draft.dataset.AcquisitionDeviceProcessingDescription = draft.sentence("processing")
    draft.dataset.AcquisitionDeviceProcessingCode = draft.surname("code")
    yield draft.finish()
    draft = Draft("xa/positions-and-masks", "XA")
    draft.dataset.MaskSubtractionSequence = [
        item(
            MaskOperation="AVG_SUB",
            MaskOperationExplanation=draft.sentence("MaskOperationExplanation"),
        )
    ]
    draft.dataset.ShutterOverlayGroup = 0x6000
    draft.add("ImageAndFluoroscopyAreaDoseProduct", "DS", draft.number("dose"))
    draft.dataset.InterventionSequence = [
        item(
            InterventionDescription=draft.sentence("InterventionDescription"),
            InterventionDrugCodeSequence=[code("9", "99X", draft.surname("drug"))],
            InterventionDrugStartTime="101112",
        )
    ]
    yield draft.finish()
