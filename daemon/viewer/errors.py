"""What keeps the viewer from being installed.

::

    DaemonError
    `-- ViewerRefused
        |-- PackageRefused    what was given is not the viewer, or would write where it must not
        `-- PackageNotFetched npm is not here, or does not get it

The messages name packages and limits, and what the operator typed.
"""

from __future__ import annotations

from daemon.errors import DaemonError


class ViewerRefused(DaemonError):
    """Base of what keeps the viewer from being installed."""


class PackageRefused(ViewerRefused):
    """What was given is not the viewer, is damaged, or goes beyond the limits."""


class PackageNotFetched(ViewerRefused):
    """The package did not come."""
