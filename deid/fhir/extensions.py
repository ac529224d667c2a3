"""Extensions: listed ones stay, coded parts only; all others go unless the configuration keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deid.fhir.coded import coding
from deid.fhir.leaves import REMOVED, malformed
from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run

_US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
DATA_ABSENT_REASON: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_CODED_PARTS: Final = frozenset({f"{_US_CORE}race", f"{_US_CORE}ethnicity"})
_PART_NAMES: Final = ("ombCategory", "detailed")
_CODES: Final[dict[str, frozenset[str]]] = {
    f"{_US_CORE}birthsex": frozenset({"F", "M", "OTH", "UNK", "ASKU"}),
    DATA_ABSENT_REASON: words(
        """
    unknown asked-unknown temp-unknown not-asked asked-declined masked not-applicable unsupported
    as-text error not-a-number negative-infinity positive-infinity not-performed not-permitted
        """
    ),
}
_coding: Final = coding("Extension.valueCoding")


def extensions(path: str, generic: Callable[[], Leaf]) -> Leaf:
    """Return what walks the extensions of an element, whole list at once.

    Parameters
    ----------
    generic
        Gives what walks an extension that the configuration keeps.
    """

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not list:
            raise malformed(path)
        kept = []
        for each in value:
            if type(each) is not dict:
                raise malformed(path)
            new = _kept(each, run, generic)
            if new is not None:
                kept.append(new)
            else:
                run.actions[path, REMOVED] += 1
                if path.endswith("modifierExtension"):
                    run.warnings.add("modifier_extension_removed")
        return kept or None

    return leaf


def _listed(extension: dict[str, Any], run: Run) -> dict[str, Any] | None:
    """Return what stays of an extension that is listed."""
    url = extension.get("url")
    if not isinstance(url, str):
        return None
    codes = _CODES.get(url)
    if codes is not None:
        value = extension.get("valueCode")
        is_listed = isinstance(value, str) and value in codes
        return {"url": url, "valueCode": value} if is_listed else None
    if url not in _CODED_PARTS:
        return None
    parts = []
    inner = extension.get("extension")
    for each in inner if isinstance(inner, list) else ():
        if isinstance(each, dict) and each.get("url") in _PART_NAMES and "valueCoding" in each:
            kept = _coding(each["valueCoding"], run)
            if kept is not None:
                parts.append({"url": each["url"], "valueCoding": kept})
    return {"url": url, "extension": parts} if parts else None


def _kept(
    extension: dict[str, Any], run: Run, generic: Callable[[], Leaf]
) -> dict[str, Any] | None:
    """Return what stays of an extension: listed, or kept by the configuration; never an address alone."""
    new = _listed(extension, run)
    url = extension.get("url")
    if new is None and run.plan.policy.keep_extensions and type(url) is str:
        inner = generic()(extension, run)
        new = {**inner, "url": url} if inner else None
    return new if new is not None and len(new) > 1 else None


def kept_siblings(sibling: Any, run: Run, generic: Callable[[], Leaf]) -> dict[str, Any] | None:
    """Return what stays of a primitive element's id and extensions."""
    given = sibling.get("extension") if isinstance(sibling, dict) else None
    kept = [
        new
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, dict) and (new := _kept(each, run, generic)) is not None
    ]
    return {"extension": kept} if kept else None
