"""Members such as ``_birthDate``: the id and extensions of a primitive element (R4 2.6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deid.fhir.extensions import kept_siblings
from deid.fhir.leaves import REMOVED, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run
    from deid.tables.fhir import FhirElement


def merge_siblings(
    value: dict[str, Any],
    out: dict[str, Any],
    elements: Mapping[str, FhirElement],
    path: str,
    run: Run,
    generic: Callable[[], Leaf],
) -> None:
    """Put into `out` what stays of the members of `value` that begin with a low line.

    Of a repeating element's they stay only where none of its values does: which of them belonged to which
    cannot be told once some are gone.
    """
    for name, given in value.items():
        if name[:1] != "_" or name[1:] not in elements:
            continue
        if type(given) is list:
            kept = [new for each in given if (new := kept_siblings(each, run, generic)) is not None]
            if kept and name[1:] not in out:
                out[name] = kept
                continue
        elif type(given) is dict:
            single = kept_siblings(given, run, generic)
            if single is not None:
                out[name] = single
                continue
        else:
            raise malformed(f"{path}.{name}")
        run.actions[f"{path}.{name}", REMOVED] += 1
