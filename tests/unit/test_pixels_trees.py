"""Decision trees that are asked everything at once, against walking down each of them."""

from __future__ import annotations

import io
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from deid.pixels.find.trees import SHAPES, Trees, text_shapes


def _table() -> dict[str, Any]:
    with np.load(io.BytesIO((files("deid.tables") / SHAPES).read_bytes())) as arrays:
        return {key: arrays[key] for key in arrays}


def _walked(table: dict[str, Any], row: Any) -> float:
    """Return the exact sum of the leaves that a row comes out at."""
    feature, threshold, left, right, value = (
        table[key].tolist() for key in ("feature", "threshold", "left", "right", "value")
    )
    total, asked = 0.0, row.tolist()
    for tree in range(len(feature)):
        node = 0
        while feature[tree][node] >= 0:
            is_left = asked[feature[tree][node]] <= threshold[tree][node]
            node = (left if is_left else right)[tree][node]
        total += value[tree][node]
    return total


def _rows(table: dict[str, Any], number: int) -> Any:
    """Return rows of thresholds that the trees ask for, so that half of the answers are close."""
    random = np.random.default_rng(7)
    rows = np.zeros((number, 1 + table["feature"].max()), np.float32)
    for feature in range(rows.shape[1]):
        asked = table["threshold"][table["feature"] == feature]
        if len(asked):
            rows[:, feature] = random.choice(asked, number)
    rows[1::2] = np.nextafter(rows[1::2], np.float32(np.inf))
    return rows


def test_a_row_scores_what_walking_down_each_tree_adds_up_to() -> None:
    table = _table()
    rows = _rows(table, 12)
    wanted = [_walked(table, row) for row in rows]
    assert len({round(score) for score in wanted}) > 3
    np.testing.assert_allclose(text_shapes().score(rows), wanted, rtol=1e-5, atol=1e-4)


def test_a_row_scores_the_same_alone_as_among_others() -> None:
    rows = _rows(_table(), 9)
    scores = text_shapes().score(rows)
    alone = [text_shapes().score(rows[number : number + 1]).tolist() for number in range(9)]
    assert alone == [[score] for score in scores.tolist()]
    assert text_shapes().score(rows[::-1]).tolist() == scores.tolist()[::-1]
    assert text_shapes().score(rows[:0]).shape == (0,)


def test_trees_that_cannot_be_asked_at_once_are_refused() -> None:
    table = _table()
    table["left"], table["right"] = table["right"], table["left"]
    with pytest.raises(ValueError, match="next on its left"):
        Trees(**table)
    chain = np.arange(40)  # every second node asks, and has a leaf on its left
    with pytest.raises(ValueError, match="more than 16 leaves"):
        Trees(
            np.where(chain % 2 | (chain > 37), -1, 0)[None],
            np.zeros((1, 40)),
            (chain + 1)[None],
            (chain + 2)[None],
            np.zeros((1, 40)),
        )
