"""What a site decides, for parts under test: the sections' own defaults, and what a test changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from config.settings import Pixels, Spool, Workers
from config.settings import Route as RouteSection
from daemon.engines.pixels import PixelSettings
from daemon.pipeline.routing import Route
from daemon.store.spool import SpoolLimits
from daemon.workers.limits import Limits


def make_limits(**changes: Any) -> Limits:
    """Return a worker's limits."""
    return replace(Limits.of(Workers()), **changes)


def make_spool_limits(**changes: int) -> SpoolLimits:
    """Return how much may wait in a spool."""
    return replace(SpoolLimits.of(Spool()), **changes)


def make_pixels(**changes: Any) -> PixelSettings:
    """Return how pixels are looked at."""
    return PixelSettings.of(Pixels(**changes))


def make_route(deidentifier: str = "default", **conditions: Any) -> Route:
    """Return a route; without conditions it takes everything."""
    return Route.of(RouteSection(deidentifier=deidentifier, **conditions))
