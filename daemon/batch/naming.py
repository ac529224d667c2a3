"""Names in the output folder: made of replacement identifiers, and safe on any file system.

Names that differ in case only would be one where case does not count (Windows, macOS, a memory stick), so a
name with small letters is told apart by a digest of itself. Pseudonyms and UIDs have none.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_SAFE = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|(?:COM|LPT)[0-9])(?:\..*)?", re.IGNORECASE)
RESOURCES: Final = "fhir"
"""The folder of FHIR resources, below their patient's."""
WITHOUT_PATIENT: Final = "without-patient"
"""The folder of resources that tell of no patient, or of several."""
_OURS = frozenset({"without-study", WITHOUT_PATIENT})
_RESOURCE_NAME = re.compile(r"([A-Za-z]{1,64})-(.+)\.(json|ndjson)")


def safe_component(identifier: str) -> str:
    """Return a replacement identifier as one name in a path.

    Pseudonyms and UIDs are safe as they are. Anything else (a configuration may keep or copy
    values) becomes a digest of itself, or carries one, so that no identifier can climb out, hide or
    collide by being cut or folded.
    """
    if identifier in _OURS:
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
    if not _SAFE.fullmatch(identifier) or _DEVICES.fullmatch(identifier):
        return f"x-{digest[:32]}"
    if identifier != identifier.upper():
        return f"{identifier}-{digest[:8]}"
    return identifier


def safe_resource_name(name: str) -> str:
    """Return the name of a file of resources, ``Type-id.json``, as one name in a path."""
    found = _RESOURCE_NAME.fullmatch(name)
    if found is None:
        return safe_component(name)
    kind, resource_id, suffix = found.groups()
    return f"{kind}-{safe_component(resource_id)}.{suffix}"
