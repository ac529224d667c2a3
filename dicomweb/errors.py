"""What can go wrong while serving DICOMweb.

::

    DicomwebError
    |-- BadRequest         400: names the parameter or header, what is wrong with it, what is valid
    |-- NotAcceptable      406: nothing the client accepts can be produced
    |   `-- NotRenderable  because what is stored is no picture, or cannot be decoded
    |-- UnsupportedMedia   415
    |-- PayloadTooLarge    413
    |-- NotFound           404
    |   `-- Gone           410: it was deleted
    |-- RangeNotSatisfiable  416: no byte of the representation is in the range
    |-- StoreFull          503 with Retry-After
    |-- StoreAway          503 with Retry-After
    |-- FileDamaged        500: a stored file is gone, or not as long as it was
    |-- InstanceRefused    one instance of a STOW-RS request; becomes an item of FailedSOPSequence
    `-- DescribeError      a file cannot be walked as a DICOM instance
        |-- CutShort       because its end is missing
        `-- NoIdentity     because a UID that tells it is missing
"""

from __future__ import annotations


class DicomwebError(Exception):
    """Base of everything this package raises on purpose."""


class BadRequest(DicomwebError):
    """The request cannot be understood."""


class NotAcceptable(DicomwebError):
    """No representation that the client accepts can be produced."""


class NotRenderable(NotAcceptable):
    """What is stored has no picture in it, or none that can be decoded within the limits."""


class UnsupportedMedia(DicomwebError):
    """The request's payload is of a type that is not stored."""


class PayloadTooLarge(DicomwebError):
    """The request's payload is longer than the settings allow."""


class NotFound(DicomwebError):
    """No such resource."""


class Gone(NotFound):
    """It was there and will not come back, as far as is known (PS3.18 table 8.5-1)."""


class RangeNotSatisfiable(DicomwebError):
    """No byte of the representation is in the range that was asked for.

    Attributes
    ----------
    total
        Its length in bytes.
    """

    def __init__(self, total: int) -> None:
        super().__init__(f"the representation has {total} bytes")
        self.total = total


class StoreFull(DicomwebError):
    """No room now; the client should try again later."""


class StoreAway(DicomwebError):
    """What is stored cannot be read now; the client should ask again later."""


class FileDamaged(DicomwebError):
    """A stored file is gone, or not as long as it was when it was stored."""


class InstanceRefused(DicomwebError):
    """One instance was not stored.

    Attributes
    ----------
    failure_reason
        Failure Reason (0008,1197), PS3.18 table I.2-2: 0xA700, 0xA900, 0xC000, 0x0110, 0x0122.
    why
        What was wrong, for the Warning header; without any value.
    """

    def __init__(
        self,
        failure_reason: int,
        *,
        sop_class_uid: str = "",
        sop_instance_uid: str = "",
        why: str = "",
    ) -> None:
        super().__init__(f"{failure_reason:04X}H")
        self.why = why
        self.failure_reason = failure_reason
        self.sop_class_uid = sop_class_uid
        self.sop_instance_uid = sop_instance_uid


class DescribeError(DicomwebError):
    """A file cannot be walked as a DICOM instance; names the structure, never a value."""


class CutShort(DescribeError):
    """Something says that it is longer than what is there, or does not end."""


class NoIdentity(DescribeError):
    """One of the UIDs that tell an instance is missing or is none."""
