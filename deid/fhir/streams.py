"""Large documents in little memory: NDJSON and Bundles are read twice, the second time in batches.

The first reading learns who the patients are and what is known of them; the second de-identifies a few
megabytes at a time, each batch as a small document of its own that knows what the first reading learnt.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import IO, TYPE_CHECKING, BinaryIO, Final

from deid.errors import Reason, Unsafe
from deid.fhir.context import NOTHING_KNOWN
from deid.fhir.deidentify import deidentify, deidentify_document
from deid.fhir.entries import Entry
from deid.fhir.known import known_identifiers
from deid.fhir.leaves import REMOVED
from deid.fhir.outcome import FhirOutcome
from deid.fhir.pieces import (
    BATCH_HEAD,
    BATCH_TAIL,
    SMALL,
    as_bundle,
    batches,
    kind_of_large,
    skeleton_of,
    whole,
)
from deid.fhir.reading import Document, Kind, collector_at_rest, read_resource
from deid.fhir.references import address_of
from deid.fhir.resources import kind_of
from deid.fhir.run import Run
from deid.fhir.splitting import BundleParts, lines
from deid.identity.identifiers import MOST_AT_ONCE, in_order
from deid.text.crowd import Crowd, Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deid.fhir.context import Context
    from deid.fhir.deidentify import Deidentified
    from deid.fhir.plan import FhirPlan
    from deid.fhir.reading import Resource
    from deid.identity.identifiers import KnownIdentifier

_BATCH: Final = 2 << 20
_PEOPLE: Final = re.compile(
    rb'"resourceType"\s*:\s*"(Patient|Practitioner|RelatedPerson|Person|Organization|Location)"'
)
_REFERENCE: Final = re.compile(rb'"reference"\s*:\s*"([^"\\]{1,300})"')


@dataclass(frozen=True, slots=True)
class Streamed:
    """What came of a document of any length; `pseudonyms` as `Deidentified` has them.

    Attributes
    ----------
    type, id
        Of a single resource or a Bundle, as it is now; empty for NDJSON. The id may be empty.
    """

    outcome: FhirOutcome
    pseudonyms: tuple[str, ...]
    type: str = ""
    id: str = ""


def deidentify_stream(
    source: IO[bytes],
    write: Callable[[bytes], object],
    plan: FhirPlan,
    context: Context = NOTHING_KNOWN,
    scratch: Callable[[], BinaryIO] = BytesIO,
) -> Streamed:
    """De-identify a document of any length: a resource, a Bundle or NDJSON.

    Parameters
    ----------
    source
        It is read twice from its beginning, so it can be sought in. UTF-16 is taken up to 8 MiB only.
    write
        Takes the new document piece by piece. What was written is to be thrown away where this raises.
    scratch
        Opens a file for what is known of very many people. Originals: nobody else must see it.

    Raises
    ------
    Unsafe
        As `deid.fhir.deidentify.deidentify`; what was written by then is no result.
    """
    source.seek(0)
    head = source.read(SMALL + 1)
    kind = None if len(head) <= SMALL else kind_of_large(source)
    if kind is Kind.RESOURCE:
        head = whole(source)
    if kind in {None, Kind.RESOURCE}:
        result = deidentify(head, plan, context)
        new = result.document
        if not new.resources:
            raise Unsafe(Reason.RESOURCE_NOT_LISTED)
        write(result.content)
        named = ("", "") if new.kind is Kind.NDJSON else _named(new.resources[0])
        return Streamed(result.outcome, result.pseudonyms, *named)
    del head
    passage = _Passage(plan, write)
    with scratch() as file:
        if kind is Kind.NDJSON:
            context = passage.learn(
                (Entry("", read_resource(line)) for line in _telling(lines(source))), context, file
            )
            passage.lines(lines(source), context)
        else:
            parts = BundleParts(source)
            context = passage.learn(map(_entry, _telling(parts.entries())), context, file)
            passage.bundle(BundleParts(source), context)
        return passage.result()


def _named(resource: Resource) -> tuple[str, str]:
    own = resource.get("id")
    return str(resource["resourceType"]), own if isinstance(own, str) else ""


def _telling(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces that tell of people and places."""
    return (piece for piece in pieces if _PEOPLE.search(piece) is not None)


def _entry(piece: bytes) -> Entry:
    bundle = read_resource(as_bundle([piece]))
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
    named: tuple[str, str] = ("", "")

    def learn(self, entries: Iterable[Entry], context: Context, file: BinaryIO) -> Context:
        """Return the context with what the people of a document tell; what is very much, in a file."""
        run = Run(self.plan, context, context.known)
        gathering: Gathering | None = None
        for entry in entries:
            with collector_at_rest():
                run.learn(entry)
                known = known_identifiers([entry.resource])
                if entry.resource.get("resourceType") == "Patient":
                    for address in entry.addresses():
                        self.by_patient[address] = known
                elif gathering is not None:
                    gathering.add(known)
                else:
                    self.others.update(known)
                    if len(self.others) > MOST_AT_ONCE:
                        gathering = Gathering(file)
                        gathering.add(sorted(self.others, key=in_order))
                        self.others.clear()
        run.conclude()
        if gathering is not None:
            gathering.finish()
            context = replace(context, crowds=(*context.crowds, Crowd.of_file(file)))
        return replace(context, identities=run.identities, identity=run.sole, numbers=run.numbers)

    def lines(self, pieces: Iterable[bytes], context: Context) -> None:
        """Write NDJSON, a batch at a time."""
        is_any_listed = False
        for batch in batches(pieces, _BATCH):
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
        for batch in batches(parts.entries(), _BATCH):
            document = Document(Kind.BUNDLE, (read_resource(as_bundle(batch)),))
            content = self._done(document, batch, context).content
            if content.startswith(BATCH_HEAD):
                waiting.append(content[len(BATCH_HEAD) : -len(BATCH_TAIL)])
            for each in waiting:
                self.write((b"," if written else b'{"entry":[') + each)
                written += 1
            waiting.clear()
        skeleton = skeleton_of(parts)
        if skeleton["resourceType"] != "Bundle" and not written:
            document = Document(Kind.RESOURCE, (skeleton,))
            made = self._done(document, [parts.skeleton()], context)
            self.named = _named(made.document.resources[0])
            self.write(made.content)
            return
        if skeleton.pop("entry", None) not in (None, []) or skeleton["resourceType"] != "Bundle":
            raise Unsafe(Reason.MALFORMED, "Bundle.entry")
        made = self._done(Document(Kind.BUNDLE, (skeleton,)), [], context)
        self.named = _named(made.document.resources[0])
        self.write((b"]," if written else b"{") + made.content[1:])

    def _done(self, document: Document, batch: list[bytes], context: Context) -> Deidentified:
        known = set(self.others)
        for piece in batch:
            for reference in set(_REFERENCE.findall(piece)):
                known.update(
                    self.by_patient.get(address_of(reference.decode("utf-8", "replace")), ())
                )
        known.difference_update(context.known)
        ordered = sorted(known, key=in_order)
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
        return Streamed(outcome, tuple(sorted(self.pseudonyms)), *self.named)
