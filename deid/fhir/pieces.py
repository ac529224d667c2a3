"""The resources of a document of any length, one by one, in little memory.

Everything is read as strictly as when it is read whole (`deid.fhir.reading`); what is wrong at the end of a
document is found when its other resources were yielded already, so what was made of them is to be thrown away.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final

from deid.errors import Reason, Unsafe
from deid.fhir.entries import Entry, entries
from deid.fhir.reading import Kind, is_ndjson, read_resource, utf_8
from deid.fhir.splitting import LARGEST, BundleParts, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.fhir.reading import Resource

SMALL: Final = 8 << 20
"""Documents up to here are taken whole."""
BATCH_HEAD: Final = b'{"resourceType":"Bundle","type":"batch","entry":['
BATCH_TAIL: Final = b"]}"
_BATCH: Final = 1 << 18
_HEAD: Final = 1 << 16
_LONGEST_LINE: Final = 16 << 20
_TYPE: Final = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def kind_of_large(source: IO[bytes]) -> Kind:
    """Return how resources stand in a document, going by its beginning.

    What does not begin with another type of resource counts as a Bundle, until it was read.

    Raises
    ------
    Unsafe
        CHARACTER_ENCODING: it is not in UTF-8. UTF-16 is taken up to `SMALL` only.
    """
    source.seek(0)
    line = source.readline(_LONGEST_LINE)
    if line[:2] in _UTF_16:
        raise Unsafe(Reason.CHARACTER_ENCODING)
    head = utf_8(line + source.read(_HEAD))
    if line.endswith(b"\n") and is_ndjson(head):
        return Kind.NDJSON
    named = _TYPE.search(head)
    return Kind.RESOURCE if named is not None and named[1] != b"Bundle" else Kind.BUNDLE


def whole(source: IO[bytes]) -> bytes:
    """Return a document of one resource, which may be as large as one in a Bundle.

    Raises
    ------
    Unsafe
        MALFORMED where it is larger.
    """
    source.seek(0)
    text = source.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise Unsafe(Reason.MALFORMED, "a resource")
    return utf_8(text)


def pieces(source: IO[bytes], kind: Kind) -> Iterator[Entry]:
    """Yield the resources of a large document, those of Bundles apart.

    Parameters
    ----------
    source
        It is read from its beginning, once.
    kind
        As `kind_of_large` says.

    Raises
    ------
    Unsafe
        As `deid.fhir.reading.read`, and MALFORMED where something that is no resource stands in one's place.
    """
    if kind is Kind.NDJSON:
        for number, line in enumerate(lines(source), 1):
            resource = read_resource(line, f"line {number}")
            refuse_odd(resource)
            yield from entries((resource,))
        return
    if kind is Kind.RESOURCE:
        resource = read_resource(whole(source))
        refuse_odd(resource)
        yield from entries((resource,))
        return
    parts = BundleParts(source)
    has_entries = False
    for batch in batches(parts.entries(), _BATCH):
        has_entries = True
        bundle = read_resource(as_bundle(batch))
        refuse_odd(bundle)
        yield from entries((bundle,))
    skeleton = skeleton_of(parts)
    if skeleton["resourceType"] != "Bundle" and not has_entries:
        yield Entry("", skeleton)
    elif skeleton["resourceType"] != "Bundle" or skeleton.get("entry") not in (None, []):
        raise Unsafe(Reason.MALFORMED, "Bundle.entry")


def skeleton_of(parts: BundleParts) -> Resource:
    """Return what stands in a Bundle beside its entries, after these were read."""
    return read_resource(parts.skeleton())


def as_bundle(batch: Iterable[bytes]) -> bytes:
    """Return a few entries as a Bundle of their own."""
    return BATCH_HEAD + b",".join(batch) + BATCH_TAIL


def batches(some: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Yield the same in their order, so many bytes or a little more at a time."""
    batch: list[bytes] = []
    gathered = 0
    for piece in some:
        batch.append(piece)
        gathered += len(piece)
        if gathered >= size:
            yield batch
            batch, gathered = [], 0
    if batch:
        yield batch


def refuse_odd(resource: Resource) -> None:
    """Refuse a Bundle in which something that is no resource stands where one has to: nobody would miss it."""
    if resource.get("resourceType") != "Bundle":
        return
    for each in entries_of(resource):
        inner = each.get("resource") if isinstance(each, dict) else each
        if isinstance(inner, dict):
            refuse_odd(inner)
        elif inner is not None or not isinstance(each, dict):
            raise Unsafe(Reason.MALFORMED, "Bundle.entry")


def entries_of(bundle: Resource) -> list[Any]:
    """Return what stands among a Bundle's entries."""
    given = bundle.get("entry", [])
    if not isinstance(given, list):
        raise Unsafe(Reason.MALFORMED, "Bundle.entry")
    return given
