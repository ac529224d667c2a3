"""Which methods the API has, in which version, and which of them a request means.

The table is Google's (``methods.csv``, made by ``python -m tests.healthcare_tables``); nothing is decided here.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS: Final = ("v1", "v1beta1")
PROJECT: Final = "[^/:]+(?::[^/:]+)?"
"""What a project's id looks like: those of an organization have its domain before a colon."""
_PARAMETER: Final = "{}"
# Of bulk data the last parameter is a path.
_REST: Final = "bulkdata/{}/{}"
_BLOB_SETTINGS: Final = "dicomWeb/studies/{}:setBlobStorageSettings"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the API.

    Attributes
    ----------
    name
        As in the discovery document, without ``healthcare.`` in front.
    path
        With ``{}`` for each parameter.
    """

    name: str
    verb: str
    path: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meant:
    """The method that a request means, and its path's parameters in order."""

    method: Method
    parameters: tuple[str, ...]


OWN: Final = (
    Method(
        "dicomveil.operations.failures",
        "GET",
        "projects/{}/locations/{}/datasets/{}/operations/{}:failures",
        VERSIONS,
    ),
)
"""Methods beside Google's: what an operation could not do, and why."""


@cache
def methods() -> tuple[Method, ...]:
    """Return every method of both versions."""
    text = files("daemon.healthcare").joinpath("methods.csv").read_text("utf-8")
    return tuple(
        Method(row["method"], row["verb"], row["path"], tuple(row["versions"].split()))
        for row in csv.DictReader(text.splitlines())
    )


def meant(version: str, verb: str, path: str) -> Meant | None:
    """Return what a request means; None when the version has no such method.

    Parameters
    ----------
    path
        Without the version, without a slash at either end, percent-encoded as it came.
    """
    for method, pattern in _patterns():
        if (
            method.verb == verb
            and version in method.versions
            and (found := pattern.fullmatch(path))
        ):
            return Meant(method, found.groups())
    return None


@cache
def _patterns() -> Sequence[tuple[Method, re.Pattern[str]]]:
    """Return methods with what their paths look like, those first that say more."""
    ordered = sorted(
        (*OWN, *methods()),
        key=lambda each: (each.path.count(_PARAMETER), -len(each.path), each.name),
    )
    return [(each, re.compile(_expression(each.path))) for each in ordered]


def _expression(path: str) -> str:
    # A colon ends a name: what follows it is a verb.
    expression = re.escape(path).replace(re.escape(_PARAMETER), "([^/:]+)")
    expression = expression.replace("projects/([^/:]+)", f"projects/({PROJECT})", 1)
    if path.endswith(_REST):
        return expression.removesuffix("([^/:]+)") + "(.+)"
    if path.endswith(_BLOB_SETTINGS):
        return expression.replace("([^/:]+):setBlob", "(.+):setBlob")
    return expression
