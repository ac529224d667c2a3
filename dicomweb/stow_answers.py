"""What a store request is answered: what became of each instance (PS3.18 table I.1-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicomweb.ports import Accepted


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that was not stored, and why (Failure Reason, PS3.18 table I.2-2; and in words)."""

    reason: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    why: str = ""


def response_module(
    accepted: Sequence[Accepted], failures: Sequence[Failure], *, study_uid: str, root: str
) -> dict[str, Any]:
    """Return the Store Instances Response Module as a DICOM JSON object (PS3.18 table I.1-1).

    A failure whose instance could not be told is an item of Other Failures Sequence (0008,119A).
    """
    study_url = [f"{root}/studies/{study_uid}"] if study_uid else []
    module: dict[str, Any] = {"00081190": _element("UR", study_url)}
    named = [failure for failure in failures if failure.sop_instance_uid]
    other = [failure for failure in failures if not failure.sop_instance_uid]
    if named:
        module["00081198"] = _element(
            "SQ",
            [
                {
                    "00081150": _element("UI", [f.sop_class_uid] if f.sop_class_uid else []),
                    "00081155": _element("UI", [f.sop_instance_uid]),
                    "00081197": _element("US", [f.reason]),
                }
                for f in named
            ],
        )
    if accepted:
        module["00081199"] = _element("SQ", [_reference(a, root) for a in accepted])
    if other:
        module["0008119A"] = _element(
            "SQ", [{"00081197": _element("US", [failure.reason])} for failure in other]
        )
    return module


def _reference(accepted: Accepted, root: str) -> dict[str, Any]:
    url = (
        f"{root}/studies/{accepted.study_uid}/series/{accepted.series_uid}"
        f"/instances/{accepted.sop_instance_uid}"
    )
    return {
        "00081150": _element("UI", [accepted.sop_class_uid]),
        "00081155": _element("UI", [accepted.sop_instance_uid]),
        "00081190": _element("UR", [url]),
    }


def _element(vr: str, values: list[Any]) -> dict[str, Any]:
    return {"vr": vr, "Value": values} if values else {"vr": vr}


_KEYWORDS: Final = {
    "00081150": "ReferencedSOPClassUID",
    "00081155": "ReferencedSOPInstanceUID",
    "00081190": "RetrieveURL",
    "00081197": "FailureReason",
    "00081198": "FailedSOPSequence",
    "00081199": "ReferencedSOPSequence",
    "0008119A": "OtherFailuresSequence",
}


def as_xml(dataset: Mapping[str, Any]) -> bytes:
    """Return the response as Native DICOM Model (PS3.19 A.1)."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
        + _xml_attributes(dataset)
        + "</NativeDicomModel>"
    ).encode()


def _xml_attributes(dataset: Mapping[str, Any]) -> str:
    return "".join(
        f'<DicomAttribute tag="{tag}" vr={quoteattr(element["vr"])} keyword="{_KEYWORDS[tag]}">'
        + "".join(
            f'<Item number="{number}">{_xml_attributes(value)}</Item>'
            if isinstance(value, dict)
            else f'<Value number="{number}">{escape(str(value))}</Value>'
            for number, value in enumerate(element.get("Value", ()), start=1)
        )
        + "</DicomAttribute>"
        for tag, element in dataset.items()
    )
