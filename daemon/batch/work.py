"""What a worker process does with one input: open, complete, de-identify, write.

The only place of a batch run that looks into what came from outside.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, Final

import deid
from daemon.batch.archives.gzip_stream import GzipStream
from daemon.batch.archives.kinds import ArchiveKind, kind_of
from daemon.batch.archives.stretches import reader_of
from daemon.batch.crowds import CROWD, Crowds
from daemon.batch.inputs import UNREADABLE
from daemon.batch.naming import RESOURCES
from daemon.batch.request import BatchState
from daemon.batch.scratch import unnamed_file
from daemon.batch.sources import Sources, copy_all, is_file
from daemon.batch.tracing import traced
from daemon.deidentifiers.identifying import still_identifying
from daemon.engines.pixels import PixelSettings, engines
from daemon.errors import Refused
from daemon.pipeline.fhir_work import MOST_TEXT_BYTES
from daemon.receive.archive import ArchiveLimits, ArchiveReason
from daemon.receive.structure import Kind, examine, examine_start
from daemon.workers.announcing import announce
from daemon.workers.frames import Message
from daemon.workers.mapping import mapped
from daemon.workers.writing import write_segments
from deid.errors import Reason, Unsafe
from deid.identity.keys import SiteKey
from deid.plan import load_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import ModuleType

    from deid.encoding.header import Buffer

TARGET = f"{__name__}:start"
_WHERE_LENGTH = 500
_TIES: Final = (
    "PatientID", "IssuerOfPatientID", "AccessionNumber", "PatientBirthDate", "PatientName",
)  # fmt: skip
_START_BYTES = 64 << 10

WITHOUT_STUDY: Final = "without-study"
"""The folder of objects whose class has no study, such as colour palettes."""


def start(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Compile the plan and return the handler of jobs.

    Parameters
    ----------
    document
        ``configuration``; ``out``, the output folder; ``archive``, fields of `ArchiveLimits`;
        ``pixels``, document of `PixelSettings`; ``most_text_bytes``, of a file of resources, unpacked;
        ``crowds``, where what is known of very many people lies (`daemon.batch.crowds`).
    secret
        The deidentifier's key.
    """
    pixels = engines(PixelSettings.from_document(document["pixels"]), announce)
    plan = deid.compile_plan(document["configuration"], SiteKey(secret), engines=pixels)
    load_tables()
    sources = Sources(ArchiveLimits(**document["archive"]))
    crowds = Crowds(document["crowds"], document["out"])
    work = BatchWork(plan, document["out"], sources, crowds, document["most_text_bytes"])
    return work.process


def load() -> None:
    """Load what any run needs, before it is known which it is."""
    load_tables()


class _WriteFailed(Exception):
    """The output folder did not take it; the run must end."""


class _NotInstance(Exception):
    """Its first bytes say that it is none, so that the others need not be unfolded."""


@dataclass(frozen=True, slots=True)
class BatchWork:
    """Everything that stays the same from job to job."""

    plan: deid.Plan
    out: str
    sources: Sources
    crowds: Crowds
    most_text_bytes: int = MOST_TEXT_BYTES

    def process(self, message: Message) -> Message:
        """Return what became of one input; its ``output`` is written when it is clean.

        The header of a job says where the input lies (`daemon.batch.sources.place_of`), ``output``
        (where to write), ``is_named_dicom``, ``known``: infoType and value of what the study's other
        instances tell of people, and ``crowds``: where the crowds among it lie. That of an answer has
        ``state``, ``reason``, ``where``, and for a clean one the replacement identifiers; its field is the
        outcome record. An ``errno`` instead of a state means that the output folder could not be written to.

        An empty ``output`` writes nothing that stays, and the answer has a ``digest`` of the bytes. With
        ``traces`` it has ``crosswalk``, original identifiers among it; with ``made``, the output of an
        earlier run, nothing but that.

        One with ``identifies`` asks whether the configuration lets a patient's identity through.
        A job without ``output`` only asks what the header tells of people: the answer has
        ``study_uid`` and ``known``, empty for what is no instance; of resources ``resources`` and ``crowd``,
        the digest of one and where it lies.
        """
        job = message.header
        if "made" in job:
            return self._traced(job)
        if "identifies" in job:
            return Message({"left": list(still_identifying(self.plan))})
        try:
            return self._process(job) if "output" in job else self._identified(job)
        except Unsafe as unsafe:
            return _answer(BatchState.REFUSED, unsafe.reason, unsafe.where)
        except Refused as refusal:
            return _answer(BatchState.REFUSED, refusal.reason)
        except _WriteFailed as error:
            cause = error.__cause__
            number = cause.errno if isinstance(cause, OSError) else None
            return Message({"errno": errno.errorcode.get(number or 0, "EIO")})

    def _process(self, job: Mapping[str, Any]) -> Message:
        try:
            source, size = self._open(job)
        except OSError:
            return _answer(BatchState.REFUSED, UNREADABLE)
        except _NotInstance:
            return _no_instance(job)
        try:
            structure = examine(source, size, thorough=False)
            match structure.kind:
                case Kind.DICOMDIR:
                    return _answer(BatchState.SKIPPED, Reason.DICOMDIR)
                case Kind.ZIP:
                    return _answer(BatchState.REFUSED, ArchiveReason.NESTED)
                case Kind.OTHER if not is_file(job) and _is_archive(source, size):
                    return _answer(BatchState.REFUSED, ArchiveReason.NESTED)
                case Kind.OTHER:
                    return _no_instance(job)
                case Kind.FHIR:
                    return self._deidentify_resources(source, job)
                case Kind.BARE:
                    completed = self._complete(structure.head, source, size)
                    os.close(source)
                    source = completed
            return self._deidentify(source, job)
        finally:
            os.close(source)

    def _identified(self, job: Mapping[str, Any]) -> Message:
        """Return what an input tells of people. What cannot be read tells nothing, and is judged later."""
        try:
            source, size = self._open(job)
        except (OSError, Refused, _NotInstance):
            return Message({"study_uid": "", "known": []})
        try:
            structure = examine(source, size, thorough=False)
            if structure.kind is Kind.FHIR:
                return self._told_by_resources(source)
            if structure.kind is Kind.BARE:
                completed = self._complete(structure.head, source, size)
                os.close(source)
                source = completed
            with mapped(source) as buffer:
                header = deid.read_header(buffer, _TIES)
                study_uid = header.study_uid
                known = [[each.info_type, each.value] for each in deid.read_identifiers(buffer)]
                issuers = deid.read_items(buffer, _ACCESSION_ISSUER, _ENTITY)
        except (OSError, ValueError, Unsafe):
            return Message({"study_uid": "", "known": []})
        finally:
            os.close(source)
        return Message({"study_uid": study_uid, "known": known, "facts": _facts(header, issuers)})

    def _told_by_resources(self, source: int) -> Message:
        with _file_of(source) as file, _writing(), self.crowds.scratch() as gathered:
            told = _resources().ties_in(file, self.most_text_bytes, gathered)
            place = self.crowds.append(gathered) if told.crowd else ()
        return Message({"resources": told.resources, "crowd": [told.crowd, *place]})

    def _open(self, job: Mapping[str, Any]) -> tuple[int, int]:
        if is_file(job):
            source = os.open(job["path"], os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            return source, os.fstat(source).st_size
        if job["is_gzip"] and not _may_hold_instances(job["path"]):
            raise _NotInstance
        with _writing():
            source = unnamed_file(self.out)
        try:
            with self.sources.open(job) as reader:
                size = copy_all(reader.read, _Writer(source).write)
        except BaseException:
            os.close(source)
            raise
        return source, size

    def _complete(self, head: bytes, source: int, size: int) -> int:
        """Return a new file with the head that a bare dataset lacks."""
        with _writing():
            completed = unnamed_file(self.out)
            try:
                os.write(completed, head)
                position = 0
                while position < size:
                    sent = os.sendfile(completed, source, position, size - position)
                    if sent == 0:
                        break
                    position += sent
            except BaseException:
                os.close(completed)
                raise
        return completed

    def _deidentify_resources(self, source: int, job: Mapping[str, Any]) -> Message:
        resources = _resources()
        known = [(info_type, value) for info_type, value in job["known"] if info_type != CROWD]
        try:
            with _file_of(source) as file, self._target(job["output"]) as target:
                made = resources.deidentify_resources(
                    file,
                    self.most_text_bytes,
                    self.plan,
                    known,
                    self.crowds.at(job["crowds"]),
                    _Writer(target).write,
                    self.crowds.scratch,
                )
        except resources.Contradictory as error:
            state = BatchState.SKIPPED if error.is_earlier else BatchState.REFUSED
            return _answer(state, error.reason)
        extra = {} if job["output"] else {"digest": made.digest}
        header = {
            **extra,
            "state": BatchState.DEIDENTIFIED.value,
            "patient_id": made.patient,
            "study_uid": RESOURCES,
            "series_uid": RESOURCES,
            "sop_instance_uid": made.name,
            "method": [],
        }
        return Message(header, (b"",))

    def _deidentify(self, source: int, job: Mapping[str, Any]) -> Message:
        known = [
            deid.KnownIdentifier(value, info_type)
            for info_type, value in job["known"]
            if info_type != CROWD
        ]
        with mapped(source) as buffer:
            crowds = self.crowds.at(job["crowds"])
            clean = deid.deidentify(buffer, self.plan, known, crowds=crowds)
            extra: dict[str, Any] = {}
            with _writing(), self._target(job["output"]) as target:
                write_segments(target, buffer, clean.segments)
                if not job["output"] or job["traces"]:
                    with mapped(target) as made:
                        extra = self._told(job, buffer, made)
            header = {
                **extra,
                "state": BatchState.DEIDENTIFIED.value,
                "patient_id": clean.patient_id,
                "study_uid": clean.study_uid or WITHOUT_STUDY,
                "series_uid": clean.series_uid or WITHOUT_STUDY,
                "sop_instance_uid": clean.sop_instance_uid,
                "method": [
                    code
                    for code, _ in self.plan.method_codes(
                        pixels_cleaned=clean.outcome.pixels_examined
                    )
                ],
            }
            return Message(header, (clean.outcome.to_json(),))

    def _target(self, output: str) -> AbstractContextManager[int]:
        """Return where to write: the file that is named, or one without a name in a run that writes none."""
        return _new_file(output) if output else _unnamed_file(self.out)

    def _told(self, job: Mapping[str, Any], source: Buffer, made: Buffer) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if not job["output"]:
            told["digest"] = sha256(made).hexdigest()
        if job["traces"]:
            told["crosswalk"] = traced(source, made, self.plan)
        return told

    def _traced(self, job: Mapping[str, Any]) -> Message:
        """Return what stands for what in an instance that an earlier run wrote; nothing when that cannot be."""
        try:
            source, size = self._open(job)
        except (OSError, Refused, _WriteFailed, _NotInstance):
            return Message({})
        try:
            structure = examine(source, size, thorough=False)
            if structure.kind is Kind.BARE:
                completed = self._complete(structure.head, source, size)
                os.close(source)
                source = completed
            with (
                open(job["made"], "rb") as file,  # noqa: PTH123
                mapped(file.fileno()) as made,
                mapped(source) as buffer,
            ):
                return Message({"crosswalk": traced(buffer, made, self.plan)})
        except (OSError, ValueError, Unsafe, _WriteFailed):
            return Message({})
        finally:
            os.close(source)


@dataclass(frozen=True, slots=True)
class _Writer:
    descriptor: int

    def write(self, data: bytes) -> None:
        with _writing():
            view = memoryview(data)
            while view:
                view = view[os.write(self.descriptor, view) :]


def _file_of(descriptor: int) -> IO[bytes]:
    """Return a file for reading that leaves the descriptor open: what is mapped, and read, stays in memory."""
    return os.fdopen(os.dup(descriptor), "rb", buffering=0)


def _resources() -> ModuleType:
    """Return what knows FHIR; most runs meet none."""
    from daemon.batch import resources  # noqa: PLC0415

    return resources


_ACCESSION_ISSUER: Final = "IssuerOfAccessionNumberSequence"
_ENTITY: Final = ("LocalNamespaceEntityID", "UniversalEntityID")


def _facts(header: deid.Header, issuers: list[dict[str, str]]) -> dict[str, Any]:
    """Return what resources may be tied by."""
    return {
        "patient_id": " ".join(header.values.get("PatientID", ())),
        "issuer": " ".join(header.values.get("IssuerOfPatientID", ())),
        "accession": header.first("AccessionNumber"),
        "accession_issuers": [each for item in issuers for each in item.values() if each],
        "birth_date": header.first("PatientBirthDate"),
        "family": header.first("PatientName").partition("=")[0].partition("^")[0],
        "uids": [header.series_uid, header.sop_instance_uid],
    }


def _no_instance(job: Mapping[str, Any]) -> Message:
    # A note lying beside the images is no failure; something that says it is DICOM and is not
    # readable as such is.
    state = BatchState.REFUSED if job["is_named_dicom"] else BatchState.SKIPPED
    return _answer(state, Reason.NOT_DICOM)


def _is_archive(source: int, size: int) -> bool:
    """Whether what came in an archive is one itself, which may hold instances."""
    kind = kind_of(reader_of(source), size)
    if kind is ArchiveKind.GZIP:
        # A packed picture of another kind (NIfTI) is as little an instance as it is unpacked.
        return _may_hold_instances(f"/proc/self/fd/{source}")
    return kind is not None


def _may_hold_instances(gzip_path: str) -> bool:
    """Whether what a gzip file holds begins as an instance or an archive does, or cannot be read."""
    try:
        with GzipStream(gzip_path, ArchiveLimits(), _START_BYTES) as stream:
            start = stream.read(_START_BYTES)
    except Refused:
        return True
    inner = kind_of(lambda offset, count: start[offset : offset + count], len(start))
    return inner is not None or examine_start(start, 1 << 62).kind is not Kind.OTHER


def _answer(state: BatchState, reason: str, where: str = "") -> Message:
    header = {"state": state.value, "reason": str(reason), "where": where[:_WHERE_LENGTH]}
    return Message(header, (b"",))


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _WriteFailed from error


@contextmanager
def _unnamed_file(folder: str) -> Iterator[int]:
    descriptor = unnamed_file(folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _new_file(path: str) -> Iterator[int]:
    """Create a file with the user's own umask; it is gone again when the body raises."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - strings here, as everywhere in a job
        raise
    finally:
        os.close(descriptor)
