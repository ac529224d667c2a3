"""Whether somebody may still be writing to a file, as far as this machine can tell.

Size and time say little: a writer that pauses changes neither, and one that was given its room beforehand
changes no size. What is open for writing is known on file systems of this machine (a lease is refused);
what only looks finished is told by its end, which a preallocated file has nothing in.

Everything here blocks and is called on a thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
from enum import Enum, auto
from pathlib import Path
from typing import Final

_REMOTE: Final = frozenset(
    {
        0x6969,  # NFS
        0x517B,  # SMB
        0xFF534D42,  # CIFS
        0xFE534D42,  # SMB2
        0x65735546,  # FUSE
        0x01021997,  # 9P
        0x00C36400,  # Ceph
        0x5346414F,  # AFS
        0x6B414653,  # kAFS
        0x73757245,  # Coda
        0x7461636F,  # OCFS2
        0x01161970,  # GFS2
        0x0BD00BD0,  # Lustre
        0x19830326,  # BeeGFS
        0x47504653,  # GPFS
        0x786F4256,  # VirtualBox
        0xBACBACBC,  # VMware
        0x564C,  # NCP
    }
)
"""Magic numbers of file systems that others write to without this kernel knowing (statfs(2))."""
_STATFS_BYTES: Final = 256
_TAIL_BYTES: Final = 4096
_SMALLEST_TAIL_BYTES: Final = 64
_TAIL_SHARE: Final = 8
_WRITING: Final = os.O_WRONLY | os.O_RDWR


class Writers(Enum):
    """What is known of writers."""

    NONE = auto()
    SOME = auto()
    UNKNOWN = auto()


class Tail(Enum):
    """How a file ends."""

    FILLED = auto()
    ZEROS = auto()
    """Nothing but zeros, as a picture's black border may be, or room that is still to be filled."""
    HOLE = auto()
    """Room that was never written to."""


def writers_of(descriptor: int) -> Writers:
    """Return whether anybody has the open file open for writing."""
    if is_remote(descriptor):
        return Writers.SOME if _writers_by_proc(descriptor) is Writers.SOME else Writers.UNKNOWN
    # A lease is granted only when nobody has. It is given back at once; should a writer come in that
    # moment, the kernel tells us by a signal, which must not be SIGIO, whose default is to end us.
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        # EACCES: of another user's file we may not have one. Others: not on this file system.
        return Writers.SOME if error.errno == errno.EAGAIN else _writers_by_proc(descriptor)
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return Writers.NONE


def is_remote(descriptor: int) -> bool:
    """Return whether others may write to the file system without this kernel knowing."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(descriptor, buffer):
        return True
    # struct statfs begins with f_type, a word of the machine.
    magic = int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], "little")
    return magic & 0xFFFFFFFF in _REMOTE


def tail_of(descriptor: int, size: int) -> Tail:
    """Return how an open file of so many bytes ends."""
    if not size:
        return Tail.FILLED
    with contextlib.suppress(OSError):
        try:
            os.lseek(descriptor, size - 1, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return Tail.HOLE
    length = min(size, _TAIL_BYTES, max(size // _TAIL_SHARE, _SMALLEST_TAIL_BYTES))
    return Tail.FILLED if os.pread(descriptor, length, size - length).strip(b"\0") else Tail.ZEROS


def _writers_by_proc(descriptor: int) -> Writers:
    """Look through the descriptors of all processes, as far as we may."""
    wanted = os.fstat(descriptor)
    verdict = Writers.NONE
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            numbers = [each.name for each in (process / "fd").iterdir()]
        except FileNotFoundError:
            continue
        except OSError:
            verdict = Writers.UNKNOWN
            continue
        if any(_writes(process, number, wanted) for number in numbers):
            return Writers.SOME
    return verdict


def _writes(process: Path, number: str, wanted: os.stat_result) -> bool:
    try:
        if not os.path.samestat((process / "fd" / number).stat(), wanted):
            return False
        told = (process / "fdinfo" / number).read_text()
    except OSError:
        return False
    flags = next((line.split()[1] for line in told.splitlines() if line.startswith("flags:")), "0")
    return bool(int(flags, 8) & _WRITING)


_libc = ctypes.CDLL(None, use_errno=True)
