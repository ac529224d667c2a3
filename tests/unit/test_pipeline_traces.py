"""Where exceptions come from, without what they say; how long to wait."""

from __future__ import annotations

import random

import pydicom
import pytest

from daemon.errors import StoreUnavailable
from daemon.observe.traces import name_of_type, trace
from daemon.workers.backoff import Backoff

VALUE = "DOE^JANE"


def _inner() -> None:
    secret = VALUE
    raise ValueError(f"bad name {secret}")


def _outer() -> None:
    try:
        _inner()
    except ValueError as error:
        raise StoreUnavailable(VALUE) from error


def test_a_trace_names_types_and_places_and_no_value() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        _outer()
    told = trace(raised.value)
    assert told.startswith("daemon.errors.StoreUnavailable at ")
    assert "test_pipeline_traces.py:" in told
    assert " in _outer" in told
    assert "| ValueError at " in told
    assert " in _inner < " in told
    assert VALUE not in told


def test_a_trace_names_files_from_their_package_on() -> None:
    with pytest.raises(AttributeError) as raised:
        pydicom.Dataset().PatientName  # noqa: B018
    told = trace(raised.value)
    assert " pydicom/dataset.py:" in told
    assert "site-packages" not in told


def test_an_exception_that_causes_itself_is_told_once() -> None:
    error = ValueError()
    error.__context__ = RuntimeError()
    error.__context__.__context__ = error
    assert trace(error) == "ValueError | RuntimeError"


def test_types_are_named_with_their_module() -> None:
    assert name_of_type(KeyError) == "KeyError"
    assert name_of_type(StoreUnavailable) == "daemon.errors.StoreUnavailable"


def test_waits_double_up_to_the_longest_and_vary_by_half() -> None:
    backoff = Backoff(first_s=1.0, longest_s=10.0, randomness=random.Random(1))
    for failures, full in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10), (10**9, 10)):
        waits = {backoff.delay_s(failures) for _ in range(50)}
        assert full / 2 <= min(waits)
        assert max(waits) <= full
        assert len(waits) > 40
