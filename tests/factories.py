"""Instances for tests, made when they are needed; nothing is read from samples."""

from __future__ import annotations

import csv
import io
import struct
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from daemon.synthetic.capture import make_sc
from daemon.synthetic.collection import Demonstration, demonstration_instances
from daemon.synthetic.ct import make_ct as make_whole_ct
from daemon.synthetic.document import make_document
from daemon.synthetic.elements import original_uid
from daemon.synthetic.encodings import encode_as, native_frames
from daemon.synthetic.encodings import encoded as as_file
from daemon.synthetic.mr import make_enhanced_mr, make_mr
from daemon.synthetic.nuclear import make_nm
from daemon.synthetic.patients import PATIENTS, Patient
from daemon.synthetic.presentation import make_pr
from daemon.synthetic.radiotherapy import make_rtstruct
from daemon.synthetic.reports import make_ko, make_sr
from daemon.synthetic.segmentation import make_seg
from daemon.synthetic.ultrasound import make_us
from daemon.synthetic.xray import make_cr, make_dx, make_xa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "PATIENTS",
    "Canary",
    "Demonstration",
    "Patient",
    "canary_dataset",
    "ct_file",
    "demonstration_instances",
    "encode_as",
    "encoded",
    "identifying_strings",
    "make_cr",
    "make_ct",
    "make_document",
    "make_dx",
    "make_enhanced_mr",
    "make_ko",
    "make_mr",
    "make_nm",
    "make_pr",
    "make_rtstruct",
    "make_sc",
    "make_seg",
    "make_sr",
    "make_us",
    "make_xa",
    "many_ct",
    "native_frames",
    "original_uid",
    "write",
]


def make_ct(
    patient: Patient = PATIENTS[0],
    *,
    rows: int = 4,
    columns: int | None = None,
    seed: int = 1,
    study: int = 1,
    series: int = 2,
    instance: int = 1,
    transfer_syntax_uid: str | None = None,
    **changes: object,
) -> Dataset:
    """Make a CT slice, four rows by default; `changes` sets attributes by keyword, None removes."""
    dataset = make_whole_ct(
        patient,
        seed=seed,
        study=study,
        series=series,
        instance=instance,
        rows=rows,
        columns=columns,
    )
    for keyword, value in changes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    return encode_as(dataset, transfer_syntax_uid) if transfer_syntax_uid else dataset


def encoded(dataset: Dataset, *, preamble: bytes | None = None) -> bytes:
    """Return the dataset as a file's bytes (PS3.10 7.1), with another preamble if asked."""
    content = as_file(dataset)
    return content if preamble is None else preamble.ljust(128, b"\x00") + content[128:]


def write(path: Path, dataset: Dataset) -> Path:
    """Write the dataset as a DICOM file, making its folder; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(dataset))
    return path


class _Stencil:
    """A file in which some texts are put in later: in a hundredth of the time that encoding takes."""

    def __init__(self, dataset: Dataset, *keywords: str) -> None:
        content = encoded(dataset)
        self._kept: list[bytes] = []
        self._left_open: list[tuple[str, bytes, bytes]] = []
        at = 0
        for keyword in sorted(keywords, key=tag_for_keyword):  # type: ignore[arg-type]
            tag = tag_for_keyword(keyword)
            assert tag is not None
            vr = dictionary_VR(tag)
            head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
            assert content.count(head) == 1, f"{keyword} is there twice, or not as a short element"
            start = content.index(head)
            self._kept.append(content[at:start])
            self._left_open.append((keyword, head, b"\0" if vr == "UI" else b" "))
            at = start + 8 + int.from_bytes(content[start + 6 : start + 8], "little")
        self._kept.append(content[at:])

    def file(self, **texts: str) -> bytes:
        """Return the file with these texts, by keyword."""
        made = []
        for kept, (keyword, head, padding) in zip(self._kept, self._left_open, strict=False):
            value = texts[keyword].encode()
            value += padding * (len(value) % 2)
            made += [kept, head, len(value).to_bytes(2, "little"), value]
        return b"".join((*made, self._kept[-1]))


@cache
def _ct_stencil(patient: Patient, seed: int, study: int, series: int, rows: int) -> _Stencil:
    """Return a series' first slice, in which is left open what tells its slices from each other."""
    return _Stencil(
        make_whole_ct(patient, seed=seed, study=study, series=series, rows=rows),
        "MediaStorageSOPInstanceUID",
        "SOPInstanceUID",
        "InstanceNumber",
        "SliceLocation",
        "ImagePositionPatient",
    )


def ct_file(
    patient: Patient = PATIENTS[0],
    *,
    rows: int = 4,
    seed: int = 1,
    study: int = 1,
    series: int = 2,
    instance: int = 1,
    position: float | None = None,
) -> bytes:
    """Return the file of a CT slice; all slices of a series have the pixels of its first.

    Else it is ``encoded(make_ct(...))``, of which a thousand take ten seconds.
    """
    position = -250.0 + 5.0 * instance if position is None else position
    uid = original_uid(patient.patient_id, seed, study, series, instance)
    return _ct_stencil(patient, seed, study, series, rows).file(
        # Always of 64 characters, so that the length of the file meta information stays.
        MediaStorageSOPInstanceUID=uid,
        SOPInstanceUID=uid,
        InstanceNumber=str(instance),
        SliceLocation=f"{position:g}",
        ImagePositionPatient=f"-180.0\\-180.0\\{position}",
    )


def many_ct(
    count: int,
    *,
    rows: int = 512,
    seed: int = 1,
    per_study: int = 100,
    patient: Patient | None = None,
) -> Iterator[bytes]:
    """Yield the files of `count` CT instances of several patients and studies.

    They are drawn and encoded once per study, so that thousands are made quickly; every UID, instance
    number and position differs as in a real series.
    """
    for number in range(count):
        study, instance = divmod(number, per_study)
        yield ct_file(
            patient or PATIENTS[study % len(PATIENTS)],
            rows=rows,
            seed=seed,
            study=study + 1,
            instance=instance + 1,
            position=-250.0 + 5.0 * instance,
        )


def identifying_strings(dataset: Dataset) -> set[bytes]:
    """Return the encoded values in `dataset` that must not survive: who, when, which, at any depth.

    Values too short or too common to be told from chance (under five bytes, or of fewer than three
    different characters) are left out.
    """
    found: set[bytes] = set()
    buffer = io.BytesIO()
    for element in dataset.iterall():
        if element.VR not in {"PN", "UI", "DA", "DT", "LO", "SH", "LT", "ST", "UT"}:
            continue
        if element.VR == "UI" and str(element.value).startswith("1.2.840.10008."):
            continue
        if element.VR in {"LO", "SH", "LT", "ST", "UT"} and element.keyword not in _NAMING:
            continue
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            buffer.seek(0)
            buffer.truncate()
            raw = _encoded_text(value, dataset)
            for part in raw.replace(b"=", b"^").split(b"^") if element.VR == "PN" else [raw]:
                if len(part) > 4 and len(set(part)) > 2:
                    found.add(part)
    return found


_NAMING = {
    "AccessionNumber", "AdditionalPatientHistory", "AdmissionID", "CurrentPatientLocation",
    "DeviceSerialNumber", "ImageComments", "InstitutionAddress", "InstitutionalDepartmentName",
    "InstitutionName", "PatientAddress", "PatientComments", "PatientID", "PatientTelephoneNumbers",
    "PerformedProcedureStepID", "RequestedProcedureID", "ScheduledProcedureStepID", "StationName",
    "StudyComments",
}  # fmt: skip


def _encoded_text(value: object, dataset: Dataset) -> bytes:
    probe = Dataset()
    probe.SpecificCharacterSet = dataset.get("SpecificCharacterSet", "ISO_IR 6")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    original = getattr(value, "original_string", None)
    if isinstance(original, bytes):
        return original.strip()
    codecs = probe.get("SpecificCharacterSet")
    for charset in [codecs] if isinstance(codecs, str) else codecs or []:
        try:
            return str(value).encode(_CODECS.get(charset, "ascii")).strip()
        except UnicodeEncodeError:
            continue
    return str(value).encode("utf-8").strip()


_CODECS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 149": "euc_kr",
}


@dataclass(slots=True)
class Canary:
    """A dataset in which every identifying element holds a value that occurs nowhere else.

    Attributes
    ----------
    answers
        The marked value by where it was planted: a path such as ``(0010,0010)`` or
        ``(0040,0275)[0].(0010,0010)``. None of them may be found in what leaves.
    """

    dataset: Dataset
    answers: dict[str, bytes] = field(default_factory=dict)

    def survivors(self, content: bytes) -> dict[str, bytes]:
        """Return what of the answers is still in `content`."""
        return {
            where: marker
            for where, marker in self.answers.items()
            if marker in content or marker in content.upper()
        }


def canary_dataset(
    *, rows: int = 4, mark: str = "ZQXPHI", depth: int = 3, kept_actions: bool = False
) -> Canary:
    """Make a CT in which Table E.1-1 is planted: at the top, nested, in private and UN sequences.

    Parameters
    ----------
    mark
        Start of every text value planted, so that any leak is found by one search.
    depth
        How many sequences deep the deepest copy of the identifying elements lies.
    kept_actions
        Whether also elements whose basic action is K are planted.
    """
    canary = Canary(make_ct(rows=rows))
    planted = _Planter(mark)
    actions = {"K"} if not kept_actions else set()
    for tag in _table_tags(actions):
        _plant(canary, canary.dataset, tag, "", planted)
    item = canary.dataset
    prefix = ""
    for level in range(depth):
        nested = Dataset()
        for tag in _NESTED:
            _plant(canary, nested, tag, f"{prefix}(0008,1115)[0].", planted)
        if level == 0 and "ReferencedSeriesSequence" in item:
            del item.ReferencedSeriesSequence
        item.ReferencedSeriesSequence = [nested]
        prefix += "(0008,1115)[0]."
        item = nested
    block = canary.dataset.private_block(0x0033, "ZQX CANARY BLOCK", create=True)
    private = Dataset()
    for tag in _NESTED:
        _plant(canary, private, tag, "(0033,1010)[0].", planted)
    block.add_new(0x10, "SQ", [private])
    block.add_new(0x11, "LO", planted.text(64, "(0033,1011)", canary))
    canary.dataset.file_meta.MediaStorageSOPInstanceUID = canary.dataset.SOPInstanceUID
    hidden = Dataset()
    for tag in _NESTED:
        _plant(canary, hidden, tag, "(0033,1012) as UN[0].", planted)
    block.add_new(0x12, "UN", _as_unknown(hidden))
    return canary


_NESTED = (
    0x00100010,
    0x00100020,
    0x00100030,
    0x00080050,
    0x00080018,
    0x00081070,
    0x00104000,
    0x00080080,
)


def _table_tags(without_actions: set[str]) -> list[int]:
    rows = csv.DictReader(files("deid.tables").joinpath("e11.csv").read_text("utf-8").splitlines())
    tags = []
    for row in rows:
        text = row["tag"].replace(",", "").replace(" ", "")
        if len(text) != 8 or not all(c in "0123456789ABCDEFabcdef" for c in text):
            continue
        tag = int(text, 16)
        if tag >> 16 in {0x0000, 0x0002, 0x0004} or row["basic"] in without_actions:
            continue
        tags.append(tag)
    return tags


class _Planter:
    """Makes values that occur nowhere else."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.count = 0

    def text(self, limit: int, where: str, canary: Canary) -> str:
        self.count += 1
        value = (
            f"{self.mark}{self.count:05d}"[-limit:]
            if limit < 11
            else f"{self.mark}{self.count:05d}"
        )
        canary.answers[where] = value.encode()
        return value

    def day(self, where: str, canary: Canary) -> str:
        self.count += 1
        year, rest = divmod(self.count, 336)
        value = f"{1900 + year:04d}{rest // 28 + 1:02d}{rest % 28 + 1:02d}"
        canary.answers[where] = value.encode()
        return value

    def uid(self, where: str, canary: Canary) -> str:
        self.count += 1
        value = f"1.2.826.0.1.3680043.9.7433.{self.count + 700000}"
        canary.answers[where] = value.encode()
        return value


_TEXT_LIMITS = {
    "AE": 16, "CS": 16, "LO": 64, "LT": 1024, "PN": 64,
    "SH": 16, "ST": 1024, "UC": 64, "UR": 64, "UT": 1024,
}  # fmt: skip


def _plant(canary: Canary, item: Dataset, tag: int, prefix: str, planter: _Planter) -> None:
    """Put a marked value into one element; VRs that cannot carry a mark are left alone."""
    if not keyword_for_tag(tag) or tag == 0x7FE00010:
        return
    vr = dictionary_VR(tag).split(" or ")[0]
    where = f"{prefix}({tag >> 16:04X},{tag & 0xFFFF:04X})"
    if vr in _TEXT_LIMITS:
        value: object = planter.text(_TEXT_LIMITS[vr], where, canary)
        if vr == "PN":
            value = f"{value}^Eve"
    elif vr == "UI":
        if tag == 0x00080016 or "ClassUID" in keyword_for_tag(tag):
            return
        value = planter.uid(where, canary)
    elif vr == "DA":
        value = planter.day(where, canary)
    elif vr == "DT":
        value = planter.day(where, canary) + "101112"
    elif vr == "SQ":
        nested = Dataset()
        _plant(canary, nested, 0x00100010, f"{where}[0].", planter)
        _plant(canary, nested, 0x00104000, f"{where}[0].", planter)
        value = [nested]
    elif vr in {"OB", "OW", "UN"}:
        value = planter.text(11, where, canary).encode() + b" "
    else:
        return
    fewest = int(dictionary_VM(tag).split("-")[0])
    if fewest > 1 and vr != "SQ":
        value = [value] * fewest
    item.add_new(tag, vr, value)


def _as_unknown(item: Dataset) -> bytes:
    """Encode a sequence of one item as an unknown value: implicit little endian (PS3.5 6.2.2)."""
    buffer = io.BytesIO()
    plain = Dataset()
    plain.update(item)
    plain.save_as(buffer, implicit_vr=True, little_endian=True, enforce_file_format=False)
    content = buffer.getvalue()
    if content[128:132] == b"DICM":
        message = f"a bare dataset was expected ({ImplicitVRLittleEndian.name})"
        raise AssertionError(message)
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content
