"""Malformed input of every kind that is known to have hurt somebody, made when it is needed.

Each case says what may become of it. `REFUSED`: it is no instance, a receiver may turn it away.
`QUARANTINED`: it must never reach the destination. `CLEAN`: it may reach the destination, provided
that nothing of `MARK` is in what leaves. Everything may end in quarantine; nothing may end in an
error that nobody planned, and nothing may take memory out of proportion to its size.
"""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from tests.factories import PATIENTS, encoded, make_ct, make_sr, make_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MARK = b"ZQXPHI"
"""Stands in every identifying value below, and nowhere else."""

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
CT_STORAGE = b"1.2.840.10008.5.1.4.1.1.2"
ROOT = b"1.2.826.0.1.3680043.9.7433.5."

_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UC", b"UR", b"UT", b"SV", b"UV"}
_UNDEFINED = 0xFFFFFFFF
_ITEM = b"\xfe\xff\x00\xe0"
_ITEM_END = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


class Expected(Enum):
    """The best that may become of a case; see the module's docstring."""

    REFUSED = "refused"
    QUARANTINED = "quarantined"
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Malformed:
    """One malformed input; `make` returns its bytes anew each time."""

    id: str
    make: Callable[[], bytes]
    expected: Expected

    def __str__(self) -> str:
        return self.id


def element(tag: int, vr: bytes, value: bytes, *, length: int | None = None) -> bytes:
    """Encode an element in explicit little endian, with a `length` that lies if asked."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    size = len(value) if length is None else length
    if vr in _LONG:
        return head + struct.pack("<HI", 0, size) + value
    return head + struct.pack("<H", size) + value


def implicit(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """Encode an element in implicit little endian."""
    size = len(value) if length is None else length
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, size) + value


def item(content: bytes, *, undefined: bool = False, length: int | None = None) -> bytes:
    """Encode a sequence item (PS3.5 7.5)."""
    if undefined:
        return _ITEM + struct.pack("<I", _UNDEFINED) + content + _ITEM_END
    return _ITEM + struct.pack("<I", len(content) if length is None else length) + content


def sequence(tag: int, *items: bytes, undefined: bool = False, length: int | None = None) -> bytes:
    """Encode a sequence in explicit little endian."""
    content = b"".join(items)
    if undefined:
        return element(tag, b"SQ", content + _SEQUENCE_END, length=_UNDEFINED)
    return element(tag, b"SQ", content, length=length)


def even(value: bytes, pad: bytes = b" ") -> bytes:
    """Pad to an even length (PS3.5 6.2)."""
    return value + pad * (len(value) % 2)


def meta(
    transfer_syntax: str | None = EXPLICIT,
    *,
    sop_instance_uid: bytes = ROOT + b"1",
    group_length: int | None = None,
    more: bytes = b"",
) -> bytes:
    """Encode preamble and file meta information (PS3.10 7.1)."""
    body = element(0x00020001, b"OB", b"\x00\x01")
    body += element(0x00020002, b"UI", even(CT_STORAGE, b"\0"))
    body += element(0x00020003, b"UI", even(sop_instance_uid, b"\0"))
    if transfer_syntax is not None:
        body += element(0x00020010, b"UI", even(transfer_syntax.encode(), b"\0"))
    body += element(0x00020012, b"UI", even(ROOT + b"9", b"\0")) + more
    size = len(body) if group_length is None else group_length
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", size)) + body


def plain(changes: Mapping[int, bytes | None] | None = None) -> dict[int, bytes]:
    """Return the encoded elements of a small CT by tag; `changes` replaces or removes some."""
    values: dict[int, tuple[bytes, bytes]] = {
        0x00080008: (b"CS", b"ORIGINAL\\PRIMARY\\AXIAL "),
        0x00080016: (b"UI", even(CT_STORAGE, b"\0")),
        0x00080018: (b"UI", even(ROOT + b"1", b"\0")),
        0x00080020: (b"DA", b"20240102"),
        0x00080050: (b"SH", MARK + b"A1"),
        0x00080060: (b"CS", b"CT"),
        0x00080090: (b"PN", even(MARK + b"^DOCTOR")),
        0x0008103E: (b"LO", even(MARK + b" THORAX")),
        0x00100010: (b"PN", even(MARK + b"^EVE")),
        0x00100020: (b"LO", MARK + b"01"),
        0x00100030: (b"DA", b"19700101"),
        0x00100040: (b"CS", b"F "),
        0x0020000D: (b"UI", even(ROOT + b"2", b"\0")),
        0x0020000E: (b"UI", even(ROOT + b"3", b"\0")),
        0x00200013: (b"IS", b"1 "),
        0x00280002: (b"US", b"\x01\x00"),
        0x00280004: (b"CS", b"MONOCHROME2 "),
        0x00280010: (b"US", b"\x04\x00"),
        0x00280011: (b"US", b"\x04\x00"),
        0x00280100: (b"US", b"\x10\x00"),
        0x00280101: (b"US", b"\x0c\x00"),
        0x00280102: (b"US", b"\x0b\x00"),
        0x00280103: (b"US", b"\x00\x00"),
        0x00281052: (b"DS", b"0 "),
        0x00281053: (b"DS", b"1 "),
        0x7FE00010: (b"OW", bytes(range(32))),
    }
    elements = {tag: element(tag, vr, value) for tag, (vr, value) in values.items()}
    for tag, content in (changes or {}).items():
        if content is None:
            elements.pop(tag, None)
        else:
            elements[tag] = content
    return dict(sorted(elements.items()))


def dataset(changes: Mapping[int, bytes | None] | None = None) -> bytes:
    """Return a small CT's dataset in explicit little endian."""
    return b"".join(plain(changes).values())


def file(
    changes: Mapping[int, bytes | None] | None = None,
    *,
    transfer_syntax: str | None = EXPLICIT,
    after: bytes = b"",
) -> bytes:
    """Return a small CT's file, with elements changed and bytes after its end."""
    return meta(transfer_syntax) + dataset(changes) + after


@cache
def malformed_files() -> tuple[Malformed, ...]:
    """Return every malformed file, in a stable order; made once for all who ask, when tests are collected."""
    return tuple(
        case
        for group in (
            _preambles,
            _evil_values,
            _lengths,
            _truncations,
            _nesting,
            _transfer_syntaxes,
            _file_meta,
            _identities,
            _odd_lengths,
            _geometry,
            _encapsulation,
            _representations,
            _character_sets,
            _orders,
            _deflated,
            _not_dicom,
            _heavy,
            _random_damage,
        )
        for case in group()
    )


def _case(name: str, content: bytes, expected: Expected) -> Malformed:
    return Malformed(name, lambda: content, expected)


def _preambles() -> Iterator[Malformed]:
    body = file()[128:]
    for name, magic in (
        ("elf", b"\x7fELF\x02\x01\x01"),
        ("exe", b"MZ\x90\x00" + MARK),
        ("html", b"<script>" + MARK + b"</script>"),
        ("tiff", b"II*\x00\x08\x00\x00\x00" + MARK),
        ("zip", b"PK\x03\x04" + MARK),
        ("shell", b"#!/bin/sh\necho " + MARK + b"\n"),
    ):
        yield _case(f"preamble/{name}", magic.ljust(128, b"\0") + body, Expected.CLEAN)


def _evil_values() -> Iterator[Malformed]:
    uids = {
        "traversal": b"../../../../tmp/" + MARK,
        "absolute": b"/tmp/" + MARK + b".dcm",
        "backslash": b"..\\..\\" + MARK,
        "nul_inside": ROOT + b"1\x00/../" + MARK,
        "dots": b"....",
        "long": b"1." + b"2" * 300,
        "letters": MARK,
        "newline": b"1.2.3\n" + MARK,
        "percent": b"%2e%2e%2f" + MARK,
        "leading_zero": b"1.02.003",
        "spaces": b" 1.2.3 4 ",
        "many": b"1.2.3\\1.2.4\\1.2.5\\" + MARK,
        "not_ascii": "\uff11.\uff12.\uff13".encode(),
    }
    for tag, which in ((0x00080018, "sop_instance"), (0x0020000D, "study"), (0x0020000E, "series")):
        for name, value in uids.items():
            padded = even(value, b"\0")
            yield _case(
                f"evil_uid/{which}/{name}", file({tag: element(tag, b"UI", padded)}), Expected.CLEAN
            )
    texts = {
        "script": b"<script>alert('" + MARK + b"')</script>",
        "formula": b"=cmd|' /C calc'!A0" + MARK,
        "terminal": b"\x1b]0;" + MARK + b"\x07\x1b[2J",
        "newlines": MARK + b"\r\nlevel=critical event=fake",
        "traversal": b"../../" + MARK,
        "format": b"%s%n{0.__class__}${jndi:ldap://" + MARK + b"}",
        "sql": b"'; DROP TABLE instances; --" + MARK,
        "carets": b"^" * 40 + MARK,
        "equals": b"=" * 40 + MARK,
    }
    for tag, vr, which in ((0x00100010, b"PN", "name"), (0x00100020, b"LO", "patient_id")):
        for name, value in texts.items():
            yield _case(
                f"evil_{which}/{name}", file({tag: element(tag, vr, even(value))}), Expected.CLEAN
            )
    dates = (
        b"2024013",
        b"99999999",
        b"2024.01.02",
        b"20240102-20240203",
        MARK,
        b"        ",
        b"\0" * 8,
    )
    for number, value in enumerate(dates):
        changed = {0x00080020: element(0x00080020, b"DA", even(value))}
        yield _case(f"evil_date/{number}", file(changed), Expected.CLEAN)


def _lengths() -> Iterator[Malformed]:
    name = even(MARK + b"^EVE")
    q = Expected.QUARANTINED
    for label, content in {
        "name_past_end": file({0x00100010: element(0x00100010, b"PN", name, length=0xFFFE)}),
        "pixels_past_end": file({0x7FE00010: element(0x7FE00010, b"OW", b"ab", length=4096)}),
        "pixels_2gb": file({0x7FE00010: element(0x7FE00010, b"OW", b"ab", length=0x7FFFFFFE)}),
        "pixels_4gb": file({0x7FE00010: element(0x7FE00010, b"OW", b"ab", length=0xFFFFFFFE)}),
        "text_4gb": file({0x00204000: element(0x00204000, b"UT", b"ab", length=0xFFFFFFFE)}),
        "sequence_past_end": file({0x00081140: sequence(0x00081140, length=0x00FFFFFE)}),
        "sequence_4gb": file({0x00081140: sequence(0x00081140, item(b""), length=0xFFFFFFFE)}),
        "item_past_sequence": file({0x00081140: sequence(0x00081140, item(b"", length=64))}),
        "item_past_end": file({0x00081140: sequence(0x00081140, item(b"", length=0x00FFFFFE))}),
        "element_past_item": file(
            {0x00081140: sequence(0x00081140, item(element(0x00100010, b"PN", b"AB", length=40)))}
        ),
        "element_past_item_within_file": file(
            {0x00081140: sequence(0x00081140, item(element(0x00100010, b"PN", name, length=200)))}
        ),
        "text_undefined": file({0x00204000: element(0x00204000, b"UT", name, length=_UNDEFINED)}),
        "no_sequence_end": meta()
        + dataset({0x7FE00010: None})
        + element(0x00400275, b"SQ", item(b"", undefined=True), length=_UNDEFINED),
        "no_item_end": meta()
        + dataset({0x7FE00010: None})
        + element(0x00400275, b"SQ", _ITEM + b"\xff\xff\xff\xff" + name, length=_UNDEFINED),
        "sequence_of_no_items": file({0x00081140: element(0x00081140, b"SQ", name)}),
        "implicit_past_end": meta(IMPLICIT) + implicit(0x00100010, name, length=0x10000000),
        "implicit_4gb": meta(IMPLICIT) + implicit(0x00100010, name, length=0xFFFFFFFE),
    }.items():
        yield _case(f"length/{label}", content, q)


def _truncations() -> Iterator[Malformed]:
    """Cut at every structural boundary and in the middle of everything between them."""
    head = meta()
    parts = plain(
        {
            0x00081140: sequence(
                0x00081140, item(element(0x00081155, b"UI", ROOT + b"7\0")), undefined=True
            )
        }
    )
    whole = head + b"".join(parts.values())
    for at, label in (
        (1, "one_byte"),
        (64, "in_preamble"),
        (128, "after_preamble"),
        (131, "in_magic"),
    ):
        yield _case(f"truncated/{label}", whole[:at], Expected.REFUSED)
    for at, label in ((132, "after_magic"), (136, "in_group_length"), (150, "in_meta")):
        yield _case(f"truncated/{label}", whole[:at], Expected.REFUSED)
    yield _case("truncated/after_meta", whole[: len(head)], Expected.QUARANTINED)
    offset = len(head)
    for tag, content in parts.items():
        for cut, label in ((2, "in_tag"), (5, "in_header"), (len(content) - 1, "in_value")):
            if cut < len(content):
                yield _case(
                    f"truncated/{tag:08X}_{label}", whole[: offset + cut], Expected.QUARANTINED
                )
        offset += len(content)
        # At an element's end a shorter dataset remains, which may be whole in itself.
        yield _case(f"truncated/{tag:08X}_after", whole[:offset], Expected.CLEAN)
    for label, content in (
        ("ct", encoded(make_ct(rows=32))),
        ("sr", encoded(make_sr())),
        ("rle", encoded(make_us(rows=24, frames=2))),
    ):
        for share in (1, 5, 9):
            yield _case(
                f"truncated/{label}_{share}0_percent",
                content[: len(content) * share // 10 | 1],
                Expected.QUARANTINED,
            )


def nested(depth: int, *, undefined: bool) -> bytes:
    """Return a file whose sequences lie `depth` deep, a marked name in the innermost."""
    content = element(0x00100010, b"PN", even(MARK + b"^DEEP"))
    for _ in range(depth):
        content = sequence(0x00081140, item(content, undefined=undefined), undefined=undefined)
    return file({0x00081140: content})


def _nesting() -> Iterator[Malformed]:
    for depth in (16, 32, 33, 60, 250, 1000):
        expected = Expected.CLEAN if depth <= 32 else Expected.QUARANTINED
        for undefined in (False, True):
            how = "undefined" if undefined else "defined"
            yield _case(f"nesting/{depth}_{how}", nested(depth, undefined=undefined), expected)
    deep = b""
    for _ in range(20_000):
        deep = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff" + _ITEM + b"\xff\xff\xff\xff" + deep
        if len(deep) > 1_000_000:
            break
    yield _case("nesting/open_only", file({0x00081140: deep}), Expected.QUARANTINED)


def _transfer_syntaxes() -> Iterator[Malformed]:
    explicit = dataset()
    packed = zlib.compress(explicit)[2:-4]
    q = Expected.QUARANTINED
    implicit_body = b"".join(
        implicit(0x00080016, even(CT_STORAGE, b"\0"))
        + implicit(0x00080018, even(ROOT + b"1", b"\0"))
        + implicit(0x00100010, even(MARK + b"^EVE"))
        for _ in range(1)
    )
    swapped = b"".join(
        struct.pack(">HH2sH", tag >> 16, tag & 0xFFFF, b"LO", 8) + MARK + b"01"
        for tag in (0x00080050, 0x00100010, 0x00100020)
    )
    for label, content in {
        "implicit_says_explicit_is": meta(IMPLICIT) + explicit,
        "explicit_says_implicit_is": meta(EXPLICIT) + implicit_body,
        "big_says_little_is": meta(BIG_ENDIAN) + explicit,
        "little_says_big_is": meta(EXPLICIT) + swapped,
        "deflated_says_plain_is": meta(DEFLATED) + explicit,
        "explicit_says_deflated_is": meta(EXPLICIT) + packed,
        "unknown": meta("1.2.3.4.5") + explicit,
        "letters": meta(MARK.decode()) + explicit,
        "empty": meta("") + explicit,
        "sop_class_instead": meta(CT_STORAGE.decode()) + explicit,
    }.items():
        yield _case(f"transfer_syntax/{label}", content, q)
    yield _case(
        "transfer_syntax/jpeg_says_native_is", meta(JPEG_BASELINE) + explicit, Expected.CLEAN
    )
    fragments = encapsulated(b"", b"\xff\xd8\xff\xd9")
    yield _case(
        "transfer_syntax/native_says_encapsulated_is", file({0x7FE00010: fragments}), Expected.CLEAN
    )


def _file_meta() -> Iterator[Malformed]:
    body = dataset()
    whole = meta()
    clean = Expected.CLEAN
    yield _case("meta/no_preamble", whole[132:] + body, clean)
    yield _case("meta/no_preamble_but_magic", whole[128:] + body, clean)
    yield _case("meta/none_explicit", body, clean)
    yield _case("meta/none_implicit", implicit(0x00080016, CT_STORAGE + b"\0") + b"", clean)
    yield _case("meta/no_transfer_syntax", meta(None) + body, clean)
    yield _case("meta/empty_group", bytes(128) + b"DICM" + body, clean)
    for label, size in (
        ("zero", 0),
        ("short", 10),
        ("long", 400),
        ("negative", 0xFFFFFFFF),
        ("huge", 0x7FFFFFFE),
        ("minus_one_element", 30),
    ):
        yield _case(f"meta/group_length_{label}", meta(group_length=size) + body, clean)
    no_length = whole[:132] + whole[144:]
    yield _case("meta/no_group_length", no_length + body, clean)
    yield _case("meta/twice", whole + whole[132:] + body, clean)
    yield _case(
        "meta/private_information",
        meta(more=element(0x00020100, b"UI", ROOT + b"5\0") + element(0x00020102, b"OB", MARK))
        + body,
        clean,
    )
    yield _case("meta/source_ae", meta(more=element(0x00020016, b"AE", MARK + b"AE")) + body, clean)
    yield _case("meta/names_another", meta(sop_instance_uid=ROOT + b"77") + body, clean)
    long_value = element(0x00020102, b"OB", b"", length=0xFFFFFFFE)
    yield _case("meta/element_4gb", meta(more=long_value) + body, Expected.QUARANTINED)
    yield _case("meta/only", whole, Expected.QUARANTINED)


def _identities() -> Iterator[Malformed]:
    for tag, which in (
        (0x00080016, "sop_class"),
        (0x00080018, "sop_instance"),
        (0x0020000D, "study"),
        (0x0020000E, "series"),
    ):
        yield _case(f"identity/no_{which}", file({tag: None}), Expected.QUARANTINED)
        empty = {tag: element(tag, b"UI", b"")}
        yield _case(f"identity/empty_{which}", file(empty), Expected.QUARANTINED)
        blank = {tag: element(tag, b"UI", b"\0\0")}
        yield _case(f"identity/blank_{which}", file(blank), Expected.QUARANTINED)
    yield _case("identity/no_patient_id", file({0x00100020: None}), Expected.CLEAN)
    yield _case("identity/no_patient", file({0x00100020: None, 0x00100010: None}), Expected.CLEAN)
    yield _case(
        "identity/nothing",
        meta() + element(0x00100010, b"PN", even(MARK + b"^EVE")),
        Expected.QUARANTINED,
    )
    unknown = {0x00080016: element(0x00080016, b"UI", b"1.2.3.4.5.6\0")}
    yield _case("identity/unknown_sop_class", file(unknown), Expected.CLEAN)
    yield _case(
        "identity/dicomdir",
        file({0x00080016: element(0x00080016, b"UI", b"1.2.840.10008.1.3.10\0\0")}),
        Expected.QUARANTINED,
    )
    directory = meta().replace(even(CT_STORAGE, b"\0"), b"1.2.840.10008.1.3.10".ljust(26, b"\0"))
    record = element(0x00041430, b"CS", b"PATIENT ") + element(0x00100010, b"PN", MARK + b"^E")
    yield _case(
        "identity/dicomdir_with_records",
        directory + element(0x00041130, b"CS", b"DISC") + sequence(0x00041220, item(record)),
        Expected.QUARANTINED,
    )


def _odd_lengths() -> Iterator[Malformed]:
    for tag, vr, value, which in (
        (0x00100010, b"PN", MARK + b"^", "name"),
        (0x0020000D, b"UI", ROOT + b"22", "uid"),
        (0x7FE00010, b"OW", bytes(31), "pixels"),
        (0x00204000, b"LT", MARK + b"!", "comment"),
        (0x00280010, b"US", b"\x04", "number"),
    ):
        yield _case(f"odd/{which}", file({tag: element(tag, vr, value)}), Expected.CLEAN)
    yield _case(
        "odd/item",
        file({0x00081140: sequence(0x00081140, item(element(0x00100010, b"PN", MARK + b"^")))}),
        Expected.CLEAN,
    )
    yield _case("odd/after_end", file(after=b"\0"), Expected.CLEAN)
    yield _case("odd/text_after_end", file(after=b"\n" + MARK + b" was here"), Expected.CLEAN)
    yield _case("odd/zeros_after_end", file(after=bytes(4096)), Expected.CLEAN)
    yield _case("odd/padding_element", file(after=element(0xFFFCFFFC, b"OB", MARK)), Expected.CLEAN)
    yield _case("odd/file_after_file", file(after=file()), Expected.CLEAN)


def _geometry() -> Iterator[Malformed]:
    def number(tag: int, value: int) -> bytes:
        return element(tag, b"US", struct.pack("<H", value))

    frames = 0x00280008
    cases: dict[str, dict[int, bytes | None]] = {
        "65535_squared": {
            0x00280010: number(0x00280010, 65535),
            0x00280011: number(0x00280011, 65535),
        },
        "billion_frames": {frames: element(frames, b"IS", b"1000000000")},
        "more_frames_than_integers": {frames: element(frames, b"IS", b"999999999999")},
        "negative_frames": {frames: element(frames, b"IS", b"-1")},
        "word_frames": {frames: element(frames, b"IS", MARK)},
        "no_rows": {0x00280010: number(0x00280010, 0)},
        "no_bits": {0x00280100: number(0x00280100, 0)},
        "12_bits_allocated": {0x00280100: number(0x00280100, 12)},
        "65535_bits": {0x00280100: number(0x00280100, 65535)},
        "65535_samples": {0x00280002: number(0x00280002, 65535)},
        "high_bit_above": {0x00280102: number(0x00280102, 99)},
        "rows_twice": {0x00280010: element(0x00280010, b"US", b"\x04\x00\x04\x00")},
        "rows_as_text": {0x00280010: element(0x00280010, b"LO", MARK)},
        "rows_missing": {0x00280010: None},
        "photometric": {0x00280004: element(0x00280004, b"CS", MARK)},
        "too_much_data": {0x7FE00010: element(0x7FE00010, b"OW", bytes(600))},
        "empty": {0x7FE00010: element(0x7FE00010, b"OW", b"")},
    }
    for label, changes in cases.items():
        yield _case(f"geometry/{label}", file(changes), Expected.CLEAN)


def encapsulated(offsets: bytes, *fragments: bytes, delimiter: bytes = _SEQUENCE_END) -> bytes:
    """Encode encapsulated Pixel Data (PS3.5 A.4)."""
    content = b"".join(item(part) for part in (offsets, *fragments))
    return element(0x7FE00010, b"OB", content + delimiter, length=_UNDEFINED)


def _encapsulation() -> Iterator[Malformed]:
    picture = b"\xff\xd8\xff\xfe\x00\x0a" + MARK + b"01" + b"\xff\xd9"

    def jpeg(label: str, pixels: bytes, expected: Expected) -> Malformed:
        content = meta(JPEG_BASELINE) + dataset({0x7FE00010: pixels})
        return _case(f"encapsulation/{label}", content, expected)

    q, clean = Expected.QUARANTINED, Expected.CLEAN
    yield jpeg("no_delimiter", encapsulated(b"", picture, delimiter=b""), q)
    yield jpeg("fragment_past_end", encapsulated(b"", delimiter=item(b"", length=0x00FFFFFE)), q)
    yield jpeg("fragment_4gb", encapsulated(b"", delimiter=item(b"", length=0xFFFFFFFE)), q)
    yield jpeg(
        "fragment_undefined",
        encapsulated(b"", delimiter=_ITEM + b"\xff\xff\xff\xff" + picture + _SEQUENCE_END),
        q,
    )
    yield jpeg(
        "text_between", encapsulated(b"", picture, delimiter=MARK + b"00" + _SEQUENCE_END), q
    )
    yield jpeg(
        "element_between",
        encapsulated(b"", picture, delimiter=element(0x00100010, b"PN", MARK) + _SEQUENCE_END),
        q,
    )
    yield jpeg("no_items", element(0x7FE00010, b"OB", _SEQUENCE_END, length=_UNDEFINED), clean)
    yield jpeg("only_table", encapsulated(b""), clean)
    yield jpeg("offsets_lie", encapsulated(struct.pack("<I", 0x7FFFFFF0), picture), clean)
    yield jpeg("offsets_odd", encapsulated(b"\0\0\0", picture), clean)
    yield jpeg("offsets_text", encapsulated(MARK + b"01", picture), clean)
    yield jpeg("fragment_odd", encapsulated(b"", picture + b"\0"), clean)
    yield jpeg("fragment_empty", encapsulated(b"", b"", b"", b""), clean)
    yield jpeg("many_fragments", encapsulated(b"", *[b"\xff\xd8"] * 50_000), clean)
    yield jpeg(
        "delimiter_has_length",
        encapsulated(b"", picture, delimiter=_SEQUENCE_END[:4] + b"\4\0\0\0"),
        clean,
    )
    yield _case(
        "encapsulation/rle_header_lies",
        meta(RLE)
        + dataset({0x7FE00010: encapsulated(b"", struct.pack("<16I", *[0xFFFFFFF0] * 16))}),
        clean,
    )
    two = encapsulated(b"", picture) + encapsulated(b"", picture)
    yield jpeg("twice", two, clean)


def _representations() -> Iterator[Malformed]:
    hidden = item(
        element(0x00100010, b"PN", even(MARK + b"^UN"))
        + element(0x00100020, b"LO", even(MARK + b"UNID"))
    )
    hidden_implicit = item(
        implicit(0x00100010, even(MARK + b"^UN")) + implicit(0x00100020, MARK + b"02")
    )
    open_implicit = item(implicit(0x00100010, even(MARK + b"^UN")), undefined=True)
    clean = Expected.CLEAN
    for label, vr in (
        ("zz", b"ZZ"),
        ("small", b"pn"),
        ("nul", b"\0\0"),
        ("question", b"??"),
        ("high", b"\xff\xfe"),
    ):
        yield _case(f"vr/{label}", file({0x00100010: element(0x00100010, vr, MARK + b"01")}), clean)
    for label, content in {
        "un_name": element(0x00100010, b"UN", MARK + b"01"),
        "un_name_undefined": element(0x00100010, b"UN", MARK + b"01", length=_UNDEFINED),
    }.items():
        expected = clean if "undefined" not in label else Expected.QUARANTINED
        yield _case(f"vr/{label}", file({0x00100010: content}), expected)
    for label, content in {
        "un_sequence_explicit": element(0x00400275, b"UN", hidden),
        "un_sequence_implicit": element(0x00400275, b"UN", hidden_implicit),
        "un_sequence_undefined": element(
            0x00400275, b"UN", open_implicit + _SEQUENCE_END, length=_UNDEFINED
        ),
        "ob_sequence": element(0x00400275, b"OB", hidden_implicit),
        "lo_sequence": element(0x00400275, b"LO", hidden_implicit),
        "name_as_sequence": sequence(0x00100010, hidden),
        "uid_as_text": element(0x0020000D, b"LT", even(MARK + b"UID")),
        "date_as_name": element(0x00080020, b"PN", even(MARK + b"^DATE")),
        "number_as_text": element(0x00280010, b"UT", MARK),
    }.items():
        tag = struct.unpack("<HH", content[:4])
        yield _case(f"vr/{label}", file({tag[0] << 16 | tag[1]: content}), clean)
    creator = element(0x00290010, b"LO", b"ZQ PRIVATE")
    for label, content in {
        "sequence": sequence(0x00291010, hidden),
        "sequence_undefined": sequence(0x00291010, hidden, undefined=True),
        "un_sequence": element(0x00291010, b"UN", hidden_implicit),
        "un_undefined": element(
            0x00291010, b"UN", open_implicit + _SEQUENCE_END, length=_UNDEFINED
        ),
    }.items():
        yield _case(f"private/{label}", file({0x00290010: creator, 0x00291010: content}), clean)
    yield _case("private/no_creator", file({0x00291010: element(0x00291010, b"LO", MARK)}), clean)
    bare = b"".join(
        implicit(tag, value)
        for tag, value in (
            (0x00080016, even(CT_STORAGE, b"\0")),
            (0x00080018, even(ROOT + b"1", b"\0")),
            (0x00100010, even(MARK + b"^EVE")),
            (0x00100020, MARK + b"01"),
            (0x0020000D, even(ROOT + b"2", b"\0")),
            (0x0020000E, even(ROOT + b"3", b"\0")),
            (0x00290010, b"ZQ PRIVATE"),
        )
    )
    yield _case(
        "private/implicit_undefined",
        meta(IMPLICIT)
        + bare
        + implicit(0x00291010, open_implicit + _SEQUENCE_END, length=_UNDEFINED),
        clean,
    )
    yield _case(
        "private/implicit_defined",
        meta(IMPLICIT) + bare + implicit(0x00291010, hidden_implicit),
        clean,
    )
    yield _case(
        "private/implicit_text", meta(IMPLICIT) + bare + implicit(0x00291011, MARK + b"07"), clean
    )
    many = b"\\".join([MARK] * 5000)
    yield _case("vr/many_values", file({0x00081070: element(0x00081070, b"PN", even(many))}), clean)


def _character_sets() -> Iterator[Malformed]:
    def lie(label: str, declared: bytes | None, name: bytes) -> Malformed:
        changes: dict[int, bytes | None] = {0x00100010: element(0x00100010, b"PN", even(name))}
        if declared is not None:
            changes[0x00080005] = element(0x00080005, b"CS", even(declared))
        return _case(f"charset/{label}", file(changes), Expected.CLEAN)

    umlaut = MARK + "^Jürgen Müßig".encode("latin-1")
    yield lie("utf8_says_latin1_is", b"ISO_IR 192", umlaut)
    yield lie("latin1_says_utf8_is", b"ISO_IR 100", MARK + "^Jürgen山".encode())
    yield lie("unknown", b"FOO_BAR 9", umlaut)
    yield lie("marked", MARK, umlaut)
    yield lie("undeclared", None, umlaut)
    yield lie("undeclared_gb18030", None, MARK + "^王小东".encode("gb18030"))
    yield lie("escape_without_end", b"\\ISO 2022 IR 87", MARK + b"^\x1b$B;3ED")
    yield lie("escape_unknown", b"\\ISO 2022 IR 87", MARK + b"^\x1b$)Q\xff\xff")
    yield lie("escape_at_end", b"\\ISO 2022 IR 149", MARK + b"^\x1b")
    yield lie("gb18030_half", b"GB18030", MARK + b"^\x81\x30")
    yield lie("many", b"\\".join([b"ISO 2022 IR 87"] * 500), umlaut)
    yield lie("nul", b"\0\0\0\0", umlaut)
    yield lie("utf16", b"ISO_IR 192", (MARK.decode() + "^Eve").encode("utf-16"))
    yield lie("hidden_behind_nul", None, b"A\0" + MARK + b"^EVE")
    yield lie("backslash_in_kanji", b"\\ISO 2022 IR 87", MARK + b"^\x1b$B\\\\\\^\x1b(B")
    inner = element(0x00080005, b"CS", b"ISO_IR 192") + element(
        0x00100010, b"PN", even(MARK + "^Žofie".encode())
    )
    yield _case(
        "charset/item_has_its_own",
        file({0x00081140: sequence(0x00081140, item(inner))}),
        Expected.CLEAN,
    )


def _orders() -> Iterator[Malformed]:
    name = element(0x00100010, b"PN", even(MARK + b"^AGAIN"))
    clean = Expected.CLEAN
    parts = list(plain().values())
    yield _case("order/reversed", meta() + b"".join(reversed(parts)), clean)
    yield _case("order/name_last", file(after=name), clean)
    yield _case(
        "order/name_twice", meta() + b"".join(parts[:9]) + name + b"".join(parts[9:]), clean
    )
    yield _case("order/uid_twice", file(after=element(0x0020000D, b"UI", ROOT + b"8\0")), clean)
    yield _case(
        "order/meta_in_dataset", file({0x00020016: element(0x00020016, b"AE", MARK)}), clean
    )
    yield _case(
        "order/command_in_dataset", file({0x00000002: element(0x00000002, b"UI", ROOT)}), clean
    )
    yield _case("order/item_at_top", file({0x00081140: item(name)}), Expected.QUARANTINED)
    yield _case("order/item_end_at_top", file({0x00081140: _ITEM_END}), Expected.QUARANTINED)
    yield _case(
        "order/sequence_end_at_top", file({0x00081140: _SEQUENCE_END}), Expected.QUARANTINED
    )
    yield _case(
        "order/group_lengths", file({0x00100000: element(0x00100000, b"UL", b"\x04\0\0\0")}), clean
    )
    yield _case("order/retired_curve", file({0x50003000: element(0x50003000, b"OW", MARK)}), clean)
    yield _case("order/overlay", file({0x60003000: element(0x60003000, b"OW", MARK)}), clean)
    yield _case("order/unknown_even", file({0x00184711: element(0x00184711, b"LO", MARK)}), clean)
    yield _case("order/last_tag", file(after=element(0xFFFFFFFF, b"LO", MARK)), clean)
    yield _case("order/signature", file(after=sequence(0xFFFAFFFA, item(name))), clean)


def _deflated() -> Iterator[Malformed]:
    explicit = dataset()
    packed = _raw_deflate(explicit)
    q = Expected.QUARANTINED
    yield Malformed("deflate/bomb_300MB", lambda: meta(DEFLATED) + deflate_bomb(300_000_000), q)
    yield _case("deflate/truncated", meta(DEFLATED) + packed[: len(packed) // 2], q)
    yield _case("deflate/garbage", meta(DEFLATED) + bytes(range(255, 0, -1)) * 4, q)
    yield _case("deflate/empty", meta(DEFLATED), q)
    yield _case("deflate/zlib_header", meta(DEFLATED) + zlib.compress(explicit), Expected.CLEAN)
    yield _case("deflate/bytes_after", meta(DEFLATED) + packed + MARK + b"after", Expected.CLEAN)
    broken = dataset({0x7FE00010: element(0x7FE00010, b"OW", b"", length=0x7FFFFFFE)})
    yield _case("deflate/length_past_end", meta(DEFLATED) + _raw_deflate(broken), q)


def deflate_bomb(size: int) -> bytes:
    """Return a dataset whose last element inflates to `size` zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = dataset({0x7FE00010: None}) + element(0x7FE00010, b"OW", b"", length=size)
    zeros = bytes(1 << 20)
    chunks = [packer.compress(head)]
    chunks += [packer.compress(zeros[: size - n]) for n in range(0, size, len(zeros))]
    return b"".join([*chunks, packer.flush()])


def _raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def _not_dicom() -> Iterator[Malformed]:
    r = Expected.REFUSED
    for label, content in {
        "empty": b"",
        "one_byte": b"D",
        "magic_only": bytes(128) + b"DICM",
        "magic_at_start": b"DICM",
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "png": b"\x89PNG\r\n\x1a\n" + MARK * 20,
        "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + MARK * 20,
        "pdf": b"%PDF-1.7\n% " + MARK * 20,
        "text": b"Patient: " + MARK + b"\n" * 200,
        "html": b"<!doctype html><title>" + MARK + b"</title>",
        "json": b'{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "' + MARK + b'"}]}}',
        "csv": b"name,id\n" + MARK + b",1\n",
        "gzip": zlib.compress(file(), wbits=31),
        "xml_billion_laughs": (
            b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
            b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
        ),
        "xml_external_entity": (
            b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>'
        ),
        "pickle": pickle.dumps({"name": MARK}),
        "nifti": struct.pack("<i", 348) + bytes(340) + b"n+1\0",
        "analyze_dicom_word": b"This mentions DICM at no special place " + MARK,
    }.items():
        yield _case(f"not_dicom/{label}", content, r)


def _heavy() -> Iterator[Malformed]:
    clean = Expected.CLEAN
    empty_items = item(b"") * 100_000
    yield _case("heavy/items_100k", file({0x00081140: sequence(0x00081140, empty_items)}), clean)
    tags = b"".join(element(0x00290000 + n, b"LO", b"") for n in range(0x1000, 0xFFFF))
    yield _case("heavy/private_elements_60k", file({0x00291000: tags}), clean)
    comment = element(0x00204000, b"UT", (MARK + b" ") * 600_000)
    yield _case("heavy/comment_4MB", file({0x00204000: comment}), clean)
    names = element(0x00081070, b"UN", (MARK + b"\\") * 300_000)
    yield _case("heavy/names_2MB", file({0x00081070: names}), clean)
    same = sequence(0x00081140, *[item(element(0x00100010, b"PN", MARK))] * 20_000)
    yield _case("heavy/names_in_items_20k", file({0x00081140: same}), clean)


def _random_damage(count: int = 150) -> Iterator[Malformed]:
    """Flip, cut and splice bytes of good files, the same for ever."""
    dice = random.Random(20261120)
    good = [
        encoded(make_ct(rows=4)),
        encoded(make_ct(PATIENTS[2], transfer_syntax_uid=IMPLICIT)),
        encoded(make_ct(PATIENTS[1], transfer_syntax_uid=BIG_ENDIAN)),
        encoded(make_sr()),
        encoded(make_us(rows=8, frames=2)),
        encoded(make_ct(transfer_syntax_uid=RLE)),
    ]
    for number in range(count):
        content = bytearray(dice.choice(good))
        for _ in range(dice.randint(1, 12)):
            at = dice.randrange(132, len(content))
            match dice.randrange(4):
                case 0:
                    content[at] = dice.randrange(256)
                case 1:
                    del content[at : at + dice.randint(1, 9)]
                case 2:
                    content[at:at] = dice.randbytes(dice.randint(1, 9))
                case _:
                    content[at : at + 4] = struct.pack(
                        "<I", dice.choice((0, _UNDEFINED, 0x7FFFFFFF))
                    )
            if len(content) < 140:
                break
        yield _case(f"damage/{number}", bytes(content), Expected.CLEAN)


def malformed_archives() -> list[Malformed]:
    """Return malformed zip archives, as a watched folder may meet them."""
    good = file()
    r, clean = Expected.REFUSED, Expected.CLEAN
    bomb = _zip({"bomb.dcm": meta() + bytes(300_000_000)}, zipfile.ZIP_DEFLATED)
    whole = _zip({"a.dcm": good, "b.dcm": good})
    lying = bytearray(_zip({"a.dcm": good}, zipfile.ZIP_DEFLATED))
    directory = lying.rindex(b"PK\x01\x02")
    lying[directory + 24 : directory + 28] = struct.pack("<I", 10)
    encrypted = bytearray(whole)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = encrypted.find(signature)
        while at >= 0:
            encrypted[at + offset] |= 1
            at = encrypted.find(signature, at + 4)
    nested_archive = good
    for depth in range(6):
        nested_archive = _zip({f"{depth}.zip" if depth else "a.dcm": nested_archive})
    return [
        _case("archive/zip_slip", _zip({"../../../../tmp/zqx_slipped.dcm": good}), clean),
        _case("archive/zip_slip_absolute", _zip({"/tmp/zqx_slipped.dcm": good}), clean),
        _case("archive/zip_slip_backslash", _zip({"..\\..\\zqx_slipped.dcm": good}), clean),
        _case("archive/zip_symlink", _zip_symlink("/etc/passwd"), r),
        _case("archive/zip_bomb_300MB", bomb, r),
        _case("archive/zip_many_entries", _zip({f"{n}.txt": b"x" for n in range(4000)}), r),
        _case("archive/nested", nested_archive, clean),
        _case("archive/truncated", whole[: len(whole) // 2], r),
        _case("archive/no_directory", whole[: whole.rindex(b"PK\x01\x02")], r),
        _case("archive/encrypted", bytes(encrypted), r),
        _case("archive/size_lies", bytes(lying), clean),
        _case("archive/empty", _zip({}), r),
        _case("archive/same_name_twice", _zip_twice("a.dcm", good, file()), clean),
        _case("archive/marked_names", _zip({MARK.decode() + "^EVE.dcm": good}), clean),
        _case("archive/prefixed", b"#!/bin/sh\n" + whole, clean),
    ]


def _zip(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def _zip_symlink(target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link.dcm")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
    return buffer.getvalue()


def _zip_twice(name: str, first: bytes, second: bytes) -> bytes:
    """Write two entries, then give the second the first's name in both of its headers."""
    other = "b" * len(name)
    content = _zip({name: first, other: second})
    return content.replace(other.encode(), name.encode())


@dataclass(frozen=True, slots=True)
class Conversation:
    """Bytes for a socket, sent in these pieces one after the other; then the sender hangs up.

    `id` names the case. Whatever is answered, the server goes on serving others.
    """

    id: str
    pieces: tuple[bytes, ...]

    def __str__(self) -> str:
        return self.id


def pdu(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    """Encode a PDU (PS3.8 9.3)."""
    return struct.pack(">BBI", kind, 0, len(body) if length is None else length) + body


def sub_item(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    """Encode an item of an A-ASSOCIATE PDU."""
    return struct.pack(">BBH", kind, 0, len(body) if length is None else length) + body


def associate_request(
    *,
    called: bytes = b"DICOMVEIL",
    calling: bytes = b"ZQXFUZZ",
    contexts: bytes | None = None,
    user: bytes | None = None,
    version: int = 1,
    application: bytes = b"1.2.840.10008.3.1.1.1",
) -> bytes:
    """Encode an A-ASSOCIATE-RQ for CT storage and verification."""
    if contexts is None:
        contexts = _context(1, CT_STORAGE) + _context(3, b"1.2.840.10008.1.1")
    if user is None:
        user = sub_item(0x51, struct.pack(">I", 16384)) + sub_item(0x52, ROOT + b"6")
    body = (
        struct.pack(">HH", version, 0) + called.ljust(16)[:16] + calling.ljust(16)[:16] + bytes(32)
    )
    body += sub_item(0x10, application) + contexts + sub_item(0x50, user)
    return pdu(0x01, body)


def _context(number: int, abstract: bytes, *transfer: bytes) -> bytes:
    body = struct.pack(">BBBB", number, 0, 0, 0) + sub_item(0x30, abstract)
    for syntax in transfer or (IMPLICIT.encode(), EXPLICIT.encode()):
        body += sub_item(0x40, syntax)
    return sub_item(0x20, body)


def command(
    *, data: bool = True, field: int = 0x0001, instance: bytes = ROOT + b"1", **extra: bytes
) -> bytes:
    """Encode a C-STORE-RQ command set (PS3.7 9.3.1)."""
    body = implicit(0x00000002, even(CT_STORAGE, b"\0"))
    body += implicit(0x00000100, struct.pack("<H", field))
    body += implicit(0x00000110, b"\x01\x00")
    body += implicit(0x00000700, b"\x00\x00")
    body += implicit(0x00000800, b"\x00\x00" if data else b"\x01\x01")
    body += implicit(0x00001000, even(instance, b"\0")) + b"".join(extra.values())
    return implicit(0x00000000, struct.pack("<I", len(body))) + body


def p_data(*fragments: tuple[int, int, bytes], length: int | None = None) -> bytes:
    """Encode a P-DATA-TF of (presentation context, control header, fragment)."""
    body = b"".join(
        struct.pack(">IBB", len(content) + 2, context, control) + content
        for context, control, content in fragments
    )
    return pdu(0x04, body, length=length)


def malformed_conversations() -> list[Conversation]:
    """Return what a broken or hostile peer says to a DICOM port."""
    hello = associate_request()
    store = p_data((1, 0x03, command()))
    body = dataset()
    abort = pdu(0x07, b"\0\0\0\0")
    say = Conversation
    return [
        say("dimse/nothing", ()),
        say("dimse/one_byte", (b"\x01",)),
        say("dimse/http", (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",)),
        say("dimse/tls_hello", (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),)),
        say("dimse/random", (random.Random(1).randbytes(4096),)),
        say("dimse/unknown_pdu", (pdu(0x99, bytes(64)),)),
        say("dimse/rq_len_4GB", (pdu(0x01, bytes(64), length=0xFFFFFFFF),)),
        say("dimse/rq_len_zero", (pdu(0x01, b""),)),
        say("dimse/rq_short", (pdu(0x01, bytes(20)),)),
        say("dimse/rq_half", (hello[: len(hello) // 2],)),
        say(
            "dimse/rq_item_past_end",
            (associate_request(contexts=sub_item(0x20, b"\1\0\0\0", length=9999)),),
        ),
        say("dimse/rq_no_contexts", (associate_request(contexts=b""),)),
        say("dimse/rq_context_zero", (associate_request(contexts=_context(0, CT_STORAGE)),)),
        say("dimse/rq_context_even", (associate_request(contexts=_context(2, CT_STORAGE)),)),
        say("dimse/rq_context_twice", (associate_request(contexts=_context(1, CT_STORAGE) * 2),)),
        say("dimse/rq_contexts_500", (associate_request(contexts=_context(1, CT_STORAGE) * 500),)),
        say("dimse/rq_uid_letters", (associate_request(contexts=_context(1, MARK * 9)),)),
        say(
            "dimse/rq_no_transfer",
            (associate_request(contexts=sub_item(0x20, b"\1\0\0\0" + sub_item(0x30, CT_STORAGE))),),
        ),
        say("dimse/rq_version", (associate_request(version=0x8000),)),
        say("dimse/rq_application", (associate_request(application=b"1.2.3"),)),
        say("dimse/rq_ae_not_ascii", (associate_request(calling=b"\xff\xfe\x00\x1b[2J"),)),
        say("dimse/rq_ae_blank", (associate_request(calling=b"", called=b""),)),
        say(
            "dimse/rq_pdu_length_zero",
            (associate_request(user=sub_item(0x51, struct.pack(">I", 0)) + sub_item(0x52, ROOT)),),
        ),
        say("dimse/rq_user_garbage", (associate_request(user=random.Random(2).randbytes(300)),)),
        say("dimse/rq_twice", (hello, hello)),
        say("dimse/data_first", (store,)),
        say("dimse/release_first", (pdu(0x05, bytes(4)),)),
        say("dimse/abort_first", (abort,)),
        say("dimse/data_len_4GB", (hello, p_data((1, 0x03, command()), length=0xFFFFFFFF))),
        say("dimse/pdv_len_zero", (hello, pdu(0x04, struct.pack(">I", 0)))),
        say("dimse/pdv_len_one", (hello, pdu(0x04, struct.pack(">IB", 1, 1)))),
        say(
            "dimse/pdv_past_pdu", (hello, pdu(0x04, struct.pack(">IBB", 0x7FFFFFFF, 1, 3) + b"abc"))
        ),
        say("dimse/pdv_wrong_context", (hello, p_data((77, 0x03, command())))),
        say("dimse/command_garbage", (hello, p_data((1, 0x03, random.Random(3).randbytes(200))))),
        say("dimse/command_empty", (hello, p_data((1, 0x03, b"")))),
        say("dimse/command_never_ends", (hello, *[p_data((1, 0x01, bytes(8000)))] * 400)),
        say("dimse/command_unknown", (hello, p_data((1, 0x03, command(field=0x0FFF))))),
        say(
            "dimse/command_lengths",
            (hello, p_data((1, 0x03, implicit(0x00000002, b"", length=0xFFFFFFF0)))),
        ),
        say("dimse/store_without_data", (hello, p_data((1, 0x03, command(data=False))))),
        say(
            "dimse/store_no_uid",
            (hello, p_data((1, 0x03, command(instance=b""))), p_data((1, 0x02, body))),
        ),
        say(
            "dimse/store_evil_uid",
            (
                hello,
                p_data((1, 0x03, command(instance=b"../../../tmp/" + MARK))),
                p_data((1, 0x02, body)),
            ),
        ),
        say("dimse/data_before_command", (hello, p_data((1, 0x02, body)))),
        say("dimse/command_within_data", (hello, store, p_data((1, 0x00, body[:50])), store)),
        say("dimse/data_in_other_context", (hello, store, p_data((3, 0x02, body)))),
        say("dimse/hang_up_in_data", (hello, store, p_data((1, 0x00, body[:100])))),
        say("dimse/abort_in_data", (hello, store, p_data((1, 0x00, body[:100])), abort)),
        say(
            "dimse/release_in_data",
            (hello, store, p_data((1, 0x00, body[:100])), pdu(0x05, bytes(4))),
        ),
        say("dimse/data_empty", (hello, store, p_data((1, 0x02, b"")))),
        say(
            "dimse/data_garbage",
            (hello, store, p_data((1, 0x02, random.Random(4).randbytes(5000)))),
        ),
        say("dimse/abort_short", (hello, pdu(0x07, b""))),
        say("dimse/abort_long", (hello, pdu(0x07, bytes(100_000)))),
    ]


def malformed_requests(port: int = 0) -> list[Conversation]:
    """Return what a broken or hostile peer says to an HTTP port."""
    host = f"Host: 127.0.0.1:{port}\r\n".encode()
    target = b"POST /dicomweb/source/studies HTTP/1.1\r\n" + host
    multipart = b'Content-Type: multipart/related; type="application/dicom"; boundary=B\r\n'

    def post(label: str, payload: bytes, *headers: bytes, kind: bytes = multipart) -> Conversation:
        length = b"Content-Length: %d\r\n" % len(payload)
        return Conversation(
            f"http/{label}", (target + kind + length + b"".join(headers) + b"\r\n", payload)
        )

    def part(content: bytes, kind: bytes = b"application/dicom") -> bytes:
        return b"--B\r\nContent-Type: " + kind + b"\r\n\r\n" + content + b"\r\n"

    good = file()
    say = Conversation
    query = b"GET /dicomweb/source/studies?%s HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"
    return [
        say("http/half_header", (target + b"Content-Le",)),
        say("http/no_header", (b"POST ",)),
        say("http/garbage", (random.Random(5).randbytes(2000),)),
        say("http/dimse", (associate_request(),)),
        say("http/header_1MB", (target + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",)),
        say("http/headers_10k", (target + b"X: a\r\n" * 10_000 + b"\r\n",)),
        post("no_end", part(good)),
        post("wrong_boundary", b"--C\r\n\r\nx\r\n--C--\r\n"),
        post("no_parts", b"--B--\r\n"),
        post("empty_body", b""),
        post("empty_part", part(b"") + b"--B--\r\n"),
        post("part_without_type", b"--B\r\n\r\n" + good + b"\r\n--B--\r\n"),
        post(
            "part_with_syntax",
            part(good, b"application/dicom; transfer-syntax=" + EXPLICIT.encode()) + b"--B--\r\n",
        ),
        post("part_garbage_then_good", part(b"garbage") + part(good) + b"--B--\r\n"),
        post("20k_parts", part(b"x") * 20_000 + b"--B--\r\n"),
        post("part_header_1MB", b"--B\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\nx\r\n--B--\r\n"),
        post("nested_multipart", part(part(good), b"multipart/related; boundary=B") + b"--B--\r\n"),
        post("no_boundary", part(good) + b"--B--\r\n", kind=b"Content-Type: multipart/related\r\n"),
        post(
            "long_boundary",
            b"x",
            kind=b"Content-Type: multipart/related; boundary=" + b"B" * 5000 + b"\r\n",
        ),
        post("wrong_type", good, kind=b"Content-Type: text/plain\r\n"),
        post("no_type", good, kind=b""),
        post("single_garbage", b"garbage", kind=b"Content-Type: application/dicom\r\n"),
        post("single_truncated", good[:-10], kind=b"Content-Type: application/dicom\r\n"),
        post(
            "json_bulk_data_uri",
            b'[{"7FE00010":{"vr":"OW","BulkDataURI":"http://127.0.0.1:9/x"}}]',
            kind=b"Content-Type: application/dicom+json\r\n",
        ),
        post(
            "gzip_body",
            zlib.compress(part(good) + b"--B--\r\n", wbits=31),
            b"Content-Encoding: gzip\r\n",
        ),
        post(
            "gzip_bomb_body",
            zlib.compress(bytes(200_000_000), wbits=31),
            b"Content-Encoding: gzip\r\n",
            kind=b"Content-Type: application/dicom\r\n",
        ),
        say(
            "http/cl_4GB",
            (target + multipart + b"Content-Length: 4294967295\r\n\r\n" + part(good),),
        ),
        say("http/cl_negative", (target + multipart + b"Content-Length: -1\r\n\r\nx",)),
        say(
            "http/cl_twice",
            (target + multipart + b"Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc",),
        ),
        say(
            "http/smuggle_cl_te",
            (
                target
                + multipart
                + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
            ),
        ),
        say(
            "http/smuggle_te_te",
            (
                target
                + multipart
                + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
            ),
        ),
        say(
            "http/chunk_4GB",
            (target + multipart + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\nabc",),
        ),
        say(
            "http/chunk_garbage",
            (target + multipart + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",),
        ),
        say("http/bare_lf", (b"GET /healthz HTTP/1.1\nHost: x\n\n",)),
        say("http/nul_in_path", (b"GET /dicomweb/\0 HTTP/1.1\r\n" + host + b"\r\n",)),
        say(
            "http/traversal",
            (b"GET /dicomweb/deid/studies/../../../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n",),
        ),
        say("http/long_path", (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + host + b"\r\n",)),
        *(
            say(f"http/qido_{number}", (query % text,))
            for number, text in enumerate(
                (
                    b"PatientName=%27%3B%20DROP%20TABLE%20instances%3B--",
                    b"PatientName);DROP%20TABLE=1",
                    b"limit=-1",
                    b"limit=99999999999999999999",
                    b"offset=abc",
                    b"StudyDate=99999999-00000000",
                    b"00100010=%00",
                    b"includefield=" + b"00100010," * 5000,
                    b"PatientName=" + b"*" * 3000,
                    b"fuzzymatching=maybe",
                )
            )
        ),
    ]
