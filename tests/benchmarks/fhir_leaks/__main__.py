"""``python -m tests.benchmarks.fhir_leaks``: the corpus of resources through the engine, at each level of text.

Prints what is left, what is lost, references that lead elsewhere, dates that moved apart, and where resources
and the images of the same patients say different things; ends with 1 if there is any.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from daemon.cli.output import print_line
from tests.benchmarks.fhir_leaks.score import LEVELS, scored

_SHOWN = 40


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fhir_leaks", description=__doc__
    )
    parser.add_argument(
        "--level", choices=LEVELS, action="append", help="of free text; all if none"
    )
    options = parser.parse_args()
    failed = False
    for level in options.level or LEVELS:
        tally = scored(level)
        print_line(
            f"{level}: {tally.documents} documents of {len(tally.types)} types, {tally.planted} planted at"
            f" {len(tally.kinds_of_places)} places; refused {sum(tally.refused.values())}"
        )
        for what, wrong, total in (
            ("leaks", tally.leaks, tally.planted),
            ("lost", tally.lost, tally.keeps),
            ("references astray", tally.astray, tally.references),
            ("dates moved apart", tally.moved_apart, tally.dates),
            ("unlike the images", tally.unlike_images, 0),
        ):
            print_line(f"  {what}: {len(wrong)}" + (f" of {total}" if total else ""))
            for each, count in Counter(wrong).most_common(_SHOWN):
                print_line(f"    {count} x {each}")
            failed = failed or bool(wrong)
        for each, count in tally.refused.most_common(_SHOWN):
            print_line(f"    refused {count} x {each}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
