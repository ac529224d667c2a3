"""What is known of the people of a study, for jobs that may carry so much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.records import MOST_KNOWN, Known

if TYPE_CHECKING:
    from daemon.store.ports import Session
    from daemon.store.rows import Store


def known_of(session: Session, store: Store, study_uid: str, patient: str) -> Known:
    """Return all that is known of a study's people, or say that it is cut; then what is known of its patient.

    Some sites give many people one Patient ID: of what that patient's other studies tell there is as much as
    has room.
    """
    of = session.identifiers.known
    study = of(store, study_uid, "", MOST_KNOWN + 1)
    both = dict.fromkeys(study)
    if patient:
        both |= dict.fromkeys(of(store, study_uid, patient, MOST_KNOWN))
    return Known(tuple(both)[:MOST_KNOWN], is_cut=len(study) > MOST_KNOWN)
