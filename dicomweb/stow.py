"""Store (STOW-RS): instances from a request's body into the sink, as they arrive (PS3.18 10.5, annex I).

Metadata with bulk data (`dicomweb.described`) becomes instances when the request is whole.

Nothing is acknowledged but what the sink has made durable. A body that is not what it says it is, cut
short above all, is answered 400 even if whole instances came before the break: those are stored, and
sending them again does no harm, but the client must not think that the request succeeded.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson
import structlog
from aiohttp import web

from dicomweb.described import METADATA_TYPES, Described
from dicomweb.errors import (
    BadRequest,
    InstanceRefused,
    PayloadTooLarge,
    StoreFull,
    UnsupportedMedia,
)
from dicomweb.identity import Identity, identify
from dicomweb.media import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    JSON,
    MULTIPART,
    OCTET_STREAM,
    Offer,
    choose,
    parse_accept,
    parse_content_type,
)
from dicomweb.multipart import MultipartParser, PartBegins, PartData
from dicomweb.patience import patiently
from dicomweb.qido import warning_header
from dicomweb.stow_answers import Failure, as_xml, response_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from aiohttp import StreamReader

    from dicomweb.ports import Accepted, Settings, Upload, UploadSink

log = structlog.get_logger()

OUT_OF_RESOURCES: Final = 0xA700
TOO_LARGE: Final = 0xA701
STUDY_MISMATCH: Final = 0xA901
CANNOT_UNDERSTAND: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110

_HEAD_BYTES: Final = 64 * 1024
# Large private elements may stand before the Study Instance UID; beyond this we give up looking.
_MAX_HEAD_BYTES: Final = 4 * 1024 * 1024
_MAX_FINISHING: Final = 16
_NO_MORE: Final = object()
_PLACES: Final = [1, 2]
"""Requests of metadata and bulk data at the same time: each is held in memory."""
_MOST_WARNINGS: Final = 20
_UID: Final = re.compile(r"[0-9.]{1,64}")
_INSTANCE_TYPES: Final = frozenset({"", DICOM, OCTET_STREAM})
_IDENTITY_ENCODINGS: Final = frozenset({"", "identity", "binary", "7bit", "8bit"})
_RESPONSE_OFFERS: Final = (
    Offer(DICOM_JSON, multipart=False),
    Offer(JSON, multipart=False),
    Offer(DICOM_XML, multipart=False),
)


@dataclass(slots=True)
class _Instance:
    """One part on its way into the sink, and what came of it."""

    upload: Upload | None = None
    head: bytearray = field(default_factory=bytearray)
    size: int = 0
    outcome: Accepted | Failure | None = None

    def fail(self, reason: int) -> None:
        """Give up on this instance; what else comes of it is read and dropped."""
        identity = identify(bytes(self.head))
        self.head = bytearray()
        self.abort()
        self.outcome = Failure(
            reason, _named(identity.sop_class_uid), _named(identity.sop_instance_uid)
        )

    def abort(self) -> None:
        """Let the sink forget what it got."""
        if self.upload is not None:
            self.upload.abort()
            self.upload = None


async def store(
    request: web.Request, sink: UploadSink, limits: Settings, *, study_uid: str | None, root: str
) -> web.Response:
    """Answer a store request.

    Parameters
    ----------
    study_uid
        The study named in the path: instances of others are refused.
    root
        Address of the service, for Retrieve URL.

    Raises
    ------
    BadRequest, UnsupportedMedia, PayloadTooLarge
        If the request as a whole is unusable.
    StoreFull
        If there was no room for any instance.
    """
    media_type, parameters = _check_head(request, limits)
    session = _Session(sink, limits, study_uid=study_uid, peer=request.remote or "")
    trouble: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            session.group = group
            try:
                if media_type in METADATA_TYPES:
                    await _described(session, _body(request, limits), media_type, parameters)
                elif media_type == MULTIPART:
                    await _multipart(session, _body(request, limits), parameters)
                else:
                    await _single(session, _body(request, limits))
            except Exception as error:  # noqa: BLE001 - whole instances before it are finished first
                trouble = error
    finally:
        session.abort()
    if trouble is not None:
        raise trouble
    return _response(request, session.outcomes(), study_uid=study_uid, root=root)


def _check_head(request: web.Request, limits: Settings) -> tuple[str, dict[str, str]]:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnsupportedMedia("Content-Encoding is not supported: send the body as it is")
    if request.content_length is not None and request.content_length > limits.max_body_bytes:
        raise PayloadTooLarge(f"the body is longer than {limits.max_body_bytes} bytes")
    media_type, parameters = parse_content_type(request.headers.get("Content-Type", ""))
    if media_type == DICOM:
        return media_type, parameters
    inner = parse_content_type(parameters.get("type", DICOM))[0]
    if media_type == MULTIPART and inner in METADATA_TYPES:
        return inner, parameters
    if media_type != MULTIPART or inner != DICOM:
        raise UnsupportedMedia(
            f'instances are stored from {MULTIPART} with type="{DICOM}", "{DICOM_JSON}" or "{DICOM_XML}",'
            f" or from {DICOM}"
        )
    return media_type, parameters


async def _body(request: web.Request, limits: Settings) -> AsyncIterator[bytes]:
    """Yield the body as it comes, within limits of size and patience."""
    content = request.content
    # Joining what has come takes longer than looking at each piece; unless the client makes them, who
    # may make them small.
    read = content.readany if request.content_length is None else partial(_piece, content)
    size = 0
    async for chunk in patiently(read, limits):
        size += len(chunk)
        if size > limits.max_body_bytes:
            raise PayloadTooLarge(f"the body is longer than {limits.max_body_bytes} bytes")
        yield chunk


async def _piece(content: StreamReader) -> bytes:
    """Return what was read at once, nothing at the end."""
    return (await content.readchunk())[0]


async def _multipart(
    session: _Session, body: AsyncIterator[bytes], parameters: Mapping[str, str]
) -> None:
    parser = MultipartParser(parameters.get("boundary", ""), max_parts=session.limits.max_parts)
    async for chunk in body:
        for event in parser.feed(chunk):
            if isinstance(event, PartBegins):
                session.begin(event.headers)
            elif isinstance(event, PartData):
                session.write(event.data)
            else:
                await session.end()
                await asyncio.sleep(0)  # others have their turn: a piece may hold thousands
    parser.close()
    if not session.instances:
        raise BadRequest("the body holds no parts")


@contextmanager
def _held() -> Iterator[None]:
    """Take one of the places of requests that are held whole, or tell the client to come back."""
    if not _PLACES:
        raise StoreFull("too many requests of metadata and bulk data at the same time")
    place = _PLACES.pop()
    try:
        yield
    finally:
        _PLACES.append(place)


async def _described(
    session: _Session,
    body: AsyncIterator[bytes],
    media_type: str,
    parameters: Mapping[str, str],
) -> None:
    """Make instances of metadata and bulk data, and store them as any other."""
    with _held():
        described = Described()
        parser = MultipartParser(parameters.get("boundary", ""), max_parts=session.limits.max_parts)
        async for chunk in body:
            for event in parser.feed(chunk):
                if isinstance(event, PartBegins):
                    described.begin(event.headers or {"content-type": media_type})
                elif isinstance(event, PartData):
                    described.write(event.data)
                else:
                    described.end()
                    await asyncio.sleep(0)
        parser.close()
        files = described.files()
        while (made := await asyncio.to_thread(next, files, _NO_MORE)) is not _NO_MORE:
            if len(session.instances) >= session.limits.max_parts:
                raise BadRequest(f"metadata of more than {session.limits.max_parts} instances")
            session.begin({})
            if made is None:
                session.instances[-1].fail(CANNOT_UNDERSTAND)
                continue
            assert isinstance(made, list)
            for piece in made:
                session.write(memoryview(piece))
            await session.end()
    if not session.instances:
        raise BadRequest("the metadata describe no instance")


async def _single(session: _Session, body: AsyncIterator[bytes]) -> None:
    session.begin({})
    async for chunk in body:
        session.write(memoryview(chunk))
    if not session.instances[0].size:
        raise BadRequest("the body is empty")
    await session.end()


class _Session:
    """The instances of one request, in their order.

    While the sink makes one durable, the next is received: durable writes are grouped.
    """

    def __init__(
        self, sink: UploadSink, limits: Settings, *, study_uid: str | None, peer: str
    ) -> None:
        self.limits = limits
        self.instances: list[_Instance] = []
        self.group: asyncio.TaskGroup | None = None
        self._sink = sink
        self._study_uid = study_uid
        self._peer = peer
        self._finishing = asyncio.Semaphore(_MAX_FINISHING)

    def begin(self, headers: Mapping[str, str]) -> None:
        instance = _Instance()
        self.instances.append(instance)
        media_type = parse_content_type(headers.get("content-type", ""))[0]
        encodings = {
            headers.get("content-encoding", "").lower(),
            headers.get("content-transfer-encoding", "").lower(),
        }
        if media_type not in _INSTANCE_TYPES or not encodings <= _IDENTITY_ENCODINGS:
            instance.fail(CANNOT_UNDERSTAND)
            return
        try:
            instance.upload = self._sink.open(self._peer)
        except StoreFull:
            instance.fail(OUT_OF_RESOURCES)

    def write(self, data: memoryview) -> None:
        instance = self.instances[-1]
        instance.size += len(data)
        if instance.upload is None:
            return
        limit = _HEAD_BYTES if self._study_uid is None else _MAX_HEAD_BYTES
        if len(instance.head) < limit:
            instance.head += data[: limit - len(instance.head)]
        if instance.size > self.limits.max_instance_bytes:
            instance.fail(TOO_LARGE)
            return
        try:
            instance.upload.write(data)
        except StoreFull:
            instance.fail(OUT_OF_RESOURCES)

    async def end(self) -> None:
        instance = self.instances[-1]
        if instance.upload is None:
            return
        if self._study_uid is not None:
            identity = identify(bytes(instance.head))
            if identity.study_uid != self._study_uid:
                instance.fail(_mismatch_reason(identity))
                return
        assert self.group is not None
        await self._finishing.acquire()
        self.group.create_task(self._finish(instance))

    async def _finish(self, instance: _Instance) -> None:
        upload = instance.upload
        assert upload is not None
        try:
            instance.outcome = await upload.finish()
            instance.upload = None
        except InstanceRefused as refused:
            identity = identify(bytes(instance.head))
            instance.abort()
            instance.outcome = Failure(
                refused.failure_reason,
                refused.sop_class_uid or _named(identity.sop_class_uid),
                refused.sop_instance_uid or _named(identity.sop_instance_uid),
                refused.why,
            )
        except StoreFull:
            instance.fail(OUT_OF_RESOURCES)
        except Exception as error:  # one instance's trouble is not the others'
            log.exception("upload_failed", error=type(error).__name__)
            instance.fail(PROCESSING_FAILURE)
        finally:
            instance.head = bytearray()
            self._finishing.release()

    def abort(self) -> None:
        """Let the sink forget what did not become durable."""
        for instance in self.instances:
            instance.abort()

    def outcomes(self) -> list[Accepted | Failure]:
        return [
            Failure(PROCESSING_FAILURE) if instance.outcome is None else instance.outcome
            for instance in self.instances
        ]


def _named(uid: str) -> str:
    """Return what may stand in an answer as a UID."""
    return uid if _UID.fullmatch(uid) else ""


def _mismatch_reason(identity: Identity) -> int:
    is_known = bool(identity.study_uid) or identity.is_complete
    return STUDY_MISMATCH if is_known else CANNOT_UNDERSTAND


def _response(
    request: web.Request,
    outcomes: Sequence[Accepted | Failure],
    *,
    study_uid: str | None,
    root: str,
) -> web.Response:
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    accepted = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    if not accepted and all(failure.reason == OUT_OF_RESOURCES for failure in failures):
        raise StoreFull("there is no room now")
    status = 200 if not failures else 202 if accepted else 409
    studies = {outcome.study_uid for outcome in accepted} | ({study_uid} if study_uid else set())
    study = studies.pop() if len(studies) == 1 else ""
    dataset = response_module(accepted, failures, study_uid=study, root=root)
    # A client that accepts none of these still has to learn what became of its instances.
    offer = choose(parse_accept(request.headers.getall("Accept", [])), _RESPONSE_OFFERS)
    media_type = offer.media_type if offer is not None else DICOM_JSON
    body = as_xml(dataset) if media_type == DICOM_XML else orjson.dumps(dataset)
    response = web.Response(status=status, body=body, headers={"Content-Type": media_type})
    told = [
        f"Instance {number}: {outcome.why}"
        for number, outcome in enumerate(outcomes, start=1)
        if isinstance(outcome, Failure) and outcome.why
    ]
    for text in told[:_MOST_WARNINGS]:
        response.headers.add("Warning", warning_header(root, text))
    return response
