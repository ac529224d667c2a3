"""What was posted, in files beside the database: the second witness of resources that came over the web.

Each request that changed the source has a file in the store's blobs: a Bundle of type ``history`` (FHIR R4
3.1.0.8.1) with the versions that came of it. It is written once they are committed, and before the client is
told. When the database is lost, or an older copy lies in its place, they are put back from there, the earliest
first; what was dropped is received again from its own file.
"""

from __future__ import annotations

import io
import uuid
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from daemon.fhir.representation import bundle, entry, etag, instant, resource
from daemon.pipeline.fhir_reading import read_resource
from daemon.resources import Content, Method
from daemon.store.blobs import Move
from daemon.store.files.folders import write_private
from daemon.store.sidecars import Sidecars
from deid.errors import Unsafe
from deid.fhir.decimals import marked_exactly
from deid.fhir.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from daemon.fhir.ports import Change, Changed
    from daemon.resources import ReadResource
    from daemon.store.blobs import Blobs
    from daemon.store.ports import Session
    from daemon.store.store_set import StoreSet

_STATED: Final = "https://dicomveil.invalid/stated"
"""Of the extension with what a version said of its own time (`ReadResource.stated_ms`)."""
_METHODS: Final = {Method.CREATE: "POST", Method.UPDATE: "PUT", Method.DELETE: "DELETE"}
_STATUSES: Final = {Method.CREATE: "201", Method.UPDATE: "200", Method.DELETE: "204"}
_HEAD_BYTES: Final = 400


class Posted:
    """Keeps files of what was posted.

    Parameters
    ----------
    work
        A folder of the same file system, emptied at each start.
    """

    def __init__(self, blobs: Blobs, work: Path) -> None:
        self._blobs = blobs
        self._work = work

    def keep(self, changes: Sequence[Change], done: Sequence[Changed]) -> None:
        """Write what became of a request, durably; blocks.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        entries = [
            _entry(change, changed)
            for change, changed in zip(changes, done, strict=True)
            if changed.version is not None and not changed.was_there
        ]
        if not entries:
            return
        latest = max(each.version.updated_ms for each in done if each.version is not None)
        head = b'{"resourceType":"Bundle","meta":{"lastUpdated":"%s"},' % instant(latest).encode()
        name = uuid.uuid4().hex
        file = self._work / f"{name}.posted"
        content = bundle("history", entries).removeprefix(b'{"resourceType":"Bundle",')
        write_private(file, io.BytesIO(head + content))
        self._blobs.take([Move(file, name)], flush=True)


def _entry(change: Change, changed: Changed) -> bytes:
    version = changed.version
    assert version is not None
    read = change.resource
    address = f"{version.type}/{version.id}"
    full_url = next((each for each in read.ties.addresses if each != address), "") if read else ""
    stated = [{"url": _STATED, "valueString": str(read.stated_ms)}] if read else []
    return entry(
        full_url,
        b"" if version.is_deleted else resource(version),
        request={"method": _METHODS[version.method], "url": address},
        response={
            "status": _STATUSES[version.method],
            "etag": etag(version),
            "lastModified": instant(version.updated_ms),
            **({"extension": stated} if stated else {}),
        },
    )


class _Version(NamedTuple):
    type: str
    id: str
    updated_ms: int
    method: Method
    read: ReadResource | None


def put_back(
    session: Session, stores: StoreSet, names: Iterable[str]
) -> Iterator[tuple[str, bool]]:
    """Put back what the files of these names tell and the rows do not, the earliest first.

    Yields each name of which something was put back, and of each file that cannot be read, with whether it
    could.
    """
    blobs = stores.blobs_of(stores.fhir_source)
    sidecars = Sidecars(stores)
    for _, name in sorted((_time_of(blobs, each), each) for each in names):
        try:
            with blobs.open(name) as file:
                versions = list(_versions(file.read()))
        except (Unsafe, KeyError, ValueError, TypeError, AttributeError):
            yield name, False
            continue
        with session.atomically():
            some = [_put_one(session, stores, sidecars, each) for each in versions]
        if any(some):
            yield name, True


def _put_one(session: Session, stores: StoreSet, sidecars: Sidecars, told: _Version) -> bool:
    store = stores.fhir_source
    latest = session.resources.get(store, told.type, told.id)
    if latest is not None and latest.updated_ms >= told.updated_ms:
        return False
    if told.read is not None:
        version = session.resources.add_version(
            store, told.id, told.read.content, method=told.method, now_ms=told.updated_ms
        )
        sidecars.put(session, told.read, version, told.updated_ms / 1000)
        return True
    if latest is None:
        # So that its dropped file, which is received again, does not bring it back.
        content = Content(told.type, b"", b"")
        session.resources.add_version(
            store, told.id, content, method=Method.CREATE, now_ms=told.updated_ms - 1
        )
    deleted = session.resources.delete(store, told.type, told.id, now_ms=told.updated_ms)
    if deleted is not None:
        sidecars.forget(session, deleted.number)
    return True


def _versions(content: bytes) -> Iterator[_Version]:
    methods = {word: method for method, word in _METHODS.items()}
    # Ours: what may not be written was refused before, and a Bundle nests resources deeper than they may be.
    for each in orjson.loads(marked_exactly(content))["entry"]:
        kind, _, resource_id = each["request"]["url"].partition("/")
        said = each["response"]
        method = methods[each["request"]["method"]]
        read = None
        if method is not Method.DELETE:
            found = read_resource(Entry(each.get("fullUrl", ""), each["resource"]), frozenset())
            read = replace(found, stated_ms=int(said["extension"][0]["valueString"]))
        yield _Version(kind, resource_id, _milliseconds(said["lastModified"]), method, read)


def _time_of(blobs: Blobs, name: str) -> str:
    """Return when a file's request was done, as it stands at its beginning; those without go first."""
    head = blobs.read(name, 0, _HEAD_BYTES)
    return head.partition(b'"lastUpdated":"')[2].partition(b'"')[0].decode("ascii", "replace")


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
