"""Percentiles of small arrays."""

from __future__ import annotations

import numpy as np
import pytest

from deid.pixels.find.percentiles import percentile, percentiles


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_percentiles_are_those_of_numpy(size: int) -> None:
    values = np.random.default_rng(size).normal(0, 50, (size, 3)).astype(np.float32)
    wanted = (0, 2, 10, 15, 50, 75, 95, 98, 100)
    np.testing.assert_allclose(
        percentiles(values, *wanted), np.percentile(values, wanted), rtol=1e-5, atol=1e-5
    )
    assert percentile(values, 75) == percentiles(values, 75)[0]
