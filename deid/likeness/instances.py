"""Two whole files, compared as one instance that may be encoded differently."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.instance import Instance, open_instance
from deid.errors import Unsafe
from deid.likeness.elements import (
    PIXEL_DATA,
    Encoded,
    Level,
    agreed_vr,
    elements_of,
    have_same_value,
    items_of,
)
from deid.likeness.samples import OF_ENCODING, OFFSET_TABLES, Likeness, Picture, likeness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.encoding.header import Buffer

_DERIVATION: Final = 0x00082111
_LOSSLESS: Final = re.compile(
    rb"Lossless JPEG compression, selection value [1-7], point transform 0, "
    rb"compression ratio [0-9.]+ ?"
)
_MOST_TOLD: Final = 200


class Syntaxes(NamedTuple):
    """The Transfer Syntax UIDs of the two files."""

    first: str
    second: str


def are_alike(first: Buffer, second: Buffer) -> bool:
    """Tell whether two Part 10 files hold the same data set, whatever its encoding.

    Not compared: file meta information, transfer syntax, group lengths, padding, lengths of sequences and
    items, whether a VR is written. Pixel Data may be coded differently where that loses nothing; what a lossy
    step made is compared as it is encoded. Everything else must be equal: in doubt they are different.
    """
    try:
        one, other = open_instance(first), open_instance(second)
        syntaxes = Syntaxes(one.meta.transfer_syntax_uid, other.meta.transfer_syntax_uid)
        return _levels_are_alike(_top_level(one), _top_level(other), syntaxes)
    except (Unsafe, struct.error):
        return False
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (decoders fail in many ways; all mean that nothing can be said)
        return False


def _top_level(instance: Instance) -> Level:
    return Level(instance.data, instance.offset, len(instance.data), instance.encoding)


def _levels_are_alike(first: Level, second: Level, syntaxes: Syntaxes) -> bool:
    pictures = (
        Picture(elements_of(first), syntaxes.first),
        Picture(elements_of(second), syntaxes.second),
    )
    one, other = (_compared(picture.elements) for picture in pictures)
    tags = [each.tag for each in one]
    if tags != [each.tag for each in other]:
        return False
    passed = set()
    if tags.count(PIXEL_DATA) == 1:
        found = likeness(*pictures)
        if found is Likeness.BYTES:
            passed = {PIXEL_DATA}
        elif found is Likeness.SAMPLES:
            passed = {PIXEL_DATA, *OF_ENCODING}
        else:
            return False
    return all(
        _elements_are_alike(mine, its, syntaxes)
        for mine, its in zip(one, other, strict=True)
        if mine.tag not in passed
    )


def _compared(elements: Sequence[Encoded]) -> Sequence[Encoded]:
    """Leave out what tells only how Pixel Data is encoded: offsets, and what an encoder says of itself."""
    pixels = [each for each in elements if each.tag == PIXEL_DATA]
    if not pixels:
        return elements
    passed = OFFSET_TABLES if any(each.is_undefined for each in pixels) else frozenset()
    return [
        each
        for each in elements
        if each.tag not in passed and not (each.tag == _DERIVATION and _tells_of_lossless(each))
    ]


def _tells_of_lossless(element: Encoded) -> bool:
    """Whether it is only what dcmtk's encoder of Process 14 adds: its parameters, and that nothing was lost."""
    text = element.level.data[element.start : min(element.stop, element.start + _MOST_TOLD)]
    return _LOSSLESS.fullmatch(text) is not None


def _elements_are_alike(first: Encoded, second: Encoded, syntaxes: Syntaxes) -> bool:
    vr = agreed_vr(first, second)
    if vr is None:
        return False
    if vr != b"SQ" and not first.is_undefined and not second.is_undefined:
        return have_same_value(first, second, vr)
    one, other = items_of(first), items_of(second)
    return len(one) == len(other) and all(
        _levels_are_alike(mine, its, syntaxes) for mine, its in zip(one, other, strict=True)
    )
