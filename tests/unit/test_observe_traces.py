"""Where exceptions come from, without what they say."""

from __future__ import annotations

import pydicom
import pytest

from daemon.errors import StoreUnavailable
from daemon.observe.traces import name_of_type, trace

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
    assert "test_observe_traces.py:" in told
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
