"""Which pieces of lines stay that are seen whole in another frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.geometry import Box
from deid.pixels.half_lines import half_seen, is_half_seen, may_be_piece
from deid.pixels.judgement import Judgement
from deid.pixels.ports import FoundRegion, TextRegion
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.pixels.ports import Picture

KNOWN = (KnownIdentifier("Katz^Ada", "PERSON_NAME"),)
LINE = TextRegion(Box(40, 60, 120, 20), 0.9, "Persist Med", 0.99)
#: A piece of it, and how it lies in the frame in which it is all that can be read.
PIECE = TextRegion(Box(50, 57, 110, 26), 0.9, "ersist Med", 0.99)


def _why(region: TextRegion) -> str | None:
    judgement = Judgement()
    return judgement.why(region, judgement.knowing(KNOWN))


def _piece(text: str, legibility: float = 0.99, *others: tuple[str, float]) -> TextRegion:
    return replace(PIECE, text=text, legibility=legibility, others=others)


@pytest.mark.parametrize(
    ("region", "may_be"),
    [
        pytest.param(_piece("ersist Med"), True, id="words in no list"),
        pytest.param(_piece("D"), True, id="a letter"),
        pytest.param(_piece("ersist Med", 0.99, ("ersis Mcd", 0.95)), True, id="read so as well"),
        pytest.param(_piece("De"), True, id="a word that needs company"),
        pytest.param(_piece("Med"), False, id="stays"),
        pytest.param(_piece("ersist Med", 0.89), False, id="not read clearly"),
        pytest.param(_piece("Johnson"), False, id="a name"),
        pytest.param(_piece("Max"), False, id="a listed name that needs company"),
        pytest.param(_piece("ersist", 0.99, ("Johnson", 0.85)), True, id="hardly a name"),
        pytest.param(_piece("ersist", 0.93, ("Johnson", 0.91)), False, id="a name, too"),
        pytest.param(_piece("Katz"), False, id="a known name"),
        pytest.param(_piece("12 JUN 2014"), False, id="a date"),
        pytest.param(replace(PIECE, is_code=True), False, id="a code"),
    ],
)
def test_what_goes_for_words_alone_may_be_a_piece(region: TextRegion, *, may_be: bool) -> None:
    assert may_be_piece(region, _why) == may_be


@pytest.mark.parametrize(
    ("piece", "is_half"),
    [
        pytest.param(PIECE, True, id="the end of the line"),
        pytest.param(replace(_piece("Persi"), box=Box(38, 58, 56, 24)), True, id="its beginning"),
        pytest.param(replace(_piece("d"), box=Box(147, 59, 14, 22)), True, id="its last letter"),
        pytest.param(replace(_piece("K"), box=Box(147, 59, 14, 22)), False, id="another letter"),
        pytest.param(_piece("ersist Mcd"), False, id="reads otherwise"),
        pytest.param(_piece("ersist Mec"), True, id="its last sign is cut through"),
        pytest.param(_piece("orsist Med"), True, id="its first one"),
        pytest.param(_piece("orsist Mec"), False, id="both"),
        pytest.param(replace(_piece("di"), box=Box(142, 59, 22, 22)), False, id="one of a pair"),
        pytest.param(replace(_piece("Persi"), box=Box(72, 58, 56, 24)), False, id="elsewhere"),
        pytest.param(replace(PIECE, box=Box(50, 57, 160, 26)), False, id="much of it beyond"),
        pytest.param(replace(PIECE, box=Box(50, 72, 110, 26)), False, id="the next line"),
    ],
)
def test_a_piece_reads_as_its_line_does_at_its_place_in_any_frame(
    piece: TextRegion, *, is_half: bool
) -> None:
    assert is_half_seen(FoundRegion(3, piece), [FoundRegion(9, LINE)]) == is_half
    assert half_seen([FoundRegion(3, piece), FoundRegion(9, LINE)], _why) == (
        {0} if is_half else set()
    )
    assert not is_half_seen(FoundRegion(3, piece), [FoundRegion(9, replace(LINE, legibility=0.9))])
    assert not half_seen([FoundRegion(3, piece), FoundRegion(9, replace(LINE, text="Katz"))], _why)


class _FindsInTurn:
    """Finds what is given for one picture after the other."""

    def __init__(self, *regions: tuple[TextRegion, ...]) -> None:
        self._left = list(regions)

    def find(
        self,
        pictures: Sequence[Picture],
        *,
        needs_reading: bool = True,
    ) -> list[list[TextRegion]]:
        return [list(self._left.pop(0)) for _ in pictures]


#: What moves onto the place of the line; a piece of that, which only goes on with it.
_KATZ = TextRegion(Box(20, 60, 40, 20), 0.9, "Katz", 0.99)


@pytest.mark.parametrize(
    ("mode", "found", "stays"),
    [
        ("REDACT_SENSITIVE_TEXT", [(PIECE,), (LINE,)], True),
        ("REDACT_SENSITIVE_TEXT", [(LINE,), (PIECE,)], True),
        ("REDACT_ALL_TEXT", [(PIECE,), (LINE,)], False),
        ("REDACT_SENSITIVE_TEXT", [(_piece("ersost Med"),), (LINE,)], False),
        ("REDACT_SENSITIVE_TEXT", [(_KATZ,), (PIECE, LINE)], False),  # goes on with a name
        ("REDACT_SENSITIVE_TEXT", [(PIECE,), ()], False),
    ],
)
def test_a_line_stays_though_a_piece_of_it_was_read_alone(
    mode: str, found: list[tuple[TextRegion, ...]], *, stays: bool
) -> None:
    frame = samples.texture(rows=120, columns=240)
    instance = samples.make_instance(
        samples.EXPLICIT_LE,
        [frame] * 2,
        samples.attributes(frame, NumberOfFrames=2),
        known=KNOWN,
    )
    detector = _FindsInTurn(*found)
    cleaned = PixelCleaning(mode, detector, untrusted=()).clean(instance)
    letters = Box(100, 62, 56, 16)
    shared = sum(
        Box(region.left, region.top, region.width, region.height).overlap(letters)
        for region in cleaned.regions
    )
    assert (shared == 0) == stays
