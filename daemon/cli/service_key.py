"""What the state folder remembers of the service's key, for commands that may not see that key.

systemd hands a credential to the service alone. A command that looked for the key where it would lie otherwise
would find none, or another, and make pseudonyms that are not the service's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from daemon.cli import state
from daemon.cli.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from config import Settings

UNSEEN = "the credential dicomveil.key of systemd, which this command does not see"


class Remembered(NamedTuple):
    """What is known of the keys of a state folder.

    Attributes
    ----------
    key_id
        Of the one that was accepted last; empty if none ever was.
    earlier
        Those of the ones before that may have made what is stored.
    is_credential
        Whether the service had its key as a credential when it started last.
    """

    key_id: str = ""
    earlier: tuple[str, ...] = ()
    is_credential: bool = False


def remembered(settings: Settings) -> Remembered:
    """Return what the state folder remembers.

    Raises
    ------
    CommandFailed
        If it may not be looked into.
    """
    from daemon.store import witnesses  # noqa: PLC0415
    from daemon.store.rows import Fact  # noqa: PLC0415

    if not state.is_there(settings):
        return Remembered()
    with state.connected(settings, query_only=True) as (session, _):
        return Remembered(
            session.facts.get(Fact.KEY_ID),
            tuple(witnesses.earlier_keys(session)),
            witnesses.had_credential(session),
        )


def is_unseen(
    known: Remembered, settings: Settings, environ: Mapping[str, str] | None = None
) -> bool:
    """Tell whether the service has a credential, and this process has not."""
    from daemon.deidentifiers.site_key import key_place  # noqa: PLC0415

    return known.is_credential and key_place(settings, environ).is_ours


def refuse_unseen(settings: Settings) -> None:
    """Refuse to do without the service's key what only that key does right.

    Raises
    ------
    CommandFailed
        Naming what can be done.
    """
    known = remembered(settings)
    if is_unseen(known, settings):
        raise CommandFailed(
            f"the service has its key ({known.key_id}) as {UNSEEN}: name the key's file by"
            " DICOMVEIL_KEY__FILE"
        )


def refuse_other(known: Remembered, settings: Settings, file: Path, key_id: str) -> None:
    """Refuse a key that nobody has named and that is not the one of the service on this machine.

    Parameters
    ----------
    file
        Where the key lies that would be used.
    key_id
        Its id; empty if it would have to be made.

    Raises
    ------
    CommandFailed
        Naming what can be done.
    """
    if not known.key_id or known.key_id == key_id:
        return
    found = f"{file} holds {key_id}" if key_id else f"there is no {file}"
    why = (
        f"the service has it as {UNSEEN}"
        if is_unseen(known, settings)
        else "that key is not in its place"
    )
    raise CommandFailed(
        f"what {settings.state_dir} stores was made with key {known.key_id}, and {why} ({found}): other"
        " pseudonyms, UIDs and dates would come of it. Name a key with --key-file, the service's or"
        " deliberately another"
    )
