"""Pixel Data on its way out: cleaned, scrubbed or as it is; never looked at here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from deid.encoding.segments import Segment, Span
from deid.encoding.transfer_syntaxes import UNDEFINED_LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.encoding.header import Buffer
    from deid.encoding.transfer_syntaxes import Encoding


class Scrubbed(NamedTuple):
    """A value without what hid in it.

    Attributes
    ----------
    segments
        The new value; None when it stays as it is.
    opaque
        What stays of the source although nothing says what it is: anything may stand there.
    """

    segments: list[Segment] | None
    opaque: tuple[Span, ...] = ()


Scrub = Callable[[int, int, bool], Scrubbed]
"""Takes away what hides beside the samples: called with start and end of Pixel Data's value field, and whether
it is encapsulated."""


class Samples:
    """The Pixel Data of one pass.

    Parameters
    ----------
    source
        The buffer that holds the data set.
    pixels
        The new value field, when it was cleaned.
    scrub
        What looks beside the samples otherwise.

    Attributes
    ----------
    seen
        Whether it went out.
    places
        Which segments of the data set it is: they are not text.
    opaque
        What nobody could account for in it.
    """

    def __init__(
        self, source: Buffer, pixels: Sequence[Segment] | None, scrub: Scrub | None
    ) -> None:
        self._source = source
        self._pixels = pixels
        self._scrub = scrub
        self.seen = False
        self.places = range(0)
        self.opaque: tuple[Span, ...] = ()

    def put(self, pos: int, value: int, after: int, encoding: Encoding, out: list[Segment]) -> None:
        """Put out Pixel Data, cleaned or as it is; encapsulated when the source's was.

        Parameters
        ----------
        pos, value, after
            Where the element begins, where its value does, and where that ends.
        """
        self.seen = True
        length = encoding.long.unpack_from(self._source, value - 4)[0]
        undefined = length == UNDEFINED_LENGTH
        pixels = self._pixels
        if pixels is None and self._scrub is not None:
            scrubbed = self._scrub(value, after, undefined)
            pixels = scrubbed.segments
            self.opaque = scrubbed.opaque
        if pixels is None:
            pixels = [Span(value, after)]
        elif undefined:
            pixels = [*pixels, encoding.item_header(0xE0DD, 0)]
        size = sum(
            len(part) if isinstance(part, bytes) else part.stop - part.start for part in pixels
        )
        if size & 1:
            pixels = [*pixels, b"\x00"]
        written = UNDEFINED_LENGTH if undefined else size + (size & 1)
        long_form = value - pos == 12 or not encoding.explicit
        pack = encoding.long.pack if long_form else encoding.short.pack
        out.append(self._source[pos : value - (4 if long_form else 2)] + pack(written))
        self.places = range(len(out), len(out) + len(pixels))
        out.extend(pixels)
