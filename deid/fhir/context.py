"""What is known from elsewhere when a resource is de-identified."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.identity.identifiers import KnownIdentifier
    from deid.text.crowd import Crowd


@dataclass(frozen=True, slots=True)
class Context:
    """What the drop, the study and the site know about a document's resources. Original values.

    Attributes
    ----------
    identities
        Whose resources are whose: an address (``Patient/17``, ``urn:uuid:...``, of a patient or of any
        other resource) to a patient's identity (`deid.identity.keys.patient_identity`), so that pseudonym
        and shift are those of the patient's instances. It goes before what the resources say themselves.
    identity
        The patient of resources that name none, such as a study's; empty where there is none.
    numbers
        The same by system and value of identifiers of patients.
    known
        Identifiers from instances and other resources: texts are cleaned of them, and none may be left.
    crowds
        Very many more; those that stand plainly in what would stay are known, too.
    """

    identities: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    known: tuple[KnownIdentifier, ...] = ()
    numbers: Mapping[tuple[str, str], str] = field(default_factory=dict)
    crowds: tuple[Crowd, ...] = ()


NOTHING_KNOWN = Context()
