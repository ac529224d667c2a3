"""No witness is believed alone: what must agree in a state folder before a daemon works on it.

The rows say which blobs there are, the blobs say that there were rows, the key made what is in the destination.
One of them missing beside others is not a fresh start: going on would make a second patient of the first, or
leave what was acknowledged lying where nobody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.errors import DatabaseDamaged, StateIncomplete
from daemon.store.rows import Fact

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.layout import Layout
    from daemon.store.ports import Engine, Session
    from daemon.store.store_set import StoreSet


def refuse_several_file_systems(layout: Layout, stores: StoreSet | None = None) -> None:
    """Refuse a state folder in which a rename could fail, because its parts are mounted apart.

    Raises
    ------
    StateIncomplete
        Naming the parts.
    """
    folders: list[Path] = [layout.spool, layout.work]
    if stores is not None:
        folders += [layout.blobs(store) for store in stores.all]
    home = layout.state_dir.stat().st_dev
    apart = [folder.name for folder in folders if folder.is_dir() and folder.stat().st_dev != home]
    if apart:
        raise StateIncomplete(
            f"{', '.join(apart)} in {layout.state_dir} on another file system than the folder itself; instances"
            " move between its parts by rename, so mount all of it together (see state_dir)"
        )


def refuse_damage(engine: Engine, layout: Layout) -> None:
    """Refuse a damaged database, as far as a quick look shows.

    Raises
    ------
    DatabaseDamaged
        Naming what can be done.
    """
    if not engine.exists(layout):
        return
    problems = engine.problems(layout, thorough=False)
    if problems:
        raise DatabaseDamaged(
            f"the database in {layout.state_dir} is damaged ({problems[0]}): put a sound copy in its place,"
            " try `dicomveil fsck --repair`, or have `dicomveil fsck --reindex` make it anew from the stored"
            " instances"
        )


def refuse_missing_rows(layout: Layout, *, are_there: bool) -> None:
    """Refuse a state folder that has blobs and no rows.

    Raises
    ------
    StateIncomplete
        Naming what can be done.
    """
    if are_there or not layout.holds_blobs():
        return
    raise StateIncomplete(
        f"the database in {layout.state_dir} is missing or empty, but instances are stored there: put back the"
        " database that belongs to them, or have `dicomveil fsck --reindex` make it anew from them (what that"
        " cannot take back, `dicomveil fsck --repair` moves to lost+found), or name another state_dir to begin"
        " with nothing"
    )


def refuse_missing_blobs(layout: Layout, session: Session, stores: StoreSet) -> None:
    """Refuse a state folder whose rows show instances in a store that has not a single blob.

    Raises
    ------
    StateIncomplete
        Naming the folder, and what can be done.
    """
    for store in (*stores.in_use, *stores.others):
        rows = session.instances.page(store, 0, 1)
        if rows and next(iter(stores.blobs_of(store).names()), None) is None:
            raise StateIncomplete(
                f"{store.folder} in {layout.state_dir} is missing or empty, but the database shows instances"
                " in it: put the folder back (was it mounted, was it restored?), or have"
                " `dicomveil fsck --repair` take them for lost"
            )


def has_no_key(session: Session) -> bool:
    """Tell whether no key can have made anything here: a first start may make one."""
    return not session.facts.get(Fact.KEY_ID) and session.receipts.is_empty()


def refuse_other_key(session: Session, key_id: str) -> None:
    """Refuse a key other than the one whose replacements are in the destination; remember the first.

    Part of the caller's transaction.

    Raises
    ------
    StateIncomplete
        Naming both by their ids, and what can be done.
    """
    known = session.facts.get(Fact.KEY_ID)
    if known == key_id:
        return
    if known:
        raise StateIncomplete(
            f"the site key {key_id} is not the one that made what is stored here ({known}): known patients"
            " would get other pseudonyms, UIDs and dates. Put that key back, or accept another one"
            " deliberately by `dicomveil key import` or `dicomveil key new`"
        )
    session.facts.set(Fact.KEY_ID, key_id)


def accept_other_key(session: Session, key_id: str) -> None:
    """Remember that what is made from now on is made with this key, and by which the rest was.

    Part of the caller's transaction.
    """
    known = session.facts.get(Fact.KEY_ID)
    if known and known != key_id and not session.receipts.is_empty():
        earlier = [each for each in earlier_keys(session) if each != known]
        session.facts.set(Fact.EARLIER_KEY_IDS, " ".join([*earlier, known]))
    session.facts.set(Fact.KEY_ID, key_id)


def earlier_keys(session: Session) -> list[str]:
    """Return the ids of the keys before the one in use that may have made what is stored, in order."""
    return session.facts.get(Fact.EARLIER_KEY_IDS).split()


def remember_credential(session: Session, *, is_credential: bool) -> None:
    """Remember whether the service has its key as a credential, which nobody else sees."""
    if had_credential(session) != is_credential:
        session.facts.set(Fact.KEY_IS_CREDENTIAL, "yes" if is_credential else "")


def had_credential(session: Session) -> bool:
    """Tell whether the service had its key as a credential when it started last."""
    return bool(session.facts.get(Fact.KEY_IS_CREDENTIAL))
