"""Finding the inputs, in an order that depends neither on the disk nor on the workers."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daemon.batch.archives.gzip_stream import GzipStream
from daemon.batch.archives.iso_directories import iso_members
from daemon.batch.archives.kinds import NOT_READ, ArchiveKind, kind_of
from daemon.batch.archives.stretches import reader_of
from daemon.batch.archives.tar_headers import BLOCK, is_tar_header, tar_members
from daemon.batch.archives.unpacked import Unpacked
from daemon.batch.errors import BatchRefused
from daemon.errors import Refused
from daemon.receive.archive import Archive, ArchiveLimits, ArchiveReason, Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from daemon.batch.archives.stretches import Member, Stretch

_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
NOT_REGULAR = "not_regular"
UNREADABLE = "unreadable"
LINK = "symbolic_link"

Place = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file, or one entry of an archive.

    Attributes
    ----------
    path
        As found from what the user named; it may name a patient.
    base
        The folder that the user named, or that of the file that was named.
    member
        The entry's place in the archive's directory; None for a file.
    skip, refuse
        Why it is not looked at (and passed by, or refused); empty otherwise.
    can_be_copied
        Whether its bytes can be copied into a quarantine.
    is_named_dicom
        Whether its name claims to be DICOM.
    archive_suffix
        Of an archive that was refused as a whole, such as ``.zip``.
    stretches
        Where an entry lies in the clear, in the archive or in what `unpacked` holds of it.
    is_gzip
        Whether it is what the gzip file at `path` holds.
    stamp
        Size and time of change (ns) of the file at `path`, when it was found.
    """

    path: str
    size: int = 0
    base: str = ""
    member: int | None = None
    member_name: str = ""
    skip: str = ""
    refuse: str = ""
    can_be_copied: bool = True
    is_named_dicom: bool = False
    archive_suffix: str = ""
    stretches: tuple[Stretch, ...] | None = None
    unpacked: Unpacked | None = None
    is_gzip: bool = False
    stamp: tuple[int, int] = (0, 0)


def contains(folder: Path, path: Path) -> bool:
    """Return whether a path is a folder or lies in it, links followed."""
    resolved, inner = folder.resolve(), path.resolve()
    return resolved == inner or resolved in inner.parents


def places_of(path: Path | None) -> set[Place]:
    """Return where something lies that no walk shall take for an input; nothing if it is not there."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return set()
    return {(status.st_dev, status.st_ino)} if status is not None else set()


def check_inputs(inputs: Sequence[Path], out: Path | None) -> list[Path]:
    """Return the inputs in the order they will be walked.

    Raises
    ------
    BatchRefused
        If one is missing, or is the output folder or inside it.
    """
    if not inputs:
        raise BatchRefused("no input was named")
    for path in inputs:
        try:
            path.stat()
        except PermissionError:
            continue  # refused as unreadable when its turn comes
        except OSError as error:
            if path.is_symlink():
                raise BatchRefused(f"{path} is a link to what does not exist") from error
            raise BatchRefused(f"{path} does not exist") from error
        if out is not None and contains(out, path):
            where = (
                "the output folder" if contains(path, out) else f"inside the output folder {out}"
            )
            raise BatchRefused(
                f"{path} is {where}; originals stay apart from what is clean: name another --out"
            )
    return sorted({path.absolute() for path in inputs}, key=os.fsencode)


def walk(
    inputs: Sequence[Path], apart: Collection[Place], limits: ArchiveLimits, scratch: str | None
) -> Iterator[Input]:
    """Give every input below the named ones.

    Links to files are followed, links to folders are reported and not followed. Archives are entered.

    Parameters
    ----------
    apart
        Folders and files that are no inputs where they lie inside one: what the run writes to.
    scratch
        Where archives that can only be read from their beginning are laid out, in files without a name. None
        lists their members, which cannot be opened then.

    Raises
    ------
    BatchFailed
        When there is no room in `scratch`.
    """
    for named in inputs:
        # Unlike `Path.is_dir` this tells of what may not be looked at as well, which is named below.
        base = str(named if os.path.isdir(named) else named.parent)  # noqa: PTH112
        waiting = [str(named)]
        while waiting:
            path = waiting.pop()
            try:
                status = os.stat(path)  # noqa: PTH116 - strings here: there may be millions
            except OSError:
                is_link = os.path.islink(path)  # noqa: PTH114
                yield Input(path, base=base, skip=LINK) if is_link else _unreadable(path, base)
                continue
            if (status.st_dev, status.st_ino) in apart:
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield from (
                    replace(found, stamp=(status.st_size, status.st_mtime_ns))
                    for found in _file(path, base, status, limits, scratch)
                )
                continue
            if path != str(named) and os.path.islink(path):  # noqa: PTH114
                yield Input(path, base=base, skip=LINK)
                continue
            try:
                names = os.listdir(path)  # noqa: PTH208
            except OSError:
                yield _unreadable(path, base)
                continue
            names.sort(key=os.fsencode, reverse=True)
            waiting += [os.path.join(path, name) for name in names]  # noqa: PTH118


def _file(
    path: str, base: str, status: os.stat_result, limits: ArchiveLimits, scratch: str | None
) -> Iterator[Input]:
    if not stat.S_ISREG(status.st_mode):
        yield Input(path, base=base, skip=NOT_REGULAR)
        return
    size = status.st_size
    kind = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            kind = kind_of(reader_of(descriptor), size, path)
            if kind is not None:
                yield from _archive(path, base, size, kind, descriptor, limits, scratch)
                return
        finally:
            os.close(descriptor)
    except Refused as refusal:
        yield Input(path, size, base, refuse=refusal.reason, archive_suffix=str(kind))
        return
    except OSError:
        yield _unreadable(path, base)
        return
    yield Input(path, size, base, is_named_dicom=_is_named_dicom(path))


def _archive(
    path: str,
    base: str,
    size: int,
    kind: ArchiveKind,
    descriptor: int,
    limits: ArchiveLimits,
    scratch: str | None,
) -> Iterator[Input]:
    """Give the members of an archive: all of them, or nothing and `Refused`."""
    if kind in NOT_READ:
        raise Refused(ArchiveReason.NOT_READ)
    if kind is ArchiveKind.ZIP:
        with open(path, "rb") as file, Archive(file, limits) as archive:  # noqa: PTH123
            entries = list(archive.entries(hidden=True))
        yield from (_entry(path, base, entry) for entry in entries)
        return
    unpacked: Unpacked | None = None
    if kind is ArchiveKind.GZIP:
        with GzipStream(path, limits, limits.total_bytes) as stream:
            start = stream.read_at(0, BLOCK)
            if not is_tar_header(start, is_marked=False):
                yield _packed_file(path, base, size, descriptor)
                return
            if scratch is None:
                members = list(tar_members(stream.read_at, None, limits))
            else:
                unpacked = Unpacked(path, scratch, limits)
                members = list(tar_members(unpacked.read_at, unpacked.size, limits))
    else:
        members_of = tar_members if kind is ArchiveKind.TAR else iso_members
        members = list(members_of(reader_of(descriptor), size, limits))
    for number, member in enumerate(members):
        yield _member(path, base, number, member, unpacked)


def _packed_file(path: str, base: str, size: int, descriptor: int) -> Input:
    """Return the one file in a gzip file."""
    # The length at the end is modulo 2**32, and lengthens the time limit only (RFC 1952 2.3.1).
    stated = int.from_bytes(os.pread(descriptor, 4, max(0, size - 4)), "little")
    name = os.path.basename(path).removesuffix(".gz")  # noqa: PTH119
    return Input(
        path,
        min(stated, 200 * size),
        base,
        member=0,
        member_name=name,
        is_named_dicom=_is_named_dicom(name),
        is_gzip=True,
    )


def _member(path: str, base: str, number: int, member: Member, unpacked: Unpacked | None) -> Input:
    is_link = member.reason == ArchiveReason.NOT_REGULAR
    return Input(
        path,
        member.size,
        base,
        number,
        member.name,
        skip=NOT_REGULAR if is_link else "",
        refuse="" if is_link else member.reason,
        can_be_copied=not member.reason,
        is_named_dicom=_is_named_dicom(member.name),
        stretches=member.stretches,
        unpacked=unpacked,
    )


def _entry(path: str, base: str, entry: Entry) -> Input:
    is_link = entry.reason == ArchiveReason.NOT_REGULAR
    return Input(
        path,
        entry.size,
        base,
        entry.index,
        entry.name,
        skip=NOT_REGULAR if is_link else "",
        refuse="" if is_link else entry.reason,
        can_be_copied=not entry.reason,
        is_named_dicom=_is_named_dicom(entry.name),
    )


def _is_named_dicom(name: str) -> bool:
    """Return whether a name claims to be DICOM; what macOS lays beside files (``._x.dcm``) does not."""
    last = name.rpartition("/")[2].lower()
    return last.endswith(_DICOM_SUFFIXES) and not last.startswith("._")


def _unreadable(path: str, base: str) -> Input:
    return Input(path, base=base, refuse=UNREADABLE, can_be_copied=False)
