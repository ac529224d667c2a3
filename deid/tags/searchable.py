"""What of a rewritten data set may hold text, for the last search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.encoding.header import each_top_level, tag_name
from deid.encoding.part10 import materialised
from deid.encoding.texts import read_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.encoding.segments import Segment, Span
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.residual import Forbidden
    from deid.tags.walk import Walk

_LARGE: Final = 1 << 20


def searchable(
    walk: Walk, dataset: list[Segment], encoding: Encoding, *, without: frozenset[int]
) -> list[bytes]:
    """Return what may hold text: all but samples, large binary values, and segments of those identities."""
    parts: list[bytes] = []
    for number, part in enumerate(dataset):
        if number in walk.samples.places or id(part) in without:
            continue
        if isinstance(part, bytes):
            parts.append(part)
        else:
            parts.extend(_readable(walk, part, encoding))
    return parts


def _readable(walk: Walk, span: Span, encoding: Encoding) -> Iterator[bytes]:
    """Yield the elements of a kept stretch that may hold text."""
    source, run = walk.given.source, span.start
    for tag, start, stop in each_top_level(source, span.start, encoding, 1 << 32, end=span.stop):
        word = encoding.header.unpack_from(source, start)[2]
        if stop - start > _LARGE and walk.given.plan.is_binary(tag, word, encoding):
            yield source[run:start]
            run = stop
    yield source[run : span.stop]


def without_samples(walk: Walk, dataset: list[Segment]) -> bytes:
    """Return a data set as bytes, but for Pixel Data's value."""
    return materialised(
        (part for number, part in enumerate(dataset) if number not in walk.samples.places),
        walk.given.source,
    )


def kept_texts(walk: Walk, dataset: list[Segment], encoding: Encoding) -> frozenset[str]:
    """Return the texts of a data set that was made, at every depth."""
    places = walk.samples.places
    # Samples are segments of their own, behind one that has no more than their tag, VR and length.
    parts = (dataset[: places.start - 1], dataset[places.stop :]) if places else (dataset,)
    return frozenset(
        text
        for part in parts
        for text in read_texts(materialised(part, walk.given.source), 0, encoding)
    )


def where_left(walk: Walk, dataset: list[Segment], encoding: Encoding, forbidden: Forbidden) -> str:
    """Return the attribute at the top level in which an identifier was left, or begins."""
    result = without_samples(walk, dataset)
    place, begin = "", 0
    for tag, start, stop in each_top_level(result, 0, encoding, 1 << 32):
        if forbidden.remains_in(result[start:stop]):
            return tag_name(tag)
        if place and forbidden.remains_in(result[begin:stop]):
            return place
        place, begin = tag_name(tag), start
    return place
