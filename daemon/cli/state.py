"""The state folder as commands see it, whether a daemon runs on it or not."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from daemon.cli.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config import Settings
    from daemon.store.layout import Layout
    from daemon.store.ports import Session


@contextmanager
def connected(settings: Settings, *, query_only: bool = False) -> Iterator[tuple[Session, Layout]]:
    """Open a session on the state folder.

    Raises
    ------
    CommandFailed
        If there is none: nothing was ever received here.
    """
    from daemon.store.embedded import EMBEDDED  # noqa: PLC0415

    layout = existing(settings)
    with EMBEDDED.session(layout, query_only=query_only) as session:
        yield session, layout


def existing(settings: Settings) -> Layout:
    """Return the state folder's layout.

    Raises
    ------
    CommandFailed
        If it may not be looked into, or nothing was ever received there.
    """
    from daemon.store.layout import Layout  # noqa: PLC0415

    if not is_there(settings):
        raise CommandFailed(f"{settings.state_dir} holds no state of dicomveil (see state_dir)")
    return Layout(settings.state_dir)


def is_there(settings: Settings) -> bool:
    """Tell whether anything was ever received in the state folder.

    Raises
    ------
    CommandFailed
        If it may not be looked into.
    """
    from daemon.store.embedded import EMBEDDED  # noqa: PLC0415
    from daemon.store.layout import Layout  # noqa: PLC0415

    try:
        return EMBEDDED.exists(Layout(settings.state_dir))
    except PermissionError:
        raise CommandFailed(
            f"{settings.state_dir} belongs to another user; run this as that user"
        ) from None


def is_running(layout: Layout) -> bool:
    """Say whether a daemon works on the state folder."""
    from daemon.store.layout import is_locked  # noqa: PLC0415

    return is_locked(layout)


def instant(timestamp: float | None) -> str | None:
    """Return a point in time for people and programs: UTC, ISO 8601, whole seconds."""
    if timestamp is None:
        return None
    return (
        datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
