"""What a file is that is no DICOM file: an archive that is entered, one that is not read, or neither."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daemon.batch.archives.tar_headers import BLOCK, is_tar_header

if TYPE_CHECKING:
    from daemon.batch.archives.stretches import ReadAt

_PREFIX_AT = 128
_ISO_AT: Final = 16 * 2048 + 1  # ECMA-119 6.7.1.1, 8.1.2: the first volume descriptor's identifier
_ISO_IDS: Final = (b"CD001", b"BEA01")


class ArchiveKind(StrEnum):
    """How an archive is told from its first bytes; the values are suffixes."""

    ZIP = ".zip"
    TAR = ".tar"
    GZIP = ".gz"
    ISO = ".iso"
    SEVEN_ZIP = ".7z"
    RAR = ".rar"
    BZIP2 = ".bz2"
    XZ = ".xz"
    ZSTD = ".zst"
    LZ4 = ".lz4"
    COMPRESS = ".Z"
    CABINET = ".cab"


NOT_READ: Final = frozenset(ArchiveKind) - {
    ArchiveKind.ZIP,
    ArchiveKind.TAR,
    ArchiveKind.GZIP,
    ArchiveKind.ISO,
}
"""Named as what they are, and not read: their methods let a small file ask for gigabytes of memory."""

_STARTS: Final = (
    (b"PK\x03\x04", ArchiveKind.ZIP),
    (b"PK\x05\x06", ArchiveKind.ZIP),
    (b"\x1f\x8b\x08", ArchiveKind.GZIP),
    (b"7z\xbc\xaf\x27\x1c", ArchiveKind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", ArchiveKind.RAR),
    (b"BZh", ArchiveKind.BZIP2),
    (b"\xfd7zXZ\x00", ArchiveKind.XZ),
    (b"\x28\xb5\x2f\xfd", ArchiveKind.ZSTD),
    (b"\x04\x22\x4d\x18", ArchiveKind.LZ4),
    (b"\x1f\x9d", ArchiveKind.COMPRESS),
    (b"MSCF\x00\x00\x00\x00", ArchiveKind.CABINET),
)
_BZIP2_BLOCK: Final = (b"1AY&SY", b"\x17rE8P\x90")


def kind_of(read_at: ReadAt, size: int, name: str = "") -> ArchiveKind | None:
    """Return which archive begins here; None for a DICOM file and for what is no archive.

    Parameters
    ----------
    name
        An old tar archive has no mark; one is taken for it when its name and its check sum say so.
    """
    start = read_at(0, BLOCK)
    if start[_PREFIX_AT : _PREFIX_AT + 4] == b"DICM":
        return None
    for magic, kind in _STARTS:
        if start.startswith(magic) and (
            kind is not ArchiveKind.BZIP2 or start[4:10] in _BZIP2_BLOCK
        ):
            return kind
    if is_tar_header(start, is_marked=not name.lower().endswith(".tar")):
        return ArchiveKind.TAR
    if size > _ISO_AT and read_at(_ISO_AT, 5) in _ISO_IDS:
        return ArchiveKind.ISO
    return None
