"""What the associations of one server have in common."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from daemon.receive.dimse.admission import Connection

if TYPE_CHECKING:
    from config.settings import Dimse
    from daemon.ports import Spool
    from daemon.receive.dimse.admission import Admission
    from daemon.receive.dimse.events import ReceiverEvents


@dataclass(slots=True)
class Service(Generic[Connection]):
    """Settings, parts and connections of a server.

    Attributes
    ----------
    has_negotiated
        Whether an association was negotiated in this turn of the loop. The largest request takes some 40 ms.
    """

    settings: Dimse
    spool: Spool
    events: ReceiverEvents
    admission: Admission[Connection]
    tasks: asyncio.TaskGroup
    connections: set[Connection] = field(default_factory=set)
    all_gone: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False
    has_negotiated: bool = False

    def begin_to_negotiate(self) -> None:
        """Use up this turn of the loop."""
        self.has_negotiated = True
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self.has_negotiated = False
