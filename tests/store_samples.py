"""Made-up instances and results for the tests of the stores. Nothing here is read from a DICOM file."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from daemon.records import Compared, Origin, Output, Receiver, Result, State, StoredInstance
from daemon.store import deciding
from daemon.store.decision_rows import Decider, Place
from daemon.store.sqlite.session import SqliteSession

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.records import Receipt
    from daemon.store.ports import Session
    from daemon.store.queries import Changed
    from daemon.store.stores import Stores

ORIGIN = Origin(Receiver.DIMSE, "SENDER", "DICOMVEIL", "127.0.0.1")
DECIDER = Decider(Place.COMMAND_LINE)
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


def make_instance(
    number: int = 1,
    *,
    study: str = "1.2.3",
    series: str = "1.2.3.1",
    content: str = "",
    sop_instance_uid: str | None = None,
    keys: dict[str, str] | None = None,
    **more_keys: str,
) -> StoredInstance:
    """Return what a worker would tell of an instance; `keys` are searchable values by keyword."""
    uid = sop_instance_uid or f"{series}.{number}"
    values = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "SOPInstanceUID": uid,
        "SOPClassUID": CT_IMAGE_STORAGE,
        "StudyDate": "20240229",
        "StudyTime": "101530",
        "PatientName": "doe^jane",
        "PatientID": "P-1",
        "Modality": "CT",
        "InstanceNumber": str(number),
        **(keys or {}),
        **more_keys,
    }
    study_json = {
        "00080020": element("DA", values["StudyDate"]),
        "00081030": element("LO", values.get("StudyDescription", "")),
        "00100010": element("PN", {"Alphabetic": values["PatientName"]}),
        "00100020": element("LO", values["PatientID"]),
        "0020000D": element("UI", study),
    }
    series_json = {
        "00080060": element("CS", values["Modality"]),
        "0008103E": element("LO", values.get("SeriesDescription", "")),
        "0020000E": element("UI", series),
    }
    instance_json: dict[str, Any] = {
        "00080016": element("UI", values["SOPClassUID"]),
        "00080018": element("UI", uid),
        "00200013": element("IS", number),
        "00281050": element("DS", 40),
    }
    metadata = orjson.dumps(
        study_json | series_json | instance_json | {"00204000": element("LT", content)}
    )
    return StoredInstance(
        study_uid=study,
        series_uid=series,
        sop_instance_uid=uid,
        sop_class_uid=values["SOPClassUID"],
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        blob="",
        size=len(metadata),
        digest=sha256(metadata).hexdigest(),
        dataset_digest=sha256(b"dataset " + metadata).hexdigest(),
        number_of_frames=1,
        metadata=metadata,
        study=orjson.dumps(study_json),
        series=orjson.dumps(series_json),
        instance=orjson.dumps(instance_json),
        keys=values,
    )


def file_of(instance: StoredInstance) -> bytes:
    """Return the made-up file of an instance; its size and digest are the instance's."""
    return instance.metadata


def element(vr: str, value: Any) -> dict[str, Any]:
    """Return one element of a DICOM JSON object; an empty one for an empty value."""
    return {"vr": vr} if value == "" else {"vr": vr, "Value": [value]}


def veiled(instance: StoredInstance) -> StoredInstance:
    """Return what stands for an instance in the destination: other UIDs, other content."""
    metadata = _veiled_json(instance.metadata)
    return replace(
        instance,
        study_uid=f"2.25.{instance.study_uid}",
        series_uid=f"2.25.{instance.series_uid}",
        sop_instance_uid=f"2.25.{instance.sop_instance_uid}",
        size=len(metadata),
        digest=sha256(metadata).hexdigest(),
        dataset_digest=sha256(b"dataset " + metadata).hexdigest(),
        metadata=metadata,
        study=_veiled_json(instance.study),
        series=_veiled_json(instance.series),
        instance=_veiled_json(instance.instance),
        keys=instance.keys | {"PatientName": "", "PatientID": "ABCDEF"},
        identifiers=(),
    )


def _veiled_json(json_object: bytes) -> bytes:
    attributes = orjson.loads(json_object)
    for tag in ("0020000D", "0020000E", "00080018"):
        if tag in attributes:
            attributes[tag]["Value"][0] = f"2.25.{attributes[tag]['Value'][0]}"
    for tag, replacement in (("00100010", {"vr": "PN"}), ("00100020", element("LO", "ABCDEF"))):
        if tag in attributes:
            attributes[tag] = replacement
    return orjson.dumps(attributes)


def raw(session: Session) -> sqlite3.Connection:
    """Return the connection under a session of the SQLite engine, to meddle with its tables."""
    assert isinstance(session, SqliteSession)
    return session.connection


async def receive(stores: Stores, data: bytes = b"bytes", origin: Origin = ORIGIN) -> Receipt:
    """Send bytes through the spool, as a receiver does."""
    file = stores.spool.open(origin)
    file.write(data)
    return await file.commit()


def work(
    stores: Stores,
    receipt: Receipt,
    instance: StoredInstance | None,
    *,
    state: State = State.STORED,
    reason: str = "",
    where: str = "",
) -> Result:
    """Do what a worker does: write the output where the job says, and return the result."""
    output = None
    if state is State.STORED and instance is not None:
        output = veiled(instance)
        stores.receipts.job(receipt).output.write_bytes(file_of(output))
    return Result(
        receipt.id,
        state,
        reason=reason,
        where=where,
        route="all",
        deidentifier="default",
        source=instance,
        outputs=() if output is None else (Output("default", output),),
        outcome=b"{}",
    )


async def store(stores: Stores, instance: StoredInstance, **how: Any) -> Receipt:
    """Receive and settle one instance."""
    receipt = await receive(stores, file_of(instance))
    await settle(stores, [work(stores, receipt, instance, **how)])
    return receipt


async def settle(stores: Stores, results: Sequence[Result], *, are_alike: bool = False) -> None:
    """Settle results as the pipeline does, where a worker finds all that it compares alike, or nothing."""
    waiting = {result.receipt_id: result for result in results}
    while comparisons := await stores.receipts.settle(list(waiting.values())):
        compared = {
            each.receipt_id: Compared(each.blob, each.earlier_blob, are_alike)
            for each in comparisons
        }
        waiting = {
            receipt_id: replace(waiting[receipt_id], compared=(*waiting[receipt_id].compared, each))
            for receipt_id, each in compared.items()
        }


def retry(session: Session, receipt_ids: Sequence[str]) -> Changed:
    """Let refused instances be processed again, as an operator does."""
    return deciding.in_batches(session, deciding.Retry(DECIDER), receipt_ids)


def discard(session: Session, stores: Stores, receipt_ids: Sequence[str]) -> Changed:
    """Remove refused instances for good, as an operator does."""
    act = deciding.Discard(DECIDER, stores.stores)
    return deciding.in_batches(session, act, receipt_ids)
