"""What the core asks of its engines: finding text in pictures, and cleaning what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deid.encoding.segments import Segment
    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.shifts import Shift
    from deid.text.findings import CleanedText


@dataclass(frozen=True, slots=True)
class PixelRegion:
    """One place in the pixels that was filled.

    `left`, `top`, `width`, `height` in pixels of the frame; `frame` counts from 1 (PS3.3 C.7.6.6).
    `why` is one of ``known_identifier``, ``info_type:<NAME>``, ``all_text``, ``unreadable``, ``bar_code``,
    ``rule:<name>``, ``by_hand``.
    Never the text.
    """

    frame: int
    left: int
    top: int
    width: int
    height: int
    why: str


class DrawnBox(NamedTuple):
    """A box that a person drew over a picture, to be filled.

    `left`, `top`, `width`, `height` in pixels of the stored matrix; `frame` counts from 1, and 0 means all.
    """

    frame: int
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PixelInstance:
    """Everything pixel cleaning may look at.

    Attributes
    ----------
    attributes
        Decoded values by keyword of the image-related attributes that are present (Image Pixel module,
        Modality, SOPClassUID, Manufacturer, ManufacturerModelName, SoftwareVersions, NumberOfFrames,
        WindowCenter/Width, palette descriptors and data as bytes, SequenceOfUltrasoundRegions as a list
        of mappings, ...).
    value
        The source's bytes, whole; `start` and `stop` bound the value field of Pixel Data in them
        (or of its floating-point kinds, where `PixelDataVR` in `attributes` is OF or OD): native
        samples, or the items of an encapsulated value from the Basic Offset Table item up to, not
        including, the Sequence Delimitation Item.
    big_endian
        Whether native samples are big endian (Explicit VR Big Endian).
    drawn
        Boxes that a person drew. With any, that person has judged the picture: nothing is refused for
        what it may show.
    """

    transfer_syntax_uid: str
    attributes: Mapping[str, Any]
    value: Any
    start: int
    stop: int
    big_endian: bool
    known: Sequence[KnownIdentifier]
    drawn: Sequence[DrawnBox] = ()


@dataclass(frozen=True, slots=True)
class CleanedPixels:
    """What came of it.

    Attributes
    ----------
    segments
        The new value field of Pixel Data, or None when nothing changed.
    regions
        Every region that was filled.
    changes
        New values by keyword for attributes that depend on stored values (SmallestImagePixelValue,
        LossyImageCompression..., ExtendedOffsetTable as bytes); None deletes the attribute.
    examined_all
        Whether every frame was examined, so that Burned In Annotation may become NO.
    by_hand
        Whether a person drew what was to be filled.
    """

    segments: Sequence[Segment] | None
    regions: Sequence[PixelRegion]
    changes: Mapping[str, Any]
    examined_all: bool
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class OverlayPlane:
    """One overlay plane that stays (PS3.3 C.9.2).

    Attributes
    ----------
    group
        60xx.
    value
        Overlay Data: bits in little-endian order, frames following each other without padding
        (PS3.5 8.1.2).
    rows, columns, frames
        As the data set says, unchecked; 0 where it says nothing.
    origin
        Row and column of the image that it begins at, counted from 1.
    first_frame
        Of the image, counted from 1, that its first frame lies on; 0 where its one frame lies on all.
    """

    group: int
    value: bytes
    rows: int
    columns: int
    frames: int
    known: Sequence[KnownIdentifier]
    origin: tuple[int, int] = (1, 1)
    first_frame: int = 0


class PixelCleaner(Protocol):
    """Removes burned-in text by one configuration.

    Attributes
    ----------
    knows_phrases
        Whether `known` is to hold the texts of elements that the Basic Profile removes, too.
    """

    @property
    def knows_phrases(self) -> bool:
        """See above."""

    def clean(self, instance: PixelInstance) -> CleanedPixels:
        """Return what to write. Raises `deid.errors.Unsafe` when it cannot be proved clean."""

    def check(self, attributes: Mapping[str, Any]) -> None:
        """Refuse, by raising `Unsafe`, an object without Pixel Data that is not trusted as it is."""

    def clean_overlay(self, plane: OverlayPlane) -> bytes | None:
        """Return Overlay Data without its text, None when there was none; raises as `clean` does."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What the shell hands to the core for looking at pixels; made only when a configuration asks.

    Attributes
    ----------
    detector
        Makes a `deid.pixels.ports.TextDetector`; called, as the others, once per plan that cleans pixels.
    templates
        Returns region templates of known machines (`deid.pixels.templates`).
    video
        Returns what cleans video, or None where no decoder is installed (`deid.pixels.codecs.video`).
    untrusted
        Returns the objects that are refused (`deid.pixels.trust`), or None for the usual ones.
    blank_outside_ultrasound_regions
        Whether everything outside Sequence of Ultrasound Regions is filled.
    most_filled
        By Modality, or `others`: how much of what a picture shows may be filled as text, 0 to 1.
    """

    detector: Callable[[], Any]
    templates: Callable[[], Sequence[Any]] = tuple
    video: Callable[[], Any] = lambda: None
    untrusted: Callable[[], Sequence[Any] | None] = lambda: None
    blank_outside_ultrasound_regions: bool = True
    most_filled: Mapping[str, float] = field(default_factory=dict)


class TextCleaner(Protocol):
    """Cleans free text by one configuration."""

    def clean(self, text: str, known: Sequence[KnownIdentifier], *, shift: Shift) -> CleanedText:
        """Return the text without what identifies."""

    def clean_value(
        self, vr: str, text: str, known: Sequence[KnownIdentifier], *, shift: Shift
    ) -> CleanedText:
        """Return an element's value without what identifies, no longer than its VR allows."""
