"""The engine run over the corpus under a shipped preset, once per process."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Made:
    """What the engine makes of a file: another, and what it tells of it."""

    content: bytes
    told: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the engine refuses a file, and where."""

    reason: str
    where: str


def result_of(source: bytes, plan: deid.Plan) -> bytes:
    """Return what the engine makes of a file; raises `deid.Unsafe` where it refuses."""
    return _joined(source, deid.deidentify(source, plan))


def made_of(source: bytes, plan: deid.Plan) -> Made | Refused:
    """Return what the engine makes of a file, or why it refuses."""
    try:
        result = deid.deidentify(source, plan)
    except deid.Unsafe as refusal:
        return Refused(refusal.reason.value, refusal.where)
    return Made(_joined(source, result), result.outcome.to_json())


@cache
def everything_made(preset: str) -> dict[str, Made | Refused]:
    """Return what the engine makes of each place, by its id."""
    plan = plan_of(preset)
    return {place.id: made_of(place.content, plan) for place in corpus()}


@cache
def outputs(preset: str) -> dict[str, bytes | str]:
    """Return what the engine makes of each place: a file, or why it refuses."""
    return {
        name: each.content if isinstance(each, Made) else each.reason
        for name, each in everything_made(preset).items()
    }


def _joined(source: bytes, result: deid.Deidentified) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
