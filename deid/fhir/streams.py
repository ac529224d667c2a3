"""Large documents in little memory: NDJSON and Bundles are read twice, the second time in batches.

The first reading learns who the patients are and what is known of them; the second de-identifies a few
megabytes at a time, each batch as a small document of its own that knows what the first reading learnt.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Final

from deid.errors import Reason, Unsafe
from deid.fhir.context import NOTHING_KNOWN
from deid.fhir.deidentify import deidentify, deidentify_document
from deid.fhir.entries import Entry
from deid.fhir.known import known_identifiers
from deid.fhir.leaves import REMOVED
from deid.fhir.outcome import FhirOutcome
from deid.fhir.reading import Document, Kind, collector_at_rest, is_ndjson, read_resource, utf_8
from deid.fhir.references import address_of
from deid.fhir.resources import kind_of
from deid.fhir.run import Run
from deid.fhir.splitting import BundleParts, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deid.fhir.context import Context
    from deid.fhir.deidentify import Deidentified
    from deid.fhir.plan import FhirPlan
    from deid.identity.identifiers import KnownIdentifier

SMALL: Final = 8 << 20
"""Documents up to here are taken whole."""
_BATCH: Final = 2 << 20
_HEAD: Final = 1 << 16
_LONGEST_LINE: Final = 16 << 20
_PEOPLE: Final = re.compile(
    rb'"resourceType"\s*:\s*"(Patient|Practitioner|RelatedPerson|Person|Organization|Location)"'
)
_REFERENCE: Final = re.compile(rb'"reference"\s*:\s*"([^"\\]{1,300})"')
_MOST_OTHERS: Final = 2_000
_BATCH_HEAD: Final = b'{"resourceType":"Bundle","type":"batch","entry":['


@dataclass(frozen=True, slots=True)
class Streamed:
    """What came of a document of any length; `pseudonyms` as `Deidentified` has them."""

    outcome: FhirOutcome
    pseudonyms: tuple[str, ...]


def deidentify_stream(
    source: IO[bytes],
    write: Callable[[bytes], object],
    plan: FhirPlan,
    context: Context = NOTHING_KNOWN,
) -> Streamed:
    """De-identify a document of any length: a resource, a Bundle or NDJSON.

    Parameters
    ----------
    source
        It is read twice from its beginning, so it can be sought in. UTF-16 is taken up to 8 MiB only.
    write
        Takes the new document piece by piece. What was written is to be thrown away where this raises.

    Raises
    ------
    Unsafe
        As `deid.fhir.deidentify.deidentify`; what was written by then is no result.
    """
    source.seek(0)
    head = source.read(SMALL + 1)
    if len(head) <= SMALL:
        result = deidentify(head, plan, context)
        write(result.content)
        return Streamed(result.outcome, result.pseudonyms)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unsafe(Reason.CHARACTER_ENCODING)
    utf_8(head[:_HEAD])
    del head
    is_lines = _begins_with_a_line(source)
    passage = _Passage(plan, write)
    if is_lines:
        context = passage.learn(
            (Entry("", read_resource(line)) for line in _telling(lines(source))), context
        )
        passage.lines(lines(source), context)
    else:
        parts = BundleParts(source)
        context = passage.learn(map(_entry, _telling(parts.entries())), context)
        passage.bundle(BundleParts(source), context)
    return passage.result()


def _begins_with_a_line(source: IO[bytes]) -> bool:
    source.seek(0)
    line = source.readline(_LONGEST_LINE)
    return line.endswith(b"\n") and is_ndjson(utf_8(line + source.read(_HEAD)))


def _telling(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces that tell of people and places."""
    return (piece for piece in pieces if _PEOPLE.search(piece) is not None)


def _entry(piece: bytes) -> Entry:
    bundle = read_resource(_BATCH_HEAD + piece + b"]}")
    entry = bundle["entry"][0]
    resource, full_url = entry.get("resource"), entry.get("fullUrl")
    return Entry(
        full_url if isinstance(full_url, str) else "",
        resource if isinstance(resource, dict) else {},
    )


@dataclass(slots=True)
class _Passage:
    """The passage through one document, and what it learnt and did."""

    plan: FhirPlan
    write: Callable[[bytes], object]
    by_patient: dict[str, tuple[KnownIdentifier, ...]] = field(default_factory=dict)
    others: set[KnownIdentifier] = field(default_factory=set)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    residuals: dict[str, None] = field(default_factory=dict)
    warnings: set[str] = field(default_factory=set)
    pseudonyms: set[str] = field(default_factory=set)

    def learn(self, entries: Iterable[Entry], context: Context) -> Context:
        """Return the context with what the people of a document tell."""
        run = Run(self.plan, context, context.known)
        for entry in entries:
            with collector_at_rest():
                run.learn(entry)
                known = known_identifiers([entry.resource])
                if entry.resource.get("resourceType") == "Patient":
                    for address in entry.addresses():
                        self.by_patient[address] = known
                elif len(self.others) < _MOST_OTHERS:
                    self.others.update(known)
        run.conclude()
        return replace(context, identities=run.identities, identity=run.sole, numbers=run.numbers)

    def lines(self, pieces: Iterable[bytes], context: Context) -> None:
        """Write NDJSON, a batch at a time."""
        is_any_listed = False
        for batch in _batches(pieces):
            resources = tuple(read_resource(line) for line in batch)
            if not any(map(kind_of, resources)):
                self.actions["Resource", REMOVED] += len(resources)
                continue
            is_any_listed = True
            self.write(self._done(Document(Kind.NDJSON, resources), batch, context).content)
        if not is_any_listed:
            raise Unsafe(Reason.RESOURCE_NOT_LISTED)

    def bundle(self, parts: BundleParts, context: Context) -> None:
        """Write a Bundle: what stands beside its entries first, then the entries, a batch at a time."""
        written = 0
        waiting: list[bytes] = []
        for batch in _batches(parts.entries()):
            document = Document(
                Kind.BUNDLE, (read_resource(_BATCH_HEAD + b",".join(batch) + b"]}"),)
            )
            content = self._done(document, batch, context).content
            if content.startswith(_BATCH_HEAD):
                waiting.append(content[len(_BATCH_HEAD) : -2])
            for each in waiting:
                self.write((b"," if written else b'{"entry":[') + each)
                written += 1
            waiting.clear()
        skeleton = read_resource(parts.skeleton())
        if skeleton["resourceType"] != "Bundle" and not written:
            document = Document(Kind.RESOURCE, (skeleton,))
            self.write(self._done(document, [parts.skeleton()], context).content)
            return
        if skeleton.pop("entry", None) not in (None, []) or skeleton["resourceType"] != "Bundle":
            raise Unsafe(Reason.MALFORMED, "Bundle.entry")
        rest = self._done(Document(Kind.BUNDLE, (skeleton,)), [], context).content
        self.write((b"]," if written else b"{") + rest[1:])

    def _done(self, document: Document, batch: list[bytes], context: Context) -> Deidentified:
        known = set(self.others)
        for piece in batch:
            for reference in set(_REFERENCE.findall(piece)):
                known.update(
                    self.by_patient.get(address_of(reference.decode("utf-8", "replace")), ())
                )
        known.difference_update(context.known)
        ordered = sorted(known, key=lambda each: (each.info_type, each.value))
        context = replace(context, known=(*context.known, *ordered))
        with collector_at_rest():
            result = deidentify_document(document, self.plan, context)
        self.actions.update(result.outcome.actions)
        self.residuals.update(dict.fromkeys(result.outcome.residuals))
        self.warnings.update(result.outcome.warnings)
        self.pseudonyms.update(result.pseudonyms)
        return result

    def result(self) -> Streamed:
        """Return what was done."""
        outcome = FhirOutcome(
            self.plan.replacements.key.id,
            self.actions,
            tuple(self.residuals),
            tuple(sorted(self.warnings)),
        )
        return Streamed(outcome, tuple(sorted(self.pseudonyms)))


def _batches(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
