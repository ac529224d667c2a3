"""What may stay: de-identification as a pure core.

No path, clock, network or log: a buffer, a plan and a key go in; segments and an outcome come out, or a
reason why this instance must not be passed on. Start reading at `deid.engine.deidentify`.
"""

from deid.encoding.instance import Header, read_header, read_items
from deid.encoding.segments import Segment, Span
from deid.engine import Deidentified, deidentify, shift_of
from deid.errors import ConfigurationInvalid, DeidError, KeyRefused, Reason, Unsafe
from deid.identity.identifiers import KnownIdentifier, read_identifiers
from deid.identity.keys import Replacements, SiteKey, patient_identity
from deid.outcome import Outcome
from deid.plan import Plan, compile_plan
from deid.ports import DrawnBox, Engines
from deid.tags.admission import has_study

__all__ = [
    "ConfigurationInvalid",
    "DeidError",
    "Deidentified",
    "DrawnBox",
    "Engines",
    "Header",
    "KeyRefused",
    "KnownIdentifier",
    "Outcome",
    "Plan",
    "Reason",
    "Replacements",
    "Segment",
    "SiteKey",
    "Span",
    "Unsafe",
    "compile_plan",
    "deidentify",
    "has_study",
    "patient_identity",
    "read_header",
    "read_identifiers",
    "read_items",
    "shift_of",
]
