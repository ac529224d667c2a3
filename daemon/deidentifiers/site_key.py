"""Where the service's site key comes from; the one place that knows the order in which it is looked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from daemon.deidentifiers.key_file import (
    IN_STATE_DIR,
    credential_key_file,
    ensure_key_file,
    read_key_file,
)
from deid.errors import KeyRefused
from deid.identity.keys import SiteKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from config import Settings


class KeyPlace(NamedTuple):
    """Where a site key lies, or would lie; the one in the state folder is ours, and made by the first start."""

    path: Path
    is_ours: bool
    is_credential: bool = False


def key_place(settings: Settings, environ: Mapping[str, str] | None = None) -> KeyPlace:
    """Return where the service's key is: the configured file, else systemd's credential, else its state folder.

    Everybody asks here, so that the service and the commands never use different keys.
    """
    named = settings.key.file or credential_key_file(environ)
    if named is not None:
        return KeyPlace(named, is_ours=False, is_credential=settings.key.file is None)
    return KeyPlace(settings.state_dir / IN_STATE_DIR, is_ours=True)


def site_key(settings: Settings, *, may_make: bool = True) -> SiteKey:
    """Return the site key, after making one in the state folder at the first start.

    Parameters
    ----------
    may_make
        Whether this is a first start; else a key that is missing was lost.

    Raises
    ------
    KeyRefused
        When the file is missing, cannot be read, is open to others, or holds no usable key.
    """
    path, is_ours, _ = key_place(settings)
    if not is_ours:
        return SiteKey(read_key_file(path))
    if not may_make and not os.path.lexists(path):
        raise KeyRefused(
            f"the site key {path} is missing, but instances were received with it: put it back, or begin"
            " another one deliberately by `dicomveil key new` or `dicomveil key import`"
        )
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SiteKey(ensure_key_file(path))
