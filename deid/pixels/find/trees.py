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


class Trees:
    """A sum of decision trees.

    Parameters
    ----------
    feature, threshold
        Shape (trees, nodes): which feature a node asks, and up to which value the answer is left.
        A leaf has -1.
    left, right
        The next node.
    value
        What a leaf adds.
    """

    def __init__(
        self,
        feature: NDArray[Any],
        threshold: NDArray[Any],
        left: NDArray[Any],
        right: NDArray[Any],
        value: NDArray[Any],
    ) -> None:
        self._feature, self._threshold = feature.astype(np.int64), threshold
        self._left, self._right, self._value = left.astype(np.int64), right.astype(np.int64), value
        self._tree = np.arange(len(feature))

    @classmethod
    def from_bytes(cls, data: bytes) -> Trees:
        """Read what `numpy.savez` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(*(arrays[key] for key in ("feature", "threshold", "left", "right", "value")))

    def score(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        """Return each row's logarithm of the odds that it is text, shape (rows,)."""
        trees = self._tree
        node = np.zeros((len(rows), len(trees)), np.int64)
        each = np.arange(len(rows))[:, None]
        while True:
            feature = self._feature[trees, node]
            if (feature < 0).all():
                return np.asarray(self._value[trees, node].sum(axis=1))
            goes_left = rows[each, np.maximum(feature, 0)] <= self._threshold[trees, node]
            after = np.where(goes_left, self._left[trees, node], self._right[trees, node])
            node = np.where(feature < 0, node, after)


@cache
def text_shapes() -> Trees:
    """Return the trees that judge `deid.pixels.find.shapes.features_of`."""
    return Trees.from_bytes((files("deid.tables") / SHAPES).read_bytes())
