"""Files without a name, for what identified data passes through on its way."""

from __future__ import annotations

import os
import secrets


def unnamed_file(folder: str) -> int:
    """Return a new file that has no name and is gone when it is closed, even by SIGKILL.

    It holds identified data for a moment. Where the file system has no such files it has one of ours
    (`daemon.batch.output`) until it is opened, which is before anything is written to it.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except OSError:
        name = f"{folder}/.dicomveil-{secrets.token_hex(8)}.part"
        descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        os.unlink(name)  # noqa: PTH108 - strings here, as everywhere in a job
        return descriptor
