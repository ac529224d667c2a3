"""The API put together over the stores of a state folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daemon.healthcare import service
from daemon.healthcare.datasets import Datasets
from daemon.healthcare.deidentify import Deidentify
from daemon.healthcare.deleting import Deleting
from daemon.healthcare.measuring import Measuring
from daemon.healthcare.operations import Operations
from daemon.healthcare.relay import Relay
from daemon.healthcare.store_methods import StoreMethods
from daemon.healthcare.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from daemon.healthcare.calls import Handlers
    from daemon.healthcare.files import AllowedFiles
    from daemon.healthcare.relay import Services
    from daemon.store.stores import Stores
    from dicomweb.patience import Patience


def handlers(
    stores: Stores,
    files: AllowedFiles,
    begun: Callable[[], None],
    *,
    clock: Callable[[], float] = time.time,
) -> Handlers:
    """Return who answers which method.

    Parameters
    ----------
    files
        What requests may name.
    begun
        Called when there is a new operation to do.
    """
    return {
        **Datasets(stores, clock).handlers,
        **StoreMethods(stores, begun, clock).handlers,
        **Deleting(stores, clock).handlers,
        **Deidentify(stores, files, begun, clock).handlers,
        **Measuring(stores.database).handlers,
        **Transfers(stores.database, files, begun, clock).handlers,
        **Operations(stores.database).handlers,
    }


def applications(
    answering: Handlers, services: Services, patience: Patience
) -> dict[str, web.Application]:
    """Return the API's versions by the path that each is to be mounted at with ``add_subapp``."""
    return service.applications(answering, patience, Relay(services, patience))
