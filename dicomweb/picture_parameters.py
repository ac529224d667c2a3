"""What a request for a picture asks for, from its query parameters (PS3.18 8.3.5)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dicomweb.errors import BadRequest
from dicomweb.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_VIEWPORT: Final = 8192
"""Of a side, in pixels."""
THUMBNAIL: Final = (128, 128)
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,3})?"
)
_INTEGER: Final = re.compile(r"[0-9]{1,9}")
_FUNCTIONS: Final[Mapping[str, str]] = {
    "linear": "LINEAR",
    "linear-exact": "LINEAR_EXACT",
    "linear_exact": "LINEAR_EXACT",  # as VOI LUT Function (0028,1056) writes it
    "sigmoid": "SIGMOID",
}
_ANNOTATIONS: Final = frozenset({"patient", "technique"})
_PROFILES: Final = frozenset({"no", "yes", "srgb"})
_OVERLAYS: Final = frozenset({"yes", "no", "only"})
_OTHER_PROFILES: Final = frozenset({"adobergb", "rommrgb", "displayp3"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A picture without its frame and media type; and what was not done as asked."""

    picture: Picture
    warnings: tuple[str, ...] = ()

    def of(self, media_type: str, frame: int | None) -> Picture:
        """Return the picture of a frame, or of all of them."""
        return replace(self.picture, media_type=media_type, frame=frame)


def parse(parameters: Mapping[str, str], *, is_thumbnail: bool = False) -> Asked:
    """Understand the parameters of a rendered resource; those that are not of it are ignored.

    Raises
    ------
    BadRequest
        If the value of one of them is malformed.
    """
    viewport, region = _viewport(parameters.get("viewport"), is_thumbnail=is_thumbnail)
    overlays = parameters.get("overlays", "yes")
    if overlays not in _OVERLAYS:
        raise BadRequest("overlays is not yes, no or only")
    picture = Picture("", viewport=viewport, region=region, overlays=overlays)
    if is_thumbnail:
        return Asked(replace(picture, viewport=viewport or THUMBNAIL))
    annotations, warnings = _annotations(parameters.get("annotation"))
    return Asked(
        replace(
            picture,
            window=_window(parameters.get("window")),
            quality=_quality(parameters.get("quality")),
            icc=_profile(parameters.get("iccprofile")),
            annotations=annotations,
        ),
        warnings,
    )


def _viewport(
    value: str | None, *, is_thumbnail: bool
) -> tuple[tuple[int, int] | None, tuple[float, float, float, float] | None]:
    """Return the size and the region of ``vw,vh[,sx,sy,sw,sh]``, of which the last may be left empty."""
    if value is None:
        return None, None
    parts = [part.strip() for part in value.split(",")]
    if len(parts) != 2 and (is_thumbnail or len(parts) != 6):
        raise BadRequest("viewport is not vw,vh or vw,vh,sx,sy,sw,sh")
    width, height = (side(part, "viewport") for part in parts[:2])
    if len(parts) == 2:
        return (width, height), None
    left, top, across, down = (0.0 if not part else _finite(part, "viewport") for part in parts[2:])
    if left < 0 or top < 0:
        raise BadRequest("sx and sy of viewport are not negative")
    if (parts[4] and not across) or (parts[5] and not down):
        raise BadRequest("sw and sh of viewport are not zero")
    return (width, height), (left, top, across, down)


def side(text: str, name: str) -> int:
    """Return one side of a picture in pixels."""
    if not _INTEGER.fullmatch(text) or not 1 <= int(text) <= MAX_VIEWPORT:
        raise BadRequest(f"a side of {name} is not an integer from 1 to {MAX_VIEWPORT}")
    return int(text)


def _window(value: str | None) -> tuple[float, float, str] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if len(parts) != 3 or parts[2].lower() not in _FUNCTIONS:
        raise BadRequest("window is not center,width,function with linear, linear-exact or sigmoid")
    return window(parts[0], parts[1], _FUNCTIONS[parts[2].lower()])


def window(center: str, width: str, function: str = "LINEAR") -> tuple[float, float, str]:
    """Return a window whose width is one that the function has (PS3.3 C.11.2.1.2)."""
    found = (_finite(center, "the window's center"), _finite(width, "the window's width"), function)
    if found[1] <= 0 or (function == "LINEAR" and found[1] < 1):
        raise BadRequest("the window's width is at least 1, or above 0 where it is not linear")
    return found


def _finite(text: str, name: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise BadRequest(f"{name} is not a number")
    return float(text)


def _quality(value: str | None) -> int:
    if value is None:
        return Picture("").quality
    return quality(value)


def quality(value: str) -> int:
    """Return what a JPEG picture is encoded with."""
    if not _INTEGER.fullmatch(value) or not 1 <= int(value) <= 100:
        raise BadRequest("quality is not an integer from 1 to 100")
    return int(value)


def _profile(value: str | None) -> str:
    if value is None:
        return "no"
    if value in _OTHER_PROFILES:
        raise BadRequest("iccprofile can be no, yes or srgb here")
    if value not in _PROFILES:
        raise BadRequest("iccprofile is not no, yes, srgb, adobergb, rommrgb or displayp3")
    return value


def _annotations(value: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if value is None:
        return (), ()
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise BadRequest("annotation is not a list of patient and technique")
    known = tuple(dict.fromkeys(part for part in parts if part in _ANNOTATIONS))
    if len(known) == len(set(parts)):
        return known, ()
    return known, ("Of the values of annotation, only patient and technique are supported",)
