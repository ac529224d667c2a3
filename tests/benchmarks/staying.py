"""What is standard and must stay: ``python -m tests.benchmarks.staying`` prints how much of it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import deid
from deid.encoding.transfer_syntaxes import is_known
from deid.tables.dictionary import uids
from tests.adversarial.running import plan_of
from tests.benchmarks.phrases import damaged
from tests.factories import encoded, make_ct
from tests.phrases import HALVES, phrases
from tests.unit.test_labels import NAMES, labels, rois, run
from tests.unit.test_printed_terms import MODALITIES, NO_DATA_SET, PRESETS, STORED, lost, printed

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows() -> Iterator[tuple[str, int, int]]:
    """Yield what must stay, how much there is of it, and how much does not stay."""
    terms = printed()
    modalities = [(0x00080060, "CS", each) for each in sorted(MODALITIES)]
    for preset in PRESETS:
        yield f"defined terms, {preset}", len(terms), len(lost(terms, preset))
        yield f"modalities, {preset}", len(modalities), len(lost(modalities, preset))
    yield "storage SOP classes", len(STORED), sum(not _is_accepted(uid) for uid in STORED)
    syntaxes = [
        uid
        for uid, each in uids().items()
        if each.kind == "Transfer Syntax" and not uid.startswith(NO_DATA_SET)
    ]
    yield "transfer syntaxes", len(syntaxes), sum(not is_known(uid) for uid in syntaxes)
    names = [name for name in NAMES if "xx" not in name]
    kept = labels(run(rois(*names)))
    yield "names of structures", len(names), sum(a != b for a, b in zip(names, kept, strict=True))
    for half in HALVES:
        total = sum(map(len, phrases(half).values()))
        yield f"phrases, {half}", total, sum(map(len, damaged(half).values()))


def _is_accepted(uid: str) -> bool:
    try:
        deid.deidentify(encoded(make_ct(SOPClassUID=uid)), plan_of("basic"))
    except deid.Unsafe:
        return False
    return True


def main() -> None:
    """Print the table."""
    for kind, total, gone in rows():
        print(f"{kind:40} {total:6} {gone:5} lost ({gone / total:.1%})")


if __name__ == "__main__":
    main()
