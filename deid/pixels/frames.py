"""The frames of one instance, native or encapsulated, behind one face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from deid.encoding.segments import Segment, Span
from deid.errors import Reason, Unsafe
from deid.pixels.codecs import encapsulation
from deid.pixels.codecs.lossy import lossy_step
from deid.pixels.codecs.native import NativeFrame
from deid.pixels.codecs.table import CODECS, NATIVE
from deid.pixels.samples import black, spread_in, without_unused_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box
    from deid.pixels.samples import Decoded
    from deid.ports import PixelInstance


class Frames(Protocol):
    """The frames of one value of Pixel Data. Frame numbers count from 0 here."""

    def decoded(self, number: int) -> Decoded:
        """Return a frame's samples. Raises `Unsafe` when it cannot be decoded."""

    def redact(self, number: int, boxes: Sequence[Box]) -> Decoded:
        """Fill boxes in a frame; return what a reader will now decode."""

    def finished(self) -> tuple[list[Segment] | None, dict[str, Any]]:
        """Return the new value field, None when nothing changed, and attribute changes."""


def open_frames(instance: PixelInstance, image: ImageDescription) -> Frames:
    """Return the frames of an instance.

    Raises
    ------
    Unsafe
        When the transfer syntax is not understood, or the value cannot hold such frames.
    """
    syntax = instance.transfer_syntax_uid
    if syntax in NATIVE:
        return _NativeFrames(instance, image)
    if syntax in CODECS:
        return _EncapsulatedFrames(instance, image)
    raise Unsafe(Reason.PIXELS_UNDECODABLE, f"transfer syntax {syntax}")


class _NativeFrames:
    def __init__(self, instance: PixelInstance, image: ImageDescription) -> None:
        self._instance, self._image = instance, image
        self._bits = image.native_frame_bits
        self._length = -(-self._bits * image.frames // 8)
        if instance.stop - instance.start < self._length:
            raise Unsafe(Reason.PIXELS_UNDECODABLE, "(7FE0,0010) is too short")
        self._padding = b"\x00" * (self._length % 2)
        # By frame, bytes that replace those from an offset in it on: rows that were filled, or all.
        self._changed: dict[int, list[tuple[int, bytes]]] = {}
        # 8-bit samples in big endian OW: neighbouring bytes have changed places (PS3.5 A.3). Such a
        # value, and single bits, whose frames need not begin on a byte, are held whole.
        self._swaps = (
            instance.big_endian
            and image.bits_allocated <= 8
            and instance.attributes.get("PixelDataVR") == "OW"
        )
        self._whole: bytes | None = None
        if self._swaps or image.bits_allocated == 1:
            stop = instance.start + self._length + len(self._padding)
            whole = bytes(instance.value[instance.start : min(stop, instance.stop)])
            whole += bytes(len(whole) % 2)
            self._whole = _swapped(whole) if self._swaps else whole

    def decoded(self, number: int) -> Decoded:
        return self._frame(number).decoded()

    def redact(self, number: int, boxes: Sequence[Box]) -> Decoded:
        frame = self._frame(number)
        values = black(self._image, frame.decoded(), self._instance.attributes)
        is_whole = self._whole is not None or number in self._changed or self._image.planar
        if frame.clear_unused_bits() or is_whole:
            frame.fill(boxes, values)
            self._keep(number, frame)
        else:
            self._changed[number] = list(_filled_rows(frame, boxes, values))
        decoded = self.decoded(number)
        _prove_filled(number, decoded, boxes, 0)
        return decoded

    def finished(self) -> tuple[list[Segment] | None, dict[str, Any]]:
        start, stop = self._instance.start, self._instance.stop
        if self._whole is not None:
            kept = self._whole[: self._length] + self._padding
            kept = _swapped(kept) if self._swaps else kept
            is_same = kept == bytes(self._instance.value[start:stop])
            return (None if is_same else [kept]), {}
        for number in range(self._image.frames):
            if number not in self._changed:
                frame = self._frame(number)
                if frame.clear_unused_bits():
                    self._keep(number, frame)
        tail = bytes(self._instance.value[start + self._length : stop][:2])
        has_tail = stop - start > self._length + len(self._padding) or tail != self._padding
        if not self._changed and not has_tail:
            return None, {}
        return [*self._parts(), *([self._padding] if self._padding else [])], {}

    def _parts(self) -> list[Segment]:
        size, start = self._bits // 8, self._instance.start
        parts: list[Segment] = []
        for number in range(self._image.frames):
            at = start + number * size
            stop = at + size
            for offset, changed in self._changed.get(number, ()):
                _add_span(parts, at, stop - size + offset)
                parts.append(changed)
                at = stop - size + offset + len(changed)
            _add_span(parts, at, stop)
        return parts

    def _frame(self, number: int) -> NativeFrame:
        first = number * self._bits
        if self._image.bits_allocated == 1:
            assert self._whole is not None
            return NativeFrame(self._image, self._whole, first_bit=first)
        begin, size = first // 8, self._bits // 8
        raw: bytes | bytearray | memoryview
        if self._whole is not None:
            raw = self._whole[begin : begin + size]
        else:
            begin += self._instance.start
            raw = self._source_bytes(begin, begin + size)
            if number in self._changed:
                patched = bytearray(raw)
                for offset, changed in self._changed[number]:
                    patched[offset : offset + len(changed)] = changed
                raw = patched
        return NativeFrame(self._image, raw, is_big_endian=self._instance.big_endian)

    def _source_bytes(self, start: int, stop: int) -> bytes | memoryview:
        """Return bytes of the source, not copied where samples lie as their width asks for.

        Each frame is read several times, and copying costs as much as looking for what is new in it.
        """
        if self._image.bits_allocated > 16:
            return bytes(self._instance.value[start:stop])
        return memoryview(self._instance.value)[start:stop].toreadonly()

    def _keep(self, number: int, frame: NativeFrame) -> None:
        if self._image.bits_allocated == 1:
            self._whole = frame.tobytes()
        elif self._whole is not None:
            begin = number * self._bits // 8
            changed = frame.tobytes()
            self._whole = self._whole[:begin] + changed + self._whole[begin + len(changed) :]
        else:
            self._changed[number] = [(0, frame.tobytes())]


def _filled_rows(
    frame: NativeFrame, boxes: Sequence[Box], values: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a frame that boxes fill, filled, each with its offset in the frame's bytes."""
    rows: list[tuple[int, int]] = []
    for top, bottom in sorted((box.top, box.bottom) for box in boxes):
        if rows and top <= rows[-1][1]:
            rows[-1] = rows[-1][0], max(bottom, rows[-1][1])
        else:
            rows.append((top, bottom))
    for top, bottom in rows:
        band, offset = frame.rows(top, bottom)
        inside = (box.moved(0, -top) for box in boxes if top <= box.top < bottom)
        band.fill([*inside], values)
        yield offset, band.tobytes()


def _add_span(parts: list[Segment], start: int, stop: int) -> None:
    """Add bytes of the source, to those before where they go on."""
    if start == stop:
        return
    last = parts[-1] if parts else None
    if isinstance(last, Span) and last.stop == start:
        parts[-1] = Span(last.start, stop)
    else:
        parts.append(Span(start, stop))


def _swapped(data: bytes) -> bytes:
    return np.frombuffer(data, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()


class _EncapsulatedFrames:
    def __init__(self, instance: PixelInstance, image: ImageDescription) -> None:
        self._instance, self._image = instance, image
        self._codec = CODECS[instance.transfer_syntax_uid]
        self._source = encapsulation.parse(
            instance.value,
            instance.start,
            instance.stop,
            image.frames,
            instance.attributes.get("ExtendedOffsetTable"),
        )
        self._changed: dict[int, bytes] = {}
        self._lossy_bytes: list[int] = []

    def decoded(self, number: int) -> Decoded:
        with _Decoding(number):
            frame = self._clean(number)
            decoded = self._codec.decode(frame, self._image)
            if without_unused_bits(self._image, decoded.samples) is None:
                return decoded
            if not self._codec.is_exact(frame, self._image):
                return decoded
            self._changed[number] = self._codec.redact(frame, self._image, (), ())
            decoded = self._codec.decode(self._changed[number], self._image)
        if without_unused_bits(self._image, decoded.samples) is not None:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, f"unused bits of frame {number + 1}")
        return decoded

    def redact(self, number: int, boxes: Sequence[Box]) -> Decoded:
        with _Decoding(number):
            frame = self._clean(number)
            values = black(
                self._image, self._codec.decode(frame, self._image), self._instance.attributes
            )
            self._changed[number] = self._codec.redact(frame, self._image, boxes, values)
            residue = self._codec.residue(frame, self._image)
            if residue:
                self._lossy_bytes.append(len(self._changed[number]))
            decoded = self._codec.decode(self._changed[number], self._image)
        _prove_filled(number, decoded, boxes, residue)
        return decoded

    def finished(self) -> tuple[list[Segment] | None, dict[str, Any]]:
        if not self._changed:
            return None, {}
        segments, changes = encapsulation.build(
            self._source, self._changed, self._instance.attributes
        )
        if self._lossy_bytes:
            mean = sum(self._lossy_bytes) / len(self._lossy_bytes)
            ratio = self._image.native_frame_bits / 8 / max(mean, 1)
            changes |= lossy_step(self._instance.attributes, ratio, self._codec.compression_method)
        return segments, changes

    def _clean(self, number: int) -> bytes:
        if number in self._changed:
            return self._changed[number]
        frame = self._source.frames[number].read(self._instance.value)
        scrubbed = self._codec.scrubbed(frame, self._image)
        if scrubbed != frame:
            self._changed[number] = scrubbed
        return scrubbed


class _Decoding:
    """Turn whatever a decoder raises into a refusal that names the frame."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, Unsafe | MemoryError):
            raise Unsafe(Reason.PIXELS_UNDECODABLE, f"frame {self._number + 1}") from error


def _prove_filled(number: int, decoded: Decoded, boxes: Sequence[Box], residue: int) -> None:
    if any(spread_in(decoded.samples, box) > residue for box in boxes):
        raise Unsafe(Reason.PIXELS_NOT_CLEANED, f"frame {number + 1}")
