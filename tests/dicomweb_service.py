"""A DICOMweb service for tests: a real HTTP server over the real index and real files."""

from __future__ import annotations

import os
import socket
import tempfile
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom.data
from aiohttp import web

from config.settings import Http, Workers
from daemon.records import Origin, Receipt, Receiver, State, StoredInstance
from daemon.rendering.pictures import Pictures
from daemon.store.blobs import Move
from daemon.store.dicom import DicomStore
from daemon.store.files.blobs import FileBlobs
from daemon.store.rows import Role, Store, StoreKind
from daemon.store.sqlite.database import SqliteDatabase, create_or_migrate
from daemon.workers.limits import Limits
from dicomweb.describe import DescribeError, describe
from dicomweb.errors import InstanceRefused, StoreFull
from dicomweb.ports import Accepted
from dicomweb.service import application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from daemon.store.ports import Session

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
"""The files that the pydicom package brings."""

LIMITS = Limits.of(Workers())

_SOURCE = Store(1, "default", StoreKind.DICOM, "source", Role.SOURCE, "source")


class TestStore:
    """One store on disk, without the daemon round it. Also an upload sink that describes at once.

    Attributes
    ----------
    capacity_bytes
        What an instance may have before the store says that it is full.
    accepted
        How many uploads became durable.
    """

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        create_or_migrate(folder / "dicomveil.sqlite")
        self.database = SqliteDatabase(folder / "dicomveil.sqlite")
        (folder / "blobs").mkdir(mode=0o700)
        self.blobs = FileBlobs(folder / "blobs")
        self.index = DicomStore(_SOURCE, self.database, self.blobs)
        self.capacity_bytes = 1 << 40
        self.accepted = 0
        self.opened = 0
        self.ended = 0

    async def add(self, data: bytes) -> Accepted:
        """Store a file."""
        description = describe(data)
        name = uuid.uuid4().hex
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
            file.write(data)
        self.blobs.take([Move(Path(file.name), name)])
        digest = sha256(data).hexdigest()
        instance = StoredInstance(
            study_uid=description.study_uid,
            series_uid=description.series_uid,
            sop_instance_uid=description.sop_instance_uid,
            sop_class_uid=description.sop_class_uid,
            transfer_syntax_uid=description.transfer_syntax_uid,
            blob=name,
            size=len(data),
            digest=digest,
            dataset_digest=digest,
            number_of_frames=description.number_of_frames,
            metadata=description.metadata,
            study=description.study,
            series=description.series,
            instance=description.instance,
            keys=description.keys,
        )

        def apply(session: Session) -> None:
            found = session.instances.find(_SOURCE, instance.sop_instance_uid)
            if found is None:
                origin = Origin(Receiver.STOW)
                session.receipts.insert(Receipt(name, origin, 0.0, len(data), State.STORED))
                session.instances.add(_SOURCE, instance, blob=name, receipt_id=name)

        await self.database.write(apply)
        return Accepted(
            instance.study_uid,
            instance.series_uid,
            instance.sop_class_uid,
            instance.sop_instance_uid,
        )

    def open(self, peer: str) -> _Upload:
        """Start an upload."""
        assert peer
        self.opened += 1
        return _Upload(self)

    async def close(self) -> None:
        """Close the database."""
        await self.database.close()


class _Upload:
    def __init__(self, store: TestStore) -> None:
        self._store = store
        self._data = bytearray()
        self._is_open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._is_open
        if len(self._data) + len(data) > self._store.capacity_bytes:
            raise StoreFull("full")
        self._data += data

    async def finish(self) -> Accepted:
        try:
            accepted = await self._store.add(bytes(self._data))
        except DescribeError as error:
            raise InstanceRefused(0xC000) from error
        self._end()
        self._store.accepted += 1
        return accepted

    def abort(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._store.ended += 1


@asynccontextmanager
async def served(
    store: TestStore,
    *,
    settings: Http | None = None,
    writable: bool = True,
    learns_root: bool = False,
    send_timeout_s: float = 120.0,
    limits: Limits = LIMITS,
    imaging: Pictures | None = None,
) -> AsyncIterator[str]:
    """Serve a store at ``/dicomweb/source`` on a port chosen by the kernel; yields its address.

    Parameters
    ----------
    learns_root
        Whether the service is told its public root, as the operator would configure it.
    limits
        Of the process that draws and decodes.
    imaging
        What draws and decodes instead, and goes on when this ends: starting a process takes longer than most
        tests. It knows files by their paths, which are different in each test.
    """
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/dicomweb/source"
        chosen = settings or Http()
        drawing = imaging or await stack.enter_async_context(Pictures(limits))
        service = application(
            store.index,
            store if writable else None,
            settings=chosen,
            imaging=drawing,
            cors_origins=chosen.cors_origins.get("source", ()),
            public_root=url if learns_root else "",
            send_timeout_s=send_timeout_s,
        )
        root = web.Application()
        root.add_subapp("/dicomweb/source", service)
        runner = web.AppRunner(root, auto_decompress=False, lingering_time=0.2, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listening).start()
        yield url


def bundled(name: str) -> bytes:
    """Return a file of pydicom's."""
    return (BUNDLED / name).read_bytes()


def readable_bundled() -> list[Path]:
    """Return every Part 10 file that pydicom brings."""
    found = []
    for folder, _folders, names in os.walk(BUNDLED.parent):
        for name in sorted(names):
            path = Path(folder, name)
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM":
                    found.append(path)
    return sorted(found)
