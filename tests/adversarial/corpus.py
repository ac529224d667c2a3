"""Hiding places: files in which something identifying stands where a tool may not look.

Each place is one file of one kind, made the same everywhere, with an answer key: what was planted and
where, what the Basic Profile keeps, and which references have to stay pairs. `corpus()` returns them all;
`tests.adversarial.scorer` judges what a tool made of one.
"""

from __future__ import annotations

import io
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from pydicom import config
from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, dcmwrite, write_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from deid.tables.load import confidentiality_by_tag
from tests.adversarial.bases import base
from tests.adversarial.values import Values
from tests.adversarial.wire import element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydicom.dataelem import DataElement
    from pydicom.tag import BaseTag


@dataclass(frozen=True, slots=True, eq=False)
class HidingPlace:
    """One file and its answer key.

    Attributes
    ----------
    id
        Family and name, such as ``nesting/depth-12-undefined``.
    kind
        The kind of instance, as in `bases.KINDS`.
    content
        The Part 10 file.
    planted
        What must not be found in the result, by marker: where it stands.
    kept
        What the Basic Profile keeps, by path: value as text.
    references
        Pairs of paths whose UIDs are equal and have to stay equal.
    charset
        Specific Character Set, for searching encoded markers.
    research_keeps
        Markers that the preset ``research`` keeps on purpose: times of day, characteristics.
    """

    id: str
    kind: str
    content: bytes
    planted: Mapping[str, str]
    kept: Mapping[str, str]
    references: tuple[tuple[str, str], ...]
    charset: str = ""
    research_keeps: frozenset[str] = frozenset()

    @property
    def family(self) -> str:
        """The first part of the id."""
        return self.id.partition("/")[0]

    def make(self) -> bytes:
        """Return the file."""
        return self.content

    def markers(self, preset: str) -> tuple[str, ...]:
        """Return what must not be found under a preset."""
        spared = self.research_keeps if preset == "research" else frozenset()
        return tuple(marker for marker in self.planted if marker not in spared)


class Draft(Values):
    """A hiding place in the making: a base to change, and bytes that no library would write.

    Attributes
    ----------
    raws
        ``(tag, element bytes)``: put in before the first element of a higher tag.
    tail
        Bytes after the data set.
    preamble
        The file's first 128 bytes.
    """

    def __init__(
        self, place: str, kind: str = "CT", *, syntax: str = ExplicitVRLittleEndian
    ) -> None:
        super().__init__(place)
        self.kind = kind
        self.dataset = base(kind)
        self.dataset.file_meta.TransferSyntaxUID = UID(syntax)
        self.raws: list[tuple[int, bytes]] = []
        self.tail = b""
        self.preamble = b""
        self.spared: set[str] = set()

    def add(self, tag: int | str, vr: str, value: object, item: Dataset | None = None) -> None:
        """Set an element, whatever the dictionary thinks of its VR or value."""
        if item is None and vr in ("IS", "DS") and isinstance(value, str):
            number = tag_for_keyword(tag) if isinstance(tag, str) else tag
            assert number is not None
            self.replace(number, vr, value.encode())
            return
        with relaxed():
            (self.dataset if item is None else item).add_new(tag, vr, value)

    def replace(self, tag: int, vr: str, value: bytes) -> None:
        """Put an element with these very bytes in the place of what is there."""
        self.dataset.pop(tag, None)
        self.raw(tag, element(tag, vr, value))

    def raw(self, tag: int, content: bytes, *, before: int | None = None) -> None:
        """Put bytes in the place of an element."""
        self.raws.append((tag if before is None else before, content))

    def research_keeps(self, *markers: str) -> None:
        """Declare markers that the preset ``research`` keeps."""
        self.spared.update(markers)

    def finish(self) -> HidingPlace:
        """Return the hiding place."""
        with relaxed():
            content = encode(self.dataset, self.raws, self.tail, self.preamble)
            kept = _kept(self.kind, self.dataset, tuple(self.planted))
        declared = self.dataset.get("SpecificCharacterSet", "") or ""
        charset = declared if isinstance(declared, str) else "\\".join(declared)
        return HidingPlace(
            self.place,
            self.kind,
            content,
            self.planted,
            {**kept, **self.kept},
            tuple(self.same),
            charset,
            frozenset(self.spared),
        )


@contextmanager
def relaxed() -> Iterator[None]:
    """Let pydicom read and write what is not valid; its settings are put back."""
    settings = config.settings
    before = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = before


def encode(
    dataset: Dataset, raws: list[tuple[int, bytes]], tail: bytes = b"", preamble: bytes = b""
) -> bytes:
    """Return a Part 10 file of a data set, with raw elements in their places."""
    syntax = dataset.file_meta.TransferSyntaxUID
    # Raw bytes behind an element of the same tag.
    body = joined([*elements_of(dataset), *raws]) + tail
    if syntax.is_deflated:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
        body += b"\x00" * (len(body) % 2)
    return preamble.ljust(128, b"\x00")[:128] + _file_meta(dataset.file_meta) + body


def elements_of(dataset: Dataset) -> Iterator[tuple[int, bytes]]:
    """Yield the tags of the elements, in ascending order, and the elements encoded."""
    syntax = dataset.file_meta.TransferSyntaxUID
    ready = correct_ambiguous_vr(dataset, syntax.is_little_endian)
    charset = convert_encodings(dataset.get("SpecificCharacterSet") or "ISO_IR 6")
    untouched = syntax.is_little_endian and not syntax.is_implicit_VR
    for tag in sorted(ready._dict):
        raw = ready._dict[tag]
        if untouched and isinstance(raw, RawDataElement) and raw.VR:
            yield tag, element(int(tag), raw.VR, raw.value or b"")
            continue
        buffer = DicomBytesIO()
        buffer.is_little_endian = syntax.is_little_endian
        buffer.is_implicit_VR = syntax.is_implicit_VR
        part = Dataset()
        part.add(ready[tag])
        write_dataset(buffer, part, charset)
        yield tag, buffer.getvalue()


def joined(elements: list[tuple[int, bytes]]) -> bytes:
    """Return encoded elements in the order of their tags; those of one tag stay in theirs."""
    return b"".join(content for _, content in sorted(elements, key=lambda each: each[0]))


def _file_meta(meta: FileMetaDataset) -> bytes:
    buffer = io.BytesIO()
    empty = Dataset()
    empty.file_meta = meta
    # The header is always explicit little endian; an empty data set adds nothing to it.
    dcmwrite(buffer, empty, enforce_file_format=True)
    content = buffer.getvalue()[128:]
    return content if not meta.TransferSyntaxUID.is_deflated else content[: _meta_end(content)]


def _meta_end(content: bytes) -> int:
    return 16 + int.from_bytes(content[12:16], "little")


def flatten(dataset: Dataset, prefix: str = "", *, only: str = "") -> dict[str, DataElement]:
    """Return every element that is no sequence, by a path such as ``ContentSequence[0].TextValue``.

    `only` is the one VR that is asked for; the rest is not decoded.
    """
    found: dict[str, DataElement] = {}
    for tag in sorted(dataset._dict):
        if only and (dataset._dict[tag].VR or "SQ") not in (only, "SQ", "UN"):
            continue
        each = _element(dataset, tag)
        path = f"{prefix}{keyword_for_tag(each.tag) or f'{each.tag:08X}'}"
        if each.VR == "SQ":
            for number, item in enumerate(each.value or ()):
                found.update(flatten(item, f"{path}[{number}].", only=only))
        elif only in ("", each.VR):
            found[path] = each
    return found


_AS_THEY_STAND = {
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OD", "OF", "OL", "OV", "OW",
    "PN", "SH", "SL", "SS", "ST", "TM", "UC", "UI", "UL", "UR", "US", "UT",
}  # fmt: skip
"""VRs whose values mean the same wherever they stand; of others it is asked what stands around them."""


def _element(dataset: Dataset, tag: BaseTag) -> DataElement:
    """Return an element decoded; most are the same in hundreds of places, and are decoded once."""
    raw = dataset._dict[tag]
    if not isinstance(raw, RawDataElement) or raw.VR not in _AS_THEY_STAND or not raw.value:
        return dataset[tag]
    if tag == 0x00080005:
        return dataset[tag]
    charset = dataset.original_character_set or dataset._character_set
    known = charset if isinstance(charset, str) else tuple(charset)
    return _decoded(raw.tag, raw.VR, raw.value, known, is_little=raw.is_little_endian)


@lru_cache(maxsize=100_000)
def _decoded(
    tag: BaseTag, vr: str, value: bytes, charset: str | tuple[str, ...], *, is_little: bool
) -> DataElement:
    raw = RawDataElement(
        tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=is_little
    )
    encoding = charset if isinstance(charset, str) else list(charset)
    return convert_raw_data_element(raw, encoding=encoding)


def text_of(each: DataElement) -> str:
    """Return a value as text that can be compared."""
    value: Any = each.value
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "__iter__") and not isinstance(value, str) and each.VR != "PN":
        return "\\".join(map(str, value))
    return str(value)


_NUMBERS = {"US", "SS", "UL", "SL", "FL", "FD", "AT", "DS", "IS", "CS"}
_STANDARD_SCHEMES = {"DCM", "SCT", "LN", "UCUM", "SRT", "MA", "SCPECG", "RADLEX"}
_TEXTS = {
    0x00080070, 0x00181210, 0x00181160, 0x00180024, 0x00180023, 0x00180085, 0x00280120,
    0x00080301, 0x00081090,
}  # fmt: skip


@cache
def _kept_of_base(kind: str) -> dict[str, str]:
    with relaxed():
        elements = flatten(base(kind))
    listed = confidentiality_by_tag()
    result = {}
    for path, each in elements.items():
        tag = int(each.tag)
        if tag in listed or tag >> 16 & 1 or tag >> 24 in (0x50, 0x60) or _inside_listed(path):
            continue
        if each.VR in _NUMBERS or tag in _TEXTS or tag == 0x7FE00010:
            result[path] = text_of(each)
        elif tag in (0x00080100, 0x00080102, 0x00080104):
            scheme = elements.get(path.rpartition(".")[0] + ".CodingSchemeDesignator")
            if scheme is not None and scheme.value in _STANDARD_SCHEMES:
                result[path] = text_of(each)
    return result


def _inside_listed(path: str) -> bool:
    listed = confidentiality_by_tag()
    parents = [part.partition("[")[0] for part in path.split(".")[:-1]]
    return any((tag_for_keyword(parent) or 0x00010000) in listed for parent in parents) or any(
        len(parent) == 8 and parent.isalnum() and parent[:1].isdigit() for parent in parents
    )


def _kept(kind: str, dataset: Dataset, markers: tuple[str, ...]) -> dict[str, str]:
    """Return what of the base the profile keeps and the draft did not change."""
    untouched = {tag for tag, each in dataset._dict.items() if isinstance(each, RawDataElement)}
    touched = Dataset()
    touched._dict = {tag: each for tag, each in dataset._dict.items() if tag not in untouched}
    elements = flatten(touched)
    result = {}
    for path, value in _kept_of_base(kind).items():
        each = elements.get(path)
        if (each is not None and text_of(each) == value) or tag_for_keyword(path) in untouched:
            result[path] = value
    return {path: value for path, value in result.items() if not any(m in value for m in markers)}


@cache
def corpus() -> tuple[HidingPlace, ...]:
    """Return all hiding places, in a fixed order."""
    from tests.adversarial import disguised, elements, files, objects, samples, structure, texts  # noqa: PLC0415

    found: list[HidingPlace] = []
    with relaxed():
        for module in (elements, structure, texts, objects, files, samples, disguised):
            found.extend(module.places())
    return tuple(found)
