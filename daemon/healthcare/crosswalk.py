"""What stands for what between a DICOM store and the one that it was de-identified into.

Rows as ``dicomveil deid --crosswalk`` writes them. Original identifiers: for a file of the identified side,
never for an answer of the API or a log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daemon.batch.tracing import traced
from daemon.healthcare.work import is_wanted
from daemon.workers.mapping import mapped
from deid.errors import Unsafe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import deid
    from daemon.store.blobs import Blobs
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance, Store

_PAGE: Final = 200


def rows(
    session: Session,
    source: tuple[Store, Blobs],
    destination: tuple[Store, Blobs],
    plan: deid.Plan,
    only: Collection[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Give a row for each instance of the source that has a result in the destination.

    Parameters
    ----------
    session
        Of a state folder, whether a service runs on it or not.
    source, destination
        With where they keep their files.
    plan
        What de-identified: its key says under which UID the result of an instance is.
    only
        Paths of what is wanted; None is everything.
    """
    last, number = 0, 0
    while page := session.instances.page(source[0], last, _PAGE):
        last = page[-1].id
        for each in page:
            if only is not None and not is_wanted(each, only):
                continue
            result = _result(session, destination[0], each, plan)
            told = None if result is None else _told(source[1], each, destination[1], result, plan)
            if result is not None and told is not None:
                number += 1
                yield {"number": number, "input": _path(each), "output": _path(result), **told}


def _result(
    session: Session, destination: Store, original: IndexedInstance, plan: deid.Plan
) -> IndexedInstance | None:
    """Return what stands for an instance; UIDs that a configuration keeps are looked for as they are."""
    uid = original.sop_instance_uid
    for replacement_uid in (plan.tags.replacements.uid(uid), uid):
        found = session.instances.find(destination, replacement_uid)
        if found is not None and found.deidentifier:
            return found
    return None


def _told(
    of_originals: Blobs,
    original: IndexedInstance,
    of_results: Blobs,
    result: IndexedInstance,
    plan: deid.Plan,
) -> dict[str, Any] | None:
    """Return identifiers before and after; None when one of the files went away meanwhile."""
    try:
        with (
            of_originals.open(original.blob) as before,
            of_results.open(result.blob) as after,
            mapped(before.fileno()) as source,
            mapped(after.fileno()) as made,
        ):
            return traced(source, made, plan)
    except (FileNotFoundError, Unsafe):
        return None


def _path(instance: IndexedInstance) -> str:
    return (
        f"studies/{instance.study_uid}/series/{instance.series_uid}"
        f"/instances/{instance.sop_instance_uid}"
    )
