"""What pixel cleaning asks of a text detector, and of a judge of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.identity.identifiers import KnownIdentifier
    from deid.pixels.geometry import Box


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame as a detector sees it, in two views of the same size.

    Attributes
    ----------
    display
        8 bits, shape (rows, columns, 3), RGB: what a viewer shows first.
    contrast
        8 bits, shape (rows, columns): stored values by local contrast, so that text outside the
        window, or faint, is seen too. None where `display` shows everything.
    of_pixels
        How many pixels the frame has whose parts this picture shows; 0 when it shows one frame whole.
    parts
        Where on the picture those parts are; what lies between them shows nothing.
    """

    display: NDArray[Any]
    contrast: NDArray[Any] | None
    of_pixels: int = 0
    parts: Sequence[Box] = ()

    @property
    def frame_pixels(self) -> int:
        """How many pixels a frame has: what is filled is a share of that."""
        rows, columns = self.display.shape[:2]
        return self.of_pixels or rows * columns


@dataclass(frozen=True, slots=True)
class TextRegion:
    """A place where a detector found text.

    Attributes
    ----------
    box
        Upright, around the text.
    confidence
        Of the finding, 0 to 1.
    text, legibility
        What it reads, and how sure the reading is, 0 to 1; an empty text with legibility 0 when it
        cannot be read. The text never leaves `deid.pixels`, nor shows in `repr`.
    outline
        Corners as (column, row), in order around, of a text that lies slanted in its box; else empty.
    others
        What it reads when looked at in other ways, and how sure those readings are.
    is_code
        Whether it is a bar code or the like, which no one reads and which tells who it is all the same.
    """

    box: Box
    confidence: float
    text: str = field(default="", repr=False)
    legibility: float = 0.0
    others: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    outline: tuple[tuple[float, float], ...] = ()
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class FoundRegion:
    """A text region and the frame it was found in, counted from 0."""

    frame: int
    region: TextRegion


class Model(Protocol):
    """A neural network ready to run, whatever the runtime; the same numbers give the same answer."""

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the output for one input, 32-bit floats; shapes are the model's own."""


class TextDetector(Protocol):
    """Finds text in pictures. Implementations keep no picture."""

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the regions of each picture, in any order; boxes may overlap.

        Without `needs_reading` a region's text may be left empty where it was not needed to find it.

        Raises any exception when a picture could not be examined; the caller then refuses the
        instance.
        """


#: Says which infoType a text shows, or None. The second argument is what is known of the person.
TextJudge = Callable[[str, "Sequence[KnownIdentifier]"], str | None]
