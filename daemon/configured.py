"""What a site's settings mean to the parts that run by them: deidentifiers, routes, how resources are tied."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import structlog

from config.settings import Route as RouteSection
from daemon.deidentifiers.configuration_files import resolve
from daemon.deidentifiers.identifying import warnings_of_configuration
from daemon.pipeline.instance_workers import Deidentifier
from daemon.pipeline.routing import Route
from daemon.store.associating import Association

if TYPE_CHECKING:
    from config.settings import Settings
    from deid.identity.keys import SiteKey

_log = structlog.get_logger(__name__)
_OWN_SECTION: Final = "dicomveil"


def deidentifiers(settings: Settings, key: SiteKey) -> list[Deidentifier]:
    """Return the named configurations, each with the key that is its own.

    What is leniently understood, which kinds of data are not covered, and what still identifies is logged.

    Raises
    ------
    ConfigurationInvalid
        When one of them asks for what does not exist or contradicts itself.
    """
    named = {name: resolve(each.config) for name, each in settings.deidentifiers.items()}
    for name, configuration in named.items():
        for warning in warnings_of_configuration(configuration):
            reason, _colon, path = warning.partition(": ")
            _log.warning("configuration_lenient", deidentifier=name, reason=reason, setting=path)
    return [
        Deidentifier(name, configuration, key.derive(name)) for name, configuration in named.items()
    ]


def routes(settings: Settings) -> list[Route]:
    """Return the routes as the pipeline takes them; where a site has none, one that takes everything."""
    return [Route.of(each) for each in settings.routes or (RouteSection(),)]


def association(settings: Settings) -> Association:
    """Return how resources are tied to studies.

    Systems mean what any deidentifier's ``identityIssuers`` says; one that two of them understand differently
    means nothing.
    """
    issuers: dict[str, str] = {}
    contradictory = set()
    configurations = {}
    for name, each in settings.deidentifiers.items():
        configuration = resolve(each.config)
        configurations[name] = hashlib.sha256(
            json.dumps(configuration, sort_keys=True).encode()
        ).hexdigest()
        own = configuration.get(_OWN_SECTION, {})
        for system, issuer in own.get("identityIssuers", {}).items():
            if issuers.setdefault(system, issuer) != issuer:
                contradictory.add(system)
    names = {route.deidentifier for route in routes(settings)}
    return Association(
        {system: issuer for system, issuer in issuers.items() if system not in contradictory},
        names.pop() if len(names) == 1 else "",
        configurations,
        settings.fhir.unassociated_after_s,
    )


def largest_instance(settings: Settings) -> int:
    """Return the most bytes that a file of one instance may have, whichever way it comes."""
    limits = (
        settings.dimse.max_instance_bytes or 1 << 62,
        settings.http.max_instance_bytes,
        *(watch.max_file_bytes for watch in settings.watch),
    )
    return max(limits) + (1 << 16)
