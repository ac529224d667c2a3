"""Malformed files through the describer: refused by its own error, or described as JSON."""

from __future__ import annotations

import json

import pytest

from dicomweb.describe import describe
from dicomweb.errors import DescribeError
from tests.malformed import MARK, Malformed, malformed_files


@pytest.mark.parametrize("case", malformed_files(), ids=str)
def test_the_describer_ends_in_its_own_error_or_in_json(case: Malformed) -> None:
    try:
        description = describe(case.make())
    except DescribeError as error:
        refusal = str(error)
    else:
        refusal = ""
        for prepared in (description.metadata, description.study, description.instance):
            assert isinstance(json.loads(prepared), dict)
    assert MARK.decode() not in refusal
