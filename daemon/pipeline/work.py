"""What a worker process does with one instance: look, route, de-identify, write, describe.

This is the only place that parses what came from outside. The daemon itself sees the results.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import deid
from daemon.engines.pixels import PixelSettings, engines
from daemon.errors import StoreUnavailable
from daemon.observe.traces import trace
from daemon.pipeline.describing import stored_instance
from daemon.pipeline.fhir_messages import sidecar_message
from daemon.pipeline.fhir_work import MOST_TEXT_BYTES, fhir_answer, sidecar_in
from daemon.pipeline.messages import (
    are_alike_message,
    compared_files,
    described_message,
    is_description,
    job_from,
    question_message,
    result_message,
)
from daemon.pipeline.own_plans import OwnPlans
from daemon.pipeline.routing import HeaderFacts, Route, keywords, route
from daemon.records import Job, Known, Output, Question, Result, Ruling, State, StoredInstance
from daemon.workers.announcing import announce
from daemon.workers.mapping import mapped
from daemon.workers.reasons import WorkerReason
from daemon.workers.writing import new_file, write_segments
from deid.errors import Reason, Unsafe
from deid.identity.keys import KEY_BYTES, SiteKey, patient_identity
from dicomweb.errors import CutShort, DescribeError, NoIdentity

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from daemon.workers.frames import Message
    from deid.encoding.segments import Segment

    Buffer = mmap.mmap | bytes

# Trouble of the machine, not of the instance: it passes, and then the instance is processed.
_PASSING = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.EROFS,
        errno.ESTALE,
        errno.EACCES,
        errno.EPERM,
    }
)
_GROUP_LENGTH_END = 144  # preamble, DICM, (0002,0000) UL: PS3.10 7.1
_WHERE_LENGTH = 500
_PATIENT = ("PatientID", "IssuerOfPatientID")


def start(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Compile the plans and return the handler of jobs (see `daemon.pipeline.instance_workers`).

    Parameters
    ----------
    document
        ``routes``: documents of `Route`; ``deidentifiers``: configuration by name, in the order of
        their keys in `secret`; ``pixels``: document of `PixelSettings`.
    secret
        The deidentifiers' keys, 32 bytes each.
    """
    keys = [secret[at : at + KEY_BYTES] for at in range(0, len(secret), KEY_BYTES)]
    configurations = document["deidentifiers"]
    pixels = engines(PixelSettings.from_document(document["pixels"]), announce)
    plans = {
        name: deid.compile_plan(configuration, SiteKey(key), engines=pixels).prepare()
        for (name, configuration), key in zip(configurations.items(), keys, strict=True)
    }
    routes = [Route.from_document(each) for each in document["routes"]]
    work = Work(routes, plans, document["most_text_bytes"])
    own_plans = OwnPlans(plans, pixels)

    def handle(message: Message) -> Message:
        own = own_plans.take(message.header)
        about_resources = fhir_answer(message, plans)
        if about_resources is not None:
            return about_resources
        files = compared_files(message)
        if files is not None:
            return are_alike_message(are_alike=compare(*files))
        job = job_from(message)
        if is_description(message):
            return described_message(job.receipt_id, work.describe(job))
        answer = work.answer(job, own)
        if isinstance(answer, Question):
            return question_message(answer)
        if answer.sidecar is not None:
            return sidecar_message(answer.receipt_id, answer.sidecar)
        return result_message(answer)

    return handle


@dataclass(frozen=True)
class Work:
    """Everything that stays the same from job to job.

    Attributes
    ----------
    most_text_bytes
        Of a file of resources, unpacked.
    """

    routes: Sequence[Route]
    plans: Mapping[str, deid.Plan]
    most_text_bytes: int = MOST_TEXT_BYTES

    def process(self, job: Job) -> Result:
        """Return what became of one instance, as `answer`; without an answer nothing else is known."""
        result = self.answer(replace(job, known=job.known or Known()))
        assert isinstance(result, Result)
        return result

    def answer(self, job: Job, deidentifier: str = "") -> Result | Question:
        """Return what became of one instance, or what must be known before that can be told.

        Parameters
        ----------
        deidentifier
            Whose it is, whatever the routes say.

        Raises
        ------
        StoreUnavailable
            When the file system failed in a way that may pass; nothing is left behind.
        MemoryError
            When it needs more than this process may have.
        """
        try:
            with _opened(job.source) as source:
                return self._judge(job, source, deidentifier)
        except (MemoryError, StoreUnavailable):
            raise
        except OSError as error:
            if error.errno in _PASSING or not _has_room(job.output.parent):
                raise _passing(error) from error
            if isinstance(error, FileNotFoundError) and not job.source.exists():
                return _quarantined(job, WorkerReason.SOURCE_MISSING)
            return _internal_error(job, error)
        except Exception as error:  # noqa: BLE001 (our bug: set it aside, say where, say no value)
            return _internal_error(job, error)

    def describe(self, job: Job) -> StoredInstance | None:
        """Return what the source is told of an instance; None where `answer` will say what is wrong with it.

        Raises
        ------
        MemoryError
            When it needs more than this process may have.
        """
        try:
            with _opened(job.source) as buffer:
                header = deid.read_header(buffer, _PATIENT)
                return _described(job, buffer, header)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 (the same will happen to `answer`, which tells it apart)
            return None

    def _judge(self, job: Job, buffer: Buffer, deidentifier: str) -> Result | Question:
        sidecar = sidecar_in(buffer, job.source, self.most_text_bytes, lambda: new_file(job.output))
        if sidecar is not None:
            if sidecar.reason:
                reason, where = sidecar.reason, sidecar.where[:_WHERE_LENGTH]
                return Result(job.receipt_id, State.QUARANTINED, reason=reason, where=where)
            return Result(job.receipt_id, State.STORED, sidecar=sidecar)
        try:
            header = deid.read_header(buffer, (*keywords(self.routes), *_PATIENT))
            patient = _patient(header.values, header.study_uid)
            ruling = job.ruling or _NO_RULING
            deidentifier = deidentifier or ruling.deidentifier
            way = Way("", deidentifier) if deidentifier else self._way(job, header)
            if way is not None and way.deidentifier not in self.plans:
                # A person chose it, and the configuration has changed since.
                source, gone = _described(job, buffer, header), WorkerReason.DEIDENTIFIER_GONE
                return _quarantined(job, gone, source=source, way=way)
            if job.known is None and way and self.plans[way.deidentifier].cleans_text:
                return Question(job.receipt_id, header.study_uid, patient)
            source = _described(job, buffer, header)
        except Unsafe as unsafe:
            return _quarantined(job, unsafe.reason, where=unsafe.where)
        except DescribeError as error:
            return _quarantined(job, _reason(error, header.sop_class_uid), where=str(error))
        if way is None:
            return Result(job.receipt_id, State.UNROUTED, source=source)
        known = job.known or Known()
        if known.is_cut:
            reason = WorkerReason.TOO_MANY_IDENTIFIERS
            return _quarantined(job, reason, source=source, way=way)
        try:
            deidentified = deid.deidentify(
                buffer,
                self.plans[way.deidentifier],
                [deid.KnownIdentifier(value, kind) for kind, value in known.identifiers],
                ruling.drawn,
            )
        except Unsafe as unsafe:
            return _quarantined(job, unsafe.reason, where=unsafe.where, source=source, way=way)
        except (OSError, MemoryError, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 (as above, but the source is known by now)
            return _internal_error(job, error, source=source, way=way)
        try:
            output = _written(job, buffer, deidentified.segments)
        except Unsafe as unsafe:
            where = f"output {unsafe.where}"
            return _quarantined(job, unsafe.reason, where=where, source=source, way=way)
        except DescribeError as error:
            where = f"output {error}"
            return _quarantined(job, Reason.MALFORMED, where=where, source=source, way=way)
        return Result(
            job.receipt_id,
            State.STORED,
            route=way.route,
            deidentifier=way.deidentifier,
            source=source,
            outputs=(Output(way.deidentifier, output),),
            outcome=deidentified.outcome.to_json(),
        )

    def _way(self, job: Job, header: deid.Header) -> Way | None:
        facts = HeaderFacts(header.sop_class_uid, header.values)
        chosen = route(job.origin, facts, self.routes)
        return None if chosen is None else Way(chosen.name, chosen.deidentifier)


def _described(job: Job, buffer: Buffer, header: deid.Header) -> StoredInstance:
    return replace(
        stored_instance(job.receipt_id, buffer, header.dataset_offset),
        identifiers=_identifiers(buffer),
        patient=_patient(header.values, header.study_uid),
    )


def _patient(values: Mapping[str, Sequence[str]], study_uid: str) -> str:
    """Return the identity of an instance's patient; empty where the study alone would stand for it."""
    patient_id, issuer = (" ".join(values.get(keyword, ())) for keyword in _PATIENT)
    return patient_identity(issuer, patient_id, study_uid) if patient_id.strip() else ""


def _identifiers(buffer: Buffer) -> tuple[tuple[str, str], ...]:
    return tuple((each.info_type, each.value) for each in deid.read_identifiers(buffer))


@dataclass(frozen=True, slots=True)
class Way:
    """The route that an instance took, by name, and the deidentifier at its end."""

    route: str = ""
    deidentifier: str = ""


_NOWHERE = Way()
_NO_RULING = Ruling()


def _reason(error: DescribeError, sop_class_uid: str) -> Reason:
    """Return the code that the de-identifier, which has not been asked yet, has for the same."""
    if isinstance(error, CutShort):
        return Reason.TRUNCATED
    if not isinstance(error, NoIdentity):
        return Reason.MALFORMED
    return Reason.MISSING_IDENTITY if deid.has_study(sop_class_uid) else Reason.NO_STUDY


def _quarantined(
    job: Job,
    reason: Reason | WorkerReason,
    *,
    where: str = "",
    source: StoredInstance | None = None,
    way: Way = _NOWHERE,
) -> Result:
    return Result(
        job.receipt_id,
        State.QUARANTINED,
        reason=reason.value,
        where=where[:_WHERE_LENGTH],
        route=way.route,
        deidentifier=way.deidentifier,
        source=source,
    )


def _internal_error(
    job: Job, error: Exception, *, source: StoredInstance | None = None, way: Way = _NOWHERE
) -> Result:
    reason = WorkerReason.INTERNAL_ERROR
    return _quarantined(job, reason, where=trace(error), source=source, way=way)


def _written(job: Job, source: Buffer, segments: Sequence[Segment]) -> StoredInstance:
    """Write the output, and describe it as it can be read back; the store flushes it to the disk."""
    with new_file(job.output) as fd_out:
        write_segments(fd_out, source, segments)
        with mapped(fd_out) as buffer:
            return stored_instance(
                job.receipt_id, buffer, deid.read_header(buffer, ()).dataset_offset
            )


def compare(file: Path, earlier: Path) -> bool:
    """Tell whether two files hold the same data set, encoded differently; one that is gone is like none.

    Raises
    ------
    StoreUnavailable
        When the file system failed in a way that may pass.
    """
    # Seldom needed; numpy and the codecs come with it.
    from deid.likeness.instances import are_alike  # noqa: PLC0415

    try:
        with _opened(file) as one, _opened(earlier) as other:
            return are_alike(one, other)
    except OSError as error:
        if error.errno in _PASSING:
            raise _passing(error) from error
        return False


def _has_room(folder: Path) -> bool:
    """Tell whether a folder for outputs is there, and takes any: no instance can do anything about that."""
    return os.access(folder, os.W_OK | os.X_OK)


def _passing(error: OSError) -> StoreUnavailable:
    code = errno.errorcode.get(error.errno or 0, "")
    return StoreUnavailable(code, code)


@contextmanager
def _opened(path: Path) -> Iterator[Buffer]:
    """Open a file for reading and map it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        with mapped(fd) as buffer:
            yield buffer
    finally:
        os.close(fd)
