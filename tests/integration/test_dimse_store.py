"""Real senders, every encoding; what was spooled is what was sent."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import tracemalloc
import warnings
import zlib
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydicom import dcmread, examples
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import StoragePresentationContexts

from daemon.receive.dimse.sop_classes import TRANSFER_SYNTAXES
from deid.encoding.transfer_syntaxes import DEFLATED
from tests.conftest import program
from tests.dimse_peers import (
    CT,
    EXPLICIT,
    RELEASE_RP,
    RELEASE_RQ,
    Running,
    Wire,
    associate_rq,
    data_set,
    data_set_of,
    message,
    response,
    running_server,
    spooled,
    store_command,
    until,
    wire,
)
from tests.free_ports import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# How to make storescu propose a transfer syntax.
PROPOSE = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def files_with_meta() -> list[tuple[Path, str]]:
    """Return pydicom's own test files that name class, instance and a common transfer syntax."""
    found = []
    for path in (Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"):
        with warnings.catch_warnings(action="ignore"):
            dataset = dcmread(path, force=True, stop_before_pixels=True)
        meta = getattr(dataset, "file_meta", {})
        syntax = str(meta.get("TransferSyntaxUID", ""))
        is_whole = meta.get("MediaStorageSOPInstanceUID") and dataset.get("SOPInstanceUID")
        if is_whole and syntax in PROPOSE:
            found.append((path, syntax))
    return sorted(found)


async def run(*command: str | Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


@asynccontextmanager
async def bit_preserving_storescp(folder: Path, port: int) -> AsyncIterator[None]:
    """Run dcmtk's storescp so that it writes data sets as it reads them, without looking."""
    storescp = program("storescp")
    assert storescp
    process = await asyncio.create_subprocess_exec(
        storescp, "+B", "+xa", "-aet", "REFERENCE", "-od", str(folder), str(port)
    )

    async def is_listening() -> bool:
        return (await run("echoscu", "127.0.0.1", str(port)))[0] == 0

    try:
        while not await is_listening():
            assert process.returncode is None
            await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.peer("echoscu")
async def test_echoscu_verifies(disk_path: Path) -> None:
    async with running_server(disk_path) as running:
        code, output = await run("echoscu", "-v", "127.0.0.1", str(running.port))
        assert code == 0, output
        assert running.counted.aborted == []


@pytest.mark.peer("storescu", "storescp", "echoscu")
async def test_what_storescu_sends_in_any_encoding_is_what_storescp_would_keep(
    disk_path: Path,
) -> None:
    reference = disk_path / "reference"
    reference.mkdir()
    (port,) = free_ports()
    compared, seen, refused = [], set(), 0
    async with (
        bit_preserving_storescp(reference, port),
        running_server(disk_path) as running,
    ):
        for path, syntax in files_with_meta():
            command = ("storescu", "-R", PROPOSE[syntax])
            if (await run(*command, "127.0.0.1", str(port), path))[0]:
                continue  # one that storescu itself cannot read
            code, output = await run(*command, *address(running), path)
            (expected,) = reference.iterdir()
            seen.add(syntax)
            if not dcmread(path).get("StudyInstanceUID"):
                assert code, path.name
                expected.unlink()
                refused += 1
                continue
            assert code == 0, (path.name, output)
            ours = spooled(running.spool)[-1].read_bytes()
            assert data_set_of(ours) == data_set_of(expected.read_bytes()), path.name
            assert syntax.encode() in ours[132:512]
            expected.unlink()
            compared.append(syntax)
        assert len(compared) >= 50
        assert seen == PROPOSE.keys()
        assert len(running.counted.received) == len(compared)
        assert running.counted.refused == ["study_instance_uid_missing"] * refused


@pytest.mark.peer("storescu")
async def test_storescu_combines_its_contexts_and_sends_a_folder(disk_path: Path) -> None:
    folder = make_slices(disk_path / "ct", 20)
    async with running_server(disk_path) as running:
        code, output = await run(
            "storescu", "+C", "--scan-directories", "127.0.0.1", str(running.port), folder
        )
        assert code == 0, output
        sent = {data_set_of(path.read_bytes()) for path in folder.iterdir()}
        assert {data_set_of(path.read_bytes()) for path in spooled(running.spool)} == sent


@pytest.mark.peer("storescu")
async def test_four_senders_at_once_are_all_served(disk_path: Path) -> None:
    folders = [make_slices(disk_path / f"ct{number}", 10) for number in range(4)]
    async with running_server(disk_path) as running:
        target = ("127.0.0.1", str(running.port))
        ends = await asyncio.gather(*(run("storescu", "+sd", *target, dir_) for dir_ in folders))
        assert [code for code, _ in ends] == [0] * 4
        assert len(spooled(running.spool)) == 40


@pytest.mark.peer("storescu", "dcmdump")
async def test_dcmtk_reads_the_file_meta_we_wrote(disk_path: Path) -> None:
    folder = make_slices(disk_path / "ct", 1)
    async with running_server(disk_path) as running:
        await run("storescu", "-aet", "CT_ROOM_1", *address(running), *folder.iterdir())
        (path,) = spooled(running.spool)
        code, dump = await run("dcmdump", "+P", "0002,0016", "+P", "0002,0010", path)
        assert code == 0
        assert "[CT_ROOM_1]" in dump
        assert "LittleEndianExplicit" in dump


def address(running: Running) -> tuple[str, str]:
    return "127.0.0.1", str(running.port)


def make_slices(folder: Path, count: int) -> Path:
    folder.mkdir()
    dataset = examples.ct
    del dataset["DataSetTrailingPadding"]  # storescu does not send it
    for number in range(count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.save_as(folder / f"{number}.dcm")
    return folder


async def test_every_transfer_syntax_is_stored_as_sent(disk_path: Path) -> None:
    syntaxes = [*sorted(TRANSFER_SYNTAXES), "1.2.840.113619.5.2", "1.2.3.4.5"]
    contexts = [(2 * place + 1, CT, [uid]) for place, uid in enumerate(syntaxes)]
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq(*contexts))
        for number, _, (syntax,) in contexts:
            data = encoded_in(syntax, f"as sent in {syntax}")
            stored = message(store_command(), data, context=number, fragment=333)
            assert response(await sender.ask(stored)).Status == 0
            content = spooled(running.spool)[-1].read_bytes()
            assert data_set_of(content) == data
            assert dcmread(BytesIO(content[: -len(data)])).file_meta.TransferSyntaxUID == syntax


def encoded_in(syntax: str, name: str) -> bytes:
    """Return a data set in a transfer syntax, compressed pixels aside."""
    data = data_set(3000, name=name)
    if syntax in DEFLATED:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = deflater.compress(data) + deflater.flush()
        return data + b"\0" * (len(data) % 2)
    if syntax not in {ImplicitVRLittleEndian, ExplicitVRBigEndian}:
        return data
    dataset = read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax == ImplicitVRLittleEndian
    buffer.is_little_endian = buffer.is_implicit_VR
    write_dataset(buffer, dataset)
    return buffer.getvalue()


async def test_pynetdicom_sends_with_every_kind_of_negotiation(disk_path: Path) -> None:
    def send(port: int) -> list[int]:
        entity = AE(ae_title="PYNETDICOM")
        entity.requested_contexts = StoragePresentationContexts[:127]
        entity.add_requested_context(STUDY_ROOT_FIND)
        association = entity.associate("127.0.0.1", port, ext_neg=negotiation_items())
        assert association.is_established
        statuses = [association.send_c_store(examples.ct).Status for _ in range(3)]
        association.release()
        assert association.is_released
        return statuses

    async with running_server(disk_path) as running:
        assert await asyncio.to_thread(send, running.port) == [0, 0, 0]
        received = dcmread(spooled(running.spool)[0])
        assert received.SOPInstanceUID == examples.ct.SOPInstanceUID
        assert received.PixelData == examples.ct.PixelData


def negotiation_items() -> list[Any]:
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = b"user", b"password"
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 5
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = CT, True, True
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid = CT
    extended.service_class_application_information = b"\x02\x00\x01\x00\x00\x00"
    return [identity, window, role, extended]


async def test_an_instance_is_durable_when_its_response_arrives(disk_path: Path) -> None:
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq())
        for count in range(1, 11):
            await sender.ask(message(store_command(), data_set(100_000)))
            assert len(spooled(running.spool)) == count


async def test_a_full_spool_answers_a700_and_takes_the_next_when_there_is_room(
    disk_path: Path,
) -> None:
    async with (
        running_server(disk_path, limits={"max_waiting_bytes": 300_000}) as running,
        wire(running.port) as sender,
    ):
        await sender.ask(associate_rq())
        too_much = message(store_command(), data_set(400_000))
        assert response(await sender.ask(too_much)).Status == 0xA700
        assert list(running.spool.folder.iterdir()) == []
        assert response(await sender.ask(message(store_command(), data_set(1000)))).Status == 0
        assert running.counted.refused == ["full"]


async def test_memory_does_not_grow_with_the_instance_or_its_pdu(disk_path: Path) -> None:
    size = 64 << 20
    start = data_set()[: -256 - 4] + size.to_bytes(4, "little")
    whole = len(start) + size
    command = message(store_command())
    header = b"\4\0" + (whole + 6).to_bytes(4) + (whole + 2).to_bytes(4) + b"\1\2" + start
    chunk = bytes(1 << 16)
    async with running_server(disk_path, max_pdu_bytes=0) as running, wire(running.port) as sender:
        await sender.ask(associate_rq())
        tracemalloc.start()
        try:
            await sender.send(command + header)
            for _ in range(size // len(chunk)):
                await sender.send(chunk)
            assert response(await sender.read_pdu()).Status == 0
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 << 20
        assert running.counted.received == [whole]


async def test_one_association_is_read_while_another_commits(disk_path: Path) -> None:
    async with (
        running_server(disk_path) as running,
        wire(running.port) as one,
        wire(running.port) as other,
    ):
        await one.ask(associate_rq())
        await other.ask(associate_rq())
        instances = message(store_command(), data_set(500_000), fragment=120_000) * 20
        await asyncio.gather(one.send(instances + RELEASE_RQ), other.send(instances + RELEASE_RQ))
        for sender in (one, other):
            for _ in range(20):
                assert response(await sender.read_pdu()).Status == 0
            assert await sender.read_pdu() == RELEASE_RP
        await until(lambda: len(running.counted.received) == 40, "all are counted")


async def test_a_sender_comes_in_by_tls(disk_path: Path) -> None:
    certificate, key = make_certificate(disk_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    client_side = ssl.create_default_context(cafile=certificate)
    data = data_set(1_024_000)
    async with running_server(disk_path, tls=server_side) as running:
        sender = Wire(*await asyncio.open_connection("127.0.0.1", running.port, ssl=client_side))
        await sender.ask(associate_rq((1, CT, [EXPLICIT])))
        assert response(await sender.ask(message(store_command(), data))).Status == 0
        assert await sender.ask(RELEASE_RQ) == RELEASE_RP
        await sender.close()
        (path,) = spooled(running.spool)
        assert data_set_of(path.read_bytes()) == data


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path
