"""A softcopy presentation state, as far as it concerns one frame (PS3.3 A.33, PS3.4 N.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageDraw

from daemon.rendering import overlays
from daemon.rendering.errors import NoPicture
from daemon.rendering.grey import Greyscale
from daemon.rendering.reading import first, number, several

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from daemon.rendering.reading import StoredImage

    Points = list[tuple[float, float]]

_MOST_OBJECTS: Final = 500
_MOST_POINTS: Final = 20_000
_MOST_CHARS: Final = 1024
_SIDE: Final = 1 << 16


class PresentationState:
    """What a presentation state says of one frame of an image.

    Raises
    ------
    NoPicture
        If it does not name that image.
    """

    def __init__(self, state: Dataset, stored: StoredImage, frame: int) -> None:
        self._state = state
        self._uid = str(first(stored.dataset, "SOPInstanceUID") or "")
        self._stored = stored
        self._frame = frame
        if self._uid not in referenced(state):
            raise NoPicture("(0008,1115)")

    def greyscale(self) -> Greyscale:
        """Return its transformations of values; what it leaves out is identity, not the image's."""
        values_of_interest = next(self._of("SoftcopyVOILUTSequence"), None)
        has_modality = "ModalityLUTSequence" in self._state or "RescaleSlope" in self._state
        return Greyscale(
            modality=self._state if has_modality else None,
            values_of_interest=values_of_interest,
            presentation=self._state,
        )

    def shuttered(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture whose parts outside the shutters are black (PS3.3 C.7.6.11)."""
        shapes = {str(shape).strip().upper() for shape in several(self._state, "ShutterShape")}
        rows, columns = picture.shape[:2]
        shown = np.ones((rows, columns), np.bool_)
        if "RECTANGULAR" in shapes:
            edges = [
                _side(self._state, f"Shutter{edge}Edge")
                for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
            ]
            left, right, top, bottom = edges
            inside = np.zeros_like(shown)
            inside[max(top, 0) : max(bottom - 1, 0), max(left, 0) : max(right - 1, 0)] = True
            shown &= inside
        if "CIRCULAR" in shapes:
            center = several(self._state, "CenterOfCircularShutter")
            radius = number(self._state, "RadiusOfCircularShutter")
            if len(center) == 2 and radius is not None:
                row, column = float(center[0]) - 1, float(center[1]) - 1
                y, x = np.ogrid[:rows, :columns]
                shown &= (y - row) ** 2 + (x - column) ** 2 <= radius**2
        if "POLYGONAL" in shapes:
            vertices = _numbers(self._state, "VerticesOfThePolygonalShutter")
            points = [(column - 1, row - 1) for row, column in _pairs(vertices)]
            if len(points) >= 3:
                shown &= _polygon(points, rows, columns)
        if "BITMAP" in shapes:
            group = number(self._state, "ShutterOverlayGroup")
            plane = None if group is None else overlays.plane_of(self._state, int(group))
            occluded = None if plane is None else plane.on(self._stored, self._frame)
            if occluded is None:
                raise NoPicture("ShutterOverlayGroup")
            shown &= ~occluded
        if shown.all():
            return picture
        shuttered = picture.copy()
        shuttered[~shown] = 0
        return shuttered

    def overlays(self) -> list[overlays.Plane]:
        """Return the overlay planes that it shows: of the image's own only those that it names."""
        return list(overlays.activated(self._state, self._stored.dataset))

    def annotate(self, picture: Image.Image) -> None:
        """Draw the graphic annotations of the frame (PS3.3 C.10.5)."""
        draw = ImageDraw.Draw(picture)
        ink = 255 if picture.mode == "L" else (255, 255, 0)
        width, height = picture.size
        left = _MOST_OBJECTS
        for annotation in self._of("GraphicAnnotationSequence"):
            for graphic in several(annotation, "GraphicObjectSequence"):
                left -= 1
                scale = _scale(graphic, "GraphicAnnotationUnits", width, height)
                points = _points(graphic, "GraphicData", scale)
                if left >= 0:
                    _draw_graphic(draw, graphic, points, ink)
            for text in several(annotation, "TextObjectSequence"):
                left -= 1
                if left >= 0:
                    _draw_text(draw, text, width, height, ink)

    def displayed_area(self) -> tuple[float, float, float, float] | None:
        """Return left, top, width and height of what is displayed (PS3.3 C.10.4), None if all is."""
        area = next(self._of("DisplayedAreaSelectionSequence"), None)
        top_left = _numbers(area, "DisplayedAreaTopLeftHandCorner")
        bottom_right = _numbers(area, "DisplayedAreaBottomRightHandCorner")
        if len(top_left) != 2 or len(bottom_right) != 2:
            return None
        left, top = top_left[0] - 1, top_left[1] - 1
        width, height = bottom_right[0] - left, bottom_right[1] - top
        if width < 1 or height < 1 or max(map(abs, (left, top, width, height))) > _SIDE:
            return None
        return left, top, width, height

    def turned(self, picture: Image.Image) -> Image.Image:
        """Return a picture rotated clockwise, then flipped (PS3.3 C.10.6)."""
        rotation = int(number(self._state, "ImageRotation") or 0) % 360
        turns = {
            90: Image.Transpose.ROTATE_270,
            180: Image.Transpose.ROTATE_180,
            270: Image.Transpose.ROTATE_90,
        }
        if rotation in turns:
            picture = picture.transpose(turns[rotation])
        if str(first(self._state, "ImageHorizontalFlip") or "N").strip().upper() == "Y":
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return picture

    def _of(self, keyword: str) -> Iterator[Dataset]:
        """Yield the items of a sequence that concern the frame: those that name no image concern all."""
        for item in several(self._state, keyword):
            images = several(item, "ReferencedImageSequence")
            if not images or any(self._is_named(image) for image in images):
                yield item

    def _is_named(self, image: Dataset) -> bool:
        if str(first(image, "ReferencedSOPInstanceUID") or "") != self._uid:
            return False
        frames = several(image, "ReferencedFrameNumber")
        return not frames or self._frame in {int(each) for each in frames}


def referenced(state: Dataset) -> set[str]:
    """Return the SOP Instance UIDs of the images that a presentation state is for."""
    return {
        str(first(image, "ReferencedSOPInstanceUID") or "")
        for series in several(state, "ReferencedSeriesSequence")
        for image in several(series, "ReferencedImageSequence")
    }


def _draw_graphic(draw: ImageDraw.ImageDraw, graphic: Dataset, points: Points, ink: Any) -> None:
    kind = str(first(graphic, "GraphicType") or "").strip().upper()
    is_filled = str(first(graphic, "GraphicFilled") or "N").strip().upper() == "Y"
    fill = ink if is_filled else None
    if kind == "POINT" and points:
        x, y = points[0]
        draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=ink)
    elif kind == "CIRCLE" and len(points) == 2:
        (x, y), (edge_x, edge_y) = points
        radius = min(float(np.hypot(edge_x - x, edge_y - y)), _SIDE)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=ink, fill=fill)
    elif kind == "ELLIPSE" and len(points) == 4:
        outline = _ellipse(points)
        draw.polygon(outline, outline=ink, fill=fill)
    elif kind in {"POLYLINE", "INTERPOLATED"} and len(points) >= 2:
        if is_filled and points[0] == points[-1] and len(points) > 3:
            draw.polygon(points, outline=ink, fill=ink)
        else:
            draw.line(points, fill=ink, width=1)


def _ellipse(points: Points) -> Points:
    """Return the outline of an ellipse by the ends of its axes (PS3.3 C.10.5.1.2)."""
    major_from, major_to, minor_from, minor_to = (np.array(point) for point in points)
    center = (major_from + major_to) / 2
    major, minor = (major_to - major_from) / 2, (minor_to - minor_from) / 2
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = center + np.outer(np.cos(angles), major) + np.outer(np.sin(angles), minor)
    return [(float(x), float(y)) for x, y in outline]


def _draw_text(draw: ImageDraw.ImageDraw, text: Dataset, width: int, height: int, ink: Any) -> None:
    written = str(first(text, "UnformattedTextValue") or "")[:_MOST_CHARS]
    anchor = _points(text, "AnchorPoint", _scale(text, "AnchorPointAnnotationUnits", width, height))
    box = _points(
        text,
        "BoundingBoxTopLeftHandCorner",
        _scale(text, "BoundingBoxAnnotationUnits", width, height),
    )
    for x, y in (box or anchor)[:1]:
        draw.text((x, y), written.replace("\r\n", "\n"), fill=ink)


def _scale(item: Dataset, keyword: str, width: int, height: int) -> tuple[float, float]:
    """Return what to multiply coordinates by; pixels are counted from 1, displayed relative ones from 0."""
    units = str(first(item, keyword) or "PIXEL").strip().upper()
    return (float(width), float(height)) if units == "DISPLAY" else (1.0, 1.0)


def _points(item: Dataset, keyword: str, scale: tuple[float, float]) -> Points:
    offset = 1.0 if scale == (1.0, 1.0) else 0.0
    limited = [
        min(max(value, -_SIDE), _SIDE) for value in _numbers(item, keyword)[: 2 * _MOST_POINTS]
    ]
    return [(x * scale[0] - offset, y * scale[1] - offset) for x, y in _pairs(limited)]


def _pairs(values: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(values[0::2], values[1::2], strict=False))


def _numbers(item: Dataset | None, keyword: str) -> list[float]:
    try:
        found = [float(value) for value in several(item, keyword)]
    except (TypeError, ValueError) as error:
        raise NoPicture(keyword) from error
    if not np.isfinite(found).all():
        raise NoPicture(keyword)
    return found


def _side(state: Dataset, keyword: str) -> int:
    value = number(state, keyword)
    if value is None:
        raise NoPicture(keyword)
    return int(min(max(value, -_SIDE), _SIDE))


def _polygon(points: Points, rows: int, columns: int) -> NDArray[np.bool_]:
    mask = Image.new("1", (columns, rows))
    clipped = [(min(max(x, -_SIDE), _SIDE), min(max(y, -_SIDE), _SIDE)) for x, y in points]
    ImageDraw.Draw(mask).polygon(clipped, fill=1)
    return np.asarray(mask, np.bool_)
