"""Places made by structure: nesting, lengths, VRs, order, private blocks, transfer syntaxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.adversarial import values
from tests.adversarial.bases import CT_CLASS, item, uid
from tests.adversarial.corpus import Draft, HidingPlace
from tests.adversarial.wire import element, nested, sequence
from tests.adversarial.wire import item as wire_item

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
_SERIES = 0x00081115
_IMAGES = 0x00081140
_NAME = 0x00100010


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    yield from _depths()
    yield from _sequences()
    yield from _unknown_sequences()
    yield from _private()
    yield from _syntaxes()
    yield from _order()
    yield from _lengths()


def _depths() -> Iterator[HidingPlace]:
    for depth in (1, 2, 3, 5, 8, 13, 21, 30):
        for undefined in (False, True):
            name = f"nesting/depth-{depth:02d}-{'undefined' if undefined else 'defined'}"
            draft = Draft(name)
            text = draft.name(f"depth {depth}").encode()
            content = element(_NAME, "PN", text) + element(
                0x00100020, "LO", draft.record(f"depth {depth}").encode()
            )
            draft.dataset.pop(_SERIES, None)
            draft.raw(_SERIES, nested([_SERIES] * depth, content, undefined=undefined))
            yield draft.finish()
    for depth in (1, 4, 16):
        draft = Draft(f"nesting/implicit-depth-{depth:02d}", syntax=ImplicitVRLittleEndian)
        content = element(_NAME, "PN", draft.name(f"depth {depth}").encode(), implicit=True)
        draft.raw(_SERIES, nested([_SERIES] * depth, content, undefined=depth > 3, implicit=True))
        yield draft.finish()


def _sequences() -> Iterator[HidingPlace]:
    """Yield sequences that hold whole people."""
    for keyword in (
        "ReferencedSeriesSequence", "ReferencedImageSequence", "SourceImageSequence",
        "OtherPatientIDsSequence", "OriginalAttributesSequence", "ContributingEquipmentSequence",
        "RequestAttributesSequence", "ReferencedPatientSequence", "ReferencedStudySequence",
        "AcquisitionContextSequence", "DerivationCodeSequence", "AnatomicRegionSequence",
        "ModifiedAttributesSequence", "PatientSpeciesCodeSequence",
        "StudiesContainingOtherReferencedInstancesSequence",
        "ReferringPhysicianIdentificationSequence", "PersonIdentificationCodeSequence",
        "IssuerOfPatientIDQualifiersSequence", "ReferencedInstanceSequence", "DeviceSequence",
        "PerformedProtocolCodeSequence", "ScheduledStepAttributesSequence", "CTExposureSequence",
        "FrameAnatomySequence", "FailedSOPSequence", "ScheduledWorkitemCodeSequence",
        "ConsentForClinicalTrialUseSequence", "ResponsibleGroupCodeSequence",
        "DigitalSignaturesSequence", "EncryptedAttributesSequence", "MACParametersSequence",
        "PrivateDataElementCharacteristicsSequence",
        "HL7StructuredDocumentReferenceSequence", "ReferencedDefinedProtocolSequence",
    ):  # fmt: skip
        draft = Draft(f"sequences/{keyword}")
        inner = item(
            PatientName=draft.name(keyword),
            PatientID=draft.record(keyword),
            PatientBirthDate=draft.date(keyword),
            PatientTelephoneNumbers=draft.phone(keyword),
            InstitutionAddress=draft.address(keyword),
            DerivationDescription=draft.sentence(keyword),
        )
        draft.add(keyword, "SQ", [Dataset(), inner])
        yield draft.finish()
    draft = Draft("sequences/OriginalAttributes-modified")
    draft.dataset.OriginalAttributesSequence = [
        item(
            ModifiedAttributesSequence=[item(PatientName=draft.name("ModifiedAttributes"))],
            ModifyingSystem=draft.surname("ModifyingSystem"),
            SourceOfPreviousValues=draft.surname("SourceOfPreviousValues"),
            AttributeModificationDateTime=draft.moment("AttributeModificationDateTime"),
            ReasonForTheAttributeModification="CORRECT",
        )
    ]
    yield draft.finish()
    draft = Draft("sequences/DigitalSignatures-certificate")
    draft.dataset.DigitalSignaturesSequence = [
        item(
            MACIDNumber=1,
            DigitalSignatureUID=draft.uid("DigitalSignatureUID"),
            DigitalSignatureDateTime=draft.moment("DigitalSignatureDateTime"),
            CertificateType="X509_1993_SIG",
            CertificateOfSigner=f"CN={draft.surname('CertificateOfSigner')}".encode() + b" ",
            Signature=bytes(8),
        )
    ]
    yield draft.finish()
    draft = Draft("sequences/EncryptedAttributes-in-clear")
    draft.dataset.EncryptedAttributesSequence = [
        item(
            EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1",
            EncryptedContent=element(_NAME, "PN", draft.name("EncryptedContent").encode()),
        )
    ]
    yield draft.finish()
    draft = Draft("sequences/icon-image")
    draft.dataset.IconImageSequence = [
        item(
            SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=4, Columns=4,
            BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
            ImageComments=draft.sentence("IconImageSequence"),
            PixelData=draft.surname("icon PixelData").encode().ljust(16, b"\x00"),
        )
    ]  # fmt: skip
    draft.dataset.IconImageSequence[0]["PixelData"].VR = "OB"
    yield draft.finish()
    draft = Draft("sequences/many-items")
    draft.dataset.SourceImageSequence = [
        item(
            ReferencedSOPClassUID=CT_CLASS,
            ReferencedSOPInstanceUID=uid("many", number),
            ImageComments=draft.sentence(f"item {number}") if number == 173 else "none",
        )
        for number in range(200)
    ]
    yield draft.finish()
    draft = Draft("sequences/references-stay")
    draft.dataset.ReferencedImageSequence = [
        item(ReferencedSOPClassUID=CT_CLASS, ReferencedSOPInstanceUID=uid("pair"))
    ]
    draft.dataset.SourceImageSequence = [
        item(
            ReferencedSOPClassUID=CT_CLASS,
            ReferencedSOPInstanceUID=uid("pair"),
            ImageComments=draft.sentence("SourceImageSequence"),
        )
    ]
    draft.refer(
        "ReferencedImageSequence[0].ReferencedSOPInstanceUID",
        "SourceImageSequence[0].ReferencedSOPInstanceUID",
    )
    yield draft.finish()


def _unknown_sequences() -> Iterator[HidingPlace]:
    """Yield sequences encoded as UN (PS3.5 6.2.2): their contents are implicit little endian."""
    for tag in (_SERIES, 0x00081199, 0x00400275, 0x00101002):
        for undefined in (False, True):
            shape = "undefined" if undefined else "defined"
            draft = Draft(f"un/{tag:08X}-{shape}")
            content = element(_NAME, "PN", draft.name("UN").encode(), implicit=True)
            draft.dataset.pop(tag, None)
            draft.raw(
                tag,
                sequence(tag, [content], vr="UN", undefined=undefined, undefined_items=undefined),
            )
            yield draft.finish()
    for depth in (2, 6, 15):
        draft = Draft(f"un/nested-{depth:02d}")
        content = element(_NAME, "PN", draft.name("UN").encode(), implicit=True)
        inner = nested([_IMAGES] * depth, content, undefined=True, implicit=True)
        draft.dataset.pop(_SERIES, None)
        draft.raw(_SERIES, sequence(_SERIES, [inner], vr="UN", undefined=True))
        yield draft.finish()
    draft = Draft("un/inside-explicit-item")
    inner = sequence(
        _IMAGES,
        [element(_NAME, "PN", draft.name("UN").encode(), implicit=True)],
        vr="UN",
        undefined=True,
    )
    draft.dataset.pop(_SERIES, None)
    draft.raw(_SERIES, sequence(_SERIES, [inner], undefined=True, undefined_items=True))
    yield draft.finish()
    for tag, vr in (
        (_NAME, "UN"), (_NAME, "OB"), (_NAME, "LT"), (0x00100020, "UN"), (0x00100030, "UN"),
        (0x00080080, "UN"), (0x00180050, "LO"), (0x00180060, "LT"), (0x00280010, "LO"),
        (0x00280030, "UT"), (0x00181150, "PN"), (0x00281053, "SH"), (0x00201041, "UN"),
        (0x00185100, "ST"), (0x00080060, "LO"), (0x00081030, "UN"), (0x00181020, "UN"),
        (0x00281052, "OB"), (0x00180088, "UC"), (0x00200013, "LO"), (0x00080030, "DA"),
        (0x00080020, "LO"), (0x00080031, "LT"), (0x00281050, "UN"), (0x00180015, "PN"),
    ):  # fmt: skip
        draft = Draft(f"wrong-vr/{tag:08X}-as-{vr}")
        text = draft.date("wrong VR") if vr == "DA" else draft.surname("wrong VR")
        draft.dataset.pop(tag, None)
        draft.raw(tag, element(tag, vr, text.encode()))
        yield draft.finish()


def _private() -> Iterator[HidingPlace]:
    for creator in (
        "KLINIK PRIVATE",
        "SIEMENS CSA HEADER",
        "GEMS_IDEN_01",
        "Philips Imaging DD 001",
    ):
        draft = Draft(f"private/{creator.lower().replace(' ', '-')}")
        block = draft.dataset.private_block(0x0029, creator, create=True)
        block.add_new(0x10, "LO", draft.name("private LO"))
        block.add_new(0x11, "UN", draft.sentence("private UN").encode())
        block.add_new(0x12, "SQ", [item(PatientName=draft.name("private SQ"))])
        block.add_new(0x13, "OB", draft.surname("private OB").encode())
        block.add_new(0x14, "UT", draft.sentence("private UT"))
        yield draft.finish()
    draft = Draft("private/creator-is-a-name")
    draft.dataset.private_block(0x0099, draft.surname("creator"), create=True).add_new(1, "IS", "1")
    yield draft.finish()
    draft = Draft("private/no-creator")
    draft.raw(0x00110010, element(0x00110110, "LO", draft.surname("no creator").encode()))
    yield draft.finish()
    draft = Draft("private/in-item")
    inner = Dataset()
    inner.private_block(0x0043, "KLINIK", create=True).add_new(1, "LO", draft.name("private"))
    draft.dataset.ReferencedSeriesSequence = [inner]
    yield draft.finish()
    draft = Draft("private/implicit-undefined-sequence", syntax=ImplicitVRLittleEndian)
    content = element(_NAME, "PN", draft.name("private").encode(), implicit=True)
    draft.raw(
        0x00190010,
        element(0x00190010, "LO", b"KLINIK", implicit=True)
        + sequence(0x00191001, [content], implicit=True, undefined=True, undefined_items=True),
    )
    yield draft.finish()
    draft = Draft("private/safe-block-with-text")
    # Table E.3.10-1 lists this block; only its numbers are safe, and only with the option.
    block = draft.dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", 1000.0)
    block.add_new(0x0A, "LO", draft.surname("private"))
    yield draft.finish()
    draft = Draft("private/groups-from-0001-to-FFFF")
    for group in (0x0009, 0x0011, 0x0101, 0x1001, 0x4FFF, 0x7FE1, 0xFFFD):
        draft.raw(
            (group << 16) + 0x10,
            element((group << 16) + 0x10, "LO", b"KLINIK")
            + element((group << 16) + 0x1001, "LO", draft.surname(f"{group:04X}").encode()),
        )
    yield draft.finish()


def _syntaxes() -> Iterator[HidingPlace]:
    for name, syntax in _SYNTAXES.items():
        for kind in ("CT", "SR", "RTSTRUCT"):
            draft = Draft(f"syntax/{name}-{kind}", kind, syntax=syntax)
            if syntax == ExplicitVRBigEndian and "PixelData" in draft.dataset:
                draft.dataset.PixelData = draft.dataset.PixelData[::-1]
                draft.keep("PixelData", draft.dataset.PixelData.hex())
            draft.dataset.PatientComments = draft.sentence("PatientComments")
            draft.dataset.ReferencedSeriesSequence = [
                item(ReferencedImageSequence=[item(PatientName=draft.name("nested"))])
            ]
            draft.add("SoftwareVersions", "LO", draft.surname("SoftwareVersions"))
            block = draft.dataset.private_block(0x0041, "KLINIK", create=True)
            block.add_new(1, "LO", draft.name("private"))
            yield draft.finish()
    for compressed in ("RLELossless", "JPEGLSLossless", "JPEG2000Lossless"):
        from pydicom import uid as uids  # noqa: PLC0415

        from tests.factories import encode_as  # noqa: PLC0415

        draft = Draft(f"syntax/{compressed}")
        draft.dataset = encode_as(draft.dataset, getattr(uids, compressed))
        draft.keep("PixelData", draft.dataset.PixelData.hex())
        draft.dataset.PatientComments = draft.sentence("PatientComments")
        yield draft.finish()


def _order() -> Iterator[HidingPlace]:
    """Yield elements that stand where they should not."""
    for name, before in (("late", 0x00280000), ("after-window", 0x00281060), ("first", 0x00080001)):
        draft = Draft(f"order/patient-name-{name}")
        draft.raw(_NAME, element(_NAME, "PN", draft.name("order").encode()), before=before)
        yield draft.finish()
    for tag, vr in ((_NAME, "PN"), (0x00100020, "LO"), (0x00181020, "LO"), (0x00104000, "LT")):
        draft = Draft(f"order/duplicate-{tag:08X}")
        draft.raw(tag, element(tag, vr, draft.surname("duplicate").encode()))
        yield draft.finish()
    draft = Draft("order/duplicate-patient-id-before-the-first")
    draft.raw(
        0x00100020, element(0x00100020, "LO", draft.record("duplicate").encode()), before=0x00100011
    )
    yield draft.finish()
    draft = Draft("order/character-set-twice")
    draft.raw(0x00080005, element(0x00080005, "CS", b"ISO_IR 100"))
    draft.raw(0x00081030, element(0x00081030, "LO", draft.surname("StudyDescription").encode()))
    yield draft.finish()
    draft = Draft("order/low-group-after-pixel-data")
    draft.tail = element(0x00104000, "LT", draft.sentence("after pixel data").encode())
    yield draft.finish()
    draft = Draft("order/element-after-pixel-data")
    draft.tail = element(0xFFFCFFFC, "OB", draft.sentence("trailing padding").encode())
    yield draft.finish()
    draft = Draft("order/second-pixel-data")
    draft.tail = element(0x7FE00010, "OW", draft.surname("pixel data twice").encode())
    yield draft.finish()


def _lengths() -> Iterator[HidingPlace]:
    draft = Draft("lengths/odd-length")
    text = draft.surname("odd").encode()
    text += b"x" * (1 - len(text) % 2)
    head = (0x0010).to_bytes(2, "little") + (0x4000).to_bytes(2, "little") + b"LT"
    draft.raw(0x00104000, head + len(text).to_bytes(2, "little") + text)
    yield draft.finish()
    draft = Draft("lengths/long-value")
    draft.dataset.PatientComments = "x " * 4000 + draft.sentence("end of a long value")
    yield draft.finish()
    draft = Draft("lengths/long-value-outside-the-table")
    draft.add("LUTExplanation", "LO", "axial " * 900 + draft.sentence("end of a long value"))
    yield draft.finish()
    draft = Draft("lengths/empty-then-filled-items")
    draft.raw(
        _SERIES,
        sequence(_SERIES, [b"", b"", element(_NAME, "PN", draft.name("third item").encode())]),
    )
    draft.dataset.pop(_SERIES, None)
    yield draft.finish()
    draft = Draft("lengths/mixed-items")
    body = (
        wire_item(element(_NAME, "PN", draft.name("defined").encode()))
        + wire_item(element(_NAME, "PN", draft.name("undefined").encode()), undefined=True)
        + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    )
    draft.dataset.pop(_SERIES, None)
    draft.raw(_SERIES, element(_SERIES, "SQ", body, length=0xFFFFFFFF))
    yield draft.finish()
    draft = Draft("lengths/private-undefined-un")
    content = element(_NAME, "PN", draft.name("private").encode(), implicit=True)
    draft.raw(
        0x00450010,
        element(0x00450010, "LO", b"KLINIK")
        + sequence(0x00451001, [content], vr="UN", undefined=True, undefined_items=True),
    )
    yield draft.finish()
    draft = Draft("lengths/own-name-in-nested-standard-text")
    draft.dataset.ReferencedSeriesSequence = [
        item(LUTExplanation=draft.own(values.OWN_SURNAME, "LUTExplanation"))
    ]
    yield draft.finish()
