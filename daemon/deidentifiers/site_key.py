"""Where the service's site key comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daemon.deidentifiers.key_file import (
    IN_STATE_DIR,
    credential_key_file,
    ensure_key_file,
    read_key_file,
)
from deid.errors import KeyRefused
from deid.identity.keys import SiteKey

if TYPE_CHECKING:
    from config import Settings


def site_key(settings: Settings, *, may_make: bool = True) -> SiteKey:
    """Return the site key: the configured file, systemd's credential, or one made at the first start.

    Parameters
    ----------
    may_make
        Whether this is a first start; else a key that is missing was lost.

    Raises
    ------
    KeyRefused
        When the file is missing, cannot be read, is open to others, or holds no usable key.
    """
    if settings.key.file is not None:
        return SiteKey(read_key_file(settings.key.file))
    credential = credential_key_file()
    if credential is not None:
        return SiteKey(read_key_file(credential))
    path = settings.state_dir / IN_STATE_DIR
    if not may_make and not os.path.lexists(path):
        raise KeyRefused(
            f"the site key {path} is missing, but instances were received with it: put it back, or begin"
            " another one deliberately by `dicomveil key new` or `dicomveil key import`"
        )
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SiteKey(ensure_key_file(path))
