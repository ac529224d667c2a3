"""The judge of shapes: whether candidates look like text, asked once for each; what is large, once more."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.find.candidates import resized
from deid.pixels.find.shapes import features_of
from deid.pixels.find.trees import large_text_shapes, text_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate


def shapes_of(views: Sequence[NDArray[Any]], candidates: Sequence[Candidate]) -> list[float]:
    """Return the logarithm of the odds that each candidate's shape is that of text."""
    return [entry.shape or 0.0 for entry in judged(views, candidates)]


def judged(views: Sequence[NDArray[Any]], candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates that all have the logarithm of the odds that their shape is that of text."""
    new = [entry for entry in candidates if entry.shape is None]
    if not new:
        return list(candidates)
    windows = _windows_on(views, new)
    scores = text_shapes().score(np.concatenate(windows))
    ends = np.cumsum([len(rows) for rows in windows])[:-1]
    means = iter([float(own.mean()) for own in np.split(scores, ends)])
    return [
        replace(entry, shape=next(means)) if entry.shape is None else entry for entry in candidates
    ]


def large_shape_of(
    views: Sequence[NDArray[Any]], found: Candidate, framings: Sequence[float]
) -> float:
    """Return the logarithm of the odds that a candidate is text, by trees that know what is mistaken for it.

    Parameters
    ----------
    framings
        By how much of its height it is framed wider or closer, too; the mean counts.
    """
    corners = [found.corners, *(resized(found.corners, by) for by in framings)]
    windows = features_of(found.shown_in(views)[:2], corners)
    return float(np.mean([large_text_shapes().score(rows).mean() for rows in windows]))


def _windows_on(
    views: Sequence[NDArray[Any]], candidates: Sequence[Candidate]
) -> list[NDArray[np.float32]]:
    """Return the rows of features of each candidate; those that are seen in the same views go together."""
    by_view = groupby(candidates, key=lambda entry: id(entry.bare))
    return [windows for _, own in by_view for windows in _features_of(views, list(own))]


def _features_of(
    views: Sequence[NDArray[Any]], candidates: Sequence[Candidate]
) -> list[NDArray[np.float32]]:
    return features_of(candidates[0].shown_in(views)[:2], [entry.corners for entry in candidates])
