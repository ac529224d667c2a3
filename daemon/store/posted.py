"""What was posted, in files beside the database: the second witness of resources that came over the web.

Each request that changed the source, or a store that somebody made, has a file in that store's blobs: a Bundle
of type ``history`` (FHIR R4 3.1.0.8.1) with the versions that came of it. It is written once they are
committed, and before the client is told. When the database is lost, or an older copy lies in its place, they
are put back from there, the earliest first; what was dropped is received again from its own file.

A file of which each version is out of date by what later files tell is not needed for that. It goes after some
days (`prune`), so that what was deleted does not stay for ever.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from daemon.fhir.representation import bundle, entry, etag, instant, resource
from daemon.pipeline.fhir_reading import read_resource
from daemon.resources import Content, Method, ResourceVersion
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
    from daemon.store.rows import Store
    from daemon.store.store_set import StoreSet

_STATED: Final = "https://dicomveil.invalid/stated"
"""Of the extension with what a version said of its own time (`ReadResource.stated_ms`)."""
_METHODS: Final = {Method.CREATE: "POST", Method.UPDATE: "PUT", Method.DELETE: "DELETE"}
_STATUSES: Final = {Method.CREATE: "201", Method.UPDATE: "200", Method.DELETE: "204"}
_HEAD_BYTES: Final = 400
_SHORT: Final = 12


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
        self._write(entries, latest)

    def keep_imported(self, resources: Sequence[ReadResource], now_ms: int) -> None:
        """Write what is about to be stored under its own ids, durably; blocks.

        Before it is stored: who imports does it again when it is killed between.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        if resources:
            self._write([_imported(each, now_ms) for each in resources], now_ms)

    def _write(self, entries: Sequence[bytes], latest: int) -> None:
        head = b'{"resourceType":"Bundle","meta":{"lastUpdated":"%s"},' % instant(latest).encode()
        name = uuid.uuid4().hex
        file = self._work / f"{name}.posted"
        content = bundle("history", entries).removeprefix(b'{"resourceType":"Bundle",')
        write_private(file, io.BytesIO(head + content))
        self._blobs.take([Move(file, name)], flush=True)


def _entry(change: Change, changed: Changed) -> bytes:
    version = changed.version
    assert version is not None
    return _told(version, change.resource)


def _imported(read: ReadResource, now_ms: int) -> bytes:
    content = read.content
    version = ResourceVersion(
        0, content.type, read.id, 1, now_ms, Method.UPDATE, content.meta, content.rest
    )
    return _told(version, read)


def _told(version: ResourceVersion, read: ReadResource | None) -> bytes:
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
    session: Session, stores: StoreSet, store: Store, names: Iterable[str]
) -> Iterator[tuple[str, bool]]:
    """Put back what a store's files of these names tell and the rows do not, the earliest first.

    Yields each name of which something was put back, and of each file that cannot be read, with whether it
    could.
    """
    blobs = stores.blobs_of(store)
    # What a store holds that somebody made is nobody's sidecar.
    sidecars = Sidecars(stores) if store == stores.fhir_source else None
    for _, name in sorted((_time_of(blobs, each), each) for each in names):
        try:
            with blobs.open(name) as file:
                versions = list(_versions(file.read()))
        except (Unsafe, KeyError, ValueError, TypeError, AttributeError):
            yield name, False
            continue
        with session.atomically():
            some = [_put_one(session, store, sidecars, each) for each in versions]
        if any(some):
            yield name, True


def prune(blobs: Blobs, before_ms: int) -> int:
    """Remove files that are not needed any more; return how many. Blocks, and may be killed at any moment.

    Only files are believed: a version of which the rows alone tell is no witness. What deletes a resource stays
    as long as nothing makes it anew, lest its dropped file brings it back.

    Parameters
    ----------
    before_ms
        Milliseconds since 1970: files of requests that were done since stay.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    removed = 0
    told_later: set[bytes] = set()
    dated = sorted(((_time_of(blobs, each), each) for each in blobs.names()), reverse=True)
    for moment, some in groupby(dated, key=itemgetter(0)):
        if not moment:
            continue
        is_old = _milliseconds(moment) < before_ms
        told_now: set[bytes] = set()
        for _, name in some:
            try:
                with blobs.open(name) as file:
                    addresses = _addresses(file.read())
            except (KeyError, ValueError, TypeError, AttributeError, FileNotFoundError):
                continue  # it is told of when something is put back
            if is_old and addresses <= told_later:
                blobs.remove([name])
                removed += 1
            told_now |= addresses
        told_later |= told_now
    return removed


def _addresses(content: bytes) -> set[bytes]:
    """Return what resources a file tells of, shortened: there may be millions."""
    entries = orjson.loads(content)["entry"]
    return {
        hashlib.blake2b(each["request"]["url"].encode(), digest_size=_SHORT).digest()
        for each in entries
    }


def _put_one(session: Session, store: Store, sidecars: Sidecars | None, told: _Version) -> bool:
    latest = session.resources.get(store, told.type, told.id)
    if latest is not None and latest.updated_ms >= told.updated_ms:
        return False
    if told.read is not None:
        version = session.resources.add_version(
            store, told.id, told.read.content, method=told.method, now_ms=told.updated_ms
        )
        if sidecars is not None:
            sidecars.put(session, told.read, version, told.updated_ms / 1000)
        return True
    if latest is None:
        # So that its dropped file, which is received again, does not bring it back.
        content = Content(told.type, b"", b"")
        session.resources.add_version(
            store, told.id, content, method=Method.CREATE, now_ms=told.updated_ms - 1
        )
    deleted = session.resources.delete(store, told.type, told.id, now_ms=told.updated_ms)
    if deleted is not None and sidecars is not None:
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
