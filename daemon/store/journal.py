"""What became of received instances, read from the service's state while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.errors import DaemonError
from daemon.records import State
from daemon.store.embedded import EMBEDDED
from daemon.store.layout import Layout
from daemon.store.rows import Role, StoreKind

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.store.rows import Arrival

SETTLED: Final = frozenset(
    {State.STORED, State.DUPLICATE, State.QUARANTINED, State.UNROUTED, State.DISCARDED}
)
"""Where nothing more happens to an instance by itself."""

_PAGE: Final = 1000


def read_journal(state_dir: Path, after: int = 0) -> list[Arrival]:
    """Return up to 1000 receipts that came after number `after`, in the order of arrival.

    A state that does not exist yet, or is being made, has none.
    """
    layout = Layout(state_dir)
    if not EMBEDDED.exists(layout):
        return []
    try:
        with EMBEDDED.session(layout, query_only=True) as session:
            of_role = {
                store.role: store for store in session.stores.all() if store.kind is StoreKind.DICOM
            }
            return session.receipts.arrivals(
                of_role[Role.SOURCE], of_role[Role.DESTINATION], after, _PAGE
            )
    except DaemonError:
        return []
