"""The file that holds the site key: read, made, or handed over by systemd.

The key never comes from the command line or the environment. It is 32 random bytes, or the same
written as 64 hexadecimal digits, in a file that nobody but its owner may read.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import KeyRefused
from deid.identity.keys import KEY_BYTES, SiteKey

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIAL = "dicomveil.key"
IN_STATE_DIR = "site.key"
"""Name of the key that is made in the state folder at the first start."""
_MOST_BYTES = 2 * KEY_BYTES + 2  # hexadecimal digits and a line end


def read_key_file(path: Path) -> bytes:
    """Return the 32 secret bytes that a key file holds.

    Parameters
    ----------
    path
        A regular file of 32 raw bytes, or of 64 hexadecimal digits and perhaps a line end.

    Raises
    ------
    KeyRefused
        If it is missing, is not a regular file, may be read or written by group or others, belongs
        to another user, or does not hold a key that `deid.identity.keys.SiteKey` accepts. The message names
        the file and what to do, never what it holds.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyRefused(f"key file {path} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyRefused(f"key file {path} is not a regular file")
        if status.st_mode & _forbidden_mode(path):
            mode = stat.S_IMODE(status.st_mode)
            raise KeyRefused(f"key file {path} is open to others (mode {mode:04o}); chmod 600 it")
        if status.st_uid not in {os.geteuid(), 0}:
            raise KeyRefused(f"key file {path} belongs to another user")
        content = os.read(descriptor, _MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    secret = _decode(content)
    if secret is None:
        raise KeyRefused(
            f"key file {path} must hold {KEY_BYTES} raw bytes or {2 * KEY_BYTES} hexadecimal digits"
        )
    try:
        SiteKey(secret)
    except KeyRefused as error:
        raise KeyRefused(f"key file {path}: {error}") from error
    return secret


def ensure_key_file(path: Path) -> bytes:
    """Return the key in `path`, after making the file with 32 random bytes if there is none.

    The file appears whole or not at all, durably and with mode 0600; of several processes that
    start together one makes it and the others read it. A file that exists is never changed.

    Raises
    ------
    KeyRefused
        If the file cannot be made, or exists and `read_key_file` refuses it.
    """
    if not os.path.lexists(path):
        try:
            _make(path, new_secret())
        except FileExistsError:
            pass  # another process was first
        except OSError as error:
            raise KeyRefused(f"key file {path} cannot be made: {error.strerror}") from error
    return read_key_file(path)


def replace_key_file(path: Path, secret: bytes) -> Path | None:
    """Put a key in the place of the one in `path`, durably; return where the earlier one lies now.

    That is ``<name>.<key id>`` beside it, so that nothing of it is lost.

    Raises
    ------
    KeyRefused
        If the secret is no key, what is there cannot be read, or the folder cannot be written to.
    """
    SiteKey(secret)
    earlier = None
    try:
        if os.path.lexists(path):
            earlier = path.with_name(f"{path.name}.{SiteKey(read_key_file(path)).id}")
            path.rename(earlier)
        _make(path, secret)
    except OSError as error:
        raise KeyRefused(f"key file {path} cannot be made: {error.strerror}") from error
    return earlier


def new_secret() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def credential_key_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the key file that systemd's ``LoadCredential=dicomveil.key:...`` provides, if any."""
    folder = (os.environ if environment is None else environment).get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        return None
    path = Path(folder) / CREDENTIAL
    return path if path.exists() else None


def _forbidden_mode(path: Path) -> int:
    # systemd grants a credential to the service's user by an access control list, whose mask
    # shows as group read; the folder above it is closed to everybody else.
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return 0o037 if folder and path.parent == Path(folder) else 0o077


def _decode(content: bytes) -> bytes | None:
    if len(content) == KEY_BYTES:
        return content
    try:
        text = content.decode("ascii").strip()
        return bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else None
    except ValueError:
        return None


def _make(path: Path, secret: bytes) -> None:
    # Written under another name and linked: a reader never sees a file with half a key.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(partial, flags, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, secret)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(partial, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
