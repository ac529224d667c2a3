"""The second tour: what a hospital keeps of a study, dropped beside its images, tells the same story."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from daemon.cli import output
from daemon.synthetic.patients import PATIENTS
from daemon.synthetic.resources import study_resources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TextIO

    from pydicom.dataset import Dataset

    from daemon.demo.service import Addresses

_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.3
_TOLD: Final = ("Patient", "ServiceRequest", "ImagingStudy", "DiagnosticReport")


async def show_resources(
    datasets: Sequence[Dataset], addresses: Addresses, inbox: Path, stream: TextIO
) -> None:
    """Drop the resources of a study, wait for their results, and print what these say."""
    resources = study_resources(PATIENTS[0], datasets)
    for each in resources:
        partial = inbox / f".{each['id']}.part"
        await asyncio.to_thread(partial.write_bytes, json.dumps(each).encode())
        os.rename(partial, inbox / f"{each['id']}.json")  # noqa: PTH104 - the plain word for what happens
    found = await _results(addresses, len(resources))
    output.print_table(
        ("FHIR resource", "became", "of", "tells"),
        [
            (kind, each["id"], _subject_of(each), _told(each))
            for kind in _TOLD
            for each in found
            if each["resourceType"] == kind
        ],
        title="Resources dropped beside the CT study, as they may leave",
        stream=stream,
    )


async def _results(addresses: Addresses, wanted: int) -> list[dict[str, Any]]:
    """Return what the store of results has, once it is as much as was dropped, or after a while."""
    deadline = time.monotonic() + _DEADLINE_S
    timeout = aiohttp.ClientTimeout(total=_DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            async with session.get(f"{addresses.base}/fhir/deid/$export") as response:
                found = [json.loads(line) for line in (await response.read()).splitlines()]
            if len(found) >= wanted or time.monotonic() > deadline:
                return found
            await asyncio.sleep(_POLL_S)


def _subject_of(resource: dict[str, Any]) -> str:
    return str(resource.get("subject", {}).get("reference", ""))


def _told(resource: dict[str, Any]) -> str:
    """Return the first of what makes it useful: when, or which study, or who."""
    for name in ("started", "effectiveDateTime", "authoredOn", "birthDate"):
        if name in resource:
            return f"{name} {resource[name]}"
    return ""
