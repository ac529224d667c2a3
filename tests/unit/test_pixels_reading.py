"""How often a strip is read, and which readings count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.find.candidates import candidate
from deid.pixels.find.reading import Recogniser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Reads:
    """A model that reads one text after the other, whatever it is shown."""

    def __init__(self, texts: Sequence[tuple[str, float]]) -> None:
        self.left = list(texts)

    def __call__(self, _given: NDArray[Any], /) -> NDArray[Any]:
        text, legibility = self.left.pop(0)
        steps = np.zeros((1, 2 * len(text), len(ALPHABET) + 2), np.float32)
        steps[0, 1::2, 0] = 1  # blanks between letters, lest two alike become one
        for number, letter in enumerate(text):
            steps[0, 2 * number, ALPHABET.index(letter) + 1] = legibility
        return steps


def _read(texts: Sequence[tuple[str, float]]) -> tuple[list[str], int]:
    """Return what is read where WORD alone is expected, and how many of the texts were not asked for."""
    model = _Reads(texts)
    recogniser = Recogniser(model, ALPHABET, is_doubtful=lambda text: text != "WORD")
    views = list(np.random.default_rng(0).integers(0, 256, (2, 60, 200), np.uint8))
    corners = np.array(((20, 20), (120, 20), (120, 40), (20, 40)), np.float32)
    readings = recogniser.readings(views, candidate(corners, 0.9, 0))
    return [text for text, _ in readings], len(model.left)


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ([("WORD", 0.99)], ["WORD"]),
        ([("WQRD", 0.99), ("WORD", 0.98)], ["WQRD", "WORD"]),
        ([("WQRD", 0.99), ("WQRD", 0.98), ("WORD", 0.97)], ["WQRD", "WQRD", "WORD"]),
        ([("WQRD", 0.99)] * 5, ["WQRD"] * 5),
    ],
)
def test_a_sure_text_that_nobody_expects_is_read_in_other_ways_until_one_is(
    texts: list[tuple[str, float]], read: list[str]
) -> None:
    assert _read([*texts, ("NOT", 0.1), ("NOT", 0.1)]) == (read, 2)


def test_a_text_that_is_read_without_certainty_is_read_in_the_other_view_and_wider() -> None:
    texts = [("WORD", 0.96), ("WARD", 0.97), ("CARD", 0.5), ("NOT", 0.1)]
    assert _read(texts) == (["WARD", "WORD", "CARD"], 1)
