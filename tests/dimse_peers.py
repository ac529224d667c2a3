"""The other side of an association: PDUs written by hand, sent by hand, read by hand."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from config.settings import Dimse
from daemon.receive.dimse.server import DimseServer
from daemon.store.spool import FileSpool
from daemon.store.sqlite.database import SqliteDatabase, create_or_migrate
from tests.sections import make_spool_limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
INSTANCE = "1.2.826.0.1.3680043.8.498.1"
DEADLINE_S = 120.0

RELEASE_RQ = bytes.fromhex("0500000000040000 0000".replace(" ", ""))
RELEASE_RP = bytes.fromhex("06000000000400000000")
ABORT_BY_USER = bytes.fromhex("07000000000400000000")

Context = tuple[int, str, list[str]]


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Encode a data element in Explicit VR Little Endian."""
    value += (b"\0" if vr in {b"UI", b"OB"} else b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    size = struct.pack("<xxI" if vr in {b"OB", b"OW", b"SQ"} else "<H", len(value))
    return head + size + value


def data_set(
    size: int = 0, *, sop_class: str = CT, sop_instance: str = INSTANCE, name: str = ""
) -> bytes:
    """Return a data set with an address, so large at least, in Explicit VR Little Endian."""
    encoded = element(0x00080016, b"UI", sop_class.encode())
    encoded += element(0x00080018, b"UI", sop_instance.encode())
    encoded += element(0x00100010, b"PN", name.encode())
    encoded += element(0x0020000D, b"UI", b"1.2.3") + element(0x0020000E, b"UI", b"1.2.3.4")
    filling = max(0, size - len(encoded) - 12)
    return encoded + element(0x7FE00010, b"OB", bytes(range(256)) * (filling // 256 + 1))


DATA = data_set()


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def context_item(context: Context) -> bytes:
    number, abstract_syntax, transfer_syntaxes = context
    content = struct.pack(">B3x", number) + item(0x30, abstract_syntax.encode())
    for uid in transfer_syntaxes:
        content += item(0x40, uid.encode())
    return item(0x20, content)


def associate_rq(
    *contexts: Context,
    called: bytes = b"DICOMVEIL       ",
    calling: bytes = b"MODALITY        ",
    application_context: str = "1.2.840.10008.3.1.1.1",
    protocol_version: int = 1,
    max_length: int = 16384,
    user_items: bytes = b"",
    more_items: bytes = b"",
) -> bytes:
    """Encode an A-ASSOCIATE-RQ (PS3.8 Table 9-11), proposing CT if no context is given."""
    contexts = contexts or ((1, CT, [EXPLICIT, IMPLICIT]),)
    items = item(0x10, application_context.encode())
    for context in contexts:
        items += context_item(context)
    items += more_items
    items += item(
        0x50,
        item(0x51, struct.pack(">I", max_length)) + item(0x52, b"1.2.3.4") + user_items,
    )
    fixed = struct.pack(">H2x16s16s32s", protocol_version, called, calling, bytes(range(32)))
    return struct.pack(">BxI", 1, len(fixed) + len(items)) + fixed + items


def command_set(**elements: object) -> bytes:
    """Encode a command set as pydicom does (PS3.7 6.3.1), group length included."""
    dataset = Dataset()
    with disable_value_validation():
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset.CommandGroupLength = len(_encode(dataset))
        return _encode(dataset)


def _encode(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def store_command(**changes: object) -> bytes:
    elements: dict[str, object] = {
        "AffectedSOPClassUID": CT,
        "CommandField": 0x0001,
        "MessageID": 7,
        "Priority": 0,
        "CommandDataSetType": 0x0001,
        "AffectedSOPInstanceUID": INSTANCE,
        **changes,
    }
    return command_set(**{key: value for key, value in elements.items() if value is not None})


def echo_command(message_id: int = 3) -> bytes:
    return command_set(
        AffectedSOPClassUID=VERIFICATION,
        CommandField=0x0030,
        MessageID=message_id,
        CommandDataSetType=0x0101,
    )


def pdv(content: bytes, *, context: int = 1, command: bool = False, last: bool = True) -> bytes:
    return struct.pack(">IBB", len(content) + 2, context, command | last << 1) + content


def p_data(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return struct.pack(">BxI", 4, len(body)) + body


def message(command: bytes, data: bytes = b"", *, context: int = 1, fragment: int = 16000) -> bytes:
    """Encode a message, its data set in fragments of one PDU each."""
    pdus = p_data(pdv(command, context=context, command=True))
    for start in range(0, len(data), fragment):
        part = data[start : start + fragment]
        is_last = start + fragment >= len(data)
        pdus += p_data(pdv(part, context=context, last=is_last))
    return pdus


def split_pdus(received: bytes) -> list[bytes]:
    pdus = []
    while received:
        end = 6 + struct.unpack_from(">I", received, 2)[0]
        pdus.append(received[:end])
        received = received[end:]
    return pdus


def response(pdu: bytes) -> Dataset:
    """Return the command set of a P-DATA-TF that holds a whole one."""
    assert pdu[0] == 4
    assert pdu[11] == 3
    return read_dataset(BytesIO(pdu[12:]), is_implicit_VR=True, is_little_endian=True)


@dataclass
class Counted:
    """Counters, as the service's metrics keep them."""

    accepted: int = 0
    rejected: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def association_accepted(self) -> None:
        self.accepted += 1

    def association_rejected(self, reason: str) -> None:
        self.rejected.append(reason)

    def association_aborted(self, reason: str) -> None:
        self.aborted.append(reason)

    def instance_received(self, size: int) -> None:
        self.received.append(size)

    def instance_refused(self, reason: str) -> None:
        self.refused.append(reason)


@asynccontextmanager
async def file_spool(folder: Path, **limits: int) -> AsyncIterator[FileSpool]:
    """Open the real spool."""
    create_or_migrate(folder / "dicomveil.sqlite")
    database = SqliteDatabase(folder / "dicomveil.sqlite")
    spool = FileSpool(
        folder / "spool", database, make_spool_limits(**{"min_free_bytes": 0, **limits})
    )
    await spool.start()
    try:
        yield spool
    finally:
        await database.close()
        spool.close()


def spooled(spool: FileSpool) -> list[Path]:
    """Return the instances that were made durable, oldest first."""
    paths = [path for path in spool.folder.iterdir() if not path.name.endswith(".part")]
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns)


def partial(spool: FileSpool) -> list[Path]:
    """Return what is being received."""
    return [path for path in spool.folder.iterdir() if path.name.endswith(".part")]


def data_set_of(content: bytes) -> bytes:
    """Return what follows the file meta information."""
    assert content[128:132] == b"DICM"
    return content[144 + struct.unpack_from("<I", content, 140)[0] :]


@dataclass
class Running:
    """A server, its spool and what it counted."""

    server: DimseServer
    spool: FileSpool
    counted: Counted

    @property
    def port(self) -> int:
        return self.server.port


@asynccontextmanager
async def running_server(
    folder: Path,
    limits: dict[str, int] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Run the receiver on a port of the kernel's choice."""
    async with file_spool(folder, **(limits or {})) as spool:
        counted = Counted()
        server = DimseServer(Dimse(**{"port": 0, **settings}), spool, counted, tls=tls)
        await server.start()
        try:
            yield Running(server, spool, counted)
        finally:
            await server.stop(drain_s=0)


class Wire:
    """A TCP connection on which whole PDUs are read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1") -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0)))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read_pdu(self) -> bytes:
        """Return the next PDU; empty at the end of the connection."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                header = await self._reader.readexactly(6)
                return header + await self._reader.readexactly(
                    struct.unpack_from(">I", header, 2)[0]
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def ask(self, data: bytes) -> bytes:
        await self.send(data)
        return await self.read_pdu()

    def reset(self) -> None:
        """Break the connection without a farewell."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def wire(port: int, *, host: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """Connect from an address of this machine."""
    connection = await Wire.connect(port, host)
    try:
        yield connection
    finally:
        await connection.close()


async def until(is_true: Any, what: str) -> None:
    """Poll until it is so."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not is_true():  # noqa: ASYNC110  # what is waited for tells nobody
                await asyncio.sleep(0.01)
    except TimeoutError:
        message_text = f"gave up waiting until {what}"
        raise AssertionError(message_text) from None
