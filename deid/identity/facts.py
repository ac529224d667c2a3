"""What the header says of an instance before it is rewritten: which it is, of what kind, and whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.character_sets import decode
from deid.encoding.header import text_of
from deid.identity.keys import patient_identity
from deid.identity.shifts import UNMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deid.encoding.header import Buffer, Element
    from deid.identity.keys import Replacements
    from deid.identity.shifts import Shift

FACTS: Final = frozenset(
    {
        0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00100010, 0x00100020, 0x00100021,
        0x0020000D, 0x0020000E, 0x00280010, 0x00280301, 0x00280303,
    }
)  # fmt: skip
"""The elements that `read_facts` reads."""
_DATES_GONE: Final = frozenset({"MODIFIED", "REMOVED"})
"""Values of (0028,0303) Longitudinal Temporal Information Modified."""


class Facts(NamedTuple):
    """Original values: never for logs."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    patient_name: str
    issuer: str
    charset: str
    modality: str
    burned_in: str
    image_type: str
    temporal: str
    has_pixels: bool


class Person(NamedTuple):
    """What replacement values of one instance depend on: its patient.

    `patient_id` and `issuer` are the originals at the top level; never for logs.
    """

    patient_id: str
    issuer: str
    pseudonym: str
    shift: Shift


def read_facts(data: Buffer, found: Mapping[int, Element]) -> Facts:
    """Return what the elements of `FACTS` say, which stand where `found` tells."""

    def text(tag: int) -> str:
        return text_of(data, found.get(tag)).decode("latin-1")

    charset = text(0x00080005)
    return Facts(
        text(0x00080016),
        text(0x00080018),
        text(0x0020000D),
        text(0x0020000E),
        decode(text_of(data, found.get(0x00100020)), charset),
        decode(text_of(data, found.get(0x00100010)), charset),
        decode(text_of(data, found.get(0x00100021)), charset),
        charset,
        text(0x00080060).upper(),
        text(0x00280301).upper(),
        text(0x00080008).upper(),
        text(0x00280303),
        0x00280010 in found,
    )


def person_of(
    facts: Facts,
    replacements: Replacements,
    patient: Callable[[str], tuple[str, Shift]],
    *,
    default_issuer: str,
) -> Person:
    """Return what stands for the patient.

    A pseudonym of ours stays, so that what was derived from de-identified instances stays with them. The
    dates of an instance that is itself ours and says so have been moved or removed already; those of a derived
    one have not, nor those of one that was de-identified with full dates.

    Parameters
    ----------
    patient
        Gives the pseudonym and shift of a patient's identity.
    default_issuer
        Of patient IDs, where the instance names none. Where the site does not say, issuers do not count at
        all: some instances of a study name theirs and some do not, and a study has one patient (PS3.3 A.1.2),
        whichever of them comes first.
    """
    issuer = (facts.issuer or default_issuer) if default_issuer else ""
    study_uid = facts.study_uid or facts.sop_instance_uid
    pseudonym, shift = patient(patient_identity(issuer, facts.patient_id, study_uid))
    given = facts.patient_id or facts.patient_name
    is_own = replacements.is_own_pseudonym(given)
    if is_own:
        pseudonym = given
    has_no_dates = facts.temporal in _DATES_GONE
    if (is_own or not given) and has_no_dates and replacements.is_own_uid(facts.sop_instance_uid):
        shift = UNMOVED
    return Person(facts.patient_id, issuer, pseudonym, shift)
