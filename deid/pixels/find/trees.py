"""Boosted trees, evaluated in numpy: the judge of whether a region is text by its shape."""

from __future__ import annotations

import io
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Made by `python -m tests.benchmarks.pixels.training`, which prints the digest.
SHAPES = "text_shapes.npz"
#: Made by `python -m tests.benchmarks.pixels.training_large`.
LARGE_SHAPES = "large_shapes.npz"
#: Of one tree, each a bit of a number.
_MOST_LEAVES = 16


class Trees:
    """A sum of decision trees.

    A row does not walk down a tree: all questions of all trees are asked at once. Each answer "no" rules out
    the leaves on its left, and of those that remain the leftmost is where the row would have come out.

    Parameters
    ----------
    feature, threshold
        Shape (trees, nodes), each node before what is below it, on its left first: which feature a node asks,
        and up to which value the answer is left. A leaf has -1.
    left, right
        The next node.
    value
        What a leaf adds.

    Raises
    ------
    ValueError
        If nodes are in another order, or a tree has more than 16 leaves.
    """

    def __init__(
        self,
        feature: NDArray[Any],
        threshold: NDArray[Any],
        left: NDArray[Any],
        right: NDArray[Any],
        value: NDArray[Any],
    ) -> None:
        tree, node = np.nonzero(feature >= 0)
        place = (np.cumsum(feature >= 0, axis=1) - 1)[tree, node]
        if (left[tree, node] != node + 1).any():
            raise ValueError("the node after one that asks is not the next on its left")
        if place.max(initial=0) > _MOST_LEAVES - 2:
            raise ValueError(f"a tree has more than {_MOST_LEAVES} leaves")
        # How many leaves come before each node, which is the number of a leaf in its tree.
        before: NDArray[np.intp] = np.cumsum(feature < 0, axis=1) - (feature < 0)
        ends: NDArray[np.intp] = before[tree, right[tree, node]]
        shape = int(place.max(initial=0)) + 1, len(feature)
        self._feature = np.zeros(shape, np.intp)
        self._threshold = np.zeros(shape, np.float32)
        self._ruled_out = np.zeros(shape, np.uint16)  # nothing where a tree asks less often
        self._feature[place, tree] = feature[tree, node]
        self._threshold[place, tree] = threshold[tree, node]
        self._ruled_out[place, tree] = (1 << ends) - (1 << before[tree, node])
        self._value = np.zeros((len(feature), _MOST_LEAVES), np.float32)
        tree, node = np.nonzero((feature < 0) & (before < _MOST_LEAVES))
        self._value[tree, before[tree, node]] = value[tree, node]
        self._first = np.arange(len(feature)) * _MOST_LEAVES

    @classmethod
    def from_bytes(cls, data: bytes) -> Trees:
        """Read what `numpy.savez` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(*(arrays[key] for key in ("feature", "threshold", "left", "right", "value")))

    def score(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        """Return each row's logarithm of the odds that it is text, shape (rows,)."""
        added = np.empty((len(rows), len(self._first)), np.float32)
        for number, row in enumerate(rows):
            is_no = row.take(self._feature) > self._threshold
            remain = ~np.bitwise_or.reduce(is_no * self._ruled_out, axis=0)
            leaf = np.bitwise_count((remain & -remain) - np.uint16(1))
            added[number] = self._value.take(self._first + leaf)
        return np.asarray(added.sum(axis=1))


@cache
def text_shapes() -> Trees:
    """Return the trees that judge `deid.pixels.find.shapes.features_of`."""
    return Trees.from_bytes((files("deid.tables") / SHAPES).read_bytes())


@cache
def large_text_shapes() -> Trees:
    """Return the trees that judge again, by the same numbers, what those took for text and is large."""
    return Trees.from_bytes((files("deid.tables") / LARGE_SHAPES).read_bytes())
