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


@cache
def outputs(preset: str) -> dict[str, bytes | str]:
    """Return what the engine makes of each place: a file, or why it refuses."""
    plan = plan_of(preset)
    made: dict[str, bytes | str] = {}
    for place in corpus():
        source = place.content
        try:
            result = deid.deidentify(source, plan)
        except deid.Unsafe as refusal:
            made[place.id] = refusal.reason.value
            continue
        made[place.id] = b"".join(
            part if isinstance(part, bytes) else source[part.start : part.stop]
            for part in result.segments
        )
    return made
