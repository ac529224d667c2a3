"""Find text in an instance's frames, decide which of it goes, fill it, and prove that it is filled."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.errors import ConfigurationInvalid, Reason, Unsafe
from deid.pixels import rules
from deid.pixels.by_hand import NothingFound, drawn_fillings, identifying
from deid.pixels.codecs.table import VIDEO
from deid.pixels.description import bitmap_image, describe
from deid.pixels.fillings import (
    Filling,
    Margins,
    as_code,
    carried_over,
    filled_for,
    is_explained,
    is_lettering,
    is_of_letters,
    united,
    without_lines,
)
from deid.pixels.find.cine import find_text
from deid.pixels.find.codes import WithCodes
from deid.pixels.find.views import FrameLook, OneLook, picture
from deid.pixels.floats import FLOATS, FloatFrames, describe_floats
from deid.pixels.frames import open_frames
from deid.pixels.half_lines import half_seen, is_half_seen, may_be_piece
from deid.pixels.judgement import DEFAULT_INFO_TYPES, Judgement
from deid.pixels.overlays import clean_overlay
from deid.pixels.passes import PassOver, without_extremes
from deid.pixels.same_line import identified_in_lines, is_in_company, together
from deid.pixels.samples import Decoded
from deid.pixels.trust import UNTRUSTED, Untrusted, refuse_untrusted
from deid.ports import CleanedPixels

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from deid.identity.identifiers import KnownIdentifier
    from deid.pixels.codecs.video import VideoCleaner
    from deid.pixels.description import ImageDescription
    from deid.pixels.find.views import Looks
    from deid.pixels.frames import Frames
    from deid.pixels.geometry import Box
    from deid.pixels.policy import CustomRegex
    from deid.pixels.ports import FoundRegion, TextDetector, TextJudge, TextRegion
    from deid.pixels.templates import RegionTemplate
    from deid.ports import OverlayPlane, PixelInstance


#: Up to this share of a frame, what is filled of what it shows is never too much: it may show nothing else.
_LEAST_LOST = 0.05
#: Regions that are named when an instance is put aside for too many of them.
_MOST_SHOWN = 12


class TextRedactionMode(StrEnum):
    """The Healthcare API's ``image.textRedactionMode``."""

    UNSPECIFIED = "TEXT_REDACTION_MODE_UNSPECIFIED"
    NO_TEXT = "REDACT_NO_TEXT"
    ALL_TEXT = "REDACT_ALL_TEXT"
    SENSITIVE_TEXT = "REDACT_SENSITIVE_TEXT"
    SENSITIVE_TEXT_CLEAN_DESCRIPTORS = "REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"


class PixelCleaning:
    """Removes burned-in text by one configuration; implements `deid.ports.PixelCleaner`.

    Made once per configuration; holds nothing of the instances it cleaned.

    Parameters
    ----------
    mode
        What text goes. With NO_TEXT, and with UNSPECIFIED when `additional_info_types` is empty,
        nothing is examined and nothing changes.
    detector
        Finds the text; codes are found whatever it finds.
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
    most_filled
        By Modality, or `others`: what share of what a frame shows may be filled as text.
        Without it there is no ceiling.
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
        most_filled: Mapping[str, float] | None = None,
        margin: int = 3,
        margin_along: float = 0.5,
        margin_across: float = 0.15,
    ) -> None:
        self.mode = TextRedactionMode(mode)
        self._detector = WithCodes(detector)
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
        self._most_filled = dict(most_filled or {})
        self._margins = Margins(margin, margin_along, margin_across)

    @classmethod
    def filling_only(cls, video: VideoCleaner | None = None) -> PixelCleaning:
        """Return what fills the boxes that a person drew, and looks for nothing itself."""
        return cls(TextRedactionMode.NO_TEXT, NothingFound(), video=video)

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
            description is wrong, `PIXELS_NOT_CLEANED` when a filled region is not flat afterwards,
            `TOO_MUCH_TEXT` when more would be filled than the ceiling allows.
            Where a person drew boxes, that person's word stands for trust, and above the ceiling for all
            text but what reads as an identifier; the ceiling holds for that.
        """
        if not instance.drawn:
            if self._is_idle:
                return CleanedPixels(None, (), {}, examined_all=False)
            self.check(instance.attributes)
        if instance.transfer_syntax_uid in VIDEO:
            if self._video is None:
                raise Unsafe(
                    Reason.VIDEO_NOT_CLEANED, f"transfer syntax {instance.transfer_syntax_uid}"
                )
            return replace(self._video(self, instance), by_hand=bool(instance.drawn))
        frames: Frames
        if instance.attributes.get("PixelDataVR") in FLOATS:
            image = describe_floats(instance.attributes)
            frames = FloatFrames(instance, image)
            instance = replace(instance, attributes=without_extremes(instance.attributes))
        else:
            image = describe(instance.attributes)
            frames = open_frames(instance, image)
        pass_over = PassOver(instance, image, frames)
        drawn = drawn_fillings(instance.drawn, image)
        texts = self._text_fillings(instance, image, pass_over)
        try:
            self._check_ceiling(instance, texts, pass_over)
        except Unsafe:
            if not drawn:
                raise
            # Looked at once more where all text goes, as nothing was read for that.
            if self._judgement is None:
                texts = self._text_fillings(instance, image, pass_over, self._reading())
            texts = identifying(texts)
            self._check_ceiling(instance, texts, pass_over)
        regions = pass_over.fill([*self._rule_fillings(instance, image), *texts, *drawn])
        segments, changes = frames.finished()
        return CleanedPixels(
            segments,
            tuple(regions),
            changes | pass_over.changes(),
            examined_all=True,
            by_hand=bool(drawn),
        )

    def _check_ceiling(
        self, instance: PixelInstance, texts: Sequence[Filling], pass_over: PassOver
    ) -> None:
        """Refuse to fill more than the ceiling of what a frame shows; small texts on nothing may go."""
        modality = str(instance.attributes.get("Modality") or "").strip().upper()
        ceiling = self._most_filled.get(modality, self._most_filled.get("others"))
        if not texts or ceiling is None:
            return
        for frame, share, lost in pass_over.filled_shares(texts):
            if share > ceiling and lost > _LEAST_LOST:
                boxes = [filling.box for filling in texts if frame in filling.frames]
                shown = ", ".join(
                    f"{box.left},{box.top} {box.width}x{box.height}" for box in boxes[:_MOST_SHOWN]
                )
                more = f" and {len(boxes) - _MOST_SHOWN} more" if len(boxes) > _MOST_SHOWN else ""
                raise Unsafe(Reason.TOO_MUCH_TEXT, f"frame {frame + 1}, {share:.0%}: {shown}{more}")

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
        looks = OneLook(FrameLook(plane, Decoded(grey, plane.photometric), {}))
        judge = _judging(self._judgement, known)
        boxes = []
        needs_reading = self._judgement is not None
        for region in self._detected(looks, frames=1, judge=judge, needs_reading=needs_reading):
            if judge(region.region) is None:
                continue
            for box in filled_for(region.region, self._margins, (), rows, columns):
                bitmap[box.top : box.bottom, box.left : box.right] = False
                boxes.append(box)
        return boxes

    def _rule_fillings(self, instance: PixelInstance, image: ImageDescription) -> list[Filling]:
        fillings: list[Filling] = []
        if self._is_idle:
            return fillings
        if self._blanks_ultrasound:
            boxes = rules.outside_ultrasound_regions(instance.attributes, image)
            fillings += [Filling(box, "rule:ultrasound_regions") for box in boxes]
        for template in self._templates:
            if template.fits(instance.attributes):
                why = f"rule:template:{template.name}"
                fillings += [Filling(box, why) for box in template.boxes(image.rows, image.columns)]
        return fillings

    def video_fillings(
        self, instance: PixelInstance, image: ImageDescription, looks: Looks
    ) -> list[Filling]:
        """Return what is to be filled in a video, each in all of its frames."""
        return [
            *self._rule_fillings(instance, image),
            *self._text_fillings(instance, image, looks),
            *drawn_fillings(instance.drawn, image),
        ]

    def _reading(self) -> Judgement:
        """Return what tells which texts identify somebody, where the mode does not ask."""
        return Judgement(DEFAULT_INFO_TYPES, spared=())

    def _text_fillings(
        self,
        instance: PixelInstance,
        image: ImageDescription,
        looks: Looks,
        reading: Judgement | None = None,
    ) -> list[Filling]:
        if self._is_idle:
            # Each frame is decoded all the same: what cannot be, and unused bits, are not passed on.
            deque(looks, maxlen=0)
            return []
        judgement = reading or self._judgement
        judge = _judging(judgement, instance.known)
        fillings: list[Filling] = []
        found = self._detected(
            looks, frames=image.frames, judge=judge, needs_reading=judgement is not None
        )
        filled, reasons, kept = _decided(
            found, judge, is_read=judgement is not None, has_later=image.frames > 1
        )
        for entry, why in zip(filled, reasons, strict=True):
            # In later frames of several nobody looks where something cannot be read, as that is filled.
            if image.frames == 1 and (
                (why == "unreadable" and (is_explained(entry, found) or is_of_letters(entry, kept)))
                or is_lettering(entry, kept)
            ):
                continue
            stay = [other.region for other in kept if other.frame == entry.frame]
            go = [other.region for other in filled if other.frame == entry.frame]
            fillings += [
                Filling(part, why, frozenset((entry.frame,)))
                for box in filled_for(
                    as_code(entry, filled),
                    self._margins,
                    [other.box for other in stay],
                    image.rows,
                    image.columns,
                )
                for part in (
                    without_lines(box, entry.region, stay, go) if image.frames == 1 else [box]
                )
            ]
        # What moves leaves a trail in several frames that is united whatever stands beside it.
        return united(fillings, [entry.region.box for entry in kept] if image.frames == 1 else ())

    def _detected(
        self,
        looks: Looks,
        *,
        frames: int,
        judge: Callable[[TextRegion], str | None],
        needs_reading: bool,
    ) -> list[FoundRegion]:
        try:
            return find_text(
                looks,
                self._detector,
                frames=frames,
                needs_reading=needs_reading,
                is_resolved=lambda region: (
                    judge(region) is not None and not may_be_piece(region, judge)
                ),
            )
        except (Unsafe, MemoryError):
            raise
        except Exception as error:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, "text detector") from error


def _decided(
    found: Sequence[FoundRegion],
    judge: Callable[[TextRegion], str | None],
    *,
    is_read: bool,
    has_later: bool,
) -> tuple[list[FoundRegion], list[str], list[FoundRegion]]:
    """Return what goes, why each of it does, and what stays; whether it was read, and of several frames."""
    of_lines = identified_in_lines(found, judge) if is_read else {}
    pieces = half_seen(found, judge) if is_read and has_later else frozenset[int]()
    while True:
        filled: list[FoundRegion] = []
        reasons: list[str] = []
        kept: list[FoundRegion] = []
        last = [number for number in range(len(found)) if number in pieces]
        for number in [*(n for n in range(len(found)) if n not in pieces), *last]:
            entry = found[number]
            is_piece = number in pieces and is_half_seen(entry, kept)
            why = None if is_piece else judge(entry.region)
            if why == "unreadable" and not has_later and is_in_company(entry, found, judge):
                why = None
            why = (
                why
                or carried_over(entry, filled, judge)
                or together(entry, found, judge)
                or of_lines.get(number)
            )
            if why is not None:
                filled.append(entry)
                reasons.append(why)
            elif number not in pieces:
                kept.append(entry)
        gone = {number for number in pieces if found[number] in filled}
        if not gone:
            return filled, reasons, kept
        pieces -= gone  # and what continues them goes, too


def _judging(
    judgement: Judgement | None, known: Sequence[KnownIdentifier]
) -> Callable[[TextRegion], str | None]:
    if judgement is None:
        return lambda _: "all_text"
    texts = judgement.knowing(known)
    return lambda region: judgement.why(region, texts)


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
