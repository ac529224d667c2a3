"""One gate: every fault at every door, through the doors themselves, with the real spool behind them.

`TABLE` is the table of docs/flows/gate.md: the code that is logged, the status over C-STORE, the Failure
Reason over STOW-RS; a watched folder puts the file into ``.refused`` with the code.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from config.settings import Http, Watch
from daemon.receive.faults import SAYINGS, Fault
from daemon.receive.stow import SpoolSink
from daemon.receive.watch import NoEvents, WatchedFolder
from dicomweb.service import application
from tests.dimse_peers import (
    CT,
    EXPLICIT,
    IMPLICIT,
    INSTANCE,
    MR,
    Counted,
    associate_rq,
    element,
    file_spool,
    message,
    p_data,
    pdv,
    response,
    running_server,
    spooled,
    store_command,
    until,
    wire,
)

ROOT = Path(__file__).resolve().parents[2]
STUDY, SERIES = "1.2.3", "1.2.3.4"
Elements = dict[int, tuple[bytes, bytes]]


def elements(**changes: bytes | None) -> bytes:
    """Return a data set; a change replaces a UID, None leaves it out."""
    whole: Elements = {
        0x00080016: (b"UI", CT.encode()),
        0x00080018: (b"UI", INSTANCE.encode()),
        0x00100010: (b"PN", b"ZQXPHI^Gate"),
        0x0020000D: (b"UI", STUDY.encode()),
        0x0020000E: (b"UI", SERIES.encode()),
        0x7FE00010: (b"OB", bytes(100)),
    }
    names = {
        "sop_class": 0x00080016,
        "sop_instance": 0x00080018,
        "study": 0x0020000D,
        "series": 0x0020000E,
    }
    for name, value in changes.items():
        if value is None:
            del whole[names[name]]
        else:
            whole[names[name]] = (b"UI", value)
    return b"".join(element(tag, vr, value) for tag, (vr, value) in whole.items())


def file_meta(*, sop_class: str = CT, sop_instance: str = INSTANCE) -> bytes:
    body = element(0x00020001, b"OB", b"\0\1") + element(0x00020002, b"UI", sop_class.encode())
    body += element(0x00020003, b"UI", sop_instance.encode())
    body += element(0x00020010, b"UI", EXPLICIT.encode())
    body += element(0x00020012, b"UI", b"1.2.3.9")
    return element(0x00020000, b"UL", struct.pack("<I", len(body))) + body


def part10(data_set: bytes, **meta: str) -> bytes:
    return bytes(128) + b"DICM" + file_meta(**meta) + data_set


@dataclass(frozen=True)
class Case:
    """A fault, as the bytes of a file and as a C-STORE; None where it cannot come in that way."""

    id: str
    fault: Fault | None
    file: bytes | None
    data_set: bytes | None
    status: int = 0xC000


def of(name: str, fault: Fault, data_set: bytes, status: int = 0xC000) -> Case:
    """Return a fault of the data set itself, which is the same in a file and without."""
    return Case(name, fault, part10(data_set), data_set, status)


LONG = b"1." + b"2" * 70
TABLE = [
    of("no study", Fault.STUDY_MISSING, elements(study=None)),
    of("an empty study", Fault.STUDY_MISSING, elements(study=b"")),
    of("study with letters", Fault.STUDY_INVALID, elements(study=b"1.2.ABC")),
    of("a study of 72 characters", Fault.STUDY_INVALID, elements(study=LONG)),
    of("a study of 65 characters", Fault.STUDY_INVALID, elements(study=LONG[:65])),
    of("a study that climbs", Fault.STUDY_INVALID, elements(study=b"../../x")),
    of("two studies", Fault.STUDY_INVALID, elements(study=b"1.2\\1.3")),
    of("a study of dots", Fault.STUDY_INVALID, elements(study=b"..")),
    of("a study with an end", Fault.STUDY_INVALID, elements(study=b"1.2.")),
    of("no series", Fault.SERIES_MISSING, elements(series=None)),
    of("an empty series", Fault.SERIES_MISSING, elements(series=b"")),
    of("series with a slash", Fault.SERIES_INVALID, elements(series=b"1.2/3")),
    of("series not ASCII", Fault.SERIES_INVALID, elements(series=b"1.2.\xe9")),
    of("no instance", Fault.SOP_INSTANCE_MISSING, elements(sop_instance=None)),
    of("an empty instance", Fault.SOP_INSTANCE_MISSING, elements(sop_instance=b"")),
    of("instance with letters", Fault.SOP_INSTANCE_INVALID, elements(sop_instance=b"1.2.ABC.9")),
    of("no class", Fault.SOP_CLASS_MISSING, elements(sop_class=None)),
    of("class with letters", Fault.SOP_CLASS_INVALID, elements(sop_class=b"CT Image")),
    of("another class", Fault.SOP_CLASS_MISMATCH, elements(sop_class=MR.encode()), 0xA900),
    of("another instance", Fault.SOP_INSTANCE_MISMATCH, elements(sop_instance=b"1.2.3.99")),
    Case(
        "file meta of another class",
        Fault.SOP_CLASS_MISMATCH,
        part10(elements(), sop_class=MR),
        None,
        0xA900,
    ),
    Case(
        "file meta of another instance",
        Fault.SOP_INSTANCE_MISMATCH,
        part10(elements(), sop_instance="1.2.3.99"),
        None,
    ),
    of(
        "group 0002 first",
        Fault.FILE_META_IN_DATA_SET,
        element(0x00080005, b"CS", b"ISO_IR 100") + file_meta() + elements(),
    ),
    of(
        "group 0002 last",
        Fault.FILE_META_IN_DATA_SET,
        elements() + element(0x00020016, b"AE", b"ZQXPHI"),
    ),
    Case("a file for a data set", Fault.FILE_META_IN_DATA_SET, None, part10(elements())),
    of("words", Fault.NOT_DICOM, b"ZQXPHI this is a letter to somebody, not an instance. " * 9),
    of("a page", Fault.NOT_DICOM, b"<!doctype html><title>ZQXPHI</title>" * 20),
    of("zeros", Fault.NOT_DICOM, bytes(700)),
    Case("words for a file", Fault.NOT_DICOM, b"ZQXPHI a letter " * 40, None),
    Case("a short word for a file", Fault.NOT_DICOM, b"ZQXPHI", None),
    Case("a preamble alone", Fault.NOT_DICOM, bytes(128) + b"DICM", None),
    of("cut in the pixels", Fault.TRUNCATED, elements()[:-50]),
    of("cut in a UID", Fault.TRUNCATED, elements()[:40]),
    of("cut in a header", Fault.TRUNCATED, elements()[: -100 - 7]),
    Case("cut in the file meta", Fault.TRUNCATED, part10(elements())[:200], None),
    of("empty", Fault.DATA_SET_EMPTY, b""),
    of(
        "a directory",
        Fault.DICOMDIR,
        elements(sop_class=b"1.2.840.10008.1.3.10"),
    ),
]
PLAIN = elements()
GOOD = [
    Case("an instance", None, part10(PLAIN), PLAIN),
    Case("without preamble", None, part10(PLAIN)[128:], None),
    Case("without prefix", None, part10(PLAIN)[132:], None),
    Case("a data set alone", None, PLAIN, None),
    Case("spaces for padding", None, part10(elements(study=b"1.2.3.4 ")), None),
    Case("zeros before a number", None, part10(elements(series=b"1.02.3")), None),
    Case("a study of 64 characters", None, part10(elements(study=LONG[:64])), None),
    Case("zeros behind it", None, part10(PLAIN) + bytes(6), PLAIN + bytes(6)),
    Case(
        "a sequence that ends by itself",
        None,
        part10(
            PLAIN[:-112]
            + bytes.fromhex("40007502 5351 0000 ffffffff feff00e0 ffffffff")
            + element(0x0020000D, b"UI", b"not ours")
            + bytes.fromhex("feff0de0 00000000 feffdde0 00000000")
            + PLAIN[-112:]
        ),
        None,
    ),
]


async def _post(spool: Any, body: bytes, counted: Counted) -> tuple[int, dict[str, Any], str]:
    app = web.Application()
    app.add_subapp("/dicomweb", application(_NOTHING, SpoolSink(spool, counted), settings=Http()))
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        async with (
            ClientSession() as client,
            client.post(
                f"http://127.0.0.1:{port}/dicomweb/studies",
                data=b"--B\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n--B--\r\n",
                headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'},
            ) as answer,
        ):
            told = " ".join(answer.headers.getall("Warning", []))
            return answer.status, await answer.json(content_type=None), told
    finally:
        await runner.cleanup()


class _Nothing:
    """A store that is never read here."""


_NOTHING: Any = _Nothing()


class Refusals(NoEvents):
    def __init__(self) -> None:
        self.refused: list[str] = []
        self.received = 0

    def file_refused(self, reason: str) -> None:
        self.refused.append(str(reason))

    def instance_received(self, size: int) -> None:
        self.received += 1


def named(case: Case) -> str:
    return case.id.replace(" ", "_")


@pytest.mark.parametrize("case", [c for c in TABLE + GOOD if c.data_set is not None], ids=named)
async def test_the_answer_over_c_store(disk_path: Path, case: Case) -> None:
    assert case.data_set is not None
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq((1, CT, [EXPLICIT])))
        for fragment in (16_000, 7):
            sent = message(store_command(), case.data_set, fragment=fragment)
            sent += b"" if case.data_set else p_data(pdv(b""))
            answer = response(await sender.ask(sent))
            if case.fault is None:
                assert answer.Status == 0
                continue
            assert answer.Status == case.status
            assert running.counted.refused[-1] == case.fault.value
            assert "ZQXPHI" not in str(answer)
            assert spooled(running.spool) == []
        after = response(await sender.ask(message(store_command(), PLAIN)))
        assert after.Status == 0, "the association stays usable"


@pytest.mark.parametrize("case", [c for c in TABLE + GOOD if c.file is not None], ids=named)
async def test_the_answer_over_stow_rs(disk_path: Path, case: Case) -> None:
    assert case.file is not None
    async with file_spool(disk_path) as spool:
        counted = Counted()
        status, answer, told = await _post(spool, case.file, counted)
        if case.fault is None:
            assert status == 200
            (stored,) = answer["00081199"]["Value"]
            assert re.search(
                r"/studies/[0-9.]+/series/[0-9.]+/instances/[0-9.]+$",
                stored["00081190"]["Value"][0],
            )
            (path,) = spooled(spool)
            assert path.read_bytes()[128:132] == b"DICM"
            assert path.read_bytes().endswith(case.file[-100:])
            return
        assert status == 409
        assert "00081199" not in answer
        failed = answer["00081198" if "00081198" in answer else "0008119A"]["Value"]
        assert [each["00081197"]["Value"] for each in failed] == [[case.status]]
        assert counted.refused == [case.fault.value]
        assert SAYINGS[case.fault].text in told
        assert "ZQXPHI" not in json.dumps(answer) + told
        assert spooled(spool) == []


@pytest.mark.parametrize("case", [c for c in TABLE + GOOD if c.file is not None], ids=named)
async def test_the_answer_of_a_watched_folder(disk_path: Path, case: Case) -> None:
    assert case.file is not None
    inbox = disk_path / "inbox"
    inbox.mkdir()
    (inbox / "one.dcm").write_bytes(case.file)
    (disk_path / "state").mkdir()
    async with file_spool(disk_path / "state") as spool:
        events = Refusals()
        settings = Watch(path=inbox, settle_s=0.0, incomplete_s=0.3, scan_interval_s=0.1)
        folder = WatchedFolder(settings, spool, events)
        await folder.start()
        try:
            await until(lambda: events.refused or events.received, "the file has gone")
        finally:
            await folder.stop()
        if case.fault is None:
            assert events.received == 1
            return
        assert events.refused == [case.fault.value]
        (kept,) = (path for path in (inbox / ".refused").iterdir() if path.suffix != ".json")
        assert kept.read_bytes() == case.file
        assert spooled(spool) == []


async def test_one_bad_instance_does_not_cost_the_good_ones(disk_path: Path) -> None:
    async with file_spool(disk_path) as spool:
        body = part10(PLAIN) + b"\r\n--B\r\n\r\n" + part10(elements(study=None))
        status, answer, told = await _post(spool, body, Counted())
        assert status == 202
        assert len(answer["00081199"]["Value"]) == 1
        (failed,) = answer["00081198"]["Value"]
        assert failed["00081155"]["Value"] == [INSTANCE]
        assert told.endswith("Instance 2: Study Instance UID is missing")


async def test_a_sender_of_the_other_vr_encoding_is_addressed_all_the_same(disk_path: Path) -> None:
    """That it is wrong is for the worker to say: the instance is quarantined, not lost."""
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq((1, CT, [IMPLICIT])))
        assert response(await sender.ask(message(store_command(), PLAIN))).Status == 0


def test_every_fault_is_in_the_table_and_in_the_docs() -> None:
    assert {case.fault for case in TABLE} == set(Fault)
    page = (ROOT / "docs/flows/gate.md").read_text()
    rows = dict(re.findall(r"^\| [^|]+ \| `(\w+)` \| ([0-9A-F]{4})H \|", page, flags=re.MULTILINE))
    assert rows == {fault.value: f"{SAYINGS[fault].status:04X}" for fault in Fault}
    assert all(len(saying.text) <= 64 for saying in SAYINGS.values())
