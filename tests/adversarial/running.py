"""The engine run over the corpus under a shipped preset, once per process."""

from __future__ import annotations

from functools import cache
from typing import Any

import deid
from config import presets
from tests.adversarial.corpus import corpus

KEY = deid.SiteKey(bytes(range(32)))


def plan_of(preset: str) -> deid.Plan:
    """Compile a shipped preset; pixels are not the matter here."""
    configuration: dict[str, Any] = presets.resolve(preset)
    configuration.pop("image", None)
    ours = {**configuration.get("dicomveil", {}), "burnedIn": "pass"}
    return deid.compile_plan({**configuration, "dicomveil": ours}, KEY)


def result_of(source: bytes, plan: deid.Plan) -> bytes:
    """Return what the engine makes of a file; raises `deid.Unsafe` where it refuses."""
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in deid.deidentify(source, plan).segments
    )


@cache
def outputs(preset: str) -> dict[str, bytes | str]:
    """Return what the engine makes of each place: a file, or why it refuses."""
    plan = plan_of(preset)
    made: dict[str, bytes | str] = {}
    for place in corpus():
        try:
            made[place.id] = result_of(place.content, plan)
        except deid.Unsafe as refusal:
            made[place.id] = refusal.reason.value
    return made
