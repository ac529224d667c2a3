"""Find text in an instance's frames, decide which of it goes, fill it, and prove that it is filled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.errors import ConfigurationInvalid, Reason, Unsafe
from deid.pixels import rules
from deid.pixels.codecs.table import VIDEO
from deid.pixels.description import bitmap_image, describe, first_number
from deid.pixels.find.cine import FoundRegion, find_text
from deid.pixels.find.views import FrameLook, picture
from deid.pixels.floats import FLOATS, FloatFrames, describe_floats
from deid.pixels.frames import open_frames
from deid.pixels.geometry import Box
from deid.pixels.judgement import DEFAULT_INFO_TYPES, Judgement
from deid.pixels.overlays import clean_overlay
from deid.pixels.samples import Decoded, stored_values
from deid.pixels.trust import UNTRUSTED, Untrusted, refuse_untrusted
from deid.ports import CleanedPixels, PixelRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from deid.identity.identifiers import KnownIdentifier
    from deid.pixels.description import ImageDescription
    from deid.pixels.frames import Frames
    from deid.pixels.policy import CustomRegex
    from deid.pixels.ports import TextDetector, TextJudge, TextRegion
    from deid.pixels.templates import RegionTemplate
    from deid.ports import OverlayPlane, PixelInstance

    VideoCleaner = Callable[["PixelCleaning", PixelInstance], CleanedPixels]

#: Where the values in a box spread no further than this share of the text's own contrast, the box
#: shows no text in that frame.
_FLAT_SHARE = 0.15

#: Attributes that hold extremes of stored values, and whether they may narrow: those of a series may
#: come from another instance and only ever widen.
_EXTREMES = {
    "SmallestImagePixelValue": True,
    "LargestImagePixelValue": True,
    "SmallestPixelValueInSeries": False,
    "LargestPixelValueInSeries": False,
}


class TextRedactionMode(StrEnum):
    """The Healthcare API's ``image.textRedactionMode``."""

    UNSPECIFIED = "TEXT_REDACTION_MODE_UNSPECIFIED"
    NO_TEXT = "REDACT_NO_TEXT"
    ALL_TEXT = "REDACT_ALL_TEXT"
    SENSITIVE_TEXT = "REDACT_SENSITIVE_TEXT"
    SENSITIVE_TEXT_CLEAN_DESCRIPTORS = "REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"


@dataclass(frozen=True, slots=True)
class _Filling:
    """A box to fill in every frame that shows something there, and why.

    `frames` are those that text was found in, counted from 0, which are filled in any case; rules
    have none.
    """

    box: Box
    why: str
    frames: frozenset[int] = frozenset()


class PixelCleaning:
    """Removes burned-in text by one configuration; implements `deid.ports.PixelCleaner`.

    Made once per configuration; holds nothing of the instances it cleaned.

    Parameters
    ----------
    mode
        What text goes. With NO_TEXT, and with UNSPECIFIED when `additional_info_types` is empty,
        nothing is examined and nothing changes.
    detector
        Finds the text.
    additional_info_types, exclude_info_types, custom_regexes
        As in the Healthcare API's ImageConfig; for the sensitive modes. UNSPECIFIED with additional
        infoTypes looks for those only.
    judge
        Asked for an infoType after our own patterns.
    templates
        Region templates, all of which that fit are applied.
    blank_outside_ultrasound_regions
        Fill everything outside Sequence of Ultrasound Regions.
    untrusted
        Objects that are refused even though their text could be removed; empty trusts all.
    video
        Cleans video, a `PixelCleaner` of its own (see `deid.pixels.codecs.video`); without it video is
        refused.
    margin, margin_along, margin_across
        How far a found region is widened on each side before it is filled: so many pixels, and
        these shares of its shorter side along the line of text (for a last letter that the detector
        cut) and across it.

    Raises
    ------
    ConfigurationInvalid
        When mode and infoTypes contradict each other.
    """

    def __init__(
        self,
        mode: TextRedactionMode | str,
        detector: TextDetector,
        *,
        additional_info_types: Collection[str] = (),
        exclude_info_types: Collection[str] = (),
        custom_regexes: Sequence[CustomRegex] = (),
        judge: TextJudge | None = None,
        templates: Sequence[RegionTemplate] = (),
        blank_outside_ultrasound_regions: bool = True,
        untrusted: Sequence[Untrusted] = UNTRUSTED,
        video: VideoCleaner | None = None,
        margin: int = 3,
        margin_along: float = 1.0,
        margin_across: float = 0.3,
    ) -> None:
        self.mode = TextRedactionMode(mode)
        self._detector = detector
        info_types = _info_types(self.mode, additional_info_types, exclude_info_types)
        self._judgement = (
            None
            if self.mode is TextRedactionMode.ALL_TEXT
            else Judgement(
                info_types, spared=exclude_info_types, custom_regexes=custom_regexes, judge=judge
            )
        )
        self._is_idle = self.mode is TextRedactionMode.NO_TEXT or (
            self.mode is TextRedactionMode.UNSPECIFIED and not info_types and not custom_regexes
        )
        self._templates = tuple(templates)
        self._blanks_ultrasound = blank_outside_ultrasound_regions
        self._untrusted = tuple(untrusted)
        self._video = video
        self._margins = margin, margin_along, margin_across

    @property
    def knows_phrases(self) -> bool:
        """Whether the texts of elements that the Basic Profile removes are known identifiers, too."""
        return self.mode is TextRedactionMode.SENSITIVE_TEXT_CLEAN_DESCRIPTORS

    def clean(self, instance: PixelInstance) -> CleanedPixels:
        """Return what to write for one instance.

        Raises
        ------
        Unsafe
            `SCREEN_CAPTURE` or `DOCUMENT_NOT_CLEANED` for objects that are not trusted,
            `VIDEO_NOT_CLEANED`, `PIXELS_UNDECODABLE` when a frame cannot be decoded or its
            description is wrong, `PIXELS_NOT_CLEANED` when a filled region is not flat afterwards.
        """
        if self._is_idle:
            return CleanedPixels(None, (), {}, examined_all=False)
        self.check(instance.attributes)
        if instance.transfer_syntax_uid in VIDEO:
            if self._video is None:
                raise Unsafe(
                    Reason.VIDEO_NOT_CLEANED, f"transfer syntax {instance.transfer_syntax_uid}"
                )
            return self._video(self, instance)
        frames: Frames
        if instance.attributes.get("PixelDataVR") in FLOATS:
            image = describe_floats(instance.attributes)
            frames = FloatFrames(instance, image)
            instance = replace(instance, attributes=_without_extremes(instance.attributes))
        else:
            image = describe(instance.attributes)
            frames = open_frames(instance, image)
        pass_over = _PassOver(instance, image, frames)
        fillings = [
            *self._rule_fillings(instance, image),
            *self._text_fillings(instance, image, pass_over.looks()),
        ]
        regions = pass_over.fill(fillings)
        segments, changes = frames.finished()
        return CleanedPixels(
            segments, tuple(regions), changes | pass_over.changes(), examined_all=True
        )

    def find(self, instance: PixelInstance) -> tuple[list[TextRegion], list[Box]]:
        """Return all text regions of the first frame, and the boxes that rules would fill.

        For showing to a person who makes a template; the regions hold the text that was read.
        """
        image = describe(instance.attributes)
        first = open_frames(instance, image).decoded(0)
        found = self._detector.find([picture(image, first, instance.attributes)])[0]
        return found, [filling.box for filling in self._rule_fillings(instance, image)]

    def check(self, attributes: Mapping[str, Any]) -> None:
        """Refuse an object that is not trusted, whether or not it has Pixel Data."""
        if not self._is_idle:
            refuse_untrusted(attributes, self._untrusted)

    def clean_overlay(self, plane: OverlayPlane) -> bytes | None:
        """Return Overlay Data without its text, None when nothing changes.

        Raises
        ------
        Unsafe
            `PIXELS_UNDECODABLE` when the data cannot hold such a plane.
        """
        if self._is_idle:
            return None
        return clean_overlay(
            self, plane.value, plane.rows, plane.columns, frames=plane.frames, known=plane.known
        )

    def clean_bitmap(
        self, bitmap: NDArray[np.bool_], known: Sequence[KnownIdentifier]
    ) -> list[Box]:
        """Clear text in a bitmap such as an overlay plane, in place.

        Parameters
        ----------
        bitmap
            Shape (rows, columns).

        Returns
        -------
        list of Box
            What was cleared.
        """
        rows, columns = bitmap.shape
        plane = bitmap_image(rows, columns)
        grey = bitmap.astype(np.uint8)[..., None] * 255
        look = FrameLook(plane, Decoded(grey, plane.photometric), {})
        judge = self._judging(known)
        boxes = []
        for region in self._detected([look], frames=1, judge=judge):
            box = self._widened(region.region.box).clipped(*bitmap.shape)
            if box is not None and judge(region.region) is not None:
                bitmap[box.top : box.bottom, box.left : box.right] = False
                boxes.append(box)
        return boxes

    def _rule_fillings(self, instance: PixelInstance, image: ImageDescription) -> list[_Filling]:
        fillings = []
        if self._blanks_ultrasound:
            boxes = rules.outside_ultrasound_regions(instance.attributes, image)
            fillings += [_Filling(box, "rule:ultrasound_regions") for box in boxes]
        for template in self._templates:
            if template.fits(instance.attributes):
                why = f"rule:template:{template.name}"
                fillings += [
                    _Filling(box, why) for box in template.boxes(image.rows, image.columns)
                ]
        return fillings

    def video_fillings(
        self, instance: PixelInstance, image: ImageDescription, looks: Iterable[FrameLook]
    ) -> list[_Filling]:
        """Return what is to be filled in a video, each in all of its frames."""
        return [
            *self._rule_fillings(instance, image),
            *self._text_fillings(instance, image, looks),
        ]

    def _text_fillings(
        self, instance: PixelInstance, image: ImageDescription, looks: Iterable[FrameLook]
    ) -> list[_Filling]:
        judge = self._judging(instance.known)
        fillings: list[_Filling] = []
        filled: list[FoundRegion] = []
        kept: list[FoundRegion] = []
        reasons: list[str] = []
        found = self._detected(looks, frames=image.frames, judge=judge)
        for entry in found:
            why = (
                judge(entry.region)
                or _carried_over(entry, filled, judge)
                or _together(entry, found, judge)
            )
            if why is None:
                kept.append(entry)
            else:
                filled.append(entry)
                reasons.append(why)
        for entry, why in zip(filled, reasons, strict=True):
            neighbours = [other.region.box for other in kept if other.frame == entry.frame]
            box = self._widened(entry.region.box, neighbours).clipped(image.rows, image.columns)
            if box is not None:
                fillings.append(_Filling(box, why, frozenset((entry.frame,))))
        return _united(fillings)

    def _widened(self, box: Box, neighbours: Sequence[Box] = ()) -> Box:
        """Return the box with its margins; towards a text that stays a narrow one, or none."""
        margin, along, across = self._margins
        short = min(box.width, box.height)
        wide, tall = margin + round(along * short), margin + round(across * short)
        if box.width < box.height:
            wide, tall = tall, wide
        widened = _parted(box, neighbours)
        for left, top, right, bottom in ((1, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1)):
            for much in (wide if left or right else tall, margin):
                wider = Box(
                    widened.left - left * much,
                    widened.top - top * much,
                    widened.width + (left + right) * much,
                    widened.height + (top + bottom) * much,
                )
                if not any(wider.overlap(other) > widened.overlap(other) for other in neighbours):
                    widened = wider
                    break
        return widened

    def _judging(self, known: Sequence[KnownIdentifier]) -> Callable[[TextRegion], str | None]:
        judgement = self._judgement
        if judgement is None:
            return lambda _: "all_text"
        texts = judgement.knowing(known)
        return lambda region: judgement.why(region, texts)

    def _detected(
        self,
        looks: Iterable[FrameLook],
        *,
        frames: int,
        judge: Callable[[TextRegion], str | None],
    ) -> list[FoundRegion]:
        try:
            return find_text(
                looks,
                self._detector,
                frames=frames,
                is_resolved=lambda region: judge(region) is not None,
            )
        except (Unsafe, MemoryError):
            raise
        except Exception as error:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, "text detector") from error


class _PassOver:
    """The two passes over an instance's frames: looking at each, then filling those that need it."""

    def __init__(self, instance: PixelInstance, image: ImageDescription, frames: Frames) -> None:
        self.image = image
        self._instance, self._frames = instance, frames
        self._tracks_extremes = any(
            instance.attributes.get(keyword) is not None for keyword in _EXTREMES
        )
        self._extremes: dict[int, tuple[int, int]] = {}
        self._has_filled = False

    def looks(self) -> Iterator[FrameLook]:
        """Decode each frame in turn and yield a look at it."""
        for number in range(self.image.frames):
            decoded = self._frames.decoded(number)
            self._note_extremes(number, decoded)
            yield FrameLook(self.image, decoded, self._instance.attributes)

    def fill(self, fillings: Sequence[_Filling]) -> list[PixelRegion]:
        """Fill every box in the frames where there is something to hide; return what was filled."""
        spreads = self._spreads(fillings)
        regions: list[PixelRegion] = []
        for number in range(self.image.frames) if fillings else ():
            applied = fillings
            if self.image.frames > 1 or any(not filling.frames for filling in fillings):
                samples = self._frames.decoded(number).samples
                applied = [
                    filling
                    for filling, spread in zip(fillings, spreads, strict=True)
                    if number in filling.frames or _spread(samples, filling.box) > spread
                ]
            if not applied:
                continue
            boxes = [filling.box for filling in applied]
            self._note_extremes(number, self._frames.redact(number, boxes))
            self._has_filled = True
            regions += [PixelRegion(number + 1, *filling.box, filling.why) for filling in applied]
        return regions

    def changes(self) -> dict[str, Any]:
        """Return new values of Smallest/Largest Image Pixel Value and their series forms."""
        if not self._tracks_extremes or not self._has_filled:
            return {}
        low = min(pair[0] for pair in self._extremes.values())
        high = max(pair[1] for pair in self._extremes.values())
        changes: dict[str, Any] = {}
        for keyword, narrowest in _EXTREMES.items():
            old = first_number(self._instance.attributes, keyword)
            if old is None:
                continue
            is_low = keyword.startswith("Smallest")
            value = low if is_low else high
            if not narrowest:
                value = min(value, int(old)) if is_low else max(value, int(old))
            if value != old:
                changes[keyword] = value
        return changes

    def _spreads(self, fillings: Sequence[_Filling]) -> list[float]:
        """Return for each box up to which spread of values a frame shows nothing there."""
        spreads = [math.inf if filling.frames else 0.0 for filling in fillings]
        if self.image.frames == 1:
            return spreads
        for number in sorted(frozenset[int]().union(*(filling.frames for filling in fillings))):
            samples = self._frames.decoded(number).samples
            for at, filling in enumerate(fillings):
                if number in filling.frames:
                    spreads[at] = min(spreads[at], _FLAT_SHARE * _spread(samples, filling.box))
        return spreads

    def _note_extremes(self, number: int, decoded: Decoded) -> None:
        if self._tracks_extremes:
            values = stored_values(self.image, decoded.samples)
            self._extremes[number] = (int(values.min()), int(values.max()))


def _without_extremes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes without those that are about integers: windows, extremes."""
    integers = {*_EXTREMES, "WindowCenter", "WindowWidth"}
    return {keyword: value for keyword, value in attributes.items() if keyword not in integers}


def _carried_over(
    entry: FoundRegion,
    filled: Sequence[FoundRegion],
    judge: Callable[[TextRegion], str | None],
) -> str | None:
    """Return why text is filled that continues one filled in an earlier frame, on the same line.

    Of text that moves only its leading end is new in each frame; the end alone tells nothing.
    """
    box = entry.region.box
    for earlier in filled:
        other = earlier.region.box
        if (
            earlier.frame < entry.frame
            and box.grown(2).overlap(other)
            and abs(box.top - other.top) + abs(box.bottom - other.bottom) <= box.height
        ):
            return judge(earlier.region) or "unreadable"
    return None


def _together(
    entry: FoundRegion,
    found: Sequence[FoundRegion],
    judge: Callable[[TextRegion], str | None],
) -> str | None:
    """Return what a piece of text identifies with the next piece of its line, as 27 with FEB 2013.

    None as well when the two cannot be read as one.
    """
    region = entry.region
    for other in found:
        if other is entry or other.frame != entry.frame:
            continue
        first, second = sorted((region, other.region), key=lambda piece: piece.box.left)
        if not _are_neighbours(first.box, second.box):
            continue
        for between in (" ", ""):
            text = f"{first.text}{between}{second.text}"
            why = judge(replace(region, text=text, others=()))
            if why is not None and why != "unreadable":
                return why
    return None


def _are_neighbours(first: Box, second: Box) -> bool:
    """Whether two boxes lie on one upright line, no farther apart than words are."""
    if any(2 * box.height > 3 * box.width for box in (first, second)):
        return False
    low, high = sorted((first.height, second.height))
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    gap = second.left - first.right
    return 2 * gap <= low and -gap <= low and 4 * shared >= 3 * low and 2 * low >= high


def _parted(box: Box, neighbours: Sequence[Box]) -> Box:
    """Return a line's box without what it shares with the lines above and below it that stay.

    Boxes reach beyond their letters, in proportion to the height; so is shared what two have in
    common. Boxes of very different heights are left alone: one of them may be slanted.
    """
    for other in neighbours:
        low, high = sorted((box.height, other.height))
        shared = min(box.bottom, other.bottom) - max(box.top, other.top)
        are_lines = box.width >= box.height and other.width >= other.height and high <= 2 * low
        if not (are_lines and box.overlap(other) and 2 * shared < low):
            continue
        less = shared * box.height // (box.height + other.height)
        top = box.top + less if other.top < box.top else box.top
        box = Box(box.left, top, box.width, box.height - less)
    return box


def _spread(samples: NDArray[Any], box: Box) -> float:
    area = samples[box.top : box.bottom, box.left : box.right]
    return max(
        float(area[..., sample].max()) - float(area[..., sample].min())
        for sample in range(area.shape[2])
    )


def _united(fillings: Sequence[_Filling]) -> list[_Filling]:
    """Make one of boxes that share most of the smaller one, as moving text leaves a trail of them."""
    kept: list[_Filling] = []
    for filling in sorted(fillings, key=lambda entry: -entry.box.area):
        united = filling
        while True:
            same = [
                other
                for other in kept
                if other.why == united.why
                and 2 * other.box.overlap(united.box) > min(other.box.area, united.box.area)
            ]
            if not same:
                break
            for other in same:
                kept.remove(other)
                united = _Filling(
                    united.box.joined(other.box), united.why, united.frames | other.frames
                )
        kept.append(united)
    return kept


def _info_types(
    mode: TextRedactionMode, additional: Collection[str], excluded: Collection[str]
) -> frozenset[str]:
    sensitive = {
        TextRedactionMode.SENSITIVE_TEXT,
        TextRedactionMode.SENSITIVE_TEXT_CLEAN_DESCRIPTORS,
    }
    problems = []
    if additional and mode not in {*sensitive, TextRedactionMode.UNSPECIFIED}:
        problems.append(f"additionalInfoTypes cannot be used with {mode.value}")
    if excluded and mode not in sensitive:
        problems.append(f"excludeInfoTypes cannot be used with {mode.value}")
    if problems:
        raise ConfigurationInvalid(problems)
    base = DEFAULT_INFO_TYPES if mode in sensitive else frozenset()
    return (base | frozenset(additional)) - frozenset(excluded)
