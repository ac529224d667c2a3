"""Where a dropped file lay and what it was called, as keyed hashes.

Files that belong together (an image and what tells of it) lie in one folder or archive, or share a name up to
its last full stop. That must be known after the names are gone, and names must not be kept: they name patients.
So a receipt has two keyed hashes, which tell equal from different and nothing else. One that a killed run left
in our own folder has lost its name; it has none.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.receive.watch.settling import Found

_HASH_BYTES: Final = 16


class Drop(NamedTuple):
    """Hashes of the folder or archive, and of the name in it."""

    folder: str = ""
    name: str = ""


UNKNOWN: Final = Drop()


class Drops:
    """Makes hashes of places below one watched folder.

    Parameters
    ----------
    secret
        The site's, for this purpose (`deid.identity.keys.SiteKey.secret_for`).
    root
        The watched folder as configured.
    """

    def __init__(self, secret: bytes, root: Path) -> None:
        self._secret = secret
        self._root = str(root)

    def of_file(self, found: Found) -> Drop:
        """Return the hashes of a file in the folder."""
        if found.ours:
            return UNKNOWN
        return self._drop("folder", (self._root, *found.folder), found.name)

    def of_entry(self, archive: Found, entry_name: str) -> Drop:
        """Return the hashes of an entry: its folder in that archive, and its name in that."""
        *folders, name = entry_name.replace("\\", "/").split("/")
        place = (self._root, *archive.folder, archive.name)
        return self._drop("archive", (*place, "", *folders), name)

    def _drop(self, kind: str, place: Sequence[str], name: str) -> Drop:
        stem = name.rpartition(".")[0] or name
        return Drop(self._hash(kind, *place), self._hash("name", stem))

    def _hash(self, *parts: str) -> str:
        # No part of a path has a NUL.
        message = b"\0".join(os.fsencode(part.replace("\0", "")) for part in parts)
        return hmac.digest(self._secret, message, "sha256")[:_HASH_BYTES].hex()
