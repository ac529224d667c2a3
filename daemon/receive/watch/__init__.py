"""Watched folders: files that people and machines drop are taken into the spool.

`folder` is where to begin reading: it runs one watched folder. `inbox` is that folder as it lies on the
disk, `entries` what in it may be taken, `descriptors` how files are reached without following links;
`settling` decides when a file is worth looking at, `writers` tells whether somebody still writes to it;
`claims` is a file taken hold of; `intake` pours into the spool, `archives` does so entry by entry; `wakeups`
turns inotify events into early scans; `record` remembers what was taken from a folder whose files stay.
"""

from __future__ import annotations

from daemon.receive.watch.events import NoEvents, WatchEvents
from daemon.receive.watch.folder import WatchedFolder

__all__ = ["NoEvents", "WatchEvents", "WatchedFolder"]
