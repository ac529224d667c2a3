"""Whether what a configuration makes still says who the patient is, found out by trying it.

A header of nobody's is de-identified with the compiled plan: whatever profile, list or transformation lets a
name through, it shows. What a site may keep on purpose (UIDs, dates of studies, institutions, sex, age) is not
tried.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final

import deid
from deid.configuration.coverage import Coverage
from deid.configuration.leniencies import sentence
from deid.encoding.part10 import part10
from deid.encoding.segments import Span
from deid.errors import Unsafe
from deid.identity.keys import KEY_BYTES, SiteKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from deid.encoding.segments import Segment

CODE: Final = "still_identifies"
"""The warning's code; the names of what stays follow, as a JSON path follows other codes."""

_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
_UID: Final = "1.2.826.0.1.3680043.8.498.4711"
# Nobody's: no word of these is in any vocabulary, and the date is no round one.
_CANARY: Final = (
    (0x00100010, "PN", "PatientName", "Zqxwurm^Ottilienz"),
    (0x00100020, "LO", "PatientID", "QX7730418"),
    (0x00100030, "DA", "PatientBirthDate", "19430717"),
    (0x00101000, "LO", "OtherPatientIDs", "QY8841529"),
    (0x00101001, "PN", "OtherPatientNames", "Brakzul^Ottilienz"),
    (0x00101005, "PN", "PatientBirthName", "Vrezzim^Ottilienz"),
    (0x00101040, "LO", "PatientAddress", "Kwexelgasse 17, 9871 Trozzen"),
    (0x00101060, "PN", "PatientMotherBirthName", "Plozzen^Gwendra"),
    (0x00102154, "SH", "PatientTelephoneNumbers", "0664 7351 882"),
    (0x00080050, "SH", "AccessionNumber", "ZQX4471903"),
    (0x00080090, "PN", "ReferringPhysicianName", "Kvorzel^Dagwine"),
)
_OTHERS: Final = (
    (0x00080016, "UI", _CT),
    (0x00080018, "UI", f"{_UID}.3"),
    (0x00080060, "CS", "CT"),
    (0x0020000D, "UI", f"{_UID}.1"),
    (0x0020000E, "UI", f"{_UID}.2"),
)
_NAMED = 3


@cache
def _header() -> bytes:
    """Return an instance without pixels that has all of it."""
    elements = [(tag, vr, value) for tag, vr, _, value in _CANARY] + list(_OTHERS)
    content = b""
    for tag, vr, value in sorted(elements):
        raw = value.encode("ascii")
        raw += (b"\x00" if vr == "UI" else b" ") * (len(raw) % 2)
        content += struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(raw)) + raw
    segments = part10(
        [content],
        content,
        sop_class_uid=_CT,
        sop_instance_uid=f"{_UID}.3",
        transfer_syntax_uid=_EXPLICIT_LITTLE,
    )
    return _whole(segments, content)


def still_identifying(plan: deid.Plan) -> tuple[str, ...]:
    """Return keywords of what stays of a patient's identity under a plan; nothing where none does."""
    if Coverage.DICOM not in plan.covers:
        return ()
    source = _header()
    try:
        clean = deid.deidentify(source, plan)
    except Unsafe:
        return ()  # what is refused identifies nobody
    made = _whole(clean.segments, source)
    return tuple(keyword for _, _, keyword, value in _CANARY if value.encode("ascii") in made)


def told(warning: str) -> str:
    """Return a warning as a sentence."""
    code, _colon, names = warning.partition(": ")
    if code != CODE:
        return sentence(warning)
    return (
        f"{names} come out as they went in: the result still identifies patients, and must not be taken for"
        " de-identified."
    )


def warnings_of(plan: deid.Plan) -> tuple[str, ...]:
    """Return a plan's own warnings and, where its result identifies, one that says so."""
    return (*plan.warnings, *warning_of(still_identifying(plan)))


def warnings_of_configuration(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the warnings of a configuration, whatever the key. Raises `ConfigurationInvalid`."""
    return warnings_of(deid.compile_plan(configuration, SiteKey(bytes(range(KEY_BYTES)))))


def warning_of(left: Sequence[str]) -> tuple[str, ...]:
    """Return the warning about what stays; none where nothing does."""
    if not left:
        return ()
    more = len(left) - _NAMED
    named = ", ".join(left[:_NAMED])
    return (f"{CODE}: {named} and {more} more" if more > 0 else f"{CODE}: {named}",)


def _whole(segments: Iterable[Segment], source: bytes) -> bytes:
    return b"".join(
        source[each.start : each.stop] if isinstance(each, Span) else bytes(each)
        for each in segments
    )
