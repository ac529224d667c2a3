"""FHIR resources, de-identified as the images they belong to: the same pseudonyms, shifts and UIDs.

Every element of R4 has a type, and each type and some paths have an action (``deid/tables/fhir_actions.csv``);
what has none does not pass. Start reading at `deid.fhir.deidentify`.
"""

from deid.fhir.context import Context
from deid.fhir.deidentify import Deidentified, deidentify, deidentify_document
from deid.fhir.entries import Entry, entries
from deid.fhir.known import known_identifiers
from deid.fhir.outcome import FhirOutcome
from deid.fhir.plan import FhirPlan
from deid.fhir.reading import (
    Document,
    Kind,
    looks_like_fhir,
    read,
    read_resource,
    write,
    write_resource,
)
from deid.fhir.streams import Streamed, deidentify_stream
from deid.fhir.ties import Issued, Ties, ties, ties_of

__all__ = [
    "Context",
    "Deidentified",
    "Document",
    "Entry",
    "FhirOutcome",
    "FhirPlan",
    "Issued",
    "Kind",
    "Streamed",
    "Ties",
    "deidentify",
    "deidentify_document",
    "deidentify_stream",
    "entries",
    "known_identifiers",
    "looks_like_fhir",
    "read",
    "read_resource",
    "ties",
    "ties_of",
    "write",
    "write_resource",
]
