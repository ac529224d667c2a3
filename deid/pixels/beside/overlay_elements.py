"""What becomes of overlay planes: the groups 60xx of the top level (PS3.3 C.9.2).

A plane that the rules keep goes through the pixel cleaner; one that nobody can clean goes as a whole, with
the attributes that describe it, so that none is left pointing at nothing. Planes in unused high bits of
Pixel Data (retired) lose their bits when pixels are cleaned, and so their group goes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from deid.encoding.header import tag_name
from deid.errors import Reason, Unsafe
from deid.identity import values
from deid.pixels.image_elements import FLOATS, PIXEL_DATA
from deid.ports import OverlayPlane
from deid.tags.actions import KIND_MASK, Action
from deid.tags.policy import BurnedIn, Option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deid.encoding.header import Buffer
    from deid.encoding.top_level import Placed, TopLevel
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.identifiers import KnownIdentifier
    from deid.ports import DrawnBox, PixelCleaner
    from deid.tags.policy import TagPolicy
    from deid.tags.tag_plan import TagPlan

_ROWS, _COLUMNS, _FRAMES = 0x0010, 0x0011, 0x0015
_ORIGIN, _FRAME_ORIGIN = 0x0050, 0x0051
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x0100, 0x0102, 0x3000
_FIRST, _AFTER = 0x60000000, 0x61000000
_PIXELS = frozenset({PIXEL_DATA, *FLOATS})


class _Element(NamedTuple):
    """Where an element's value stands, and its VR (empty in Implicit VR)."""

    start: int
    stop: int
    vr: bytes
    is_undefined: bool


_Group = dict[int, _Element]


def overlay_elements(
    top: TopLevel,
    sop_class_uid: str,
    plan: TagPlan,
    cleaner: PixelCleaner | None,
    known: Sequence[KnownIdentifier],
    drawn: Sequence[DrawnBox] = (),
) -> list[tuple[int, bytes]]:
    """Return what stands in the place of overlay planes, as ``(tag, encoded element)``.

    An empty element removes. The rules alone decide without a pixel cleaner, in all profiles but Clean
    Graphics. What stays has nothing set in boxes that a person drew over the image.

    Parameters
    ----------
    cleaner
        That looks at pixels by the configuration; None where that looks at none.

    Raises
    ------
    Unsafe
        `MALFORMED` when the elements of a plane are repeated or out of order, `PIXELS_UNDECODABLE` when
        its size is not what its data holds, and whatever cleaning raises.
    """
    by_rules = cleaner is None and Option.CLEAN_GRAPHICS not in plan.policy.options
    if by_rules and not drawn:
        return []
    data, encoding = top.data, top.encoding
    elements: list[tuple[int, bytes]] = []
    for number, group in sorted(_groups(top).items()):
        tag = number << 16 | _DATA
        found = group.get(_DATA)
        stays = found is not None and _stays(tag, found, plan, sop_class_uid, encoding)
        if by_rules and found is not None and not stays:
            continue
        if found is None or not stays or (cleaner is None and not by_rules):
            elements += [(number << 16 | each, b"") for each in sorted(group)]
            continue
        plane = _plane(data, number, group, encoding, known)
        cleaned = None if cleaner is None else cleaner.clean_overlay(plane)
        if drawn:
            # numpy, which most instances need not.
            from deid.pixels.overlays import without_boxes  # noqa: PLC0415

            kept = plane.value if cleaned is None else cleaned
            cleaned = without_boxes(replace(plane, value=kept), drawn)
        if cleaned is None and not (found.stop - found.start) & 1:
            continue
        raw = values.even(plane.value if cleaned is None else cleaned)
        if _is_swapped(found, encoding):
            raw = _swapped(raw)
        elements.append((tag, encoding.element(tag, found.vr, raw)))
    return elements


def refuse_embedded(actions: Iterable[int], policy: TagPolicy) -> None:
    """Refuse an overlay plane that lies in unused bits of pixels which nobody looked at.

    Its group is removed, and still its bits would stay in Pixel Data.

    Parameters
    ----------
    actions
        What was done, as in `deid.outcome.Outcome`.
    """
    if policy.burned_in is BurnedIn.PASS:
        return
    removed = {
        each >> 8 for each in actions if each >> 32 == _FIRST >> 24 and each & 0xFF == Action.DROP
    }
    for tag in sorted(removed):
        if tag & 0xFFFF == _BIT_POSITION and tag & ~0xFFFF | _DATA not in removed:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, tag_name(tag))


def _groups(top: TopLevel) -> dict[int, _Group]:
    """Find every element of an overlay group.

    An overlay or Pixel Data that is repeated or out of order could be looked past, and is refused.
    """
    groups: dict[int, _Group] = {}
    highest = 0
    for each in _elements(top):
        tag = each.tag
        is_overlay = _FIRST <= tag < _AFTER and not tag >> 16 & 1
        if tag <= highest and (is_overlay or tag in _PIXELS):
            raise Unsafe(Reason.MALFORMED, tag_name(tag))
        if is_overlay:
            element = _Element(each.value, each.stop, each.vr, each.is_undefined)
            groups.setdefault(tag >> 16, {})[tag & 0xFFFF] = element
        highest = max(highest, tag)
    return groups


def _elements(top: TopLevel) -> Iterator[Placed]:
    """Yield the top-level elements; after Pixel Data up to what is none any more (PS3.10 7.2)."""
    has_pixels = False
    try:
        for element in top.each():
            has_pixels = has_pixels or element.tag in _PIXELS
            yield element
    except Unsafe:
        if not has_pixels:
            raise


def _stays(
    tag: int, found: _Element, plan: TagPlan, sop_class_uid: str, encoding: Encoding
) -> bool:
    table = plan.rules.root(sop_class_uid, encoding)
    action = plan.rules.action(tag, found.vr.decode("latin-1"), table)
    return action & KIND_MASK in (Action.KEEP, Action.CHECK)


def _plane(
    data: Buffer, number: int, group: _Group, encoding: Encoding, known: Sequence[KnownIdentifier]
) -> OverlayPlane:
    found = group[_DATA]
    allocated = _unsigned(data, number, group, _BITS_ALLOCATED, encoding)
    position = _unsigned(data, number, group, _BIT_POSITION, encoding)
    if found.is_undefined or allocated not in (None, 1) or position not in (None, 0):
        raise Unsafe(Reason.PIXELS_UNDECODABLE, tag_name(number << 16 | _DATA))
    bits = bytes(data[found.start : found.stop])
    if _is_swapped(found, encoding):
        bits = _swapped(values.even(bits))
    return OverlayPlane(
        number,
        bits,
        _unsigned(data, number, group, _ROWS, encoding) or 0,
        _unsigned(data, number, group, _COLUMNS, encoding) or 0,
        _frames(data, number, group),
        known,
        _origin(data, number, group, encoding),
        _first_frame(data, number, group, encoding),
    )


def _unsigned(
    data: Buffer, number: int, group: _Group, element: int, encoding: Encoding
) -> int | None:
    """Return a US value, None where there is none."""
    found = group.get(element)
    if found is None or found.start == found.stop:
        return None
    if found.stop - found.start != 2:
        raise Unsafe(Reason.PIXELS_UNDECODABLE, tag_name(number << 16 | element))
    return int(encoding.short.unpack_from(data, found.start)[0])


def _origin(data: Buffer, number: int, group: _Group, encoding: Encoding) -> tuple[int, int]:
    """Return Overlay Origin (60xx,0050), row and column; a plane without it begins where the image does."""
    found = group.get(_ORIGIN)
    if found is None or found.start == found.stop:
        return (1, 1)
    if found.stop - found.start != 4:
        raise Unsafe(Reason.PIXELS_UNDECODABLE, tag_name(number << 16 | _ORIGIN))
    row, column = (
        int(encoding.short.unpack_from(data, found.start + offset)[0]) for offset in (0, 2)
    )
    return row - (row >> 15 << 16), column - (column >> 15 << 16)


def _first_frame(data: Buffer, number: int, group: _Group, encoding: Encoding) -> int:
    """Return Image Frame Origin (60xx,0051); 0 where nothing is said of frames (PS3.3 C.9.3)."""
    first = _unsigned(data, number, group, _FRAME_ORIGIN, encoding)
    return first or int(_FRAMES in group or first is not None)


def _frames(data: Buffer, number: int, group: _Group) -> int:
    """Return Number of Frames in Overlay (60xx,0015); a plane without it has one."""
    found = group.get(_FRAMES)
    text = bytes(data[found.start : found.stop]).strip(b" \x00") if found is not None else b""
    if not text:
        return 1
    if not text.isdigit() or len(text) > 9:
        raise Unsafe(Reason.PIXELS_UNDECODABLE, tag_name(number << 16 | _FRAMES))
    return int(text)


def _is_swapped(found: _Element, encoding: Encoding) -> bool:
    """Whether the plane's bytes come in big-endian words."""
    return encoding.big_endian and found.vr == b"OW"


def _swapped(raw: bytes) -> bytes:
    """Return 16-bit words with their bytes in the other order (PS3.5 7.3)."""
    swapped = bytearray(len(raw))
    swapped[0::2], swapped[1::2] = raw[1::2], raw[0::2]
    return bytes(swapped)
