"""Where the last look finds a name: found by the adversarial corpus."""

from __future__ import annotations

import pytest

from deid.residual import Forbidden

NAMES = Forbidden([(b"Thistlemoor^Evander^Lund", "PERSON_NAME", "")])


@pytest.mark.parametrize(
    "text",
    [
        "Thistlemoor", "scanner_Thistlemoor_2", "Thistlemoor2019", "ScannerThistlemoor",
        "THISTLEMOORS", "2019EVANDER", "dr.evander",
    ],
)  # fmt: skip
def test_a_long_name_is_found_wherever_it_is_glued(text: str) -> None:
    assert NAMES.occurs_in(text.encode(), text, coded=False)
    assert NAMES.may_occur_in(b"LO\x16\x00" + text.encode() + b"\x28\x00")


@pytest.mark.parametrize("text", ["Lundstrom", "Island", "Blunder", "lundx2"])
def test_a_short_name_inside_another_word_is_not_found(text: str) -> None:
    assert not NAMES.occurs_in(text.encode(), text, coded=False)
