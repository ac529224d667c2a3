"""Places outside the data set: preamble, file meta information, bytes after the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tests.adversarial.corpus import Draft, HidingPlace

if TYPE_CHECKING:
    from collections.abc import Iterator


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    draft = Draft("file/preamble")
    draft.preamble = draft.sentence("preamble").encode()
    yield draft.finish()
    draft = Draft("file/preamble-of-a-tiff")
    draft.preamble = b"II*\x00\x08\x00\x00\x00" + draft.name("preamble").encode()
    yield draft.finish()
    for keyword in (
        "SourceApplicationEntityTitle", "SendingApplicationEntityTitle",
        "ReceivingApplicationEntityTitle", "ImplementationVersionName",
    ):  # fmt: skip
        draft = Draft(f"file/{keyword}")
        setattr(draft.dataset.file_meta, keyword, draft.capitals(keyword))
        yield draft.finish()
    draft = Draft("file/ImplementationClassUID")
    draft.dataset.file_meta.ImplementationClassUID = UID(draft.uid("ImplementationClassUID"))
    yield draft.finish()
    draft = Draft("file/private-information")
    draft.dataset.file_meta.PrivateInformationCreatorUID = UID(
        draft.uid("PrivateInformationCreatorUID")
    )
    draft.dataset.file_meta.PrivateInformation = draft.name("PrivateInformation").encode()
    yield draft.finish()
    draft = Draft("file/presentation-addresses")
    draft.dataset.file_meta.SourcePresentationAddress = (
        f"https://{draft.surname('SourcePresentationAddress')}.example"
    )
    yield draft.finish()
    draft = Draft("file/media-storage-uid-differs")
    draft.dataset.file_meta.MediaStorageSOPInstanceUID = UID(
        draft.uid("MediaStorageSOPInstanceUID")
    )
    yield draft.finish()
    for kind in ("CT", "SR"):
        for name, shape in (
            ("text", b"%s"), ("zeros-then-text", bytes(64) + b"%s"), ("xml", b"<patient>%s</patient>"),
            ("short", b"\x00\x00%s"),
        ):  # fmt: skip
            draft = Draft(f"trailing/{name}-{kind}", kind)
            draft.tail = shape % draft.sentence("after the data set").encode()
            yield draft.finish()
    draft = Draft("trailing/deflated", syntax=DeflatedExplicitVRLittleEndian)
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    place = draft.finish()
    yield place
    draft = Draft("trailing/after-the-last-row")
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    draft.tail = b"\x00" * 2
    yield draft.finish()
    draft = Draft("trailing/data-set-trailing-padding")
    text = draft.sentence("DataSetTrailingPadding").encode()
    draft.add(0xFFFCFFFC, "OB", text + b" " * (len(text) % 2))
    yield draft.finish()
    draft = Draft("trailing/whole-second-file")
    other = Draft("trailing/whole-second-file-inner", "SR")
    other.dataset.PatientComments = draft.sentence("second file")
    draft.tail = other.finish().content
    yield draft.finish()
    draft = Draft("file/plain", syntax=ExplicitVRLittleEndian)
    draft.dataset.PatientComments = draft.sentence("PatientComments")
    yield draft.finish()
