"""What of the identifiers in generated reports and descriptors is found, and what is lost with them.

``python -m tests.benchmarks.text`` prints both halves; ``--misses`` lists what the tuning half kept.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from deid.identity.keys import SiteKey
from deid.identity.shifts import Shift
from deid.text import guesses, known, patterns
from deid.text.cleaning import TextCleaning
from deid.text.findings import Finding, merged
from deid.text.folding import words
from deid.text.info_types import INFO_TYPES
from deid.text.policy import InfoTypeTransformation, TextPolicy, Transformation
from tests.benchmarks.text_corpus import HELD_OUT, TUNING, Half, Sample, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WORD = re.compile(r"[^\W_]+")
# Words of planted texts that tell nothing by themselves.
_HARMLESS = words(
    """
    hospital medical center centre general clinique klinikum hôpital street avenue road drive blvd ave rue de
    la des gardens imaging radiology st saint n w oak elm universitätsklinikum
    """
)
KEY = SiteKey(bytes(range(32)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true", help="list what the tuning half kept")
    parser.add_argument("--losses", action="store_true", help="list what the tuning half lost")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    for name, half in (("tuning", TUNING), ("held out", HELD_OUT)):
        notes, descriptors = samples(half, seed=7, repeats=options.repeats)
        print(f"\n{name}: {len(notes)} reports, {len(descriptors)} descriptors")
        print(f"{'stages':34} {'identifiers found':>18} {'words kept':>11} {'precision':>10}")
        for label, find in _stages(half).items():
            _print_row(f"reports, {label}", notes, find)
        _print_row("descriptors, cleaned", descriptors, _cleaning(strict=False))
        _print_row("descriptors, Clean Descriptors", descriptors, _cleaning(strict=True))
        _print_row("reports, Clean Descriptors", notes, _cleaning(strict=True))
        if half is TUNING and (options.misses or options.losses):
            _list(notes, _cleaning(strict=False), options)
            _list(descriptors, _cleaning(strict=True), options)
    _print_speed()


def _stages(_half: Half) -> dict[str, Callable[[Sample], str]]:
    def redacted(sample: Sample, found: Iterable[Finding]) -> str:
        text, at = "", 0
        for each in merged(list(found)):
            text += sample.text[at : each.start] + " "
            at = each.stop
        return text + sample.text[at:]

    def only_patterns(sample: Sample) -> str:
        return redacted(sample, patterns.find(sample.text))

    def with_known(sample: Sample) -> str:
        patient = known.prepare(sample.known)
        return redacted(sample, [*patient.find(sample.text), *patterns.find(sample.text, patient)])

    def without_known(sample: Sample) -> str:
        first = merged(list(patterns.find(sample.text)))
        return redacted(sample, [*first, *guesses.find(sample.text, first)])

    return {
        "patterns": only_patterns,
        "known identifiers too": with_known,
        "words and names, nothing known": without_known,
        "all": _cleaning(strict=False),
    }


def _cleaning(*, strict: bool) -> Callable[[Sample], str]:
    policy = TextPolicy(
        (InfoTypeTransformation(Transformation.REDACT, frozenset(INFO_TYPES) - {"AGE"}),),
        strict=strict,
    )
    cleaner = TextCleaning(policy, KEY)
    return lambda sample: cleaner.clean(sample.text, sample.known, shift=Shift(10)).text


def _print_row(label: str, cases: list[Sample], find: Callable[[Sample], str]) -> None:
    found = planted = kept = innocent = removed_planted = removed = 0
    for sample in cases:
        left = Counter(word.lower() for word in _WORD.findall(find(sample)))
        outside = _innocent(sample)
        for identifier in _planted(sample):
            planted += 1
            found += not any(left[word] > outside[word] for word in identifier)
        survivors = sum((left & outside).values())
        kept += survivors
        innocent += sum(outside.values())
        total = Counter(word.lower() for word in _WORD.findall(sample.text))
        gone = total - left
        removed += sum(gone.values())
        removed_planted += sum((gone & (total - outside)).values())
    share = found / planted
    print(
        f"{label:34} {found:>6} of {planted:<6} {share:>4.1%} {kept / innocent:>10.1%}"
        f" {removed_planted / max(removed, 1):>9.1%}"
    )


def _planted(sample: Sample) -> list[list[str]]:
    """Return the telling words of each planted identifier, in lower case."""
    return [
        [
            word.lower()
            for word in _WORD.findall(sample.text[start:stop])
            if word.lower() not in _HARMLESS and (len(word) > 1 or word.isdigit())
        ]
        for start, stop, _kind in sample.planted
    ]


def _innocent(sample: Sample) -> Counter[str]:
    at, rest = 0, ""
    for start, stop, _kind in sample.planted:
        rest += sample.text[at:start] + " "
        at = stop
    return Counter(word.lower() for word in _WORD.findall(rest + sample.text[at:]))


def _list(cases: list[Sample], find: Callable[[Sample], str], options: argparse.Namespace) -> None:
    misses: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    for sample in cases:
        cleaned = find(sample)
        left = Counter(word.lower() for word in _WORD.findall(cleaned))
        outside = _innocent(sample)
        for (start, stop, kind), telling in zip(sample.planted, _planted(sample), strict=True):
            if any(left[word] > outside[word] for word in telling):
                misses[f"{kind}: …{sample.text[max(0, start - 25) : stop + 15]!r}"] += 1
        for word in (outside - left).elements():
            losses[word] += 1
    for title, counter, asked in (
        ("kept", misses, options.misses),
        ("lost", losses, options.losses),
    ):
        if asked:
            print(f"\n  {title}:")
            for entry, count in counter.most_common(60):
                print(f"  {count:4} {entry}")


def _print_speed() -> None:
    cleaner = TextCleaning(TextPolicy(strict=True), KEY)
    notes, descriptors = samples(TUNING, seed=3, repeats=20)
    for label, cases in (("report", notes), ("descriptor", descriptors)):
        for again in ("first time", "again"):
            started = time.process_time()
            for sample in cases:
                cleaner.clean(sample.text, sample.known, shift=Shift(3))
            spent = (time.process_time() - started) / len(cases) * 1e6
            print(f"{label}, {again}: {spent:.0f} µs")


if __name__ == "__main__":
    main()
