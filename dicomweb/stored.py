"""What lies where in a stored file: frames and bulk data.

Answers are segments, stretches of the file wherever possible, so that pixels are sent by the kernel.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from dicomweb.elements import (
    PIXEL_DATA,
    UNDEFINED,
    WORD_BYTES,
    Cursor,
    elements,
    items,
    nested,
    open_dataset,
    read_file_meta,
    swapped,
)
from dicomweb.encodings import NATIVE
from dicomweb.errors import DescribeError, NotFound
from dicomweb.segments import Segment, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAX_INFLATED_BYTES: Final = 1 << 30
_VIDEO_PREFIXES: Final = tuple(f"1.2.840.10008.1.2.4.{n}" for n in range(100, 110))
_FLOAT_PIXELS: Final = {0x7FE00008: 32, 0x7FE00009: 64}
_EXTENDED_OFFSETS: Final = 0x7FE00001
_EXTENDED_LENGTHS: Final = 0x7FE00002
_DOCUMENT: Final = 0x00420011
_MIME_TYPE: Final = 0x00420012
_US: Final = {0x00280002, 0x00280010, 0x00280011, 0x00280100}
_STRINGS: Final = {0x00280004, 0x00280008}


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment of an encapsulated value: where its item begins, and its bytes."""

    item: int
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where the pixels of an instance are.

    Attributes
    ----------
    frame_bits
        Bits of one native frame; frames follow each other without padding (PS3.5 8.1.1).
    fragments
        Of an encapsulated value, one tuple per frame; empty for a native one.
    inflated
        The data set of a deflated file; positions are in it, not in the file.
    is_float
        Whether the samples are of Float or Double Float Pixel Data.
    """

    path: Path
    transfer_syntax_uid: str
    number_of_frames: int
    start: int = 0
    count: int = 0
    frame_bits: int = 0
    word_bytes: int = 1
    fragments: tuple[tuple[Fragment, ...], ...] = ()
    inflated: bytes | None = field(default=None, repr=False)
    is_float: bool = False

    @property
    def encapsulated(self) -> bool:
        """Whether frames are compressed bit streams."""
        return bool(self.fragments)

    @property
    def is_one_stream(self) -> bool:
        """Whether the whole value is one bit stream: a single frame, or a video of many."""
        return len(self.fragments) == 1

    def streams(self) -> list[list[Segment]]:
        """Return the bit streams of an encapsulated value, one per frame, or the one of a video."""
        return [
            [Span(self.path, part.start, part.count) for part in stream]
            for stream in self.fragments
        ]

    def frame(self, number: int) -> list[Segment]:
        """Return one frame, counted from 1, native ones in little endian.

        Raises
        ------
        NotFound
            If there is no such frame.
        """
        if not 1 <= number <= self.number_of_frames:
            raise NotFound(f"no frame {number}: the instance has {self.number_of_frames}")
        if self.encapsulated:
            if len(self.fragments) < number:
                raise NotFound(
                    "the frames of a video are one stream: retrieve frame 1, or bulk data"
                )
            return [Span(self.path, part.start, part.count) for part in self.fragments[number - 1]]
        first_bit = (number - 1) * self.frame_bits
        if first_bit % 8 or self.frame_bits % 8:
            return [self._unaligned(first_bit)]
        first, count = first_bit // 8, self.frame_bits // 8
        if self.inflated is None and self.word_bytes == 1:
            return [Span(self.path, self.start + first, count)]
        return [self._bytes(first, first + count)]

    def _bytes(self, first: int, stop: int) -> bytes:
        """Return bytes of the value in little endian; words are swapped whole."""
        word = self.word_bytes
        from_word = first // word * word
        to_word = min(-(-stop // word) * word, self.count)
        if self.inflated is not None:
            data = self.inflated[self.start + from_word : self.start + to_word]
        else:
            with self.path.open("rb") as file:
                file.seek(self.start + from_word)
                data = file.read(to_word - from_word)
        return swapped(data, word)[first - from_word : stop - from_word]

    def _unaligned(self, first_bit: int) -> bytes:
        """Return a frame of single bits that begins or ends within a byte, moved to begin one."""
        stop_bit = first_bit + self.frame_bits
        data = self._bytes(first_bit // 8, -(-stop_bit // 8))
        number = int.from_bytes(data, "little") >> first_bit % 8
        number &= (1 << self.frame_bits) - 1
        return number.to_bytes(-(-self.frame_bits // 8), "little")


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk value in little endian.

    Attributes
    ----------
    pixels
        Set where the value is encapsulated pixel data; then `segments` is empty.
    media_type
        What the value says of itself (encapsulated documents), or empty.
    """

    segments: Sequence[Segment]
    pixels: Pixels | None = None
    media_type: str = ""


class StoredFile:
    """A stored file, mapped, with a cursor at its data set.

    Attributes
    ----------
    head
        The file as it is; its data set may be elsewhere (`cursor.data`), when it was deflated.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.head = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.meta = read_file_meta(self.head)
            self.cursor = open_dataset(self.head, self.meta, max_inflated_bytes=MAX_INFLATED_BYTES)
        except BaseException:
            self.head.close()
            raise
        data = self.cursor.data
        self.inflated = data if isinstance(data, bytes) else None
        self.stop = len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.head.close()

    def value(self, length: int) -> bytes:
        """Return the value at the cursor."""
        start = self.cursor.position
        return self.cursor.data[start : start + length]

    def number(self, length: int) -> int:
        """Return the first value of a US element at the cursor."""
        return int.from_bytes(self.value(length)[:2], "big" if self.cursor.big else "little")

    def segments(self, start: int, count: int, word_bytes: int = 1) -> list[Segment]:
        """Return a stretch of the data set, in little endian."""
        if count == 0:
            return []
        if self.inflated is not None:
            return [swapped(self.inflated[start : start + count], word_bytes)]
        whole = count // word_bytes * word_bytes
        spans: list[Segment] = [Span(self.path, start, whole, word_bytes)]
        if whole < count:
            spans.append(Span(self.path, start + whole, count - whole))
        return spans


def locate_pixels(path: Path, size: int) -> Pixels:
    """Find the frames of a stored file; remembers where they were.

    Parameters
    ----------
    size
        Of the file, in bytes. Stored files never change.

    Raises
    ------
    NotFound
        If the instance has no pixels.
    DescribeError
        If the frames of an encapsulated value cannot be told apart.
    """
    found = remembered_pixels(path, size)
    if found is None:
        with StoredFile(path) as stored:
            found = _find_pixels(stored)
        if found.inflated is None:
            if len(_REMEMBERED) >= _MOST_REMEMBERED:
                with suppress(KeyError, StopIteration, RuntimeError):  # another thread was quicker
                    del _REMEMBERED[next(iter(_REMEMBERED))]
            _REMEMBERED[path, size] = found
    return found


def remembered_pixels(path: Path, size: int) -> Pixels | None:
    """Return where the frames of a file are, if that was found out before: without looking into it."""
    return _REMEMBERED.get((path, size))


_MOST_REMEMBERED: Final = 512
_REMEMBERED: Final[dict[tuple[Path, int], Pixels]] = {}


def _find_pixels(stored: StoredFile) -> Pixels:
    numbers: dict[int, int] = {}
    strings: dict[int, str] = {}
    extended: dict[int, bytes] = {}
    cursor = stored.cursor
    for tag, vr, length in elements(cursor, stored.stop):
        if tag in _US:
            numbers[tag] = stored.number(length)
        elif tag in _STRINGS:
            strings[tag] = stored.value(length).decode("ascii", "replace").strip(" \0")
        elif tag in {_EXTENDED_OFFSETS, _EXTENDED_LENGTHS} and length != UNDEFINED:
            extended[tag] = stored.value(length)
        elif tag == PIXEL_DATA and length == UNDEFINED:
            frames = _frame_count(strings)
            return Pixels(
                stored.path,
                stored.meta.transfer_syntax_uid,
                frames,
                fragments=tuple(_frames(stored, frames, extended)),
            )
        elif tag == PIXEL_DATA or tag in _FLOAT_PIXELS:
            if stored.meta.transfer_syntax_uid not in NATIVE:
                raise DescribeError("compressed pixel data is not encapsulated")
            return _native(stored, tag, vr, length, numbers, strings)
    raise NotFound("the instance has no pixel data")


def _frame_count(strings: dict[int, str]) -> int:
    text = strings.get(0x00280008, "")
    return max(int(text), 1) if len(text) <= 10 and text.isdecimal() else 1


def _native(
    stored: StoredFile,
    tag: int,
    vr: bytes,
    length: int,
    numbers: dict[int, int],
    strings: dict[int, str],
) -> Pixels:
    bits = _FLOAT_PIXELS.get(tag) or numbers.get(0x00280100, 8)
    samples = numbers.get(0x00280002, 1)
    if strings.get(0x00280004) == "YBR_FULL_422":
        samples = 2  # two luminances share one pair of chrominances (PS3.3 C.7.6.3.1.2)
    frame_bits = numbers.get(0x00280010, 0) * numbers.get(0x00280011, 0) * samples * bits
    claimed = _frame_count(strings)
    present = length * 8 // frame_bits if frame_bits else 0
    word_bytes = 1
    if stored.cursor.big and vr != b"OB":
        word_bytes = max(bits // 8, 2)
    return Pixels(
        stored.path,
        stored.meta.transfer_syntax_uid,
        min(claimed, present),
        start=stored.cursor.position,
        count=length,
        frame_bits=frame_bits,
        word_bytes=word_bytes,
        inflated=stored.inflated,
        is_float=tag in _FLOAT_PIXELS,
    )


def _frames(
    stored: StoredFile, number_of_frames: int, extended: dict[int, bytes]
) -> list[tuple[Fragment, ...]]:
    """Return the fragments of each frame of the encapsulated value at the cursor (PS3.5 A.4)."""
    cursor = stored.cursor
    table: bytes | None = None
    fragments: list[Fragment] = []
    for stop in items(cursor, UNDEFINED, stored.stop):
        start = cursor.position
        if table is None:
            table = cursor.data[start:stop]
        else:
            fragments.append(Fragment(start - 8, start, stop - start))
    if not fragments:
        raise NotFound("the instance has no frames")
    if stored.meta.transfer_syntax_uid.startswith(_VIDEO_PREFIXES) or number_of_frames == 1:
        return [tuple(fragments)]
    offsets = _offsets(extended.get(_EXTENDED_OFFSETS, b""), 8) or _offsets(table or b"", 4)
    if len(offsets) == number_of_frames:
        frames = _by_offsets(fragments, offsets)
        if frames is not None:
            return _trimmed(frames, _offsets(extended.get(_EXTENDED_LENGTHS, b""), 8))
    if len(fragments) == number_of_frames:
        return [(fragment,) for fragment in fragments]
    frames = list(_by_end_marker(stored, fragments))
    if len(frames) == number_of_frames:
        return frames
    raise DescribeError("frames cannot be told apart")


def _offsets(table: bytes, size: int) -> list[int]:
    return [
        int.from_bytes(table[index : index + size], "little")
        for index in range(0, len(table) - size + 1, size)
    ]


def _by_offsets(
    fragments: Sequence[Fragment], offsets: Sequence[int]
) -> list[tuple[Fragment, ...]] | None:
    """Group fragments by where frames begin, or None where an offset is not a fragment's."""
    begins = {fragment.item - fragments[0].item: n for n, fragment in enumerate(fragments)}
    try:
        starts = [begins[offset] for offset in offsets]
    except KeyError:
        return None
    stops = [*starts[1:], len(fragments)]
    if any(start >= stop for start, stop in zip(starts, stops, strict=True)):
        return None
    return [tuple(fragments[start:stop]) for start, stop in zip(starts, stops, strict=True)]


def _trimmed(
    frames: list[tuple[Fragment, ...]], lengths: Sequence[int]
) -> list[tuple[Fragment, ...]]:
    """Cut padding that the Extended Offset Table Lengths do not count (PS3.3 C.7.6.3.1.8)."""
    if len(lengths) != len(frames):
        return frames
    return [
        (Fragment(frame[0].item, frame[0].start, length),)
        if len(frame) == 1 and 0 < length <= frame[0].count
        else frame
        for frame, length in zip(frames, lengths, strict=True)
    ]


def _by_end_marker(
    stored: StoredFile, fragments: Iterable[Fragment]
) -> Iterator[tuple[Fragment, ...]]:
    """Group fragments by the marker that ends every JPEG family bit stream (FFD9)."""
    gathered: list[Fragment] = []
    for fragment in fragments:
        gathered.append(fragment)
        stop = fragment.start + fragment.count
        if b"\xff\xd9" in stored.cursor.data[max(stop - 10, fragment.start) : stop]:
            yield tuple(gathered)
            gathered = []
    if gathered:
        yield tuple(gathered)


def locate_bulk(path: Path, size: int, steps: Sequence[int]) -> Bulk:
    """Find the value that a BulkDataURI points to.

    Parameters
    ----------
    steps
        A tag, and for each level of nesting before it a sequence's tag and an item's number from 1.

    Raises
    ------
    NotFound
        If there is no such element.
    """
    with StoredFile(path) as stored:
        cursor, stop = stored.cursor, stored.stop
        for tag, number in zip(steps[0:-1:2], steps[1:-1:2], strict=True):
            try:
                cursor, stop = _enter(cursor, stop, tag, number)
            except DescribeError as error:
                # The file was described when it was stored: what has no items there is no sequence.
                raise NotFound("no such bulk data") from error
        stored.cursor = cursor
        found: Bulk | None = None
        for tag, vr, length in elements(cursor, stop):
            if tag == steps[-1]:
                found = _bulk(stored, tag, vr, length, size)
                if tag != _DOCUMENT:
                    return found
            elif found is not None and tag == _MIME_TYPE:
                media_type = stored.value(length).decode("ascii", "replace").strip(" \0").lower()
                return Bulk(found.segments, media_type=media_type)
        if found is not None:
            return found
    raise NotFound("no such bulk data")


def _enter(cursor: Cursor, stop: int, wanted: int, number: int) -> tuple[Cursor, int]:
    for tag, vr, length in elements(cursor, stop):
        if tag == wanted:
            inner = nested(cursor, vr)
            for index, item_stop in enumerate(items(inner, length, stop), start=1):
                if index == number:
                    return inner, item_stop
                for _element in elements(inner, item_stop):  # to where its end is
                    pass
            break
    raise NotFound("no such bulk data")


def _bulk(stored: StoredFile, tag: int, vr: bytes, length: int, size: int) -> Bulk:
    cursor = stored.cursor
    start = cursor.position
    if length == UNDEFINED:
        if tag == PIXEL_DATA and cursor.depth == 0:
            return Bulk([], locate_pixels(stored.path, size))
        segments: list[Segment] = []
        for item_stop in items(cursor, UNDEFINED, stored.stop):
            segments += stored.segments(cursor.position, item_stop - cursor.position)
        return Bulk(segments)
    word = WORD_BYTES.get(vr, 1) if cursor.big else 1
    return Bulk(stored.segments(start, length, word))
