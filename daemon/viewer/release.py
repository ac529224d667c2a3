"""The release of OHIF that the service is tested with, pinned by what its package holds."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE: Final = "@ohif/app"
VERSION: Final = "3.13.2"
INTEGRITY: Final = (
    "sha512-"
    "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
)
"""As lock files of npm write it: a digest of the whole tarball, in base64."""


def is_pinned(tarball: Path) -> bool:
    """Tell whether a file is the package of this release, byte for byte."""
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return f"sha512-{base64.b64encode(digest).decode('ascii')}" == INTEGRITY
