"""Prints the benchmark's figures."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from daemon.engines.models import make_detector
from daemon.engines.tesseract import Tesseract, make_paranoid_detector
from tests.benchmarks.pixels.burn import fonts_at_hand, use_fonts
from tests.benchmarks.pixels.corpus import samples
from tests.benchmarks.pixels.runtimes import differing
from tests.benchmarks.pixels.score import Harm, Tally, harm, score
from tests.benchmarks.pixels.speed import report
from tests.benchmarks.pixels.textless.kinds import Textless, textless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.pixels.ports import TextDetector


def main() -> None:
    """Run one half."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pixels", description=__doc__)
    half = parser.add_mutually_exclusive_group()
    half.add_argument(
        "--held-out", action="store_true", help="the odd seeds (the figures to quote)"
    )
    half.add_argument("--tuning", action="store_true", help="the even seeds (the default)")
    parser.add_argument("--seeds", type=int, default=8, help="seeds per category (default 8)")
    parser.add_argument("--first", type=int, default=0, help="even; seeds before it are left out")
    parser.add_argument("--only", default="", help="categories whose name contains this")
    parser.add_argument("--engine", default="ppocr", choices=("ppocr", "tesseract", "paranoid"))
    parser.add_argument("--misses", action="store_true", help="name each text that went wrong")
    parser.add_argument("--textless", action="store_true", help="frames without text only")
    parser.add_argument("--fonts", default="", help="one more folder of fonts to burn in with")
    parser.add_argument(
        "--runtimes",
        action="store_true",
        help="compare what onnxruntime and OpenVINO find instead; PYTHONPATH=.venv/openvino",
    )
    parser.add_argument("--speed", action="store_true", help="measure time and memory instead")
    arguments = parser.parse_args()
    os.nice(10)
    if arguments.speed:
        report(arguments.engine)
        return
    if arguments.fonts:
        use_fonts(arguments.fonts)
    print("fonts: {} of {}".format(*fonts_at_hand()))
    detector = _engine(arguments.engine)
    start = time.process_time()
    first = arguments.first + (1 if arguments.held_out else 0)
    seeds = range(first, first + 2 * arguments.seeds, 2)
    if arguments.runtimes:
        frames, names = differing(
            (f"{entry.kind} {entry.seed}", entry.instance)
            for entry in _frames(seeds, arguments.only)
        )
        print(f"{frames} frames; regions differ in {len(names)}: {', '.join(names) or 'none'}")
        return
    if not arguments.textless:
        tallies, beside = score(
            samples(seeds, only=arguments.only), detector, talk=arguments.misses
        )
        _print(tallies)
        _print_harm("beside texts, single frames", beside)
    _print_harm("frames without text", harm(textless(seeds, only=arguments.only), detector))
    print(f"CPU {time.process_time() - start:.0f} s")


def _frames(seeds: range, only: str) -> Iterator[Textless]:
    for sample in samples(seeds, only=only):
        yield Textless(sample.category, sample.seed, sample.instance)
    yield from textless(seeds, only=only)


def _engine(name: str) -> TextDetector:
    if name == "ppocr":
        return make_detector()
    return Tesseract() if name == "tesseract" else make_paranoid_detector()


def _print(tallies: dict[str, Tally]) -> None:
    total = Tally()
    print(
        f"{'category':18} {'texts':>6} {'found':>8} {'ident. found':>13}"
        f" {'ident. redacted':>16} {'other kept':>11}"
    )
    for name, tally in tallies.items():
        _line(name, tally)
        total.add(tally)
    _line("all", total)


def _print_harm(what: str, lost: Harm) -> None:
    print(
        f"{what}: {lost.frames}, of their pixels filled {lost.mean:.3%} on average;"
        f" {len(lost.worst)} lost more than 1 %, {len(lost.put_aside)} were put aside"
    )
    for kind, seed, share in lost.worst:
        print(f"    {kind} {seed}: {share:.2%}")
    for kind, seed in lost.put_aside:
        print(f"    {kind} {seed}: put aside")


def _line(name: str, tally: Tally) -> None:
    print(
        f"{name:18} {tally.texts:6} {_percent(tally.found, tally.texts):>8}"
        f" {_percent(tally.found_identifying, tally.identifying):>13}"
        f" {_percent(tally.redacted_identifying, tally.identifying):>16}"
        f" {_percent(tally.kept, tally.harmless):>11}"
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


if __name__ == "__main__":
    main()
