"""De-identify a document: resources in, resources and an outcome out, or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from deid.errors import Reason, Unsafe
from deid.fhir.context import NOTHING_KNOWN
from deid.fhir.entries import Entry, entries
from deid.fhir.known import known_identifiers
from deid.fhir.nodes import node_for
from deid.fhir.outcome import FhirOutcome
from deid.fhir.reading import Document, collector_at_rest, read, write
from deid.fhir.resources import kind_of
from deid.fhir.run import Run
from deid.identity.identifiers import MOST_OF_ONE, KnownIdentifier
from deid.identity.residual import Forbidden
from deid.text.crowd import gathered, parted, those_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.fhir.context import Context
    from deid.fhir.plan import FhirPlan
    from deid.fhir.reading import Resource

_UTF_8 = "ISO_IR 192"
_OWN: Final = frozenset({"Patient", "Person", "RelatedPerson"})
"""Whose identifiers are searched for in disguise, too, in a document that has very many."""


@dataclass(frozen=True, slots=True)
class Deidentified:
    """The result.

    Attributes
    ----------
    content
        The new document's bytes, in the form that the source was in.
    outcome
        What was done.
    addresses
        For each resource that came out of its own accord, ``Type/id`` before and after, in the order of
        `deid.fhir.entries`; without those that have no id.
    pseudonyms
        The pseudonyms of the patients whose resources these are, sorted: names for folders and indexes.
    """

    content: bytes
    outcome: FhirOutcome
    addresses: tuple[tuple[str, str], ...]
    pseudonyms: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the new document's bytes."""
        return self.content

    @property
    def document(self) -> Document:
        """The new resources, read from the bytes."""
        return read(self.content)


def deidentify(source: bytes, plan: FhirPlan, context: Context = NOTHING_KNOWN) -> Deidentified:
    """De-identify a document's bytes: a resource, a Bundle or NDJSON.

    Raises
    ------
    Unsafe
        With the reason why this document must not be passed on: as `deid.fhir.reading.read`, and
        RESOURCE_NOT_LISTED, MALFORMED (`where` is the element's path) or RESIDUAL_IDENTIFIER.
    """
    with collector_at_rest():
        # What was made on the way is gone again before the collector looks at it.
        return deidentify_document(read(source), plan, context)


def deidentify_document(
    document: Document, plan: FhirPlan, context: Context = NOTHING_KNOWN
) -> Deidentified:
    """De-identify a document that was read; see `deidentify`."""
    if not any(kind_of(each) for each in document.resources):
        raise Unsafe(Reason.RESOURCE_NOT_LISTED)
    # Texts are cleaned of names that stand further on, too, so those are looked for first.
    ahead = known_identifiers(document.resources) if plan.cleans else ()
    listed = list(entries(document.resources))
    told = frozenset((each.value, each.info_type) for each in ahead)
    given, crowds = parted(context.known, MOST_OF_ONE)
    context = replace(context, known=given, crowds=(*context.crowds, *crowds))
    if len(ahead) > MOST_OF_ONE:
        own = known_identifiers(each.resource for each in listed if kind_of(each.resource) in _OWN)
        context = replace(context, crowds=(*context.crowds, gathered(ahead)))
        ahead = own if len(own) <= MOST_OF_ONE else ()
    known = (*context.known, *ahead)
    first, resources = walked_through(document, listed, plan, context, known, None)
    if more := those_in(context.crowds, first.open):
        context = replace(context, known=(*context.known, *more))
        known = (*known, *more)
        first, resources = walked_through(document, listed, plan, context, known, None)
    if len(first.met) > MOST_OF_ONE:
        crowd = gathered(KnownIdentifier(*each) for each in sorted(first.met - told))
        left = (*ahead, *those_in((*context.crowds, crowd), first.open))
        first.met = {(each.value, each.info_type) for each in left}
    forbidden = forbidden_in(first, context)
    if may_be_left(first, forbidden):
        second, resources = walked_through(document, listed, plan, context, known, forbidden)
        second.warnings |= first.warnings
    else:
        second = first
    outcome = FhirOutcome(
        plan.replacements.key.id,
        second.actions,
        tuple(dict.fromkeys(second.residuals)),
        tuple(sorted(second.warnings)),
    )
    return Deidentified(
        write(Document(document.kind, tuple(resources))),
        outcome,
        tuple(_addresses(listed, plan)),
        tuple(sorted(second.pseudonyms)),
    )


def walked_through(
    document: Document,
    listed: list[Entry],
    plan: FhirPlan,
    context: Context,
    known: tuple[KnownIdentifier, ...],
    forbidden: Forbidden | None,
) -> tuple[Run, list[Resource]]:
    """Return the passage through a document, and what came of its resources.

    Parameters
    ----------
    listed
        Its resources, those of Bundles apart.
    forbidden
        On the second passage, what may not be left.
    """
    run = Run(plan, context, known, forbidden)
    run.survey(listed)
    resources = []
    for resource in document.resources:
        kind = kind_of(resource)
        if not kind:
            run.actions["Resource", "removed"] += 1
            continue
        run.enter(Entry("", resource))
        new = node_for(kind, plan)(resource, run)
        if new is not None:
            resources.append(new)
    return run, resources


def forbidden_in(run: Run, context: Context) -> Forbidden:
    """Return what may not be left, but for what stands in replacements of ours."""
    originals = {*run.met, *((each.value, each.info_type) for each in context.known)}
    ours = b"\n".join(each.encode() for each in run.pseudonyms)
    return Forbidden(
        (value.encode("utf-8", "replace"), info_type, _UTF_8)
        for value, info_type in sorted(originals)
    ).without(ours)


def may_be_left(run: Run, forbidden: Forbidden) -> bool:
    """Whether something that identifies seems to stand in one of the strings that stayed."""
    texts = [text.encode("utf-8", "replace") for text in sorted(run.open)]
    return forbidden.may_occur_in(texts)


def _addresses(listed: Iterable[Entry], plan: FhirPlan) -> Iterable[tuple[str, str]]:
    for each in listed:
        kind, original = kind_of(each.resource), each.resource.get("id")
        if kind and isinstance(original, str) and original:
            yield f"{kind}/{original}", f"{kind}/{plan.resource_id(kind, original)}"
