"""``python -m tests.benchmarks.fhir_text``: free text of resources at each level.

Held-out generated notes as the conclusions of reports, each with what its patient's header tells; and held-out
phrases that tell of nobody. Prints what of the identifiers goes, by category, and what of the phrases is
damaged; ends with 1 where a figure is worse than docs/fhir.md promises.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import orjson

from daemon.cli.output import print_line
from deid import SiteKey, compile_plan
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify
from tests.benchmarks.text import _WORD, _innocent, _planted
from tests.benchmarks.text_corpus import HELD_OUT, TUNING, Half, Sample, samples
from tests.phrases import phrases

if TYPE_CHECKING:
    from deid.fhir.plan import FhirPlan

LEVELS: Final = ("remove", "inspect", "paranoid")
CATEGORIES: Final[dict[str, str]] = {
    **dict.fromkeys(("full", "first", "last", "LAST", "LASTFIRST"), "the patient's name"),
    **dict.fromkeys(
        ("mrn", "record", "acc", "dob", "dob_de"), "the patient's numbers and birth date"
    ),
    **dict.fromkeys(("date", "date_de", "date2"), "dates"),
    **dict.fromkeys(("city", "city2", "hospital", "street", "zip"), "places and institutions"),
    **dict.fromkeys(
        ("phone", "email", "ssn", "uid", "ip"), "telephone numbers, addresses, other numbers"
    ),
    "age90": "ages over 89",
}
_DAYS: Final = frozenset({"date", "date_de", "date2", "dob", "dob_de"})
OTHERS: Final = "names of others"
PATIENTS: Final = ("the patient's name", "the patient's numbers and birth date")
LEAST: Final = {"inspect": 0.94, "paranoid": 0.97}
LEAST_PATIENT: Final = 0.99
LEAST_AGES: Final = 0.95
MOST_DAMAGED: Final = 0.20


def plan(level: str) -> FhirPlan:
    made = compile_plan(
        {"fhir": {}, "dicomveil": {"fhirText": level}}, SiteKey(bytes(range(5, 37)))
    ).fhir
    assert made is not None
    return made


def cleaned(text: str, made: FhirPlan, context: Context) -> str:
    """Return what is left of a text as a report's conclusion."""
    report = {"resourceType": "DiagnosticReport", "status": "final", "conclusion": text}
    result = orjson.loads(deidentify(orjson.dumps(report), made, context).to_bytes())
    return str(result.get("conclusion", ""))


def recall(level: str, half: Half = HELD_OUT, *, repeats: int = 20) -> dict[str, tuple[int, int]]:
    """Return how many identifiers go, and how many there are, by category."""
    made = plan(level)
    # Far enough that a month is another one, too.
    far = next(each for each in map(str, range(1000)) if abs(made.patient(each)[1].days) > 60)
    found: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    for sample in samples(half, seed=7, repeats=repeats)[0]:
        left = cleaned(sample.text, made, Context(identity=far, known=tuple(sample.known)))
        for kind, is_gone in _gone(sample, left):
            category = CATEGORIES.get(kind, OTHERS)
            planted[category] += 1
            found[category] += is_gone
    return {category: (found[category], planted[category]) for category in planted}


def _gone(sample: Sample, left: str) -> list[tuple[str, bool]]:
    """Return of each identifier whether every word of it is gone; of a date, whether it is another."""
    words = Counter(word.lower() for word in _WORD.findall(left))
    outside = _innocent(sample)
    gone = []
    for (start, stop, kind), telling in zip(sample.planted, _planted(sample), strict=True):
        if kind in _DAYS:
            gone.append((kind, sample.text[start:stop] not in left))
        else:
            gone.append((kind, not any(words[word] > outside[word] for word in telling)))
    return gone


def damage(level: str, half: str = "held_out") -> tuple[int, int]:
    """Return how many phrases that must stay do not, and how many there are."""
    made = plan(level)
    listed = [phrase for some in phrases(half).values() for phrase in some]
    return sum(cleaned(each, made, Context()) != each for each in listed), len(listed)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fhir_text", description=__doc__
    )
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--tuning", action="store_true", help="the tuning half instead")
    options = parser.parse_args()
    half, of_phrases = (TUNING, "tuning") if options.tuning else (HELD_OUT, "held_out")
    fits = True
    for level in LEVELS:
        table = recall(level, half, repeats=options.repeats)
        lost, listed = damage(level, of_phrases)
        gone, planted = (sum(column) for column in zip(*table.values(), strict=True))
        print_line(
            f"{level}: {gone / planted:.1%} of {planted} identifiers gone;"
            f" {lost / listed:.1%} of {listed} phrases damaged"
        )
        for category in sorted(table):
            some, all_of_them = table[category]
            print_line(f"  {category:45} {some / all_of_them:6.1%} of {all_of_them}")
        own = [sum(table[category][column] for category in PATIENTS) for column in (0, 1)]
        print_line(f"  {'together, the same patient':45} {own[0] / own[1]:6.1%} of {own[1]}")
        ages = table["ages over 89"]
        fits = fits and gone / planted >= LEAST.get(level, 1.0)
        fits = fits and own[0] / own[1] >= LEAST_PATIENT and ages[0] / ages[1] >= LEAST_AGES
        fits = fits and (level != "inspect" or lost / listed <= MOST_DAMAGED)
    return int(not fits)


if __name__ == "__main__":
    sys.exit(main())
