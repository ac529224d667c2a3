"""Try a server and print what came of it: ``python -m tests.black_box URL [--store] [--delete] [--fill]``."""

from __future__ import annotations

import argparse
import sys

from tests.black_box import deleting, messages, rendering, retrieving, searching, storing
from tests.black_box.checks import Result, run_all
from tests.black_box.filling import fill
from tests.black_box.site import Site

READING = (*searching.checks(), *retrieving.checks(), *rendering.checks(), *messages.checks())
STORING = tuple(storing.checks())


def tried(
    root: str, *, store: bool, uri: str = "", delete: bool = False, deletes: str = ""
) -> list[Result]:
    """Run the checks on a service."""
    site = Site(root, uri, deletes)
    storing_too = STORING if store else ()
    deleting_too = tuple(deleting.checks(is_writable=store)) if delete else ()
    with site.client:
        return run_all((*READING, *storing_too, *deleting_too), site)


def main() -> int:
    """Print each check, and the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.black_box", description=__doc__)
    parser.add_argument(
        "root", help="address of the service, such as http://127.0.0.1:8080/dicomweb/source"
    )
    parser.add_argument("--store", action="store_true", help="store instances into it, too")
    parser.add_argument(
        "--uri", default="", help="address of WADO-URI, if it is not wado below the root"
    )
    parser.add_argument(
        "--delete", action="store_true", help="delete an instance and a study of it, at the end"
    )
    parser.add_argument(
        "--deletes", default="", help="address below which they are deleted, if it is not the root"
    )
    parser.add_argument("--fill", action="store_true", help="store what the checks need first")
    parser.add_argument("--failed", action="store_true", help="print what failed only")
    options = parser.parse_args()
    if options.fill:
        fill(options.root)
    results = tried(
        options.root,
        store=options.store,
        uri=options.uri,
        delete=options.delete,
        deletes=options.deletes,
    )
    for each in results:
        if each.failure or not options.failed:
            told = f"failed ({each.failure})" if each.failure else "passed"
            needed = "" if each.check.is_required else " (optional)"
            print(f"{each.check.section:<12}{each.check.name}{needed}: {told}")
    for name, chosen in (
        ("required", [each for each in results if each.check.is_required]),
        ("optional", [each for each in results if not each.check.is_required]),
    ):
        passed = sum(not each.failure for each in chosen)
        print(f"{name}: {passed} of {len(chosen)}")
    return int(any(each.failure for each in results))


if __name__ == "__main__":
    sys.exit(main())
