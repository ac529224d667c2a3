"""Deidentifiers that come with a job: what an operation asks for is in no configuration of the service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import deid
from deid.identity.keys import SiteKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.records import OwnDeidentifier
    from daemon.workers.frames import Message
    from deid.ports import Engines

OWN: Final = "own"
_MOST: Final = 8


def with_own(message: Message, own: OwnDeidentifier | None) -> Message:
    """Return a job's message with the deidentifier that it is for, if it is for one of its own."""
    if own is not None:
        message.header[OWN] = {
            "name": own.name,
            "configuration": own.configuration,
            "key": own.key.hex(),
        }
    return message


class OwnPlans:
    """Compiles what comes with jobs, and keeps the last few.

    Parameters
    ----------
    plans
        By name, those of the service's configuration; plans of jobs are put beside them. No name is of both
        kinds, as configured names have no colon.
    """

    def __init__(self, plans: dict[str, deid.Plan], engines: Engines) -> None:
        self._plans = plans
        self._engines = engines
        self._own: list[str] = []

    def take(self, header: Mapping[str, Any]) -> str:
        """Return the name of the deidentifier that a job comes with, ready to be used; empty if with none."""
        own = header.get(OWN)
        if own is None:
            return ""
        name = str(own["name"])
        if name not in self._plans:
            key = SiteKey(bytes.fromhex(own["key"]))
            configuration = json.loads(own["configuration"])
            self._plans[name] = deid.compile_plan(
                configuration, key, engines=self._engines
            ).prepare()
            self._own.append(name)
            if len(self._own) > _MOST:
                del self._plans[self._own.pop(0)]
        return name
