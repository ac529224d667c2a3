"""Operations as the API tells of them: get, list, cancel."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import names, paging, refusals, streams
from daemon.healthcare.errors import FailedPrecondition, InvalidArgument, NotFound
from daemon.healthcare.work import Work
from daemon.resources import number_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.store.operation_rows import Failure, Operation
    from daemon.store.ports import Database, Session

CANCELLED: Final = 1
_TYPES: Final = "type.googleapis.com/google.cloud.healthcare."
_FILTER: Final = re.compile(
    r"(?P<field>done|name|metadata\.(?:apiMethodName|cancelRequested))\s*(?P<test>=|!=|:)\s*"
    r"\"?(?P<value>[A-Za-z0-9._/-]{1,400}\*?)\"?"
)
_DIGITS: Final = 19
"""As many would be too many for the column of a row."""
_PREFIX: Final = "projects.locations.datasets.operations."


def instant(seconds: float) -> str:
    """Return a time as the API writes it."""
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )


def name_of(operation: Operation) -> str:
    """Return the full name of an operation."""
    return f"{names.full_name(operation.dataset)}/operations/{operation.id}"


def told(operation: Operation) -> Answer:
    """Return an operation as its clients see it."""
    work = json.loads(operation.work)
    counter = {"success": operation.success, "failure": operation.failure}
    counter["pending"] = operation.pending
    metadata: dict[str, Any] = {
        "@type": f"{_TYPES}{operation.version}.OperationMetadata",
        "apiMethodName": operation.method,
        "createTime": instant(operation.created_at),
        "counter": {name: str(count) for name, count in counter.items() if count},
        "logsUrl": f"/{operation.version}/{name_of(operation)}:failures",
    }
    if operation.is_cancelled:
        metadata["cancelRequested"] = True
    if work.get("note"):
        metadata["dicomveil"] = {"note": work["note"]}
    answer: Answer = {"name": name_of(operation), "metadata": metadata}
    if not operation.ended_at:
        return answer
    metadata["endTime"] = instant(operation.ended_at)
    answer["done"] = True
    if operation.error_code:
        answer["error"] = {"code": operation.error_code, "message": operation.error}
    else:
        answer["response"] = json.loads(operation.response)
    return answer


def response_type(version: str, name: str) -> str:
    """Return the ``@type`` of what an operation gives."""
    return f"{_TYPES}{version}.{name}"


class Operations:
    """Answers the methods about operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        return {
            f"{_PREFIX}get": self._get,
            f"{_PREFIX}list": self._list,
            f"{_PREFIX}cancel": self._cancelled,
            "dicomveil.operations.failures": self._failures,
        }

    async def _get(self, call: Call) -> Answer:
        return told(
            await self._database.read(lambda session: _found(session, call.dataset, call.path[-1]))
        )

    async def _list(self, call: Call) -> Answer:
        is_wanted = _filter(call.query.get("filter", ""))
        most = paging.size(call.query)
        token = call.query.get("pageToken", "")
        if token and not _is_number(token):
            raise InvalidArgument("pageToken is none that a list gave")

        def read(session: Session) -> list[Operation]:
            row = names.existing_dataset(session, call.dataset)
            found: list[Operation] = []
            before = int(token) if token else 1 << 62
            while len(found) <= most and (
                page := session.operations.page(row, before, paging.MOST)
            ):
                found += [each for each in page if is_wanted(each) and not streams.is_stream(each)]
                before = page[-1].id
            return found

        found = await self._database.read(read)
        following = str(found[most - 1].id) if len(found) > most else ""
        return paging.listed("operations", [told(each) for each in found[:most]], following)

    async def _failures(self, call: Call) -> Answer:
        """Return why instances or resources were not done, by their numbers in the source."""
        most = paging.size(call.query)
        given = call.query.get("pageToken", "0.0")
        store, number = (number_in(each) for each in given.partition(".")[::2])
        if store is None or number is None:
            raise InvalidArgument("pageToken is none that a list gave")
        place = store, number

        def read(session: Session) -> list[Answer]:
            operation = _found(session, call.dataset, call.path[-1])
            found = session.operations.failures(operation.id, most + 1, place)
            return [_failure(session, operation, each) for each in found]

        found = await self._database.read(read)
        last = found[most - 1] if len(found) > most else None
        following = f"{last['store']}.{last['number']}" if last is not None else ""
        return paging.listed("failures", found[:most], following)

    async def _cancelled(self, call: Call) -> Answer:
        call.checked("CancelOperationRequest")

        def cancel(session: Session) -> None:
            operation = _found(session, call.dataset, call.path[-1])
            if streams.is_stream(operation):
                raise FailedPrecondition(
                    "it ends when it is taken out of the streamConfigs of its store"
                )
            if not operation.ended_at:
                session.operations.change(operation.id, is_cancelled=True)

        await self._database.write(cancel)
        return {}


def _failure(session: Session, operation: Operation, failure: Failure) -> Answer:
    """Return one failure; of an instance that still waits in quarantine, with its id there."""
    told = {
        "store": str(failure.store_id),
        "number": str(failure.number),
        "reason": failure.reason,
        "where": failure.where,
    }
    for destination in Work.destinations_of(operation.work, failure.store_id):
        receipt_id, is_there = refusals.waiting(
            session, failure.store_id, destination, failure.number
        )
        if is_there:
            told["quarantineId"] = receipt_id
    return told


def _found(session: Session, dataset: str, number: str) -> Operation:
    found = session.operations.get(int(number)) if _is_number(number) else None
    if found is None or found.dataset != names.row_name(dataset):
        raise NotFound("there is no such operation")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _DIGITS


def _filter(text: str) -> Callable[[Operation], bool]:
    """Return what a list's filter lets pass: comparisons of a few fields, joined by AND.

    Raises
    ------
    InvalidArgument
    """
    tests = []
    for part in filter(None, re.split(r"\s+AND\s+", text.strip())):
        found = _FILTER.fullmatch(part.strip())
        if found is None:
            raise InvalidArgument(
                "filter compares done, name, metadata.apiMethodName or metadata.cancelRequested by = or !=,"
                " joined by AND"
            )
        tests.append((found["field"], found["test"], found["value"]))

    def is_wanted(operation: Operation) -> bool:
        values = _fields(operation)
        return all(_equals(values[field], value) == (test != "!=") for field, test, value in tests)

    return is_wanted


def _fields(operation: Operation) -> Mapping[str, str]:
    return {
        "done": str(bool(operation.ended_at)).lower(),
        "name": name_of(operation),
        "metadata.apiMethodName": operation.method,
        "metadata.cancelRequested": str(operation.is_cancelled).lower(),
    }


def _equals(value: str, wanted: str) -> bool:
    if wanted.endswith("*"):
        return value.startswith(wanted[:-1])
    return wanted in {value, value.rpartition("/")[2], value.rpartition(".")[2]}
