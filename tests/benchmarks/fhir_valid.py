"""``python -m tests.benchmarks.fhir_valid``: every output of the leak corpus before judges that do not know us.

All eight patients, at each level of text. A judge counts against us where it found nothing wrong with the
source: the corpus fills elements that exclude each other.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from daemon.cli.output import print_line
from tests.benchmarks.fhir_leaks.score import LEVELS, scored
from tests.fhir_judges import (
    by_fhir_resources,
    by_fhirkit,
    by_medplum,
    codes_outside,
    install_medplum,
    without_bundles,
)

if TYPE_CHECKING:
    from pathlib import Path

_AT_ONCE = 400
_SHOWN = 20


def main() -> int:
    """Print the table; end with 1 where a judge finds something."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fhir_valid", description=__doc__
    )
    parser.add_argument("--level", choices=LEVELS, action="append", help="of text; all if none")
    options = parser.parse_args()
    node_modules = install_medplum()
    is_bad = False
    for level in options.level or LEVELS:
        pairs = [(orjson.loads(old), orjson.loads(new)) for old, new in scored(level).outputs]
        found = _judged(pairs, node_modules)
        invariants = (
            "not installed" if node_modules is None else str(found["@medplum/core"].total())
        )
        print_line(
            f"{level}: {len(pairs)} documents; fhirkit {found['fhirkit'].total()},"
            f" fhir.resources {found['fhir.resources'].total()}, @medplum/core {invariants},"
            f" codes outside their value set {found['codes'].total()}"
        )
        for judge, errors in found.items():
            for error, count in errors.most_common(_SHOWN):
                print_line(f"    {judge}: {count} x {error}")
        is_bad = is_bad or any(found.values())
    return int(is_bad)


def _judged(
    pairs: list[tuple[dict[str, Any], dict[str, Any]]], node_modules: Path | None
) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {
        name: Counter() for name in ("fhirkit", "fhir.resources", "@medplum/core", "codes")
    }
    for _old, new in pairs:
        found["fhirkit"].update(by_fhirkit(new))
        found["codes"].update(codes_outside(new, new["resourceType"]))
        for each in without_bundles(new):
            found["fhir.resources"].update(by_fhir_resources(each))
    if node_modules is not None:
        for at in range(0, len(pairs), _AT_ONCE):
            some = pairs[at : at + _AT_ONCE]
            before = by_medplum(node_modules, (old for old, _new in some))
            after = by_medplum(node_modules, (new for _old, new in some))
            for was, now in zip(before, after, strict=True):
                found["@medplum/core"].update(() if was else now)
    return found


if __name__ == "__main__":
    sys.exit(main())
